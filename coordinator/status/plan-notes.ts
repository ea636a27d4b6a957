// What placement has to tell of one Service, as conditions of the Service and of its policies.
// Input: the notes of placement, the shards. Output: conditions; those of moves and overrides are
// there only while there is a move, or an override.

import type { ServicePolicy } from '../../common/model/isthmus-kinds.ts';
import type { PlacementNotes, ShardMove } from '../../common/model/views.ts';
import type { Said } from '../../common/pure/conditions.ts';

/** Conditions that go when there is nothing to say. */
export const passingConditions: ReadonlySet<string> = new Set(['Moving', 'OverridesApplied']);

/** At most this many clusters are named in one message. */
const namedMax = 5;

export function sayMoving(notes: PlacementNotes | undefined): readonly Said[] {
  const moves = notes?.moves ?? [];
  const [first] = moves;
  if (first === undefined) return [];
  const stalled = moves.filter(({ isStalled }) => isStalled);
  const waiting = moves.filter(({ isDrained }) => !isDrained);
  const shown = stalled[0] ?? waiting[0] ?? first;
  const reason =
    stalled.length > 0 ? 'MoveStalled' : waiting.length > 0 ? 'AwaitingHealthy' : 'LeavingDNS';
  const others = moves.length > 1 ? ` So do ${moves.length - 1} more clusters.` : '';
  return [{ type: 'Moving', status: 'True', reason, message: `${describeMove(shown)}${others}` }];
}

function describeMove({ cluster, awaits, isDrained, isStalled }: ShardMove): string {
  if (isDrained) return `${cluster} has left DNS, and gives up its shard one TTL later.`;
  const whom = awaits.length === 0 ? 'another shard is' : `${names(awaits)} is`;
  const kept = `${cluster} keeps its shard and its place in DNS until ${whom} healthy`;
  return isStalled
    ? `${kept}, which takes longer than expected. To go on without: set spec.move.strategy of ` +
        'the ServicePolicy to AtOnce.'
    : `${kept}.`;
}

export function sayOverrides(notes: PlacementNotes | undefined): readonly Said[] {
  if (notes?.hasOverrides !== true) return [];
  const type = 'OverridesApplied';
  const { policy = '', failures } = notes;
  const [first] = failures;
  if (first === undefined) {
    const message = `The overrides of ServicePolicy ${policy} fit the Service.`;
    return [{ type, status: 'True', reason: 'Applied', message }];
  }
  const { cluster, field, message, isThere } = first;
  const outcome = isThere ? 'keeps its last content' : 'gets no shard';
  const others = failures.length > 1 ? ` So it is in ${failures.length - 1} more clusters.` : '';
  const text = `ServicePolicy ${policy}, spec.${field}: ${message}; ${cluster} ${outcome}.${others}`;
  return [{ type, status: 'False', reason: 'OverrideFailed', message: text }];
}

/** The conditions of one policy; `notes` are undefined while its Service is not there. */
export function sayPolicy(
  policy: ServicePolicy,
  notes: PlacementNotes | undefined,
): readonly Said[] {
  const type = 'Accepted';
  const service = policy.spec?.serviceName ?? '';
  if (notes?.policy === undefined) {
    const message = `There is no federated Service ${service} in this namespace.`;
    return [{ type, status: 'False', reason: 'ServiceNotFound', message }];
  }
  if (notes.policy !== policy.metadata.name) {
    const message =
      `ServicePolicy ${notes.policy}, which is older, holds for the Service ${service}; ` +
      'this one counts for nothing. Keep one.';
    return [{ type, status: 'False', reason: 'Overruled', message }];
  }
  const message = `It holds for the Service ${service}.`;
  return [{ type, status: 'True', reason: 'Accepted', message }, ...sayOverrides(notes)];
}

function names(clusters: readonly string[]): string {
  const more = clusters.length - namedMax;
  const shown = clusters.slice(0, namedMax).join(', ');
  return more > 0 ? `${shown} and ${more} more` : shown;
}
