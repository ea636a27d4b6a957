// The two durable records of placement, kept in the log and never served.
//
//   placements/<ns>/<service>               every cluster that may hold a shard of it, how far those
//                                           are that leave, and contents that overrides cannot replace
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
import type { RemovalOrder, ShardManifest } from '../../common/model/shard.ts';
import { isSameJson, toCanonicalJson } from '../../common/pure/canonical-json.ts';
import type { StoredObject } from '../desired/store.ts';
import type { Leaving, LeavingClusters } from './plan-moves.ts';

export const placementsPrefix = toLogPrefix(isthmusGroup, 'placements');
export const removalOrdersPrefix = toLogPrefix(isthmusGroup, 'removalorders');

export interface PlacementRecord {
  /** Sorted. */
  readonly clusters: readonly ClusterName[];
  readonly leaving: LeavingClusters;
  /** The last good content of shards whose overrides cannot be done. */
  readonly kept: ReadonlyMap<ClusterName, ShardManifest>;
}

export const emptyRecord: PlacementRecord = { clusters: [], leaving: new Map(), kept: new Map() };

interface PlacementObject extends KubeObject {
  readonly spec: {
    readonly clusters: readonly string[];
    readonly leaving?: readonly (Leaving & { readonly cluster: string })[];
    readonly kept?: readonly {
      readonly clusters: readonly string[];
      readonly manifest: ShardManifest;
    }[];
  };
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

export function toPlacementObject(key: ServiceKey, record: PlacementRecord): KubeObject {
  const { clusters } = record;
  const leaving = [...record.leaving].map(([cluster, how]) => ({ cluster, ...how }));
  const kept = groupKept(record.kept);
  const spec: PlacementObject['spec'] = {
    clusters,
    ...(leaving.length === 0 ? {} : { leaving }),
    ...(kept.length === 0 ? {} : { kept }),
  };
  const metadata = splitServiceKey(key);
  return { apiVersion: isthmusApiVersion, kind: 'Placement', metadata, spec };
}

/** Clusters with one content share it. */
function groupKept(kept: PlacementRecord['kept']): NonNullable<PlacementObject['spec']['kept']> {
  const groups = new Map<string, { clusters: ClusterName[]; manifest: ShardManifest }>();
  for (const [cluster, manifest] of kept) {
    const text = toCanonicalJson(manifest);
    const group = groups.get(text) ?? { clusters: [], manifest };
    group.clusters.push(cluster);
    groups.set(text, group);
  }
  return [...groups.values()];
}

export function readRecord(stored: StoredObject | undefined): PlacementRecord {
  const spec = (stored?.object as PlacementObject | undefined)?.spec; // by its log key
  if (spec === undefined) return emptyRecord;
  return {
    clusters: spec.clusters.map(toClusterName),
    leaving: new Map(
      (spec.leaving ?? []).map(({ cluster, ...how }) => [toClusterName(cluster), how]),
    ),
    kept: new Map(
      (spec.kept ?? []).flatMap(({ clusters, manifest }) =>
        clusters.map((cluster) => [toClusterName(cluster), manifest] as const),
      ),
    ),
  };
}

/** Whether both say the same. */
export function isSameRecord(a: PlacementRecord, b: PlacementRecord): boolean {
  return (
    a.clusters.join() === b.clusters.join() &&
    isSameJson([...a.leaving], [...b.leaving]) &&
    isSameJson([...a.kept], [...b.kept])
  );
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
