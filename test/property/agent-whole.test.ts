// The whole agent over a simulated cluster, a session and a bus that the test plays: what it
// announces, applies, reports and goes on doing when its surroundings go away.

import test from 'ava';
import { toClusterName, toRevision, toServiceKey } from '../../common/model/ids.ts';
import type { KubeObject } from '../../common/model/kube-object.ts';
import type { ShardManifest, ShardResult } from '../../common/model/shard.ts';
import type { TelemetryMessage } from '../../common/model/telemetry.ts';
import type { Topology } from '../../common/model/topology.ts';
import { silentLog } from '../../common/runtime/log.ts';
import { silentMetrics } from '../../common/runtime/metrics.ts';
import type { BusMessage, TelemetryBus } from '../../common/runtime/telemetry-bus.ts';
import {
  decodeProbeReply,
  decodeReport,
  encodeProbeRequest,
} from '../../common/wire/telemetry-codec.ts';
import { memberKinds } from '../../coordinator/api/kinds/member/member.ts';
import type { AgentSession, Welcome } from '../../agent/agent-ports.ts';
import { createAgent } from '../../agent/agent.ts';
import { createTestAssignment } from '../support/agent-fixture.ts';
import { createManualClock, type ManualClock } from '../support/manual-clock.ts';
import { createSimKube } from '../support/sim-kube.ts';

const key = toServiceKey({ namespace: 'shop', name: 'nginx' });
const manifest: ShardManifest = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'nginx', namespace: 'shop' },
  spec: { type: 'LoadBalancer', ports: [{ port: 80 }], selector: { app: 'nginx' } },
};
const welcome: Welcome = {
  kind: 'welcome',
  session: 4,
  federation: 'fed',
  domain: 'example.com',
  natsUrls: ['nats://bus'],
  wantsInventory: false,
  ttlSeconds: 60,
};
const chance = {
  fraction: () => 0.5,
  uuid: (() => {
    let count = 0;
    return () => `00000000-0000-4000-8000-${String((count += 1)).padStart(12, '0')}`;
  })(),
  bytes: (count: number) => new Uint8Array(count),
};

