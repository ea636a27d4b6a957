// One request to the Cloud DNS API, with a deadline that holds.
//
//   X1. A call ends by its deadline, or when the provider is closed, and its socket with it.
//       Google's DNS client has no deadline that works and cannot be aborted: of a silent server each
//       call would keep a socket for ever. So its authentication is used and its requests are not.
//   X2. Nothing is sent twice: no retries here or below.
//   X3. What was never sent is told apart from what has no answer.

import { setMaxListeners } from 'node:events';
import type { AuthClient } from 'google-auth-library';
import { describeError } from '../../../common/runtime/log.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import type { CloudDnsAuth } from './cloud-dns-auth.ts';
import type { CloudDnsAnswer } from './cloud-dns-errors.ts';

export type Exchanged =
  | ({ readonly kind: 'answer' } & CloudDnsAnswer)
  /** Certain that nothing reached the server. */
  | { readonly kind: 'unsent'; readonly why: Why; readonly message: string }
  /** No answer: it may have been done. */
  | { readonly kind: 'lost'; readonly why: Why; readonly message: string };

type Why = 'denied' | 'timeout' | 'closed' | 'unreachable';

export interface CloudDnsRequest {
  readonly method: 'GET' | 'POST';
  /** Below `/dns/v1/projects/PROJECT`. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

export interface CloudDnsExchange {
  send(request: CloudDnsRequest, call: Call): Promise<Exchanged>;
  /** One deadline for all requests of a call. `end` frees its timer. */
  begin(timeoutMs: number): Call;
  close(): void;
}

export interface Call {
  readonly signal: AbortSignal;
  readonly why: () => 'timeout' | 'closed';
  end(): void;
}

// A page of 500 sets of 100 values each stays below; whoever sends more is not Cloud DNS.
const answerBytesMax = 32 * 1024 * 1024;
// The requests of one call that are on their way at once listen to its deadline, each twice or so.
const listenersMax = 64;

export function createCloudDnsExchange(options: {
  readonly endpoint: string;
  readonly project: string;
  readonly auth: CloudDnsAuth;
  readonly clock: Clock;
}): CloudDnsExchange {
  const { endpoint, project, auth, clock } = options;
  const base = `${endpoint.replace(/\/+$/, '')}/dns/v1/projects/${encodeURIComponent(project)}`;
  const open = new Set<AbortController>();
  let isClosed = false;

  const begin = (timeoutMs: number): Call => {
    const controller = new AbortController();
    setMaxListeners(listenersMax, controller.signal);
    let isLate = false;
    const timer = clock.after(timeoutMs, () => {
      isLate = true;
      controller.abort();
    });
    if (isClosed) controller.abort();
    open.add(controller);
    return {
      signal: controller.signal,
      why: () => (isLate ? 'timeout' : 'closed'),
      end: () => {
        timer.cancel();
        open.delete(controller);
      },
    };
  };

  const send = async (request: CloudDnsRequest, call: Call): Promise<Exchanged> => {
    if (call.signal.aborted) return { kind: 'unsent', ...sayAborted(call) };
    const url = new URL(`${base}${request.path}`);
    for (const [name, value] of Object.entries(request.query ?? {})) {
      url.searchParams.set(name, value);
    }
    const login = await logIn(auth, url, call);
    if (!('client' in login)) return login;
    const answer = await exchange(login, { request, url, call });
    if (answer.kind === 'answer' && answer.status === 401) auth.forget();
    return answer;
  };

  const close = (): void => {
    isClosed = true;
    for (const controller of open) controller.abort();
  };
  return { send, begin, close };
}

interface Login {
  readonly client: AuthClient;
  readonly headers: Headers;
}

