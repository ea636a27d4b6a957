// A simulated cluster's agent, life after life, over a disk that outlives it: what was not
// committed when it crashed is lost.

import { toClusterName, type ClusterName } from '../../common/model/ids.ts';
import { MeshError } from '../../common/pure/errors.ts';
import { sleep, type Clock } from '../../common/runtime/clock.ts';
import { describeError, type Log } from '../../common/runtime/log.ts';
import type { KubeClient } from '../../common/runtime/kube-client.ts';
import { createKubeClient } from '../../common/runtime/kube-http.ts';
import type { Exchange } from '../../common/runtime/kube-http-exchange.ts';
import { silentMetrics } from '../../common/runtime/metrics.ts';
import type { Topology } from '../../common/model/topology.ts';
import type { AgentPorts, AgentSession } from '../../agent/agent-ports.ts';
import { createAgent, type Agent } from '../../agent/agent.ts';
import { openReplica, type ReplicaPorts } from '../../agent/replica.ts';
import type { MeshDialer, StreamEnd } from '../../agent/session/mesh-port.ts';
import { openAgentRecord } from '../../agent/session/agent-record.ts';
import { tokenHash } from '../../agent/session/join.ts';
import { createAgentSession } from '../../agent/session/loop.ts';
import type {
  AgentRecord,
  Identity,
  RecordChange,
  RecordTable,
  RecordTables,
} from '../../agent/session/record.ts';
import type { LocalGuard } from '../../agent/shard/plan-guard.ts';
import { addMadness } from './mad-coordinator.ts';
import type { SeededChance } from './seeded-chance.ts';
import type { SimBus } from './sim-bus.ts';
import type { SimCluster } from './sim-cluster.ts';
import type { ReplicaNetwork } from './sim-replica-link.ts';
import type { SimMesh } from './sim-mesh.ts';
import { createSimPki } from './sim-pki.ts';
import { createSimProber, type ProberOptions } from './sim-prober.ts';
import { SimProcess } from './sim-process.ts';
import type { Trace } from './trace.ts';

export interface SimAgentOptions {
  readonly cluster: SimCluster;
  /** As a join has left it. */
  readonly identity: { readonly certPem: string; readonly keyPem: string; readonly caPem: string };
  readonly remoteAddress: string;
  readonly mesh: SimMesh;
  readonly bus: SimBus;
  readonly prober: ProberOptions;
  readonly clock: Clock;
  readonly chance: SeededChance;
  readonly trace: Trace;
  readonly log: Log;
  readonly onCommit: (changes: readonly RecordChange[]) => void;
  /** Absent: it is the whole agent. */
  readonly replica?: {
    readonly index: number;
    readonly network: ReplicaNetwork;
    /** A planted bug: it writes without leave. */
    readonly isUnfenced: boolean;
  };
  /** Default: simGuard. */
  readonly guard?: LocalGuard;
  /** A bug that a canary run plants into all but the session. */
  readonly plantClock?: (clock: Clock) => Clock;
  /** A bug that a canary run plants between session and applier. */
  readonly plant?: (session: AgentSession) => AgentSession;
}

/** Few removals, so that orders wait for it in every run. */
export const simGuard: LocalGuard = { allowedNamespaces: ['defa*'], removalsPerMinute: 3 };

/** Of the Lease and the Secret alike. */
export const replicaLease = { namespace: 'default', name: 'isthmus-agent' } as const;

const restartMs = 1_000;
const noTopology = { zones: [], region: undefined, provider: undefined };

/** The agent of a cluster, of one process or several. */
export type AgentHost = Pick<
  SimAgent,
  | 'name'
  | 'agent'
  | 'agents'
  | 'disks'
  | 'giveToken'
  | 'hasFreshToken'
  | 'isRunning'
  | 'kill'
  | 'killAll'
  | 'lastTroubleMs'
  | 'loseFolder'
  | 'lostFolderMs'
  | 'pause'
  | 'resume'
  | 'start'
  | 'startedMs'
>;

interface Role extends Pick<AgentPorts, 'session' | 'kube' | 'recordedTopology' | 'leadership'> {
  begin(): void;
}

export class SimAgent {
  readonly name: ClusterName;
  readonly disk = new Map<RecordTable, Map<string, unknown>>();
  lostFolderMs = -Infinity; // monotonic
  readonly #options: SimAgentOptions;
  #process: SimProcess | undefined;
  #agent: Agent | undefined;
  #lives = 0;
  #lastTroubleMs = -Infinity;
  #startedMs = 0;
  #token: string | undefined;
  #isLeading: () => boolean = () => false;
  readonly #user: string;

