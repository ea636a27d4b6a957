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
} from '../../common/model/ids.ts';
import { isthmusGroup, type Cluster } from '../../common/model/isthmus-kinds.ts';
import { toCanonicalJson } from '../../common/pure/canonical-json.ts';
import { readPublication } from '../../common/pure/publication-object.ts';
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
  /** Each shard shows its cluster's zones, so a change of them is a change of its shards. */
  const topologies = new Map<ClusterName, string>();
  const cancels: (() => void)[] = [];
  const writer = createStatusWriter(options);
  const services = createServiceStatus(options, writer);
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

  const onPublication = ({ object }: StoredObject): void => {
    const publication = readPublication(object);
    if (publication !== undefined) services.mark(publication.key);
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
      options.dns.applied.subscribe(({ key }) => {
        if (key !== undefined) services.mark(key);
      }),
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
