// Mesh messages: model <-> proto/mesh.proto.

import type { InventoryEntry } from '../model/session.ts';
import type { AgentMessage, CoordinatorMessage, Incarnation, Receipt } from '../model/session.ts';
import type { RemovalOrder, Shard, ShardResult } from '../model/shard.ts';
import type { Topology } from '../model/topology.ts';
import { toClusterName } from '../model/ids.ts';
import { assertNever } from '../pure/errors.ts';
import {
  readHeldLogin,
  readNatsKey,
  readNatsLogin,
  readNatsTrust,
  toNatsLoginPlain,
  toNatsTrustPlain,
} from './nats-codec.ts';
import { readForeign, toForeignPlain } from './foreign-codec.ts';
import { readPeerChange, toPeerChangePlain } from './peers-codec.ts';
import { messageType, type Plain } from './proto-types.ts';
import {
  fail,
  readBytes,
  readChoice,
  readCluster,
  readFlag,
  readHash,
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
} from './read.ts';

const agentType = messageType('AgentMessage');
const coordinatorType = messageType('CoordinatorMessage');
const joinRequestType = messageType('JoinRequest');
const joinResponseType = messageType('JoinResponse');

// A Service with its annotations is at most etcd's 1.5 MiB.
const shardBytesMax = 2 * 2 ** 20;
const certificateMax = 64 * 1024;
const dnsMessageMax = 16 * 1024;

export interface JoinRequest {
  readonly cluster: string;
  readonly token: string;
  readonly csrDer: Uint8Array;
  readonly agentVersion: string;
  /** The agent's wall clock; absent in agents before 0.2. */
  readonly clockUnixMs?: number | undefined;
}

export interface JoinResponse {
  readonly certificateChainPem: string;
  readonly caPem: string;
  readonly clusterUid: string;
}

export function encodeJoinRequest(request: JoinRequest): Uint8Array {
  return joinRequestType.encode({ ...request });
}

/** The cluster's name is not checked here: a bad one is refused with a reason of its own. */
export function decodeJoinRequest(bytes: Uint8Array): JoinRequest {
  const plain = joinRequestType.decode(bytes);
  return {
    cluster: readText(plain, 'cluster', 512),
    token: readText(plain, 'token', 2048),
    csrDer: readBytes(plain, 'csrDer', certificateMax),
    agentVersion: readText(plain, 'agentVersion', 128),
    ...readClock(plain),
  };
}

/** A version that does not say it sends 0. */
function readClock(plain: Plain): { readonly clockUnixMs?: number } {
  const clockUnixMs = readNumber(plain, 'clockUnixMs');
  return clockUnixMs === 0 ? {} : { clockUnixMs };
}

function readSaid<K extends string>(plain: Plain, field: K, max: number): { [P in K]?: string } {
  const text = readText(plain, field, max);
  return text === '' ? {} : ({ [field]: text } as { [P in K]: string }); // the one member
}

export function encodeJoinResponse(response: JoinResponse): Uint8Array {
  return joinResponseType.encode({ ...response });
}

export function decodeJoinResponse(bytes: Uint8Array): JoinResponse {
  const plain = joinResponseType.decode(bytes);
  return {
    certificateChainPem: readText(plain, 'certificateChainPem', certificateMax),
    caPem: readText(plain, 'caPem', certificateMax),
    clusterUid: readText(plain, 'clusterUid', 128),
  };
}

export function encodeAgentMessage(message: AgentMessage): Uint8Array {
  return agentType.encode(toAgentPlain(message));
}

function toAgentPlain(message: AgentMessage): Plain {
  switch (message.kind) {
    case 'hello':
      return { hello: { ...message, topology: toTopologyPlain(message.topology) } };
    case 'inventory':
      return { inventory: { entries: message.entries, isLast: message.isLast } };
    case 'ack':
      return { ack: { ...message, results: message.results.map(toResultPlain) } };
    case 'foreign':
      return { foreign: toForeignPlain(message) };
    case 'topology':
      return {
        topology: {
          topology: toTopologyPlain(message.topology),
          kubernetesVersion: message.kubernetesVersion,
        },
      };
    case 'renew':
      return { renew: { csrDer: message.csrDer } };
    case 'natsRenewal':
      return { natsRenewal: message.natsKey };
    case 'trusted':
      return { trusted: { digest: message.digest } };
    case 'pong':
      return { pong: message };
    case 'dnsAnswer':
      return { dnsAnswer: message };
    default:
      return assertNever(message);
  }
}

