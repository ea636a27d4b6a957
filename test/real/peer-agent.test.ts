// A real agent whose member cluster is a real kube-apiserver: a federated Service arrives in it,
// stays as the federation says, and goes away.

import { join } from 'node:path';
import { systemClock } from '../../common/runtime/clock.ts';
import type { KubeObject } from '../../common/model/kube-object.ts';
import { makeJoinToken, waitForClusters } from '../../demo/federation-api.ts';
import { eventually } from '../support/eventually.ts';
import { findPeer } from '../support/find-peer.ts';
import { startKubeApiserver } from '../support/kube-apiserver.ts';
import { testWithPeers } from '../support/peers.ts';
import { testWith } from '../support/programs.ts';
import { openRealMesh } from '../support/real-mesh.ts';
import { startServerProcess } from '../support/server-process.ts';

const peers = ['etcd', 'kube-apiserver'];
const isThere = peers.every((name) => 'path' in findPeer(name));
const test = isThere ? testWith('kubectl', 'nats-server') : testWithPeers(...peers);
const federated = 'federation-cluster';

test('a Service of the federation lives in a real kube-apiserver as its agent says', async (t) => {
  t.timeout(150_000);
  const server = await startKubeApiserver();
  t.teardown(() => server.stop());
  const mesh = await openRealMesh({ clusters: 0 });
  t.teardown(() => mesh.close());
  const { token } = await makeJoinToken(mesh.kube(), 'real');
  const flags = {
    cluster: 'real',
    kubeconfig: server.kubeconfig,
    coordinator: mesh.at('mesh'),
    token,
    zone: 'z1',
    region: 'r1',
    'data-dir': join(mesh.layout.dir, 'real-agent'),
    'resolver-listen': '127.0.0.1:0',
    'admin-listen': '127.0.0.1:0',
  };
  const agent = startServerProcess({
    name: 'agent',
    path: process.execPath,
    flags: ['dist/agent/main.js', ...Object.entries(flags).flatMap(([k, v]) => [`--${k}`, v])],
  });
  t.teardown(() => agent.stop());
  const within = { clock: systemClock, withinMs: 60_000 };
  t.deepEqual(await waitForClusters(mesh.kube(), ['real'], within), [], agent.logs());

  const path = '/api/v1/namespaces/default/services/nginx';
  const read = async (): Promise<{ readonly status: number; readonly spec: Spec }> => {
    const { status, json } = await server.ask({ path });
    return { status, spec: ((json as KubeObject).spec ?? {}) as Spec };
  };
  const untilShard = (what: string, isSo: (shard: Awaited<ReturnType<typeof read>>) => boolean) =>
    eventually(20_000, async () => {
      const shard = await read();
      return isSo(shard) ? [] : [`not ${what}: ${JSON.stringify(shard)} ${agent.logs()}`];
    });
  await mesh.kubectl(federated, ['create', '-f', 'examples/services/nginx.yaml']);
  await untilShard('created', ({ status }) => status === 200);
  const { spec } = await read();
  t.is(spec.type, 'LoadBalancer');
  t.deepEqual(spec.selector, { run: 'nginx' });
  t.deepEqual(
    spec.ports?.map(({ name, port, targetPort }) => ({ name, port, targetPort })),
    [{ name: 'http', port: 80, targetPort: 80 }],
  );
  t.regex(spec.clusterIP ?? '', /^10\.96\./);

  const headers = { 'content-type': 'application/merge-patch+json' };
  const selector = { run: 'somebody-elses' };
  await server.ask({ method: 'PATCH', path, headers, body: { spec: { selector } } });
  await untilShard('put back', (shard) => shard.spec.selector?.['run'] === 'nginx');

  await mesh.kubectl(federated, ['label', 'svc', 'nginx', 'tier=web']);
  await eventually(20_000, async () => {
    const { json } = await server.ask({ path });
    const labels = (json as KubeObject).metadata.labels ?? {};
    return labels['tier'] === 'web' ? [] : [JSON.stringify(labels)];
  });
  t.is((await read()).spec.clusterIP, spec.clusterIP);

  await mesh.kubectl(federated, ['delete', 'svc', 'nginx', '--timeout=20s']);
  await untilShard('gone', ({ status }) => status === 404);
  t.deepEqual(mesh.crashes, []);
});

interface Spec {
  readonly type?: string;
  readonly clusterIP?: string;
  readonly selector?: Readonly<Record<string, string>>;
  readonly ports?: readonly {
    readonly name: string;
    readonly port: number;
    readonly targetPort: number;
  }[];
}
