// One simulated member cluster: its Kubernetes API over a log that outlives everything, the small
// controllers of the demo, load balancers in the simulated world. It has power or not, and its API
// server answers, refuses or hangs.

import { toLogKey, type LogKey } from '../../common/model/ids.ts';
import type { KubeObject } from '../../common/model/kube-object.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import { silentLog } from '../../common/runtime/log.ts';
import { memberKinds } from '../../coordinator/api/kinds/member/member.ts';
import { createAllocator, type Allocate } from '../../demo/cluster/allocator.ts';
import { startControllers } from '../../demo/cluster/controllers.ts';
import { readyAnnotation } from '../../demo/cluster/plan-pod.ts';
import { createDesiredWriter } from '../../demo/cluster/desired-writer.ts';
import type { ViewEvent } from '../../coordinator/desired/store.ts';
import { createSimKube, type SimKube, type SimKubeState } from '../support/sim-kube.ts';
import type { SeededChance } from './seeded-chance.ts';
import type { Balancers } from './sim-prober.ts';
import type { Trace } from './trace.ts';

export interface SimClusterPlace {
  readonly name: string;
  readonly octet: number;
  /** Node labels; undefined: none, and the Cluster object declares them. */
  readonly zone: string | undefined;
  readonly region: string | undefined;
  readonly provider: string;
}

export interface SimCluster {
  readonly place: SimClusterPlace;
  readonly kube: SimKube;
  setApi(state: SimKubeState): void;
  setPower(isOn: boolean): void;
  isUsable(): boolean;
  /** Monotonic: now while the API does not answer, else when it last did not. */
  lastApiTroubleMs(): number;
  /** Makes the Pod, or sets its readiness. */
  setPod(pod: { name: string; app: string; isReady: boolean }): Promise<void>;
  deletePod(name: string): Promise<void>;
}

export interface SimClusterOptions {
  readonly place: SimClusterPlace;
  readonly clock: Clock;
  readonly chance: SeededChance;
  readonly trace: Trace;
  readonly balancers: Balancers;
  readonly onEvent: (event: ViewEvent) => void;
  readonly onWrite: (user: string, target: string) => void;
}

const namespace = 'default';

export async function createSimCluster(options: SimClusterOptions): Promise<SimCluster> {
  const { place, clock, chance, trace, balancers } = options;
  // The kinds are wanted before the log that the allocator looks into.
  const later: { allocate?: Allocate } = {};
  const allocate: Allocate = (object, old) => later.allocate?.(object, old) ?? object;
  const delays = chance.fork('api');
  const kube = await createSimKube({
    kinds: memberKinds({ allocate }),
    clock,
    chance,
    onWrite: options.onWrite,
    delayMs: () => 1 + 4 * delays.fraction(),
  });
  const { desired } = kube;
  later.allocate = createAllocator({ desired, octet: place.octet });
  const watch = desired.watch('', desired.revision(), (events) => {
    for (const event of events) {
      trace.note(`${place.name} ${event.kind} ${event.current.key}`);
      options.onEvent(event);
    }
  });
  if (watch === 'expired') throw new Error('a new log has no past');
  await startControllers({
    desired,
    place,
    ranges: {
      octet: place.octet,
      loadBalancers: `34.10.${place.octet}`,
      hasPrivateAddresses: place.provider === 'openstack',
    },
    loadBalancers: balancers.of(place.name),
    clock,
    chance,
    log: silentLog,
  });
  const writer = createDesiredWriter({ desired, clock, chance });
  const podKey = (name: string): LogKey =>
    toLogKey({ group: '', resource: 'pods', namespace, name });
  let lastTroubleMs = -Infinity;
  return {
    place,
    kube,
    setApi: (state) => {
      if (state === 'up') lastTroubleMs = clock.monotonicMs();
      kube.set(state);
    },
    setPower: (isOn) => {
      if (isOn) lastTroubleMs = clock.monotonicMs();
      balancers.setPower(place.name, isOn);
      kube.set(isOn ? 'up' : 'down');
    },
    isUsable: () => balancers.hasPower(place.name) && kube.state() === 'up',
    lastApiTroubleMs: () => (kube.state() === 'up' ? lastTroubleMs : clock.monotonicMs()),
    setPod: async ({ name, app, isReady }) => {
      const old = desired.get(podKey(name));
      const annotations = { [readyAnnotation]: String(isReady) };
      if (old === undefined) return writer.create(podKey(name), toPod(name, app, annotations));
      const metadata = { ...old.object.metadata, annotations };
      return writer.replace(old, { ...old.object, metadata });
    },
    deletePod: async (name) => {
      const old = desired.get(podKey(name));
      if (old !== undefined) await writer.remove(old);
    },
  };
}

function toPod(
  name: string,
  app: string,
  annotations: Readonly<Record<string, string>>,
): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { namespace, name, labels: { app }, annotations },
    spec: { containers: [{ name: 'main', image: 'nginx' }] },
  };
}
