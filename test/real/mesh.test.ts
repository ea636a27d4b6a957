// Agents and coordinator over real gRPC with real certificates: joining, one session, the
// assignment on its way, and everything that must be refused.

import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import test, { type ExecutionContext } from 'ava';
import { toClusterName, toRevision, type ServiceKey } from '../../common/model/ids.ts';
import { createCa, issueClientCertificate, readCertificate } from '../../common/runtime/pki.ts';
import { systemClock as clock } from '../../common/runtime/clock.ts';
import { createGrpcDialer } from '../../agent/session/grpc-dialer.ts';
import type { StreamEnd } from '../../agent/session/mesh-port.ts';
import { createMemoryDisk } from '../../coordinator/desired/memory-store.ts';
import { toClusterUri } from '../../coordinator/session/certificate-authority.ts';
import {
  federation,
  openMesh,
  startAgent,
  toShard,
  until,
  type MeshWorld,
  type TestAgent,
} from '../support/mesh-fixture.ts';

const one = toClusterName('one');
const nginx = 'default/nginx' as ServiceKey;

async function openWithAgent(
  t: ExecutionContext,
): Promise<{ world: MeshWorld; agent: TestAgent; token: string }> {
  const world = await openMesh(t);
  const token = await world.makeToken();
  const agent = await startAgent(t, { port: world.port, cluster: 'one', token });
  await until(() => world.sessions.session(one)?.isConnected === true && agent.session.isOpen());
  return { world, agent, token };
}

test('a token becomes a certificate, a Cluster and a session', async (t) => {
  const { world, agent } = await openWithAgent(t);
  const cluster = world.cluster('one');
  const certificate = readCertificate(agent.record.identity()?.certPem ?? '');
  t.like(certificate, {
    commonName: 'one',
    organizations: ['isthmus:clusters'],
    uris: [toClusterUri(federation, 'one', cluster?.metadata.uid ?? '')],
  });
  t.is(cluster?.status?.publicKeyHash, certificate.publicKeyHash);
  t.like(world.sessions.session(one), {
    incarnation: { session: 1, boot: 1 },
    topology: { zones: ['z1'], region: 'r1' },
    kubernetesVersion: 'v1.33.1',
    remoteAddress: '127.0.0.1',
  });
  t.is(world.natsUsers.get(one), cluster?.metadata.uid);
  t.like(agent.session.welcome(), { federation, domain: 'example.com', ttlSeconds: 60 });
});

test('shards arrive, are acknowledged, change, and go by order only', async (t) => {
  const { world, agent } = await openWithAgent(t);
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
  const { world, agent } = await openWithAgent(t);
  const shard = toShard(nginx, '{}');
  world.placement.place(one, nginx, shard);
  await until(() => agent.session.assignment.shard(nginx) !== undefined);
  world.placement.place(one, nginx, undefined);
  await until(() => [...world.sessions.unclaimed(one)].length === 1);
  t.deepEqual([...world.sessions.unclaimed(one)], [nginx]);
  t.is(agent.session.assignment.shard(nginx)?.hash, shard.hash);
});

test('an agent that starts again goes on from its disk, also without a coordinator', async (t) => {
  const { world, agent, token } = await openWithAgent(t);
  const shard = toShard(nginx, '{"kept":true}');
  world.placement.place(one, nginx, shard);
  const peer = { key: nginx, shards: [] };
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
  const { world, agent } = await openWithAgent(t);
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
  world.peers.put(nginx, { key: nginx, shards: [] });
  const agent = await startAgent(t, {
    port: world.port,
    cluster: 'one',
    token: await world.makeToken(),
  });
  await until(() => agent.session.peers().length === 1);
  const other = 'default/other' as ServiceKey;
  const shard = {
    cluster: one,
    zones: ['z'],
    region: 'r',
    addresses: ['192.0.2.1'],
    hostnames: [],
    tcpPorts: [80],
    isHealthy: true,
  };
  world.peers.put(other, { key: other, shards: [shard] });
  world.peers.put(nginx, undefined);
  await until(() => agent.session.peers()[0]?.key === other);
  t.deepEqual(agent.session.peers(), [{ key: other, shards: [shard] }]);
});