/** Throws MeshError fatal WIRE_INVALID. */
export function decodeAgentMessage(bytes: Uint8Array): AgentMessage {
  const plain = agentType.decode(bytes);
  const kind = plain['message'];
  const body =
    typeof kind === 'string' ? readMessage(plain, kind) : fail('message', 'one of its kinds');
  switch (kind) {
    case 'hello':
      return readHello(body);
    case 'inventory':
      return {
        kind,
        entries: readList(body, 'entries', readInventoryEntry),
        isLast: readFlag(body, 'isLast'),
      };
    case 'ack':
      return {
        kind,
        revision: readRevision(body, 'revision'),
        results: readList(body, 'results', readResult),
        ...(readFlag(body, 'isRestApplied') ? { isRestApplied: true } : {}),
      };
    case 'foreign':
      return { kind, ...readForeign(body) };
    case 'topology':
      return {
        kind,
        topology: readTopology(readOptionalMessage(body, 'topology')),
        kubernetesVersion: readText(body, 'kubernetesVersion', 128),
      };
    case 'renew':
      return { kind, csrDer: readBytes(body, 'csrDer', certificateMax) };
    case 'natsRenewal':
      return { kind, natsKey: readNatsKey(body) };
    case 'trusted':
      return { kind, digest: readText(body, 'digest', 64) };
    case 'pong':
      return { kind, nonce: readNumber(body, 'nonce'), ...readClock(body) };
    case 'dnsAnswer':
      return { kind, ...readDnsMessage(body) };
    default:
      return fail('message', 'a kind that this version knows');
  }
}

function readHello(body: Plain): AgentMessage {
  const receipt = readOptionalMessage(body, 'receipt');
  const natsKey = readOptionalMessage(body, 'natsKey');
  return {
    kind: 'hello',
    cluster: readCluster(body, 'cluster'),
    incarnation: readIncarnation(readOptionalMessage(body, 'incarnation')),
    viewRevision: readRevision(body, 'viewRevision'),
    receipt: receipt === undefined ? undefined : readReceipt(receipt),
    digest: readText(body, 'digest', 64),
    topology: readTopology(readOptionalMessage(body, 'topology')),
    agentVersion: readText(body, 'agentVersion', 128),
    kubernetesVersion: readText(body, 'kubernetesVersion', 128),
    ...(natsKey === undefined ? {} : { natsKey: readNatsKey(natsKey) }),
    ...readHeldLogin(body),
    ...readSaid(body, 'instance', 64),
    ...readSaid(body, 'trustDigest', 64),
    ...readSaid(body, 'peersDigest', 32),
    ...readClock(body),
    ...(readFlag(body, 'answersDns') ? { answersDns: true } : {}),
  };
}

export function encodeCoordinatorMessage(message: CoordinatorMessage): Uint8Array {
  return coordinatorType.encode(toCoordinatorPlain(message));
}

function toCoordinatorPlain(message: CoordinatorMessage): Plain {
  const { kind, ...body } = message;
  switch (message.kind) {
    case 'batch':
      return { batch: { ...body, upserts: message.upserts.map(toShardPlain) } };
    case 'peers':
      return { peers: { ...body, upserts: message.upserts.map(toPeerChangePlain) } };
    case 'welcome':
      return { welcome: toWelcomePlain(message) };
    case 'natsLogin':
      return { natsLogin: toNatsLoginPlain(message.login) };
    case 'certificate':
    case 'trust':
    case 'ping':
    case 'dnsQuestion':
    case 'drain':
      return { [kind]: body };
    default:
      return assertNever(message);
  }
}

/** Throws MeshError fatal WIRE_INVALID. */
export function decodeCoordinatorMessage(bytes: Uint8Array): CoordinatorMessage {
  const plain = coordinatorType.decode(bytes);
  const kind = plain['message'];
  const body =
    typeof kind === 'string' ? readMessage(plain, kind) : fail('message', 'one of its kinds');
  switch (kind) {
    case 'welcome':
      return readWelcome(body);
    case 'batch':
      return {
        kind,
        revision: readRevision(body, 'revision'),
        receipt: readReceipt(readMessage(body, 'receipt')),
        upserts: readList(body, 'upserts', readShard),
        removals: readList(body, 'removals', readRemoval),
        isComplete: readFlag(body, 'isComplete'),
      };
    case 'peers':
      return {
        kind,
        upserts: readList(body, 'upserts', readPeerChange),
        removals: readKeys(body, 'removals'),
        isFull: readFlag(body, 'isFull'),
        hasMore: readFlag(body, 'hasMore'),
      };
    case 'certificate':
      return { kind, chainPem: readText(body, 'chainPem', certificateMax) };
    case 'trust':
      return { kind, caPem: readText(body, 'caPem', certificateMax) };
    case 'natsLogin':
      return { kind, login: readNatsLogin(body) };
    case 'ping':
      return { kind, nonce: readNumber(body, 'nonce') };
    case 'dnsQuestion':
      return { kind, ...readDnsMessage(body) };
    case 'drain':
      return { kind, reconnectAfterMs: readNumber(body, 'reconnectAfterMs') };
    default:
      return fail('message', 'a kind that this version knows');
  }
}

