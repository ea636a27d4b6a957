// Approval by hand, revocation, the way back after a certificate's end, renewal on the live stream,
// and two agents with one identity: over real gRPC with real certificates.

import { cpSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { toClusterName, type ServiceKey } from '../../common/model/ids.ts';
import type { Cluster, ClusterApproval } from '../../common/model/isthmus-kinds.ts';
import { withApproval } from '../../common/pure/cluster-approval.ts';
import { readCertificate } from '../../common/runtime/certificates.ts';
import { systemClock as clock, toTimestamp } from '../../common/runtime/clock.ts';
import { createCsr, createCsrForKey } from '../../common/runtime/pki.ts';
import { createGrpcDialer } from '../../agent/session/grpc-dialer.ts';
import { createAuthority, oneCa } from '../../coordinator/session/certificate-authority.ts';
import { changeCluster } from '../../coordinator/session/cluster-objects.ts';
import {
  federation,
  openMesh,
  openMeshWithAgent,
  startAgent,
  toShard,
  until,
  type MeshWorld,
  type TestAgent,
} from '../support/mesh-fixture.ts';

const one = toClusterName('one');
const nginx = 'default/nginx' as ServiceKey;

/** As a write of clusters/approval would. */
async function decide(
  world: MeshWorld,
  decision: ClusterApproval['decision'],
  decidedAtMs = clock.now(),
): Promise<void> {
  await changeCluster(world.desired, 'one', ({ status = {} }) => {
    const publicKeyHash = status.approval?.publicKeyHash ?? status.publicKeyHash ?? '';
    const decidedAt = toTimestamp(decidedAtMs);
    const approval = { ...status.approval, decision, publicKeyHash, decidedAt, decidedBy: 'ana' };
    return withApproval(status, approval, { cluster: 'one', nowText: decidedAt });
  });
}

/** As if it had been made a hundred days ago. */
async function letCertificateEnd(world: MeshWorld, { record }: TestAgent): Promise<void> {
  const past = { ...clock, now: () => clock.now() - 100 * 86_400_000 };
  const identity = record.identity();
  if (identity === undefined) return;
  const csrDer = await createCsrForKey({ commonName: 'one', keyPem: identity.keyPem });
  const clusterUid = world.cluster('one')?.metadata.uid ?? '';
  const authority = createAuthority({ cas: oneCa(world.ca), federation, clock: past });
  const certPem = await authority.sign({ csrDer, cluster: 'one', clusterUid });
  await record.writeIdentity({ ...identity, certPem });
  const end = toTimestamp(readCertificate(certPem).notAfterMs);
  await changeCluster(world.desired, 'one', ({ status }) => ({
    ...status,
    certificateExpirationTimestamp: end,
    ...(status?.approval === undefined
      ? {}
      : { approval: { ...status.approval, decidedAt: toTimestamp(past.now()) } }),
  }));
}

function conditionOf(cluster: Cluster | undefined) {
  return cluster?.status?.conditions?.find(({ type }) => type === 'Approved');
}

test('a cluster waits for a person, visibly on both sides, and is in once approved', async (t) => {
  const world = await openMesh(t, { joinApproval: 'Manual' });
  const token = await world.makeToken();
  const agent = await startAgent(t, { port: world.port, cluster: 'one', token });
  await until(() => agent.complaints.some((line) => line.startsWith('waiting for approval')));
  const [line = ''] = agent.complaints;
  const { approval, publicKeyHash } = world.cluster('one')?.status ?? {};
  t.is(publicKeyHash, undefined);
  t.like(approval, { decision: 'Pending', reason: 'NewCluster', remoteAddress: '127.0.0.1' });
  const fingerprint = approval?.publicKeyHash.slice(0, 16).match(/.{4}/g)?.join(':') ?? 'none';
  t.true(line.includes(fingerprint), line);
  t.true(line.includes('kubectl isthmus approve one'), line);
  t.like(conditionOf(world.cluster('one')), { status: 'False', reason: 'WaitingForApproval' });
  t.true(conditionOf(world.cluster('one'))?.message.includes(fingerprint));
  t.is(world.events.filter(({ reason }) => reason === 'WaitingForApproval').length, 1);
  t.false(agent.session.isOpen());
  await decide(world, 'Approved');
  await until(() => agent.session.isOpen());
  t.is(world.cluster('one')?.status?.publicKeyHash, approval?.publicKeyHash);
  t.like(conditionOf(world.cluster('one')), { status: 'True', reason: 'ApprovedByPerson' });
  t.is(agent.complaints.filter((one) => one.startsWith('waiting')).length, 1, 'said once');
});

test('a denied cluster is told so by name, and may be approved after all', async (t) => {
  const world = await openMesh(t);
  const token = await world.makeToken({ approval: 'Manual' });
  const agent = await startAgent(t, { port: world.port, cluster: 'one', token });
  await until(() => world.cluster('one')?.status?.approval?.decision === 'Pending');
  await decide(world, 'Denied');
  await until(() => agent.complaints.some((line) => /ana denied key .* of cluster one/.test(line)));
  t.like(conditionOf(world.cluster('one')), { status: 'False', reason: 'Denied' });
  t.false(agent.session.isOpen());
  await agent.stop();
  await decide(world, 'Approved');
  const again = await startAgent(t, {
    port: world.port,
    cluster: 'one',
    token,
    folder: agent.folder,
  });
  await until(() => again.session.isOpen());
  t.is(again.session.incarnation().boot, 2);
});

test('I8 a revoked cluster loses its stream at once, stays out, and comes back as it was', async (t) => {
  const { world, agent } = await openMeshWithAgent(t);
  world.placement.place(one, nginx, toShard(nginx, '{}'));
  await until(() => agent.session.assignment.shard(nginx) !== undefined);
  const sinceMs = clock.monotonicMs();
  await decide(world, 'Denied');
  await until(() => !agent.session.isOpen());
  t.true(clock.monotonicMs() - sinceMs < 1_000);
  await until(() => agent.complaints.some((line) => line.includes('Revoked')));
  t.false(world.sessions.session(one)?.isConnected);
  t.not(agent.session.assignment.shard(nginx), undefined, 'what it holds stays');
  await agent.stop();
  const again = await startAgent(t, { port: world.port, cluster: 'one', folder: agent.folder });
  await until(() => again.complaints.some((line) => line.includes('ana revoked cluster one')));
  await decide(world, 'Approved');
  await again.stop();
  const third = await startAgent(t, { port: world.port, cluster: 'one', folder: agent.folder });
  await until(() => third.session.isOpen());
});

test('a certificate is renewed in time, on the stream, which goes on', async (t) => {
  const world = await openMesh(t, { lifetimeMs: 9_000 });
  const token = await world.makeToken();
  const agent = await startAgent(t, { port: world.port, cluster: 'one', token });
  await until(() => agent.session.isOpen());
  const first = agent.record.identity()?.certPem ?? '';
  const number = world.sessions.session(one)?.incarnation.session;
  const life = readCertificate(first);
  t.true(life.notAfterMs - clock.now() <= 9_000);
  t.true(clock.now() - life.notBeforeMs > 3_500_000, 'backdated by an hour');
  await until(() => agent.record.identity()?.certPem !== first);
  t.true(clock.now() < life.notAfterMs, 'before its end');
  await until(() => clock.now() > life.notAfterMs + 500);
  world.placement.place(one, nginx, toShard(nginx, '{}'));
  await until(() => agent.session.assignment.shard(nginx) !== undefined);
  t.is(world.sessions.session(one)?.incarnation.session, number, 'the same stream');
  const end = readCertificate(agent.record.identity()?.certPem ?? '').notAfterMs;
  const recorded = world.cluster('one')?.status?.certificateExpirationTimestamp ?? '';
  t.true(Math.abs(Date.parse(recorded) - end) <= 1_000);
});

test('an agent that was off past its certificate’s end is back after one approval', async (t) => {
  const { world, agent, token } = await openMeshWithAgent(t);
  const uid = world.cluster('one')?.metadata.uid;
  const hash = world.cluster('one')?.status?.publicKeyHash;
  await letCertificateEnd(world, agent);
  await agent.stop();
  const again = await startAgent(t, {
    port: world.port,
    cluster: 'one',
    token,
    folder: agent.folder,
  });
  await until(() => again.complaints.some((line) => line.startsWith('waiting for approval')));
  t.like(world.cluster('one')?.status?.approval, {
    decision: 'Pending',
    reason: 'CertificateExpired',
    publicKeyHash: hash,
  });
  t.regex(conditionOf(world.cluster('one'))?.message ?? '', /its certificate ended at 20/);
  await decide(world, 'Approved');
  await until(() => again.session.isOpen());
  t.is(world.cluster('one')?.metadata.uid, uid);
  t.is(world.cluster('one')?.status?.publicKeyHash, hash);
});

test('of two keys that use one token at once, one is in and the other is told why', async (t) => {
  const world = await openMesh(t);
  const token = await world.makeToken();
  const ask = async (): Promise<string> => {
    const dialer = createGrpcDialer({
      coordinator: { host: '127.0.0.1', port: world.port },
      clock,
    });
    const { csrDer } = await createCsr({ commonName: 'one' });
    const request = { cluster: 'one', token, csrDer, agentVersion: '' };
    return dialer.join(request, world.ca.certPem, 20_000).then(
      ({ clusterUid }) => clusterUid,
      (error: unknown) => String(error),
    );
  };
  const outcomes = await Promise.all([ask(), ask(), ask(), ask()]);
  const uid = world.cluster('one')?.metadata.uid ?? 'none';
  t.is(outcomes.filter((outcome) => outcome === uid).length, 1, outcomes.join('\n'));
  t.is(outcomes.filter((outcome) => /TokenUsed.*another key/.test(outcome)).length, 3);
});

test('of two clusters that ask for one name at once, one is in and the other is told why', async (t) => {
  const world = await openMesh(t);
  const agents = await Promise.all(
    [1, 2].map(async () =>
      startAgent(t, { port: world.port, cluster: 'one', token: await world.makeToken() }),
    ),
  );
  const isIn = () => agents.filter(({ session }) => session.isOpen()).length === 1;
  const isTold = () => agents.some(({ complaints }) => complaints.join().includes('NameTaken'));
  await until(() => isIn() && isTold());
  t.is(world.sessions.session(one)?.incarnation.session, 1);
  const told = world.events.find(({ reason }) => reason === 'NameTaken');
  t.regex(told?.message ?? '', /has joined with another key/);
});

test('a copy of an agent’s folder that runs beside it is refused, and nothing flaps', async (t) => {
  const { world, agent } = await openMeshWithAgent(t);
  await agent.stop();
  const copy = mkdtempSync(join(tmpdir(), 'isthmus-copy-'));
  cpSync(agent.folder, copy, { recursive: true });
  const start = (folder: string) => startAgent(t, { port: world.port, cluster: 'one', folder });
  const first = await start(agent.folder);
  await until(() => first.session.isOpen());
  const session = world.sessions.session(one)?.incarnation.session;
  const second = await start(copy);
  await until(() => second.complaints.some((line) => line.includes('AlreadyConnected')));
  t.regex(second.complaints.join(), /one cluster has one agent. Stop one of the two/);
  t.true(first.session.isOpen());
  t.deepEqual(first.complaints, []);
  t.is(world.sessions.session(one)?.incarnation.session, session, 'the first was not disturbed');
  t.true(world.events.some(({ reason }) => reason === 'SecondAgent'));
  await first.stop();
  await second.stop();
  const third = await start(copy);
  await until(() => third.session.isOpen());
});

test('a join token that was deleted lets nobody in', async (t) => {
  const world = await openMesh(t);
  const token = await world.makeToken({ name: 'gone' });
  const key = [...world.desired.list('isthmus.dev/jointokens/' as never)].find(
    ({ object }) => object.metadata.name === 'gone',
  );
  if (key !== undefined) {
    await world.desired.write({ key: key.key, object: undefined, expected: key.revision });
  }
  const agent = await startAgent(t, { port: world.port, cluster: 'one', token });
  await until(() => agent.complaints.some((line) => line.includes('TokenUnknown')));
  t.regex(agent.complaints.join(), /it was revoked, has expired long since, or is of another/);
  t.is(world.cluster('one'), undefined);
});
