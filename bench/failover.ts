// From a lost shard to a changed DNS answer, on the topology of the demo: four clusters, each an
// API process with load balancers and an agent process.
//
//   rounds  a Service's only Pod in one cluster becomes unready. Each round takes a Service of its
//           own, so that the hold-down of flapping shards has no part in it.
//   kills   API process and agent process of a cluster get SIGKILL. DNS is whole before each.

import { join } from 'node:path';
import { toServiceKey } from '../common/model/ids.ts';
import type { KubeObject } from '../common/model/kube-object.ts';
import { toGlobalName } from '../common/pure/level-names.ts';
import { systemChance } from '../common/runtime/chance.ts';
import { systemClock } from '../common/runtime/clock.ts';
import type { KubeClient, ResourcePath } from '../common/runtime/kube-client.ts';
import { connectKube } from '../common/runtime/kube-http.ts';
import { loadKubeEndpoint } from '../common/runtime/kubeconfig.ts';
import { readyAnnotation } from '../demo/cluster/plan-pod.ts';
import { asService } from '../demo/cluster/shapes.ts';
import { federationContext, memberClusters } from '../demo/clusters.ts';
import type { DemoFile } from '../demo/demo-file.ts';
import { prepareMesh, type Mesh } from '../demo/mesh.ts';
import { agentName } from '../demo/programs.ts';
import { readUsage } from './coordinator-process.ts';
import { pollDns, type DnsSeen } from './dns-poll.ts';
import type { BenchContext } from './context.ts';
import { noteConditions, type Report } from './report.ts';
import { toNumberSetting, type BenchDefinition } from './settings.ts';
import { sharedMs } from './shared-clock.ts';
import { summarize } from './statistics.ts';

interface World {
  readonly mesh: Mesh;
  readonly demo: DemoFile;
  readonly federation: KubeClient;
  readonly members: readonly Member[];
}

interface Member {
  readonly name: string;
  readonly kube: KubeClient;
}

interface Lost {
  readonly fromRequestMs: number;
  readonly fromSliceMs: number;
}

const namespace = 'default';
const dnsMs = 20_000;
const wholeMs = 60_000;
const pods: ResourcePath = { apiVersion: 'v1', plural: 'pods', namespace };
const services: ResourcePath = { apiVersion: 'v1', plural: 'services', namespace };
const slices: ResourcePath = {
  apiVersion: 'discovery.k8s.io/v1',
  plural: 'endpointslices',
  namespace,
};
// Zero ready endpoints, and a dead cluster, to DNS change submitted. The first is held against the
// longer of the two durations: from before the Pod's change was even asked for.
const endpointsGoal = { of: 'p99', ms: 500 } as const;
const clusterGoal = { of: 'p99', ms: 5_000 } as const;

export const failover: BenchDefinition = {
  name: 'failover',
  summary:
    'How long DNS takes to turn away from a shard without ready endpoints, and a dead cluster.',
  settings: [
    toNumberSetting('rounds', 10, [1, 100], 'Times that a shard loses its last ready endpoint.'),
    toNumberSetting('kills', 5, [0, 50], 'Times that a cluster is killed.'),
  ],
  measure: (values, context) =>
    measureFailover(
      { rounds: values.number('rounds') ?? 0, kills: values.number('kills') ?? 0 }, // defaults
      context,
    ),
};

interface Command {
  readonly rounds: number;
  readonly kills: number;
}

async function measureFailover(command: Command, context: BenchContext): Promise<Report> {
  const { rounds, kills } = command;
  const { say } = context;
  const conditions = noteConditions(systemClock);
  const world = await openWorld(context);
  const names = Array.from({ length: Math.max(rounds, 1) }, (_, index) => `bench-${index}`);
  say(`creating ${names.length} Services with a Pod in each cluster`);
  await Promise.all(names.map((name) => createWithPods(world, name)));
  for (const name of names) await untilWhole(world, name);

  say(`${rounds} times: the last ready endpoint goes`);
  const lost: Lost[] = [];
  for (const [round, name] of names.slice(0, rounds).entries())
    lost.push(await loseEndpoints(world, name, memberAt(world, round)));
  await Promise.all(names.slice(0, rounds).map((name, round) => regain(world, name, round)));

  const dead: number[] = [];
  for (let round = 0; round < kills; round += 1) {
    const member = memberAt(world, round);
    for (const name of names) await untilWhole(world, name);
    say(`kill ${round + 1} of ${kills}: ${member.name}`);
    dead.push(await killCluster(world, names[0] ?? '', member));
  }
  const used = await readUsage(world.demo.admin);
  return {
    bench: failover.name,
    settings: { clusters: memberClusters.length, rounds, kills },
    conditions: conditions(),
    measures: [
      {
        name: 'Pod unready requested -> DNS changed',
        summary: summarize(lost.map(({ fromRequestMs }) => fromRequestMs)),
        goal: endpointsGoal,
      },
      {
        name: 'empty EndpointSlice seen -> DNS changed',
        summary: summarize(lost.map(({ fromSliceMs }) => fromSliceMs)),
      },
      { name: 'cluster killed -> DNS changed', summary: summarize(dead), goal: clusterGoal },
    ],
    facts: {
      'coordinator CPU in all, ms': used.cpuMs,
      'coordinator memory after, MiB': used.rssMiB,
    },
  };
}

