// Every message survives the trip over the wire, and whatever else comes over it is either a
// message or a MeshError: never another error, never a hang, never a value out of bounds.

import test from 'ava';
import fc from 'fast-check';
import { toClusterName, toContentHash, toRevision } from '../../common/model/ids.ts';
import type { ServiceKey } from '../../common/model/ids.ts';
import type { AgentMessage, CoordinatorMessage } from '../../common/model/session.ts';
import type { ProbeReply, ProbeRequest, TelemetryMessage } from '../../common/model/telemetry.ts';
import { MeshError } from '../../common/pure/errors.ts';
import {
  decodeAgentMessage,
  decodeCoordinatorMessage,
  decodeJoinRequest,
  decodeJoinResponse,
  encodeAgentMessage,
  encodeCoordinatorMessage,
  encodeJoinRequest,
  encodeJoinResponse,
} from '../../common/wire/mesh-codec.ts';
import {
  decodeProbeReply,
  decodeProbeRequest,
  decodeReport,
  decodeSyncRequest,
  encodeProbeReply,
  encodeProbeRequest,
  encodeReport,
  encodeSyncRequest,
} from '../../common/wire/telemetry-codec.ts';

const label = fc.stringMatching(/^[a-z0-9]([-a-z0-9]{0,20}[a-z0-9])?$/);
const cluster = label.map(toClusterName);
const key = fc.tuple(label, label).map(([namespace, name]) => `${namespace}/${name}` as ServiceKey);
const count = fc.nat({ max: 1_000_000 });
const big = fc.nat({ max: Number.MAX_SAFE_INTEGER });
const revision = big.map(toRevision);
const hash = fc.stringMatching(/^[0-9a-f]{32}$/).map(toContentHash);
const digest = fc.stringMatching(/^[0-9a-f]{16}$/);
const sentence = fc.string({ maxLength: 60 });
const word = fc.stringMatching(/^[A-Z][A-Za-z]{0,20}$/);
const optionalText = fc.option(fc.string({ minLength: 1, maxLength: 20 }), { nil: undefined });
const bytes = fc.uint8Array({ maxLength: 200 });
const port = fc.integer({ min: 1, max: 65_535 });
const incarnation = fc.record({ session: big, boot: big });
const topology = fc.record({
  zones: fc.array(label, { maxLength: 4 }),
  region: optionalText,
  provider: optionalText,
});
const receipt = fc.record({
  storeId: fc.string({ maxLength: 40 }),
  epoch: count,
  revision,
  mac: fc.uint8Array({ minLength: 32, maxLength: 32 }),
});
const shard = fc.record({ key, bytes, hash });
const result = fc
  .record({
    key,
    hash: fc.option(hash, { nil: undefined }),
    outcome: fc.constantFrom('applied', 'removed', 'released', 'refused', 'failed'),
    reason: word,
    message: sentence,
    adopted: fc.boolean(),
  })
  // False and absent are one.
  .map(({ adopted, ...rest }) => (adopted ? { ...rest, adopted: true as const } : rest));

const agentMessage: fc.Arbitrary<AgentMessage> = fc.oneof(
  fc.record({
    kind: fc.constant('hello' as const),
    cluster,
    incarnation,
    viewRevision: revision,
    receipt: fc.option(receipt, { nil: undefined }),
    digest,
    topology,
    agentVersion: sentence,
    kubernetesVersion: sentence,
  }),
  fc.record({
    kind: fc.constant('inventory' as const),
    entries: fc.array(fc.record({ key, hash })),
    isLast: fc.boolean(),
  }),
  fc.record({ kind: fc.constant('ack' as const), revision, results: fc.array(result) }),
  fc.record({ kind: fc.constant('topology' as const), topology, kubernetesVersion: sentence }),
  fc.record({ kind: fc.constant('renew' as const), csrDer: bytes }),
  fc.record({ kind: fc.constant('pong' as const), nonce: big }),
  fc.record({ kind: fc.constant('dnsAnswer' as const), id: fc.nat(), message: fc.uint8Array() }),
);

const peerShard = fc.record({
  cluster,
  zones: fc.array(label, { maxLength: 3 }),
  region: optionalText,
  addresses: fc.array(fc.ipV4(), { maxLength: 3 }),
  hostnames: fc.array(label, { maxLength: 3 }),
  tcpPorts: fc.array(port, { maxLength: 3 }),
  isHealthy: fc.boolean(),
});

