// An agent of a bench that has no cluster: the real session, login and reports of the agent over
// gRPC and NATS, with a record in memory. Each shard that it is assigned is applied and ready at
// once, so that a thousand of them fit on one machine.

import { startReporter, type Reporter } from '../agent/health/loop.ts';
import type { ShardObservations } from '../agent/health/shard-observations.ts';
import { openAgentRecord } from '../agent/session/agent-record.ts';
import { createGrpcDialer } from '../agent/session/grpc-dialer.ts';
import { createAgentSession, type AgentSession } from '../agent/session/loop.ts';
import { createNatsLoginKeeper, type NatsLoginKeeper } from '../agent/session/nats-login.ts';
import type { AgentRecord, RecordTable, RecordTables } from '../agent/session/record.ts';
import { createBusConnector } from '../agent/telemetry-bus.ts';
import { toClusterName, type ClusterName, type ServiceKey } from '../common/model/ids.ts';
import type { Chance } from '../common/runtime/chance.ts';
import type { Clock } from '../common/runtime/clock.ts';
import { createLog } from '../common/runtime/log.ts';
import { silentMetrics } from '../common/runtime/metrics.ts';
import type { Address } from '../common/runtime/settings.ts';
import type { TelemetryBus } from '../common/runtime/telemetry-bus.ts';
import {
  decodeProbeRequest,
  decodeSyncRequest,
  encodeProbeReply,
  encodeReport,
} from '../common/wire/telemetry-codec.ts';
import type { WorkerCluster } from './worker-messages.ts';

export interface LightAgent {
  readonly record: AgentRecord;
  /** Resolves when the session is open for the first time. */
  joined(): Promise<void>;
  stop(): Promise<void>;
}

export interface LightAgentOptions {
  readonly cluster: WorkerCluster;
  readonly coordinator: Address;
  /** Of a former run, which this one goes on from. */
  readonly tables?: RecordTables;
  /** Of a process that has this one session after another. Default: one of its own. */
  readonly natsLogin?: NatsLoginKeeper;
  /** Called at each Welcome. */
  readonly onOpen: () => void;
  readonly clock: Clock;
  readonly chance: Chance;
}

const codec = { encodeReport, decodeSyncRequest, decodeProbeRequest, encodeProbeReply };
const regions = 10;

export async function startLightAgent(options: LightAgentOptions): Promise<LightAgent> {
  const { clock, chance } = options;
  const { index } = options.cluster;
  const cluster = toClusterName(options.cluster.name);
  const log = createLog({ level: 'error', format: 'json', name: 'light-agent' }).with({ cluster });
  const runtime = { clock, chance, log, metrics: silentMetrics };
  const record = await openAgentRecord(options.tables ?? createMemoryTables());
  const natsLogin = options.natsLogin ?? createNatsLoginKeeper({ cluster, ...runtime });
  const place = {
    zones: [`zone-${index}`],
    region: `region-${index % regions}`,
    provider: 'gce',
  };
  const session = createAgentSession({
    dialer: createGrpcDialer({ coordinator: options.coordinator, clock }),
    record,
    cluster,
    token: () => options.cluster.token,
    agentVersion: 'bench',
    topology: () => place,
    kubernetesVersion: () => 'v1.34.0',
    natsLogin,
    ...runtime,
  });
  const reports = startReports({ cluster, index, session, record, natsLogin, ...runtime });
  session.assignment.subscribe((key) => {
    const shard = session.assignment.shard(key);
    const done = { key, reason: 'Applied', message: '' };
    if (shard !== undefined) session.report({ ...done, hash: shard.hash, outcome: 'applied' });
    else session.report({ ...done, hash: undefined, outcome: 'removed' });
  });
  const welcomed = new Promise<void>((resolve) => session.onWelcome(() => resolve()));
  session.onWelcome(options.onOpen);
  session.start();
  return {
    record,
    joined: () => welcomed,
    stop: async () => {
      await reports.stop();
      await session.stop();
      await record.close();
    },
  };
}

type ReportPorts = Parameters<typeof createNatsLoginKeeper>[0] & {
  readonly cluster: ClusterName;
  readonly index: number;
  readonly session: AgentSession;
  readonly record: AgentRecord;
  readonly natsLogin: NatsLoginKeeper;
} & Pick<Parameters<typeof startReporter>[0], 'clock' | 'chance' | 'metrics'>;

/** The bus beside the session, as federated-part.ts has it. */
function startReports(ports: ReportPorts): { stop(): Promise<void> } {
  const { session, record, cluster } = ports;
  const observations = observeAssigned(session, ports.index);
  const connector = createBusConnector({
    ...ports,
    identity: record.identity,
    welcome: () => session.welcome(),
  });
  let open: { bus: TelemetryBus; identity: string; reporter: Reporter } | undefined;
  const close = async (): Promise<void> => {
    open?.reporter.stop();
    await open?.bus.close();
    open = undefined;
  };
  const settle = (): void => {
    const welcome = session.welcome();
    const identity = connector.identity(welcome?.natsUrls ?? []);
    if (welcome === undefined || identity === undefined || !session.isOpen()) return;
    if (open?.identity === identity) return open.reporter.renew();
    void close();
    const bus = connector.connect(welcome.natsUrls);
    const reporter = startReporter(
      {
        ...ports,
        bus,
        codec,
        observations,
        freshness: { ...alwaysFresh },
        incarnation: session.incarnation,
        viewRevision: session.viewRevision,
      },
      { federation: welcome.federation, cluster },
    );
    open = { bus, identity, reporter };
  };
  const unsubscribes = [session.onWelcome(settle), connector.onChange(settle)];
  return {
    stop: async () => {
      for (const unsubscribe of unsubscribes) unsubscribe();
      await close();
    },
  };
}

const alwaysFresh = {
  isFresh: () => true,
  isStale: () => false,
  ageMs: () => 0,
  version: () => 'v1.34.0',
  look: () => undefined,
  subscribe: () => () => undefined,
  stop: () => undefined,
};

/** Each assigned shard has one ready endpoint and an address of its own cluster. */
function observeAssigned({ assignment }: AgentSession, index: number): ShardObservations {
  const has = (key: ServiceKey): boolean => assignment.shard(key) !== undefined;
  const ip = `127.${11 + (index >> 8)}.${index & 255}.1`;
  return {
    isComplete: () => true,
    *keys() {
      for (const key of assignment.keys()) if (has(key)) yield key;
    },
    readiness: (key) =>
      has(key) ? { key, ready: 1, serving: 1, terminating: 0, total: 1 } : undefined,
    ingress: (key) =>
      has(key)
        ? {
            key,
            type: 'LoadBalancer',
            addresses: [{ ip }],
            clusterIps: ['10.96.0.9'],
            ports: [{ port: 80, protocol: 'TCP' }],
          }
        : undefined,
    subscribe: ({ onShard }) => assignment.subscribe(onShard),
    stop: () => undefined,
  };
}

export function createMemoryTables(): RecordTables {
  const tables = new Map<RecordTable, Map<string, unknown>>();
  const of = (table: RecordTable): Map<string, unknown> => {
    const known = tables.get(table) ?? new Map<string, unknown>();
    tables.set(table, known);
    return known;
  };
  return {
    load: (table) => of(table),
    commit: (changes) => {
      for (const { table, key, value } of changes) {
        if (value === undefined) of(table).delete(key);
        else of(table).set(key, value);
      }
      return Promise.resolve();
    },
    close: () => Promise.resolve(),
  };
}
