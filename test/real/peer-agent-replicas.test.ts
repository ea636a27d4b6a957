// Two replicas of an agent in a real kube-apiserver, installed by Helm, with the rights that the
// chart gives and no more: they are one agent, and stay so through every loss.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { systemClock } from '../../common/runtime/clock.ts';
import { askDns } from '../../demo/guide/dns-udp.ts';
import { toAnswer } from '../../demo/guide/expected-dns.ts';
import { makeJoinToken, waitForClusters } from '../../demo/federation-api.ts';
import { takeTestPort } from '../support/test-ports.ts';
import {
  heldBy,
  leasePath,
  nginxPath,
  openChartedCluster,
  repairs,
  type ChartedCluster,
  type ReplicaProcess,
} from '../support/charted-cluster.ts';
import { chartNamespace } from '../support/chart.ts';
import { eventually } from '../support/eventually.ts';
import { findPeer, peerPath } from '../support/find-peer.ts';
import { testWithPeers } from '../support/peers.ts';
import { testWith } from '../support/programs.ts';
import { openRealMesh, type RealMesh } from '../support/real-mesh.ts';
import { startServerProcess } from '../support/server-process.ts';

const peers = ['etcd', 'kube-apiserver', 'helm', 'coredns'];
const isThere = peers.every((name) => 'path' in findPeer(name));
const test = isThere ? testWith('kubectl', 'nats-server') : testWithPeers(...peers);
const federated = 'federation-cluster';
const within = { clock: systemClock, withinMs: 60_000 };

test('I12: two replicas are one agent, through hand-over, crash, new nodes and a dead coordinator', async (t) => {
  t.timeout(170_000);
  const mesh = await openRealMesh({ clusters: 1 });
  t.teardown(() => mesh.close());
  const { token } = await makeJoinToken(mesh.kube(), 'real');
  const cluster = await openChartedCluster([
    'cluster.name=real',
    `coordinator.address=${mesh.at('mesh')}`,
    `join.token=${token}`,
    'cluster.region=r1',
  ]);
  t.teardown(() => cluster.close());
  const first = await cluster.startReplica({ disk: 'd1', pod: 'p1' });
  const second = await cluster.startReplica({ disk: 'd2', pod: 'p2' });
  t.deepEqual(await waitForClusters(mesh.kube(), ['real'], within), [], first.log());
  await mesh.createNginx();
  await mesh.kubectl(federated, ['create', '-f', 'test/support/shop-service.yaml']);
  await eventually(20_000, () => missing(cluster, nginxPath, first));
  await eventually(20_000, () => missing(cluster, shopPath, first));
  const far = toAnswer(await askDns(mesh.at('dns'), publicName, systemClock));
  t.regex(far, /^A 127\./);
  // Both answer pods, with the shard of the other cluster while theirs has no ready endpoint.
  await eventually(20_000, () => answers([first, second], far));
  t.regex(await second.ready(), /\[\+\]record ok/);
  await answersThroughCoreDns(t, { cluster, resolver: second.resolver, far });

  await t.notThrowsAsync(handOver(t, { mesh, cluster, first, second, far }));
});

test('I13: with Roles in one namespace an agent lives there, and asks for nothing else', async (t) => {
  t.timeout(150_000);
  const mesh = await openRealMesh({ clusters: 0 });
  t.teardown(() => mesh.close());
  const { token } = await makeJoinToken(mesh.kube(), 'real');
  const values = [
    'cluster.name=real,cluster.zone=z1,cluster.region=r1',
    `coordinator.address=${mesh.at('mesh')}`,
    `join.token=${token}`,
    'rbac.scope=namespaces,rbac.readNodes=false,guard.allowedNamespaces={shop}',
  ];
  const cluster = await openChartedCluster(values, ['shop']);
  t.teardown(() => cluster.close());
  const only = await cluster.startReplica({ disk: 'd1', pod: 'p1' });
  t.deepEqual(await waitForClusters(mesh.kube(), ['real'], within), [], only.log());
  await mesh.kubectl(federated, ['create', '-f', 'examples/services/nginx.yaml']);
  await mesh.kubectl(federated, ['create', '-f', 'test/support/shop-service.yaml']);
  await eventually(20_000, () => missing(cluster, shopPath, only));
  await eventually(20_000, async () => {
    const shards = await mesh.kubectl(federated, ['get', 'serviceshards', '-o', 'yaml']);
    return shards.includes('LocalGuard') ? [] : [shards];
  });
  t.is((await cluster.server.ask({ path: nginxPath })).status, 404);
  const refused = cluster.asked().filter(({ code }) => code === 403 || code === 401);
  t.deepEqual(refused, []);
  for (const path of ['/api/v1/services', '/api/v1/nodes', '/api/v1/namespaces/default/services']) {
    const { status } = await cluster.server.ask({ path, token: cluster.token });
    t.is(status, 403, path);
  }
});

