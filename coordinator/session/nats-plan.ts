// Whose keys NATS lets in and whose no more. Pure.
// Input: what is recorded of a cluster's user, what is asked or has become of the cluster.
// Output: the next record, or a refusal; all revocations of the account.
//
//   N4. A cluster has one user key; a new one revokes the one before it.
//   N5. A revocation is kept until no JWT that it is against can be good any more.
//   N6. A cluster's revocations have a bound; beyond it no new key is let in.
//   N7. A revocation also voids what was issued by a clock that was ahead by a few minutes and has
//       been set back since: a JWT bears the second of its issue, and nothing else is compared.
//   N8. A login that an agent holds stands for what would be issued now only while its cluster keeps
//       the same key and record, no revocation voids it, and it is not due for renewal.

import type { HeldNatsLogin } from '../../common/model/session.ts';
import type { Revocations } from './nats-jwt.ts';

export interface NatsUserRecord {
  /** Of the Cluster object and the certificate for which `userKey` is let in. */
  readonly clusterUid: string;
  readonly publicKeyHash: string;
  /** undefined once the cluster is gone. */
  readonly userKey: string | undefined;
  readonly revoked: readonly RevokedKey[];
}

export interface RevokedKey {
  readonly userKey: string;
  /** JWTs issued up to this second are void. */
  readonly atSeconds: number;
}

/** A quarter of an hour: the longest that a leaver is heard where nobody can be told at once. */
export const userLifeSeconds = 900;
// Clocks of servers that are not ours may be behind by three quarters of an hour.
export const revocationSeconds = 4 * userLifeSeconds;
// Agents make their key once. Each revocation makes every server's account longer by 70 bytes.
export const revokedKeysMax = 8;
// A key that comes back is issued a JWT of the second after: that must be before the JWT ends.
export const clockBackSeconds = 600;

export type UserPlan =
  /** What was issued before `validFromSeconds` is void. */
  | {
      readonly kind: 'keep';
      readonly issuedAtSeconds: number;
      readonly validFromSeconds: number;
    }
  | { readonly kind: 'write'; readonly record: NatsUserRecord; readonly issuedAtSeconds: number }
  | { readonly kind: 'refuse'; readonly reason: string; readonly message: string };

export function planUser(
  known: NatsUserRecord | undefined,
  asked: Pick<NatsUserRecord, 'clusterUid' | 'publicKeyHash'> & { readonly userKey: string },
  nowSeconds: number,
): UserPlan {
  const revoked = (known?.revoked ?? []).filter((one) => isInForce(one, nowSeconds));
  const earlier = revoked.find(({ userKey }) => userKey === asked.userKey);
  // A key that comes back: what is issued now must be younger than its revocation.
  const validFromSeconds = earlier === undefined ? 0 : earlier.atSeconds + 1;
  const issuedAtSeconds = Math.max(nowSeconds, validFromSeconds);
  const former = known?.userKey;
  const isSame =
    former === asked.userKey &&
    known?.clusterUid === asked.clusterUid &&
    known.publicKeyHash === asked.publicKeyHash;
  if (isSame) return { kind: 'keep', issuedAtSeconds, validFromSeconds };
  const next =
    former === undefined || former === asked.userKey
      ? revoked
      : revoke(revoked, former, nowSeconds);
  if (next.length > revokedKeysMax) {
    return {
      kind: 'refuse',
      reason: 'NatsKeyChangesTooOften',
      message: `this cluster has announced more than ${revokedKeysMax} NATS keys within an hour; an agent makes its key once: keep its data directory, and run one agent`,
    };
  }
  return { kind: 'write', record: { ...asked, revoked: next }, issuedAtSeconds };
}

// An agent asks for the next login from two thirds of the life on: it is given one at once then.
const standsFraction = 1 / 3;

/** N8: whether the times that an agent says it holds a login for are as good as new ones. */
export function isAsGoodAsNew(
  held: Pick<HeldNatsLogin, 'issuedAtSeconds' | 'expiresAtSeconds'>,
  plan: UserPlan,
  now: { readonly seconds: number; readonly lifeSeconds: number },
): boolean {
  if (plan.kind !== 'keep') return false;
  const { issuedAtSeconds, expiresAtSeconds } = held;
  const isValid = issuedAtSeconds >= plan.validFromSeconds;
  // Later ones were issued by a clock that has been set back: nothing is compared with that.
  const isPast = issuedAtSeconds <= plan.issuedAtSeconds;
  const leftSeconds = expiresAtSeconds - now.seconds;
  const isLong = leftSeconds > now.lifeSeconds * standsFraction;
  return isValid && isPast && isLong && leftSeconds <= now.lifeSeconds + 1; // both were rounded
}

export type RecordPlan =
  | { readonly kind: 'keep'; readonly againAfterSeconds: number | undefined }
  | { readonly kind: 'write'; readonly record: NatsUserRecord }
  | { readonly kind: 'remove' };

/** What a record has to become, now that its cluster lives or does not. */
export function planRecord(
  known: NatsUserRecord,
  isLiving: boolean,
  nowSeconds: number,
): RecordPlan {
  const inForce = known.revoked.filter((one) => isInForce(one, nowSeconds));
  if (!isLiving && known.userKey !== undefined) {
    const revoked = revoke(inForce, known.userKey, nowSeconds);
    return { kind: 'write', record: { ...known, userKey: undefined, revoked } };
  }
  if (known.userKey === undefined && inForce.length === 0) return { kind: 'remove' };
  if (inForce.length < known.revoked.length) {
    return { kind: 'write', record: { ...known, revoked: inForce } };
  }
  const ends = inForce.map(({ atSeconds }) => atSeconds + revocationSeconds - nowSeconds);
  return { kind: 'keep', againAfterSeconds: ends.length === 0 ? undefined : Math.min(...ends) };
}

/** Of the whole account, for its JWT. */
export function collectRevocations(
  records: Iterable<NatsUserRecord>,
  nowSeconds: number,
): Revocations {
  const all = new Map<string, number>();
  for (const { revoked } of records) {
    for (const one of revoked) {
      if (!isInForce(one, nowSeconds)) continue;
      all.set(one.userKey, Math.max(all.get(one.userKey) ?? 0, one.atSeconds));
    }
  }
  return all;
}

function revoke(
  revoked: readonly RevokedKey[],
  userKey: string,
  nowSeconds: number,
): readonly RevokedKey[] {
  // A JWT of a key that came back may bear a second that is yet to come.
  const earlier = revoked.find((one) => one.userKey === userKey)?.atSeconds ?? 0;
  const atSeconds = Math.max(nowSeconds + clockBackSeconds, earlier + 1); // N7
  return [...revoked.filter((one) => one.userKey !== userKey), { userKey, atSeconds }];
}

function isInForce({ atSeconds }: RevokedKey, nowSeconds: number): boolean {
  return nowSeconds < atSeconds + revocationSeconds;
}
