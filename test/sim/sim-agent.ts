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
import type { AgentSession } from '../../agent/agent-ports.ts';
import { createAgent, type Agent } from '../../agent/agent.ts';
import { openAgentRecord } from '../../agent/session/agent-record.ts';
import { createAgentSession } from '../../agent/session/loop.ts';
import type { RecordChange, RecordTable, RecordTables } from '../../agent/session/record.ts';
import type { LocalGuard } from '../../agent/shard/plan-guard.ts';
import { addMadness } from './mad-coordinator.ts';
import type { SeededChance } from './seeded-chance.ts';
import type { SimBus } from './sim-bus.ts';
import type { SimCluster } from './sim-cluster.ts';
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
  /** Default: simGuard. */
  readonly guard?: LocalGuard;
  /** A bug that a canary run plants between session and applier. */
  readonly plant?: (session: AgentSession) => AgentSession;
}

/** Few removals, so that orders wait for it in every run. */
export const simGuard: LocalGuard = { allowedNamespaces: ['defa*'], removalsPerMinute: 3 };

const restartMs = 1_000;
const noTopology = { zones: [], region: undefined, provider: undefined };

export class SimAgent {
  readonly name: ClusterName;
  readonly disk = new Map<RecordTable, Map<string, unknown>>();
  readonly #options: SimAgentOptions;
  #process: SimProcess | undefined;
  #agent: Agent | undefined;
  #lives = 0;
  #lastTroubleMs = -Infinity;
  #startedMs = 0;

  constructor(options: SimAgentOptions) {
    this.#options = options;
    this.name = toClusterName(options.cluster.place.name);
    const { identity } = options;
    this.disk.set('facts', new Map([['identity', { ...identity, tokenHash: undefined }]]));
  }

  get agent(): Agent | undefined {
    return this.#agent;
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
    this.#options.trace.note(`${this.name}/agent finds an empty data folder`);
    const kept = [...(this.disk.get('facts') ?? [])].filter(([fact]) =>
      ['identity', 'welcome', 'topology'].includes(fact),
    );
    this.disk.clear();
    this.disk.set('facts', new Map(kept));
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
    this.#lastTroubleMs = clock.monotonicMs();
    this.#startedMs = clock.monotonicMs();
    const skewMs = chance.between(-120_000, 120_000);
    const process = new SimProcess(`${this.name}/agent-${this.#lives}`, clock, skewMs);
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
    const record = await openAgentRecord(this.#openTables(process));
    const started: { agent?: Agent } = {};
    const session = createAgentSession({
      ...common,
      dialer: mesh.dialer({ process, site, remoteAddress }),
      pki: createSimPki(chance),
      record,
      cluster: this.name,
      token: () => undefined,
      agentVersion: '0.1.0',
      topology: () => started.agent?.topology() ?? noTopology,
      kubernetesVersion: () => started.agent?.kubernetesVersion() ?? '',
    });
    const agent = createAgent(
      {
        ...common,
        kube: this.#connectKube(process),
        session: addMadness(this.#options.plant?.(session) ?? session),
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
        recordedTopology: {
          read: record.topology,
          write: (topology) => void record.writeTopology(topology).catch(() => undefined),
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
    await agent.start();
  }

  #connectKube(process: SimProcess): KubeClient {
    const { cluster, chance } = this.#options;
    const exchange = cluster.kube.exchange('agent', process.clock);
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
        onCommit(kept);
        await sleep(process.clock, chance.fraction());
      },
      close: () => Promise.resolve(),
    };
  }
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
