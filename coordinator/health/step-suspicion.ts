// A suspicion about one cluster: rounds of probes, and what they prove.
// Input: the targets and vantage points of a round, the results as they come in.
// Output: the finding that step-cluster.ts acts on.
//
//   P1. Any success, from anywhere, keeps the cluster.
//   P2. A failure counts only from a vantage point that reached that same ingress lately, as we
//       saw it or as it remembers itself (we may have started a moment ago).
//   P3. `failed` needs at least one provable ingress, and for each provable one counting failures
//       from two independent vantage points; under self-suspicion from two surviving agents in
//       different failure domains.
//   P4. A round is concluded when every vantage point has answered or its time is over; a vantage
//       point that did not answer has proved nothing.
// Next: step-cluster.ts.

import type { ClusterName } from '../../common/model/ids.ts';
import type { ProbeResult, ProbeTarget } from '../../common/model/telemetry.ts';
import { toTargetKey, type Reach } from './fold-reach.ts';
import { countIndependent, countSurvivingDomains, type Vantage } from './plan-vantage.ts';
import type { Finding } from './step-cluster.ts';

export const independentMin = 2;

export interface Round {
  readonly cluster: ClusterName;
  readonly number: number;
  /** Monotonic. */
  readonly startedMs: number;
  readonly targets: readonly ProbeTarget[];
  readonly asked: readonly Vantage[];
  readonly answers: ReadonlyMap<string, readonly ProbeResult[]>;
  /** Vantage points that could not be asked or did not answer. */
  readonly missing: ReadonlySet<string>;
}

export function openRound(opened: {
  readonly cluster: ClusterName;
  readonly number: number;
  readonly nowMs: number;
  readonly targets: readonly ProbeTarget[];
  readonly vantages: readonly Vantage[];
}): Round {
  return {
    cluster: opened.cluster,
    number: opened.number,
    startedMs: opened.nowMs,
    targets: opened.targets,
    asked: opened.vantages,
    answers: new Map(),
    missing: new Set(),
  };
}

/** `results` undefined: the vantage point did not answer. */
export function foldAnswer(
  round: Round,
  vantageId: string,
  results: readonly ProbeResult[] | undefined,
): Round {
  return results === undefined
    ? { ...round, missing: new Set([...round.missing, vantageId]) }
    : { ...round, answers: new Map([...round.answers, [vantageId, results]]) };
}

export function isAnswered(round: Round): boolean {
  return round.asked.every(({ id }) => round.answers.has(id) || round.missing.has(id));
}

export function findSuccess(round: Round): string | undefined {
  for (const [vantageId, results] of round.answers) {
    if (results.some(({ ok }) => ok)) return vantageId;
  }
  return undefined;
}

/** What a concluded round proves (P4). */
export function concludeRound(
  round: Round,
  reach: Reach,
  options: { readonly suspectsItself: boolean },
): Finding {
  const by = findSuccess(round);
  if (by !== undefined) return { kind: 'reached', by }; // P1
  const counted = options.suspectsItself ? countSurvivingDomains : countIndependent;
  const provable = round.targets.filter(
    (target) => counted(countingVantages(round, reach, target)) >= independentMin,
  );
  if (provable.length === 0) {
    return options.suspectsItself ? { kind: 'held' } : { kind: 'unprovable' };
  }
  const failedBy = new Set<string>();
  for (const target of provable) {
    const failed = countingFailures(round, reach, target);
    if (counted(failed) < independentMin) {
      return options.suspectsItself ? { kind: 'held' } : { kind: 'undecided' };
    }
    for (const { id } of failed) failedBy.add(id);
  }
  return { kind: 'failed', by: [...failedBy].sort() };
}

/** P2. */
export function countingVantages(
  round: Round,
  reach: Reach,
  target: ProbeTarget,
): readonly Vantage[] {
  const key = toTargetKey(target);
  return round.asked.filter(({ id }) =>
    reach.counts(round.cluster, key, { vantageId: id, nowMs: round.startedMs }),
  );
}

export function countingFailures(
  round: Round,
  reach: Reach,
  target: ProbeTarget,
): readonly Vantage[] {
  const key = toTargetKey(target);
  return countingVantages(round, reach, target).filter(({ id }) =>
    (round.answers.get(id) ?? []).some(
      (result) =>
        !result.ok && result.reason !== 'NotAllowed' && toTargetKey(result.target) === key,
    ),
  );
}
