// The peer table on disk and in memory: a row per shard, so that a commit costs what it changes.
// Input: messages of the session, in order. Output: what they made of the table.
//
//   T1. What is shown is committed; a message is one commit.
//   T2. A whole table takes Services away only when it has ended: its first message alone would
//       take names from pods until the next ones are there.

import type { ServiceKey } from '../../common/model/ids.ts';
import type { PeerService, PeerShard } from '../../common/model/peer-table.ts';
import { SumDigest } from '../../common/pure/digest.ts';
import { toPeerItem } from '../../common/pure/peer-digest.ts';
import { foldPeers } from '../../common/pure/peer-fold.ts';
import type { PeersMessage, PeerUpdate, RecordChange, RecordTables } from './record.ts';

// Not part of a Service's key.
const separator = '|';

export class PeerTable {
  readonly #tables: RecordTables;
  readonly #services: Map<ServiceKey, PeerService>;
  /** Known before the whole table that is coming in, and not named by it yet. */
  #unnamed: Set<ServiceKey> | undefined;
  /** Of all shards, kept up to date: each try to reach the coordinator begins with it. */
  readonly #digest: SumDigest;

  constructor(tables: RecordTables) {
    this.#tables = tables;
    this.#services = readPeerServices(tables.load('peers'));
    this.#digest = digestOf(this.#services.values());
  }

  services(): readonly PeerService[] {
    return [...this.#services.values()];
  }

  /** Undefined while nothing is known: then a whole table, if empty, is news. */
  digest(): string | undefined {
    if (this.#services.size === 0 || this.#unnamed !== undefined) return undefined;
    return this.#digest.value();
  }

  async apply(message: PeersMessage): Promise<PeerUpdate> {
    const next = this.#fold(message);
    const changed = [...next].filter(([key, service]) => service !== this.#services.get(key));
    if (changed.length > 0) await this.#tables.commit(changed.flatMap((one) => this.#toRows(one)));
    for (const [key, service] of changed) {
      this.#count(key, service);
      if (service === undefined) this.#services.delete(key);
      else this.#services.set(key, service);
    }
    return {
      upserts: changed.flatMap(([, service]) => service ?? []),
      removals: changed.flatMap(([key, service]) => (service === undefined ? key : [])),
    };
  }

  /** Shards that stay as they were are the same objects (peer-fold.ts). */
  #count(key: ServiceKey, service: PeerService | undefined): void {
    const [before, after] = [this.#services.get(key)?.shards ?? [], service?.shards ?? []];
    const kept = new Set(after);
    const known = new Set(before);
    for (const shard of before) if (!kept.has(shard)) this.#digest.subtract(toPeerItem(key, shard));
    for (const shard of after) if (!known.has(shard)) this.#digest.add(toPeerItem(key, shard));
  }

  /** Services that the message names or takes away, as they are then. */
  #fold(message: PeersMessage): ReadonlyMap<ServiceKey, PeerService | undefined> {
    const next = new Map<ServiceKey, PeerService | undefined>();
    if (message.isFull) this.#unnamed = new Set(this.#services.keys());
    for (const change of message.upserts) {
      const known = next.has(change.key) ? next.get(change.key) : this.#services.get(change.key);
      next.set(change.key, foldPeers(known, change));
      this.#unnamed?.delete(change.key);
    }
    for (const key of message.removals) next.set(key, undefined);
    if (message.hasMore) return next;
    for (const key of this.#unnamed ?? []) next.set(key, undefined); // T2
    this.#unnamed = undefined;
    return next;
  }

  #toRows([key, service]: [ServiceKey, PeerService | undefined]): readonly RecordChange[] {
    const before = this.#services.get(key);
    const kept = new Set(service?.shards);
    const named = new Set(service?.shards.map(({ cluster }) => cluster));
    const gone = (before?.shards ?? []).filter(({ cluster }) => !named.has(cluster));
    for (const shard of before?.shards ?? []) kept.delete(shard);
    const hasOwnRow = (before === undefined) !== (service === undefined);
    return [
      ...(hasOwnRow ? [toRow(key, service === undefined ? undefined : { key, shards: [] })] : []),
      ...gone.map(({ cluster }) => toRow(`${key}${separator}${cluster}`, undefined)),
      ...[...kept].map((shard) => toRow(`${key}${separator}${shard.cluster}`, shard)),
    ];
  }
}

function digestOf(services: Iterable<PeerService>): SumDigest {
  const digest = new SumDigest();
  for (const { key, shards } of services) {
    for (const shard of shards) digest.add(toPeerItem(key, shard));
  }
  return digest;
}

function toRow(key: string, value: unknown): RecordChange {
  return { table: 'peers', key, value };
}

/** The Service that a row of the table is of. */
export function serviceOfRow(row: string): ServiceKey {
  return row.split(separator, 1)[0] as ServiceKey; // written by toRow
}

/** What all rows of the table, or all of some Services, say. */
export function readPeerServices(
  rows: Iterable<readonly [string, unknown]>,
): Map<ServiceKey, PeerService> {
  const found = new Map<ServiceKey, PeerShard[]>();
  // Written by toRow: the names and values are what they claim.
  for (const [row, value] of rows) {
    const [name = '', cluster] = row.split(separator);
    const key = name as ServiceKey;
    // Former versions kept shards in the Service's own row; the next whole table brings it anew.
    if (cluster === undefined && (value as PeerService).shards.length > 0) continue;
    const shards = found.get(key) ?? [];
    found.set(key, shards);
    if (cluster !== undefined) shards.push(value as PeerShard);
  }
  for (const shards of found.values()) shards.sort((a, b) => (a.cluster < b.cluster ? -1 : 1));
  return new Map([...found].map(([key, shards]) => [key, { key, shards }]));
}
