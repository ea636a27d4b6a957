// Never withdrawn on silence alone: over random histories of facts and probes.

import test from 'ava';
import fc from 'fast-check';
import { toClusterName } from '../../common/model/ids.ts';
import type { ClusterLife } from '../../common/model/health.ts';
import type { ProbeResult, ProbeTarget } from '../../common/model/telemetry.ts';
import { doubtDeath } from '../../coordinator/health/audit.ts';
import { Reach, reachCountsMs, toTargetKey } from '../../coordinator/health/fold-reach.ts';
import { LagMeter, tickMs } from '../../coordinator/health/lag.ts';
import { planBaseline } from '../../coordinator/health/plan-baseline.ts';
import {
  chooseVantages,
  ownVantage,
  toVantage,
  type Vantage,
} from '../../coordinator/health/plan-vantage.ts';
import {
  pendingCluster,
  stepCluster,
  type ClusterFacts,
  type Finding,
} from '../../coordinator/health/step-cluster.ts';
import {
  noSelfSuspicion,
  stepSelfSuspicion,
} from '../../coordinator/health/step-self-suspicion.ts';
import {
  holdMaxMs,
  pendingShard,
  stepShard,
  type ShardFacts,
} from '../../coordinator/health/step-shard.ts';
import { concludeRound, foldAnswer, openRound } from '../../coordinator/health/step-suspicion.ts';

const cluster = toClusterName('target');

const notFailed: fc.Arbitrary<Finding> = fc.constantFrom<Finding>(
  { kind: 'undecided' },
  { kind: 'reached', by: 'coordinator' },
  { kind: 'unprovable' },
  { kind: 'held' },
);

const factsWith = (finding: fc.Arbitrary<Finding>): fc.Arbitrary<ClusterFacts> =>
  fc.record({
    isSilent: fc.boolean(),
    isHeard: fc.boolean(),
    isTelemetryFresh: fc.boolean(),
    isApiFresh: fc.boolean(),
    isReportFresh: fc.boolean(),
    finding,
    lastProofOfLifeMs: fc.constant(undefined),
    nowMs: fc.nat(),
  });

test('I3: whatever happens but proof, no cluster becomes dead', (t) => {
  fc.assert(
    fc.property(fc.array(factsWith(notFailed), { maxLength: 30 }), (history) => {
      let verdict = pendingCluster(cluster, 0);
      for (const facts of history) {
        verdict = stepCluster(verdict, facts);
        t.not(verdict.life, 'dead');
      }
    }),
    { numRuns: 500 },
  );
});

test('a cluster that is heard, answers and has reported is live, whatever went before', (t) => {
  const failed = fc.constant<Finding>({ kind: 'failed', by: ['a', 'b'] });
  fc.assert(
    fc.property(fc.array(factsWith(fc.oneof(notFailed, failed)), { maxLength: 30 }), (history) => {
      let verdict = pendingCluster(cluster, 0);
      for (const facts of history) verdict = stepCluster(verdict, facts);
      const good = {
        isSilent: false,
        isHeard: true,
        isTelemetryFresh: true,
        isApiFresh: true,
        isReportFresh: true,
      };
      const finding: Finding = { kind: 'failed', by: ['a', 'b'] };
      t.is(stepCluster(verdict, { ...good, finding, lastProofOfLifeMs: 1, nowMs: 1 }).life, 'live');
    }),
  );
});

const target: ProbeTarget = { address: '8.8.4.1', port: 80, method: 'tcp' };
const other: ProbeTarget = { address: '8.8.4.2', port: 80, method: 'tcp' };

const vantages: readonly Vantage[] = [
  ownVantage,
  ...['a', 'b', 'c', 'd'].map((name, index) =>
    toVantage({
      cluster: toClusterName(name),
      // c and d leave by one door.
      remoteAddress: `198.51.100.${Math.min(index, 2)}`,
      topology: { zones: [name], region: 'r', provider: undefined },
      allowLoopback: false,
    }),
  ),
];

