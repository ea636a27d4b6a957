// Users by ID tokens of one OpenID Connect issuer: its keys fetched, kept and rotated, signatures
// checked with jose, claims read by oidc-claims.ts.
//
//   O1. Only a token whose unverified `iss` is ours makes us ask the issuer anything.
//   O2. An unknown key makes us ask at most once in a while, so that forged tokens cannot make us
//       ask for ever; a key that the issuer took away is believed at most keysMaxAgeMs longer.
//   O3. Nothing of a token is logged.
//   O4. Who waits for the issuer holds no place among the signatures that are checked: while it is
//       slow, forged tokens with unknown keys keep out nobody whose key is known.

import { createHash } from 'node:crypto';
import { compactVerify, createLocalJWKSet, errors, type JSONWebKeySet } from 'jose';
import { MeshError } from '../../../common/pure/errors.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import { describeError, type Log } from '../../../common/runtime/log.ts';
import type { TokenSource } from '../machinery/access/authenticate.ts';
import type { UserInfo } from '../machinery/access/access.ts';
import { Places } from './oidc-places.ts';
import { readClaims, type Claims, type OidcOptions } from './oidc-claims.ts';

export interface OidcPorts {
  readonly options: OidcOptions;
  /** The JSON behind an https URL; rejects after a deadline of its own. */
  readonly fetchJson: (url: string) => Promise<unknown>;
  readonly clock: Clock;
  readonly log: Log;
}

// kube-apiserver keeps a good answer as long.
const verdictMs = 10_000;
const verdictsMax = 4_096;
const keysMaxAgeMs = 600_000;
// After an answer without the key, and after a failure.
const askAgainMs = 10_000;
const sayAgainMs = 1_000;
// Signatures being checked at once; they take turns in Node's thread pool. One key may need all.
const checksBounds = { max: 64, maxEach: 64 } as const;
// Tokens that wait for the issuer's answer (O4): they cost their connections and nothing else. Who
// forges one key's name after another can fill them; then new keys are known one answer later.
const waitersBounds = { max: 512, maxEach: 64 } as const;

interface Verdict {
  readonly user: UserInfo;
  readonly untilMs: number;
}

type KeyFinder = ReturnType<typeof createLocalJWKSet>;

export function createOidc(ports: OidcPorts): TokenSource {
  const { options, clock, log } = ports;
  const verify = createVerifier(new IssuerKeys(ports), options);
  const verdicts = new Map<string, Verdict>();
  let saidMs = -Infinity;
  // Once a second: tokens of strangers must not fill the log.
  const sayRefused = (reason: string): void => {
    if (clock.monotonicMs() - saidMs < sayAgainMs) return;
    saidMs = clock.monotonicMs();
    log.info('OIDC token refused', { reason }); // O3
  };
  const check = async (token: string, key: string): Promise<UserInfo | undefined> => {
    try {
      const verdict = readClaims(await verify(token), options, clock.now());
      if ('refused' in verdict) {
        sayRefused(verdict.refused);
        return undefined;
      }
      const untilMs = Math.min(clock.now() + verdictMs, verdict.expiresMs);
      keep(verdicts, key, { user: verdict.user, untilMs });
      return verdict.user;
    } catch (error) {
      sayRefused(describeRefusal(error));
      return undefined;
    }
  };
  return {
    find: (token) => {
      if (!isOurs(token, options.issuer)) return undefined; // O1
      const key = createHash('sha256').update(token).digest('base64');
      const known = verdicts.get(key);
      if (known !== undefined && known.untilMs > clock.now()) return known.user;
      return check(token, key);
    },
  };
}

/** The oldest goes when there are too many. */
function keep(verdicts: Map<string, Verdict>, key: string, verdict: Verdict): void {
  verdicts.delete(key);
  const [oldest] = verdicts.keys();
  if (verdicts.size >= verdictsMax && oldest !== undefined) verdicts.delete(oldest);
  verdicts.set(key, verdict);
}

function isOurs(token: string, issuer: string): boolean {
  const [, payload, signature, ...more] = token.split('.');
  if (payload === undefined || signature === undefined || more.length > 0) return false;
  return toClaims(Buffer.from(payload, 'base64url'))?.['iss'] === issuer;
}

function toClaims(bytes: Uint8Array): Claims | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(bytes).toString('utf8'));
    // Read member by member, each of which may be anything.
    return typeof value === 'object' && value !== null ? (value as Claims) : undefined;
  } catch {
    return undefined; // not JSON
  }
}

