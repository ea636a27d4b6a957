// Shows what agents hold and nobody wants (Unclaimed), as ServiceShards and, once each, as Events
// of the Cluster.
// Input: marks of clusters. Output: projected objects, events. What a person decides comes back as
// a Service that claims the shard, or as a removal order (placement).
//
//   U11. While an agent is away, what was seen last stands.
//   U12. A shard that is wanted is shown by services.ts alone.

import {
  splitServiceKey,
  toLogKey,
  type ClusterName,
  type ServiceKey,
} from '../../common/model/ids.ts';
import { isthmusApiVersion, isthmusGroup, type Cluster } from '../../common/model/isthmus-kinds.ts';
import { toTimestamp } from '../../common/runtime/clock.ts';
import { createLoop, type Loop } from '../../common/runtime/loop.ts';
import type { StatusOptions } from './options.ts';
import { toUnclaimedShard } from './plan-unclaimed.ts';

/** Looking costs a walk over all that the agent holds. */
const lookEveryMs = 2_000;
/** More of one cluster are no work for a person; the Event says how many there are. */
const shownMax = 1_000;

interface Seen {
  /** When each was seen first. */
  readonly since: ReadonlyMap<ServiceKey, string>;
  readonly lookedMs: number;
}

const nothingSeen: Seen = { since: new Map(), lookedMs: -Infinity };

export function createUnclaimedStatus(options: StatusOptions): Loop<ClusterName> {
  const { desired, sessions, placement, projections, recorder, clock, chance, log } = options;
  const seen = new Map<ClusterName, Seen>();

  const run = async (name: ClusterName): Promise<{ readonly againAfterMs: number } | undefined> => {
    const stored = desired.get(toLogKey({ group: isthmusGroup, resource: 'clusters', name }));
    const last = seen.get(name) ?? nothingSeen;
    if (stored === undefined) {
      show(name, undefined, last, new Map());
      seen.delete(name);
      return undefined;
    }
    const waitMs = last.lookedMs + lookEveryMs - clock.monotonicMs();
    if (waitMs > 0) return { againAfterMs: Math.ceil(waitMs) };
    if (sessions.session(name)?.isConnected !== true) return undefined; // U11
    const keys = [...sessions.unclaimed(name)].filter(
      (key) => !placement.clustersOf(key).includes(name),
    );
    const nowText = toTimestamp(clock.now());
    const since = new Map(
      keys.slice(0, shownMax).map((key) => [key, last.since.get(key) ?? nowText] as const),
    );
    const cluster = stored.object as Cluster; // by its log key
    show(name, cluster, last, since);
    tell(cluster, last, since, keys.length);
    if (since.size === 0) seen.delete(name);
    else seen.set(name, { since, lookedMs: clock.monotonicMs() });
    return undefined;
  };

  const show = (
    name: ClusterName,
    cluster: Cluster | undefined,
    last: Seen,
    since: Seen['since'],
  ): void => {
    for (const [key, from] of since) {
      if (cluster !== undefined)
        projections.serviceShards.put(toUnclaimedShard(cluster, key, from));
    }
    for (const key of last.since.keys()) {
      if (since.has(key) || placement.clustersOf(key).includes(name)) continue; // U12
      const { namespace, name: service } = splitServiceKey(key);
      projections.serviceShards.remove({ namespace, name: `${service}.${name}` });
    }
  };

  const tell = (cluster: Cluster, last: Seen, since: Seen['since'], all: number): void => {
    const fresh = [...since.keys()].filter((key) => !last.since.has(key));
    const [first] = fresh;
    if (first === undefined) return;
    const { name, uid } = cluster.metadata;
    const more = all > 1 ? `, one of ${all}` : '';
    recorder.record({
      regarding: { apiVersion: isthmusApiVersion, kind: 'Cluster', name, uid },
      type: 'Warning',
      reason: 'ShardUnclaimed',
      message: `holds a shard of ${first} that nobody wants${more}; kubectl get serviceshards -A --field-selector status.reason=Unclaimed lists them`,
    });
  };

  return createLoop<ClusterName>({ name: 'status-unclaimed', run, clock, chance, log });
}
