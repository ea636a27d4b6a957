// Joining over real gRPC with real certificates, and everything that must be refused there.

import test, { type ExecutionContext } from 'ava';
import { toClusterName } from '../../common/model/ids.ts';
import { certificateHash, readCertificate } from '../../common/runtime/certificates.ts';
import { createCa, createCsr, issueClientCertificate } from '../../common/runtime/pki.ts';
import { systemClock as clock } from '../../common/runtime/clock.ts';
import { createGrpcDialer } from '../../agent/session/grpc-dialer.ts';
import type { StreamEnd } from '../../agent/session/mesh-port.ts';
import { toClusterUri } from '../../coordinator/session/certificate-authority.ts';
import {
  federation,
  openMesh,
  openMeshWithAgent,
  startAgent,
  until,
  type MeshWorld,
} from '../support/mesh-fixture.ts';

const one = toClusterName('one');

test('a token becomes a certificate, a Cluster and a session', async (t) => {
  const { world, agent } = await openMeshWithAgent(t);
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
        world.events.find(
          (event) => event.reason === reason && event.regarding.kind === 'JoinToken',
        ),
        { type: 'Warning' },
      );
    }
    t.false(agent.complaints.some((line) => line.includes(token.split('.')[3] ?? 'no secret')));
  });
}

test('a token bound to a cluster replaces its lost key', async (t) => {
  const { world, agent } = await openMeshWithAgent(t);
  const before = world.cluster('one');
  await agent.stop();
  const token = await world.makeToken({ cluster: 'one' });
  const next = await startAgent(t, { port: world.port, cluster: 'one', token });
  await until(() => next.session.isOpen());
  t.is(world.cluster('one')?.metadata.uid, before?.metadata.uid);
  t.not(world.cluster('one')?.status?.publicKeyHash, before?.status?.publicKeyHash);
  const old = await startAgent(t, { port: world.port, cluster: 'one', folder: agent.folder });
  await until(() => old.complaints.some((line) => line.includes('KeyReplaced')));
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
  const { csrDer } = await createCsr({ commonName: 'one' });
  const request = { cluster: 'one', token, csrDer, agentVersion: '' };
  const [caPem = ''] = await dialer.fetchCa(certificateHash(world.ca.certPem), 10_000);
  const first = await dialer.join(request, caPem, 10_000);
  const second = await dialer.join(request, caPem, 10_000);
  t.is(first.clusterUid, second.clusterUid);
  await world.removeCluster('one');
  await t.throwsAsync(dialer.join(request, caPem, 10_000), { message: /ClusterRemoved/ });
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
    const { world } = await openMeshWithAgent(t);
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
