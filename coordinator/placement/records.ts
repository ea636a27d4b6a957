// The two durable records of placement, kept in the log and never served.
//
//   placements/<ns>/<service>               every cluster that may hold a shard of it
//   removalorders/<ns>/<service>.<cluster>  what one cluster is told to give up

import { isthmusApiVersion, isthmusGroup } from '../../common/model/isthmus-kinds.ts';
import {
  splitServiceKey,
  toClusterName,
  toLogKey,
  toLogPrefix,
  toServiceKey,
  type ClusterName,
  type LogKey,
  type ServiceKey,
} from '../../common/model/ids.ts';
import type { KubeObject } from '../../common/model/kube-object.ts';
import type { RemovalOrder } from '../../common/model/shard.ts';
import type { StoredObject } from '../desired/store.ts';

export const placementsPrefix = toLogPrefix(isthmusGroup, 'placements');
export const removalOrdersPrefix = toLogPrefix(isthmusGroup, 'removalorders');

interface PlacementObject extends KubeObject {
  readonly spec: { readonly clusters: readonly string[] };
}

interface RemovalObject extends KubeObject {
  readonly spec: {
    readonly cluster: string;
    readonly service: string;
    readonly mode: RemovalOrder['mode'];
  };
}

export function placementKey(key: ServiceKey): LogKey {
  return toLogKey({ group: isthmusGroup, resource: 'placements', ...splitServiceKey(key) });
}

export function toPlacementObject(key: ServiceKey, clusters: readonly ClusterName[]): KubeObject {
  const metadata = splitServiceKey(key);
  return {
    apiVersion: isthmusApiVersion,
    kind: 'Placement',
    metadata,
    spec: { clusters },
  } as KubeObject;
}

/** Clusters of a record, sorted. */
export function clustersIn(stored: StoredObject | undefined): readonly ClusterName[] {
  return ((stored?.object as PlacementObject | undefined)?.spec.clusters ?? []).map(toClusterName);
}

export function removalOrderKey(cluster: ClusterName, key: ServiceKey): LogKey {
  const { namespace, name } = splitServiceKey(key);
  return toLogKey({
    group: isthmusGroup,
    resource: 'removalorders',
    namespace,
    name: `${name}.${cluster}`,
  });
}

/** Prefix of every order about one Service. Names are DNS labels, so the dot ends the name. */
export function removalOrdersOf(key: ServiceKey): string {
  const { namespace, name } = splitServiceKey(key);
  return `${toLogPrefix(isthmusGroup, 'removalorders', namespace)}${name}.`;
}

export function toRemovalObject(
  cluster: ClusterName,
  key: ServiceKey,
  mode: RemovalOrder['mode'],
): KubeObject {
  const { namespace, name } = splitServiceKey(key);
  return {
    apiVersion: isthmusApiVersion,
    kind: 'RemovalOrder',
    metadata: { namespace, name: `${name}.${cluster}` },
    spec: { cluster, service: name, mode },
  };
}

export function toRemovalOrder({ object, revision }: StoredObject): RemovalOrder {
  const { spec, metadata } = object as RemovalObject;
  return {
    cluster: toClusterName(spec.cluster),
    key: toServiceKey({ namespace: metadata.namespace ?? '', name: spec.service }),
    mode: spec.mode,
    revision,
  };
}
