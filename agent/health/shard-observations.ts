// Watches Services, EndpointSlices and Nodes and says, per shard of ours, what it is like now. Work
// is proportional to the change: one event touches one Service, and a burst of them is folded once,
// when somebody asks.
//
//   O1. Only Services that bear our federation's mark are reported (I4).
//   O2. Nothing is said before both caches are complete (I3): an agent that has not looked yet
//       must not report that nothing is there.
//   O3. A fall to zero in the midst of slices that are being written is not shown (step-zero.ts).

import { toServiceKey, type ServiceKey } from '../../common/model/ids.ts';
import type { Service } from '../../common/model/kube-object.ts';
import type { ShardIngress, ShardReadiness } from '../../common/model/telemetry.ts';
import { federationOf } from '../../common/pure/shard-marks.ts';
import { countUsable } from '../../common/pure/usable-endpoints.ts';
import type { Clock, Timer } from '../../common/runtime/clock.ts';
import type { Informer, InformerChange } from '../../common/runtime/informer.ts';
import { foldReadiness, usableNodes } from './fold.ts';
import { toIngress } from './ingress.ts';
import type { PickedSlice } from './pick-slice.ts';
import { isDivided, stepZero } from './step-zero.ts';
import { isSameWayIn, type PickedNode } from './topology.ts';

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

export interface ObservationPorts {
  readonly services: Informer<Service>;
  readonly slices: Informer<PickedSlice>;
  readonly nodes: Informer<PickedNode>;
  readonly federation: string;
  /** CIDRs, the most preferred first. */
  readonly preferredAddresses: readonly string[];
  readonly clock: Clock;
}

/** What is known of one Service's endpoints. */
interface Observed {
  readonly slices: Map<string, PickedSlice>;
  shown: ShardReadiness | undefined;
  /** What `shown` was folded from has changed since. */
  isStale: boolean;
  isDivided: boolean;
  changedMs: number;
  zeroSinceMs: number | undefined;
  timer: Timer | undefined;
}

export function observeShards(ports: ObservationPorts): ShardObservations {
  return new Observations(ports);
}

class Observations implements ShardObservations {
  readonly #ports: ObservationPorts;
  readonly #listeners = new Set<ObservationListener>();
  readonly #observed = new Map<ServiceKey, Observed>();
  readonly #unsubscribes: readonly (() => void)[];

