// Agents and coordinator over real gRPC with real certificates: one session, the assignment on
// its way, restarts on either side, and garbage.

import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { Client, credentials, status, type ServiceError } from '@grpc/grpc-js';
import test from 'ava';
import { toClusterName, toRevision, type ServiceKey } from '../../common/model/ids.ts';
import { readCertificate } from '../../common/runtime/certificates.ts';
import { createCsr, createCsrForKey } from '../../common/runtime/pki.ts';
import { systemClock as clock } from '../../common/runtime/clock.ts';
import { createGrpcDialer } from '../../agent/session/grpc-dialer.ts';
import type { StreamEnd } from '../../agent/session/mesh-port.ts';
import { createMemoryDisk } from '../../coordinator/desired/memory-store.ts';
import {
  federation,
  openMesh,
  openMeshWithAgent,
  startAgent,
  toShard,
  until,
} from '../support/mesh-fixture.ts';
import { toPeer } from '../support/table-peers.ts';

const one = toClusterName('one');
const nginx = 'default/nginx' as ServiceKey;

test('shards arrive, are acknowledged, change, and go by order only', async (t) => {
  const { world, agent } = await openMeshWithAgent(t);
  const { assignment } = agent.session;
  const first = toShard(nginx, '{"a":1}');
  world.placement.place(one, nginx, first);
  await until(() => assignment.shard(nginx)?.hash === first.hash);
  agent.session.report({
    key: nginx,
    hash: first.hash,
    outcome: 'applied',
    reason: 'Applied',
    message: '',
  });
  await until(() => world.sessions.result(one, nginx)?.outcome === 'applied');
  const second = toShard(nginx, '{"a":2}');
  world.placement.place(one, nginx, second);
  await until(() => assignment.shard(nginx)?.hash === second.hash);
  world.placement.order({ cluster: one, key: nginx, mode: 'delete', revision: toRevision(1) });
  await until(() => assignment.order(nginx) !== undefined);
  t.is(assignment.shard(nginx), undefined);
  agent.session.report({
    key: nginx,
    hash: undefined,
    outcome: 'removed',
    reason: 'Removed',
    message: '',
  });
  await until(() => [...world.placement.removalsOf(one)].length === 0);
  await until(() => [...assignment.keys()].length === 0);
  t.is(world.sessions.result(one, nginx), undefined);
});

test('I2 what is neither wanted nor ordered away stays with the agent and is shown', async (t) => {
  const { world, agent } = await openMeshWithAgent(t);
  const shard = toShard(nginx, '{}');
  world.placement.place(one, nginx, shard);
  await until(() => agent.session.assignment.shard(nginx) !== undefined);
  world.placement.place(one, nginx, undefined);
  await until(() => [...world.sessions.unclaimed(one)].length === 1);
  t.deepEqual([...world.sessions.unclaimed(one)], [nginx]);
  t.is(agent.session.assignment.shard(nginx)?.hash, shard.hash);
});

test('an agent that starts again goes on from its disk, also without a coordinator', async (t) => {
  const { world, agent, token } = await openMeshWithAgent(t);
  const shard = toShard(nginx, '{"kept":true}');
  world.placement.place(one, nginx, shard);
  const peer = { key: nginx, shards: [toPeer('one')] };
  world.peers.put(nginx, peer);
  await until(
    () => agent.session.assignment.shard(nginx) !== undefined && agent.session.peers().length === 1,
  );
  await agent.stop();
  await world.stop();
  const again = await startAgent(t, {
    port: world.port,
    cluster: 'one',
    token,
    folder: agent.folder,
  });
  t.deepEqual(
    Buffer.from(again.session.assignment.shard(nginx)?.bytes ?? []).toString(),
    '{"kept":true}',
  );
  t.deepEqual(again.session.peers(), [peer]);
  t.is(again.session.incarnation().boot, 2);
  t.is(again.session.viewRevision(), world.desired.revision());
  t.is(again.session.welcome()?.federation, federation);
});

test('a reconnect sends only what differs', async (t) => {
  const { world, agent } = await openMeshWithAgent(t);
  const same = toShard('default/same', '{"s":1}');
  world.placement.place(one, same.key, same);
  world.placement.place(one, nginx, toShard(nginx, '{"v":1}'));
  await until(() => [...agent.session.assignment.keys()].length === 2);
  await agent.stop();
  const changed = toShard(nginx, '{"v":2}');
  world.placement.place(one, nginx, changed);
  const again = await startAgent(t, { port: world.port, cluster: 'one', folder: agent.folder });
  const woken: string[] = [];
  again.session.assignment.subscribe((key) => void woken.push(key));
  await until(() => again.session.assignment.shard(nginx)?.hash === changed.hash);
  t.deepEqual(woken, [nginx]);
  t.is(world.sessions.session(one)?.incarnation.session, 2);
});

