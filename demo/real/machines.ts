// What a control plane without machines lacks, through its API alone: Nodes, a kubelet that makes
// Pods run, a cloud that gives load balancers their addresses and listens there. Decisions are
// those of the simulated cluster (../cluster/plan-*.ts); endpoints are the real controllers'.

import type { KubeObject, Service } from '../../common/model/kube-object.ts';
import type { Chance } from '../../common/runtime/chance.ts';
import { toTimestamp, type Clock } from '../../common/runtime/clock.ts';
import { createInformer, type Informer, type ObjectKey } from '../../common/runtime/informer.ts';
import { createExchange, type KubeEndpoint } from '../../common/runtime/kube-http-exchange.ts';
import { createKubeClient } from '../../common/runtime/kube-http.ts';
import type { Log } from '../../common/runtime/log.ts';
import { createLoop, type Loop } from '../../common/runtime/loop.ts';
import { toLogKey } from '../../common/model/ids.ts';
import type { LoadBalancers } from '../cluster/load-balancers.ts';
import {
  addressesOf,
  planIngress,
  planPodIp,
  type AddressRanges,
} from '../cluster/plan-addresses.ts';
import { selectPods } from '../cluster/plan-endpoints.ts';
import { chooseNode, planNodes, type ClusterPlace } from '../cluster/plan-nodes.ts';
import { planPod } from '../cluster/plan-pod.ts';
import { asPod, asService, isReady, type Pod } from '../cluster/shapes.ts';
import { createMachineWriter, type MachineWriter } from './machine-writer.ts';

export interface MachinesOptions {
  readonly endpoint: KubeEndpoint;
  readonly place: ClusterPlace;
  readonly ranges: AddressRanges;
  readonly loadBalancers: LoadBalancers;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly log: Log;
}

type Context = MachinesOptions & {
  readonly writer: MachineWriter;
  readonly pods: Informer<Pod>;
  readonly services: Informer<Service>;
};

/** Resolves when the Nodes are there; Pods and Services are followed from then on. */
export async function startMachines(options: MachinesOptions): Promise<{ stop(): Promise<void> }> {
  const { clock, chance, log, place } = options;
  const exchange = createExchange(options.endpoint, clock);
  const kube = createKubeClient({ exchange, clock, chance });
  const writer = createMachineWriter(exchange);
  for (const node of planNodes(place, toTimestamp(clock.now()))) await writer.ensureNode(node);
  const informer = <T>(plural: string, pick: (object: KubeObject) => T): Informer<T> =>
    createInformer({ kube, path: { apiVersion: 'v1', plural }, log, pick });
  const context: Context = {
    ...options,
    writer,
    pods: informer('pods', asPod),
    services: informer('services', asService),
  };
  const loopFor = (
    name: string,
    run: (context: Context, key: ObjectKey) => Promise<{ againAfterMs: number } | undefined>,
  ): Loop<ObjectKey> =>
    createLoop<ObjectKey>({
      name,
      run: (key) => run(context, key),
      clock,
      chance,
      log,
      // One at a time, because an address is chosen: two at once would choose the same.
      concurrency: 1,
      backoffMinMs: 20,
      backoffMaxMs: 2_000,
    });
  const kubelet = loopFor('kubelet', runPod);
  const cloud = loopFor('cloud', runService);
  context.pods.subscribe({
    onChange: ({ key }) => {
      kubelet.mark(key);
      for (const service of context.services.values()) cloud.mark(keyOf(service));
    },
  });
  context.services.subscribe({ onChange: ({ key }) => cloud.mark(key) });
  return {
    stop: async () => {
      await Promise.all([kubelet.stop(), cloud.stop()]);
      kube.close();
    },
  };
}

async function runPod(
  context: Context,
  key: ObjectKey,
): Promise<{ againAfterMs: number } | undefined> {
  const { pods, place, ranges, clock, writer } = context;
  const pod = pods.get(key);
  if (pod === undefined) return undefined;
  if (pod.metadata.deletionTimestamp !== undefined) {
    await writer.endPod(pod);
    return undefined;
  }
  const taken = new Set([...pods.values()].flatMap(({ status }) => status?.podIP ?? []));
  const node = chooseNode(place, pod.metadata.name);
  const plan = planPod(pod, {
    now: toTimestamp(clock.now()),
    nodeName: node.name,
    hostIp: node.ip,
    podIp: pod.status?.podIP ?? planPodIp(ranges, taken),
  });
  if (plan.kind === 'keep') return undefined;
  if (pod.spec.nodeName === undefined) await writer.bind(pod, node.name);
  else await writer.writeStatus('pods', plan.pod, plan.pod.status ?? {});
  return plan.againAfterMs === undefined ? undefined : { againAfterMs: plan.againAfterMs };
}

async function runService(context: Context, key: ObjectKey): Promise<undefined> {
  const { services, ranges, writer, loadBalancers, pods, log } = context;
  const service = services.get(key);
  const [namespace = '', name = ''] = key.split('/');
  const logKey = toLogKey({ group: '', resource: 'services', namespace, name });
  if (service === undefined) return loadBalancers.settle(logKey, undefined);
  const ingress = planIngress(service, ranges, addressesOf([...services.values()]));
  if (ingress !== undefined) {
    // The watch brings it back, and then the listener is opened.
    await writer.writeStatus('services', service, { loadBalancer: { ingress } });
    log.info('load-balancer addresses settled', { service: key });
    return undefined;
  }
  if (service.spec.type !== 'LoadBalancer') return loadBalancers.settle(logKey, undefined);
  const inNamespace = [...pods.values()].filter(({ metadata }) => metadata.namespace === namespace);
  const addresses = (service.status?.loadBalancer?.ingress ?? []).flatMap(({ ip }) => ip ?? []);
  return loadBalancers.settle(logKey, {
    addresses: addresses.filter((address) => address.startsWith(`${ranges.loadBalancers}.`)),
    ports: (service.spec.ports ?? [])
      .filter(({ protocol = 'TCP' }) => protocol === 'TCP')
      .map(({ port }) => port),
    pods: selectPods(service, inNamespace)
      .filter(isReady)
      .map(({ metadata }) => metadata.name),
  });
}

function keyOf({ metadata }: KubeObject): ObjectKey {
  return `${metadata.namespace ?? ''}/${metadata.name}`;
}
