// Suspicions under way: opens rounds of probes about clusters that are silent, stale or dead, and
// hands on what each round proves.
// Input: which clusters are suspected, their targets, the vantage points. Output: findings.
//
//   I10. At most `roundsMax` rounds at once; the others wait for a tick.
//   P5. A withdrawal is concluded no earlier than `settleMs` after the suspicion began, so that
//       clusters that fall silent together are seen together first.
//   P6. One moment proves no death: a round that failed at once (refused, reset) is probed again
//       `settleMs` later before it withdraws anything, since a load balancer that is being
//       reconfigured refuses for a moment too. Probes that ran into their deadline waited already.

import type { ClusterName } from '../../common/model/ids.ts';
import type { ProbeResult, ProbeTarget } from '../../common/model/telemetry.ts';
import { invariant } from '../../common/pure/errors.ts';
import type { Clock, Timer } from '../../common/runtime/clock.ts';
import type { Log } from '../../common/runtime/log.ts';
import type { Metrics } from '../../common/runtime/metrics.ts';
import { doubtDeath } from './audit.ts';
import { toTargetKey, type Reach } from './fold-reach.ts';
import type { Vantage } from './plan-vantage.ts';
import { answerDeadlineMs, type Probing } from './probing.ts';
import type { Finding } from './step-cluster.ts';
import {
  concludeRound,
  findSuccess,
  foldAnswer,
  isAnswered,
  openRound,
  type Round,
} from './step-suspicion.ts';

const roundsMax = 64;
export const roundEveryMs = 5000;
export const settleMs = 1000;
/** Every vantage point has answered by then, or never will. */
const roundMaxMs = answerDeadlineMs + 100;

/** A round that failed faster than this has seen one moment only. */
const momentMs = 500;

invariant(roundMaxMs < roundEveryMs, 'one round at a time');
invariant(momentMs < settleMs, 'a round that needs no confirmation has spanned some time');

interface Suspicion {
  readonly sinceMs: number;
  finding: Finding;
  round: Round | undefined;
  /** The round that failed at once is probed again (P6). */
  isConfirming: boolean;
  number: number;
  nextRoundMs: number;
  timer: Timer | undefined;
}

export interface Suspicions {
  finding(cluster: ClusterName): Finding;
  /** Monotonic; undefined when the cluster is not suspected. */
  sinceMs(cluster: ClusterName): number | undefined;
  suspect(cluster: ClusterName): void;
  clear(cluster: ClusterName): void;
  /** Opens the rounds that are due. */
  tick(): void;
  stop(): void;
}

