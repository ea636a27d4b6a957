// What agents are told of peers: the whole once, then what changed, alike for all that are equally
// far; and how an agent keeps it.

import test from 'ava';
import type { ServiceKey } from '../../common/model/ids.ts';
import type { PeerChange } from '../../common/model/peer-table.ts';
import { openAgentRecord } from '../../agent/session/agent-record.ts';
import { PeerJournal, type PeersMessage } from '../../coordinator/session/peer-journal.ts';
import { startPeerTelling } from '../../coordinator/session/peer-telling.ts';
import type { AgentLink } from '../../coordinator/session/link.ts';
import { createManualClock } from '../support/manual-clock.ts';
import { MemoryTables, TablePeers, toPeer } from '../support/table-peers.ts';

const nginx = 'default/nginx' as ServiceKey;
const pg = 'db/pg' as ServiceKey;
const one = toPeer('one');
const two = toPeer('two');

function open(bounds?: { readonly shardsPerMessage?: number; readonly dueMax?: number }) {
  const peers = new TablePeers();
  const journal = new PeerJournal(peers, bounds);
  peers.subscribe((due) => journal.note(due));
  return { peers, journal };
}

const whole = (change: Pick<PeerChange, 'key' | 'shards'>): PeerChange => ({
  ...change,
  removedClusters: [],
  isDelta: false,
});
const message = (of: Partial<PeersMessage>): PeersMessage => ({
  kind: 'peers',
  upserts: [],
  removals: [],
  isFull: false,
  hasMore: false,
  ...of,
});

test('the whole table comes first, then only shards that changed and clusters that left', (t) => {
  const { peers, journal } = open();
  t.deepEqual(journal.messagesSince(undefined), [message({ isFull: true })]);
  peers.put(nginx, { key: nginx, shards: [one, two] });
  t.deepEqual(journal.messagesSince(undefined), [
    message({ isFull: true, upserts: [whole({ key: nginx, shards: [one, two] })] }),
  ]);
  const told = journal.head;
  t.deepEqual(journal.messagesSince(told), []);
  const three = toPeer('three', { isHealthy: false });
  peers.putShard(nginx, three);
  peers.dropShard(nginx, one.cluster);
  t.deepEqual(journal.messagesSince(told), [
    message({
      upserts: [{ key: nginx, shards: [three], removedClusters: [one.cluster], isDelta: true }],
    }),
  ]);
  peers.put(nginx, undefined);
  t.deepEqual(journal.messagesSince(told), [message({ removals: [nginx] })]);
});

test('who is equally far gets the same message, also after others were told', (t) => {
  const { peers, journal } = open();
  const first = journal.messagesSince(undefined);
  t.is(journal.messagesSince(undefined), first);
  peers.put(nginx, { key: nginx, shards: [one] });
  const [change] = journal.messagesSince(0);
  t.is(journal.messagesSince(0)[0], change);
  peers.putShard(nginx, two);
  t.deepEqual(journal.messagesSince(1)[0]?.upserts[0]?.shards, [two]);
  t.deepEqual(journal.messagesSince(0)[0]?.upserts[0]?.shards, [one, two]);
});

test('who fell behind what is remembered gets the whole table', (t) => {
  const { peers, journal } = open({ dueMax: 4 });
  const told = journal.head;
  for (const name of ['a', 'b', 'c', 'd', 'e']) peers.putShard(nginx, toPeer(name));
  t.true(journal.messagesSince(told)[0]?.isFull);
  t.is(journal.messagesSince(told), journal.messagesSince(undefined));
  t.deepEqual(journal.messagesSince(4)[0]?.upserts[0]?.shards, [toPeer('e')]);
  journal.forgetUntil(journal.head);
  t.deepEqual(journal.messagesSince(journal.head), []);
  t.true(journal.messagesSince(4)[0]?.isFull);
});

