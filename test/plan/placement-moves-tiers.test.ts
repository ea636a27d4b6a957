// planMoves alone, where weights and fail-over keep a shard out of DNS that is well.

import test from 'ava';
import { toClusterName, type ClusterName } from '../../common/model/ids.ts';
import type { PublishedShard } from '../../common/model/publication.ts';
import {
  planMoves,
  type Leaving,
  type MovesInput,
} from '../../coordinator/placement/plan-moves.ts';

const [a, b, c] = ['a', 'b', 'c'].map(toClusterName) as [ClusterName, ClusterName, ClusterName];
const nowMs = 1_000_000;
const ttlMs = 60_000;

function shard(cluster: ClusterName, said: Partial<PublishedShard> = {}): PublishedShard {
  const addresses = [`34.0.0.${cluster.charCodeAt(0)}`];
  const place = { zones: [], region: undefined, hostnames: [] };
  const health = { state: 'healthy' as const, reason: 'Ready', sinceMs: 0 };
  return { cluster, ...place, ...health, addresses, inDns: true, ...said };
}

function begun(more: Partial<Leaving> = {}): Leaving {
  return { sinceMs: nowMs, awaits: [], isDrained: false, ttlMs, ...more };
}

function plan(shards: readonly PublishedShard[], more: Partial<MovesInput>) {
  const set = {
    name: 'x',
    type: 'A' as const,
    ttlSeconds: 60,
    values: [],
    level: 'global' as const,
  };
  return planMoves({
    wanted: [b],
    recorded: shards.map(({ cluster }) => cluster),
    leaving: new Map(),
    going: new Set(),
    publication: { shards, recordSets: [set] },
    strategy: 'WhenHealthy',
    timeoutMs: 600_000,
    nowMs,
    ...more,
  });
}

test('I5 M1 a newcomer that is a backup, or of weight 0, has come once it is healthy', (t) => {
  const leaving = new Map([[a, begun({ awaits: [b] })]]);
  const aside = { inDns: false };
  for (const said of [{ ...aside, isBackup: true as const }, aside]) {
    const { staying, stalled } = plan([shard(a), shard(b, said)], { leaving });
    t.true(staying.get(a)?.isDrained, 'nobody better than the one that goes keeps it in DNS');
    t.deepEqual(stalled, []);
  }
});

test('I5 M1 one of two newcomers that stands aside for the other holds nothing up', (t) => {
  const leaving = new Map([[a, begun({ awaits: [b, c] })]]);
  const shards = [shard(a), shard(b), shard(c, { inDns: false })];
  t.true(plan(shards, { leaving, wanted: [b, c] }).staying.get(a)?.isDrained);
});

test('I5 M1 a newcomer that is not healthy, has no address or is out of DNS by a wish has not come', (t) => {
  const leaving = new Map([[a, begun({ awaits: [b] })]]);
  const cases: readonly Partial<PublishedShard>[] = [
    { inDns: false, state: 'notReady' },
    { inDns: false, addresses: [] },
    { inDns: false, isDrained: true },
  ];
  for (const said of cases) {
    const { staying } = plan([shard(a), shard(b, said)], { leaving });
    t.false(staying.get(a)?.isDrained, JSON.stringify(said));
  }
});

test('I5 M2 a healthy shard that a weight has taken out of DNS goes a TTL later', (t) => {
  const shards = [shard(a, { inDns: false }), shard(b)];
  const first = plan(shards, {});
  const { isDrained, outMs } = first.staying.get(a) ?? begun();
  t.deepEqual({ isDrained, outMs }, { isDrained: true, outMs: nowMs });
  t.is(first.againAfterMs, ttlMs, 'resolvers may know it yet');
  const next = { leaving: first.staying, nowMs: nowMs + ttlMs };
  t.is(plan(shards, next).staying.size, 0);
});

test('I5 M3 what is not in DNS and not healthy goes at once', (t) => {
  const cases: readonly Partial<PublishedShard>[] = [{ state: 'notReady' }, { addresses: [] }];
  for (const said of cases) {
    t.is(plan([shard(a, { inDns: false, ...said }), shard(b)], {}).staying.size, 0);
  }
});
