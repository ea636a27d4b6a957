// Users of a kubeconfig with an OpenID Connect ID token (`auth-provider: oidc`), as client-go has
// them: the token is used until it ends, then traded for a new one with the refresh token.
//
//   O1. A provider may give another refresh token with each answer, and the former is then dead:
//       whoever keeps the kubeconfig is told (`onRefresh`) before the new ID token is used.
//   O2. One refresh at a time, with a deadline; answers are bounded.

import { request as httpsRequest, type RequestOptions } from 'node:https';
import { MeshError } from '../pure/errors.ts';
import type { Clock } from './clock.ts';
import type { IdentitySource } from './exec-credential.ts';

export interface OidcTokens {
  readonly idToken: string;
  readonly refreshToken: string | undefined;
}

export interface OidcSettings {
  /** `auth-provider.config` of the kubeconfig. */
  readonly config: Readonly<Record<string, string>>;
  /** PEM of the provider's CA; undefined: the system's. */
  readonly caPem: string | undefined;
  readonly onRefresh?: ((tokens: OidcTokens) => Promise<void>) | undefined;
  readonly clock: Clock;
}

const deadlineMs = 10_000;
const bodyBytesMax = 1 << 20;
const earlyMs = 10_000;

export function createOidcSource(settings: OidcSettings): IdentitySource {
  const { config, clock } = settings;
  let tokens: OidcTokens = {
    idToken: config['id-token'] ?? '',
    refreshToken: config['refresh-token'],
  };
  let isRefused = false;
  let running: Promise<void> | undefined;
  const renew = async (): Promise<void> => {
    const next = await refresh(settings, tokens);
    await settings.onRefresh?.(next); // O1
    tokens = next;
    isRefused = false;
  };
  return {
    current: async () => {
      const isOver = expiryMs(tokens.idToken) - earlyMs <= clock.now();
      if (isOver || isRefused) {
        running ??= renew().finally(() => (running = undefined)); // O2
        await running;
      }
      return { token: tokens.idToken };
    },
    refuse: () => (isRefused = true),
  };
}

/** Of an ID token; 0 when it is none, so that it is renewed at once. */
function expiryMs(idToken: string): number {
  try {
    const payload = Buffer.from(idToken.split('.')[1] ?? '', 'base64url').toString('utf8');
    const { exp } = JSON.parse(payload) as { exp?: unknown }; // narrowed below
    return typeof exp === 'number' ? exp * 1000 : 0;
  } catch {
    return 0;
  }
}

// RFC 6749, 6; OpenID Connect Core 12.
async function refresh(settings: OidcSettings, tokens: OidcTokens): Promise<OidcTokens> {
  const { config } = settings;
  const issuer = config['idp-issuer-url'] ?? '';
  const id = config['client-id'] ?? '';
  if (tokens.refreshToken === undefined || tokens.refreshToken === '') {
    throw failed('the ID token has expired and auth-provider.config has no refresh-token');
  }
  if (!issuer.startsWith('https://') || !URL.canParse(issuer) || id === '') {
    throw failed('auth-provider.config needs idp-issuer-url (https) and client-id to refresh');
  }
  const at = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;
  const endpoint = (await ask(settings, at, {}))['token_endpoint'];
  if (typeof endpoint !== 'string' || !endpoint.startsWith('https://')) {
    throw failed(`the provider ${issuer} names no token_endpoint`);
  }
  const form = { grant_type: 'refresh_token', refresh_token: tokens.refreshToken, client_id: id };
  const secret = config['client-secret'] ?? '';
  const answer = await ask(settings, endpoint, {
    body: new URLSearchParams(form).toString(),
    // RFC 6749, 2.3.1: a client with a secret shows it as Basic, both halves form-encoded.
    ...(secret === '' ? {} : { authorization: `Basic ${toBasic(id, secret)}` }),
  });
  const [idToken, refreshToken] = [answer['id_token'], answer['refresh_token']];
  if (typeof idToken !== 'string') throw failed(`the provider ${issuer} gave no id_token`);
  return {
    idToken,
    refreshToken: typeof refreshToken === 'string' ? refreshToken : tokens.refreshToken,
  };
}

function toBasic(id: string, secret: string): string {
  const text = [id, secret].map(encodeURIComponent).join(':');
  return Buffer.from(text).toString('base64');
}

function ask(
  { caPem, clock }: OidcSettings,
  url: string,
  call: { readonly body?: string; readonly authorization?: string },
): Promise<Readonly<Record<string, unknown>>> {
  const { body, authorization } = call;
  const options: RequestOptions = {
    method: body === undefined ? 'GET' : 'POST',
    ca: caPem,
    headers: {
      accept: 'application/json',
      ...(authorization === undefined ? {} : { authorization }),
      ...(body === undefined ? {} : { 'content-type': 'application/x-www-form-urlencoded' }),
    },
  };
  return new Promise((resolve, reject) => {
    const fail = (why: string, cause?: unknown): void => {
      timer.cancel();
      request.destroy();
      reject(failed(`${options.method} ${url}: ${why}`, cause));
    };
    const request = httpsRequest(url, options, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        text += chunk;
        if (text.length > bodyBytesMax) fail('the answer is too large');
      });
      response.on('error', (error) => fail('the answer broke off', error));
      response.on('end', () => {
        timer.cancel();
        const answer = parseAnswer(text);
        if (response.statusCode === 200 && answer !== undefined) resolve(answer);
        else fail(`it answered ${response.statusCode ?? 0}${toReason(answer)}`);
      });
    });
    const timer = clock.after(deadlineMs, () => fail(`no answer within ${deadlineMs} ms`));
    request.on('error', (error) => fail('the provider cannot be reached', error));
    request.end(body);
  });
}

function parseAnswer(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value = JSON.parse(text) as unknown;
    return typeof value === 'object' && value !== null
      ? (value as Readonly<Record<string, unknown>>) // read field by field
      : undefined;
  } catch {
    return undefined;
  }
}

/** RFC 6749, 5.2: `error` is one of a few words and holds no secret. */
function toReason(answer: Readonly<Record<string, unknown>> | undefined): string {
  const error = answer?.['error'];
  return typeof error === 'string' ? ` (${error.slice(0, 64)})` : '';
}

function failed(message: string, cause?: unknown): MeshError {
  return new MeshError('retryable', 'KUBE_CREDENTIALS', message, cause);
}