async function logIn(auth: CloudDnsAuth, url: URL, call: Call): Promise<Login | Exchanged> {
  const asked = async (): Promise<Login> => {
    const client = await auth.client();
    return { client, headers: await client.getRequestHeaders(url) };
  };
  try {
    return await untilAborted(asked(), call.signal);
  } catch (error) {
    if (call.signal.aborted) return { kind: 'unsent', ...sayAborted(call) };
    auth.forget();
    const cause = describeError(error).replace(/\.+$/, '');
    const isDenied = isRefusal(error);
    const message = isDenied
      ? `Google gives us no access token: ${cause}. Check the service account and its key, or, without a Secret, what the coordinator's host is logged in as (GOOGLE_APPLICATION_CREDENTIALS, workload identity).`
      : `Google's token endpoint cannot be reached: ${cause}`;
    return { kind: 'unsent', why: isDenied ? 'denied' : 'unreachable', message };
  }
}

async function exchange(
  { client, headers }: Login,
  sent: { readonly request: CloudDnsRequest; readonly url: URL; readonly call: Call },
): Promise<Exchanged> {
  const { request, url, call } = sent;
  try {
    const answer = client.transporter.request<string>({
      url,
      method: request.method,
      headers,
      ...(request.body === undefined ? {} : { data: request.body }),
      signal: call.signal,
      timeout: 0, // the call's own deadline is the only one
      retry: false,
      redirect: 'error',
      responseType: 'text',
      maxContentLength: answerBytesMax,
      validateStatus: () => true,
    });
    const { status, data, headers: answered } = await untilAborted(answer, call.signal);
    const retryAfterMs = readRetryAfter(answered.get('retry-after'));
    return {
      kind: 'answer',
      status,
      body: readJson(data),
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    };
  } catch (error) {
    if (call.signal.aborted) return { kind: 'lost', ...sayAborted(call) };
    const message = `Cloud DNS at ${url.host} gave no answer: ${describeError(error)}`;
    const kind = isNeverSent(error) ? 'unsent' : 'lost';
    return { kind, why: 'unreachable', message };
  }
}

function sayAborted(call: Call): { readonly why: Why; readonly message: string } {
  const why = call.why();
  return why === 'timeout'
    ? { why, message: 'Cloud DNS did not answer in time' }
    : { why, message: 'the connection to Cloud DNS was closed' };
}

/** The promise goes on by itself; nobody waits for it any longer. */
async function untilAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  let stop = (): void => undefined;
  const aborted = new Promise<never>((_resolve, reject) => {
    stop = () => reject(new Error('aborted'));
  });
  if (signal.aborted) stop();
  signal.addEventListener('abort', stop, { once: true });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

// Before the first byte of the request could be written.
const neverSent = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'CERT_HAS_EXPIRED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'ERR_TLS_CERT_ALTNAME_INVALID',
]);

function isNeverSent(error: unknown): boolean {
  for (let at = error, depth = 0; at instanceof Error && depth < 5; at = at.cause, depth += 1) {
    if (neverSent.has(codeOf(at))) return true;
  }
  return false;
}

function codeOf(error: Error): string {
  const { code } = error as { readonly code?: unknown };
  return typeof code === 'string' ? code : '';
}

/** The token endpoint has answered no, or there is nothing to log in with. */
function isRefusal(error: unknown): boolean {
  if (isNeverSent(error)) return false;
  const { status } = error as { readonly status?: unknown };
  if (typeof status === 'number') return status >= 400 && status < 500 && status !== 429;
  return !/timed? ?out|timeout|abort|socket|ECONN|network/i.test(describeError(error));
}

function readRetryAfter(text: string | null): number | undefined {
  const seconds = Number(text ?? Number.NaN);
  return Number.isFinite(seconds) && seconds >= 0 ? seconds * 1000 : undefined;
}

function readJson(text: unknown): unknown {
  if (typeof text !== 'string') return text;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** https, or http on this machine: a token is in each request. */
export function isSafeEndpoint(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, hostname } = new URL(text);
  const isLoopback = /^(localhost|127(\.\d+){3}|\[::1\])$/.test(hostname);
  return protocol === 'https:' || (protocol === 'http:' && isLoopback);
}
