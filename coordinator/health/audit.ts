// Doubts a decision of this stage before it takes effect.
// Input: the round of probes behind a finding, or a verdict and its successor. Output: the
// objection, or undefined. It does not share code with the decision, on purpose.
//
//   I3. Silence is not death: `dead` stands on failed probes.
//   I6. No Service loses its last address on suspicion alone.

import type { ClusterVerdict } from '../../common/model/health.ts';
import type { Round } from './step-suspicion.ts';
import type { Finding } from './step-cluster.ts';

/** Why a finding `failed` must not be believed. */
export function doubtDeath(
  round: Round,
  options: { readonly suspectsItself: boolean },
): string | undefined {
  const failing = new Set<string>();
  for (const [vantageId, results] of round.answers) {
    if (results.some(({ ok }) => ok)) return `${vantageId} reached the cluster`;
    const vantage = round.asked.find(({ id }) => id === vantageId);
    if (vantage === undefined) return `${vantageId} was not asked`;
    if (vantage.cluster === round.cluster) return 'a cluster is no witness of itself';
    if (results.length === 0) continue;
    if (options.suspectsItself && vantage.cluster === undefined) continue;
    failing.add(vantage.egress);
  }
  return failing.size < 2 ? 'fewer than two independent vantage points failed' : undefined;
}

/** Why `after` may not follow `before`. */
export function doubtVerdict(
  before: ClusterVerdict,
  after: ClusterVerdict,
  finding: Finding,
): string | undefined {
  if (after.life !== 'dead' || before.life === 'dead') return undefined;
  return finding.kind === 'failed' ? undefined : 'a cluster is called dead without failed probes';
}
