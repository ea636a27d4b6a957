// What the wiring needs of the session, and how the bus is reached.

import type { Revision, ServiceKey } from '../common/model/ids.ts';
import type { PeerService } from '../common/model/peer-table.ts';
import type { CoordinatorMessage, Incarnation } from '../common/model/session.ts';
import type { ShardResult } from '../common/model/shard.ts';
import type { TelemetryBus } from '../common/runtime/telemetry-bus.ts';
import type { Assignment } from './shard/assignment.ts';

export type Welcome = Extract<CoordinatorMessage, { kind: 'welcome' }>;

/** Services of which something changed, whole, and those that are gone. */
export interface PeerUpdate {
  readonly upserts: readonly PeerService[];
  readonly removals: readonly ServiceKey[];
}

export interface AgentSession {
  /** Of this run, else of the last one, from disk; undefined before the first ever. */
  welcome(): Welcome | undefined;
  onWelcome(listener: (welcome: Welcome) => void): () => void;
  /** Peer table of the last run, from disk. */
  peers(): readonly PeerService[];
  onPeers(listener: (update: PeerUpdate) => void): () => void;
  isOpen(): boolean;
  incarnation(): Incarnation;
  viewRevision(): Revision;
  readonly assignment: Assignment;
  /** Outcome of one shard or order; the session sends it, now or when it is open again. */
  report(result: ShardResult): void;
  /** Topology or version is no longer what Hello said. */
  announceTopology(): void;
  start(): void;
  stop(): Promise<void>;
}

export interface BusConnector {
  /** Another value means that the bus must be opened anew: other servers, another certificate. */
  identity(urls: readonly string[]): string;
  /** Returns at once and connects behind it, again and again. Throws when it cannot begin. */
  connect(urls: readonly string[]): TelemetryBus;
}