async function openWorld({ dir, natsServer, lifecycle, say }: BenchContext): Promise<World> {
  const mesh = await prepareMesh({
    dir: join(dir, 'demo'),
    isAnyPort: true,
    isReal: false,
    natsServer,
    clock: systemClock,
    chance: systemChance,
    say,
  });
  lifecycle.onClose({ name: 'mesh', close: () => mesh.end() });
  const demo = await mesh.start();
  const connect = async (context: string): Promise<KubeClient> => {
    const config = await loadKubeEndpoint({ kubeconfigPath: demo.kubeconfig, context }, {});
    const kube = connectKube({ config, clock: systemClock, chance: systemChance });
    lifecycle.onClose({ name: context, close: async () => kube.close() });
    return kube;
  };
  return {
    mesh,
    demo,
    federation: await connect(federationContext),
    members: await Promise.all(
      memberClusters.map(async ({ name }) => ({ name, kube: await connect(name) })),
    ),
  };
}

function memberAt({ members }: World, round: number): Member {
  const member = members[round % members.length];
  if (member === undefined) throw new Error('no member clusters');
  return member;
}

async function createWithPods({ federation, members }: World, name: string): Promise<void> {
  await federation.create(services, {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name },
    spec: { type: 'LoadBalancer', selector: { run: name }, ports: [{ port: 80 }] },
  } as KubeObject);
  await Promise.all(
    members.map(({ kube }) =>
      kube.create(pods, {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name, labels: { run: name } },
        spec: { containers: [{ name: 'nginx', image: 'nginx', ports: [{ containerPort: 80 }] }] },
      } as KubeObject),
    ),
  );
}

/** Waits until the global name has an address for every cluster. */
function untilWhole(world: World, name: string): Promise<DnsSeen> {
  const isWhole = (answer: string): boolean => addressesIn(answer).size === world.members.length;
  return poll(world, name, isWhole, wholeMs);
}

async function loseEndpoints(world: World, name: string, member: Member): Promise<Lost> {
  const address = await addressOf(member, name);
  const empty = watchForEmpty(member.kube, name);
  await empty.listed;
  const changed = poll(world, name, (answer) => !addressesIn(answer).has(address), dnsMs);
  const requestedMs = sharedMs();
  const [{ atMs }, emptyMs] = await Promise.all([
    changed,
    empty.seen,
    annotate(member.kube, name, 'false'),
  ]).finally(empty.cancel);
  return { fromRequestMs: atMs - requestedMs, fromSliceMs: atMs - emptyMs };
}

async function regain(world: World, name: string, round: number): Promise<void> {
  await annotate(memberAt(world, round).kube, name, 'true');
}

async function annotate(kube: KubeClient, pod: string, ready: 'true' | 'false'): Promise<void> {
  const patch = { metadata: { annotations: { [readyAnnotation]: ready } } };
  await kube.mergePatch(pods, pod, patch, 'bench');
}

/** When a watch like the agent's own sees the Service's EndpointSlice without a ready endpoint. */
function watchForEmpty(
  kube: KubeClient,
  service: string,
): { readonly listed: Promise<void>; readonly seen: Promise<number>; cancel(): void } {
  let onListed = (): void => undefined;
  let onSeen = (_atMs: number): void => undefined;
  const listed = new Promise<void>((resolve) => (onListed = resolve));
  const seen = new Promise<number>((resolve) => (onSeen = resolve));
  const watch = kube.watch(slices, {
    onList: () => onListed(),
    onEvent: (_type, object) => {
      const isOurs = object.metadata.labels?.['kubernetes.io/service-name'] === service;
      if (isOurs && !hasReadyEndpoint(object)) onSeen(sharedMs());
    },
    onError: () => undefined, // it tries again by itself
  });
  return { listed, seen, cancel: watch.cancel };
}

function hasReadyEndpoint(slice: KubeObject): boolean {
  const { endpoints } = slice as KubeObject & {
    readonly endpoints?: readonly { readonly conditions?: { readonly ready?: boolean } }[];
  }; // watched under the path of EndpointSlices
  return endpoints?.some(({ conditions }) => conditions?.ready === true) === true;
}

/** Kills it, waits for DNS, and starts it again. */
async function killCluster(world: World, name: string, member: Member): Promise<number> {
  const { mesh } = world;
  const address = await addressOf(member, name);
  const parts = [member.name, agentName(member.name)];
  const changed = poll(world, name, (answer) => !addressesIn(answer).has(address), dnsMs);
  const killedMs = sharedMs();
  const [{ atMs }] = await Promise.all([changed, ...parts.map((part) => act(mesh, 'kill', part))]);
  for (const part of parts) await act(mesh, 'start', part);
  return atMs - killedMs;
}

async function act(mesh: Mesh, verb: string, part: string): Promise<void> {
  const { ok, message } = await mesh.act(verb, part);
  if (!ok) throw new Error(message);
}

async function addressOf({ name, kube }: Member, service: string): Promise<string> {
  const found = await kube.get(services, service);
  const ingress = found === undefined ? [] : (asService(found).status?.loadBalancer?.ingress ?? []);
  const address = ingress.map(({ ip }) => ip).find((ip) => ip?.startsWith('127.'));
  if (address === undefined) throw new Error(`${service} has no address in ${name}`);
  return address;
}

function poll(
  { demo }: World,
  service: string,
  isWanted: (answer: string) => boolean,
  withinMs: number,
): Promise<DnsSeen> {
  return pollDns({
    server: demo.dns,
    name: toGlobalName(toServiceKey({ namespace, name: service }), demo),
    isWanted,
    withinMs,
    clock: systemClock,
  });
}

/** Of an answer like `A 127.11.0.1 127.12.0.1`. */
function addressesIn(answer: string): ReadonlySet<string> {
  const [type, ...addresses] = answer.split(' ');
  return new Set(type === 'A' ? addresses : []);
}
