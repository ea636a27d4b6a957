// Replicas over real sockets: they know each other by the agent's key, and by nothing else.

import { connect as connectTcp } from 'node:net';
import test, { type ExecutionContext } from 'ava';
import { createRecordFeed } from '../../agent/leader/feed.ts';
import { followLeader } from '../../agent/leader/follow.ts';
import type { Row } from '../../agent/leader/replica-port.ts';
import { createTlsReplicaLink, type ReplicaIdentity } from '../../agent/leader/tls-replica-link.ts';
import { systemChance } from '../../common/runtime/chance.ts';
import { systemClock } from '../../common/runtime/clock.ts';
import { silentLog } from '../../common/runtime/log.ts';
import { createCa, issueClientCertificate } from '../../common/runtime/pki.ts';
import { eventually } from '../support/eventually.ts';
import { MemoryTables } from '../support/replica-world.ts';

const listen = { host: '127.0.0.1', port: 0 };
const common = { clock: systemClock, log: silentLog };

async function makeIdentity(): Promise<ReplicaIdentity> {
  const ca = await createCa({ commonName: 'x', validDays: 1, clock: systemClock });
  const of = { ca, commonName: 'a', organizations: [], validDays: 1, clock: systemClock };
  return issueClientCertificate(of);
}

function linkOf(identity: () => ReplicaIdentity | undefined) {
  return createTlsReplicaLink({ listen, identity, clock: systemClock });
}

/** Serves a table of `count` rows; stops with the test. */
async function serve(
  t: ExecutionContext,
  identity: () => ReplicaIdentity | undefined,
  count: number,
) {
  const tables = new MemoryTables();
  const value = { shards: [], bytes: Buffer.alloc(600, 7) };
  const rows = Array.from({ length: count }, (_, at) => [`shop/s${at}`, value] as const);
  tables.rows.set('peers', new Map(rows));
  tables.rows.set('facts', new Map([['viewRevision', 5]]));
  const feed = createRecordFeed({ ...common, isSessionOpen: () => true });
  const shared = feed.share(tables);
  let accepted = 0;
  const server = await linkOf(identity).listen((connection) => {
    accepted += 1;
    return feed.accept(connection);
  });
  t.teardown(() => server.close());
  t.teardown(() => feed.stop());
  const address = `127.0.0.1:${server.port}`;
  return { address, shared, tables, accepted: () => accepted };
}

function follow(t: ExecutionContext, identity: () => ReplicaIdentity | undefined, address: string) {
  const tables = new MemoryTables();
  const rows: Row[] = [];
  const refusals: string[] = [];
  const follower = followLeader({
    ...common,
    chance: systemChance,
    link: linkOf(identity),
    address: () => address,
    tables,
    onRows: (some) => void rows.push(...some),
    onRefused: () => Promise.resolve(void refusals.push('refused')),
  });
  t.teardown(() => follower.stop());
  return { follower, tables, rows, refusals };
}

test('a replica of the same agent gets all of a large record, and each commit after it', async (t) => {
  const identity = await makeIdentity();
  const leader = await serve(t, () => identity, 20_000);
  const one = follow(t, () => identity, leader.address);
  await eventually(20_000, () => Promise.resolve(one.follower.isCurrent() ? [] : ['not current']));
  t.is([...one.tables.load('peers')].length, 20_000);
  t.deepEqual(new Map(one.tables.load('peers')).get('shop/s1'), {
    shards: [],
    bytes: new Uint8Array(600).fill(7),
  });
  t.deepEqual([...one.tables.load('facts')], [['viewRevision', 5]]);
  await leader.shared.commit([{ table: 'peers', key: 'shop/s0', value: undefined }]);
  t.is([...one.tables.load('peers')].length, 19_999);
  t.true(one.follower.isSessionOpen());
});

test('commits that are made while everything is told arrive, whatever was read before them', async (t) => {
  const identity = await makeIdentity();
  const leader = await serve(t, () => identity, 5_000);
  const one = follow(t, () => identity, leader.address);
  for (let at = 0; at < 300; at += 1) {
    const key = `shop/s${(at * 37) % 5_000}`;
    const value = at % 3 === 0 ? undefined : { at };
    await leader.shared.commit([
      { table: 'peers', key, value },
      { table: 'facts', key: 'viewRevision', value: 6 + at },
    ]);
    await new Promise((resolve) => setImmediate(resolve));
  }
  await eventually(20_000, () => Promise.resolve(one.follower.isCurrent() ? [] : ['not current']));
  await leader.shared.commit([{ table: 'peers', key: 'shop/last', value: {} }]);
  const own = new Map(one.tables.load('peers'));
  const theirs = new Map(leader.tables.load('peers'));
  t.is(own.size, theirs.size);
  for (const [key, value] of theirs) {
    if (JSON.stringify(value) === JSON.stringify(own.get(key))) continue;
    t.deepEqual(Object.keys(value as object), ['shards', 'bytes'], key); // bytes are another type
  }
  t.deepEqual([...one.tables.load('facts')], [...leader.tables.load('facts')]);
});

test('I8: whoever holds another key is told nothing, in either direction', async (t) => {
  const [ours, theirs] = await Promise.all([makeIdentity(), makeIdentity()]);
  const leader = await serve(t, () => ours, 3);
  const stranger = follow(t, () => theirs, leader.address);
  await eventually(20_000, () => Promise.resolve(stranger.refusals.length > 1 ? [] : ['waits']));
  t.is(leader.accepted(), 0);
  t.deepEqual(stranger.rows, []);
  t.false(stranger.follower.isCurrent());
});

test('a replica that follows with the new key when the agent has got one', async (t) => {
  const [before, after] = await Promise.all([makeIdentity(), makeIdentity()]);
  const leader = await serve(t, () => after, 3);
  let own = before;
  const one = follow(t, () => own, leader.address);
  await eventually(20_000, () => Promise.resolve(one.refusals.length > 0 ? [] : ['waits']));
  own = after; // as the Secret says
  await eventually(20_000, () => Promise.resolve(one.follower.isCurrent() ? [] : ['waits']));
  t.is([...one.tables.load('peers')].length, 3);
});

test('garbage, silence and a replica without a key are closed, and harm nobody', async (t) => {
  const identity = await makeIdentity();
  const leader = await serve(t, () => identity, 3);
  const closed = new Promise((resolve) => {
    const socket = connectTcp(Number(leader.address.split(':')[1]), '127.0.0.1', () =>
      socket.write('GET / HTTP/1.1\r\n\r\n'),
    );
    socket
      .on('error', () => undefined)
      .on('close', resolve)
      .resume();
  });
  await closed;
  const broken = { certPem: identity.certPem, keyPem: 'no key' };
  for (const [theirs, ours] of [
    [undefined, identity],
    [broken, identity],
    [identity, broken],
  ]) {
    const other = await serve(t, () => theirs, 3);
    const refused = follow(t, () => ours, other.address);
    await eventually(20_000, () => Promise.resolve(refused.refusals.length > 0 ? [] : ['waits']));
    t.is(other.accepted(), 0);
  }
  const one = follow(t, () => identity, leader.address);
  await eventually(20_000, () => Promise.resolve(one.follower.isCurrent() ? [] : ['waits']));
  t.is(leader.accepted(), 1);
});