function createVerifier(
  keys: IssuerKeys,
  options: OidcOptions,
): (token: string) => Promise<Claims> {
  const algorithms = [...options.algorithms];
  const [checks, waiters] = [new Places(checksBounds), new Places(waitersBounds)];
  return async (token) => {
    const keyId = readKeyId(token);
    const checked = (find: KeyFinder): Promise<Claims> =>
      checks.hold(keyId, async () => {
        const { payload } = await compactVerify(token, find, { algorithms });
        return toClaims(payload) ?? {};
      });
    const known = keys.known() ?? (await waiters.hold(keyId, () => keys.current()));
    try {
      return await checked(known);
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
      const newer = await waiters.hold(keyId, () => keys.newerThan(known));
      if (newer === undefined) throw error;
      return checked(newer);
    }
  };
}

/** What the token says, which may be anything. */
function readKeyId(token: string): string {
  const header = toClaims(Buffer.from(token.split('.', 1)[0] ?? '', 'base64url'));
  const keyId = header?.['kid'];
  return typeof keyId === 'string' ? keyId : '';
}

function describeRefusal(error: unknown): string {
  if (error instanceof errors.JOSEError) return error.code;
  return error instanceof MeshError ? error.code : 'OIDC_UNAVAILABLE';
}

/** The issuer's keys, asked for when they are needed, by one question at a time. */
class IssuerKeys {
  readonly #ports: OidcPorts;
  #keys: { readonly find: KeyFinder; readonly atMs: number } | undefined;
  #asking: Promise<KeyFinder> | undefined;
  #askedMs = -Infinity;

  constructor(ports: OidcPorts) {
    this.#ports = ports;
  }

  /** Undefined when the issuer has to be asked. */
  known(): KeyFinder | undefined {
    const nowMs = this.#ports.clock.monotonicMs();
    const keys = this.#keys;
    return keys !== undefined && nowMs - keys.atMs < keysMaxAgeMs ? keys.find : undefined;
  }

  async current(): Promise<KeyFinder> {
    return this.known() ?? this.#ask();
  }

  /** Undefined when it is too early to ask again (O2). */
  async newerThan(known: KeyFinder): Promise<KeyFinder | undefined> {
    if (this.#keys !== undefined && this.#keys.find !== known) return this.#keys.find;
    const isEarly = this.#ports.clock.monotonicMs() - this.#askedMs < askAgainMs;
    return this.#asking === undefined && isEarly ? undefined : this.#ask();
  }

  #ask(): Promise<KeyFinder> {
    const { clock, log, options } = this.#ports;
    if (this.#asking !== undefined) return this.#asking;
    const nowMs = clock.monotonicMs();
    const isFailing = this.#keys === undefined || nowMs - this.#keys.atMs >= keysMaxAgeMs;
    if (isFailing && nowMs - this.#askedMs < askAgainMs) {
      const message = `the issuer ${options.issuer} did not answer a moment ago`;
      return Promise.reject(new MeshError('retryable', 'OIDC_UNAVAILABLE', message));
    }
    this.#askedMs = nowMs;
    this.#asking = this.#fetch()
      .then((find) => {
        this.#keys = { find, atMs: clock.monotonicMs() };
        return find;
      })
      .catch((error: unknown) => {
        log.warn('keys of the OIDC issuer not read', {
          issuer: options.issuer,
          error: describeError(error),
        });
        throw new MeshError('retryable', 'OIDC_UNAVAILABLE', 'the issuer has no keys', error);
      })
      .finally(() => {
        this.#asking = undefined;
      });
    return this.#asking;
  }

  async #fetch(): Promise<KeyFinder> {
    const { fetchJson, options } = this.#ports;
    const root = options.issuer.replace(/\/$/, '');
    const discovered = toRecord(await fetchJson(`${root}/.well-known/openid-configuration`));
    if (discovered['issuer'] !== options.issuer) {
      throw new MeshError('retryable', 'OIDC_ISSUER_MISMATCH', 'discovery names another issuer');
    }
    const url = discovered['jwks_uri'];
    if (typeof url !== 'string' || !url.startsWith('https://')) {
      throw new MeshError('retryable', 'OIDC_KEYS_INVALID', 'jwks_uri is no https URL');
    }
    const keys = toRecord(await fetchJson(url));
    // jose checks the members that it uses, and throws when they are not what they should be.
    return createLocalJWKSet(keys as unknown as JSONWebKeySet);
  }
}

function toRecord(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
    ? (value as Readonly<Record<string, unknown>>) // read member by member
    : {};
}