test('peer tables come whole, then as changes', async (t) => {
  const world = await openMesh(t);
  world.peers.put(nginx, { key: nginx, shards: [toPeer('a'), toPeer('b')] });
  const agent = await startAgent(t, {
    port: world.port,
    cluster: 'one',
    token: await world.makeToken(),
  });
  await until(() => agent.session.peers().length === 1);
  const sick = toPeer('b', { isHealthy: false });
  world.peers.putShard(nginx, sick);
  world.peers.dropShard(nginx, toClusterName('a'));
  await until(() => agent.session.peers()[0]?.shards.length === 1);
  t.deepEqual(agent.session.peers(), [{ key: nginx, shards: [sick] }]);
  const other = 'default/other' as ServiceKey;
  world.peers.put(other, { key: other, shards: [toPeer('a')] });
  world.peers.put(nginx, undefined);
  await until(() => agent.session.peers()[0]?.key === other);
  t.deepEqual(agent.session.peers(), [{ key: other, shards: [toPeer('a')] }]);
});

test('I8 a removed Cluster ends its stream, its NATS user and its way back', async (t) => {
  const { world, agent } = await openMeshWithAgent(t);
  await world.removeCluster('one');
  await until(() => !agent.session.isOpen());
  await until(() => agent.complaints.some((line) => line.includes('ClusterRemoved')));
  t.is(world.sessions.session(one), undefined);
  await until(() => !world.natsUsers.has(one), 'the NATS user is still let in');
  await agent.stop();
  const again = await startAgent(t, { port: world.port, cluster: 'one', folder: agent.folder });
  await until(() => again.complaints.some((line) => line.includes('ClusterRemoved')));
  t.false(again.session.isOpen());
});

test('a second agent with the same identity takes over, and the first is told why', async (t) => {
  const { world, agent } = await openMeshWithAgent(t);
  const ends: StreamEnd[] = [];
  const { certPem = '', keyPem = '', caPem = '' } = agent.record.identity() ?? {};
  const dialer = createGrpcDialer({ coordinator: { host: '127.0.0.1', port: world.port }, clock });
  const stream = dialer.connect(
    { certPem, keyPem, caPem },
    { onMessage: () => undefined, onEnd: (end) => void ends.push(end) },
  );
  t.teardown(() => stream.end());
  stream.send({
    kind: 'hello',
    cluster: one,
    incarnation: { session: 1, boot: 9 },
    viewRevision: toRevision(0),
    receipt: undefined,
    digest: '0'.repeat(16),
    topology: { zones: [], region: undefined, provider: undefined },
    agentVersion: '',
    kubernetesVersion: '',
  });
  await until(() => agent.complaints.some((line) => line.includes('Superseded')));
  t.like(world.sessions.session(one), { isConnected: true, incarnation: { session: 2, boot: 9 } });
});

test('a certificate is renewed on the live stream, for its own key only', async (t) => {
  const { world, agent } = await openMeshWithAgent(t);
  const identity = agent.record.identity();
  const answers: string[] = [];
  const ends: StreamEnd[] = [];
  await agent.stop();
  const dialer = createGrpcDialer({ coordinator: { host: '127.0.0.1', port: world.port }, clock });
  const stream = dialer.connect(
    { certPem: identity?.certPem ?? '', keyPem: identity?.keyPem ?? '', caPem: world.ca.certPem },
    {
      onMessage: (message) =>
        void (message.kind === 'certificate' && answers.push(message.chainPem)),
      onEnd: (end) => void ends.push(end),
    },
  );
  t.teardown(() => stream.end());
  stream.send({
    kind: 'hello',
    cluster: one,
    incarnation: { session: 1, boot: 2 },
    viewRevision: toRevision(0),
    receipt: undefined,
    digest: '0'.repeat(16),
    topology: { zones: [], region: undefined, provider: undefined },
    agentVersion: '',
    kubernetesVersion: '',
  });
  await until(() => world.sessions.session(one)?.incarnation.boot === 2);
  const csrDer = await createCsrForKey({ commonName: 'one', keyPem: identity?.keyPem ?? '' });
  stream.send({ kind: 'renew', csrDer });
  await until(() => answers.length === 1);
  t.like(readCertificate(answers[0] ?? ''), {
    commonName: 'one',
    publicKeyHash: readCertificate(identity?.certPem ?? '').publicKeyHash,
  });
  stream.send({ kind: 'renew', csrDer: (await createCsr({ commonName: 'one' })).csrDer });
  await until(() => ends.length === 1);
  t.is(ends[0]?.reason, 'WrongKey');
});

