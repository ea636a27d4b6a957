// MeshDialer over grpc-js and TLS.

import { connect as connectTls, type DetailedPeerCertificate } from 'node:tls';
import { X509Certificate } from 'node:crypto';
import {
  Client,
  credentials as grpcCredentials,
  status,
  type ChannelCredentials,
  type ClientDuplexStream,
  type ServiceError,
} from '@grpc/grpc-js';
import type { AgentMessage, CoordinatorMessage } from '../../common/model/session.ts';
import { MeshError } from '../../common/pure/errors.ts';
import { toTimestamp, type Clock } from '../../common/runtime/clock.ts';
import { formatAddress, type Address } from '../../common/runtime/settings.ts';
import type { JoinResponse } from '../../common/wire/mesh-codec.ts';
import {
  meshService,
  messageBytesMax,
  refusalReasonKey,
  refusalRetryAfterKey,
  refusalRetryKey,
} from '../../common/wire/mesh-service.ts';
import { BreakableCredentials } from './grpc-attempt.ts';
import { CoordinatorBusy, type Credentials, type MeshDialer, type StreamEnd } from './mesh-port.ts';

export interface GrpcDialerOptions {
  readonly coordinator: Address;
  readonly clock: Clock;
}

// Every coordinator's certificate carries this name, whatever address leads to it: the CA is the
// federation's own, so the name adds nothing, and clusters reach coordinators by many addresses.
const serverName = 'isthmus-coordinator';

const channelOptions = {
  'grpc.ssl_target_name_override': serverName,
  'grpc.default_authority': serverName,
  'grpc.max_receive_message_length': messageBytesMax,
  'grpc.max_send_message_length': messageBytesMax,
  // No keepalive: the session hears pings, and judges their silence with what the socket still holds
  // (./patience.ts). grpc-js would judge before, and end streams of a process that had stood still.
  // Retries keep buffers for as long as a call lives, and ours live for weeks.
  'grpc.enable_retries': 0,
  // One connection a session: the pool of the process would give the next one that of the last, which
  // may have fallen silent, now that both are opened with the same credentials.
  'grpc.use_local_subchannel_pool': 1,
  // It would take another proxy than the rest of the agent (common/runtime/proxy-tunnel.ts).
  'grpc.enable_http_proxy': 0,
  'grpc.initial_reconnect_backoff_ms': 200,
  'grpc.max_reconnect_backoff_ms': 2_000,
} as const;

export function createGrpcDialer({ coordinator, clock }: GrpcDialerOptions): MeshDialer {
  const target = formatAddress(coordinator);
  const open = (credentials: ChannelCredentials): Client =>
    new Client(target, credentials, channelOptions);
  const toCredentials = rememberCredentials();
  return {
    fetchCa: (pin, deadlineMs) => fetchCa(coordinator, pin, clock, deadlineMs),
    join: (request, caPem, deadlineMs) => {
      const attempt = new BreakableCredentials(grpcCredentials.createSsl(Buffer.from(caPem)));
      const client = open(attempt);
      return new Promise<JoinResponse>((resolve, reject) => {
        const { path, requestSerialize, responseDeserialize } = meshService.join;
        client.makeUnaryRequest(
          path,
          requestSerialize,
          responseDeserialize,
          request,
          { deadline: clock.now() + deadlineMs },
          (error, response) => {
            client.close();
            if (error !== null && !isRefusal(error)) attempt.breakOff();
            if (error !== null) reject(toJoinError(error, clock.now()));
            else if (response === undefined)
              reject(new MeshError('retryable', 'COORDINATOR_UNREACHABLE', 'empty answer'));
            else resolve(response);
          },
        );
      });
    },
    connect: (credentials, handler) => {
      const attempt = new BreakableCredentials(toCredentials(credentials));
      const client = open(attempt);
      const { path, requestSerialize, responseDeserialize } = meshService.session;
      const call: ClientDuplexStream<AgentMessage, CoordinatorMessage> =
        client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize);
      let [isOver, isHeard] = [false, false];
      const close = (): void => {
        isOver = true;
        client.close();
        // Who answers is told that it ends.
        if (!isHeard) attempt.breakOff();
      };
      const over = (end: StreamEnd): void => {
        if (isOver) return;
        close();
        handler.onEnd(end);
      };
      call.on('data', (message: CoordinatorMessage) => {
        isHeard = true;
        if (!isOver) handler.onMessage(message);
      });
      call.on('error', (error: ServiceError) => {
        isHeard ||= isRefusal(error);
        over(toStreamEnd(error, clock.now()));
      });
      call.on('end', () =>
        over({ reason: 'Ended', message: 'the coordinator ended the session', retry: true }),
      );
      return {
        send: (message) => {
          if (!isOver) call.write(message);
        },
        end: () => {
          if (isOver) return;
          call.end();
          call.cancel();
          close();
        },
      };
    },
  };
}

