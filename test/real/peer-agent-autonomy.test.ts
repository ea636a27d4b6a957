// A real agent in a real kube-apiserver, and no coordinator: it goes on from its folder, and on a
// new node, with an empty one, from the shards themselves. And a refused shard says why at the
// federation.

import { systemClock } from '../../common/runtime/clock.ts';
import type { ServiceShard } from '../../common/model/isthmus-kinds.ts';
import type { Service } from '../../common/model/kube-object.ts';
import { makeJoinToken, waitForClusters } from '../../demo/federation-api.ts';
import { eventually } from '../support/eventually.ts';
import { findPeer } from '../support/find-peer.ts';
import { startKubeApiserver, type KubeApiserver } from '../support/kube-apiserver.ts';
import { testWithPeers } from '../support/peers.ts';
import { testWith } from '../support/programs.ts';
import { openRealMesh } from '../support/real-mesh.ts';
import { startPeerAgent } from '../support/peer-agent.ts';
import type { ServerProcess } from '../support/server-process.ts';

const peers = ['etcd', 'kube-apiserver'];
const isThere = peers.every((name) => 'path' in findPeer(name));
const test = isThere ? testWith('kubectl', 'nats-server') : testWithPeers(...peers);
const federated = 'federation-cluster';
const nginx = '/api/v1/namespaces/default/services/nginx';
const patch = { 'content-type': 'application/merge-patch+json' };

async function read(server: KubeApiserver): Promise<Service | undefined> {
  const { status, json } = await server.ask({ path: nginx });
  return status === 200 ? (json as Service) : undefined;
}

/** Somebody's edit, and how long the agent took to put it right. */
async function repairMs(server: KubeApiserver, agent: ServerProcess, app: string): Promise<number> {
  const body = { spec: { selector: { run: app } } };
  await server.ask({ method: 'PATCH', path: nginx, headers: patch, body });
  const startMs = systemClock.monotonicMs();
  await eventually(20_000, async () => {
    const run = (await read(server))?.spec.selector?.['run'];
    return run === 'nginx' ? [] : [`selector run=${run}: ${agent.logs()}`];
  });
  return systemClock.monotonicMs() - startMs;
}

test('without its coordinator an agent goes on, also on a new node with an empty folder', async (t) => {
  t.timeout(180_000);
  const server = await startKubeApiserver();
  t.teardown(() => server.stop());
  const mesh = await openRealMesh({ clusters: 0 });
  t.teardown(() => mesh.close());
  const { token } = await makeJoinToken(mesh.kube(), 'real');
  const first = startPeerAgent(server, mesh, 'node-1', token);
  t.teardown(() => first.stop());
  const within = { clock: systemClock, withinMs: 60_000 };
  t.deepEqual(await waitForClusters(mesh.kube(), ['real'], within), [], first.logs());
  await mesh.kubectl(federated, ['create', '-f', 'examples/services/nginx.yaml']);
  await eventually(20_000, async () => ((await read(server)) === undefined ? ['no shard'] : []));
  const before = await read(server);

  await mesh.kill('coordinator');
  t.true((await repairMs(server, first, 'one')) < 1_500);
  await first.stop();
  const second = startPeerAgent(server, mesh, 'node-2');
  t.teardown(() => second.stop());
  t.true((await repairMs(server, second, 'two')) < 15_000); // its start included
  t.true((await repairMs(server, second, 'three')) < 1_500);
  await server.ask({ method: 'DELETE', path: nginx });
  await eventually(20_000, async () =>
    (await read(server)) === undefined ? ['not made anew'] : [],
  );
  const hash = (service: Service | undefined) =>
    service?.metadata.annotations?.['isthmus.dev/shard-hash'];
  t.is(hash(await read(server)), hash(before));
  await second.stop();

  // The first one returns with its folder, and finds all as the coordinator wants it.
  await mesh.start('coordinator');
  const third = startPeerAgent(server, mesh, 'node-1');
  t.teardown(() => third.stop());
  await eventually(60_000, async () => {
    const text = await mesh.kubectl(federated, ['get', 'serviceshard', 'nginx.real', '-o', 'json']);
    const { status } = JSON.parse(text) as ServiceShard;
    const applied = status.conditions?.find(({ type }) => type === 'Applied');
    return applied?.status === 'True' ? [] : [JSON.stringify(status), third.logs()];
  });
  t.deepEqual(mesh.crashes, []);
});

test('a shard that its cluster refuses says why in kubectl, and others are not held up', async (t) => {
  t.timeout(180_000);
  const server = await startKubeApiserver();
  t.teardown(() => server.stop());
  const mesh = await openRealMesh({ clusters: 0 });
  t.teardown(() => mesh.close());
  const post = async (path: string, body: object): Promise<object> => {
    const { status, text, json } = await server.ask({ method: 'POST', path, body });
    if (status !== 201) throw new Error(`POST ${path}: ${status} ${text}`);
    return json as object;
  };
  const quotas = '/api/v1/namespaces/default/resourcequotas';
  const hard = { 'services.loadbalancers': '0' };
  const quota = await post(quotas, { metadata: { name: 'no-balancers' }, spec: { hard } });
  const counted = { ...quota, status: { hard, used: hard } };
  await server.ask({ method: 'PUT', path: `${quotas}/no-balancers/status`, body: counted });
  const { token } = await makeJoinToken(mesh.kube(), 'real');
  const agent = startPeerAgent(server, mesh, 'node-1', token);
  t.teardown(() => agent.stop());
  const within = { clock: systemClock, withinMs: 60_000 };
  t.deepEqual(await waitForClusters(mesh.kube(), ['real'], within), [], agent.logs());
  await mesh.kubectl(federated, ['create', '-f', 'examples/services/nginx.yaml']);
  await mesh.kubectl(federated, ['create', 'service', 'clusterip', 'plain', '--tcp=80']);

  const untilShown = (args: readonly string[], pattern: RegExp) =>
    eventually(30_000, async () => {
      const text = await mesh.kubectl(federated, args);
      return pattern.test(text) ? [] : [text];
    });
  await untilShown(['get', 'serviceshards', 'nginx.real', '-o', 'wide'], /QuotaExceeded/);
  await untilShown(['describe', 'serviceshard', 'nginx.real'], /exceeded quota: no-balancers/);
  await untilShown(['describe', 'service', 'nginx'], /ShardFailed.*real: QuotaExceeded/);
  await mesh.kubectl(federated, [
    'wait',
    'serviceshard/plain.real',
    '--for=condition=Applied',
    '--timeout=20s',
  ]);
  await server.ask({ method: 'DELETE', path: `${quotas}/no-balancers` });
  await mesh.kubectl(federated, [
    'wait',
    'serviceshard/nginx.real',
    '--for=condition=Applied',
    '--timeout=30s',
  ]);
  await t.throwsAsync(
    mesh.kubectl(federated, [
      'create',
      'service',
      'clusterip',
      'x',
      '--tcp=80',
      '-n',
      'kube-system',
    ]),
    { message: /kube-system\/x is every cluster's own/ },
  );
});