test('agents come back by themselves after a coordinator restart', async (t) => {
  const { world, agent } = await openMeshWithAgent(t);
  world.placement.place(one, nginx, toShard(nginx, '{}'));
  await until(() => agent.session.assignment.shard(nginx) !== undefined);
  agent.session.report({
    key: nginx,
    hash: undefined,
    outcome: 'failed',
    reason: 'Any',
    message: 'm',
  });
  await world.stop();
  const { ca, disk, port } = world;
  const next = await openMesh(t, { ca, disk, port });
  next.placement.place(one, nginx, toShard(nginx, '{}'));
  await until(() => next.sessions.session(one)?.isConnected === true);
  await until(() => next.sessions.result(one, nginx)?.reason === 'Any');
  t.is(next.sessions.session(one)?.incarnation.session, 2);
});

test('I2 a store that went backwards is noticed by an agent’s receipt and takes no more writes', async (t) => {
  const disk = createMemoryDisk('store-1');
  const past = disk.revision;
  disk.revision = toRevision(past + 10_000);
  const world = await openMesh(t, { disk });
  const token = await world.makeToken();
  const agent = await startAgent(t, { port: world.port, cluster: 'one', token });
  world.placement.place(one, nginx, toShard(nginx, '{}'));
  await until(() => agent.session.assignment.shard(nginx) !== undefined);
  await world.stop();
  const older = { ...disk, revision: toRevision(past + 5_000), log: [] };
  const next = await openMesh(t, { ca: world.ca, disk: older, port: world.port });
  await until(() => next.complaints.some((line) => line.includes('rolled back')));
  await t.throwsAsync(next.makeToken(), { message: /rolled back/ });
  t.false(agent.session.isOpen());
  t.not(agent.session.assignment.shard(nginx), undefined);
});

const closed = (socket: Socket): Promise<void> =>
  new Promise((resolve) => void socket.on('close', () => resolve()));

test('garbage on the port harms nobody', async (t) => {
  const { world, agent } = await openMeshWithAgent(t);
  for (const garbage of [
    'GET / HTTP/1.1\r\n\r\n',
    '\x16\x03\x01\xff\xff\x00',
    'x'.repeat(70_000),
  ]) {
    const socket = connectTcp(world.port, '127.0.0.1');
    socket.on('error', () => undefined);
    socket.end(garbage, 'latin1');
    socket.resume();
    await closed(socket);
  }
  for (const garbage of [
    'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff\xff',
    'GET / HTTP/1.1\r\n\r\n',
  ]) {
    const socket = connectTls({
      port: world.port,
      rejectUnauthorized: false,
      ALPNProtocols: ['h2'],
    });
    socket.on('error', () => undefined);
    socket.on('secureConnect', () => socket.end(garbage, 'latin1'));
    socket.resume();
    await closed(socket);
  }
  world.placement.place(one, nginx, toShard(nginx, '{}'));
  await until(() => agent.session.assignment.shard(nginx) !== undefined);
  t.true(agent.session.isOpen());
});

test('a message that is none ends its session, is counted, and harms nobody else', async (t) => {
  const { world, agent } = await openMeshWithAgent(t);
  const { certPem = '', keyPem = '', caPem = '' } = agent.record.identity() ?? {};
  const other = await startAgent(t, {
    port: world.port,
    cluster: 'two',
    token: await world.makeToken(),
  });
  await until(() => other.session.isOpen());
  await agent.stop();
  const client = new Client(
    `127.0.0.1:${world.port}`,
    credentials.createSsl(Buffer.from(caPem), Buffer.from(keyPem), Buffer.from(certPem)),
  );
  t.teardown(() => client.close());
  const raw = (bytes: Buffer): Buffer => bytes;
  const call = client.makeBidiStreamRequest('/isthmus.v1.Mesh/Session', raw, raw);
  const ended = new Promise<number>((resolve) => {
    call.on('error', (error: ServiceError) => resolve(error.code));
  });
  call.resume();
  call.write(Buffer.from([0xff, 0xff, 0xff]));
  t.is(await ended, status.INTERNAL);
  t.is(world.counts.get('mesh_session_failures_total garbage'), 1);
  t.true(other.session.isOpen());
  t.not(world.sessions.session(one)?.isConnected, true);
});
