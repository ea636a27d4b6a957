// What resolvers shall know as a table that the test writes, and an agent's disk in memory.

import { toClusterName, type ClusterName, type ServiceKey } from '../../common/model/ids.ts';
import type { PeerService, PeerShard } from '../../common/model/peer-table.ts';
import type { PeerSource } from '../../common/model/views.ts';
import type { RecordChange, RecordTable, RecordTables } from '../../agent/session/record.ts';

/** Peers as a table. */
export class TablePeers implements PeerSource {
  readonly #services = new Map<ServiceKey, PeerService>();
  readonly #listeners = new Set<Parameters<PeerSource['subscribe']>[0]>();

  services(): Iterable<ServiceKey> {
    return this.#services.keys();
  }

  peers(key: ServiceKey): PeerService | undefined {
    return this.#services.get(key);
  }

  peer(cluster: ClusterName, key: ServiceKey): PeerShard | undefined {
    return this.#services.get(key)?.shards.find((shard) => shard.cluster === cluster);
  }

  subscribe(listener: Parameters<PeerSource['subscribe']>[0]): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  putShard(key: ServiceKey, shard: PeerShard): void {
    const others = this.#others(key, shard.cluster);
    const shards = [...others, shard].sort((a, b) => (a.cluster < b.cluster ? -1 : 1));
    this.#services.set(key, { key, shards });
    this.#tell(shard.cluster, key);
  }

  /** With its last shard a Service is gone. */
  dropShard(key: ServiceKey, cluster: ClusterName): void {
    const shards = this.#others(key, cluster);
    if (shards.length === 0) this.#services.delete(key);
    else this.#services.set(key, { key, shards });
    this.#tell(cluster, key);
  }

  /** Tells of every shard that it had or has. */
  put(key: ServiceKey, service: PeerService | undefined): void {
    const before = this.#services.get(key);
    if (service === undefined) this.#services.delete(key);
    else this.#services.set(key, service);
    const shards = [...(before?.shards ?? []), ...(service?.shards ?? [])];
    for (const cluster of new Set(shards.map((shard) => shard.cluster))) {
      this.#tell(cluster, key);
    }
  }

  #others(key: ServiceKey, cluster: ClusterName): readonly PeerShard[] {
    return (this.#services.get(key)?.shards ?? []).filter((shard) => shard.cluster !== cluster);
  }

  #tell(cluster: ClusterName, key: ServiceKey): void {
    for (const listener of this.#listeners) listener({ cluster, key });
  }
}

export function toPeer(cluster: string, more: Partial<PeerShard> = {}): PeerShard {
  return {
    cluster: toClusterName(cluster),
    zones: ['z'],
    region: 'r',
    addresses: ['192.0.2.1'],
    hostnames: [],
    tcpPorts: [80],
    isHealthy: true,
    ...more,
  };
}

/** Also counts what was written. */
export class MemoryTables implements RecordTables {
  readonly tables = new Map<RecordTable, Map<string, unknown>>();
  readonly commits: (readonly RecordChange[])[] = [];

  load(table: RecordTable): Iterable<readonly [string, unknown]> {
    return structuredClone([...(this.tables.get(table) ?? [])]);
  }

  async commit(changes: readonly RecordChange[]): Promise<void> {
    this.commits.push(changes);
    for (const { table, key, value } of structuredClone(changes)) {
      const rows = this.tables.get(table) ?? new Map<string, unknown>();
      this.tables.set(table, rows);
      if (value === undefined) rows.delete(key);
      else rows.set(key, value);
    }
  }

  async close(): Promise<void> {}
}