  constructor(options: SimAgentOptions) {
    this.#options = options;
    this.name = toClusterName(options.cluster.place.name);
    const { identity, replica } = options;
    this.#user = replica === undefined ? 'agent' : `agent-${replica.index}`;
    this.disk.set('facts', new Map([['identity', { ...identity, tokenHash: undefined }]]));
  }

  /** Whether it acts for its cluster: has the session, changes the cluster. */
  isLeading(): boolean {
    return this.isRunning() && this.#isLeading();
  }

  agents(): readonly Agent[] {
    return this.#agent === undefined ? [] : [this.#agent];
  }

  disks(): readonly ReadonlyMap<RecordTable, ReadonlyMap<string, unknown>>[] {
    return [this.disk];
  }

  get agent(): Agent | undefined {
    return this.#agent;
  }

  /** As in the file that its chart mounts. */
  giveToken(token: string): void {
    this.#token = token;
  }

  /** It was given one that it has not joined with yet. */
  hasFreshToken(): boolean {
    if (this.#token === undefined) return false;
    const identity = this.disk.get('facts')?.get('identity') as Identity | undefined;
    return identity?.certPem === undefined || identity.tokenHash !== tokenHash(this.#token);
  }

  isRunning(): boolean {
    return this.#process?.isAlive === true;
  }

  /** Monotonic: when this life, or the last one, began. */
  startedMs(): number {
    return this.#startedMs;
  }

  /** What a new node has: who the agent is and its federation, from the Secret, and no more. */
  loseFolder(): void {
    if (this.isRunning()) return;
    this.#options.trace.note(`${this.name}/agent finds an empty data folder`);
    const kept = [...(this.disk.get('facts') ?? [])].filter(([fact]) =>
      ['identity', 'welcome', 'topology'].includes(fact),
    );
    this.disk.clear();
    this.disk.set('facts', new Map(kept));
    this.lostFolderMs = this.#options.clock.monotonicMs();
  }

  /** Monotonic: now while it is stopped or gone, else when it last was. */
  lastTroubleMs(): number {
    const isFine = this.isRunning() && this.#process?.isPaused === false;
    return isFine ? this.#lastTroubleMs : this.#options.clock.monotonicMs();
  }

  start(): void {
    if (this.isRunning()) return;
    const { clock, chance, trace } = this.#options;
    this.#lives += 1;
    this.#lastTroubleMs = this.#startedMs = clock.monotonicMs();
    const skewMs = chance.between(-120_000, 120_000);
    const process = new SimProcess(`${this.name}/${this.#user}-${this.#lives}`, clock, skewMs);
    this.#process = process;
    trace.note(`start ${process.name}`);
    this.#run(process).catch((error: unknown) => {
      trace.note(`${process.name} cannot start: ${describeError(error)}`);
      this.kill();
      clock.after(restartMs, () => this.start());
    });
  }

  kill(): void {
    const process = this.#process;
    if (process?.isAlive !== true) return;
    this.#options.trace.note(`kill ${process.name}`);
    process.kill();
    this.#agent = undefined;
    this.#options.mesh.killed(process);
    this.#options.bus.killed(process);
  }

  /** With its node. */
  killAll(): void {
    this.kill();
  }

  pause(): void {
    this.#options.trace.note(`stop ${this.name}/agent`);
    this.#process?.pause();
  }

  resume(): void {
    this.#options.trace.note(`continue ${this.name}/agent`);
    this.#lastTroubleMs = this.#options.clock.monotonicMs();
    this.#process?.resume();
  }

