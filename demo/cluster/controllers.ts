// The controllers of a simulated cluster, each a level-triggered loop over the cluster's log:
// addresses of Services, life of Pods, EndpointSlices and Endpoints, load balancers. Each reads
// the whole truth about its key and writes conditionally; a lost race comes back by itself.
//
// Next file to read: plan-pod.ts, plan-endpoints.ts, plan-addresses.ts (what they decide).

import { splitLogKey, toLogKey, toLogPrefix, type LogKey } from '../../common/model/ids.ts';
import type { KubeObject } from '../../common/model/kube-object.ts';
import { toCanonicalJson } from '../../common/pure/canonical-json.ts';
import type { Chance } from '../../common/runtime/chance.ts';
import { toTimestamp, type Clock } from '../../common/runtime/clock.ts';
import type { Log } from '../../common/runtime/log.ts';
import { createLoop, type Loop } from '../../common/runtime/loop.ts';
import type { Desired, StoredObject, ViewEvent } from '../../coordinator/desired/store.ts';
import { createDesiredWriter, type DesiredWriter } from './desired-writer.ts';
import type { LoadBalancers } from './load-balancers.ts';
import { addressesOf, planIngress, planPodIp, type AddressRanges } from './plan-addresses.ts';
import { planEndpoints, selectPods, sliceManager } from './plan-endpoints.ts';
import { chooseNode, planNamespaces, planNodes, type ClusterPlace } from './plan-nodes.ts';
import { planPod } from './plan-pod.ts';
import { asPod, asService, isReady, isSelected, type Pod } from './shapes.ts';

export interface ControllerOptions {
  readonly desired: Desired;
  readonly place: ClusterPlace;
  readonly ranges: AddressRanges;
  readonly loadBalancers: LoadBalancers;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly log: Log;
}

export interface Controllers {
  stop(): Promise<void>;
}

type Context = ControllerOptions & { readonly writer: DesiredWriter };

const servicePrefix = toLogPrefix('', 'services');
const podPrefix = toLogPrefix('', 'pods');

/** Makes what a new cluster has, then starts every loop. */
export async function startControllers(options: ControllerOptions): Promise<Controllers> {
  const { desired, clock, chance, log } = options;
  const context: Context = { ...options, writer: createDesiredWriter({ desired, clock, chance }) };
  await ensureFurniture(context);
  const loopFor = (
    name: string,
    run: (context: Context, key: LogKey) => Promise<{ readonly againAfterMs: number } | undefined>,
    concurrency = 4,
  ): Loop<LogKey> =>
    createLoop<LogKey>({
      name,
      run: (key) => run(context, key),
      clock,
      chance,
      log,
      concurrency,
      backoffMinMs: 20,
      backoffMaxMs: 2_000,
    });
  // One at a time where an address is chosen: two at once would choose the same.
  const addresses = loopFor('addresses', runAddresses, 1);
  const pods = loopFor('pods', runPod, 1);
  const endpoints = loopFor('endpoints', runEndpoints);
  const balancers = loopFor('load-balancers', runLoadBalancer);
  const markService = (key: LogKey): void => {
    for (const loop of [addresses, endpoints, balancers]) loop.mark(key);
  };
  const follow = (prefix: string, onEvent: (event: ViewEvent) => void): { cancel(): void } =>
    followAll(desired, prefix, onEvent);
  const watches = [
    follow(servicePrefix, ({ current }) => markService(current.key)),
    follow(podPrefix, (event) => {
      pods.mark(event.current.key);
      for (const key of servicesOf(desired, event)) {
        endpoints.mark(key);
        balancers.mark(key);
      }
    }),
  ];
  return {
    stop: async () => {
      for (const watch of watches) watch.cancel();
      await Promise.all([addresses, pods, endpoints, balancers].map((loop) => loop.stop()));
    },
  };
}

async function ensureFurniture({ desired, place, clock, writer }: Context): Promise<void> {
  const now = toTimestamp(clock.now());
  const wanted: readonly (readonly [string, KubeObject])[] = [
    ...planNamespaces(now).map((object) => ['namespaces', object] as const),
    ...planNodes(place, now).map((object) => ['nodes', object] as const),
  ];
  for (const [resource, object] of wanted) {
    const key = toLogKey({ group: '', resource, name: object.metadata.name });
    if (desired.get(key) === undefined) await writer.create(key, object);
  }
}

/** Everything there is as 'added', then each change. */
function followAll(
  desired: Desired,
  prefix: string,
  onEvent: (event: ViewEvent) => void,
): { cancel(): void } {
  // List and watch happen in one turn of the event loop, so nothing falls between.
  for (const current of desired.list(prefix))
    onEvent({ kind: 'added', current, previous: undefined });
  const handle = desired.watch(prefix, desired.revision(), (events) => events.forEach(onEvent));
  if (handle === 'expired') throw new Error(`cannot watch ${prefix} from the newest revision`);
  return handle;
}

/** Services whose selector takes the Pod as it is or as it was. */
function servicesOf(desired: Desired, event: ViewEvent): readonly LogKey[] {
  const { namespace } = splitLogKey(event.current.key);
  const versions = [event.current, event.previous].flatMap((stored) => stored?.object ?? []);
  const isBehind = ({ object }: StoredObject): boolean =>
    versions.some(({ metadata }) => isSelected(asService(object), metadata.labels ?? {}));
  return [...desired.list(toLogPrefix('', 'services', namespace))]
    .filter(isBehind)
    .map(({ key }) => key);
}

