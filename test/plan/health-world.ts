// A small world for the health stage: clusters with agents, addresses that answer or not, links
// that can be cut, all on a virtual clock. Nothing here decides; tests turn its switches.

import {
  toClusterName,
  toContentHash,
  toLogKey,
  toRevision,
  toServiceKey,
  type ClusterName,
  type ServiceKey,
} from '../../common/model/ids.ts';
import type { Shard } from '../../common/model/shard.ts';
import type { ClusterLife, ShardState } from '../../common/model/health.ts';
import type { PlacementView, SessionView } from '../../common/model/views.ts';
import type {
  ProbeReply,
  ProbeResult,
  ProbeTarget,
  TelemetryMessage,
} from '../../common/model/telemetry.ts';
import type { KubeObject } from '../../common/model/kube-object.ts';
import { SumDigest } from '../../common/pure/digest.ts';
import { MeshError } from '../../common/pure/errors.ts';
import { reportSubject } from '../../common/pure/partition.ts';
import { toReportItem } from '../../common/pure/report-digest.ts';
import { sleep } from '../../common/runtime/clock.ts';
import { silentLog } from '../../common/runtime/log.ts';
import { silentMetrics } from '../../common/runtime/metrics.ts';
import type { BusMessage, TelemetryBus } from '../../common/runtime/telemetry-bus.ts';
import {
  decodeProbeRequest,
  encodeProbeReply,
  encodeReport,
} from '../../common/wire/telemetry-codec.ts';
import { ReachedTargets } from '../../agent/health/reached.ts';
import { createDesired } from '../../coordinator/desired/desired-log.ts';
import { createMemoryDisk, createMemoryStore } from '../../coordinator/desired/memory-store.ts';
import type { Desired } from '../../coordinator/desired/store.ts';
import { createHealth, type Health } from '../../coordinator/health/loop.ts';
import type { HealthConfig } from '../../coordinator/health/options.ts';
import { plainPlacement, plainSessions } from '../support/plain-placement.ts';
import { createVirtualClock, type VirtualClock } from '../support/virtual-clock.ts';

export const federation = 'myfederation';
export const nginx = toServiceKey({ namespace: 'default', name: 'nginx' });

/** Switches of one cluster and its agent. */
export interface Member {
  readonly name: ClusterName;
  readonly address: string;
  /** The agent process runs and its link to the coordinator works. */
  isAgentUp: boolean;
  hasNats: boolean;
  hasSession: boolean;
  isApiFresh: boolean;
  /** Its load balancer answers. */
  doesAnswer: boolean;
  /** Its load balancer refuses connections, which a probe learns at once. */
  doesRefuse: boolean;
  ready: number;
  remoteAddress: string;
  readonly zone: string;
  incarnation: number;
  sequence: number;
  beats: number;
}

export interface World {
  readonly clock: VirtualClock;
  readonly desired: Desired;
  readonly members: readonly Member[];
  health: Health;
  /** Vantage points whose probes reach nothing: `coordinator` or a cluster. */
  readonly blind: Set<string>;
  readonly events: string[];
  member(name: string): Member;
  life(name: string): ClusterLife | undefined;
  state(name: string): ShardState | undefined;
  /** Tells a new readiness, as an agent does on change. */
  tell(member: Member, ready: number): void;
  kill(member: Member): void;
  revive(member: Member): void;
  /** Any bytes on any subject. */
  deliver(message: BusMessage): void;
  /** Runs until the shards of all members are healthy and baseline probes are done. */
  warmUp(): Promise<void>;
  /** A new coordinator over the same log. */
  restart(): Promise<void>;
}

const tickMs = 1000;

