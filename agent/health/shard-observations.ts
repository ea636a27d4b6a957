// Watches Services and EndpointSlices and says, per shard of ours, what it is like now. Work is
// proportional to the change: one event touches one Service.
//
//   O1. Only Services that bear our federation's mark are reported (I4).
//   O2. Nothing is said before both caches are complete (I3): an agent that has not looked yet
//       must not report that nothing is there.

import { toServiceKey, type ServiceKey } from '../../common/model/ids.ts';
import type { Service } from '../../common/model/kube-object.ts';
import type { ShardIngress, ShardReadiness } from '../../common/model/telemetry.ts';
import { federationOf } from '../../common/pure/shard-marks.ts';
import type { Informer } from '../../common/runtime/informer.ts';
import { foldReadiness, toIngress, type PickedSlice } from './fold.ts';

export interface ObservationListener {
  readonly onShard: (key: ServiceKey) => void;
  readonly onComplete?: () => void;
}

export interface ShardObservations {
  isComplete(): boolean;
  keys(): Iterable<ServiceKey>;
  readiness(key: ServiceKey): ShardReadiness | undefined;
  ingress(key: ServiceKey): ShardIngress | undefined;
  /** onShard: per key that may have changed. onComplete: once, when both caches first are. */
  subscribe(listener: ObservationListener): () => void;
  stop(): void;
}

export function observeShards(ports: {
  readonly services: Informer<Service>;
  readonly slices: Informer<PickedSlice>;
  readonly federation: string;
}): ShardObservations {
  const { services, slices, federation } = ports;
  const listeners = new Set<ObservationListener>();
  const slicesOf = new Map<ServiceKey, Map<string, PickedSlice>>();
  for (const slice of slices.values()) index(slicesOf, slice);

  const isComplete = (): boolean => services.hasSynced() && slices.hasSynced();
  const shardOf = (key: ServiceKey): Service | undefined => {
    const service = services.get(key);
    return service !== undefined && federationOf(service) === federation ? service : undefined;
  };
  const tell = (key: ServiceKey): void => {
    if (isComplete()) for (const { onShard } of listeners) onShard(key);
  };
  const keys = function* (): Iterable<ServiceKey> {
    for (const service of services.values()) {
      const { namespace = '', name } = service.metadata;
      if (federationOf(service) === federation) yield toServiceKey({ namespace, name });
    }
  };
  const tellAll = (): void => {
    if (!isComplete()) return;
    for (const key of keys()) tell(key);
    for (const { onComplete } of listeners) onComplete?.();
  };

  const unsubscribes = [
    services.subscribe({
      onChange: ({ key, object, previous }) => {
        const isShard = [object, previous].some(
          (one) => one !== undefined && federationOf(one) === federation,
        );
        if (isShard) tell(key as ServiceKey); // Services have a namespace: <namespace>/<name>
      },
      onSynced: tellAll,
    }),
    slices.subscribe({
      onChange: ({ object, previous }) => {
        if (previous !== undefined && previous.service !== object?.service) {
          slicesOf.get(previous.service)?.delete(previous.name);
          if (slicesOf.get(previous.service)?.size === 0) slicesOf.delete(previous.service);
          if (shardOf(previous.service) !== undefined) tell(previous.service);
        }
        if (object === undefined) return;
        index(slicesOf, object);
        if (shardOf(object.service) !== undefined) tell(object.service);
      },
      onSynced: tellAll,
    }),
  ];

  return {
    isComplete,
    keys,
    readiness: (key) =>
      shardOf(key) === undefined
        ? undefined
        : foldReadiness(key, slicesOf.get(key)?.values() ?? []),
    ingress: (key) => {
      const service = shardOf(key);
      return service === undefined ? undefined : toIngress(key, service);
    },
    subscribe: (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    stop: () => {
      for (const unsubscribe of unsubscribes) unsubscribe();
      listeners.clear();
    },
  };
}

function index(slicesOf: Map<ServiceKey, Map<string, PickedSlice>>, slice: PickedSlice): void {
  const known = slicesOf.get(slice.service) ?? new Map<string, PickedSlice>();
  known.set(slice.name, slice);
  slicesOf.set(slice.service, known);
}
