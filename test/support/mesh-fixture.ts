// A coordinator's session stage on a real port over a store in memory, and agents that dial it
// with real certificates. Placement and peers are tables that the test writes.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import {
  toClusterName,
  toLogKey,
  toRevision,
  type ClusterName,
  type ServiceKey,
} from '../../common/model/ids.ts';
import { isthmusGroup, type Cluster } from '../../common/model/isthmus-kinds.ts';
import type { RemovalOrder, Shard } from '../../common/model/shard.ts';
import type { EventRecorder, PlacementView } from '../../common/model/views.ts';
import { contentHash } from '../../common/pure/digest.ts';
import { systemChance } from '../../common/runtime/chance.ts';
import { systemClock } from '../../common/runtime/clock.ts';
import { silentLog, type Log } from '../../common/runtime/log.ts';
import { silentMetrics, type Metrics } from '../../common/runtime/metrics.ts';
import { encodeSeed, openSeed } from '../../common/runtime/nkeys.ts';
import type { KeyPairPem } from '../../common/runtime/certificates.ts';
import { createCa, issueServerCertificate } from '../../common/runtime/pki.ts';
import { openAgentRecord } from '../../agent/session/agent-record.ts';
import { createGrpcDialer } from '../../agent/session/grpc-dialer.ts';
import { openLmdbRecord } from '../../agent/session/lmdb-record.ts';
import { createAgentSession, type AgentSession } from '../../agent/session/loop.ts';
import type { NatsLoginKeeper } from '../../agent/session/nats-login.ts';
import type { MeshDialer } from '../../agent/session/mesh-port.ts';
import type { AgentRecord } from '../../agent/session/record.ts';
import { createDesired } from '../../coordinator/desired/desired-log.ts';
import {
  createMemoryDisk,
  createMemoryStore,
  type MemoryDisk,
} from '../../coordinator/desired/memory-store.ts';
import type { Desired } from '../../coordinator/desired/store.ts';
import { createAuthority, oneCa } from '../../coordinator/session/certificate-authority.ts';
import { createGrpcListener, fixedCertificates } from '../../coordinator/session/grpc-listener.ts';
import { createSessions, type Sessions } from '../../coordinator/session/loop.ts';
import type { NatsUserRecord } from '../../coordinator/session/nats-plan.ts';
import {
  createNatsUsers,
  type NatsUsers,
  type NatsUsersOptions,
} from '../../coordinator/session/nats-users.ts';
import { plainPlacement } from './plain-placement.ts';
import { makeToken, type TokenOptions } from './join-tokens.ts';
import { TablePeers } from './table-peers.ts';

export const federation = 'myfederation';
const clock = systemClock;

export type RecordedEvent = Parameters<EventRecorder['record']>[0];

/** Placement as a table. */
export class TablePlacement implements PlacementView {
  readonly traffic = plainPlacement.traffic;
  readonly notes = plainPlacement.notes;
  readonly #desired: Desired;
  readonly #shards = new Map<ClusterName, Map<ServiceKey, Shard>>();
  readonly #orders = new Map<ClusterName, Map<ServiceKey, RemovalOrder>>();
  readonly #listeners = new Set<(due: { cluster: ClusterName; key: ServiceKey }) => void>();

  constructor(desired: Desired) {
    this.#desired = desired;
  }

  revision() {
    return this.#desired.revision();
  }

  shard(cluster: ClusterName, key: ServiceKey): Shard | undefined {
    return this.#shards.get(cluster)?.get(key);
  }

  shardsOf(cluster: ClusterName): Iterable<Shard> {
    return this.#shards.get(cluster)?.values() ?? [];
  }

