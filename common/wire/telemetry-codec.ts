// Reports, sync requests and probes: model <-> proto/telemetry.proto.

import type { ServicePort } from '../model/kube-object.ts';
import type {
  IngressAddress,
  PortReadiness,
  ProbeReply,
  ProbeRequest,
  ProbeResult,
  ProbeTarget,
  ReportItems,
  ReportKind,
  ShardIngress,
  ShardReadiness,
  SyncRequest,
  TelemetryMessage,
} from '../model/telemetry.ts';
import { assertNever } from '../pure/errors.ts';
import { readIncarnation } from './mesh-codec.ts';
import { messageType, type Plain } from './proto-types.ts';
import {
  fail,
  readChoice,
  readCluster,
  readFlag,
  readKey,
  readKeys,
  readList,
  readMessage,
  readNumber,
  readOptionalMessage,
  readOptionalText,
  readRevision,
  readText,
  readTexts,
  toCheckedKey,
} from './read.ts';

const reportType = messageType('Report');
const syncType = messageType('SyncRequest');
const probeRequestType = messageType('ProbeRequest');
const probeReplyType = messageType('ProbeReply');

const portMax = 65_535;
/** Targets in one probe request. */
export const probeTargetsMax = 64;
const serviceTypes = ['ClusterIP', 'NodePort', 'LoadBalancer', 'ExternalName'] as const;

export function encodeReport(message: TelemetryMessage): Uint8Array {
  const { cluster, incarnation } = message;
  return reportType.encode({ cluster, incarnation, ...toBody(message) });
}

function toBody(message: TelemetryMessage): Plain {
  switch (message.kind) {
    case 'heartbeat':
      return { heartbeat: { ...message } };
    case 'event':
      return { event: { ...message, key: message.key ?? '' } };
    case 'delta':
      return message.report === 'health'
        ? { healthDelta: { ...message } }
        : { ingressDelta: { ...message, changed: message.changed.map(toIngressPlain) } };
    case 'full':
      return message.report === 'health'
        ? { healthFull: { ...message } }
        : { ingressFull: { ...message, items: message.items.map(toIngressPlain) } };
    default:
      return assertNever(message);
  }
}

/** Throws MeshError fatal WIRE_INVALID. */
export function decodeReport(bytes: Uint8Array): TelemetryMessage {
  const plain = reportType.decode(bytes);
  const sender = {
    cluster: readCluster(plain, 'cluster'),
    incarnation: readIncarnation(readOptionalMessage(plain, 'incarnation')),
  };
  const field = plain['body'];
  const body =
    typeof field === 'string' ? readMessage(plain, field) : fail('body', 'one of its kinds');
  switch (field) {
    case 'heartbeat':
      return { kind: 'heartbeat', ...sender, ...readHeartbeat(body) };
    case 'event':
      return { kind: 'event', ...sender, ...readEvent(body) };
    case 'healthDelta':
      return { ...sender, ...readDelta(body, 'health', readReadiness) };
    case 'ingressDelta':
      return { ...sender, ...readDelta(body, 'ingress', readIngress) };
    case 'healthFull':
      return { ...sender, ...readFull(body, 'health', readReadiness) };
    case 'ingressFull':
      return { ...sender, ...readFull(body, 'ingress', readIngress) };
    default:
      return fail('body', 'a kind that this version knows');
  }
}

function readHeartbeat(body: Plain) {
  return {
    sequence: readNumber(body, 'sequence'),
    viewRevision: readRevision(body, 'viewRevision'),
    healthDigest: readText(body, 'healthDigest', 64),
    ingressDigest: readText(body, 'ingressDigest', 64),
    healthSequence: readNumber(body, 'healthSequence'),
    ingressSequence: readNumber(body, 'ingressSequence'),
    apiFresh: readFlag(body, 'apiFresh'),
    apiAgeMs: readNumber(body, 'apiAgeMs'),
  };
}

function readEvent(body: Plain) {
  const key = readText(body, 'key');
  return {
    key: key === '' ? undefined : toCheckedKey(key, 'key'),
    type: readChoice(body, 'type', ['Normal', 'Warning']),
    reason: readText(body, 'reason', 256),
    message: readText(body, 'message'),
  };
}

function readDelta<K extends ReportKind>(
  body: Plain,
  report: K,
  readItem: (plain: Plain) => ReportItems[K],
) {
  return {
    kind: 'delta' as const,
    report,
    sequence: readNumber(body, 'sequence'),
    previousSequence: readNumber(body, 'previousSequence'),
    changed: readList(body, 'changed', readItem),
    removed: readKeys(body, 'removed'),
  };
}

