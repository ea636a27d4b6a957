// MeshListener over grpc-js. One port for joins, which have no client certificate yet, and for
// sessions, which must have one: the TLS layer asks for a certificate without demanding it, and
// this adapter checks what came against the federation's CA. TLS itself proves possession.

import type { Http2SecureServer } from 'node:http2';
import { createSecureContext, type SecureContext, type SecureContextOptions } from 'node:tls';
import {
  Metadata,
  Server,
  ServerCredentials,
  status,
  type sendUnaryData,
  type ServerDuplexStream,
  type ServerUnaryCall,
} from '@grpc/grpc-js';
import type { AgentMessage, CoordinatorMessage } from '../../common/model/session.ts';
import { parseClusterName } from '../../common/model/ids.ts';
import { toTimestamp, type Clock } from '../../common/runtime/clock.ts';
import { gateHandshakes, handshakeMs } from '../../common/runtime/handshake-gate.ts';
import { describeError, type Log } from '../../common/runtime/log.ts';
import type { Metrics } from '../../common/runtime/metrics.ts';
import { CertificateReader, type KeyPairPem } from '../../common/runtime/certificates.ts';
import { formatAddress, type Address } from '../../common/runtime/settings.ts';
import type { JoinRequest, JoinResponse } from '../../common/wire/mesh-codec.ts';
import {
  keepaliveMs,
  keepaliveTimeoutMs,
  meshService,
  messageBytesMax,
  refusalReasonKey,
  refusalRetryAfterKey,
  refusalRetryKey,
} from '../../common/wire/mesh-service.ts';
import { agentsOrganization, parseClusterUri } from './certificate-authority.ts';
import type {
  MeshHandlers,
  MeshListener,
  PeerIdentity,
  Refusal,
  SessionStream,
} from './mesh-port.ts';

export interface GrpcListenerOptions {
  readonly listen: Address;
  readonly certificates: MeshCertificates;
  readonly federation: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
}

/** What the port shows and trusts now; another after a renewal or with another CA. */
export interface MeshCertificates {
  current(): {
    /** Leaf, then whatever leads from it to each CA that an agent may trust. */
    readonly chainPem: string;
    readonly keyPem: string;
    /** CAs of agents' certificates. */
    readonly trustedPem: string;
    /** A joining agent asks for the CA that its token pins: the chain that ends in it. */
    chainFor(pin: string): string | undefined;
  };
  /** New handshakes get what is current; streams that are open go on. */
  subscribe(listener: () => void): () => void;
}

/** The same for ever: one CA, one certificate of it. */
export function fixedCertificates(server: KeyPairPem, caPem: string): MeshCertificates {
  const { certPem, keyPem } = server;
  const chainPem = `${certPem}${caPem}`;
  const current = { chainPem, keyPem, trustedPem: caPem, chainFor: () => undefined };
  return { current: () => current, subscribe: () => () => undefined };
}

type SessionCall = ServerDuplexStream<AgentMessage, CoordinatorMessage>;

// An orderly stop waits this long for streams to end, then cuts them.
const drainMs = 1_000;
// Agents of a thousand clusters come back at once, over slow lines and from busy machines.
const handshakeBounds = {
  perTurn: 2,
  atOnce: 32,
  patienceMs: 5_000,
  ownPatienceMs: 5_000,
};

/** Asks for a client certificate and accepts a connection without one. */
class OptionalClientCertificate extends ServerCredentials {
  readonly #certificates: MeshCertificates;
  readonly #contexts: PinContexts;

  constructor({ certificates }: GrpcListenerOptions) {
    const contexts = new PinContexts(certificates);
    super(
      {
        requestCert: true,
        rejectUnauthorized: false,
        handshakeTimeout: handshakeMs,
        SNICallback: (name, answer) => answer(null, contexts.get(name)),
      },
      toContextOptions(certificates),
    );
    this.#certificates = certificates;
    this.#contexts = contexts;
  }