class PlayedSession implements AgentSession {
  readonly assignment = createTestAssignment();
  readonly results: ShardResult[] = [];
  announced = 0;
  started = false;
  life = { session: 0, boot: 1 };
  #welcome: Welcome | undefined;
  readonly #listeners = new Set<(welcome: Welcome) => void>();
  constructor(known?: Welcome) {
    this.#welcome = known;
  }
  welcome = (): Welcome | undefined => this.#welcome;
  onWelcome = (listener: (welcome: Welcome) => void): (() => void) => {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  };
  peers = () => [];
  onPeers = () => () => undefined;
  isOpen = (): boolean => this.life.session > 0;
  incarnation = () => this.life;
  viewRevision = () => toRevision(9);
  report = (result: ShardResult): void => void this.results.push(result);
  announceTopology = (): void => void (this.announced += 1);
  tellForeign = (): void => undefined;
  start = (): void => void (this.started = true);
  stop = (): Promise<void> => Promise.resolve();
  /** The coordinator answers Hello. */
  open(session: number): void {
    this.life = { session, boot: 1 };
    this.#welcome = { ...welcome, session };
    for (const listener of this.#listeners) listener(this.#welcome);
  }
}

class RecordingBus implements TelemetryBus {
  readonly messages: TelemetryMessage[] = [];
  readonly served = new Map<string, (message: BusMessage) => Promise<Uint8Array>>();
  isConnected = (): boolean => true;
  publish = (_subject: string, payload: Uint8Array): void =>
    void this.messages.push(decodeReport(payload));
  subscribe = () => ({ cancel: () => undefined });
  serve = (pattern: string, answer: (message: BusMessage) => Promise<Uint8Array>) => {
    this.served.set(pattern, answer);
    return { cancel: () => void this.served.delete(pattern) };
  };
  request = (): Promise<Uint8Array> => Promise.reject(new Error('agents ask nothing'));
  onConnection = () => () => undefined;
  close = (): Promise<void> => Promise.resolve();
  last<K extends TelemetryMessage['kind']>(
    kind: K,
  ): Extract<TelemetryMessage, { kind: K }> | undefined {
    return this.messages.findLast((message) => message.kind === kind) as
      | Extract<TelemetryMessage, { kind: K }>
      | undefined;
  }
}

const node: KubeObject = {
  apiVersion: 'v1',
  kind: 'Node',
  metadata: {
    name: 'n1',
    labels: { 'topology.kubernetes.io/zone': 'us-a', 'topology.kubernetes.io/region': 'us' },
  },
  spec: { providerID: 'gce://p/us-a/n1', podCIDR: '10.8.0.0/24' },
};

async function startWorld(
  options: { readonly known?: Welcome; readonly recorded?: Topology; readonly state?: 'down' } = {},
) {
  const clock: ManualClock = createManualClock();
  const sim = await createSimKube({ kinds: memberKinds(), clock, chance });
  const hand = sim.client('somebody');
  const created = hand.create({ apiVersion: 'v1', plural: 'nodes' }, node);
  await clock.advance(100);
  await created;
  if (options.state !== undefined) sim.set(options.state);
  const session = new PlayedSession(options.known);
  const bus = new RecordingBus();
  const written: Topology[] = [];
  const agent = createAgent(
    {
      kube: sim.client('agent'),
      session,
      busConnector: {
        identity: (urls) => urls.join(),
        onChange: () => () => undefined,
        connect: () => bus,
      },
      prober: {
        probe: (target) => Promise.resolve({ target, ok: true, roundTripMs: 3, reason: '' }),
      },
      hostLookup: { lookup: () => Promise.reject(new Error('no names here')) },
      recordedTopology: {
        read: () => options.recorded,
        write: (topology) => void written.push(topology),
      },
      clock,
      chance,
      log: silentLog,
      metrics: silentMetrics,
    },
    {
      cluster: toClusterName('a'),
      declared: { zone: undefined, region: undefined, provider: undefined },
      guard: { allowedNamespaces: [], removalsPerMinute: 60 },
      allowLoopback: false,
    },
  );
  const start = async (ms: number): Promise<void> => {
    const starting = agent.start();
    await clock.advance(ms);
    await starting;
  };
  const end = async (): Promise<void> => {
    const stopping = agent.stop();
    await clock.advance(10_000);
    await stopping;
    await sim.close();
  };
  const write = async (call: Promise<unknown>): Promise<void> => {
    const settled = call.catch((error: unknown) => Promise.reject(error as Error));
    await clock.advance(200);
    await settled;
  };
  return { clock, sim, hand, session, bus, written, agent, start, end, write };
}

const topology: Topology = { zones: ['us-a'], region: 'us', provider: 'gce' };

test('a shard goes the whole way: assigned, applied, reported', async (t) => {
  const { clock, hand, session, bus, agent, start, end, write } = await startWorld();
  await start(2_000);
  t.true(session.started);
  t.deepEqual(agent.topology(), topology);
  session.open(4);
  session.assignment.wish(manifest);
  await clock.advance(3_000);
  t.like(session.results.at(-1), { key, outcome: 'applied', reason: 'Applied' });
  const path = { apiVersion: 'v1', plural: 'services', namespace: 'shop' };
  const slices = { apiVersion: 'discovery.k8s.io/v1', plural: 'endpointslices', namespace: 'shop' };
  await write(
    hand.create(slices, {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: {
        name: 'nginx-1',
        namespace: 'shop',
        labels: { 'kubernetes.io/service-name': 'nginx' },
      },
      addressType: 'IPv4',
      endpoints: [{ addresses: ['10.8.0.5'], conditions: { ready: true } }],
      ports: [{ port: 80, protocol: 'TCP' }],
    } as KubeObject),
  );
  await clock.advance(1_000);
  const delta = bus.messages.findLast(
    (message) => message.kind === 'delta' && message.report === 'health',
  );
  t.like(delta, {
    incarnation: { session: 4, boot: 1 },
    changed: [{ key, ready: 1, serving: 1, terminating: 0, total: 1 }],
  });
  t.like(bus.last('heartbeat'), {
    apiFresh: true,
    viewRevision: 9,
    incarnation: { session: 4, boot: 1 },
  });
  t.deepEqual(agent.status(), {
    federation: 'fed',
    isSessionOpen: true,
    isBusConnected: true,
    isApiFresh: true,
    isCacheFilled: true,
  });
  await write(hand.delete(path, 'nginx', {}));
  await clock.advance(1_000);
  t.is(
    (await Promise.all([hand.get(path, 'nginx'), clock.advance(100)]))[0]?.metadata.name,
    'nginx',
  ); // repaired
  await end();
});

test('a frozen API server is told as stale, changes nothing, and loses nothing', async (t) => {
  const { clock, sim, session, bus, start, end } = await startWorld();
  await start(2_000);
  session.open(4);
  session.assignment.wish(manifest);
  await clock.advance(3_000);
  const before = bus.last('full');
  sim.set('frozen');
  await clock.advance(28_000); // at rest it is asked rarely
  t.like(bus.last('heartbeat'), { apiFresh: false });
  session.assignment.wish({ ...manifest, metadata: { ...manifest.metadata, labels: { v: '2' } } });
  await clock.advance(2_000);
  t.like(session.results.at(-1), { key, outcome: 'failed', reason: 'ApiUnreachable' });
  t.is(bus.last('full'), before); // no report takes the shard away
  sim.set('up');
  await clock.advance(5_000);
  t.like(bus.last('heartbeat'), { apiFresh: true });
  t.like(session.results.at(-1), { key, outcome: 'applied' });
  await end();
});

test('I3: started without its API server it reports nothing, and announces the recorded topology', async (t) => {
  const { clock, sim, session, bus, agent, start, end } = await startWorld({
    known: welcome,
    recorded: topology,
    state: 'down',
  });
  await start(6_000);
  t.true(session.started);
  t.deepEqual(agent.topology(), topology);
  session.open(5);
  await clock.advance(5_000);
  t.is(bus.last('full'), undefined);
  t.like(bus.last('heartbeat'), { apiFresh: false, healthDigest: '', healthSequence: 0 });
  sim.set('up');
  await clock.advance(20_000);
  t.not(bus.last('full'), undefined);
  t.like(bus.last('heartbeat'), { apiFresh: true });
  await end();
});

test('a new session is a new life: everything is told again', async (t) => {
  const { clock, session, bus, start, end } = await startWorld();
  await start(2_000);
  session.open(4);
  session.assignment.wish(manifest);
  await clock.advance(5_000);
  bus.messages.length = 0;
  session.open(6);
  await clock.advance(3_000);
  t.like(bus.last('full'), { incarnation: { session: 6, boot: 1 } });
  t.like(bus.last('heartbeat'), { incarnation: { session: 6, boot: 1 } });
  await end();
});

test('probes are answered target by target, within the rules', async (t) => {
  const { clock, session, bus, start, end } = await startWorld();
  await start(2_000);
  session.open(4);
  await clock.advance(1_000);
  const answer = bus.served.get('isthmus.fed.probe.a');
  const targets = ['8.8.8.8', '127.0.0.1', '10.8.0.9'].map((address) => ({
    address,
    port: 80,
    method: 'tcp' as const,
  }));
  const payload = encodeProbeRequest({ targets, deadlineMs: 1_000 });
  const reply = await answer?.({ subject: 'isthmus.fed.probe.a', payload });
  const results = reply === undefined ? [] : decodeProbeReply(reply).results;
  t.deepEqual(
    results.map(({ ok, reason }) => (ok ? 'ok' : reason)),
    ['ok', 'NotAllowed', 'NotAllowed'],
  );
  await end();
});
