// Decides what the session does next. Pure: state and event in, state out.
//
//   idle -> joining -> connecting -> greeting -> live
//             ^            ^            |         |
//             +-- waiting -+------------+---------+
//
//   T1. Failures wait longer and longer, with full jitter, so that a thousand agents do not come
//       back at once.
//   T2. A refusal that only a person can lift is retried slowly, for the person may.
//   T3. A refused identity is given up only for a token that was not used yet.

export interface RetryInput {
  /** Failures in a row, this one included. */
  readonly failures: number;
  /** False: only a person can help. */
  readonly retry: boolean;
  /** 0 to 1. */
  readonly fraction: number;
}

const firstMs = 500;
const longestMs = 10_000;
const refusedMs = 30_000;

/** Milliseconds to wait before the next try. */
export function planRetry({ failures, retry, fraction }: RetryInput): number {
  if (!retry) return Math.round(refusedMs * (0.5 + fraction / 2));
  const ceiling = Math.min(longestMs, firstMs * 2 ** Math.min(failures - 1, 10));
  return Math.round(50 + ceiling * fraction);
}

export interface IdentityInput {
  readonly hasCertificate: boolean;
  readonly isExpired: boolean;
  /** Reason of the last refusal, if the last try was refused. */
  readonly refusal: string | undefined;
  readonly token: string | undefined;
  readonly tokenHash: string | undefined;
  /** Token that the present certificate was got with. */
  readonly usedTokenHash: string | undefined;
}

export type IdentityPlan = 'connect' | 'join' | 'no-token';

const identityRefusals = new Set(['ClusterRemoved', 'NoCertificate']);

export function planIdentity(input: IdentityInput): IdentityPlan {
  const isNewToken = input.token !== undefined && input.tokenHash !== input.usedTokenHash;
  if (!input.hasCertificate) return input.token === undefined ? 'no-token' : 'join';
  const isUseless = input.isExpired || identityRefusals.has(input.refusal ?? '');
  return isUseless && isNewToken ? 'join' : 'connect'; // T3
}

/** When a certificate is renewed: after two thirds of its life. */
export function renewalDelayMs(
  certificate: { readonly notBeforeMs: number; readonly notAfterMs: number },
  nowMs: number,
): number {
  const life = certificate.notAfterMs - certificate.notBeforeMs;
  return Math.max(0, certificate.notBeforeMs + (life * 2) / 3 - nowMs);
}
