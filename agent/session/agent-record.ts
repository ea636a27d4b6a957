// AgentRecord over any RecordTables: maps in memory, every change committed before it is shown.
//
//   R1. A batch is on disk before anything acts on it; view revision and shards agree (I2).
//   R2. A removal order replaces its shard: what is ordered away is not held.
//   R3. What is recovered from the cluster never replaces what a batch brought.

import { toRevision, type Revision, type ServiceKey } from '../../common/model/ids.ts';
import type { Receipt } from '../../common/model/session.ts';
import type { RemovalOrder, Shard } from '../../common/model/shard.ts';
import type { Topology } from '../../common/model/topology.ts';
import { SumDigest, toInventoryItem } from '../../common/pure/digest.ts';
import { PeerTable } from './peer-table.ts';
import type {
  AgentRecord,
  Batch,
  Identity,
  RecordChange,
  RecordTables,
  Recovered,
  RemovalNote,
  Welcome,
} from './record.ts';

interface Facts {
  boot?: number;
  identity?: Identity;
  welcome?: Welcome;
  viewRevision?: Revision;
  receipt?: Receipt;
  topology?: Topology;
  natsSeed?: string;
  removals?: RemovalNote;
}

/** Loads everything, raises the boot counter, and resolves when that is durable. */
export async function openAgentRecord(tables: RecordTables): Promise<AgentRecord> {
  // The tables hold what this file wrote; their adapter guards the file.
  const facts = Object.fromEntries(tables.load('facts')) as Facts;
  const shards = new Map(tables.load('shards') as Iterable<[ServiceKey, Shard]>);
  const orders = new Map(tables.load('orders') as Iterable<[ServiceKey, RemovalOrder]>);
  const peers = new PeerTable(tables);

  const writeFact = async <K extends keyof Facts>(key: K, value: Facts[K] & {}): Promise<void> => {
    await tables.commit([{ table: 'facts', key, value }]);
    facts[key] = value;
  };
  await writeFact('boot', (facts.boot ?? 0) + 1);
  // A batch that comes while a recovery is written waits for it, and wins (R3).
  let recovering: Promise<unknown> = Promise.resolve();
  const recover = async (found: Recovered): Promise<readonly ServiceKey[]> => {
    if (facts.viewRevision !== undefined) return [];
    const isNew = ({ key }: { readonly key: ServiceKey }): boolean =>
      !shards.has(key) && !orders.has(key);
    const news = { shards: found.shards.filter(isNew), orders: found.orders.filter(isNew) };
    await tables.commit([
      ...news.shards.map((value): RecordChange => ({ table: 'shards', key: value.key, value })),
      ...news.orders.map((value): RecordChange => ({ table: 'orders', key: value.key, value })),
    ]);
    for (const shard of news.shards) shards.set(shard.key, shard);
    for (const order of news.orders) orders.set(order.key, order);
    return [...news.shards, ...news.orders].map(({ key }) => key);
  };

  return {
    boot: () => facts.boot ?? 0,
    identity: () => facts.identity,
    writeIdentity: (identity) => writeFact('identity', identity),
    welcome: () => facts.welcome,
    writeWelcome: (welcome) => writeFact('welcome', welcome),
    viewRevision: () => facts.viewRevision ?? toRevision(0),
    receipt: () => facts.receipt,
    shard: (key) => shards.get(key),
    order: (key) => orders.get(key),
    keys: () => new Set([...shards.keys(), ...orders.keys()]),
    digest: () => {
      const digest = new SumDigest();
      for (const shard of shards.values()) digest.add(toInventoryItem(shard));
      return digest.value();
    },
    peersDigest: () => peers.digest(),
    inventory: () => shards.values(),
    recover: (found) => {
      const done = recovering.then(() => recover(found));
      recovering = done.catch(() => undefined);
      return done;
    },
    applyBatch: async (batch) => {
      await recovering;
      await tables.commit(toBatchChanges(batch));
      facts.viewRevision = batch.revision;
      facts.receipt = batch.receipt;
      for (const shard of batch.upserts) {
        shards.set(shard.key, shard);
        orders.delete(shard.key);
      }
      for (const order of batch.removals) {
        orders.set(order.key, order);
        shards.delete(order.key);
      }
    },
    dropOrder: async (key) => {
      if (!orders.has(key)) return;
      await tables.commit([{ table: 'orders', key, value: undefined }]);
      orders.delete(key);
    },
    removals: () => facts.removals,
    writeRemovals: (note) => writeFact('removals', note),
    peers: () => peers.services(),
    applyPeers: (message) => peers.apply(message),
    natsSeed: () => facts.natsSeed,
    writeNatsSeed: (seed) => writeFact('natsSeed', seed),
    topology: () => facts.topology,
    writeTopology: (topology) => writeFact('topology', topology),
    close: () => tables.close(),
  };
}

function toBatchChanges(batch: Batch): readonly RecordChange[] {
  return [
    ...batch.upserts.flatMap((shard): RecordChange[] => [
      { table: 'shards', key: shard.key, value: shard },
      { table: 'orders', key: shard.key, value: undefined },
    ]),
    ...batch.removals.flatMap((order): RecordChange[] => [
      { table: 'orders', key: order.key, value: order },
      { table: 'shards', key: order.key, value: undefined },
    ]),
    { table: 'facts', key: 'viewRevision', value: batch.revision },
    { table: 'facts', key: 'receipt', value: batch.receipt },
  ];
}