export function createSuspicions(options: {
  readonly targets: (cluster: ClusterName) => readonly ProbeTarget[];
  /** Those that should probe this cluster; the coordinator included. */
  readonly vantages: (cluster: ClusterName, targets: readonly ProbeTarget[]) => readonly Vantage[];
  readonly suspectsItself: (cluster: ClusterName) => boolean;
  readonly onFinding: (cluster: ClusterName) => void;
  readonly reach: Reach;
  readonly probing: Probing;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
}): Suspicions {
  const { targets, vantages, suspectsItself, onFinding, reach, probing, clock, log, metrics } =
    options;
  const suspicions = new Map<ClusterName, Suspicion>();
  let rounds = 0;

  const suspect = (cluster: ClusterName): void => {
    if (suspicions.has(cluster)) return;
    const nowMs = clock.monotonicMs();
    suspicions.set(cluster, {
      sinceMs: nowMs,
      finding: { kind: 'undecided' },
      round: undefined,
      isConfirming: false,
      number: 0,
      nextRoundMs: nowMs,
      timer: undefined,
    });
    openDue(cluster);
  };

  const clear = (cluster: ClusterName): void => {
    const suspicion = suspicions.get(cluster);
    if (suspicion === undefined) return;
    suspicion.timer?.cancel();
    if (suspicion.round !== undefined) rounds -= 1;
    suspicions.delete(cluster);
  };

  const openDue = (cluster: ClusterName): void => {
    const suspicion = suspicions.get(cluster);
    const nowMs = clock.monotonicMs();
    if (suspicion === undefined || suspicion.round !== undefined) return;
    if (nowMs < suspicion.nextRoundMs || rounds >= roundsMax) return;
    suspicion.nextRoundMs = nowMs + roundEveryMs;
    const probed = targets(cluster);
    if (probed.length === 0) {
      report(cluster, suspicion, { kind: 'unprovable' });
      return;
    }
    suspicion.number += 1;
    const asked = vantages(cluster, probed);
    const { number } = suspicion;
    suspicion.round = openRound({ cluster, number, nowMs, targets: probed, vantages: asked });
    rounds += 1;
    for (const vantage of asked) void ask(cluster, suspicion, number, vantage);
    suspicion.timer = clock.after(roundMaxMs, () => conclude(cluster, suspicion, true));
  };

  const ask = async (
    cluster: ClusterName,
    suspicion: Suspicion,
    number: number,
    vantage: Vantage,
  ): Promise<void> => {
    const results = await probing.run({ cluster, vantage, targets: targetsOf(suspicion) });
    if (suspicions.get(cluster) !== suspicion || suspicion.round?.number !== number) return;
    learnFrom(suspicion.round, vantage, results ?? []);
    suspicion.round = foldAnswer(suspicion.round, vantage.id, results);
    const isOver = clock.monotonicMs() - suspicion.round.startedMs >= roundMaxMs;
    conclude(cluster, suspicion, isOver);
  };

  const learnFrom = (round: Round, { id }: Vantage, results: readonly ProbeResult[]): void => {
    for (const { target, reachedAgoMs } of results) {
      if (reachedAgoMs === undefined) continue;
      const known = { vantageId: id, lastOkMs: round.startedMs - reachedAgoMs };
      reach.learn(round.cluster, toTargetKey(target), known);
    }
  };

  const conclude = (cluster: ClusterName, suspicion: Suspicion, isOver: boolean): void => {
    const { round } = suspicion;
    if (round === undefined || suspicions.get(cluster) !== suspicion) return;
    const isReached = findSuccess(round) !== undefined;
    if (!isReached && !isOver && !isAnswered(round)) return;
    if (isMoment(suspicion, round)) {
      suspicion.isConfirming = true;
      close(suspicion);
      suspicion.nextRoundMs = round.startedMs + settleMs;
      suspicion.timer = clock.after(suspicion.nextRoundMs - clock.monotonicMs(), () =>
        openDue(cluster),
      );
      return;
    }
    const settlesInMs = suspicion.sinceMs + settleMs - clock.monotonicMs();
    if (!isReached && settlesInMs > 0) {
      suspicion.timer?.cancel();
      suspicion.timer = clock.after(settlesInMs, () => conclude(cluster, suspicion, isOver)); // P5
      return;
    }
    suspicion.isConfirming = false;
    close(suspicion);
    const finding = believe(round);
    remember(round);
    report(cluster, suspicion, finding);
  };

  const close = (suspicion: Suspicion): void => {
    suspicion.timer?.cancel();
    suspicion.timer = undefined;
    suspicion.round = undefined;
    rounds -= 1;
  };

  /** P6. A cluster that is known to be dead needs no second look. */
  const isMoment = (suspicion: Suspicion, round: Round): boolean => {
    if (suspicion.isConfirming || suspicion.finding.kind === 'failed') return false;
    if (clock.monotonicMs() - round.startedMs >= momentMs) return false;
    const rules = { suspectsItself: suspectsItself(round.cluster) };
    return concludeRound(round, reach, rules).kind === 'failed';
  };

  /** The round's finding, unless the audit objects. */
  const believe = (round: Round): Finding => {
    const rules = { suspectsItself: suspectsItself(round.cluster) };
    const finding = concludeRound(round, reach, rules);
    if (finding.kind !== 'failed') return finding;
    const doubt = doubtDeath(round, rules);
    if (doubt === undefined) return finding;
    log.error('withdrawal of a cluster refused by audit', { cluster: round.cluster, doubt });
    metrics.count('mesh_health_audit_refusals_total');
    return { kind: 'undecided' };
  };

  const remember = (round: Round): void => {
    for (const [vantageId, results] of round.answers) {
      for (const { target, ok } of results) {
        const nowMs = round.startedMs;
        reach.record(round.cluster, toTargetKey(target), { vantageId, ok, nowMs });
      }
    }
  };

  const report = (cluster: ClusterName, suspicion: Suspicion, finding: Finding): void => {
    suspicion.finding = finding;
    metrics.count('mesh_health_findings_total', { kind: finding.kind });
    onFinding(cluster);
  };

  return {
    finding: (cluster) => suspicions.get(cluster)?.finding ?? { kind: 'undecided' },
    sinceMs: (cluster) => suspicions.get(cluster)?.sinceMs,
    suspect,
    clear,
    tick: () => {
      for (const cluster of suspicions.keys()) openDue(cluster);
    },
    stop: () => {
      for (const cluster of suspicions.keys()) clear(cluster);
    },
  };
}

function targetsOf(suspicion: Suspicion): readonly ProbeTarget[] {
  return suspicion.round?.targets ?? [];
}
