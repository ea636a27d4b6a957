// Opens what this process is: the whole agent, or one of several replicas of it.

import { hostname } from 'node:os';
import { join } from 'node:path';
import type { Topology } from '../common/model/topology.ts';
import type { Chance } from '../common/runtime/chance.ts';
import type { Clock } from '../common/runtime/clock.ts';
import type { KubeClient } from '../common/runtime/kube-client.ts';
import type { Lifecycle } from '../common/runtime/lifecycle.ts';
import type { Log } from '../common/runtime/log.ts';
import type { Metrics } from '../common/runtime/metrics.ts';
import type { Tunnels } from '../common/runtime/proxy-tunnel.ts';
import { formatAddress } from '../common/runtime/settings.ts';
import type { AgentSession, Leadership } from './agent-ports.ts';
import { createTlsReplicaLink, type ReplicaIdentity } from './leader/tls-replica-link.ts';
import { openReplica } from './replica.ts';
import type { ReplicaSettings } from './replica-settings.ts';
import { openAgentRecord } from './session/agent-record.ts';
import { createGrpcDialer } from './session/grpc-dialer.ts';
import { openLmdbRecord } from './session/lmdb-record.ts';
import type { MeshDialer, StreamEnd } from './session/mesh-port.ts';
import type { AgentRecord, Identity, RecordTables } from './session/record.ts';
import type { AgentOptions } from './settings.ts';

export interface Role {
  readonly session: AgentSession;
  /** Of a replica: refuses writes while another one may act. */
  readonly kube: KubeClient;
  readonly leadership?: Leadership;
  /** Of this moment: certificates are renewed. */
  identity(): Identity | undefined;
  topology(): Topology | undefined;
  writeTopology(topology: Topology): Promise<void>;
  /** Why pods should not be sent here yet. */
  notReady(): string | undefined;
}

export interface RoleBase {
  readonly kube: KubeClient;
  readonly lifecycle: Lifecycle;
  /** The way out of the site. */
  readonly tunnels: Tunnels;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly log: Log;
  readonly metrics: Metrics;
}

/** Makes the session over a record; with several replicas, each time that this one leads. */
export type OpenSession = (record: AgentRecord, dialer: MeshDialer) => AgentSession;

/** What it opens is closed by the lifecycle. Rejects with the system's error. */
export async function openRole(
  options: AgentOptions,
  base: RoleBase,
  openSession: OpenSession,
): Promise<Role> {
  const { replica } = options;
  const coordinator = await base.tunnels.to(options.coordinator);
  const dialer = createGrpcDialer({ coordinator, clock: base.clock });
  const tables = openLmdbRecord(join(options.dataDir, 'record'));
  if (replica !== undefined)
    return openAsReplica(replica, { ...base, tables, dialer }, openSession);
  const record = await openAgentRecord(tables);
  base.lifecycle.onClose({ name: 'record', close: record.close });
  return {
    session: openSession(record, dialer),
    kube: base.kube,
    identity: record.identity,
    topology: record.topology,
    writeTopology: record.writeTopology,
    notReady: () => undefined,
  };
}

async function openAsReplica(
  { lease, secret, listen, address, podUid }: ReplicaSettings,
  base: RoleBase & { readonly tables: RecordTables; readonly dialer: MeshDialer },
  openSession: OpenSession,
): Promise<Role> {
  const { clock, chance, dialer } = base;
  const pod = podUid === undefined ? hostname() : `${hostname()}-${podUid}`;
  const replica = await openReplica(
    {
      ...base,
      link: (identity) =>
        createTlsReplicaLink({ listen, identity: () => toReplicaIdentity(identity()), clock }),
      openSession: (record, onEnd) => openSession(record, tellEnds(dialer, onEnd)),
    },
    {
      lease,
      secret,
      self: { pod: podUid === undefined ? `${pod}-${chance.uuid()}` : pod, life: chance.uuid() },
      address: (port) => formatAddress({ host: address, port }),
    },
  );
  base.lifecycle.onClose({ name: 'replica', close: () => replica.stop() });
  replica.start();
  return replica;
}

function toReplicaIdentity(identity: Identity | undefined): ReplicaIdentity | undefined {
  if (identity?.certPem === undefined) return undefined;
  return { certPem: identity.certPem, keyPem: identity.keyPem };
}

/** The dialer, whose streams also tell how they end. */
function tellEnds(dialer: MeshDialer, onEnd: (end: StreamEnd) => void): MeshDialer {
  return {
    ...dialer,
    connect: (credentials, handler) =>
      dialer.connect(credentials, {
        ...handler,
        onEnd: (end) => {
          handler.onEnd(end);
          onEnd(end);
        },
      }),
  };
}