/** Keys and certificates are read once, and not at each try to reach a coordinator that is away. */
function rememberCredentials(): (credentials: Credentials) => ChannelCredentials {
  let last: { readonly of: Credentials; readonly made: ChannelCredentials } | undefined;
  return (of) => {
    const { certPem, keyPem, caPem } = of;
    const isSame =
      last?.of.certPem === certPem && last.of.keyPem === keyPem && last.of.caPem === caPem;
    if (last === undefined || !isSame) {
      const pems = [Buffer.from(caPem), Buffer.from(keyPem), Buffer.from(certPem)] as const;
      last = { of, made: grpcCredentials.createSsl(...pems) };
    }
    return last.made;
  };
}

function isRefusal({ metadata }: ServiceError): boolean {
  return metadata?.get(refusalReasonKey)[0] !== undefined;
}

function toStreamEnd(error: ServiceError, nowMs: number): StreamEnd {
  const reason = error.metadata?.get(refusalReasonKey)[0];
  const message = error.details === '' ? error.message : error.details;
  if (reason === undefined) return describeUnreachable(message, nowMs);
  const retry = error.metadata?.get(refusalRetryKey)[0] !== 'false';
  const afterMs = Number(error.metadata?.get(refusalRetryAfterKey)[0] ?? Number.NaN);
  return {
    reason: String(reason),
    message,
    retry,
    ...(afterMs >= 0 ? { retryAfterMs: afterMs } : {}),
  };
}

/** OpenSSL's words for what a person has to put right. */
function describeUnreachable(message: string, nowMs: number): StreamEnd {
  const own = `by this machine's clock it is ${toTimestamp(nowMs)}`;
  if (/not yet valid/i.test(message)) {
    const why = `the coordinator's certificate is not valid yet: ${own}, which is behind; set the clock (NTP)`;
    return { reason: 'ClockBehind', message: why, retry: true };
  }
  if (/certificate has expired/i.test(message)) {
    const why = `the coordinator's certificate has ended: ${own}; either that is ahead, or the coordinator has to be restarted`;
    return { reason: 'ServerCertificateEnded', message: why, retry: true };
  }
  if (/self.signed|unable to (get|verify)|certificate signature failure/i.test(message)) {
    const why =
      `the coordinator's certificate is of another CA than this agent trusts (${message}): the wrong ` +
      'address, another federation, or somebody in between';
    return { reason: 'ForeignCoordinator', message: why, retry: true };
  }
  return { reason: 'Unreachable', message, retry: true };
}

function toJoinError(error: ServiceError, nowMs: number): MeshError {
  const { reason, message, retry, retryAfterMs } = toStreamEnd(error, nowMs);
  if (retryAfterMs !== undefined) return new CoordinatorBusy(message, retryAfterMs);
  if (reason === 'WaitingForApproval') return new MeshError('retryable', 'JOIN_WAITING', message);
  const isRefused = error.code === status.PERMISSION_DENIED && !retry;
  return isRefused
    ? new MeshError('fatal', 'JOIN_REFUSED', message)
    : new MeshError(
        'retryable',
        'COORDINATOR_UNREACHABLE',
        `the coordinator did not answer the join: ${message}`,
      );
}

/** What was presented beyond the leaf, each CA of it. */
function fetchCa(
  coordinator: Address,
  pin: string,
  clock: Clock,
  deadlineMs: number,
): Promise<readonly string[]> {
  return new Promise((resolve, reject) => {
    const fail = (why: string, cause?: unknown): void => {
      timer.cancel();
      socket.destroy();
      reject(new MeshError('retryable', 'COORDINATOR_UNREACHABLE', why, cause));
    };
    // Not verified on purpose: the pin in the token is what decides, before anything is sent.
    const socket = connectTls({
      ...coordinator,
      servername: `${pin}.${serverName}`,
      rejectUnauthorized: false,
      ALPNProtocols: ['h2'],
    });
    const at = formatAddress(coordinator);
    const timer = clock.after(deadlineMs, () => fail(`${at} did not answer in ${deadlineMs} ms`));
    socket.once('error', (error) => fail(`cannot reach the coordinator at ${at}`, error));
    socket.once('secureConnect', () => {
      timer.cancel();
      const cas = listIssuers(socket.getPeerCertificate(true));
      socket.destroy();
      resolve(cas);
    });
  });
}

const chainMax = 5;

/** Those above the leaf; the leaf itself when it is alone. A self-signed one is its own issuer. */
function listIssuers(leaf: DetailedPeerCertificate): readonly string[] {
  const chain = [leaf];
  for (let at = leaf; chain.length < chainMax; ) {
    const next = at.issuerCertificate;
    if (next === undefined || next === at || next.raw.equals(at.raw)) break;
    chain.push(next);
    at = next;
  }
  const issuers = chain.length === 1 ? chain : chain.slice(1);
  return issuers.map(({ raw }) => new X509Certificate(raw).toString());
}
