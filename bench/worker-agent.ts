// One agent of a worker process: the real agent with its real adapters (gRPC, NATS, LMDB), wired as
// agent/main.ts does, against a simulated cluster.

import { join } from 'node:path';
import type { AgentPorts } from '../agent/agent-ports.ts';
import { createAgent, type Agent } from '../agent/agent.ts';
import { createNodeHostLookup } from '../agent/resolver/node-host-lookup.ts';
import { openAgentRecord } from '../agent/session/agent-record.ts';
import { createGrpcDialer } from '../agent/session/grpc-dialer.ts';
import { openLmdbRecord } from '../agent/session/lmdb-record.ts';
import { createAgentSession } from '../agent/session/loop.ts';
import { createNatsLoginKeeper, type NatsLoginKeeper } from '../agent/session/nats-login.ts';
import type { AgentRecord } from '../agent/session/record.ts';
import { createBusConnector } from '../agent/telemetry-bus.ts';
import { toClusterName, type ClusterName, type ServiceKey } from '../common/model/ids.ts';
import type { Chance } from '../common/runtime/chance.ts';
import type { Clock } from '../common/runtime/clock.ts';
import { createLog, describeError } from '../common/runtime/log.ts';
import { silentMetrics } from '../common/runtime/metrics.ts';
import type { Address } from '../common/runtime/settings.ts';
import { createTcpProber } from '../common/runtime/tcp-prober.ts';
import { createSimulatedCluster } from './simulated-cluster.ts';
import type { WorkerCluster } from './worker-messages.ts';

export interface BenchAgent {
  /** Resolves when the session is open. */
  joined(): Promise<void>;
  stop(): Promise<void>;
}

export async function startBenchAgent(options: {
  readonly cluster: WorkerCluster;
  readonly coordinator: Address;
  readonly dataDir: string;
  /** The agent has the shard on its disk; again for each change. */
  readonly onAssigned: (key: ServiceKey) => void;
  /** The cluster's store has the Service. */
  readonly onService: (key: ServiceKey) => void;
  readonly clock: Clock;
  readonly chance: Chance;
}): Promise<BenchAgent> {
  const { clock, chance } = options;
  const cluster = toClusterName(options.cluster.name);
  const log = createLog({ level: 'error', format: 'json', name: 'bench-agent' }).with({ cluster });
  const simulated = await createSimulatedCluster({ ...options.cluster, ...options });
  const record = await openAgentRecord(openLmdbRecord(join(options.dataDir, cluster)));
  const runtime = { clock, chance, log, metrics: silentMetrics };
  const natsLogin = createNatsLoginKeeper({ cluster, ...runtime });
  const started: { agent?: Agent } = {}; // the session describes the agent that is made with it
  const session = createAgentSession({
    dialer: createGrpcDialer({ coordinator: options.coordinator, clock }),
    record,
    cluster,
    token: () => options.cluster.token,
    agentVersion: 'bench',
    topology: () =>
      started.agent?.topology() ?? { zones: [], region: undefined, provider: undefined },
    kubernetesVersion: () => started.agent?.kubernetesVersion() ?? '',
    natsLogin,
    ...runtime,
  });
  const agent = wireAgent(cluster, {
    kube: simulated.kube,
    record,
    session,
    natsLogin,
    ...runtime,
  });
  started.agent = agent;
  session.assignment.subscribe(options.onAssigned);
  const welcomed = new Promise<void>((resolve) => session.onWelcome(() => resolve()));
  await agent.start();
  return {
    joined: () => welcomed,
    stop: async () => {
      await agent.stop();
      await simulated.close();
      await record.close();
    },
  };
}

function wireAgent(
  cluster: ClusterName,
  ports: Pick<AgentPorts, 'kube' | 'session' | 'clock' | 'chance' | 'log' | 'metrics'> & {
    readonly record: AgentRecord;
    readonly natsLogin: NatsLoginKeeper;
  },
): Agent {
  const { record, session, clock, log } = ports;
  return createAgent(
    {
      ...ports,
      busConnector: createBusConnector({
        ...ports,
        cluster,
        identity: record.identity,
        welcome: () => session.welcome(),
      }),
      prober: createTcpProber({ clock }),
      hostLookup: createNodeHostLookup(),
      recordedTopology: {
        read: record.topology,
        write: (topology) => {
          record.writeTopology(topology).catch((error: unknown) => {
            log.error('cannot record the topology', { error: describeError(error) });
          });
        },
      },
    },
    {
      cluster,
      declared: { zone: undefined, region: undefined, provider: undefined },
      guard: { allowedNamespaces: [], removalsPerMinute: 60 },
      allowLoopback: true,
    },
  );
}