export async function createWorld(
  names: readonly string[],
  config: Partial<HealthConfig> = {},
): Promise<World> {
  const clock = createVirtualClock();
  const store = createMemoryStore({ disk: createMemoryDisk('world') });
  const desired = await createDesired({
    store,
    clock,
    log: silentLog,
    metrics: silentMetrics,
  });
  const members = names.map(
    (name, index): Member => ({
      name: toClusterName(name),
      address: `8.8.4.${index + 1}`,
      isAgentUp: true,
      hasNats: true,
      hasSession: true,
      isApiFresh: true,
      doesAnswer: true,
      doesRefuse: false,
      ready: 1,
      remoteAddress: `198.51.100.${index + 1}`,
      zone: `zone-${index}`,
      incarnation: 1,
      sequence: 0,
      beats: 0,
    }),
  );
  for (const member of members) await writeCluster(desired, member);
  await writeService(desired);
  const blind = new Set<string>();
  const events: string[] = [];
  const bus = createBus(clock, members, blind);
  const sessions = createSessions(clock, members);
  const build = (): Health =>
    createHealth({
      desired,
      placement: createPlacement(members),
      sessions,
      bus,
      prober: { probe: (target) => probe(clock, members, blind, 'coordinator', target) },
      recorder: { record: ({ reason, message }) => void events.push(`${reason} ${message}`) },
      config: { federation, addressRules: { allowLoopback: false }, ...config },
      clock,
      chance: { fraction: () => 0.5, uuid: () => '0', bytes: (count) => new Uint8Array(count) },
      log: silentLog,
      metrics: silentMetrics,
    });

  const member = (name: string): Member => {
    const found = members.find((candidate) => candidate.name === name);
    if (found === undefined) throw new Error(`no cluster ${name}`);
    return found;
  };
  const world: World = {
    clock,
    desired,
    members,
    health: build(),
    blind,
    events,
    member,
    life: (name) => world.health.view.cluster(member(name).name)?.life,
    state: (name) => world.health.view.shard(member(name).name, nginx)?.state,
    tell: (one, ready) => {
      one.ready = ready;
      one.sequence += 1;
      const delta = {
        kind: 'delta',
        report: 'health',
        previousSequence: one.sequence - 1,
      } as const;
      send(bus, one, {
        ...sender(one),
        ...delta,
        sequence: one.sequence,
        changed: [readiness(one)],
        removed: [],
      });
    },
    kill: (one) => {
      one.isAgentUp = false;
      one.doesAnswer = false;
    },
    revive: (one) => {
      one.isAgentUp = true;
      one.doesAnswer = true;
      one.incarnation += 1;
      one.beats = 0;
      tellFull(bus, one);
    },
    deliver: (message) => bus.deliver(message),
    warmUp: async () => {
      await clock.advance(5000);
    },
    restart: async () => {
      await world.health.stop();
      sessions.forget();
      world.health = build();
      world.health.start();
      await clock.settle();
    },
  };
  world.health.start();
  for (const one of members) {
    tellFull(bus, one);
    const beat = (): void => {
      heartbeat(bus, one);
      clock.after(tickMs, beat);
    };
    clock.after(100, beat);
  }
  return world;
}

async function writeCluster(desired: Desired, { name, zone }: Member): Promise<void> {
  const object: KubeObject = {
    apiVersion: 'isthmus.dev/v1alpha1',
    kind: 'Cluster',
    metadata: { name },
    spec: { zone, region: 'region' },
  };
  const key = toLogKey({ group: 'isthmus.dev', resource: 'clusters', name });
  await desired.write({ key, object, expected: toRevision(0) });
}

async function writeService(desired: Desired): Promise<void> {
  const object: KubeObject = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'nginx', namespace: 'default' },
    spec: { type: 'LoadBalancer', ports: [{ port: 80, protocol: 'TCP' }] },
  };
  const at = { group: '', resource: 'services', namespace: 'default', name: 'nginx' };
  await desired.write({ key: toLogKey(at), object, expected: toRevision(0) });
}

function createPlacement(members: readonly Member[]): PlacementView {
  const shard: Shard = { key: nginx, bytes: new Uint8Array(), hash: toContentHash('00') };
  return {
    revision: () => toRevision(1),
    shard: (_cluster, key) => (key === nginx ? shard : undefined),
    shardsOf: () => [shard],
    clustersOf: (key) => (key === nginx ? members.map(({ name }) => name) : []),
    ...plainPlacement,
  };
}

function createSessions(
  clock: VirtualClock,
  members: readonly Member[],
): SessionView & { forget(): void } {
  const lastMs = new Map<ClusterName, number>();
  return {
    session: (cluster) => {
      const member = members.find(({ name }) => name === cluster);
      if (member === undefined) return undefined;
      const isConnected = member.isAgentUp && member.hasSession;
      // A live stream carries a pong a second.
      if (isConnected) lastMs.set(cluster, Math.floor(clock.monotonicMs() / 1000) * 1000);
      if (!lastMs.has(cluster)) return undefined;
      return {
        isConnected,
        incarnation: { session: 1, boot: member.incarnation },
        topology: { zones: [member.zone], region: 'region', provider: undefined },
        kubernetesVersion: 'v1.33.0',
        agentVersion: '0.1.0',
        lastMessageMonotonicMs: lastMs.get(cluster) ?? 0,
        remoteAddress: member.remoteAddress,
      };
    },
    result: () => undefined,
    ...plainSessions,
    subscribe: () => () => undefined,
    forget: () => lastMs.clear(),
  };
}

type Handler = (message: BusMessage) => void;

