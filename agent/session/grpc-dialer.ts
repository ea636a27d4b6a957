// MeshDialer over grpc-js and TLS.

import { connect as connectTls } from 'node:tls';
import { X509Certificate } from 'node:crypto';
import {
  Client,
  credentials as grpcCredentials,
  status,
  type ClientDuplexStream,
  type ServiceError,
} from '@grpc/grpc-js';
import type { AgentMessage, CoordinatorMessage } from '../../common/model/session.ts';
import { MeshError } from '../../common/pure/errors.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import { formatAddress, type Address } from '../../common/runtime/settings.ts';
import type { JoinResponse } from '../../common/wire/mesh-codec.ts';
import {
  keepaliveMs,
  keepaliveTimeoutMs,
  meshService,
  messageBytesMax,
  refusalReasonKey,
  refusalRetryKey,
} from '../../common/wire/mesh-service.ts';
import type { MeshDialer, StreamEnd } from './mesh-port.ts';

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
  'grpc.keepalive_time_ms': keepaliveMs,
  'grpc.keepalive_timeout_ms': keepaliveTimeoutMs,
  // Retries keep buffers for as long as a call lives, and ours live for weeks.
  'grpc.enable_retries': 0,
  'grpc.initial_reconnect_backoff_ms': 200,
  'grpc.max_reconnect_backoff_ms': 2_000,
} as const;

export function createGrpcDialer({ coordinator, clock }: GrpcDialerOptions): MeshDialer {
  const target = formatAddress(coordinator);
  const open = (ssl: Parameters<typeof grpcCredentials.createSsl>): Client =>
    new Client(target, grpcCredentials.createSsl(...ssl), channelOptions);
  return {
    fetchCa: (deadlineMs) => fetchCa(coordinator, clock, deadlineMs),
    join: (request, caPem, deadlineMs) => {
      const client = open([Buffer.from(caPem)]);
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
            if (error !== null) reject(toJoinError(error));
            else if (response === undefined)
              reject(new MeshError('retryable', 'COORDINATOR_UNREACHABLE', 'empty answer'));
            else resolve(response);
          },
        );
      });
    },
    connect: ({ certPem, keyPem, caPem }, handler) => {
      const client = open([Buffer.from(caPem), Buffer.from(keyPem), Buffer.from(certPem)]);
      const { path, requestSerialize, responseDeserialize } = meshService.session;
      const call: ClientDuplexStream<AgentMessage, CoordinatorMessage> =
        client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize);
      let isOver = false;
      const over = (end: StreamEnd): void => {
        if (isOver) return;
        isOver = true;
        client.close();
        handler.onEnd(end);
      };
      call.on('data', (message: CoordinatorMessage) => {
        if (!isOver) handler.onMessage(message);
      });
      call.on('error', (error: ServiceError) => over(toStreamEnd(error)));
      call.on('end', () =>
        over({ reason: 'Ended', message: 'the coordinator ended the session', retry: true }),
      );
      return {
        send: (message) => {
          if (!isOver) call.write(message);
        },
        end: () => {
          if (isOver) return;
          isOver = true;
          call.end();
          call.cancel();
          client.close();
        },
      };
    },
  };
}

function toStreamEnd(error: ServiceError): StreamEnd {
  const reason = String(error.metadata?.get(refusalReasonKey)[0] ?? 'Unreachable');
  const retry = error.metadata?.get(refusalRetryKey)[0] !== 'false';
  return { reason, message: error.details === '' ? error.message : error.details, retry };
}

function toJoinError(error: ServiceError): MeshError {
  const { message, retry } = toStreamEnd(error);
  const isRefused = error.code === status.PERMISSION_DENIED && !retry;
  return isRefused
    ? new MeshError('fatal', 'JOIN_REFUSED', message)
    : new MeshError(
        'retryable',
        'COORDINATOR_UNREACHABLE',
        `the coordinator did not answer the join: ${message}`,
      );
}

/** The last certificate of the presented chain. */
function fetchCa(coordinator: Address, clock: Clock, deadlineMs: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const fail = (why: string, cause?: unknown): void => {
      timer.cancel();
      socket.destroy();
      reject(new MeshError('retryable', 'COORDINATOR_UNREACHABLE', why, cause));
    };
    // Not verified on purpose: the pin in the token is what decides, before anything is sent.
    const socket = connectTls({
      ...coordinator,
      servername: serverName,
      rejectUnauthorized: false,
      ALPNProtocols: ['h2'],
    });
    const at = formatAddress(coordinator);
    const timer = clock.after(deadlineMs, () => fail(`${at} did not answer in ${deadlineMs} ms`));
    socket.once('error', (error) => fail(`cannot reach the coordinator at ${at}`, error));
    socket.once('secureConnect', () => {
      timer.cancel();
      let last = socket.getPeerCertificate(true);
      // A self-signed certificate is its own issuer.
      while (last.issuerCertificate !== undefined && last.issuerCertificate.raw !== last.raw) {
        if (last.issuerCertificate === last) break;
        last = last.issuerCertificate;
      }
      socket.destroy();
      resolve(new X509Certificate(last.raw).toString());
    });
  });
}
