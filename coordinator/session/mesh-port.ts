// Port of the link to agents. Adapter: ./grpc-listener.ts; the simulation has its own. The
// adapter has verified the peer's certificate against the federation's CA; whether the Cluster
// that it names still exists is decided above.

import type { ClusterName } from '../../common/model/ids.ts';
import type { AgentMessage, CoordinatorMessage } from '../../common/model/session.ts';
import type { JoinRequest, JoinResponse } from '../../common/wire/mesh-codec.ts';

export interface PeerIdentity {
  readonly cluster: ClusterName;
  readonly clusterUid: string;
  /** Lower-case hex SHA-256 of the certificate's public key. */
  readonly publicKeyHash: string;
  /** Wall-clock end of the certificate; absent: it has none. */
  readonly certificateEndMs?: number;
}

/** Why a stream or a join is refused; `retry` false means that only a person can help. */
export interface Refusal {
  /** CamelCase: TokenExpired, NameTaken, WaitingForApproval, ClusterRemoved, Superseded... */
  readonly reason: string;
  readonly message: string;
  readonly retry: boolean;
  /** When it is worth while to come again; absent: as the agent thinks. */
  readonly retryAfterMs?: number;
}

export interface SessionStream {
  readonly peer: PeerIdentity;
  readonly remoteAddress: string;
  /** False when the peer takes messages more slowly than we send; onDrain follows. */
  send(message: CoordinatorMessage): boolean;
  end(refusal?: Refusal): void;
}

export interface SessionHandler {
  onMessage(message: AgentMessage): void;
  onDrain(): void;
  /** Once, for whatever reason the stream is over. */
  onEnd(): void;
}

export interface Asker {
  readonly remoteAddress: string;
  /** Nobody waits for the answer any more. */
  readonly isGone: () => boolean;
}

export interface MeshHandlers {
  onJoin(request: JoinRequest, asker: Asker): Promise<JoinResponse | Refusal>;
  onSession(stream: SessionStream): SessionHandler;
}

export interface MeshListener {
  /** Resolves with the port listened on. */
  listen(handlers: MeshHandlers): Promise<number>;
  close(): Promise<void>;
}
