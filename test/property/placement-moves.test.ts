// Laws of moves, over any record, publication, wish and strategy, and over whole lives in which DNS
// acts on what the plan says.

import test from 'ava';
import fc from 'fast-check';
import { toClusterName, toServiceKey, type ClusterName } from '../../common/model/ids.ts';
import type { Publication, PublishedShard } from '../../common/model/publication.ts';
import {
  planMoves,
  type Leaving,
  type MovesInput,
  type MoveStrategy,
} from '../../coordinator/placement/plan-moves.ts';

const names = ['a', 'b', 'c', 'd'].map(toClusterName);
const strategies: readonly MoveStrategy[] = ['WhenHealthy', 'AfterTimeout', 'AtOnce'];
const nowMs = 1_000_000;
const timeoutMs = 50_000;
const ttlMs = 60_000;

const anyNames = fc.subarray(names);

const anyLeaving: fc.Arbitrary<Leaving> = fc.record({
  sinceMs: fc.integer({ min: nowMs - 200_000, max: nowMs + 50_000 }),
  awaits: anyNames,
  isDrained: fc.boolean(),
  ttlMs: fc.constantFrom(0, 1_000, ttlMs),
  outMs: fc.option(fc.integer({ min: nowMs - 100_000, max: nowMs }), { nil: undefined }),
});

interface Fate {
  readonly isHealthy: boolean;
  readonly inDns: boolean;
  readonly isDrained: boolean;
}

function toPublication(fates: ReadonlyMap<ClusterName, Fate>): Publication {
  const shards = [...fates].map(
    ([cluster, { isHealthy, inDns, isDrained }]): PublishedShard => ({
      cluster,
      zones: [],
      region: undefined,
      state: isHealthy ? 'healthy' : 'notReady',
      reason: '',
      sinceMs: 0,
      addresses: [`192.0.2.${names.indexOf(cluster) + 1}`],
      hostnames: [],
      inDns: inDns && !isDrained,
      ...(isDrained ? { isDrained } : {}),
    }),
  );
  const values = shards.filter(({ inDns }) => inDns).flatMap(({ addresses }) => addresses);
  const set = { name: 'n', type: 'A' as const, ttlSeconds: 60, values, level: 'global' as const };
  return {
    key: toServiceKey({ namespace: 'web', name: 'nginx' }),
    serviceUid: '',
    zone: 'example.com',
    recordSets: values.length === 0 ? [] : [set],
    shards,
    everHealthy: true,
    reason: '',
    message: '',
  };
}

const anyFate: fc.Arbitrary<Fate> = fc.record({
  isHealthy: fc.boolean(),
  inDns: fc.boolean(),
  isDrained: fc.boolean(),
});

const anyInput: fc.Arbitrary<MovesInput> = fc
  .record({
    wanted: anyNames,
    recorded: anyNames,
    leavers: fc.array(anyLeaving, { minLength: 4, maxLength: 4 }),
    isLeaving: fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }),
    going: anyNames,
    fates: fc.array(fc.option(anyFate), { minLength: 4, maxLength: 4 }),
    strategy: fc.constantFrom(...strategies),
  })
  .map(({ wanted, recorded, leavers, isLeaving, going, fates, strategy }) => ({
    wanted: wanted.filter((name) => !going.includes(name)),
    recorded,
    leaving: new Map(
      recorded.flatMap((name) => {
        const at = names.indexOf(name);
        const leaving = leavers[at];
        return isLeaving[at] === true && leaving !== undefined ? [[name, leaving] as const] : [];
      }),
    ),
    going: new Set(going),
    publication: toPublication(
      new Map(
        names.flatMap((name, at) => {
          const fate = fates[at];
          return fate === null || fate === undefined ? [] : [[name, fate] as const];
        }),
      ),
    ),
    strategy,
    timeoutMs,
    nowMs,
  }));

function isInDns({ publication }: MovesInput, cluster: ClusterName): boolean {
  const shard = publication?.shards.find((one) => one.cluster === cluster);
  return shard?.inDns === true && shard.isDrained !== true;
}