  clustersOf(key: ServiceKey): readonly ClusterName[] {
    return [...this.#shards].filter(([, shards]) => shards.has(key)).map(([name]) => name);
  }

  removalsOf(cluster: ClusterName): Iterable<RemovalOrder> {
    return this.#orders.get(cluster)?.values() ?? [];
  }

  subscribe(listener: (due: { cluster: ClusterName; key: ServiceKey }) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Undefined: neither wanted nor ordered away. */
  place(cluster: ClusterName, key: ServiceKey, shard: Shard | undefined): void {
    const shards = this.#shards.get(cluster) ?? new Map<ServiceKey, Shard>();
    this.#shards.set(cluster, shards);
    if (shard === undefined) shards.delete(key);
    else shards.set(key, shard);
    this.#orders.get(cluster)?.delete(key);
    this.#tell(cluster, key);
  }

  order(order: RemovalOrder): void {
    const { cluster, key } = order;
    this.#shards.get(cluster)?.delete(key);
    const orders = this.#orders.get(cluster) ?? new Map<ServiceKey, RemovalOrder>();
    this.#orders.set(cluster, orders.set(key, order));
    this.#tell(cluster, key);
  }

  acknowledge(order: { cluster: ClusterName; key: ServiceKey }): void {
    this.#orders.get(order.cluster)?.delete(order.key);
  }

  #tell(cluster: ClusterName, key: ServiceKey): void {
    for (const listener of this.#listeners) listener({ cluster, key });
  }
}

export function toShard(key: string, content: string): Shard {
  const bytes = Buffer.from(content, 'utf8');
  return { key: key as ServiceKey, bytes, hash: contentHash(bytes) };
}

export interface MeshWorld {
  readonly ca: KeyPairPem;
  readonly disk: MemoryDisk;
  readonly desired: Desired;
  readonly placement: TablePlacement;
  readonly peers: TablePeers;
  readonly sessions: Sessions;
  readonly port: number;
  readonly events: readonly RecordedEvent[];
  readonly counts: ReadonlyMap<string, number>;
  /** Of each cluster whose agent may log in to NATS: the uid of its Cluster. */
  readonly natsUsers: Pick<ReadonlyMap<ClusterName, string>, 'get' | 'has'>;
  /** Lines logged as errors or warnings, with their fields. */
  readonly complaints: readonly string[];
  /** Makes a JoinToken; its text. */
  makeToken(options?: TokenOptions): Promise<string>;
  cluster(name: string): Cluster | undefined;
  removeCluster(name: string): Promise<void>;
  stop(): Promise<void>;
}

export interface WorldOptions {
  readonly ca?: KeyPairPem;
  readonly disk?: MemoryDisk;
  readonly port?: number;
  /** Of agents' certificates. */
  readonly lifetimeMs?: number;
  readonly joinApproval?: 'Automatic' | 'Manual';
  readonly coordinatorVersion?: string;
  /** When the server's certificate was made, from now. */
  readonly serverMadeMs?: number;
  /** Of logins to NATS. */
  readonly natsLifeSeconds?: number;
}

const receiptKey = new Uint8Array(32).fill(7);
const natsKey = openSeed(encodeSeed('account', systemChance.bytes(32)));

export async function openMesh(
  t: ExecutionContext,
  options: WorldOptions = {},
): Promise<MeshWorld> {
  const ca = options.ca ?? (await createCa({ commonName: 'test', clock, validDays: 1 }));
  const disk = options.disk ?? createMemoryDisk('store-1');
  const counts = new Map<string, number>();
  const metrics = toMetrics(counts);
  const complaints: string[] = [];
  const common = { clock, chance: systemChance, log: toLog(complaints), metrics };
  const desired = await createDesired({ ...common, store: createMemoryStore({ disk }) });
  const placement = new TablePlacement(desired);
  const peers = new TablePeers();
  const events: RecordedEvent[] = [];
  const { users, natsUsers } = openNatsUsers(desired, {
    ...common,
    lifeSeconds: options.natsLifeSeconds ?? 900,
  });
  const server = await issueServer(ca, options.serverMadeMs);
  const { id, epoch } = desired.identity();
  const sessions = createSessions({
    ...common,
    desired,
    placement,
    peers,
    acknowledgeRemoval: async (order) => placement.acknowledge(order),
    listener: createGrpcListener({
      ...common,
      listen: { host: '127.0.0.1', port: options.port ?? 0 },
      certificates: fixedCertificates(server, ca.certPem),
      federation,
    }),
    authority: toAuthority(ca, options.lifetimeMs),
    joinApproval: options.joinApproval,
    receiptKey: { key: receiptKey, storeId: id, epoch },
    telemetryUsers: users,
    recorder: { record: (event) => void events.push(event) },
    config: {
      federation,
      domain: 'example.com',
      ttlSeconds: 60,
      coordinatorVersion: options.coordinatorVersion,
    },
  });
  const port = await sessions.start();
  let isStopped = false;
  const stop = async (): Promise<void> => {
    if (isStopped) return;
    isStopped = true;
    await sessions.stop();
    await users.stop();
    await desired.close();
  };
  t.teardown(stop);
  return {
    ca,
    disk,
    desired,
    placement,
    peers,
    sessions,
    port,
    events,
    counts,
    natsUsers,
    complaints,
    makeToken: (of) => makeToken(desired, ca, of),
    cluster: (name) => desired.get(clusterKey(name))?.object as Cluster | undefined,
    removeCluster: async (name) => {
      const stored = desired.get(clusterKey(name));
      await desired.write({
        key: clusterKey(name),
        object: undefined,
        expected: stored?.revision ?? toRevision(0),
      });
    },
    stop,
  };
}

/** The real ones; whoever runs a NATS would be told of revocations. */
function openNatsUsers(
  desired: Desired,
  common: Pick<NatsUsersOptions, 'clock' | 'chance' | 'log' | 'metrics' | 'lifeSeconds'>,
): { readonly users: NatsUsers; readonly natsUsers: MeshWorld['natsUsers'] } {
  const users = createNatsUsers({
    ...common,
    desired,
    federation,
    account: {
      publicKey: natsKey.publicKey,
      signing: natsKey,
      lateRevocation: () => undefined,
      publish: () => Promise.resolve(),
      refreshMs: undefined,
      close: () => Promise.resolve(),
    },
    urls: () => ['tls://127.0.0.1:4222'],
    trust: () => undefined,
  });
  const uidOf = (name: ClusterName): string | undefined => {
    const key = toLogKey({ group: isthmusGroup, resource: 'natsusers', name });
    const record = desired.get(key)?.object.spec as NatsUserRecord | undefined; // its stage wrote it
    return record?.userKey === undefined ? undefined : record.clusterUid;
  };
  return { users, natsUsers: { get: uidOf, has: (name) => uidOf(name) !== undefined } };
}

function toAuthority(ca: KeyPairPem, lifetimeMs: number | undefined) {
  const common = { cas: oneCa(ca), federation, clock };
  return createAuthority(lifetimeMs === undefined ? common : { ...common, lifetimeMs });
}

function issueServer(ca: KeyPairPem, madeMs = 0): Promise<KeyPairPem> {
  return issueServerCertificate({
    ca,
    commonName: 'isthmus-coordinator',
    dnsNames: ['isthmus-coordinator'],
    ipAddresses: ['127.0.0.1'],
    validDays: 1,
    clock: { ...clock, now: () => clock.now() + madeMs },
  });
}

export function clusterKey(name: string) {
  return toLogKey({ group: isthmusGroup, resource: 'clusters', name });
}

/** With an agent of the cluster `one` that has joined and is connected. */
export async function openMeshWithAgent(
  t: ExecutionContext,
): Promise<{ world: MeshWorld; agent: TestAgent; token: string }> {
  const world = await openMesh(t);
  const token = await world.makeToken();
  const agent = await startAgent(t, { port: world.port, cluster: 'one', token });
  const one = toClusterName('one');
  await until(() => world.sessions.session(one)?.isConnected === true && agent.session.isOpen());
  return { world, agent, token };
}

export interface TestAgent {
  readonly session: AgentSession;
  readonly record: AgentRecord;
  readonly folder: string;
  /** Lines logged as errors or warnings, with their fields. */
  readonly complaints: readonly string[];
  stop(): Promise<void>;
}

export interface AgentOptions {
  readonly port: number;
  readonly cluster: string;
  readonly token?: string;
  /** Of an agent that ran before. */
  readonly folder?: string;
  readonly natsLogin?: NatsLoginKeeper;
  /** Wall clock less the real one. */
  readonly clockSkewMs?: number;
  readonly agentVersion?: string;
  /** Around the real one. */
  readonly wrap?: (dialer: MeshDialer) => MeshDialer;
}

export async function startAgent(t: ExecutionContext, options: AgentOptions): Promise<TestAgent> {
  const folder = options.folder ?? mkdtempSync(join(tmpdir(), 'isthmus-agent-'));
  const record = await openAgentRecord(openLmdbRecord(folder));
  const complaints: string[] = [];
  const dialer = createGrpcDialer({
    coordinator: { host: '127.0.0.1', port: options.port },
    clock,
  });
  const session = createAgentSession({
    dialer: options.wrap?.(dialer) ?? dialer,
    record,
    cluster: toClusterName(options.cluster),
    token: () => options.token,
    ...(options.natsLogin === undefined ? {} : { natsLogin: options.natsLogin }),
    agentVersion: options.agentVersion ?? '0.1.0',
    topology: () => ({ zones: ['z1'], region: 'r1', provider: undefined }),
    kubernetesVersion: () => 'v1.33.1',
    clock: { ...clock, now: () => clock.now() + (options.clockSkewMs ?? 0) },
    chance: { ...systemChance, fraction: () => 0 },
    log: toLog(complaints),
    metrics: silentMetrics,
  });
  let isStopped = false;
  const stop = async (): Promise<void> => {
    if (isStopped) return;
    isStopped = true;
    await session.stop();
    await record.close();
  };
  t.teardown(async () => {
    await stop();
    rmSync(folder, { recursive: true, force: true });
  });
  session.start();
  return { session, record, folder, complaints, stop };
}

function toMetrics(counts: Map<string, number>): Metrics {
  return {
    ...silentMetrics,
    count: (name, labels = {}, by = 1) => {
      const key = [name, ...Object.values(labels)].join(' ');
      counts.set(key, (counts.get(key) ?? 0) + by);
    },
  };
}

function toLog(complaints: string[]): Log {
  const complain = (message: string, fields: object = {}): void =>
    void complaints.push(`${message} ${JSON.stringify(fields)}`);
  return { ...silentLog, error: complain, warn: complain };
}

/** Looks until it is true; the run's own timeout is the bound. */
export async function until(isTrue: () => boolean, what = 'it never became true'): Promise<void> {
  const deadline = clock.monotonicMs() + 10_000;
  while (!isTrue()) {
    if (clock.monotonicMs() > deadline) throw new Error(what);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