interface TestBus extends TelemetryBus {
  deliver(message: BusMessage): void;
}

function createBus(clock: VirtualClock, members: readonly Member[], blind: Set<string>): TestBus {
  const handlers = new Set<{ readonly prefix: string; readonly handle: Handler }>();
  // Agents remember what they reached, whichever coordinator asked.
  const memories = new Map<string, ReachedTargets>();
  const bus: TestBus = {
    deliver: (message) => {
      for (const { prefix, handle } of handlers) {
        if (message.subject.startsWith(prefix)) handle(message);
      }
    },
    isConnected: () => true,
    publish: () => undefined,
    subscribe: (pattern, handle) => {
      const entry = { prefix: pattern.replace('>', ''), handle };
      handlers.add(entry);
      return { cancel: () => void handlers.delete(entry) };
    },
    serve: () => ({ cancel: () => undefined }),
    request: async (subject, payload, timeoutMs) => {
      const [, , kind, cluster] = subject.split('.');
      const member = members.find(({ name }) => name === cluster);
      await sleep(clock, 5);
      if (member === undefined || !member.isAgentUp || !member.hasNats) {
        await sleep(clock, timeoutMs);
        throw new MeshError('retryable', 'BUS_TIMEOUT', `no answer on ${subject}`);
      }
      if (kind === 'sync') {
        tellFull(bus, member);
        return new Uint8Array();
      }
      const { targets } = decodeProbeRequest(payload);
      const probes = targets.map((target) => probe(clock, members, blind, member.name, target));
      const memory = memories.get(member.name) ?? new ReachedTargets();
      memories.set(member.name, memory);
      const results = await Promise.all(probes);
      const reply: ProbeReply = {
        results: results.map((result) => memory.note(result, clock.monotonicMs())),
      };
      return encodeProbeReply(reply);
    },
    onConnection: () => () => undefined,
    close: () => Promise.resolve(),
  };
  return bus;
}

async function probe(
  clock: VirtualClock,
  members: readonly Member[],
  blind: ReadonlySet<string>,
  from: string,
  target: ProbeTarget,
): Promise<ProbeResult> {
  const member = members.find(({ address }) => address === target.address);
  const doesRefuse = member?.doesRefuse === true;
  const ok =
    member?.doesAnswer === true &&
    !doesRefuse &&
    !blind.has(from) &&
    !blind.has(`${from}>${member.name}`);
  await sleep(clock, ok || doesRefuse ? 10 : 900);
  return { target, ok, roundTripMs: 10, reason: ok ? '' : doesRefuse ? 'Refused' : 'TimedOut' };
}

function sender(member: Member) {
  return { cluster: member.name, incarnation: { session: 1, boot: member.incarnation } };
}

function readiness({ ready }: Member) {
  return { key: nginx, ready, serving: ready, terminating: 0, total: 1 };
}

function ingress({ address }: Member) {
  return {
    key: nginx as ServiceKey,
    type: 'LoadBalancer' as const,
    addresses: [{ ip: address }],
    clusterIps: ['10.0.0.1'],
    ports: [{ port: 80, protocol: 'TCP' as const }],
  };
}

function send(bus: TestBus, member: Member, message: TelemetryMessage): void {
  if (!member.isAgentUp || !member.hasNats) return;
  const kind =
    message.kind === 'heartbeat' || message.kind === 'event'
      ? message.kind
      : (`${message.report}.${message.kind}` as const);
  bus.deliver({
    subject: reportSubject(federation, kind, member.name),
    payload: encodeReport(message),
  });
}

function tellFull(bus: TestBus, member: Member): void {
  member.sequence += 1;
  const page = { kind: 'full', part: 1, parts: 1, sequence: member.sequence } as const;
  send(bus, member, { ...sender(member), ...page, report: 'health', items: [readiness(member)] });
  send(bus, member, { ...sender(member), ...page, report: 'ingress', items: [ingress(member)] });
}

function heartbeat(bus: TestBus, member: Member): void {
  member.beats += 1;
  const digestOf = (text: string): string => {
    const digest = new SumDigest();
    digest.add(text);
    return digest.value();
  };
  send(bus, member, {
    ...sender(member),
    kind: 'heartbeat',
    sequence: member.beats,
    viewRevision: toRevision(1),
    healthDigest: digestOf(toReportItem('health', readiness(member))),
    ingressDigest: digestOf(toReportItem('ingress', ingress(member))),
    healthSequence: member.sequence,
    ingressSequence: member.sequence,
    apiFresh: member.isApiFresh,
    apiAgeMs: member.isApiFresh ? 100 : 60_000,
  });
}
