// What an agent keeps on disk, so that it goes on without its coordinator after any restart.
// Reads are from memory; writes resolve when durable. Adapter: ./lmdb-record.ts.

import type { ContentHash, Revision, ServiceKey } from '../../common/model/ids.ts';
import type { PeerService } from '../../common/model/peer-table.ts';
import type { CoordinatorMessage, Receipt } from '../../common/model/session.ts';
import type { RemovalOrder, Shard } from '../../common/model/shard.ts';
import type { Topology } from '../../common/model/topology.ts';

export type Welcome = Extract<CoordinatorMessage, { kind: 'welcome' }>;
export type Batch = Extract<CoordinatorMessage, { kind: 'batch' }>;
export type PeersMessage = Extract<CoordinatorMessage, { kind: 'peers' }>;

/** What a message of peers made of the table. */
export interface PeerUpdate {
  /** Services of which something changed, whole. */
  readonly upserts: readonly PeerService[];
  readonly removals: readonly ServiceKey[];
}

export interface Identity {
  /** PKCS #8; made before the join, so that a lost answer can be asked for again. */
  readonly keyPem: string;
  readonly certPem: string | undefined;
  readonly caPem: string | undefined;
  /** Hex SHA-256 of the token joined with: a new token means a new join. */
  readonly tokenHash: string | undefined;
  /** Hex SHA-256 of the key of the last certificate before this key, for other replicas. */
  readonly replacedKey?: string;
}

/** Held by a former agent of this cluster, as its shards say. */
export interface Recovered {
  readonly shards: readonly Shard[];
  readonly orders: readonly RemovalOrder[];
}

/** Removals within a minute before `atMs` (wall clock), which the next life counts too. */
export interface RemovalNote {
  readonly count: number;
  readonly atMs: number;
}

export interface AgentRecord {
  /** Counts the agent's starts; raised durably when the record was opened. */
  boot(): number;
  identity(): Identity | undefined;
  writeIdentity(identity: Identity): Promise<void>;
  welcome(): Welcome | undefined;
  writeWelcome(welcome: Welcome): Promise<void>;
  viewRevision(): Revision;
  receipt(): Receipt | undefined;
  shard(key: ServiceKey): Shard | undefined;
  order(key: ServiceKey): RemovalOrder | undefined;
  /** Keys with a shard or an order. */
  keys(): Iterable<ServiceKey>;
  /** Of the shards held (common/pure/digest.ts). */
  digest(): string;
  /** Of the peer table; undefined while a whole one is owed. */
  peersDigest(): string | undefined;
  inventory(): Iterable<{ readonly key: ServiceKey; readonly hash: ContentHash }>;
  /** Shards, orders, revision and receipt of a batch, all or nothing. */
  applyBatch(batch: Batch): Promise<void>;
  /**
   * Takes up what was read from the shards themselves, unless a batch has ever come to this record:
   * that knows better. Keys that are held now and were not.
   */
  recover(found: Recovered): Promise<readonly ServiceKey[]>;
  /** The order was obeyed. */
  dropOrder(key: ServiceKey): Promise<void>;
  /** undefined: this record does not know. */
  removals(): RemovalNote | undefined;
  writeRemovals(note: RemovalNote): Promise<void>;
  peers(): readonly PeerService[];
  /** Folds a message into the table, all or nothing. */
  applyPeers(message: PeersMessage): Promise<PeerUpdate>;
  /** Of the agent's NATS key; a secret. */
  natsSeed(): string | undefined;
  writeNatsSeed(seed: string): Promise<void>;
  topology(): Topology | undefined;
  writeTopology(topology: Topology): Promise<void>;
  close(): Promise<void>;
}

/** Where a record's tables are kept; values are plain JSON-like data and bytes. */
export interface RecordTables {
  load(table: RecordTable): Iterable<readonly [string, unknown]>;
  /** All changes or none, durable when it resolves; undefined removes. */
  commit(changes: readonly RecordChange[]): Promise<void>;
  close(): Promise<void>;
}

export type RecordTable = 'shards' | 'orders' | 'peers' | 'facts';

export interface RecordChange {
  readonly table: RecordTable;
  readonly key: string;
  readonly value: unknown;
}
