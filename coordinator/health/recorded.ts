// What the log says of health before anybody has reported: the verdicts at which the last holder
// stood. A restart starts from them, so that it changes nothing in DNS.
// Input: Clusters, publications, Services. Output: a verdict for each of them.

import type { ClusterVerdict, ShardVerdict } from '../../common/model/health.ts';
import type { ClusterName } from '../../common/model/ids.ts';
import { isthmusGroup, type Cluster } from '../../common/model/isthmus-kinds.ts';
import type { KubeObject, Service, ServicePort } from '../../common/model/kube-object.ts';
import { splitServiceKey, toLogKey, toLogPrefix } from '../../common/model/ids.ts';
import type { Publication, PublishedShard } from '../../common/model/publication.ts';
import { parseTimestamp } from '../../common/runtime/clock.ts';
import type { Desired } from '../desired/store.ts';
import { pendingCluster } from './step-cluster.ts';
import { recordedShard, type ShardDamping } from './step-shard.ts';

/** The life that the Cluster's Ready condition recorded. */
export function recordedCluster(
  name: ClusterName,
  cluster: Cluster,
  nowMs: number,
): ClusterVerdict {
  const pending = pendingCluster(name, nowMs);
  const ready = cluster.status?.conditions?.find(({ type }) => type === 'Ready');
  if (ready === undefined || ready.reason === pending.reason) return pending;
  const life =
    ready.status === 'True' ? 'live' : ready.reason === 'ClusterDead' ? 'dead' : 'silent';
  return {
    ...pending,
    life,
    reason: ready.reason,
    message: ready.message,
    sinceMs: parseTimestamp(ready.lastTransitionTime) ?? nowMs,
  };
}

export interface RecordedShard {
  readonly verdict: ShardVerdict;
  readonly damping: ShardDamping;
}

/**
 * Every shard that a publication in the log speaks of, once: zones know different addresses of it,
 * since a private one carries what a public one must not.
 */
export function* recordedShards(desired: Desired, nowMonotonicMs: number): Iterable<RecordedShard> {
  for (const publications of byService(desired)) {
    const [first] = publications;
    const ports = portsOf(desired, first);
    const shards = new Map<ClusterName, PublishedShard>();
    for (const shard of publications.flatMap((publication) => publication.shards)) {
      const known = shards.get(shard.cluster);
      shards.set(shard.cluster, known === undefined ? shard : withAddressesOf(known, shard));
    }
    for (const shard of shards.values()) {
      yield toRecorded({ publication: first, shard, ports, nowMonotonicMs });
    }
  }
}

type Publications = readonly [Publication, ...Publication[]];

/** Those of one Service stand beside each other: no Service's name has a dot. */
function* byService(desired: Desired): Iterable<Publications> {
  let same: [Publication, ...Publication[]] | undefined;
  for (const { object } of desired.list(toLogPrefix(isthmusGroup, 'publications'))) {
    const publication = publicationOf(object);
    if (publication === undefined) continue;
    if (same?.[0].key === publication.key) {
      same.push(publication);
      continue;
    }
    if (same !== undefined) yield same;
    same = [publication];
  }
  if (same !== undefined) yield same;
}

function withAddressesOf(shard: PublishedShard, other: PublishedShard): PublishedShard {
  const union = (a: readonly string[], b: readonly string[]): readonly string[] =>
    [...new Set([...a, ...b])].sort();
  return {
    ...shard,
    addresses: union(shard.addresses, other.addresses),
    hostnames: union(shard.hostnames, other.hostnames),
  };
}

function toRecorded(from: {
  readonly publication: Publication;
  readonly shard: PublishedShard;
  readonly ports: readonly ServicePort[];
  readonly nowMonotonicMs: number;
}): RecordedShard {
  const { publication, shard, ports, nowMonotonicMs } = from;
  const verdict: ShardVerdict = {
    key: publication.key,
    cluster: shard.cluster,
    state: shard.state,
    reason: shard.reason,
    message: '',
    sinceMs: shard.sinceMs,
    ready: 0,
    total: 0,
    addresses: [
      ...shard.addresses.map((ip) => ({ ip })),
      ...shard.hostnames.map((hostname) => ({ hostname })),
    ],
    clusterIps: [],
    ports,
  };
  const damping = recordedShard({
    state: shard.state,
    hasAddress: verdict.addresses.length > 0,
    nowMs: nowMonotonicMs,
  });
  return { verdict, damping };
}

function portsOf(desired: Desired, publication: Publication): readonly ServicePort[] {
  const at = { group: '', resource: 'services', ...splitServiceKey(publication.key) };
  const service = desired.get(toLogKey(at))?.object as Service | undefined;
  return service?.spec.ports ?? [];
}

/** The publication in a log object; undefined for what does not have its shape. */
export function publicationOf(object: KubeObject): Publication | undefined {
  const spec = object.spec as Partial<Publication> | undefined;
  return spec !== undefined && typeof spec.key === 'string' && Array.isArray(spec.shards)
    ? (spec as Publication)
    : undefined;
}
