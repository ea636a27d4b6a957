// What a checker sees of the world, and how it says what is wrong. A checker holds one invariant;
// it is told of every change at the moment at which it becomes true.

import type { RecordChange } from '../../../agent/session/record.ts';
import type { ViewEvent } from '../../../coordinator/desired/store.ts';
import type { PeerIdentity } from '../../../coordinator/session/mesh-port.ts';
import type { Acknowledged, Seen } from '../user.ts';
import type { Written } from '../sim-store.ts';

export interface Checker {
  /** Of ARCHITECTURE.md. */
  readonly invariant: string;
  /** The coordinator's log. */
  onWritten?(written: Written): void;
  /** A member cluster's log. */
  onMember?(cluster: string, event: ViewEvent): void;
  /** A request that changes something has reached a member cluster's API server. */
  onMemberWrite?(cluster: string, user: string, target: string): void;
  /** The disk of an agent, of the replica that leads. */
  onCommit?(cluster: string, changes: readonly RecordChange[]): void;
  onAcknowledged?(acknowledged: Acknowledged): void;
  onSeen?(seen: Seen): void;
  /** The coordinator has sent a message of this kind to whoever has this certificate. */
  onSpokenTo?(peer: PeerIdentity, kind: string): void;
  /** A manager of others has written back over what the agent put right in a shard. */
  onWrittenBack?(cluster: string, name: string): void;
  /** After each step of the run. */
  onStep?(): void;
  /** Faults are over and everything has converged. */
  onConverged?(): void;
}

export type Blame = (message: string) => void;
