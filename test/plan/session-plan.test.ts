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
import { planIdentity, planRetry, renewalDelayMs } from '../../agent/session/step.ts';
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
    t.true(wait(failures, 1) <= 10_100);
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

test('a certificate is renewed after two thirds of its life, at once when that is past', (t) => {
  const life = { notBeforeMs: 1_000, notAfterMs: 4_000 };
  t.is(renewalDelayMs(life, 1_000), 2_000);
  t.is(renewalDelayMs(life, 2_900), 100);
  t.is(renewalDelayMs(life, 9_000), 0);
});
