// The gRPC methods of proto/mesh.proto as both ends need them: paths and codecs, without a
// gRPC library, so that each end's adapter is the only one to know grpc-js.

import type { AgentMessage, CoordinatorMessage } from '../model/session.ts';
import {
  decodeAgentMessage,
  decodeCoordinatorMessage,
  decodeJoinRequest,
  decodeJoinResponse,
  encodeAgentMessage,
  encodeCoordinatorMessage,
  encodeJoinRequest,
  encodeJoinResponse,
  type JoinRequest,
  type JoinResponse,
} from './mesh-codec.ts';

function toBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

export const meshService = {
  join: {
    path: '/isthmus.v1.Mesh/Join',
    requestStream: false,
    responseStream: false,
    requestSerialize: (request: JoinRequest): Buffer => toBuffer(encodeJoinRequest(request)),
    requestDeserialize: (bytes: Buffer): JoinRequest => decodeJoinRequest(bytes),
    responseSerialize: (response: JoinResponse): Buffer => toBuffer(encodeJoinResponse(response)),
    responseDeserialize: (bytes: Buffer): JoinResponse => decodeJoinResponse(bytes),
  },
  session: {
    path: '/isthmus.v1.Mesh/Session',
    requestStream: true,
    responseStream: true,
    requestSerialize: (message: AgentMessage): Buffer => toBuffer(encodeAgentMessage(message)),
    requestDeserialize: (bytes: Buffer): AgentMessage => decodeAgentMessage(bytes),
    responseSerialize: (message: CoordinatorMessage): Buffer =>
      toBuffer(encodeCoordinatorMessage(message)),
    responseDeserialize: (bytes: Buffer): CoordinatorMessage => decodeCoordinatorMessage(bytes),
  },
} as const;

/** Metadata of a refusal, beside the gRPC status. */
export const refusalReasonKey = 'isthmus-reason';
export const refusalRetryKey = 'isthmus-retry';
/** Milliseconds, of a coordinator that is busy; agents that do not know it come as they think. */
export const refusalRetryAfterKey = 'isthmus-retry-after-ms';

// Inventory pages and batches are at most 256 KiB; one big Service may be 2 MiB alone.
export const messageBytesMax = 4 * 2 ** 20;

/**
 * The coordinator notices that an agent's host vanished without a FIN within 13 s; who stood still for
 * a few seconds is not ended. Agents hear pings every second.
 */
export const keepaliveMs = 5_000;
export const keepaliveTimeoutMs = 8_000;