const rounds = fc.record({
  /** Age of the last success of each vantage point on each target; undefined: never. */
  ages: fc.array(fc.option(fc.nat(2 * reachCountsMs), { nil: undefined }), {
    minLength: 10,
    maxLength: 10,
  }),
  answers: fc.array(fc.constantFrom('ok', 'TimedOut', 'NotAllowed', 'missing'), {
    minLength: 10,
    maxLength: 10,
  }),
  suspectsItself: fc.boolean(),
});

test('I3: failed needs two independent witnesses that lately reached that address', (t) => {
  fc.assert(
    fc.property(rounds, ({ ages, answers, suspectsItself }) => {
      const reach = new Reach();
      const nowMs = 10 * reachCountsMs;
      const targets = [target, other];
      let round = openRound({ cluster, number: 1, nowMs, targets, vantages });
      const witnesses = targets.map(() => new Set<string>());
      let isReached = false;
      for (const [at, vantage] of vantages.entries()) {
        const results: ProbeResult[] = [];
        let isMissing = false;
        for (const [which, probed] of targets.entries()) {
          const slot = at * 2 + which;
          const age = ages[slot];
          const okAt = { vantageId: vantage.id, ok: true, nowMs: nowMs - (age ?? 0) };
          if (age !== undefined) reach.record(cluster, toTargetKey(probed), okAt);
          const answer = answers[slot] ?? 'missing';
          isMissing ||= answer === 'missing';
          results.push({ target: probed, ok: answer === 'ok', roundTripMs: 1, reason: answer });
          const counts = age !== undefined && age <= reachCountsMs && answer === 'TimedOut';
          const isAllowed = !suspectsItself || vantage.cluster !== undefined;
          if (counts && isAllowed) witnesses[which]?.add(vantage.egress);
        }
        isReached ||= !isMissing && results.some(({ ok }) => ok);
        round = foldAnswer(round, vantage.id, isMissing ? undefined : results);
      }
      const finding = concludeRound(round, reach, { suspectsItself });
      if (isReached) t.is(finding.kind, 'reached');
      if (finding.kind !== 'failed') return;
      t.true(witnesses.some((egresses) => egresses.size >= 2));
      t.is(doubtDeath(round, { suspectsItself }), undefined);
    }),
    { numRuns: 2000 },
  );
});

const shardFacts = (
  life: fc.Arbitrary<ShardFacts['clusterLife']>,
): fc.Arbitrary<Omit<ShardFacts, 'nowMs'>> =>
  fc.record({
    clusterLife: life,
    isReported: fc.boolean(),
    hasAddress: fc.boolean(),
    ready: fc.nat(2),
    minReady: fc.constant(1),
  });

test('I6: while its cluster is frozen, no shard changes', (t) => {
  const any = shardFacts(fc.constantFrom('reporting', 'frozen'));
  fc.assert(
    fc.property(fc.array(fc.tuple(any, fc.nat(20_000)), { maxLength: 40 }), (history) => {
      let damping = pendingShard;
      let nowMs = 0;
      for (const [facts, waitMs] of history) {
        nowMs += waitMs;
        const before = damping.state;
        damping = stepShard(damping, { ...facts, nowMs }).damping;
        if (facts.clusterLife === 'frozen') t.is(damping.state, before);
        t.true(damping.holdMs <= holdMaxMs);
        if (facts.clusterLife === 'reporting' && (facts.ready < 1 || !facts.hasAddress)) {
          t.not(damping.state, 'healthy'); // it leaves at once
        }
      }
    }),
    { numRuns: 300 },
  );
});

test('a steady good shard is healthy after its hold-down, whatever went before', (t) => {
  const any = shardFacts(fc.constantFrom('reporting', 'frozen', 'dead'));
  fc.assert(
    fc.property(fc.array(fc.tuple(any, fc.nat(20_000)), { maxLength: 40 }), (history) => {
      let damping = pendingShard;
      let nowMs = 0;
      for (const [facts, waitMs] of history) {
        nowMs += waitMs;
        damping = stepShard(damping, { ...facts, nowMs }).damping;
      }
      const good = {
        clusterLife: 'reporting',
        isReported: true,
        hasAddress: true,
        ready: 1,
        minReady: 1,
      } as const;
      const step = stepShard(damping, { ...good, nowMs });
      nowMs += step.againAfterMs ?? 0;
      t.is(stepShard(step.damping, { ...good, nowMs }).damping.state, 'healthy');
    }),
    { numRuns: 300 },
  );
});

