// The configuration of the coordinator's own nats-server. Pure.
//
//   N1. A user is a certificate: the URI in it names the user (verify_and_map), so that there is
//       no password to steal, and a removed Cluster loses its user with the next reload.
//   N2. An agent publishes under its own cluster only and hears its own requests only (I8).
//   N3. No JetStream, no monitoring port, no routes: nothing but core NATS listens.

import { toClusterName, type ClusterName } from '../../common/model/ids.ts';
import { partitionOf, requestSubject } from '../../common/pure/partition.ts';
import { clusterInboxPrefix, coordinatorInboxPrefix } from '../../common/pure/inbox.ts';

export interface NatsUser {
  readonly cluster: ClusterName;
  /** URI in the cluster's certificate. */
  readonly uri: string;
}

export interface NatsConfigInput {
  readonly host: string;
  /** -1 lets the server choose; it writes its choice to `portsDir`. */
  readonly port: number;
  readonly portsDir: string;
  readonly pidFile: string;
  readonly logFile: string;
  readonly certFile: string;
  readonly keyFile: string;
  readonly caFile: string;
  readonly federation: string;
  /** URI in the coordinator's own certificate. */
  readonly coordinatorUri: string;
  readonly users: Iterable<NatsUser>;
}

// spec/messaging.md 10.2: a full report is paged at 256 KiB; 1 MiB is the server's own default.
const maxPayloadBytes = 2 ** 20;
const maxPendingBytes = 64 * 2 ** 20;
const maxConnections = 10_000;
const logBytesMax = 10 * 2 ** 20;
const reportKinds = ['heartbeat', 'health', 'ingress', 'event'] as const;

export function toNatsConfig(input: NatsConfigInput): string {
  const { federation } = input;
  const users = [...input.users].sort((a, b) => (a.cluster < b.cluster ? -1 : 1));
  const lines = [
    `listen: ${quote(`${bracket(input.host)}:${input.port}`)}`,
    `ports_file_dir: ${quote(input.portsDir)}`,
    `pid_file: ${quote(input.pidFile)}`,
    `log_file: ${quote(input.logFile)}`,
    `logfile_size_limit: ${logBytesMax}`,
    `max_payload: ${maxPayloadBytes}`,
    `max_pending: ${maxPendingBytes}`,
    `max_connections: ${maxConnections}`,
    'max_control_line: 4096',
    'ping_interval: "5s"',
    'write_deadline: "10s"',
    'tls {',
    `  cert_file: ${quote(input.certFile)}`,
    `  key_file: ${quote(input.keyFile)}`,
    `  ca_file: ${quote(input.caFile)}`,
    '  verify_and_map: true',
    '  timeout: 5',
    '}',
    'authorization {',
    '  users = [',
    `    ${toUser(input.coordinatorUri, toCoordinatorPermissions(federation))}`,
    ...users.map(
      ({ uri, cluster }) => `    ${toUser(uri, toAgentPermissions(federation, cluster))}`,
    ),
    '  ]',
    '}',
  ];
  return `${lines.join('\n')}\n`;
}

interface Permissions {
  readonly publish: readonly string[];
  readonly subscribe: readonly string[];
}

/** spec/messaging.md 10.1, the agent template. */
export function toAgentPermissions(federation: string, cluster: string): Permissions {
  const name = toClusterName(cluster);
  const own = reportKinds.map(
    (kind) => `isthmus.${federation}.${kind}.${partitionOf(name)}.${cluster}`,
  );
  return {
    publish: own.flatMap((subject) => [subject, `${subject}.>`]),
    subscribe: [
      requestSubject(federation, 'sync', name),
      requestSubject(federation, 'probe', name),
      `${clusterInboxPrefix(name)}.>`,
    ],
  };
}

function toCoordinatorPermissions(federation: string): Permissions {
  return {
    publish: [`isthmus.${federation}.sync.*`, `isthmus.${federation}.probe.*`],
    subscribe: [`isthmus.${federation}.>`, `${coordinatorInboxPrefix}.>`],
  };
}

function toUser(uri: string, { publish, subscribe }: Permissions): string {
  const allow = (subjects: readonly string[]): string =>
    `{allow: [${subjects.map(quote).join(', ')}]}`;
  const permissions =
    `{publish: ${allow(publish)}, subscribe: ${allow(subscribe)}, ` +
    'allow_responses: {max: 1, expires: "5s"}}';
  return `{user: ${quote(uri)}, permissions: ${permissions}}`;
}

/** The configuration language reads JSON strings; names here hold no character that differs. */
function quote(text: string): string {
  return JSON.stringify(text);
}

function bracket(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}
