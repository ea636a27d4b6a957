// What an agent is told, and when an agent tries again.

import test from 'ava';
import fc from 'fast-check';
import {
  toClusterName,
  toContentHash,
  toRevision,
  type ContentHash,
  type ServiceKey,
} from '../../common/model/ids.ts';
import type { RemovalOrder, Shard } from '../../common/model/shard.ts';
import { askAgainMs, planIdentity, planRetry, renewalDelayMs } from '../../agent/session/step.ts';
import { describeClockSkew, describeVersionSkew } from '../../common/pure/skew.ts';
import { planRival, type RivalPlan } from '../../coordinator/session/plan-rival.ts';
import {
  batchBytesMax,
  digestOf,
  findUnclaimed,
  planBatches,
  type Wanted,
} from '../../coordinator/session/plan.ts';
import { checkReceipt, signReceipt } from '../../coordinator/session/receipts.ts';

const key = (name: string): ServiceKey => `default/${name}` as ServiceKey;
const hash = (of: number): ContentHash => toContentHash(of.toString(16).padStart(32, '0'));
const shard = (name: string, of: number, size = 10): Shard => ({
  key: key(name),
  bytes: new Uint8Array(size),
  hash: hash(of),
});
const order = (name: string): RemovalOrder => ({
  cluster: toClusterName('one'),
  key: key(name),
  mode: 'delete',
  revision: toRevision(1),
});

function wanted(shards: readonly Shard[], orders: readonly RemovalOrder[] = []): Wanted {
  return {
    shard: (of) => shards.find((one) => one.key === of),
    order: (of) => orders.find((one) => one.key === of),
  };
}

test('only differences are sent, in key order', (t) => {
  const shards = [shard('c', 1), shard('a', 2), shard('b', 3)];
  const held = new Map([
    [key('a'), hash(2)],
    [key('b'), hash(9)],
    [key('d'), hash(4)],
  ]);
  const keys = ['a', 'b', 'c', 'd', 'e'].map(key);
  const [batch, ...more] = planBatches(keys, held, wanted(shards, [order('d')]));
  t.deepEqual(more, []);
  t.deepEqual(
    batch?.upserts.map((one) => one.key),
    [key('b'), key('c')],
  );
  t.deepEqual(
    batch?.removals.map((one) => one.key),
    [key('d')],
  );
});

test('an order for a key that is wanted again is not sent', (t) => {
  const [batch] = planBatches([key('a')], new Map(), wanted([shard('a', 1)], [order('a')]));
  t.is(batch?.removals.length, 0);
  t.is(batch?.upserts.length, 1);
});

test('an order is sent even when the agent seems not to hold the shard', (t) => {
  const [batch] = planBatches([key('a')], new Map(), wanted([], [order('a')]));
  t.is(batch?.removals.length, 1);
});

test('I2 what is held and no longer wanted is unclaimed, and nothing is sent for it', (t) => {
  const held = new Map([
    [key('a'), hash(1)],
    [key('b'), hash(2)],
    [key('c'), hash(3)],
  ]);
  const want = wanted([shard('a', 1)], [order('b')]);
  t.deepEqual(findUnclaimed(held, want), [key('c')]);
  t.deepEqual(planBatches([key('c')], held, want), []);
});

test('batches keep within their bound unless one shard alone exceeds it, and lose nothing', (t) => {
  const sizes = fc.array(fc.nat({ max: batchBytesMax + 1000 }), { maxLength: 20 });
  fc.assert(
    fc.property(sizes, (all) => {
      const shards = all.map((size, index) => shard(`s${String(index).padStart(3, '0')}`, 1, size));
      const batches = planBatches(
        shards.map((one) => one.key),
        new Map(),
        wanted(shards),
      );
      t.deepEqual(
        batches.flatMap(({ upserts }) => upserts.map((one) => one.key)),
        shards.map((one) => one.key).sort(),
      );
      for (const { upserts } of batches) {
        const bytes = upserts.reduce((sum, one) => sum + one.bytes.length, 0);
        t.true(
          bytes <= batchBytesMax || upserts.filter((one) => one.bytes.length > 0).length === 1,
        );
      }
    }),
    { numRuns: 30 },
  );
});

test('two sides that hold the same have one digest, whatever the order', (t) => {
  const shards = [shard('a', 1), shard('b', 2), shard('c', 3)];
  t.is(digestOf(shards), digestOf([...shards].reverse()));
  t.not(digestOf(shards), digestOf(shards.slice(1)));
  t.is(digestOf([]), '0'.repeat(16));
});

const by = { key: new Uint8Array(32).fill(1), storeId: 'store', epoch: 1 };

