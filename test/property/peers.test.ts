// Peer tables: whatever changes, and whenever each agent is told, what it folded from deltas over
// the wire is the whole table; on its disk, in its session and in its resolver.

import test from 'ava';
import fc from 'fast-check';
import { toServiceKey } from '../../common/model/ids.ts';
import type { PeerService } from '../../common/model/peer-table.ts';
import {
  decodeCoordinatorMessage,
  encodeCoordinatorMessage,
} from '../../common/wire/mesh-codec.ts';
import { PeerBook } from '../../agent/resolver/peer-book.ts';
import { openAgentRecord } from '../../agent/session/agent-record.ts';
import { PeerJournal } from '../../coordinator/session/peer-journal.ts';
import { MemoryTables, TablePeers, toPeer } from '../support/table-peers.ts';

const seed = 20_261_125;
const keys = ['nginx', 'pg', 'redis'].map((name) => toServiceKey({ namespace: 'web', name }));
const agents = [0, 1, 2];

const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('put' as const),
      key: fc.constantFrom(...keys),
      shard: fc
        .record({ name: fc.constantFrom('a', 'b', 'c', 'd'), isHealthy: fc.boolean() })
        .chain(({ name, isHealthy }) =>
          fc.constantFrom('r1', 'r2').map((region) => toPeer(name, { isHealthy, region })),
        ),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('drop' as const),
      key: fc.constantFrom(...keys),
      cluster: fc.constantFrom('a', 'b', 'c', 'd').map((name) => toPeer(name).cluster),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('tell' as const), agent: fc.constantFrom(...agents) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constantFrom('reconnect' as const, 'restart' as const),
      agent: fc.constantFrom(...agents),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('forget' as const) }) },
);

/** One agent: its disk, its record, its resolver's table, and how far it was told. */
async function openAgent(journal: PeerJournal) {
  const tables = new MemoryTables();
  let record = await openAgentRecord(tables);
  let book = new PeerBook();
  let told: number | undefined;
  return {
    told: () => told,
    tell: async (): Promise<void> => {
      for (const message of journal.messagesSince(told)) {
        const decoded = decodeCoordinatorMessage(encodeCoordinatorMessage(message));
        if (decoded.kind !== 'peers') throw new Error('another kind came out');
        book.apply({ ...(await record.applyPeers(decoded)), isFull: false });
      }
      told = journal.head;
    },
    reconnect: () => void (told = undefined),
    restart: async (): Promise<void> => {
      told = undefined;
      record = await openAgentRecord(tables);
      book = new PeerBook();
      const upserts = record.peers();
      if (upserts.length > 0) book.apply({ upserts, removals: [], isFull: true });
    },
    hasRegions: () => regionsIn(book),
    tablesHeld: async (): Promise<readonly (readonly PeerService[])[]> => [
      sorted(record.peers()),
      book.list(),
      sorted((await openAgentRecord(tables)).peers()),
    ],
  };
}

function regionsIn(book: PeerBook): readonly boolean[] {
  return ['r1', 'r2'].map((region) => book.hasLevel({ zone: undefined, region }));
}

function sorted(services: readonly PeerService[]): readonly PeerService[] {
  return [...services].sort((a, b) => (a.key < b.key ? -1 : 1));
}

test('J1 any changes folded by deltas are the whole table, for agents told at any time', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const peers = new TablePeers();
      const journal = new PeerJournal(peers, { shardsPerMessage: 3, dueMax: 12 });
      peers.subscribe((due) => journal.note(due));
      const world = await Promise.all(agents.map(() => openAgent(journal)));
      for (const one of steps) {
        if (one.kind === 'put') peers.putShard(one.key, one.shard);
        else if (one.kind === 'drop') peers.dropShard(one.key, one.cluster);
        else if (one.kind === 'forget')
          journal.forgetUntil(Math.min(...world.map((agent) => agent.told() ?? journal.head)));
        else await world[one.agent]?.[one.kind]();
      }
      const wanted = sorted([...peers.services()].flatMap((key) => peers.peers(key) ?? []));
      for (const agent of world) {
        await agent.tell();
        for (const held of await agent.tablesHeld()) t.deepEqual(held, wanted);
        const fresh = new PeerBook();
        fresh.apply({ upserts: wanted, removals: [], isFull: true });
        t.deepEqual(agent.hasRegions(), regionsIn(fresh));
      }
    }),
    { seed, numRuns: 150 },
  );
});
