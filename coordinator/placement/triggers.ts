// What wakes which Service. A change of one object touches the Services that it names; a Cluster
// that comes or goes touches all of them once, in turns; one that changes its labels or taints those
// that this says something to (sweep.ts, plan-concerns.ts).

import { isthmusGroup, type Cluster } from '../../common/model/isthmus-kinds.ts';
import {
  splitLogKey,
  toClusterName,
  toLogPrefix,
  toServiceKey,
  type ClusterName,
  type LogKey,
  type Revision,
  type ServiceKey,
} from '../../common/model/ids.ts';
import type { KubeObject } from '../../common/model/kube-object.ts';
import { isSameJson } from '../../common/pure/canonical-json.ts';
import { isStranger } from '../../common/pure/cluster-approval.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import type { Loop } from '../../common/runtime/loop.ts';
import { follow, followNew, type Desired, type ViewEvent } from '../desired/store.ts';
import { clustersPrefix, type ClusterList } from './cluster-list.ts';
import type { Due, PlacementTable } from './fold.ts';
import type { PendingRevisions } from './pending.ts';
import { policiesPrefix, policyTarget, type PolicyIndex } from './policy-index.ts';
import { isLeaving } from './plan.ts';
import type { ClusterChange } from './plan-concerns.ts';
import { dnsAppliedPrefix, dnsZonesPrefix } from './published.ts';
import { placementsPrefix, removalOrdersPrefix, toRemovalOrder } from './records.ts';
import { Sweep } from './sweep.ts';

const servicesPrefix = toLogPrefix('', 'services');
const publicationsPrefix = toLogPrefix(isthmusGroup, 'publications');

export interface TriggerOptions {
  readonly desired: Desired;
  readonly clock: Clock;
  readonly clusters: ClusterList;
  readonly policies: PolicyIndex;
  readonly table: PlacementTable;
  readonly pending: PendingRevisions;
  readonly loop: Loop<ServiceKey>;
  readonly unjoin: Loop<ClusterName>;
  readonly tell: (due: readonly Due[]) => void;
}

/** Marks what is there, then what changes; returns what ends that. */
export function watchTriggers(options: TriggerOptions): readonly (() => void)[] {
  const { desired, clusters, policies, table, pending, loop, unjoin, tell } = options;
  const mark = (key: ServiceKey, revision: Revision): void => {
    pending.expect(key, revision);
    loop.mark(key);
  };
  const sweep = new Sweep(options, mark);
  const onOrder = ({ kind, current }: ViewEvent): void => {
    const order = toRemovalOrder(current);
    table.order(order, kind === 'deleted' ? undefined : order);
    tell([order]);
    if (kind === 'deleted') loop.mark(order.key); // a delete may have waited for it
  };
  const onService = ({ kind, current }: ViewEvent): void => {
    const key = serviceKeyOf(current.object);
    if (kind === 'deleted') sweep.services.delete(key);
    else sweep.services.add(key);
    mark(key, current.revision);
  };
  const onPolicy = (event: ViewEvent): void => {
    const { current, previous } = event;
    policies.fold(event);
    for (const object of [current.object, previous?.object]) {
      const key = policyTarget(object);
      if (key !== undefined) mark(key, current.revision);
    }
  };
  const onCluster = ({ kind, current, previous }: ViewEvent): void => {
    clusters.invalidate();
    const name = toClusterName(current.object.metadata.name);
    unjoin.mark(name);
    if (kind === 'modified' && isSameToPlacement(current.object, previous?.object)) return;
    clusters.change();
    for (const { key } of table.removalsOf(name)) mark(key, current.revision);
    sweep.request(current.revision, kind === 'modified' ? toChange(current, previous) : undefined);
  };
  const onPublication = ({ kind, current }: ViewEvent): void => {
    const key = publishedKey(current.key);
    if (kind === 'deleted' || table.isMoving(key)) loop.mark(key);
  };
  clusters.invalidate();
  policies.load(desired);
  for (const name of clusters.read().names) unjoin.mark(name);
  // A Service, or a Cluster, may have gone just before the last life ended: records remember.
  for (const { object, revision } of desired.list(placementsPrefix))
    mark(serviceKeyOf(object), revision);
  for (const stored of desired.list(removalOrdersPrefix))
    mark(toRemovalOrder(stored).key, stored.revision);
  const watches = [
    follow(desired, removalOrdersPrefix, onOrder),
    follow(desired, servicesPrefix, onService),
    followNew(desired, policiesPrefix, onPolicy),
    followNew(desired, clustersPrefix, onCluster),
    followNew(desired, publicationsPrefix, onPublication),
    // What a provider has taken out is what a shard that leaves waits for.
    followNew(desired, dnsAppliedPrefix, onPublication),
    followNew(desired, dnsZonesPrefix, ({ kind, current }) => {
      if (kind === 'deleted') sweep.request(current.revision);
    }),
  ];
  return [...watches.map((watch) => () => watch.cancel()), () => sweep.stop()];
}

function serviceKeyOf({ metadata }: KubeObject): ServiceKey {
  return toServiceKey({ namespace: metadata.namespace ?? '', name: metadata.name });
}

function toChange(
  current: ViewEvent['current'],
  previous: ViewEvent['previous'],
): ClusterChange | undefined {
  const [before, after] = [previous?.object as Cluster | undefined, current.object as Cluster];
  // By their prefix. One that leaves, or is let in, is another matter than what it says of itself.
  const isSameMember =
    before !== undefined &&
    isLeaving(before) === isLeaving(after) &&
    isStranger(before.status) === isStranger(after.status);
  return isSameMember ? { before, after } : undefined;
}

/** Publications are named `<service>.<domain>`, and a Service's name has no dot. */
function publishedKey(at: LogKey): ServiceKey {
  const { namespace, name } = splitLogKey(at);
  return toServiceKey({ namespace, name: name.split('.', 1)[0] ?? name });
}

/** Whether nothing changed that decides who gets a shard, or loses it. */
function isSameToPlacement(a: KubeObject, b: KubeObject | undefined): boolean {
  return b !== undefined && isSameJson(whatDecides(a), whatDecides(b));
}

function whatDecides(object: KubeObject): unknown {
  const { labels = {}, deletionTimestamp, finalizers = [] } = object.metadata;
  const { spec, status } = object as Cluster; // by its log key
  const { unschedulable, taints } = spec ?? {};
  const isOrphaning = finalizers.includes('orphan');
  const isOut = isStranger(status);
  return { labels, deletionTimestamp, isOrphaning, unschedulable, taints, isOut };
}
