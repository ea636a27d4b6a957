// The configuration of the coordinator's own nats-server, and the part of it that a NATS of
// somebody else needs to trust the coordinator. Pure.
//
//   N1. A user is a JWT of our account, for a key that the user made: there is no password to
//       steal, nothing to configure when a cluster joins, and each JWT ends by itself.
//   N3. No JetStream, no monitoring port, no routes: nothing but core NATS listens.

export interface NatsTrustInput {
  readonly operatorJwt: string;
  readonly system: NatsAccountInput;
  readonly account: NatsAccountInput;
}

interface NatsAccountInput {
  readonly publicKey: string;
  readonly jwt: string;
}

export interface NatsConfigInput extends NatsTrustInput {
  readonly host: string;
  /** -1 lets the server choose; it writes its choice to `portsDir`. */
  readonly port: number;
  readonly portsDir: string;
  readonly pidFile: string;
  readonly logFile: string;
  readonly certFile: string;
  readonly keyFile: string;
  readonly caFile: string;
}

// spec/messaging.md 10.2: a full report is paged at 256 KiB; 1 MiB is the server's own default.
const maxPayloadBytes = 2 ** 20;
const maxPendingBytes = 64 * 2 ** 20;
const maxConnections = 10_000;
const logBytesMax = 10 * 2 ** 20;

export function toNatsConfig(input: NatsConfigInput): string {
  const lines = [
    `listen: ${quote(`${bracket(input.host)}:${input.port}`)}`,
    `ports_file_dir: ${quote(input.portsDir)}`,
    `pid_file: ${quote(input.pidFile)}`,
    `log_file: ${quote(input.logFile)}`,
    `logfile_size_limit: ${logBytesMax}`,
    `max_payload: ${maxPayloadBytes}`,
    `max_pending: ${maxPendingBytes}`,
    `max_connections: ${maxConnections}`,
    `max_control_line: ${controlLineBytesMax}`,
    'ping_interval: "5s"',
    'write_deadline: "10s"',
    'tls {',
    `  cert_file: ${quote(input.certFile)}`,
    `  key_file: ${quote(input.keyFile)}`,
    `  ca_file: ${quote(input.caFile)}`,
    '  verify: true',
    '  timeout: 5',
    '}',
    ...toTrustLines(input),
  ];
  return `${lines.join('\n')}\n`;
}

/** A login is one line with its JWT, 3 KiB where federation and cluster have the longest names. */
export const controlLineBytesMax = 8192;

/** The lines that make servers trust our operator; a cluster of servers shares them. */
export function toTrustLines({ operatorJwt, system, account }: NatsTrustInput): readonly string[] {
  return [
    `operator: ${quote(operatorJwt)}`,
    `system_account: ${quote(system.publicKey)}`,
    'resolver: MEMORY',
    'resolver_preload {',
    ...[account, system].map(({ publicKey, jwt }) => `  ${publicKey}: ${quote(jwt)}`),
    '}',
  ];
}

/** The configuration language reads JSON strings; what stands here holds nothing that differs. */
function quote(text: string): string {
  return JSON.stringify(text);
}

function bracket(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}
