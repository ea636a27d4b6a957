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
//   T4. A certificate that has ended is asked for again with the key that it was for: a person
//       approves, and nothing has to be done in the cluster.
//   T5. A coordinator that is busy says when it will have time, to each agent another moment. No one
//       comes earlier; a quarter of the wait at most is added, so that a wrong guess of the
//       coordinator spreads them, too.

import type { ContentHash, ServiceKey } from '../../common/model/ids.ts';
import type { AgentMessage } from '../../common/model/session.ts';

export interface RetryInput {
  /** Failures in a row, this one included. */
  readonly failures: number;
  /** False: only a person can help. Waiting: a person is about to. */
  readonly retry: boolean | 'waiting';
  /** What a busy coordinator said. */
  readonly afterMs?: number | undefined;
  /** 0 to 1. */
  readonly fraction: number;
}

const firstMs = 500;
// All shall be back ten seconds after a coordinator is: half of that for who has just looked in vain.
// A try at a closed door costs it nothing, and behind an open one they queue.
const longestMs = 5_000;
const refusedMs = 30_000;
const waitingMs = 15_000;
// Nobody stays away for longer because of a number that came over the wire.
const afterMsMax = 300_000;

/** Milliseconds to wait before the next try. */
export function planRetry({ failures, retry, fraction, afterMs }: RetryInput): number {
  if (afterMs !== undefined) return Math.round(Math.min(afterMs, afterMsMax) * (1 + fraction / 4));
  if (retry === false) return Math.round(refusedMs * (0.5 + fraction / 2));
  const growing = firstMs * 2 ** Math.min(failures - 1, 10);
  if (retry === 'waiting') return Math.round(Math.min(waitingMs, growing) * (0.5 + fraction / 2));
  return Math.round(50 + Math.min(longestMs, growing) * fraction);
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

export type IdentityPlan = 'connect' | 'join' | 'return' | 'no-token';

const identityRefusals = new Set(['ClusterRemoved', 'KeyReplaced']);
// The second: also when its CA was replaced and retired while we were away.
const endRefusals = new Set(['CertificateEnded', 'NoCertificate']);

export function planIdentity(input: IdentityInput): IdentityPlan {
  const isNewToken = input.token !== undefined && input.tokenHash !== input.usedTokenHash;
  if (!input.hasCertificate) return input.token === undefined ? 'no-token' : 'join';
  // By either clock: the coordinator's counts for it, and ours for what it sends.
  const hasEnded = input.isExpired || endRefusals.has(input.refusal ?? '');
  const isUseless = hasEnded || identityRefusals.has(input.refusal ?? '');
  if (isUseless && isNewToken) return 'join'; // T3
  return hasEnded ? 'return' : 'connect'; // T4
}

// common/runtime/pki.ts backdates by this.
const backdatedMs = 3_600_000;
const renewalMinMs = 1_000;

/** When a certificate is renewed: after two thirds of the life that it had when it was made. */
export function renewalDelayMs(
  { notBeforeMs, notAfterMs }: { readonly notBeforeMs: number; readonly notAfterMs: number },
  nowMs: number,
): number {
  const madeMs = Math.min(notBeforeMs + backdatedMs, notAfterMs);
  return Math.max(renewalMinMs, madeMs + ((notAfterMs - madeMs) * 2) / 3 - nowMs);
}

const askAgainMinMs = 1_000;
const askAgainMaxMs = 3_600_000;

/** When a renewal that was not answered is asked for again: ten times before the end. */
export function askAgainMs(notAfterMs: number, nowMs: number): number {
  return Math.min(askAgainMaxMs, Math.max(askAgainMinMs, (notAfterMs - nowMs) / 10));
}

const inventoryPage = 1_000;

/** What is held, in messages of a bounded length; one at least, which says that it was all. */
export function toInventory(
  held: Iterable<{ readonly key: ServiceKey; readonly hash: ContentHash }>,
): readonly AgentMessage[] {
  const entries = [...held].map(({ key, hash }) => ({ key, hash }));
  const pages = Math.max(1, Math.ceil(entries.length / inventoryPage));
  return Array.from({ length: pages }, (_, at) => ({
    kind: 'inventory',
    entries: entries.slice(at * inventoryPage, (at + 1) * inventoryPage),
    isLast: at === pages - 1,
  }));
}