const publicName = 'nginx.default.myfederation.svc.example.com';
const shopPath = '/api/v1/namespaces/shop/services/till';

interface Replicas {
  readonly mesh: RealMesh;
  readonly cluster: ChartedCluster;
  readonly first: ReplicaProcess;
  readonly second: ReplicaProcess;
  readonly far: string;
}

async function handOver(t: ExecutionContext, of: Replicas): Promise<void> {
  const { mesh, cluster, first, second, far } = of;
  t.regex(await cluster.holder(), /-p1_/);
  // A release is seen at once.
  const askedMs = systemClock.monotonicMs();
  await first.part.end(10_000);
  await eventually(5_000, () => heldBy(cluster, 'p2'));
  await repairs(cluster, second);
  t.true(systemClock.monotonicMs() - askedMs < 12_000);
  t.deepEqual(await waitForClusters(mesh.kube(), ['real'], within), []);

  // A new Pod on another node learns everything from the leading one, without the coordinator.
  await mesh.kill('coordinator');
  const third = await cluster.startReplica({ disk: 'd3', pod: 'p3' });
  await eventually(20_000, () => answers([second, third], far));
  await eventually(10_000, async () =>
    (await third.ready()).includes('[+]record ok') ? [] : [third.log()],
  );
  // The container of the leading one crashes and starts again in its Pod.
  second.part.signal('SIGKILL');
  await second.part.gone();
  await eventually(5_000, () => answers([third], far));
  const again = await cluster.startReplica({ disk: 'd2', pod: 'p2' });
  await eventually(10_000, () => heldBy(cluster, 'p2'));
  await repairs(cluster, again);
  // It goes, and the one that was never told anything by a coordinator goes on.
  await eventually(10_000, () => follows(third));
  await again.part.end(10_000);
  await eventually(5_000, () => heldBy(cluster, 'p3'));
  await repairs(cluster, third);
  t.deepEqual(await answers([third], far), []);

  // Somebody deletes the Lease; the holder makes it again and goes on.
  await cluster.server.ask({ method: 'DELETE', path: leasePath });
  await eventually(15_000, () => heldBy(cluster, 'p3'));

  await mesh.start('coordinator');
  await eventually(30_000, async () =>
    (await waitForClusters(mesh.kube(), ['real'], within)).length === 0 ? [] : [third.log()],
  );
  await mesh.kubectl(federated, ['delete', 'svc', 'nginx', '--timeout=20s']);
  await eventually(20_000, async () =>
    (await cluster.server.ask({ path: nginxPath })).status === 404 ? [] : ['nginx is there'],
  );
  await mesh.kubectl(federated, [
    'delete',
    'svc',
    'till',
    '-n',
    'shop',
    '--cascade=orphan',
    '--timeout=20s',
  ]);
  t.is((await cluster.server.ask({ path: shopPath })).status, 200);
  await leastRights(t, cluster);
}

