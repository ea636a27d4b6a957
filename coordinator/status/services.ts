// Status, projections and events of Services.
// Input: marks of Services. Output: guarded status writes, projected objects, events.
//
//   U8. One Service is written, and its projections change, at most once a second, and only when
//       something of them changed. Looks that find nothing new take a tenth of the time at most.
//   U9. A Service is judged only once placement has seen the revision at which it stands, so
//       that no condition speaks of an earlier spec.

import {
  isFederated,
  splitLogKey,
  splitServiceKey,
  toLogKey,
  toServiceKey,
  type ClusterName,
  type LogKey,
  type ServiceKey,
} from '../../common/model/ids.ts';
import { isthmusGroup, type Cluster } from '../../common/model/isthmus-kinds.ts';
import type { Condition, Service } from '../../common/model/kube-object.ts';
import { topologyOf } from '../../common/pure/cluster-topology.ts';
import { toTimestamp } from '../../common/runtime/clock.ts';
import { createLoop, type Loop } from '../../common/runtime/loop.ts';
import type { StatusOptions } from './options.ts';
import { planProjections, type Projected } from './plan-projections.ts';
import { planServiceStatus, type ServiceFacts, type ShardFacts } from './plan-service.ts';
import { planShardConditions } from './plan-shard-conditions.ts';
import { planShardEvents, type ShardMemory } from './plan-shard-events.ts';
import { publishedOf } from './published.ts';
import type { ProjectionPort } from './projections.ts';
import type { StatusWriter } from './writer.ts';

/** DESIGN 5: the status of one Service is written at most once a second. */
const writeEveryDefaultMs = 1000;
/** Placement follows the log closely; this is how soon to look again. */
const placementLagMs = 50;
const conflictRetryMs = 20;

interface Shown {
  readonly keys: ReadonlyMap<LogKey, string>;
  readonly memory: ShardMemory;
  readonly conditions: ShardConditions;
  /** Monotonic time of the last change. */
  readonly changedMs: number;
}

type ShardConditions = ReadonlyMap<ClusterName, readonly Condition[]>;

const nothingShown: Shown = {
  keys: new Map(),
  memory: new Map(),
  conditions: new Map(),
  changedMs: -Infinity,
};