async function runAddresses(context: Context, key: LogKey): Promise<undefined> {
  const { desired, ranges, writer, log } = context;
  const stored = desired.get(key);
  if (stored === undefined) return;
  const service = asService(stored.object);
  const taken = addressesOf(
    [...desired.list(servicePrefix)].map(({ object }) => asService(object)),
  );
  const ingress = planIngress(service, ranges, taken);
  if (ingress === undefined) return;
  const loadBalancer = ingress.length === 0 ? {} : { ingress };
  await writer.replace(stored, { ...service, status: { ...service.status, loadBalancer } });
  log.info('load-balancer addresses settled', {
    service: `${service.metadata.namespace ?? ''}/${service.metadata.name}`,
    ingress: ingress.map(({ ip }) => ip),
  });
}

async function runPod(
  context: Context,
  key: LogKey,
): Promise<{ readonly againAfterMs: number } | undefined> {
  const { desired, place, ranges, clock, writer } = context;
  const stored = desired.get(key);
  if (stored === undefined) return undefined;
  const pod = asPod(stored.object);
  const taken = new Set(
    [...desired.list(podPrefix)].flatMap(({ object }) => asPod(object).status?.podIP ?? []),
  );
  const node = chooseNode(place, pod.metadata.name);
  const plan = planPod(pod, {
    now: toTimestamp(clock.now()),
    nodeName: node.name,
    hostIp: node.ip,
    podIp: pod.status?.podIP ?? planPodIp(ranges, taken),
  });
  if (plan.kind === 'keep') return undefined;
  await writer.replace(stored, plan.pod);
  return plan.againAfterMs === undefined ? undefined : { againAfterMs: plan.againAfterMs };
}

async function runEndpoints(context: Context, key: LogKey): Promise<undefined> {
  const { desired } = context;
  const { namespace, name } = splitLogKey(key);
  const stored = desired.get(key);
  const plan =
    stored === undefined
      ? undefined
      : planEndpoints(asService(stored.object), podsIn(desired, namespace), zoneFinder(context));
  const sliceKey = (sliceName: string): LogKey =>
    toLogKey({ group: 'discovery.k8s.io', resource: 'endpointslices', namespace, name: sliceName });
  const wantedKey = plan === undefined ? undefined : sliceKey(plan.slice.metadata.name);
  for (const old of ownSlices(desired, namespace, name)) {
    if (old.key !== wantedKey) await context.writer.remove(old);
  }
  if (wantedKey !== undefined) await settle(context, wantedKey, plan?.slice);
  const endpointsKey = toLogKey({ group: '', resource: 'endpoints', namespace, name });
  await settle(context, endpointsKey, plan?.endpoints);
}

function ownSlices(desired: Desired, namespace: string, service: string): readonly StoredObject[] {
  return [...desired.list(toLogPrefix('discovery.k8s.io', 'endpointslices', namespace))].filter(
    ({ object: { metadata } }) =>
      metadata.labels?.['kubernetes.io/service-name'] === service &&
      metadata.labels['endpointslice.kubernetes.io/managed-by'] === sliceManager,
  );
}

function podsIn(desired: Desired, namespace: string): readonly Pod[] {
  return [...desired.list(toLogPrefix('', 'pods', namespace))].map(({ object }) => asPod(object));
}

function zoneFinder({ desired }: Context): (nodeName: string) => string | undefined {
  return (name) =>
    desired.get(toLogKey({ group: '', resource: 'nodes', name }))?.object.metadata.labels?.[
      'topology.kubernetes.io/zone'
    ];
}

/** Makes the object at `key` say what `wanted` says, keeping what else stands in its metadata. */
async function settle(
  { desired, writer }: Context,
  key: LogKey,
  wanted: KubeObject | undefined,
): Promise<void> {
  const old = desired.get(key);
  if (wanted === undefined) return old === undefined ? undefined : writer.remove(old);
  if (old === undefined) return writer.create(key, wanted);
  const next = { ...wanted, metadata: { ...old.object.metadata, ...wanted.metadata } };
  if (toCanonicalJson(next) === toCanonicalJson(old.object)) return undefined;
  return writer.replace(old, next);
}

async function runLoadBalancer(context: Context, key: LogKey): Promise<undefined> {
  const { desired, loadBalancers } = context;
  const { namespace } = splitLogKey(key);
  const stored = desired.get(key);
  const service = stored === undefined ? undefined : asService(stored.object);
  if (service === undefined || service.spec.type !== 'LoadBalancer')
    return loadBalancers.settle(key, undefined);
  const pods = selectPods(service, podsIn(desired, namespace)).filter(isReady);
  const addresses = (service.status?.loadBalancer?.ingress ?? []).flatMap(({ ip }) => ip ?? []);
  return loadBalancers.settle(key, {
    addresses: addresses.filter((address) =>
      address.startsWith(`${context.ranges.loadBalancers}.`),
    ),
    ports: (service.spec.ports ?? [])
      .filter(({ protocol = 'TCP' }) => protocol === 'TCP')
      .map(({ port }) => port),
    pods: pods.map(({ metadata }) => metadata.name),
  });
}