/** Every right that the chart gives was used, and none was missing. */
async function leastRights(t: ExecutionContext, cluster: ChartedCluster): Promise<void> {
  const asked = cluster.asked();
  t.deepEqual(
    asked.filter(({ code }) => code === 403 || code === 401),
    [],
  );
  const used = new Set(asked.map(({ verb, group, resource }) => `${verb} ${group}/${resource}`));
  const given = await readRights(cluster);
  // A server-side apply that makes an object is one PATCH, and needs both rights.
  if (used.has('patch /services')) used.add('create /services');
  t.deepEqual(
    given.filter((right) => !used.has(right)),
    [],
    'rights that nobody needs',
  );
  const refused = [
    ['GET', '/api/v1/secrets'],
    ['GET', `/api/v1/namespaces/${chartNamespace}/secrets/isthmus-agent-join`],
    ['GET', `/api/v1/namespaces/${chartNamespace}/secrets`],
    ['GET', '/api/v1/pods'],
    ['GET', '/api/v1/configmaps'],
    ['GET', '/api/v1/namespaces'],
    ['DELETE', '/api/v1/namespaces/shop'],
    ['DELETE', leasePath],
    ['DELETE', '/api/v1/nodes/n1'],
    ['DELETE', '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/kubernetes'],
    ['GET', '/apis/rbac.authorization.k8s.io/v1/clusterroles'],
  ] as const;
  for (const [method, path] of refused) {
    const { status } = await cluster.server.ask({ method, path, token: cluster.token });
    t.is(status, 403, `${method} ${path}`);
  }
}

async function readRights(cluster: ChartedCluster): Promise<readonly string[]> {
  const root = '/apis/rbac.authorization.k8s.io/v1';
  const paths = [
    `${root}/clusterroles/${chartNamespace}:isthmus-agent`,
    `${root}/namespaces/${chartNamespace}/roles/isthmus-agent-replicas`,
  ];
  const roles = await Promise.all(paths.map((path) => cluster.server.ask({ path })));
  return roles.flatMap(({ json }) =>
    (json as { readonly rules: readonly Rule[] }).rules.flatMap(({ apiGroups, resources, verbs }) =>
      verbs.map((verb) => `${verb} ${apiGroups[0] ?? ''}/${resources[0] ?? ''}`),
    ),
  );
}

interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
}

async function missing(
  cluster: ChartedCluster,
  path: string,
  replica: ReplicaProcess,
): Promise<readonly string[]> {
  const { status } = await cluster.server.ask({ path });
  return status === 200 ? [] : [`${path}: ${status} ${replica.log().slice(-2_000)}`];
}

async function answers(replicas: readonly ReplicaProcess[], wanted: string) {
  const name = 'nginx.default.myfederation';
  const found = await Promise.all(
    replicas.map(async ({ resolver }) => toAnswer(await askDns(resolver, name, systemClock))),
  );
  return found.flatMap((answer, at) =>
    answer === wanted ? [] : [`replica ${at + 1}: ${answer} ${replicas[at]?.log().slice(-1_000)}`],
  );
}

/** With the lines that the notes print, CoreDNS asks the agent. */
async function answersThroughCoreDns(
  t: ExecutionContext,
  of: { readonly cluster: ChartedCluster; readonly resolver: string; readonly far: string },
): Promise<void> {
  const [printed = ''] = /^ +myfederation:53 [^]*?^ {5}\}$/m.exec(of.cluster.notes) ?? [];
  const port = await takeTestPort();
  const corefile = printed.replaceAll(':53 ', `:${port} `).replace('RESOLVER_IP', of.resolver);
  t.regex(corefile, /forward \. 127\.0\.0\.1:/);
  const folder = mkdtempSync(join(tmpdir(), 'isthmus-coredns-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, 'Corefile'), corefile);
  const flags = ['-conf', join(folder, 'Corefile')];
  const coredns = startServerProcess({ name: 'coredns', path: peerPath('coredns'), flags });
  t.teardown(() => coredns.stop());
  for (const name of [
    'nginx.default.myfederation',
    'nginx.default.myfederation.svc.cluster.local',
  ]) {
    await eventually(20_000, async () => {
      const answer = toAnswer(await askDns(`127.0.0.1:${port}`, name, systemClock));
      return answer === of.far ? [] : [`${name}: ${answer} ${coredns.logs()}`];
    });
  }
}

function follows(replica: ReplicaProcess): Promise<readonly string[]> {
  const log = replica.log();
  const followed = log.lastIndexOf('this replica follows the leading one');
  const lost = log.lastIndexOf('no longer heard');
  return Promise.resolve(followed > lost ? [] : ['it does not follow']);
}