function readDnsMessage(body: Plain): { readonly id: number; readonly message: Uint8Array } {
  return { id: readNumber(body, 'id'), message: readBytes(body, 'message', dnsMessageMax) };
}

type Welcome = Extract<CoordinatorMessage, { kind: 'welcome' }>;

function toWelcomePlain({ kind: _kind, natsLogin, natsTrust, ...body }: Welcome): Plain {
  return {
    ...body,
    ...(natsLogin === undefined ? {} : { natsLogin: toNatsLoginPlain(natsLogin) }),
    ...toNatsTrustPlain(natsTrust),
  };
}

function readWelcome(body: Plain): Welcome {
  const natsLogin = readOptionalMessage(body, 'natsLogin');
  const natsTrust = readNatsTrust(body);
  return {
    kind: 'welcome',
    session: readNumber(body, 'session'),
    federation: readText(body, 'federation', 63),
    domain: readText(body, 'domain', 253),
    natsUrls: readTexts(body, 'natsUrls'),
    wantsInventory: readFlag(body, 'wantsInventory'),
    ttlSeconds: readNumber(body, 'ttlSeconds'),
    ...(natsLogin === undefined ? {} : { natsLogin: readNatsLogin(natsLogin) }),
    ...(readFlag(body, 'natsLoginStands') ? { natsLoginStands: true } : {}),
    ...(natsTrust === undefined ? {} : { natsTrust }),
    ...readSaid(body, 'coordinatorVersion', 128),
    ...readClock(body),
    ...(readFlag(body, 'takesRestApplied') ? { takesRestApplied: true } : {}),
    ...readSaid(body, 'foreignDigest', 32),
  };
}

/** Stands for the receiver: an order on the wire does not repeat whose stream it is on. */
const receiver = toClusterName('receiver');

function readRemoval(plain: Plain): RemovalOrder {
  return {
    cluster: receiver,
    key: readKey(plain, 'key'),
    mode: readChoice(plain, 'mode', ['delete', 'release']),
    revision: readRevision(plain, 'revision'),
  };
}

function toShardPlain({ key, bytes, hash }: Shard): Plain {
  return { key, content: bytes, hash };
}

function readShard(plain: Plain): Shard {
  return {
    key: readKey(plain, 'key'),
    bytes: readBytes(plain, 'content', shardBytesMax),
    hash: readHash(plain, 'hash'),
  };
}

function readInventoryEntry(plain: Plain): InventoryEntry {
  return { key: readKey(plain, 'key'), hash: readHash(plain, 'hash') };
}

function toResultPlain(result: ShardResult): Plain {
  return { ...result, hash: result.hash ?? '', adopted: result.adopted ?? false };
}

function readResult(plain: Plain): ShardResult {
  return {
    key: readKey(plain, 'key'),
    hash: readText(plain, 'hash') === '' ? undefined : readHash(plain, 'hash'),
    outcome: readChoice(plain, 'outcome', ['applied', 'removed', 'released', 'refused', 'failed']),
    reason: readText(plain, 'reason', 256),
    message: readText(plain, 'message'),
    ...(readFlag(plain, 'adopted') ? { adopted: true } : {}),
  };
}

function toTopologyPlain(topology: Topology): Plain {
  return {
    zones: topology.zones,
    region: topology.region ?? '',
    provider: topology.provider ?? '',
  };
}

function readTopology(plain: Plain | undefined): Topology {
  if (plain === undefined) return { zones: [], region: undefined, provider: undefined };
  return {
    zones: readTexts(plain, 'zones'),
    region: readOptionalText(plain, 'region'),
    provider: readOptionalText(plain, 'provider'),
  };
}

export function readIncarnation(plain: Plain | undefined): Incarnation {
  if (plain === undefined) return { session: 0, boot: 0 };
  return { session: readNumber(plain, 'session'), boot: readNumber(plain, 'boot') };
}

function readReceipt(plain: Plain): Receipt {
  return {
    storeId: readText(plain, 'storeId', 128),
    epoch: readNumber(plain, 'epoch'),
    revision: readRevision(plain, 'revision'),
    mac: readBytes(plain, 'mac', 64),
  };
}