test('I8 a removed Cluster ends its stream, its NATS user and its way back', async (t) => {
  const { world, agent } = await openWithAgent(t);
  await world.removeCluster('one');
  await until(() => !agent.session.isOpen());
  await until(() => agent.complaints.some((line) => line.includes('ClusterRemoved')));
  t.is(world.sessions.session(one), undefined);
  t.false(world.natsUsers.has(one));
  await agent.stop();
  const again = await startAgent(t, { port: world.port, cluster: 'one', folder: agent.folder });
  await until(() => again.complaints.some((line) => line.includes('ClusterRemoved')));
  t.false(again.session.isOpen());
});

test('a second agent with the same identity takes over, and the first is told why', async (t) => {
  const { world, agent } = await openWithAgent(t);
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

const refusals: readonly {
  readonly title: string;
  readonly reason: string;
  /** Token to use and name to ask for. */
  readonly arrange: (
    world: MeshWorld,
    t: ExecutionContext,
  ) => Promise<{ token: string; cluster: string }>;
}[] = [
  {
    title: 'a wrong secret',
    reason: 'TokenUnknown',
    arrange: async (world) => ({
      token: (await world.makeToken()).replace('secret-of', 'secret-off'),
      cluster: 'two',
    }),
  },
  {
    title: 'a token that nobody made',
    reason: 'TokenUnknown',
    arrange: async (world) => ({
      token: (await world.makeToken({ name: 'real' })).replace('v1.real.', 'v1.unreal.'),
      cluster: 'two',
    }),
  },
  {
    title: 'an expired token',
    reason: 'TokenExpired',
    arrange: async (world) => ({
      token: await world.makeToken({ expiresInMs: -1_000 }),
      cluster: 'two',
    }),
  },
  {
    title: 'a token for another cluster',
    reason: 'TokenForOtherCluster',
    arrange: async (world) => ({
      token: await world.makeToken({ cluster: 'three' }),
      cluster: 'two',
    }),
  },
  {
    title: 'a token that another key has used',
    reason: 'TokenUsed',
    arrange: async (world, t) => {
      const token = await world.makeToken();
      const first = await startAgent(t, { port: world.port, cluster: 'first', token });
      await until(() => first.session.isOpen());
      return { token, cluster: 'two' };
    },
  },
  {
    title: 'a name that another key has',
    reason: 'NameTaken',
    arrange: async (world, t) => {
      const first = await startAgent(t, {
        port: world.port,
        cluster: 'two',
        token: await world.makeToken(),
      });
      await until(() => first.session.isOpen());
      return { token: await world.makeToken(), cluster: 'two' };
    },
  },
  {
    title: 'a name that is not a DNS label',
    reason: 'InvalidClusterName',
    arrange: async (world) => ({ token: await world.makeToken(), cluster: 'No_Label' }),
  },
];

for (const { title, reason, arrange } of refusals) {
  test(`${title} is refused with its reason on both sides`, async (t) => {
    const world = await openMesh(t);
    const { token, cluster } = await arrange(world, t);
    const agent = await startAgent(t, { port: world.port, cluster, token });
    await until(() => agent.complaints.some((line) => line.includes(reason)));
    t.false(agent.session.isOpen());
    t.is(world.counts.get(`mesh_session_joins_total ${reason}`), 1);
    if (title !== 'a token that nobody made') {
      t.like(
        world.events.find((event) => event.reason === reason),
        {
          type: 'Warning',
          regarding: { kind: 'JoinToken' },
        },
      );
    }
    t.false(agent.complaints.some((line) => line.includes(token.split('.')[3] ?? 'no secret')));
  });
}

test('a token bound to a cluster replaces its lost key', async (t) => {
  const { world, agent } = await openWithAgent(t);
  const before = world.cluster('one');
  await agent.stop();
  const token = await world.makeToken({ cluster: 'one' });
  const next = await startAgent(t, { port: world.port, cluster: 'one', token });
  await until(() => next.session.isOpen());
  t.is(world.cluster('one')?.metadata.uid, before?.metadata.uid);
  t.not(world.cluster('one')?.status?.publicKeyHash, before?.status?.publicKeyHash);
  const old = await startAgent(t, { port: world.port, cluster: 'one', folder: agent.folder });
  await until(() => old.complaints.some((line) => line.includes('ClusterRemoved')));
  t.true(next.session.isOpen());
});

test('an agent gives its token to no CA but the one that the token names', async (t) => {
  const honest = await openMesh(t);
  const other = await openMesh(t);
  const token = await honest.makeToken();
  const agent = await startAgent(t, { port: other.port, cluster: 'one', token });
  await until(() => agent.complaints.some((line) => line.includes('another CA')));
  t.is([...other.counts.keys()].filter((name) => name.includes('joins')).length, 0);
});

test('the answer to a join may be asked for again with the same key', async (t) => {
  const world = await openMesh(t);
  const token = await world.makeToken();
  const dialer = createGrpcDialer({ coordinator: { host: '127.0.0.1', port: world.port }, clock });
  const { createCsr } = await import('../../common/runtime/pki.ts');
  const { csrDer } = await createCsr({ commonName: 'one' });
  const request = { cluster: 'one', token, csrDer, agentVersion: '' };
  const caPem = await dialer.fetchCa(2_000);
  const first = await dialer.join(request, caPem, 2_000);
  const second = await dialer.join(request, caPem, 2_000);
  t.is(first.clusterUid, second.clusterUid);
  await world.removeCluster('one');
  await t.throwsAsync(dialer.join(request, caPem, 2_000), { message: /ClusterRemoved/ });
  t.is(world.cluster('one'), undefined);
});

const strangers: readonly {
  readonly title: string;
  readonly issue: (world: MeshWorld) => Promise<{ certPem: string; keyPem: string }>;
}[] = [
  {
    title: 'of another CA',
    issue: async (world) =>
      issue(world, { ca: await createCa({ commonName: 'test', clock, validDays: 1 }) }),
  },
  { title: 'for another uid', issue: (world) => issue(world, { uid: 'other-uid' }) },
  {
    title: 'without the agents’ group',
    issue: (world) => issue(world, { organizations: ['system:masters'] }),
  },
  { title: 'of another federation', issue: (world) => issue(world, { federation: 'other' }) },
  {
    title: 'with another name than its URI',
    issue: (world) => issue(world, { commonName: 'two' }),
  },
];

function issue(
  world: MeshWorld,
  given: Partial<{
    ca: { certPem: string; keyPem: string };
    uid: string;
    organizations: readonly string[];
    federation: string;
    commonName: string;
  }>,
) {
  const uid = given.uid ?? world.cluster('one')?.metadata.uid ?? '';
  return issueClientCertificate({
    ca: given.ca ?? world.ca,
    commonName: given.commonName ?? 'one',
    organizations: given.organizations ?? ['isthmus:clusters'],
    uris: [toClusterUri(given.federation ?? federation, 'one', uid)],
    validDays: 1,
    clock,
  });
}

for (const { title, issue: issueStranger } of strangers) {
  test(`I8 a session with a certificate ${title} is refused`, async (t) => {
    const { world } = await openWithAgent(t);
    const dialer = createGrpcDialer({
      coordinator: { host: '127.0.0.1', port: world.port },
      clock,
    });
    const pair = await issueStranger(world);
    const end = await new Promise<StreamEnd>((resolve) => {
      const stream = dialer.connect(
        { ...pair, caPem: world.ca.certPem },
        { onMessage: () => t.fail('was spoken to'), onEnd: resolve },
      );
      t.teardown(() => stream.end());
    });
    t.false(end.retry);
    t.true(world.sessions.session(one)?.isConnected);
  });
}

test('a certificate is renewed on the live stream, for its own key only', async (t) => {
  const { world, agent } = await openWithAgent(t);
  const identity = agent.record.identity();
  const { createCsr, createCsrForKey } = await import('../../common/runtime/pki.ts');
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
  const { world, agent } = await openWithAgent(t);
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
  const { world, agent } = await openWithAgent(t);
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
