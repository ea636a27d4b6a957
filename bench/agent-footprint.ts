// What an agent costs its cluster: memory, CPU and bytes on its sockets at rest, as a process of its
// own against a real kube-apiserver (where `npm run peers` has built one, else a simulated cluster),
// with 100 Services, then with 1,000 and 20,000 endpoints.

import { join } from 'node:path';
import type { KubeObject } from '../common/model/kube-object.ts';
import { systemChance } from '../common/runtime/chance.ts';
import { sleep, systemClock } from '../common/runtime/clock.ts';
import type { KubeClient } from '../common/runtime/kube-client.ts';
import { connectFederation, makeJoinToken, waitForClusters } from '../demo/federation-api.ts';
import { createPart, type Part } from '../demo/part.ts';
import { takePorts } from '../demo/ports.ts';
import { findAssets } from '../demo/real/assets.ts';
import type { BenchContext } from './context.ts';
import { startCoordinator, type CoordinatorProcess } from './coordinator-process.ts';
import { readProcess, type ProcessUsage } from './process-memory.ts';
import { noteConditions, type Report } from './report.ts';
import { toNumberSetting, type BenchDefinition } from './settings.ts';
import { askSocketCounts, type SocketCounts } from './socket-counts.ts';

interface Command {
  readonly services: number;
  readonly moreServices: number;
  readonly endpoints: number;
  readonly settle: number;
  readonly window: number;
}

export const agentFootprint: BenchDefinition = {
  name: 'agent-footprint',
  summary: 'Memory, CPU and bytes of one agent at rest, few Services and many.',
  settings: [
    toNumberSetting('services', 100, [1, 5_000], 'Services at first, each with a ready endpoint.'),
    toNumberSetting('more-services', 1_000, [0, 5_000], 'Services then; 0 leaves this out.'),
    toNumberSetting('endpoints', 20_000, [0, 200_000], 'Endpoints of all those together.'),
    toNumberSetting('settle', 60, [1, 3_600], 'Seconds of rest before each measurement.'),
    toNumberSetting('window', 60, [5, 3_600], 'Seconds that a measurement takes.'),
  ],
  measure: (values, context) => {
    const of = (name: string): number => values.number(name) ?? 0; // all have defaults
    return measureFootprint(
      {
        services: of('services'),
        moreServices: of('more-services'),
        endpoints: of('endpoints'),
        settle: of('settle'),
        window: of('window'),
      },
      context,
    );
  },
};

const cluster = 'bench';
const namespace = 'default';
const atOnce = 16;
const readyMs = 120_000;
const appliedMs = 300_000;
const endMs = 5_000;
// A cluster has 250 load-balancer addresses here; the Services beyond are of type ClusterIP.
const balancedMax = 100;
const goals = { rssMiB: 75, cpuMillicores: 5, bytesPerSecond: 200 } as const;

async function measureFootprint(command: Command, context: BenchContext): Promise<Report> {
  const { say } = context;
  const conditions = noteConditions(systemClock);
  say('starting the coordinator');
  const coordinator = await startCoordinator(context);
  const isReal = findAssets(process.env) !== undefined;
  say(`starting a ${isReal ? 'real' : 'simulated'} cluster`);
  const member = await startMember(context, isReal);
  const agent = await startAgent(context, coordinator, member.kubeconfig);
  const world = { coordinator, member: member.kube, agent, say };
  const bare = await measureAtRest(world, command);
  await fill(world, { from: 0, to: command.services, endpointsEach: 1 });
  const few = await measureAtRest(world, command);
  const facts = {
    ...toFacts('no Services', bare),
    ...toFacts(`${command.services} Services`, few),
  };
  const settings = { ...command, isRealApiServer: isReal ? 1 : 0 };
  const report = { bench: agentFootprint.name, settings, measures: [] };
  if (command.moreServices <= command.services) {
    return { ...report, conditions: conditions(), facts };
  }
  await fill(world, {
    from: command.services,
    to: command.moreServices,
    endpointsEach: Math.round(command.endpoints / command.moreServices),
  });
  const many = await measureAtRest(world, command);
  const title = `${command.moreServices} Services, ${command.endpoints} endpoints`;
  return { ...report, conditions: conditions(), facts: { ...facts, ...toFacts(title, many) } };
}