export function createServiceStatus(
  options: StatusOptions,
  writer: StatusWriter,
): Loop<ServiceKey> {
  const { desired, placement, projections, recorder, config, clock, chance, log } = options;
  const writeEveryMs = config.writeEveryMs ?? writeEveryDefaultMs;
  const shown = new Map<ServiceKey, Shown>();

  const run = async (key: ServiceKey): Promise<{ readonly againAfterMs: number } | undefined> => {
    const at = { group: '', resource: 'services', ...splitServiceKey(key) };
    const stored = isFederated(key) ? desired.get(toLogKey(at)) : undefined;
    const last = shown.get(key) ?? nothingShown;
    if (stored === undefined) {
      show(last, []);
      shown.delete(key);
      return undefined;
    }
    if (placement.revision() < stored.revision) return { againAfterMs: placementLagMs }; // U9
    const nowMs = clock.monotonicMs();
    const waitMs = last.changedMs + writeEveryMs - nowMs;
    if (waitMs > 0) return { againAfterMs: Math.ceil(waitMs) }; // U8
    const service = stored.object as Service;
    const facts = gatherFacts(options, service, last.conditions);
    const conditions = orEmpty(
      new Map(facts.shards.map((shard) => [shard.cluster, shard.conditions])),
      nothingShown.conditions,
    );
    const { keys, isChanged } = show(last, planProjections(facts, toTimestamp));
    shown.set(key, { ...last, keys, conditions });
    const status = { ...service.status, ...planServiceStatus(facts) };
    const outcome = await writer.write(stored, status);
    if (outcome === 'again') return { againAfterMs: conflictRetryMs };
    // Told by whoever could write: a deposed holder has thrown by now.
    const memory = orEmpty(tell(service, last.memory, facts.shards), nothingShown.memory);
    const changedMs = isChanged || outcome === 'written' ? nowMs : last.changedMs;
    shown.set(key, { keys, memory, conditions, changedMs });
    return undefined;
  };

  /** Puts what shall be seen, takes away what was seen and shall not be. */
  const show = (
    last: Shown,
    next: readonly Projected[],
  ): { readonly keys: ReadonlyMap<LogKey, string>; readonly isChanged: boolean } => {
    const keys = new Map(next.map(({ key, object }) => [key, JSON.stringify(object)]));
    let isChanged = false;
    for (const { key, object } of next) {
      if (last.keys.get(key) === keys.get(key)) continue;
      isChanged = true;
      projectionOf(key)?.put(object);
    }
    for (const key of last.keys.keys()) {
      if (keys.has(key)) continue;
      isChanged = true;
      const { namespace, name } = splitLogKey(key);
      projectionOf(key)?.remove({ namespace, name });
    }
    return { keys, isChanged };
  };

  const projectionOf = (key: LogKey): ProjectionPort | undefined => {
    switch (splitLogKey(key).resource) {
      case 'serviceshards':
        return projections.serviceShards;
      case 'dnsrecordsets':
        return projections.dnsRecordSets;
      case 'endpoints':
        return projections.endpoints;
      case 'endpointslices':
        return projections.endpointSlices;
      default:
        return undefined;
    }
  };

  const tell = (
    service: Service,
    memory: ShardMemory,
    shards: readonly ShardFacts[],
  ): ShardMemory => {
    const { events, next } = planShardEvents(memory, shards);
    const { namespace, name, uid } = service.metadata;
    for (const event of events) {
      const regarding = { apiVersion: 'v1', kind: 'Service', namespace, name, uid };
      recorder.record({ regarding, ...event });
    }
    return next;
  };

  const rest = { times: 9, maxMs: writeEveryMs };
  return createLoop<ServiceKey>({ name: 'status-services', run, rest, clock, chance, log });
}

/** All Services without shards share what is empty. */
function orEmpty<K, V>(map: ReadonlyMap<K, V>, empty: ReadonlyMap<K, V>): ReadonlyMap<K, V> {
  return map.size === 0 ? empty : map;
}

function gatherFacts(
  options: StatusOptions,
  service: Service,
  before: ShardConditions,
): ServiceFacts {
  const { placement, clock } = options;
  const { addressRules: rules } = options.config;
  const { namespace = '', name } = service.metadata;
  const key = toServiceKey({ namespace, name });
  const nowText = toTimestamp(clock.now());
  return {
    service,
    shards: placement.clustersOf(key).map((cluster) => {
      const shard = gatherShard(options, cluster, key);
      const conditions = planShardConditions(shard, before.get(cluster) ?? [], nowText);
      return { ...shard, conditions };
    }),
    published: publishedOf(options, key),
    notes: placement.notes(key),
    rules: options.privateViews?.has(key) === true ? { ...rules, allowPrivate: true } : rules,
    nowText,
  };
}

function gatherShard(
  options: StatusOptions,
  cluster: ClusterName,
  key: ServiceKey,
): Omit<ShardFacts, 'conditions'> {
  const { desired, placement, sessions, health } = options;
  const at = toLogKey({ group: isthmusGroup, resource: 'clusters', name: cluster });
  const object = desired.get(at)?.object as Cluster | undefined;
  const life = health.cluster(cluster);
  return {
    cluster,
    topology:
      object === undefined
        ? { zones: [], region: undefined, provider: undefined }
        : topologyOf(object),
    wanted: placement.shard(cluster, key),
    result: sessions.result(cluster, key),
    verdict: health.shard(cluster, key),
    isConnected: sessions.session(cluster)?.isConnected ?? false,
    // While it lives, the age of its last proof of life is no news (U6).
    lastProofOfLifeMs: life?.life === 'live' ? undefined : life?.lastProofOfLifeMs,
  };
}