test('a large table comes in pages, and takes nothing away before its end', async (t) => {
  const { peers, journal } = open({ shardsPerMessage: 2 });
  const record = await openAgentRecord(new MemoryTables());
  const keys = ['a/a', 'b/b', 'c/c'] as ServiceKey[];
  for (const key of keys) peers.put(key, { key, shards: [one, two] });
  for (const page of journal.messagesSince(undefined)) await record.applyPeers(page);
  peers.put(pg, { key: pg, shards: [] });
  peers.put(keys[0] ?? pg, undefined);
  const pages = journal.messagesSince(undefined);
  t.deepEqual(
    pages.map(({ isFull, hasMore }) => [isFull, hasMore]),
    [
      [true, true],
      [false, true],
      [false, false],
    ],
  );
  const removals: string[] = [];
  for (const page of pages) {
    const update = await record.applyPeers(page);
    removals.push(update.removals.join());
  }
  t.deepEqual(removals, ['', '', 'a/a']);
  t.deepEqual(
    record
      .peers()
      .map(({ key }) => key)
      .sort(),
    ['b/b', 'c/c', pg],
  );
});

test('an agent writes the rows that changed, in one commit, and none for what it has', async (t) => {
  const tables = new MemoryTables();
  const record = await openAgentRecord(tables);
  const three = toPeer('three');
  const full = message({
    isFull: true,
    upserts: [whole({ key: nginx, shards: [one, three, two] }), whole({ key: pg, shards: [] })],
  });
  await record.applyPeers(full);
  tables.commits.length = 0;
  t.deepEqual(await record.applyPeers(full), { upserts: [], removals: [] });
  t.deepEqual(tables.commits, []);
  const sick = { ...two, isHealthy: false };
  const update = await record.applyPeers(
    message({
      upserts: [
        { key: nginx, shards: [one, sick], removedClusters: [three.cluster], isDelta: true },
      ],
      removals: [pg],
    }),
  );
  t.deepEqual(update, { upserts: [{ key: nginx, shards: [one, sick] }], removals: [pg] });
  t.deepEqual(
    tables.commits.map((changes) => changes.map(({ key }) => key)),
    [['default/nginx|three', 'default/nginx|two', 'db/pg']],
  );
  t.deepEqual((await openAgentRecord(tables)).peers(), [{ key: nginx, shards: [one, sick] }]);
});

test('a delta without its base, or of nothing, harms nothing', async (t) => {
  const record = await openAgentRecord(new MemoryTables());
  await record.applyPeers(
    message({
      upserts: [{ key: nginx, shards: [one], removedClusters: [two.cluster], isDelta: true }],
      removals: [pg],
    }),
  );
  t.deepEqual(record.peers(), [{ key: nginx, shards: [one] }]);
});

test('a former version’s whole Service in the table is left out until it is told anew', async (t) => {
  const tables = new MemoryTables();
  await tables.commit([{ table: 'peers', key: nginx, value: { key: nginx, shards: [one] } }]);
  const record = await openAgentRecord(tables);
  t.deepEqual(record.peers(), []);
  await record.applyPeers(
    message({ isFull: true, upserts: [whole({ key: nginx, shards: [two] })] }),
  );
  t.deepEqual((await openAgentRecord(tables)).peers(), [{ key: nginx, shards: [two] }]);
});

test('links are told together, soon after a change, and rest the longer the more they are', async (t) => {
  const peers = new TablePeers();
  const journal = new PeerJournal(peers);
  const clock = createManualClock();
  const tellings: number[] = [];
  const links = Array.from({ length: 250 }, (_, index): Pick<AgentLink, 'tellPeers'> => {
    return { tellPeers: () => void (index === 0 && tellings.push(clock.monotonicMs())) };
  });
  const last: number[] = [];
  const all = [...links, { tellPeers: () => void last.push(journal.head) }];
  const stop = startPeerTelling({ peers, journal, clock, links: () => all as AgentLink[] });
  peers.putShard(nginx, one);
  await clock.advance(49);
  t.deepEqual(tellings, []);
  await clock.advance(1);
  t.deepEqual(tellings, [50]);
  t.deepEqual(last, [1]);
  peers.putShard(nginx, two);
  await clock.advance(1_050);
  t.deepEqual(tellings, [50, 50 + 1_000 + 50]);
  await clock.advance(10_000);
  t.is(tellings.length, 2);
  peers.putShard(nginx, toPeer('three'));
  stop();
  await clock.advance(10_000);
  t.is(tellings.length, 2);
});