interface Member {
  readonly kube: KubeClient;
  readonly kubeconfig: string;
}

async function startMember(context: BenchContext, isReal: boolean): Promise<Member> {
  const { dir, lifecycle, say } = context;
  const wish = { name: 'api', what: 'API of the cluster', port: 0, isUdpToo: false };
  const ports = await takePorts([wish], { isAnyPort: true, chance: systemChance, earlier: {} });
  const listen = `127.0.0.1:${ports.get('api') ?? 0}`;
  const script = isReal ? 'demo/real/main.js' : 'demo/cluster/main.js';
  const part = startPart(context, {
    name: 'cluster',
    script,
    readyMs,
    logPath: join(dir, 'cluster.log'),
    args: ['--name', cluster, '--data-dir', join(dir, 'cluster'), '--api-listen', listen],
  });
  lifecycle.onClose({ name: 'cluster', close: () => part.end(2 * endMs) });
  const ready = await part.start();
  const kubeconfig = String(ready['kubeconfig']);
  const kube = await connectFederation({ kubeconfig, clock: systemClock, chance: systemChance });
  lifecycle.onClose({ name: 'cluster client', close: async () => kube.close() });
  say(`its API is at ${String(ready['api'])}`);
  return { kube, kubeconfig };
}

interface RunningAgent {
  readonly pid: number;
  readonly countsPath: string;
}

async function startAgent(
  context: BenchContext,
  coordinator: CoordinatorProcess,
  kubeconfig: string,
): Promise<RunningAgent> {
  const { dir, lifecycle, say } = context;
  const { token } = await makeJoinToken(coordinator.kube, cluster);
  const countsPath = join(dir, 'socket-counts.json');
  const flags = {
    cluster,
    kubeconfig,
    coordinator: coordinator.mesh,
    token,
    'data-dir': join(dir, 'agent'),
    'resolver-listen': '127.0.0.1:0',
    'admin-listen': '127.0.0.1:0',
    'log-level': 'warn',
  };
  const part = startPart(context, {
    name: 'agent',
    script: 'agent/main.js',
    logPath: join(dir, 'agent.log'),
    args: Object.entries(flags).flatMap(([name, value]) => [`--${name}`, value]),
    nodeArgs: ['--import', new URL('./socket-meter.js', import.meta.url).href],
    env: { BENCH_SOCKET_COUNTS: countsPath },
  });
  lifecycle.onClose({ name: 'agent', close: () => part.end(endMs) });
  await part.start();
  const within = { clock: systemClock, withinMs: readyMs };
  const missing = await waitForClusters(coordinator.kube, [cluster], within);
  if (missing.length > 0) throw new Error(`not Ready: ${missing.join(', ')}`);
  say('the agent has joined; joining loads what it does not keep: it starts again');
  await part.end(endMs);
  await part.start();
  const again = await waitForClusters(coordinator.kube, [cluster], within);
  if (again.length > 0) throw new Error(`not Ready again: ${again.join(', ')}`);
  return { pid: part.pid() ?? 0, countsPath };
}

function startPart(context: BenchContext, program: Parameters<typeof createPart>[0]): Part {
  return createPart(program, {
    clock: systemClock,
    onUnexpectedEnd: (how) => context.say(`the ${program.name} ended (${how})`),
  });
}

interface World {
  readonly coordinator: CoordinatorProcess;
  readonly member: KubeClient;
  readonly agent: RunningAgent;
  readonly say: (text: string) => void;
}

