// The verdict on one shard in words and numbers, from its damped state and what was reported.
// Input: state, last report, last verdict. Output: ShardVerdict.
//
//   W1. While nothing new is known (frozen, dead), numbers and addresses stay the last known.
//   W2. sinceMs moves only with the state.

import type { ShardState, ShardVerdict } from '../../common/model/health.ts';
import type { ClusterName, ServiceKey } from '../../common/model/ids.ts';
import type { ShardIngress, ShardReadiness } from '../../common/model/telemetry.ts';
import { assertNever } from '../../common/pure/errors.ts';
import { countUsable } from '../../common/pure/usable-endpoints.ts';

const portsToldMax = 3;
const addressesToldMax = 3;

export interface VerdictInput {
  readonly key: ServiceKey;
  readonly cluster: ClusterName;
  readonly state: ShardState;
  readonly before: ShardVerdict | undefined;
  /** undefined while nothing new is known. */
  readonly report:
    | { readonly readiness: ShardReadiness | undefined; readonly ingress: ShardIngress | undefined }
    | undefined;
  readonly minReady: number;
  readonly holdMs: number;
  /** Why the cluster's life withdraws it, when state is `dead`. */
  readonly deathReason: string;
  /** Wall clock. */
  readonly nowMs: number;
}

export function toShardVerdict(input: VerdictInput): ShardVerdict {
  const { before, report, state } = input;
  const ready = report === undefined ? (before?.ready ?? 0) : (report.readiness?.ready ?? 0);
  const total = report === undefined ? (before?.total ?? 0) : (report.readiness?.total ?? 0);
  const last = report === undefined ? before : report.ingress;
  const isKept = report === undefined && before?.state === state; // W1
  const said = isKept ? before : describe(input, ready, total);
  return {
    key: input.key,
    cluster: input.cluster,
    state,
    reason: said.reason,
    message: said.message,
    sinceMs: before?.state === state ? before.sinceMs : input.nowMs, // W2
    ready,
    total,
    addresses: last?.addresses ?? [],
    clusterIps: last?.clusterIps ?? [],
    ports: last?.ports ?? [],
    ...(isAtNodePorts(input) ? { isAtNodePorts: true } : {}),
  };
}

function isAtNodePorts({ report, before }: VerdictInput): boolean {
  return report === undefined
    ? before?.isAtNodePorts === true
    : report.ingress?.type === 'NodePort';
}

function describe(
  input: VerdictInput,
  ready: number,
  total: number,
): { readonly reason: string; readonly message: string } {
  const { state, minReady } = input;
  switch (state) {
    case 'healthy':
      return {
        reason: 'Ready',
        message: `${ready} of ${total} endpoints are ready.${describeRest(input.report?.readiness)}`,
      };
    case 'notReady':
      return {
        reason: 'NotEnoughReadyEndpoints',
        message: `${ready} of ${total} endpoints are ready, ${minReady} needed.`,
      };
    case 'noAddress':
      return { reason: 'NoOutsideAddress', message: describeAddresses(input.report?.ingress) };
    case 'heldDown': {
      const seconds = Math.round(input.holdMs / 1000);
      const message = `Ready again; returns after ${seconds} s without a change.`;
      return { reason: 'HeldDown', message };
    }
    case 'dead':
      return { reason: input.deathReason, message: 'Its cluster is withdrawn.' };
    case 'pending':
      return { reason: 'Pending', message: 'The cluster has not reported this shard yet.' };
    default:
      return assertNever(state);
  }
}

/** What it has is private, local or reserved: clients outside cannot be sent there. */
function describeAddresses(ingress: ShardIngress | undefined): string {
  const ips = (ingress?.addresses ?? []).flatMap(({ ip }) => ip ?? []);
  if (ips.length === 0) return 'The Service has no outside address.';
  const more = ips.length > addressesToldMax ? ` and ${ips.length - addressesToldMax} more` : '';
  return (
    `No address of the Service is public: ${ips.slice(0, addressesToldMax).join(', ')}${more}. ` +
    'Names with private ones stand only in a DNSZone with visibility Private.'
  );
}

/** What the numbers leave out: Pods that end while they serve, and ports that fewer Pods have. */
function describeRest(readiness: ShardReadiness | undefined): string {
  if (readiness === undefined) return '';
  const { ready, ports = [] } = readiness;
  const ending =
    ready === 0 ? ` ${countUsable(readiness)} that terminate still take its traffic.` : '';
  const fewer = ports.map((port) => ` Port ${port.name || '(no name)'} has ${port.ready}.`);
  return [ending, ...fewer.slice(0, portsToldMax)].join('');
}

/** Same for everybody who looks at verdicts. */
export function isSameVerdict(a: ShardVerdict | undefined, b: ShardVerdict): boolean {
  return (
    a !== undefined &&
    a.state === b.state &&
    a.reason === b.reason &&
    a.message === b.message &&
    a.ready === b.ready &&
    a.total === b.total &&
    JSON.stringify([a.addresses, a.clusterIps, a.ports, a.isAtNodePorts]) ===
      JSON.stringify([b.addresses, b.clusterIps, b.ports, b.isAtNodePorts])
  );
}
