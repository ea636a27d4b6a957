// The life of one member cluster, as the coordinator may believe it: a state machine.
// Input: what is known now (silence, freshness of its API, what the probes found).
// Output: the next verdict. It never withdraws by itself; shards follow the verdict.
//
//   C1. Silence alone is never death (I3): `dead` needs the finding `failed`.
//   C2. Stale telemetry with a live Session is never silence.
//   C3. Until a cluster was heard of since our own start, its recorded life stands, except that
//       a recorded live one may fall silent.
//   C4. `dead` ends by a proof of life with a fresh report, or by a probe that reached it.
// Next: step-suspicion.ts (findings), step-shard.ts (what follows for shards).

import type { ClusterLife, ClusterVerdict } from '../../common/model/health.ts';
import type { ClusterName } from '../../common/model/ids.ts';

/** What the probes of a suspicion have shown so far. */
export type Finding =
  | { readonly kind: 'undecided' }
  | { readonly kind: 'reached'; readonly by: string }
  | { readonly kind: 'failed'; readonly by: readonly string[] }
  | { readonly kind: 'unprovable' }
  /** Probes failed, but too many clusters went silent at once to believe ourselves. */
  | { readonly kind: 'held' };

export interface ClusterFacts {
  /** No proof of life for as long as silence takes, our own lag taken off. */
  readonly isSilent: boolean;
  /** A proof of life came since our own start. */
  readonly isHeard: boolean;
  readonly isTelemetryFresh: boolean;
  readonly isApiFresh: boolean;
  /** Both reports are known complete in the agent's current life. */
  readonly isReportFresh: boolean;
  readonly finding: Finding;
  readonly lastProofOfLifeMs: number | undefined;
  /** Wall clock. */
  readonly nowMs: number;
}

/** The verdict on a cluster before anything is known of it. */
export function pendingCluster(cluster: ClusterName, nowMs: number): ClusterVerdict {
  return {
    cluster,
    life: 'pending',
    telemetry: 'stale',
    reason: 'NeverReported',
    message: 'The agent has not been heard of yet.',
    sinceMs: nowMs,
    lastProofOfLifeMs: undefined,
  };
}

export function stepCluster(verdict: ClusterVerdict, facts: ClusterFacts): ClusterVerdict {
  const life = nextLife(verdict.life, facts);
  const said = describe(life, verdict, facts);
  return {
    cluster: verdict.cluster,
    life,
    telemetry: facts.isTelemetryFresh ? 'fresh' : 'stale',
    reason: said.reason,
    message: said.message,
    sinceMs: life === verdict.life ? verdict.sinceMs : facts.nowMs,
    lastProofOfLifeMs: facts.lastProofOfLifeMs ?? verdict.lastProofOfLifeMs,
  };
}

function nextLife(life: ClusterLife, facts: ClusterFacts): ClusterLife {
  if (!facts.isHeard) return nextUnheard(life, facts); // C3
  if (life === 'dead') return nextDead(facts);
  if (!facts.isSilent && facts.isApiFresh) return 'live';
  if (facts.finding.kind === 'failed') return 'dead'; // C1
  return facts.isSilent ? 'silent' : 'apiStale';
}

function nextUnheard(life: ClusterLife, facts: ClusterFacts): ClusterLife {
  if (life === 'pending') return 'pending';
  if (life === 'dead') return facts.finding.kind === 'reached' ? 'silent' : 'dead';
  if (!facts.isSilent) return life;
  return facts.finding.kind === 'failed' ? 'dead' : 'silent';
}

function nextDead(facts: ClusterFacts): ClusterLife {
  if (!facts.isSilent && facts.isApiFresh && facts.isReportFresh) return 'live'; // C4
  if (facts.finding.kind !== 'reached') return 'dead';
  if (facts.isSilent) return 'silent';
  return facts.isApiFresh ? 'live' : 'apiStale';
}

function describe(
  life: ClusterLife,
  verdict: ClusterVerdict,
  facts: ClusterFacts,
): { readonly reason: string; readonly message: string } {
  switch (life) {
    case 'pending':
      return { reason: verdict.reason, message: verdict.message };
    case 'live':
      if (!facts.isHeard) return { reason: verdict.reason, message: verdict.message };
      return { reason: 'ClusterReady', message: 'The agent reports and its API server answers.' };
    case 'silent':
      return describeSilence(facts.finding);
    case 'apiStale':
      return {
        reason: 'ApiStale',
        message: `The agent lives, its API server does not answer. ${sayFinding(facts.finding)}`,
      };
    case 'dead':
      // Who failed may differ from round to round; the first answer stands.
      if (facts.finding.kind === 'failed' && verdict.life !== 'dead') {
        const by = facts.finding.by.join(', ');
        const message = `No proof of life, and probes of its addresses failed from ${by}.`;
        return { reason: 'ClusterDead', message };
      }
      return { reason: 'ClusterDead', message: verdict.message };
  }
}

function describeSilence(finding: Finding): { readonly reason: string; readonly message: string } {
  const message = `No proof of life. ${sayFinding(finding)}`;
  switch (finding.kind) {
    case 'unprovable':
      return { reason: 'Unprovable', message };
    case 'held':
      return { reason: 'WithdrawalHeld', message };
    case 'undecided':
    case 'reached':
    case 'failed':
      return { reason: 'AgentSilent', message };
  }
}

function sayFinding(finding: Finding): string {
  switch (finding.kind) {
    case 'undecided':
      return 'Its addresses are being probed.';
    case 'reached':
      return 'Its addresses answer probes, so its shards stay in DNS.';
    case 'failed':
      return 'Probes of its addresses failed.';
    case 'unprovable':
      return 'Too few vantage points reached its addresses lately to prove anything.';
    case 'held':
      return 'Many clusters fell silent at once, so the coordinator suspects itself.';
  }
}
