// What flow control must know of a request before its body is read: whether it changes anything,
// who is never refused, and how long it may take. Pure.

import { parseGoDuration } from './go-duration.ts';
import type { FlowKind } from './flow-control.ts';

export interface RequestLine {
  readonly method: string;
  /** Path and query. */
  readonly target: string;
}

const readMethods: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);

export function toFlowKind({ method }: RequestLine): FlowKind {
  return readMethods.has(method) ? 'readOnly' : 'mutating';
}

/** Probes are answered from memory, and an overloaded server must still be seen to live. */
export function isProbe({ target }: RequestLine): boolean {
  return /^\/(?:healthz|livez|readyz)(?:[/?]|$)/.test(target);
}

/** kube-apiserver's mandatory FlowSchema "exempt". */
export function isExemptUser(user: { readonly groups: readonly string[] } | undefined): boolean {
  return user !== undefined && user.groups.includes('system:masters');
}

/**
 * Milliseconds that a request may take: `?timeout=` shortens `longestMs`, 0 and more than that
 * do not. A text is what is wrong with it (400), in kube-apiserver's words.
 */
export function toDeadlineMs({ target }: RequestLine, longestMs: number): number | string {
  const mark = target.indexOf('?');
  if (mark < 0 || !target.includes('timeout=', mark)) return longestMs; // nearly always
  const asked = new URLSearchParams(target.slice(mark + 1)).get('timeout') ?? '';
  if (asked === '') return longestMs;
  const parsed = parseGoDuration(asked);
  if (typeof parsed === 'string') return `invalid timeout specified in the request URL - ${parsed}`;
  return parsed > 0 && parsed < longestMs ? parsed : longestMs;
}