/** Services at the federation, their shards in the cluster, and endpoints of each. */
async function fill(
  { coordinator, member, say }: World,
  { from, to, endpointsEach }: { from: number; to: number; endpointsEach: number },
): Promise<void> {
  say(`creating Services ${from} to ${to}, with ${endpointsEach} endpoints each`);
  const indexes = Array.from({ length: to - from }, (_, offset) => from + offset).values();
  const work = async (): Promise<void> => {
    for (const index of indexes) {
      await coordinator.kube.create(
        { apiVersion: 'v1', plural: 'services', namespace },
        toService(index),
      );
      const slices = { apiVersion: 'discovery.k8s.io/v1', plural: 'endpointslices', namespace };
      await member.create(slices, toSlice(index, endpointsEach));
    }
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  const until = systemClock.monotonicMs() + appliedMs;
  for (;;) {
    const services = await member.list({ apiVersion: 'v1', plural: 'services', namespace });
    const applied = services.filter(({ metadata }) => metadata.name.startsWith('bench-')).length;
    if (applied >= to) return;
    if (systemClock.monotonicMs() > until) throw new Error(`${applied} of ${to} shards applied`);
    await sleep(systemClock, 1_000);
  }
}

function toService(index: number): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: `bench-${index}`, labels: { run: `bench-${index}` } },
    spec: {
      type: index < balancedMax ? 'LoadBalancer' : 'ClusterIP',
      ports: [{ name: 'http', port: 80, protocol: 'TCP', targetPort: 8080 }],
    },
  };
}

/** By hand, as of a Service without selector: a controller has nothing to say about it. */
function toSlice(index: number, endpoints: number): KubeObject {
  const name = `bench-${index}`;
  const slice = {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: `${name}-bench`, labels: { 'kubernetes.io/service-name': name } },
    addressType: 'IPv4',
    ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
    endpoints: Array.from({ length: endpoints }, (_, each) => ({
      addresses: [`10.${64 + (index >> 6)}.${(index & 63) * 4 + (each >> 8)}.${each & 255 || 1}`],
      conditions: { ready: true, serving: true, terminating: false },
      nodeName: `bench-node-${each % 50}`,
      targetRef: {
        kind: 'Pod',
        namespace,
        name: `${name}-${each}`,
        uid: `5b2e${String(index).padStart(4, '0')}-8f0a-4d3c-9a51-${String(each).padStart(12, '0')}`,
      },
    })),
  };
  return slice;
}

interface AtRest {
  readonly usage: ProcessUsage;
  readonly millicores: number;
  readonly written: number;
  readonly read: number;
}

async function measureAtRest(world: World, { settle, window }: Command): Promise<AtRest> {
  const { agent, say } = world;
  say(`resting for ${settle} s, then measuring for ${window} s`);
  await sleep(systemClock, settle * 1000);
  const before = readProcess(agent.pid);
  const sockets = await askSocketCounts(agent.pid, agent.countsPath);
  const startMs = systemClock.monotonicMs();
  await sleep(systemClock, window * 1000);
  const usage = readProcess(agent.pid);
  const after = await askSocketCounts(agent.pid, agent.countsPath);
  const seconds = (systemClock.monotonicMs() - startMs) / 1000;
  const rate = (of: 'written' | 'read'): number =>
    Math.round((total(after, of) - total(sockets, of)) / seconds);
  const cpuMs = usage.cpuMs - before.cpuMs;
  for (const [port, counts] of Object.entries(after)) {
    const was = sockets[port] ?? { written: 0, read: 0 };
    const [out, into] = [counts.written - was.written, counts.read - was.read];
    say(
      `port ${port}: ${Math.round(out / seconds)} B/s written, ${Math.round(into / seconds)} read`,
    );
  }
  const at = { millicores: Math.round((cpuMs / seconds) * 10) / 10 };
  return { usage, ...at, written: rate('written'), read: rate('read') };
}

function total(counts: SocketCounts, of: 'written' | 'read'): number {
  return Object.values(counts).reduce((sum, each) => sum + each[of], 0);
}

function toFacts(title: string, { usage, millicores, written, read }: AtRest) {
  return {
    [`${title}: resident memory, MiB (goal ${goals.rssMiB})`]: usage.rssMiB,
    [`${title}: proportional share, MiB`]: usage.pssMiB,
    [`${title}: private, MiB`]: usage.privateMiB,
    [`${title}: CPU, millicores (goal ${goals.cpuMillicores})`]: millicores,
    [`${title}: written, B/s (goal ${goals.bytesPerSecond})`]: written,
    [`${title}: read, B/s (goal ${goals.bytesPerSecond})`]: read,
  };
}
