// What kubectl shows: status of Services and Clusters, events on their transitions, and the
// read-only objects of shards and names.
// Input: desired state, placement, Sessions, health, publications. Output: guarded status writes,
// projections, events. Ends the walk through the coordinator; next: agent/resolver.
//
//   I12. Each status write names the term as its guard (writer.ts).
//   U8, U9. At most once a second for each Service, and never on an earlier spec (services.ts).

import type { StatusOptions } from './options.ts';
import {
  splitLogKey,
  toClusterName,
  toLogPrefix,
  toServiceKey,
  type ClusterName,
  type LogKey,
  type ServiceKey,
} from '../../common/model/ids.ts';
import { isthmusGroup, type Cluster } from '../../common/model/isthmus-kinds.ts';
import type { KubeObject } from '../../common/model/kube-object.ts';
import type { Publication } from '../../common/model/publication.ts';
import { toCanonicalJson } from '../../common/pure/canonical-json.ts';
import { topologyOf } from '../../common/pure/cluster-topology.ts';
import { follow, type StoredObject } from '../desired/store.ts';
import { createClusterStatus } from './clusters.ts';
import { createPolicyStatus } from './policies.ts';
import { createServiceStatus } from './services.ts';
import { createUnclaimedStatus } from './unclaimed.ts';
import { createStatusWriter } from './writer.ts';

export interface Status {
  /** Placement, Sessions and health must have started before. */
  start(): void;
  /** Nothing that was marked is still to be written; what is throttled is not waited for. */
  idle(): Promise<void>;
  stop(): Promise<void>;
}

export function createStatus(options: StatusOptions): Status {
  const { desired, placement, sessions, health } = options;
  const publications = new Map<LogKey, Publication>();
  const byService = new Map<ServiceKey, Publication>();
  /** Each shard shows its cluster's zones, so a change of them is a change of its shards. */
  const topologies = new Map<ClusterName, string>();
  const cancels: (() => void)[] = [];
  const writer = createStatusWriter(options);
  const publication = (key: ServiceKey): Publication | undefined => byService.get(key);
  const services = createServiceStatus({ ...options, publication }, writer);
  const clusters = createClusterStatus(options, writer);
  const policies = createPolicyStatus(options, writer);
  const unclaimed = createUnclaimedStatus(options);

  const followAll = (
    prefix: string,
    onObject: (stored: StoredObject, isDeleted: boolean) => void,
  ): void => {
    const watch = follow(desired, prefix, ({ current, kind }) =>
      onObject(current, kind === 'deleted'),
    );
    cancels.push(() => watch.cancel());
  };

  const onPublication = ({ key: at, object }: StoredObject, isDeleted: boolean): void => {
    const before = publications.get(at);
    const after = isDeleted ? undefined : publicationOf(object);
    if (before !== undefined) byService.delete(before.key);
    if (after === undefined) publications.delete(at);
    else {
      publications.set(at, after);
      byService.set(after.key, after);
    }
    for (const found of new Set([before?.key, after?.key])) {
      if (found !== undefined) services.mark(found);
    }
  };

  const onService = ({ key }: StoredObject): void => {
    services.mark(toServiceKey(splitLogKey(key)));
    policies.mark(toServiceKey(splitLogKey(key)));
  };

  const onCluster = ({ key, object }: StoredObject, isDeleted: boolean): void => {
    const cluster = toClusterName(splitLogKey(key).name);
    clusters.mark(cluster);
    unclaimed.mark(cluster);
    const topology = isDeleted ? undefined : toCanonicalJson(topologyOf(object as Cluster));
    if (topologies.get(cluster) === topology) return;
    if (topology === undefined) topologies.delete(cluster);
    else topologies.set(cluster, topology);
    for (const shard of placement.shardsOf(cluster)) services.mark(shard.key);
  };

  const start = (): void => {
    followAll(toLogPrefix(isthmusGroup, 'publications'), onPublication);
    followAll(toLogPrefix('', 'services'), onService);
    followAll(toLogPrefix(isthmusGroup, 'clusters'), onCluster);
    followAll(toLogPrefix(isthmusGroup, 'servicepolicies'), policies.note);
    cancels.push(
      placement.subscribe(({ cluster, key }) => {
        unclaimed.mark(cluster);
        services.mark(key);
        policies.mark(key);
      }),
      sessions.subscribe(({ cluster, key }) => {
        unclaimed.mark(cluster);
        if (key === undefined) clusters.mark(cluster);
        else services.mark(key);
      }),
      health.subscribe(({ cluster, key }) => {
        if (key === undefined) clusters.mark(cluster);
        else services.mark(key);
      }),
    );
  };

  return {
    start,
    idle: async () => {
      await Promise.all([services.idle(), clusters.idle(), policies.idle(), unclaimed.idle()]);
    },
    stop: async () => {
      for (const cancel of cancels.splice(0)) cancel();
      await Promise.all([services.stop(), clusters.stop(), policies.stop(), unclaimed.stop()]);
    },
  };
}

/** The publication in a log object; undefined for what does not have its shape. */
function publicationOf(object: KubeObject): Publication | undefined {
  const spec = object.spec as Partial<Publication> | undefined;
  const hasShape =
    typeof spec?.key === 'string' && Array.isArray(spec.recordSets) && Array.isArray(spec.shards);
  return hasShape ? (spec as Publication) : undefined;
}