test('I5 M2 what DNS leads to never goes, and what is wanted never leaves', (t) => {
  fc.assert(
    fc.property(anyInput, (input) => {
      const { staying } = planMoves(input);
      const isWanted = new Set(input.wanted);
      return input.recorded.every((name) => {
        if (isWanted.has(name)) return !staying.has(name);
        return !isInDns(input, name) || staying.has(name);
      });
    }),
  );
  t.pass();
});

test('I5 M1 nobody begins to leave DNS before another serves, unless that is the wish', (t) => {
  fc.assert(
    fc.property(anyInput, (input) => {
      const { staying } = planMoves({ ...input, strategy: 'WhenHealthy' });
      const shards = input.publication?.shards ?? [];
      // One that stands aside for a healthy other serves when that is gone.
      const hasOther = shards.some(({ state, inDns }) => state === 'healthy' && inDns);
      const serves = (name: ClusterName): boolean => {
        const shard = shards.find(({ cluster }) => cluster === name);
        if (shard?.state !== 'healthy' || shard.isDrained === true) return false;
        return shard.inDns || hasOther;
      };
      return [...staying].every(([name, { isDrained }]) => {
        const wasDrained = input.leaving.get(name)?.isDrained === true;
        const isWish = input.wanted.length === 0 || input.going.has(name);
        if (!isDrained || wasDrained || isWish || !isInDns(input, name)) return true;
        return input.wanted.some(serves);
      });
    }),
  );
  t.pass();
});

test('M5 what was begun is not forgotten: since never rises, drained never falls', (t) => {
  fc.assert(
    fc.property(anyInput, (input) => {
      const { staying } = planMoves(input);
      return [...staying].every(([name, after]) => {
        const before = input.leaving.get(name);
        if (before === undefined) return after.sinceMs === nowMs;
        return after.sinceMs <= before.sinceMs && (after.isDrained || !before.isDrained);
      });
    }),
  );
  t.pass();
});

test('a whole move ends: once others serve, every leaver is out after a TTL, and no sooner', (t) => {
  const anyMove = fc.record({
    from: fc.subarray(names, { minLength: 1 }),
    to: fc.subarray(names, { minLength: 1 }),
    strategy: fc.constantFrom(...strategies),
    healthyAfterMs: fc.integer({ min: 0, max: 200_000 }),
  });
  fc.assert(
    fc.property(anyMove, ({ from, to, strategy, healthyAfterMs }) => {
      let recorded: readonly ClusterName[] = from;
      let leaving: MovesInput['leaving'] = new Map();
      let outAtMs: number | undefined;
      for (let at = 0; at <= 400_000; at += 1_000) {
        const isHealthy = (name: ClusterName): boolean =>
          from.includes(name) || at >= healthyAfterMs;
        const fates = recorded.map((name): [ClusterName, Fate] => {
          const isDrained = leaving.get(name)?.isDrained === true;
          return [name, { isHealthy: isHealthy(name), inDns: isHealthy(name), isDrained }];
        });
        const publication = toPublication(new Map(fates));
        // While any is healthy, DNS has one.
        if (
          recorded.some(isHealthy) &&
          strategy === 'WhenHealthy' &&
          publication.recordSets.length === 0
        )
          return false;
        const input = { wanted: to, recorded, leaving, going: new Set<ClusterName>(), publication };
        const plan = planMoves({ ...input, strategy, timeoutMs, nowMs: nowMs + at });
        const left = recorded.filter((name) => !to.includes(name) && !plan.staying.has(name));
        if (left.some((name) => isInDns({ ...input, strategy, timeoutMs, nowMs }, name)))
          return false;
        if (left.length > 0) outAtMs ??= at;
        leaving = plan.staying;
        recorded = [...new Set([...to, ...plan.staying.keys()])].sort();
      }
      const leavers = from.filter((name) => !to.includes(name));
      const isEnded = recorded.join() === [...to].sort().join();
      return isEnded && (leavers.length === 0 || (outAtMs ?? 0) >= ttlMs);
    }),
    { numRuns: 200 },
  );
  t.pass();
});