test('the coordinator suspects itself when three and a third fall silent in ten seconds', (t) => {
  const silences = fc.array(fc.nat(40_000), { maxLength: 12 });
  fc.assert(
    fc.property(silences, fc.integer({ min: 12, max: 40 }), (times, clusters) => {
      const silentSinceMs = new Map(times.map((atMs, index) => [toClusterName(`c${index}`), atMs]));
      const { group } = stepSelfSuspicion(noSelfSuspicion, { silentSinceMs, clusters });
      const enough = Math.max(3, Math.ceil(clusters / 3));
      for (const [name, atMs] of silentSinceMs) {
        const isInWindow = times.some((fromMs) => {
          const near = times.filter((time) => time >= fromMs && time <= fromMs + 10_000);
          return near.length >= enough && near.includes(atMs);
        });
        t.is(group.has(name), isInWindow);
      }
    }),
    { numRuns: 500 },
  );
});

test('each healthy target keeps being reached well within the time in which that counts', (t) => {
  fc.assert(
    fc.property(
      fc.array(fc.double({ min: 0, max: 0.999, noNaN: true }), { minLength: 20, maxLength: 40 }),
      (jitters) => {
        const reach = new Reach();
        let nowMs = 0;
        let lastMs = 0;
        for (const jitter of jitters) {
          const plan = planBaseline({
            cluster,
            targets: [target],
            vantages: [ownVantage],
            reach,
            nowMs,
            jitter,
          });
          for (const order of plan.orders) {
            t.true(nowMs - lastMs <= reachCountsMs / 2);
            lastMs = nowMs;
            for (const probed of order.targets) {
              reach.record(cluster, toTargetKey(probed), {
                vantageId: order.vantage.id,
                ok: true,
                nowMs,
              });
            }
          }
          nowMs += plan.againAfterMs ?? 0;
        }
      },
    ),
  );
});

test('V2: a vantage point that comes or goes moves only what it must', (t) => {
  const [, ...agents] = vantages;
  const chosen = chooseVantages(cluster, agents, 3);
  const rest = agents.filter((agent) => !chosen.includes(agent));
  for (const gone of rest) {
    t.deepEqual(
      chooseVantages(
        cluster,
        agents.filter((agent) => agent !== gone),
        3,
      ),
      chosen,
    );
  }
  t.true(new Set(chosen.map(({ egress }) => egress)).size >= 3);
});

test('K2: the time in which we stood still is no silence of anybody', (t) => {
  const lag = new LagMeter(0);
  lag.tick(tickMs);
  t.is(lag.tick(2 * tickMs + 8000), 8000);
  t.is(lag.lagSince(tickMs), 8000);
  t.is(lag.lagSince(2 * tickMs + 8000), 0);
  t.is(lag.lagSince(2 * tickMs + 3000), 5000); // only the part after it
});

const lives: readonly ClusterLife[] = ['live', 'apiStale', 'silent', 'dead', 'pending'];

test('C3: a recorded life stands until the cluster is heard of, or falls silent', (t) => {
  for (const life of lives) {
    const recorded = { ...pendingCluster(cluster, 0), life };
    const facts = {
      isHeard: false,
      isTelemetryFresh: false,
      isApiFresh: true,
      isReportFresh: false,
    };
    const finding: Finding = { kind: 'unprovable' };
    const at = { finding, lastProofOfLifeMs: undefined, nowMs: 1 };
    t.is(stepCluster(recorded, { ...facts, ...at, isSilent: false }).life, life);
    const expected = life === 'pending' || life === 'dead' ? life : 'silent';
    t.is(stepCluster(recorded, { ...facts, ...at, isSilent: true }).life, expected);
  }
});
