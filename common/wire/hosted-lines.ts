// What a coordinator and a hosted agent, its child process, tell each other: JSON lines on the
// child's stdin and stdout, private to the two. The ready line of the child is one more line there.
//
// Both are of one version: the coordinator starts the agent of its own package.

/** From the coordinator. */
export type ToHosted =
  /** How to reach the cluster from now on. `revision` names these credentials. */
  | { readonly kind: 'kubeconfig'; readonly revision: number; readonly text: string }
  /** The credentials of `from`, with the tokens that were refreshed, are those of `revision`. */
  | { readonly kind: 'revision'; readonly from: number; readonly revision: number }
  | { readonly kind: 'token'; readonly token: string }
  /** Answered at once by a pong. */
  | { readonly kind: 'ping' };

/** From the agent. */
export type FromHosted =
  /** It has no certificate and wants to join. */
  | { readonly kind: 'wantsToken' }
  /** Whether the cluster's API server answers it, told when that changes. */
  | { readonly kind: 'api'; readonly revision: number; readonly fault: ApiFault | undefined }
  /** An OpenID provider gave new tokens for those of `revision`. */
  | {
      readonly kind: 'refreshed';
      readonly revision: number;
      readonly idToken: string;
      readonly refreshToken: string | undefined;
    }
  | { readonly kind: 'pong' }
  /** It has joined: the agent's ready line. */
  | { readonly kind: 'ready' }
  /** Why it ends, last. */
  | { readonly kind: 'failed'; readonly message: string };

export interface ApiFault {
  /** As in kube-client.ts. */
  readonly code: string;
  readonly message: string;
}

export function toLine(
  message: ToHosted | Exclude<FromHosted, { readonly kind: 'ready' }>,
): string {
  return `${JSON.stringify(message)}\n`;
}

// A kubeconfig is the longest; the API takes 64 KiB.
const lineCharactersMax = 1 << 20;

/** Collects chunks; gives each whole line as an object. What is none is passed over. */
export function createLineReader(onObject: (object: object) => void): (chunk: string) => void {
  let rest = '';
  return (chunk) => {
    const lines = `${rest}${chunk}`.split('\n');
    rest = (lines.pop() ?? '').slice(0, lineCharactersMax);
    for (const line of lines) {
      const object = parse(line);
      if (object !== undefined) onObject(object);
    }
  };
}

function parse(line: string): object | undefined {
  try {
    const value = JSON.parse(line) as unknown;
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

type Fields = Readonly<Record<string, unknown>>;

export function readToHosted(object: object): ToHosted | undefined {
  const { kind, revision, text, token, from } = object as Fields; // narrowed here
  if (kind === 'kubeconfig' && typeof revision === 'number' && typeof text === 'string') {
    return { kind, revision, text };
  }
  if (kind === 'ping') return { kind };
  if (kind === 'revision' && typeof revision === 'number' && typeof from === 'number') {
    return { kind, from, revision };
  }
  return kind === 'token' && typeof token === 'string' ? { kind, token } : undefined;
}

export function readFromHosted(object: object): FromHosted | undefined {
  const { ready, kind, revision, fault, idToken, refreshToken, message } = object as Fields; // narrowed
  if (ready === true) return { kind: 'ready' };
  if (kind === 'wantsToken' || kind === 'pong') return { kind };
  if (kind === 'failed' && typeof message === 'string') return { kind, message };
  if (typeof revision !== 'number') return undefined;
  if (kind === 'api') return { kind, revision, fault: readFault(fault) };
  if (kind !== 'refreshed' || typeof idToken !== 'string') return undefined;
  const next = typeof refreshToken === 'string' ? refreshToken : undefined;
  return { kind, revision, idToken, refreshToken: next };
}

function readFault(value: unknown): ApiFault | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { code, message } = value as Fields; // narrowed here
  return { code: String(code), message: String(message) };
}