  renew(): void {
    this.#contexts.forget();
    this.updateSecureContextOptions(toContextOptions(this.#certificates));
  }

  _equals(other: ServerCredentials): boolean {
    return this === other;
  }
}

function toContextOptions({ current }: MeshCertificates): SecureContextOptions {
  const { chainPem, keyPem, trustedPem } = current();
  return { ca: trustedPem, cert: chainPem, key: keyPem, minVersion: 'TLSv1.2' };
}

/**
 * `<pin>.isthmus-coordinator` asks for the chain that ends in that CA. Making a context costs as much
 * as a handshake, so each chain, of which there are as many as CAs, has one.
 */
class PinContexts {
  readonly #certificates: MeshCertificates;
  readonly #made = new Map<string, SecureContext>();

  constructor(certificates: MeshCertificates) {
    this.#certificates = certificates;
  }

  /** undefined: the usual. */
  get(name: string): SecureContext | undefined {
    const chainPem = this.#certificates.current().chainFor(name.split('.', 1)[0] ?? '');
    if (chainPem === undefined) return undefined;
    const known = this.#made.get(chainPem);
    if (known !== undefined) return known;
    const options = { ...toContextOptions(this.#certificates), cert: chainPem };
    const context = createSecureContext(options);
    this.#made.set(chainPem, context);
    return context;
  }

  forget(): void {
    this.#made.clear();
  }
}

export function createGrpcListener(options: GrpcListenerOptions): MeshListener {
  const { clock, log } = options;
  const credentials = new OptionalClientCertificate(options);
  const door = { ...options, reader: new CertificateReader() };
  const unsubscribe = options.certificates.subscribe(() => credentials.renew());
  const server = new Server({
    'grpc.max_receive_message_length': messageBytesMax,
    'grpc.max_send_message_length': messageBytesMax,
    'grpc.keepalive_time_ms': keepaliveMs,
    'grpc.keepalive_timeout_ms': keepaliveTimeoutMs,
    'grpc.max_concurrent_streams': 8,
  });
  return {
    listen: (handlers) => {
      server.addService(toService(options), {
        join: (
          call: ServerUnaryCall<JoinRequest, JoinResponse>,
          reply: sendUnaryData<JoinResponse>,
        ) => void answerJoin(options, handlers, call, reply),
        session: (call: SessionCall) => openStream(door, handlers, call),
      });
      return new Promise((resolve, reject) => {
        const at = formatAddress(options.listen);
        server.bindAsync(at, credentials, (error, port) => {
          if (error === null) {
            watchConnections(server, options);
            resolve(port);
          } else reject(new Error(`cannot listen for agents on ${at}`, { cause: error }));
        });
      });
    },
    close: () =>
      new Promise((resolve) => {
        unsubscribe();
        const cut = clock.after(drainMs, () => server.forceShutdown());
        server.tryShutdown((error) => {
          cut.cancel();
          if (error !== undefined) log.debug('mesh listener cut its streams');
          resolve();
        });
      }),
  };
}

/**
 * Takes up few TLS handshakes at once, and counts connections that end before they are gRPC: port
 * scanners, wrong ports, other protocols. grpc-js ends them without a word and keeps its HTTP/2
 * servers to itself; should a later version keep them elsewhere, the count is lost and all
 * handshakes are taken up as they come.
 */
function watchConnections(server: Server, { metrics, log, clock }: GrpcListenerOptions): void {
  const { http2Servers } = server as unknown as {
    http2Servers?: ReadonlyMap<Http2SecureServer, unknown>;
  };
  const count = (kind: string, error: unknown): void => {
    metrics.count('mesh_session_failures_total', { kind });
    log.debug('a connection was no agent', { kind, error: describeError(error) });
  };
  for (const http2Server of http2Servers?.keys() ?? []) {
    http2Server.on('tlsClientError', (error) => count('connection', error));
    http2Server.on('sessionError', (error) => count('connection', error));
    const onFault = (kind: string, error?: Error): void => count(kind, error);
    gateHandshakes(http2Server, { bounds: handshakeBounds, clock, onFault });
  }
}

/** grpc-js refuses what cannot be decoded by itself; here it is counted. */
function toService({ log, metrics }: GrpcListenerOptions): typeof meshService {
  const counting =
    <T>(decode: (bytes: Buffer) => T) =>
    (bytes: Buffer): T => {
      try {
        return decode(bytes);
      } catch (error) {
        metrics.count('mesh_session_failures_total', { kind: 'garbage' });
        log.debug('an agent sent garbage', { error: describeError(error) });
        throw error;
      }
    };
  const { join, session } = meshService;
  // The same message object goes to many streams (shared-messages.ts): its bytes are made once.
  const encoded = new WeakMap<CoordinatorMessage, Buffer>();
  const responseSerialize = (message: CoordinatorMessage): Buffer => {
    const bytes = encoded.get(message) ?? session.responseSerialize(message);
    encoded.set(message, bytes);
    return bytes;
  };
  return {
    join: { ...join, requestDeserialize: counting(join.requestDeserialize) },
    session: {
      ...session,
      requestDeserialize: counting(session.requestDeserialize),
      responseSerialize,
    },
  };
}

async function answerJoin(
  { log, metrics }: GrpcListenerOptions,
  handlers: MeshHandlers,
  call: ServerUnaryCall<JoinRequest, JoinResponse>,
  reply: sendUnaryData<JoinResponse>,
): Promise<void> {
  try {
    const remoteAddress = toHost(call.getPeer());
    const asker = { remoteAddress, isGone: () => call.cancelled };
    const outcome = await handlers.onJoin(call.request, asker);
    if ('reason' in outcome) reply(toStatus(outcome), null);
    else reply(null, outcome);
  } catch (error) {
    metrics.count('mesh_session_failures_total', { kind: 'join' });
    log.warn('join failed', { error: describeError(error) });
    reply({ code: status.UNAVAILABLE, details: 'the coordinator cannot answer a join now' }, null);
  }
}

interface Door extends GrpcListenerOptions {
  readonly reader: CertificateReader;
}

function openStream(options: Door, handlers: MeshHandlers, call: SessionCall): void {
  const { log, metrics } = options;
  const peer = identify(options, call);
  if ('reason' in peer) {
    metrics.count('mesh_session_refusals_total', { reason: peer.reason });
    log.debug('a stream was refused', { reason: peer.reason, remote: toHost(call.getPeer()) });
    call.emit('error', toStatus(peer));
    return;
  }
  let isOver = false;
  const stream: SessionStream = {
    peer,
    remoteAddress: toHost(call.getPeer()),
    send: (message) => isOver || call.write(message),
    end: (refusal) => {
      if (isOver) return;
      isOver = true;
      if (refusal === undefined) call.end();
      else call.emit('error', toStatus(refusal));
    },
  };
  const handler = handlers.onSession(stream);
  const over = (): void => {
    isOver = true;
    handler.onEnd();
  };
  let isTold = false;
  const overOnce = (): void => {
    if (isTold) return;
    isTold = true;
    over();
  };
  call.on('data', (message: AgentMessage) => {
    if (!isOver) handler.onMessage(message);
  });
  call.on('drain', () => handler.onDrain());
  call.on('cancelled', overOnce);
  call.on('end', () => {
    call.end();
    overOnce();
  });
  call.on('close', overOnce);
  call.on('error', (error: Error) => {
    log.debug('session stream failed', { cluster: peer.cluster, error: describeError(error) });
    overOnce();
  });
}

/**
 * Who the certificate names, when it is ours, in date and an agent's; else why not. grpc-js keeps
 * one that TLS could not verify to itself, so that ended, foreign and none look the same here; the
 * agent knows which it is, and asks to come back by its key.
 */
function identify(options: Door, call: SessionCall): PeerIdentity | Refusal {
  const der = call.getAuthContext().sslPeerCertificate?.raw;
  const { trustedPem: caPem } = options.certificates.current();
  const nowMs = options.clock.now();
  const facts = der === undefined ? undefined : options.reader.read({ der, caPem, nowMs });
  if (facts === undefined) {
    return strange(`none of its CA came that is in date at ${toTimestamp(nowMs)}`);
  }
  const named = facts.uris.map((uri) => parseClusterUri(options.federation, uri)).find(Boolean);
  const cluster = parseClusterName(named?.cluster ?? '');
  const isAgent = facts.organizations.includes(agentsOrganization);
  if (named === undefined || cluster === undefined || cluster !== facts.commonName || !isAgent) {
    return strange('this one names no cluster of it');
  }
  const { publicKeyHash, notAfterMs: certificateEndMs } = facts;
  return { cluster, clusterUid: named.uid, publicKeyHash, certificateEndMs };
}

function strange(why: string): Refusal {
  const message = `a session needs a client certificate of this federation: ${why}`;
  return { reason: 'NoCertificate', message, retry: false };
}

function toStatus(refusal: Refusal) {
  const metadata = new Metadata();
  metadata.set(refusalReasonKey, refusal.reason);
  metadata.set(refusalRetryKey, String(refusal.retry));
  const { retryAfterMs } = refusal;
  if (retryAfterMs !== undefined) metadata.set(refusalRetryAfterKey, String(retryAfterMs));
  return { code: toCode(refusal), details: `${refusal.reason}: ${refusal.message}`, metadata };
}

function toCode({ retry, retryAfterMs }: Refusal): status {
  if (!retry) return status.PERMISSION_DENIED;
  return retryAfterMs === undefined ? status.UNAVAILABLE : status.RESOURCE_EXHAUSTED;
}

/** `ipv4:1.2.3.4:56` or `1.2.3.4:56` to the address. */
function toHost(peer: string): string {
  const plain = peer.replace(/^ipv[46]:/, '');
  const host = plain.slice(0, plain.lastIndexOf(':'));
  return host.replace(/^\[|\]$/g, '').replace(/^::ffff:/, '');
}