  constructor(ports: ObservationPorts) {
    const { services, slices, nodes } = ports;
    this.#ports = ports;
    for (const slice of slices.values()) this.#put(slice);
    const onSynced = (): void => this.#tellAll();
    this.#unsubscribes = [
      services.subscribe({ onChange: (change) => this.#onService(change), onSynced }),
      slices.subscribe({ onChange: (change) => this.#onSlice(change), onSynced }),
      nodes.subscribe({
        onChange: ({ object, previous }) => {
          if (!isSameWayIn(object, previous)) this.#onNodes();
        },
      }),
    ];
  }

  isComplete(): boolean {
    return this.#ports.services.hasSynced() && this.#ports.slices.hasSynced();
  }

  *keys(): Iterable<ServiceKey> {
    for (const service of this.#ports.services.values()) {
      const { namespace = '', name } = service.metadata;
      if (this.#isOurs(service)) yield toServiceKey({ namespace, name });
    }
  }

  readiness(key: ServiceKey): ShardReadiness | undefined {
    const service = this.#shardOf(key);
    if (service === undefined) return undefined;
    const observed = this.#observed.get(key);
    if (observed === undefined) return foldReadiness(key, []);
    if (observed.isStale || observed.shown === undefined) this.#look(key, observed, service);
    return observed.shown;
  }

  ingress(key: ServiceKey): ShardIngress | undefined {
    const service = this.#shardOf(key);
    if (service === undefined) return undefined;
    return toIngress(key, service, {
      nodes: this.#ports.nodes.values(),
      nodesInUse: () => usableNodes(this.#observed.get(key)?.slices.values() ?? []),
      preferred: this.#ports.preferredAddresses,
    });
  }

  subscribe(listener: ObservationListener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  stop(): void {
    for (const unsubscribe of this.#unsubscribes) unsubscribe();
    for (const { timer } of this.#observed.values()) timer?.cancel();
    this.#listeners.clear();
  }

  /** Brings `shown` up to date, or waits with it (O3). */
  #look(key: ServiceKey, observed: Observed, service: Service): void {
    const folded = fold(key, observed, service);
    const step = stepZero({ ...observed, folded, nowMs: this.#ports.clock.monotonicMs() });
    observed.timer?.cancel();
    observed.timer = undefined;
    if (step.kind === 'wait') {
      observed.zeroSinceMs = step.zeroSinceMs;
      observed.timer = this.#ports.clock.after(step.againAfterMs, () => this.#tell(key));
      return;
    }
    observed.shown = folded;
    observed.isStale = false;
    observed.zeroSinceMs = undefined;
    observed.isDivided = isDivided(observed.slices.values());
    if (observed.slices.size === 0) this.#observed.delete(key);
  }

  #onService({ key, object, previous }: InformerChange<Service>): void {
    const isShard = [object, previous].some((one) => one !== undefined && this.#isOurs(one));
    if (!isShard) return;
    const serviceKey = key as ServiceKey; // Services have a namespace: <namespace>/<name>
    const observed = this.#observed.get(serviceKey);
    if (observed !== undefined) observed.isStale = true; // its ports may be others
    this.#tell(serviceKey);
  }

  #onSlice({ object, previous }: InformerChange<PickedSlice>): void {
    if (previous !== undefined && previous.service !== object?.service) this.#take(previous);
    if (object !== undefined) this.#put(object);
  }

  #put(slice: PickedSlice): void {
    const observed = this.#observed.get(slice.service) ?? {
      slices: new Map<string, PickedSlice>(),
      shown: undefined,
      isStale: true,
      isDivided: false,
      changedMs: 0,
      zeroSinceMs: undefined,
      timer: undefined,
    };
    this.#observed.set(slice.service, observed);
    observed.slices.set(slice.name, slice);
    observed.isDivided ||= isDivided(observed.slices.values());
    this.#changed(slice.service, observed);
  }

  #take({ service, name }: PickedSlice): void {
    const observed = this.#observed.get(service);
    if (observed === undefined) return;
    observed.slices.delete(name);
    observed.isDivided = true; // another may be made in its place
    this.#changed(service, observed);
    if (observed.slices.size === 0 && this.#shardOf(service) === undefined) {
      observed.timer?.cancel();
      this.#observed.delete(service);
    }
  }

  #changed(key: ServiceKey, observed: Observed): void {
    observed.isStale = true;
    observed.changedMs = this.#ports.clock.monotonicMs();
    const service = this.#shardOf(key);
    if (service === undefined) return;
    // Nobody may look before the next fall: two short zeros are not one long one.
    if (observed.zeroSinceMs !== undefined && countUsable(fold(key, observed, service)) > 0) {
      observed.zeroSinceMs = undefined;
    }
    this.#tell(key);
  }

  #onNodes(): void {
    for (const key of this.keys())
      if (this.#ports.services.get(key)?.spec.type === 'NodePort') this.#tell(key);
  }

  #tell(key: ServiceKey): void {
    if (this.isComplete()) for (const { onShard } of this.#listeners) onShard(key);
  }

  #tellAll(): void {
    if (!this.isComplete()) return;
    for (const key of this.keys()) this.#tell(key);
    for (const { onComplete } of this.#listeners) onComplete?.();
  }

  #shardOf(key: ServiceKey): Service | undefined {
    const service = this.#ports.services.get(key);
    return service !== undefined && this.#isOurs(service) ? service : undefined;
  }

  #isOurs(service: Service): boolean {
    return federationOf(service) === this.#ports.federation;
  }
}

function fold(key: ServiceKey, { slices }: Observed, { spec }: Service): ShardReadiness {
  const names = (spec.ports ?? []).map(({ name }) => name ?? '');
  return foldReadiness(key, slices.values(), names);
}
