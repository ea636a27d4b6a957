// MeshListener over grpc-js. One port for joins, which have no client certificate yet, and for
// sessions, which must have one: the TLS layer asks for a certificate without demanding it, and
// this adapter checks what came against the federation's CA. TLS itself proves possession.

import type { EventEmitter } from 'node:events';
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
import type { Clock } from '../../common/runtime/clock.ts';
import { describeError, type Log } from '../../common/runtime/log.ts';
import type { Metrics } from '../../common/runtime/metrics.ts';
import { isIssuedBy, readCertificate, type KeyPairPem } from '../../common/runtime/certificates.ts';
import { formatAddress, type Address } from '../../common/runtime/settings.ts';
import type { JoinRequest, JoinResponse } from '../../common/wire/mesh-codec.ts';
import {
  keepaliveMs,
  keepaliveTimeoutMs,
  meshService,
  messageBytesMax,
  refusalReasonKey,
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
  readonly server: KeyPairPem;
  readonly caPem: string;
  readonly federation: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
}

type SessionCall = ServerDuplexStream<AgentMessage, CoordinatorMessage>;

// An orderly stop waits this long for streams to end, then cuts them.
const drainMs = 1_000;
// As for the API's port: who says nothing keeps a socket no longer than this.
const handshakeMs = 10_000;

/** Asks for a client certificate and accepts a connection without one. */
class OptionalClientCertificate extends ServerCredentials {
  constructor(options: GrpcListenerOptions) {
    super(
      { requestCert: true, rejectUnauthorized: false, handshakeTimeout: handshakeMs },
      {
        ca: options.caPem,
        // Leaf and CA: an agent that joins finds the CA in the chain and compares it with its pin.
        cert: `${options.server.certPem}${options.caPem}`,
        key: options.server.keyPem,
        minVersion: 'TLSv1.2',
      },
    );
  }

  _equals(other: ServerCredentials): boolean {
    return this === other;
  }
}

export function createGrpcListener(options: GrpcListenerOptions): MeshListener {
  const { clock, log } = options;
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
        session: (call: SessionCall) => openStream(options, handlers, call),
      });
      return new Promise((resolve, reject) => {
        const at = formatAddress(options.listen);
        server.bindAsync(at, new OptionalClientCertificate(options), (error, port) => {
          if (error === null) {
            countStrangers(server, options);
            resolve(port);
          } else reject(new Error(`cannot listen for agents on ${at}`, { cause: error }));
        });
      });
    },
    close: () =>
      new Promise((resolve) => {
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
 * Counts connections that end before they are gRPC: port scanners, wrong ports, other protocols.
 * grpc-js ends them without a word and keeps its HTTP/2 servers to itself; should a later version
 * keep them elsewhere, only the count is lost.
 */
function countStrangers(server: Server, { metrics, log }: GrpcListenerOptions): void {
  const { http2Servers } = server as unknown as {
    http2Servers?: ReadonlyMap<EventEmitter, unknown>;
  };
  const count = (error: unknown): void => {
    metrics.count('mesh_session_failures_total', { kind: 'connection' });
    log.debug('a connection was no agent', { error: describeError(error) });
  };
  for (const http2Server of http2Servers?.keys() ?? []) {
    http2Server.on('tlsClientError', count);
    http2Server.on('sessionError', count);
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
    const outcome = await handlers.onJoin(call.request, toHost(call.getPeer()));
    if ('reason' in outcome) reply(toStatus(outcome), null);
    else reply(null, outcome);
  } catch (error) {
    metrics.count('mesh_session_failures_total', { kind: 'join' });
    log.warn('join failed', { error: describeError(error) });
    reply({ code: status.UNAVAILABLE, details: 'the coordinator cannot answer a join now' }, null);
  }
}

function openStream(options: GrpcListenerOptions, handlers: MeshHandlers, call: SessionCall): void {
  const { log, metrics } = options;
  const peer = identify(options, call);
  if (peer === undefined) {
    metrics.count('mesh_session_refusals_total', { reason: 'NoCertificate' });
    call.emit(
      'error',
      toStatus({
        reason: 'NoCertificate',
        message: 'a session needs a client certificate of this federation; join first',
        retry: false,
      }),
    );
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

/** Who the verified certificate names; undefined without one that is ours, in date and an agent's. */
function identify(options: GrpcListenerOptions, call: SessionCall): PeerIdentity | undefined {
  const der = call.getAuthContext().sslPeerCertificate?.raw;
  if (der === undefined || !isIssuedBy({ der, caPem: options.caPem, nowMs: options.clock.now() })) {
    return undefined;
  }
  const facts = readCertificate(der);
  const named = facts.uris.map((uri) => parseClusterUri(options.federation, uri)).find(Boolean);
  const cluster = parseClusterName(named?.cluster ?? '');
  if (named === undefined || cluster === undefined || cluster !== facts.commonName)
    return undefined;
  if (!facts.organizations.includes(agentsOrganization)) return undefined;
  return { cluster, clusterUid: named.uid, publicKeyHash: facts.publicKeyHash };
}

function toStatus(refusal: Refusal) {
  const metadata = new Metadata();
  metadata.set(refusalReasonKey, refusal.reason);
  metadata.set(refusalRetryKey, String(refusal.retry));
  const code = refusal.retry ? status.UNAVAILABLE : status.PERMISSION_DENIED;
  return { code, details: `${refusal.reason}: ${refusal.message}`, metadata };
}

/** `ipv4:1.2.3.4:56` or `1.2.3.4:56` to the address. */
function toHost(peer: string): string {
  const plain = peer.replace(/^ipv[46]:/, '');
  const host = plain.slice(0, plain.lastIndexOf(':'));
  return host.replace(/^\[|\]$/g, '').replace(/^::ffff:/, '');
}