test('a receipt of ours above our revision means that the store went backwards', (t) => {
  const receipt = signReceipt(by, toRevision(10));
  t.is(checkReceipt(by, receipt, toRevision(10)).kind, 'fine');
  t.is(checkReceipt(by, receipt, toRevision(9)).kind, 'regressed');
});

test('a receipt that we did not sign says nothing', (t) => {
  const receipt = signReceipt(by, toRevision(10));
  const forged = { ...receipt, revision: toRevision(99) };
  t.is(checkReceipt(by, forged, toRevision(9)).kind, 'unknown');
  t.is(checkReceipt(by, undefined, toRevision(9)).kind, 'unknown');
  t.is(checkReceipt(by, { ...receipt, mac: new Uint8Array(0) }, toRevision(9)).kind, 'unknown');
  const stranger = { ...by, key: new Uint8Array(32).fill(2) };
  t.is(checkReceipt(stranger, receipt, toRevision(9)).kind, 'unknown');
});

test('a receipt of ours for another store means that the store was replaced', (t) => {
  const receipt = signReceipt(by, toRevision(10));
  t.is(checkReceipt({ ...by, storeId: 'other' }, receipt, toRevision(99)).kind, 'regressed');
  t.is(checkReceipt({ ...by, epoch: 2 }, receipt, toRevision(99)).kind, 'fine');
  t.is(checkReceipt({ ...by, epoch: 0 }, receipt, toRevision(99)).kind, 'regressed');
});

const identity = {
  hasCertificate: true,
  isExpired: false,
  refusal: undefined,
  token: undefined,
  tokenHash: undefined,
  usedTokenHash: undefined,
};
const identities: readonly (readonly [
  string,
  Partial<Parameters<typeof planIdentity>[0]>,
  string,
])[] = [
  ['a certificate is used', {}, 'connect'],
  ['nothing at all needs a token', { hasCertificate: false }, 'no-token'],
  [
    'a token without a certificate joins',
    { hasCertificate: false, token: 'a', tokenHash: 'A' },
    'join',
  ],
  [
    'a good certificate ignores a new token',
    { token: 'b', tokenHash: 'B', usedTokenHash: 'A' },
    'connect',
  ],
  [
    'a removed cluster joins anew with a new token',
    { refusal: 'ClusterRemoved', token: 'b', tokenHash: 'B', usedTokenHash: 'A' },
    'join',
  ],
  [
    'a removed cluster keeps asking with an old token',
    { refusal: 'ClusterRemoved', token: 'a', tokenHash: 'A', usedTokenHash: 'A' },
    'connect',
  ],
  [
    'an expired certificate joins anew with a new token',
    { isExpired: true, token: 'b', tokenHash: 'B', usedTokenHash: 'A' },
    'join',
  ],
  ['T4 a certificate that has ended is asked for again', { isExpired: true }, 'return'],
  [
    'T4 also with the token of long ago',
    { isExpired: true, token: 'a', tokenHash: 'A', usedTokenHash: 'A' },
    'return',
  ],
  ['T4 also when only the coordinator says so', { refusal: 'CertificateEnded' }, 'return'],
  ['T4 also when its CA was retired meanwhile', { refusal: 'NoCertificate' }, 'return'],
  [
    'a replaced key joins anew with a new token',
    { refusal: 'KeyReplaced', token: 'b', tokenHash: 'B', usedTokenHash: 'A' },
    'join',
  ],
  ['a revoked agent keeps its certificate', { refusal: 'Revoked' }, 'connect'],
  [
    'an agent that was superseded does not join again',
    { refusal: 'Superseded', token: 'b', tokenHash: 'B', usedTokenHash: 'A' },
    'connect',
  ],
];
for (const [title, given, expected] of identities) {
  test(`identity: ${title}`, (t) => {
    t.is(planIdentity({ ...identity, ...given }), expected as never);
  });
}

test('waits grow, have a bound, and spread over their whole length', (t) => {
  const wait = (failures: number, fraction: number): number =>
    planRetry({ failures, retry: true, fraction });
  t.true(wait(1, 0) < 100);
  t.true(wait(1, 1) <= 600);
  for (let failures = 1; failures < 50; failures += 1) {
    t.true(wait(failures, 1) <= 5_100);
    t.true(wait(failures + 1, 1) >= wait(failures, 1));
    t.true(wait(failures, 0) < 100, 'full jitter');
  }
});

test('what only a person can lift is tried again slowly', (t) => {
  for (const fraction of [0, 0.5, 1]) {
    const delayMs = planRetry({ failures: 1, retry: false, fraction });
    t.true(delayMs >= 15_000 && delayMs <= 30_000);
  }
});

