// Conditions of a ServiceShard: what its agent did with it, and how it is.
// Input: what is known of the shard, its conditions before. Output: its conditions now.
//
//   C1. Applied has the reason that the agent gave, each cause of a refusal its own, and says the
//       way out; Unknown while the agent has not answered for what is wanted now.
//   C2. Adopted is there only on a shard that was somebody's Service before.

import type { Condition } from '../../common/model/kube-object.ts';
import { planConditions, type Said } from '../../common/pure/conditions.ts';
import { isApplied, isRefused, type ShardFacts } from './plan-service.ts';

export function planShardConditions(
  shard: Omit<ShardFacts, 'conditions'>,
  before: readonly Condition[],
  nowText: string,
): readonly Condition[] {
  const said = [sayApplied(shard), sayHealthy(shard), ...sayAdopted(shard)];
  const ours = new Set(said.map(({ type }) => type));
  return planConditions(
    before.filter(({ type }) => ours.has(type)),
    said,
    nowText,
  );
}

type Facts = Omit<ShardFacts, 'conditions'>;

function sayApplied(shard: Facts): Said {
  const type = 'Applied';
  const { result, isConnected } = shard;
  if (result !== undefined && isApplied(shard)) {
    return { type, status: 'True', reason: result.reason || 'Applied', message: result.message };
  }
  if (result !== undefined && isRefused(shard)) {
    return { type, status: 'False', reason: result.reason || 'Refused', message: result.message };
  }
  return isConnected
    ? {
        type,
        status: 'Unknown',
        reason: 'Applying',
        message: 'The agent has been told and has not answered yet.',
      }
    : {
        type,
        status: 'Unknown',
        reason: 'AgentAway',
        message: 'The agent is away; it gets what is wanted when it returns.',
      };
}

function sayHealthy({ verdict }: Facts): Said {
  const type = 'Healthy';
  if (verdict === undefined || verdict.state === 'pending') {
    const reason = verdict?.reason ?? 'Pending';
    const message = verdict?.message || 'Nothing has been reported of it yet.';
    return { type, status: 'Unknown', reason, message };
  }
  const status = verdict.state === 'healthy' ? 'True' : 'False';
  return { type, status, reason: verdict.reason, message: verdict.message };
}

function sayAdopted({ result }: Facts): readonly Said[] {
  if (result?.adopted !== true) return [];
  const message =
    'A Service that was there before is the shard; a release gives it back as it was.';
  return [{ type: 'Adopted', status: 'True', reason: 'Adopted', message }];
}