function readFull<K extends ReportKind>(
  body: Plain,
  report: K,
  readItem: (plain: Plain) => ReportItems[K],
) {
  return {
    kind: 'full' as const,
    report,
    sequence: readNumber(body, 'sequence'),
    part: readNumber(body, 'part'),
    parts: readNumber(body, 'parts'),
    items: readList(body, 'items', readItem),
  };
}

function readReadiness(plain: Plain): ShardReadiness {
  const ports = readList(plain, 'ports', readPortReadiness);
  return {
    key: readKey(plain, 'key'),
    ready: readNumber(plain, 'ready'),
    serving: readNumber(plain, 'serving'),
    terminating: readNumber(plain, 'terminating'),
    total: readNumber(plain, 'total'),
    ...(ports.length === 0 ? {} : { ports }),
  };
}

function readPortReadiness(plain: Plain): PortReadiness {
  return { name: readText(plain, 'name', 63), ready: readNumber(plain, 'ready') };
}

function toIngressPlain(item: ShardIngress): Plain {
  return { ...item, ports: item.ports.map(toPortPlain) };
}

function toPortPlain(port: ServicePort): Plain {
  return {
    name: port.name ?? '',
    protocol: port.protocol ?? 'TCP',
    port: port.port,
    nodePort: port.nodePort ?? 0,
  };
}

function readIngress(plain: Plain): ShardIngress {
  return {
    key: readKey(plain, 'key'),
    type: readChoice(plain, 'type', serviceTypes),
    addresses: readList(plain, 'addresses', readAddress),
    clusterIps: readTexts(plain, 'clusterIps'),
    ports: readList(plain, 'ports', readServicePort),
  };
}

function readAddress(plain: Plain): IngressAddress {
  const ip = readOptionalText(plain, 'ip');
  const hostname = readOptionalText(plain, 'hostname');
  return { ...(ip === undefined ? {} : { ip }), ...(hostname === undefined ? {} : { hostname }) };
}

function readServicePort(plain: Plain): ServicePort {
  const name = readOptionalText(plain, 'name');
  const nodePort = readPort(plain, 'nodePort');
  return {
    ...(name === undefined ? {} : { name }),
    protocol: readChoice(plain, 'protocol', ['TCP', 'UDP', 'SCTP']),
    port: readPort(plain, 'port'),
    ...(nodePort === 0 ? {} : { nodePort }),
  };
}

function readPort(plain: Plain, field: string): number {
  const port = readNumber(plain, field);
  return port > portMax ? fail(field, 'a port') : port;
}

export function encodeSyncRequest(request: SyncRequest): Uint8Array {
  return syncType.encode({ ...request });
}

export function decodeSyncRequest(bytes: Uint8Array): SyncRequest {
  return { report: readChoice(syncType.decode(bytes), 'report', ['health', 'ingress']) };
}

export function encodeProbeRequest(request: ProbeRequest): Uint8Array {
  return probeRequestType.encode({ ...request });
}

export function decodeProbeRequest(bytes: Uint8Array): ProbeRequest {
  const plain = probeRequestType.decode(bytes);
  return {
    targets: readList(plain, 'targets', readTarget, probeTargetsMax),
    deadlineMs: readNumber(plain, 'deadlineMs'),
  };
}

function readTarget(plain: Plain): ProbeTarget {
  return {
    address: readText(plain, 'address', 64),
    port: readPort(plain, 'port'),
    method: readChoice(plain, 'method', ['tcp', 'tls']),
  };
}

export function encodeProbeReply(reply: ProbeReply): Uint8Array {
  return probeReplyType.encode({
    results: reply.results.map((result) => ({
      ...result,
      roundTripMs: Math.round(result.roundTripMs),
      reachedAgoMs:
        result.reachedAgoMs === undefined ? 0 : Math.max(1, Math.round(result.reachedAgoMs)),
    })),
  });
}

export function decodeProbeReply(bytes: Uint8Array): ProbeReply {
  return {
    results: readList(probeReplyType.decode(bytes), 'results', readProbeResult, probeTargetsMax),
  };
}

function readProbeResult(plain: Plain): ProbeResult {
  const reachedAgoMs = readNumber(plain, 'reachedAgoMs');
  return {
    target: readTarget(readMessage(plain, 'target')),
    ok: readFlag(plain, 'ok'),
    roundTripMs: readNumber(plain, 'roundTripMs'),
    reason: readText(plain, 'reason', 256),
    ...(reachedAgoMs === 0 ? {} : { reachedAgoMs }),
  };
}
