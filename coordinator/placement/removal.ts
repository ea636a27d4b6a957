// The end of a shard, and of a Service, as writes to the log: an order that was obeyed is deleted,
// and a Service that is being deleted loses our finalizers once ./finalize.ts says so.

import { isthmusGroup } from '../../common/model/isthmus-kinds.ts';
import {
  splitServiceKey,
  toLogPrefix,
  toRevision,
  type ClusterName,
  type Revision,
  type ServiceKey,
} from '../../common/model/ids.ts';
import type { Service } from '../../common/model/kube-object.ts';
import type { RemovalOrder } from '../../common/model/shard.ts';
import type { TermGuard } from '../../common/model/views.ts';
import { MeshError } from '../../common/pure/errors.ts';
import { parseTimestamp, type Clock } from '../../common/runtime/clock.ts';
import type { Log } from '../../common/runtime/log.ts';
import type { Desired, DesiredOutcome, DesiredWrite, StoredObject } from '../desired/store.ts';
import { planFinalize, withoutOurFinalizers, type FinalizeDecision } from './finalize.ts';
import { removalOrderKey, removalOrdersOf, toRemovalObject, toRemovalOrder } from './records.ts';

export interface WriterPorts {
  readonly desired: Desired;
  readonly term: TermGuard;
}

/**
 * I12: a write under the holder's term. Nothing of `standing` may have changed since it was read, or
 * it is a conflict. Throws MeshError fatal FENCED when the term is another's.
 */
export async function writeGuarded(
  { desired, term }: WriterPorts,
  request: Omit<DesiredWrite, 'guard' | 'guards' | 'fence'>,
  standing: readonly Pick<StoredObject, 'key' | 'revision'>[] = [],
): Promise<Exclude<DesiredOutcome, { readonly kind: 'fenced' }>> {
  const fence = term.guard();
  const guards = standing.map(({ key, revision }) => ({ key, revision }));
  const outcome = await desired.write({ ...request, guards, fence });
  if (outcome.kind !== 'fenced') return outcome;
  const holds = desired.get(fence.key)?.revision === fence.revision;
  if (standing.length > 0 && holds) return { kind: 'conflict', current: outcome.current };
  throw new MeshError('fatal', 'FENCED', 'another replica holds the term now');
}

/** Lets the Service go when nothing holds it any more; 'conflict' when it was edited meanwhile. */
export async function finalize(
  ports: WriterPorts & {
    readonly clock: Clock;
    readonly isReachable: (cluster: ClusterName) => boolean;
  },
  key: ServiceKey,
  stored: StoredObject,
): Promise<FinalizeDecision | { readonly kind: 'conflict' }> {
  const { desired, clock, isReachable } = ports;
  const service = stored.object as Service; // by its log key
  const { namespace, name } = splitServiceKey(key);
  const published = desired.list(`${toLogPrefix(isthmusGroup, 'publications', namespace)}${name}.`);
  const decision = planFinalize({
    orders: [...desired.list(removalOrdersOf(key))].map(toRemovalOrder),
    isPublished: [...published].length > 0,
    isReachable,
    elapsedMs: sinceDeletion(service, clock),
  });
  if (decision.kind === 'wait') return decision;
  const finalizers = withoutOurFinalizers(service.metadata.finalizers);
  const isOursGone = finalizers.length === (service.metadata.finalizers ?? []).length;
  if (isOursGone && finalizers.length > 0) return decision;
  const object =
    finalizers.length === 0
      ? undefined
      : { ...service, metadata: { ...service.metadata, finalizers } };
  const outcome = await writeGuarded(ports, { key: stored.key, object, expected: stored.revision });
  return outcome.kind === 'conflict' ? { kind: 'conflict' } : decision;
}

export function sinceDeletion({ metadata }: Service, clock: Clock): number {
  return clock.now() - (parseTimestamp(metadata.deletionTimestamp) ?? clock.now());
}

/** Writes the order over whatever stands; false when another write was faster. */
export async function orderAway(
  ports: WriterPorts & { readonly log: Log },
  { cluster, key, mode }: Omit<RemovalOrder, 'revision'>,
): Promise<boolean> {
  const at = removalOrderKey(cluster, key);
  const stored = ports.desired.get(at);
  if (stored !== undefined && toRemovalOrder(stored).mode === mode) return true;
  const expected = stored?.revision ?? toRevision(0);
  const object = toRemovalObject(cluster, key, mode);
  const outcome = await writeGuarded(ports, { key: at, object, expected });
  if (outcome.kind === 'conflict') return false;
  ports.log.info('unclaimed shard ordered away', { cluster, service: key, mode });
  return true;
}

/** Deletes the order that was obeyed; a newer one for the same shard stays. */
export async function acknowledge(
  ports: WriterPorts & { readonly log: Log },
  order: { readonly cluster: ClusterName; readonly key: ServiceKey; readonly revision: Revision },
): Promise<void> {
  const key = removalOrderKey(order.cluster, order.key);
  if (ports.desired.get(key)?.revision !== order.revision) return;
  const outcome = await writeGuarded(ports, { key, object: undefined, expected: order.revision });
  if (outcome.kind === 'conflict') return;
  ports.log.info('removal acknowledged', { cluster: order.cluster, service: order.key });
}