test('who waits for a person asks soon at first, then every quarter of a minute at most', (t) => {
  const wait = (failures: number, fraction: number): number =>
    planRetry({ failures, retry: 'waiting', fraction });
  t.true(wait(1, 1) <= 500);
  for (let failures = 1; failures < 50; failures += 1) {
    t.true(wait(failures, 1) <= 15_000);
    t.true(wait(failures, 0) >= wait(failures, 1) / 2, 'never a storm');
  }
});

const hour = 3_600_000;

test('a certificate is renewed after two thirds of the life that it had when it was made', (t) => {
  const life = { notBeforeMs: 0, notAfterMs: hour + 3_000_000 }; // backdated by an hour
  t.is(renewalDelayMs(life, hour), 2_000_000);
  t.is(renewalDelayMs(life, hour + 1_900_000), 100_000);
  t.is(renewalDelayMs(life, 9 * hour), 1_000, 'late, but never in a tight loop');
});

test('a renewal without an answer is asked for again ten times before the end', (t) => {
  t.is(askAgainMs(10_000_000, 0), 1_000_000);
  t.is(askAgainMs(1_000 * hour, 0), hour);
  t.is(askAgainMs(1_000, 999), 1_000);
});

const [a, b] = ['process-a', 'process-b'];
const rivals: readonly (readonly [string, RivalPlan, Parameters<typeof planRival>[0]])[] = [
  [
    'V1 the same process comes back',
    'replace',
    {
      connected: { boot: 3, instance: a },
      comer: { boot: 3, instance: a },
      hasAnswered: undefined,
    },
  ],
  [
    'V1 a version that does not say which process it is',
    'replace',
    {
      connected: { boot: 3, instance: undefined },
      comer: { boot: 3, instance: undefined },
      hasAnswered: undefined,
    },
  ],
  [
    'V2 a later start',
    'replace',
    {
      connected: { boot: 3, instance: a },
      comer: { boot: 4, instance: b },
      hasAnswered: undefined,
    },
  ],
  [
    'V3 a copy of the folder, before anybody was asked',
    'ask',
    {
      connected: { boot: 3, instance: a },
      comer: { boot: 3, instance: b },
      hasAnswered: undefined,
    },
  ],
  [
    'V3 a copy, while the first answers',
    'refuse',
    { connected: { boot: 3, instance: a }, comer: { boot: 2, instance: b }, hasAnswered: true },
  ],
  [
    'V4 a copy, while the first is silent',
    'replace',
    { connected: { boot: 3, instance: a }, comer: { boot: 2, instance: b }, hasAnswered: false },
  ],
];
for (const [title, expected, of] of rivals) {
  test(`two agents: ${title}`, (t) => {
    t.is(planRival(of), expected);
  });
}

test('two agents that are both alive never replace each other by turns', (t) => {
  const first = { boot: 5, instance: a };
  const copy = { boot: 6, instance: b };
  t.is(planRival({ connected: first, comer: copy, hasAnswered: undefined }), 'replace');
  t.is(planRival({ connected: copy, comer: first, hasAnswered: true }), 'refuse');
});

test('clocks a minute apart are fine; ten minutes are said in words, with who is where', (t) => {
  const at = (minutes: number) =>
    describeClockSkew({ agentMs: 1e12 + minutes * 60_000, coordinatorMs: 1e12 });
  t.is(at(0), undefined);
  t.is(at(-1), undefined);
  t.regex(at(10) ?? '', /agent's clock is 10m0s ahead of the coordinator's; set the clock/);
  t.regex(at(-90) ?? '', /1h30m behind the coordinator's/);
});

const versions: readonly (readonly [string, string, string | undefined, boolean])[] = [
  ['0.4.0', '0.4.9', undefined, false],
  ['0.3.0', '0.4.0', undefined, false],
  ['0.5.1', '0.4.0', undefined, false],
  ['0.2.0', '0.4.0', 'AgentTooOld', false],
  ['0.6.0-rc.1', '0.4.0', 'AgentTooNew', false],
  ['1.0.0', '0.9.0', 'AgentTooNew', true],
  ['0.9.0', 'v1.0.0', 'AgentTooOld', true],
  ['', '0.4.0', undefined, false],
  ['dev', '0.4.0', undefined, false],
];
for (const [agentVersion, coordinatorVersion, reason, isRefused] of versions) {
  test(`an agent "${agentVersion}" at a coordinator ${coordinatorVersion}: ${reason ?? 'fine'}`, (t) => {
    const skew = describeVersionSkew({ agentVersion, coordinatorVersion });
    t.is(skew?.reason, reason as never);
    t.is(skew?.isRefused ?? false, isRefused);
    if (skew !== undefined)
      t.regex(skew.message, /not supported; upgrade the (agent|coordinator)$/);
  });
}