  async #run(process: SimProcess): Promise<void> {
    const { cluster, mesh, bus, remoteAddress, chance, log } = this.#options;
    const { clock } = process;
    const site = cluster.place.name;
    const common = {
      clock,
      chance,
      log: log.with({ process: process.name }),
      metrics: silentMetrics,
    };
    const started: { agent?: Agent } = {};
    const dialer = mesh.dialer({ process, site, remoteAddress });
    const role = await this.#openRole(process, common, (record, onEnd) =>
      createAgentSession({
        ...common,
        dialer: onEnd === undefined ? dialer : tellEnds(dialer, onEnd),
        pki: createSimPki(chance),
        record,
        cluster: this.name,
        token: () => this.#token,
        agentVersion: '0.1.0',
        topology: () => started.agent?.topology() ?? noTopology,
        kubernetesVersion: () => started.agent?.kubernetesVersion() ?? '',
      }),
    );
    const agent = createAgent(
      {
        ...common,
        ...role,
        clock: this.#options.plantClock?.(clock) ?? clock,
        session: addMadness(this.#options.plant?.(role.session) ?? role.session),
        busConnector: {
          identity: (urls) => urls.join(),
          onChange: () => () => undefined,
          connect: () => bus.client(process, site),
        },
        prober: createSimProber(this.#options.prober, process, site),
        hostLookup: {
          lookup: (hostname) =>
            Promise.reject(new MeshError('retryable', 'HOST_LOOKUP', `no address of ${hostname}`)),
        },
      },
      {
        cluster: this.name,
        declared: { zone: undefined, region: undefined, provider: undefined },
        guard: this.#options.guard ?? simGuard,
        allowLoopback: false,
      },
    );
    started.agent = agent;
    this.#agent = agent;
    role.begin();
    await agent.start();
  }

  /** The whole agent, or one of its replicas. */
  async #openRole(
    process: SimProcess,
    common: Omit<ReplicaPorts, 'kube' | 'tables' | 'link' | 'openSession'>,
    openSession: (record: AgentRecord, onEnd?: (end: StreamEnd) => void) => AgentSession,
  ): Promise<Role> {
    const { replica } = this.#options;
    const kube = this.#connectKube(process);
    const tables = this.#openTables(process);
    if (replica === undefined) {
      const record = await openAgentRecord(tables);
      const write = (topology: Topology): void =>
        void record.writeTopology(topology).catch(() => undefined);
      const session = openSession(record);
      this.#isLeading = () => true;
      const recordedTopology = { read: record.topology, write };
      return { session, kube, recordedTopology, begin: () => undefined };
    }
    const pod = `${this.name}-${replica.index}`;
    const opened = await openReplica(
      {
        ...common,
        kube,
        tables,
        link: () => replica.network.link(process),
        openSession,
      },
      {
        lease: replicaLease,
        secret: { namespace: replicaLease.namespace, name: replicaLease.name },
        self: { pod, life: common.chance.uuid() },
        address: (port) => `${pod}:${port}`,
      },
    );
    this.#isLeading = () => process.isAlive && opened.leadership.isLeading();
    const write = (topology: Topology): void =>
      void opened.writeTopology(topology).catch(() => undefined);
    return {
      session: toPlain(opened.session),
      leadership: opened.leadership,
      kube: replica.isUnfenced ? kube : opened.kube,
      recordedTopology: { read: () => opened.topology(), write },
      begin: () => opened.start(),
    };
  }

  #connectKube(process: SimProcess): KubeClient {
    const { cluster, chance } = this.#options;
    const exchange = cluster.kube.exchange(this.#user, process.clock);
    return createKubeClient({
      exchange: guardExchange(process, exchange),
      clock: process.clock,
      chance,
    });
  }

  #openTables(process: SimProcess): RecordTables {
    const { chance, onCommit } = this.#options;
    const table = (name: RecordTable): Map<string, unknown> => {
      const known = this.disk.get(name) ?? new Map<string, unknown>();
      this.disk.set(name, known);
      return known;
    };
    return {
      load: (name) => structuredClone([...table(name)]),
      commit: async (changes) => {
        const kept = structuredClone(changes);
        await sleep(process.clock, 0.2 + 2 * chance.fraction());
        for (const { table: name, key, value } of kept) {
          if (value === undefined) table(name).delete(key);
          else table(name).set(key, value);
        }
        if (this.isLeading()) onCommit(kept);
        await sleep(process.clock, chance.fraction());
      },
      close: () => Promise.resolve(),
    };
  }
}

/** Of a class instance one that can be spread. */
function toPlain(session: AgentSession): AgentSession {
  return {
    welcome: () => session.welcome(),
    onWelcome: (listener) => session.onWelcome(listener),
    peers: () => session.peers(),
    onPeers: (listener) => session.onPeers(listener),
    isOpen: () => session.isOpen(),
    incarnation: () => session.incarnation(),
    viewRevision: () => session.viewRevision(),
    assignment: session.assignment,
    report: (result) => session.report(result),
    announceTopology: () => session.announceTopology(),
    tellForeign: (change) => session.tellForeign(change),
    start: () => session.start(),
    stop: () => session.stop(),
  };
}

/** The dialer, whose streams also tell how they end. */
function tellEnds(dialer: MeshDialer, onEnd: (end: StreamEnd) => void): MeshDialer {
  const connect: MeshDialer['connect'] = (credentials, handler) =>
    dialer.connect(credentials, {
      ...handler,
      onEnd: (end) => {
        handler.onEnd(end);
        onEnd(end);
      },
    });
  return { ...dialer, connect };
}

/** A dead process hears no answer any more. */
function guardExchange(process: SimProcess, exchange: Exchange): Exchange {
  return {
    send: (call) => process.guard(exchange.send(call)),
    stream: (path, sink) =>
      exchange.stream(path, {
        onBytes: () => process.run(() => sink.onBytes()),
        onLine: (line) => process.run(() => sink.onLine(line)),
        onEnd: (error) => process.run(() => sink.onEnd(error)),
      }),
    close: () => exchange.close(),
  };
}
