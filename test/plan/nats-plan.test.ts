// Whose keys NATS lets in, as tables.

import test from 'ava';
import {
  clockBackSeconds,
  userLifeSeconds,
  collectRevocations,
  planRecord,
  planUser,
  revocationSeconds,
  revokedKeysMax,
  type NatsUserRecord,
} from '../../coordinator/session/nats-plan.ts';

const now = 1_000_000;
/** Up to which a revocation of now voids. */
const revokedAt = now + clockBackSeconds;
const asked = { clusterUid: 'uid-1', publicKeyHash: 'hash-1', userKey: 'U1' };
const record: NatsUserRecord = { ...asked, revoked: [] };

test('the first key of a cluster is written down before it is let in', (t) => {
  t.deepEqual(planUser(undefined, asked, now), { kind: 'write', record, issuedAtSeconds: now });
});

test('the same key is let in again without a write', (t) => {
  const keep = { kind: 'keep', issuedAtSeconds: now, validFromSeconds: 0 } as const;
  t.deepEqual(planUser(record, asked, now), keep);
});

test('N4 another key revokes the one before it', (t) => {
  const plan = planUser(record, { ...asked, userKey: 'U2' }, now);
  t.deepEqual(plan, {
    kind: 'write',
    record: { ...asked, userKey: 'U2', revoked: [{ userKey: 'U1', atSeconds: revokedAt }] },
    issuedAtSeconds: now,
  });
});

test('a cluster under another uid or certificate keeps the key that it can prove', (t) => {
  for (const change of [{ clusterUid: 'uid-2' }, { publicKeyHash: 'hash-2' }]) {
    const plan = planUser(record, { ...asked, ...change }, now);
    t.like(plan, { kind: 'write', record: { ...record, ...change } });
  }
});

test('a key that comes back gets a login that is younger than its revocation', (t) => {
  const gone = { ...record, userKey: undefined, revoked: [{ userKey: 'U1', atSeconds: now }] };
  const plan = planUser(gone, asked, now);
  t.like(plan, { kind: 'write', issuedAtSeconds: now + 1 });
  // And when it goes again in the same second, that login is void too.
  const back = plan.kind === 'write' ? plan.record : record;
  const again = planRecord(back, false, now);
  t.like(again, { kind: 'write', record: { revoked: [{ userKey: 'U1', atSeconds: revokedAt }] } });
});

test('N6 a cluster that announces key after key is let in no more', (t) => {
  let known: NatsUserRecord | undefined;
  let changes = 0;
  for (;;) {
    const plan = planUser(known, { ...asked, userKey: `U${changes}` }, now + changes);
    if (plan.kind === 'refuse') {
      t.is(plan.reason, 'NatsKeyChangesTooOften');
      break;
    }
    if (plan.kind === 'write') known = plan.record;
    changes += 1;
    if (changes > 100) break;
  }
  t.is(changes, revokedKeysMax + 1);
  // Two replicas that take turns are no such thing.
  known = record;
  for (let turn = 0; turn < 50; turn += 1) {
    const plan = planUser(known, { ...asked, userKey: `U${turn % 2}` }, now + turn);
    t.not(plan.kind, 'refuse');
    if (plan.kind === 'write') known = plan.record;
  }
  t.true(known.revoked.length <= 2);
});

test('a record follows its cluster', (t) => {
  t.deepEqual(planRecord(record, true, now), { kind: 'keep', againAfterSeconds: undefined });
  const gone = planRecord(record, false, now);
  const revoked = [{ userKey: 'U1', atSeconds: revokedAt }];
  t.deepEqual(gone, { kind: 'write', record: { ...record, userKey: undefined, revoked } });
  const left = { ...record, userKey: undefined, revoked };
  t.deepEqual(planRecord(left, false, now + 10), {
    kind: 'keep',
    againAfterSeconds: clockBackSeconds + revocationSeconds - 10,
  });
  t.deepEqual(planRecord(left, false, revokedAt + revocationSeconds), { kind: 'remove' });
});

test('N5 a revocation is forgotten when no login that it is against can be good', (t) => {
  const old = { userKey: 'U0', atSeconds: now };
  const known = { ...record, revoked: [old] };
  t.deepEqual(planRecord(known, true, now + revocationSeconds), { kind: 'write', record });
  t.is(collectRevocations([known], now + revocationSeconds).size, 0);
  t.deepEqual([...collectRevocations([known], now + revocationSeconds - 1)], [['U0', now]]);
});

test('of two clusters that revoke one key the later word counts', (t) => {
  const at = (atSeconds: number) => ({ ...record, revoked: [{ userKey: 'U0', atSeconds }] });
  t.deepEqual([...collectRevocations([at(now), at(now + 5), at(now + 2)], now)], [['U0', now + 5]]);
});

test('N7 a login of a clock that was ahead and has been set back is revoked as well', (t) => {
  const issued = planUser(undefined, asked, now + 500);
  if (issued.kind !== 'write') return t.fail();
  const gone = planRecord(issued.record, false, now); // 500 s earlier, by the clock
  if (gone.kind !== 'write') return t.fail();
  const [voidUpTo = 0] = collectRevocations([gone.record], now).values();
  t.true(voidUpTo >= issued.issuedAtSeconds);
  // The same key is let in again: its login is good, and ends after it begins.
  const back = planUser(gone.record, asked, now);
  if (back.kind !== 'write') return t.fail();
  t.true(back.issuedAtSeconds > voidUpTo);
  t.true(back.issuedAtSeconds < now + userLifeSeconds);
});
