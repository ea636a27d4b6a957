// Port of the link to the coordinator. Adapter: ./grpc-dialer.ts; the simulation has its own.

import type { AgentMessage, CoordinatorMessage } from '../../common/model/session.ts';
import { MeshError } from '../../common/pure/errors.ts';
import type { JoinRequest, JoinResponse } from '../../common/wire/mesh-codec.ts';

export interface Credentials {
  /** Leaf first. */
  readonly certPem: string;
  readonly keyPem: string;
  readonly caPem: string;
}

/** Why the coordinator ended or refused; `retry` false means that only a person can help. */
export interface StreamEnd {
  /** CamelCase; `Unreachable` when nothing was heard. */
  readonly reason: string;
  readonly message: string;
  readonly retry: boolean;
  /** The coordinator is busy and says when it will have time. */
  readonly retryAfterMs?: number;
}

/** What a join is told for the same reason. */
export class CoordinatorBusy extends MeshError {
  readonly retryAfterMs: number;

  constructor(message: string, retryAfterMs: number) {
    super('retryable', 'COORDINATOR_BUSY', message);
    this.retryAfterMs = retryAfterMs;
  }
}

export interface StreamHandler {
  onMessage(message: CoordinatorMessage): void;
  /** Once. */
  onEnd(end: StreamEnd): void;
}

export interface AgentStream {
  send(message: AgentMessage): void;
  end(): void;
}

export interface MeshDialer {
  /**
   * The CA certificates (PEM) that the coordinator presents, asked for by a token's pin and fetched
   * without trust; the caller compares them with the pin.
   */
  fetchCa(pin: string, deadlineMs: number): Promise<readonly string[]>;
  /**
   * Rejects with MeshError: retryable COORDINATOR_UNREACHABLE, COORDINATOR_BUSY (CoordinatorBusy) and
   * JOIN_WAITING (for a person's approval), fatal JOIN_REFUSED.
   */
  join(request: JoinRequest, caPem: string, deadlineMs: number): Promise<JoinResponse>;
  /** Never throws; a stream that cannot be made ends. */
  connect(credentials: Credentials, handler: StreamHandler): AgentStream;
}