const coordinatorMessage: fc.Arbitrary<CoordinatorMessage> = fc.oneof(
  fc.record({
    kind: fc.constant('welcome' as const),
    session: big,
    federation: label,
    domain: label,
    natsUrls: fc.array(sentence, { maxLength: 3 }),
    wantsInventory: fc.boolean(),
    ttlSeconds: fc.nat({ max: 86_400 }),
  }),
  fc.record({
    kind: fc.constant('batch' as const),
    revision,
    receipt,
    upserts: fc.array(shard),
    removals: fc.array(
      fc.record({
        // Not on the wire: whose stream it is on says it.
        cluster: fc.constant(toClusterName('receiver')),
        key,
        mode: fc.constantFrom('delete', 'release'),
        revision,
      }),
    ),
    isComplete: fc.boolean(),
  }),
  fc.record({
    kind: fc.constant('peers' as const),
    upserts: fc.array(
      fc.record({
        key,
        shards: fc.array(peerShard, { maxLength: 4 }),
        removedClusters: fc.array(cluster, { maxLength: 3 }),
        isDelta: fc.boolean(),
      }),
    ),
    removals: fc.array(key),
    isFull: fc.boolean(),
    hasMore: fc.boolean(),
  }),
  fc.record({ kind: fc.constant('certificate' as const), chainPem: sentence }),
  fc.record({ kind: fc.constant('ping' as const), nonce: big }),
  fc.record({ kind: fc.constant('dnsQuestion' as const), id: fc.nat(), message: fc.uint8Array() }),
  fc.record({ kind: fc.constant('drain' as const), reconnectAfterMs: count }),
);

const readiness = fc.record(
  {
    key,
    ready: count,
    serving: count,
    terminating: count,
    total: count,
    ports: fc.array(fc.record({ name: label, ready: count }), { minLength: 1, maxLength: 3 }),
  },
  { requiredKeys: ['key', 'ready', 'serving', 'terminating', 'total'] },
);
const ingress = fc.record({
  key,
  type: fc.constantFrom('ClusterIP', 'NodePort', 'LoadBalancer', 'ExternalName'),
  addresses: fc.array(fc.oneof(fc.record({ ip: fc.ipV4() }), fc.record({ hostname: label })), {
    maxLength: 3,
  }),
  clusterIps: fc.array(fc.ipV4(), { maxLength: 2 }),
  ports: fc.array(
    fc
      .record({
        name: optionalText,
        protocol: fc.constantFrom('TCP', 'UDP', 'SCTP'),
        port,
        nodePort: fc.option(port, { nil: undefined }),
      })
      .map(({ name, nodePort, ...rest }) => ({
        ...(name === undefined ? {} : { name }),
        ...rest,
        ...(nodePort === undefined ? {} : { nodePort }),
      })),
    { maxLength: 3 },
  ),
});
const sender = { cluster, incarnation };
const deltaOf = <R extends 'health' | 'ingress', T>(report: R, item: fc.Arbitrary<T>) =>
  fc.record({
    kind: fc.constant('delta' as const),
    report: fc.constant(report),
    ...sender,
    sequence: big,
    previousSequence: big,
    changed: fc.array(item),
    removed: fc.array(key),
  });
const fullOf = <R extends 'health' | 'ingress', T>(report: R, item: fc.Arbitrary<T>) =>
  fc.record({
    kind: fc.constant('full' as const),
    report: fc.constant(report),
    ...sender,
    sequence: big,
    part: count,
    parts: count,
    items: fc.array(item),
  });

const report = fc.oneof(
  fc.record({
    kind: fc.constant('heartbeat' as const),
    ...sender,
    sequence: big,
    viewRevision: revision,
    healthDigest: digest,
    ingressDigest: digest,
    healthSequence: big,
    ingressSequence: big,
    apiFresh: fc.boolean(),
    apiAgeMs: big,
  }),
  deltaOf('health', readiness),
  deltaOf('ingress', ingress),
  fullOf('health', readiness),
  fullOf('ingress', ingress),
  fc.record({
    kind: fc.constant('event' as const),
    ...sender,
    key: fc.option(key, { nil: undefined }),
    type: fc.constantFrom('Normal', 'Warning'),
    reason: word,
    message: sentence,
  }),
) as fc.Arbitrary<TelemetryMessage>;

const target = fc.record({ address: fc.ipV4(), port, method: fc.constantFrom('tcp', 'tls') });
const probeRequest = fc.record({
  targets: fc.array(target, { maxLength: 64 }),
  deadlineMs: count,
}) as fc.Arbitrary<ProbeRequest>;
const probeReply = fc.record({
  results: fc.array(fc.record({ target, ok: fc.boolean(), roundTripMs: count, reason: word }), {
    maxLength: 64,
  }),
}) as fc.Arbitrary<ProbeReply>;

/** The wire gives plain Uint8Arrays; a Buffer of the same bytes is the same. */
function plain<T>(value: T): unknown {
  if (value instanceof Uint8Array) return [...value];
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, plain(member)]));
}

