// Events about the shards of one Service: what each agent did, and each change of health.
// Input: what was last told, the shards now. Output: events in the order of clusters, and what is
// told then.
//
//   U10. The first sight of a shard tells nothing of its health: only a change is news.

import type { ClusterName } from '../../common/model/ids.ts';
import type { TransitionEvent } from './plan-cluster.ts';
import type { ShardFacts } from './plan-service.ts';

interface Told {
  readonly health: string | undefined;
  readonly result: string;
}

export type ShardMemory = ReadonlyMap<ClusterName, Told>;

export function planShardEvents(
  memory: ShardMemory,
  shards: readonly ShardFacts[],
): { readonly events: readonly TransitionEvent[]; readonly next: ShardMemory } {
  const events: TransitionEvent[] = [];
  const next = new Map<ClusterName, Told>();
  for (const shard of shards) {
    const before = memory.get(shard.cluster);
    const told: Told = { health: healthOf(shard, before), result: resultOf(shard) };
    next.set(shard.cluster, told);
    if (told.result !== (before?.result ?? '')) events.push(...sayResult(shard));
    if (before !== undefined && told.health !== before.health) events.push(...sayHealth(shard));
  }
  return { events, next };
}

/** Being held down is no news: the shard left before, and will return. */
function healthOf({ verdict }: ShardFacts, before: Told | undefined): string | undefined {
  if (verdict === undefined || verdict.state === 'heldDown') return before?.health;
  return verdict.state;
}

function resultOf({ result }: ShardFacts): string {
  if (result === undefined) return '';
  const isPlain = result.outcome === 'applied' && result.adopted !== true;
  return isPlain ? '' : `${result.outcome}/${result.reason}/${result.message}`;
}

function sayResult({ cluster, result }: ShardFacts): readonly TransitionEvent[] {
  if (result === undefined) return [];
  if (result.outcome === 'applied' && result.adopted === true) {
    const message = `${cluster}: the Service that was there has been adopted.`;
    return [{ type: 'Normal', reason: 'ShardAdopted', message }];
  }
  if (result.outcome !== 'refused' && result.outcome !== 'failed') return [];
  const reason = result.outcome === 'refused' ? 'ShardRefused' : 'ShardFailed';
  const message = `${cluster}: ${result.reason} ${result.message}`.trim();
  return [{ type: 'Warning', reason, message }];
}

function sayHealth({ cluster, verdict }: ShardFacts): readonly TransitionEvent[] {
  if (verdict === undefined) return [];
  const message = `${cluster}: ${verdict.message || verdict.reason}`;
  switch (verdict.state) {
    case 'healthy':
      return [{ type: 'Normal', reason: 'ShardHealthy', message }];
    case 'notReady':
    case 'noAddress':
      return [{ type: 'Normal', reason: 'ShardNotReady', message }];
    case 'dead':
      return [{ type: 'Warning', reason: 'ShardWithdrawn', message }];
    case 'heldDown':
    case 'pending':
      return [];
  }
}