test('what an agent says arrives as it was said', (t) => {
  fc.assert(
    fc.property(agentMessage, (message) => {
      t.deepEqual(plain(decodeAgentMessage(encodeAgentMessage(message))), plain(message));
    }),
  );
});

test('what a coordinator says arrives as it was said', (t) => {
  fc.assert(
    fc.property(coordinatorMessage, (message) => {
      t.deepEqual(
        plain(decodeCoordinatorMessage(encodeCoordinatorMessage(message))),
        plain(message),
      );
    }),
  );
});

test('reports arrive as they were made', (t) => {
  fc.assert(
    fc.property(report, (message) => {
      t.deepEqual(plain(decodeReport(encodeReport(message))), plain(message));
    }),
  );
});

test('joins, probes and requests arrive as they were made', (t) => {
  fc.assert(
    fc.property(
      sentence,
      sentence,
      bytes,
      probeRequest,
      probeReply,
      (a, b, csrDer, request, reply) => {
        const join = { cluster: a, token: b, csrDer, agentVersion: a };
        t.deepEqual(plain(decodeJoinRequest(encodeJoinRequest(join))), plain(join));
        const answer = { certificateChainPem: a, caPem: b, clusterUid: a };
        t.deepEqual(decodeJoinResponse(encodeJoinResponse(answer)), answer);
        t.deepEqual(decodeProbeRequest(encodeProbeRequest(request)), request);
        t.deepEqual(decodeProbeReply(encodeProbeReply(reply)), reply);
      },
    ),
  );
  for (const kind of ['health', 'ingress'] as const) {
    t.deepEqual(decodeSyncRequest(encodeSyncRequest({ report: kind })), { report: kind });
  }
});

const decoders = [
  decodeAgentMessage,
  decodeCoordinatorMessage,
  decodeJoinRequest,
  decodeJoinResponse,
  decodeReport,
  decodeSyncRequest,
  decodeProbeRequest,
  decodeProbeReply,
] as const;

function decodesOrRefuses(decode: (payload: Uint8Array) => unknown, payload: Uint8Array): boolean {
  try {
    decode(payload);
    return true;
  } catch (error) {
    return error instanceof MeshError && error.code === 'WIRE_INVALID' && error.class === 'fatal';
  }
}

test('garbage decodes or is refused as WIRE_INVALID', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (payload) => {
      for (const decode of decoders) t.true(decodesOrRefuses(decode, payload));
    }),
    { numRuns: 300 },
  );
});

test('a good message with a changed byte, or cut short, decodes or is refused as WIRE_INVALID', (t) => {
  const encoded = fc.oneof(
    agentMessage.map((message) => ({
      decode: decodeAgentMessage,
      payload: encodeAgentMessage(message),
    })),
    coordinatorMessage.map((message) => ({
      decode: decodeCoordinatorMessage,
      payload: encodeCoordinatorMessage(message),
    })),
    report.map((message) => ({ decode: decodeReport, payload: encodeReport(message) })),
  );
  fc.assert(
    fc.property(encoded, fc.nat(), fc.nat({ max: 255 }), ({ decode, payload }, at, value) => {
      const changed = Uint8Array.from(payload);
      if (changed.length > 0) changed[at % changed.length] = value;
      t.true(decodesOrRefuses(decode, changed));
      t.true(decodesOrRefuses(decode, payload.subarray(0, at % (payload.length + 1))));
    }),
    { numRuns: 300 },
  );
});

test('names that are no names are refused', (t) => {
  const heartbeat = {
    kind: 'event' as const,
    incarnation: { session: 1, boot: 1 },
    type: 'Normal' as const,
    reason: 'Any',
    message: '',
  };
  const at = (name: string, of: string) =>
    encodeReport({ ...heartbeat, cluster: name as never, key: of as never });
  for (const name of ['', 'UPPER', 'a.b', '../x', 'a'.repeat(64)]) {
    t.throws(() => decodeReport(at(name, 'ns/name')), { instanceOf: MeshError });
  }
  for (const bad of ['name', 'ns/', '/name', 'ns/a/b', 'ns/UPPER', '../../etc', 'ns/a.b']) {
    t.throws(() => decodeReport(at('one', bad)), { instanceOf: MeshError });
  }
});

test('more probe targets than the bound are refused', (t) => {
  const targets = Array.from({ length: 65 }, () => ({
    address: '192.0.2.1',
    port: 80,
    method: 'tcp' as const,
  }));
  t.throws(() => decodeProbeRequest(encodeProbeRequest({ targets, deadlineMs: 1 })), {
    instanceOf: MeshError,
  });
});
