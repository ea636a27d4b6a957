// A Service that a real cluster has already, from the warning of kubectl to the shape that it gets
// back.

import { makeJoinToken, waitForClusters } from '../../demo/federation-api.ts';
import type { Service } from '../../common/model/kube-object.ts';
import { systemClock } from '../../common/runtime/clock.ts';
import { eventually } from '../support/eventually.ts';
import { findPeer } from '../support/find-peer.ts';
import { startKubeApiserver } from '../support/kube-apiserver.ts';
import { startPeerAgent } from '../support/peer-agent.ts';
import { testWithPeers } from '../support/peers.ts';
import { testWith } from '../support/programs.ts';
import { openRealMesh } from '../support/real-mesh.ts';

const peers = ['etcd', 'kube-apiserver'];
const isThere = peers.every((name) => 'path' in findPeer(name));
const test = isThere ? testWith('kubectl', 'nats-server') : testWithPeers(...peers);
const federated = 'federation-cluster';
const services = '/api/v1/namespaces/default/services';

test('kubectl warns before a Service is adopted, shows that it was, and gives it back by an orphaning delete', async (t) => {
  t.timeout(180_000);
  const server = await startKubeApiserver();
  t.teardown(() => server.stop());
  const mesh = await openRealMesh({ clusters: 0 });
  t.teardown(() => mesh.close());
  const read = async (name: string): Promise<Service> =>
    (await server.ask({ path: `${services}/${name}` })).json as Service;
  const spec = { type: 'NodePort', selector: { app: 'old' } };
  for (const [name, ports] of [
    ['nginx', [{ port: 8080, nodePort: 30_777 }]],
    ['kept', [{ port: 1 }]],
  ] as const) {
    const body = { metadata: { name, labels: { team: 'web' } }, spec: { ...spec, ports } };
    await server.ask({ method: 'POST', path: services, body });
  }
  const before = { nginx: await read('nginx'), kept: await read('kept') };
  const { token } = await makeJoinToken(mesh.kube(), 'real');
  const agent = startPeerAgent(server, mesh, 'agent', token);
  t.teardown(() => agent.stop());
  const within = { clock: systemClock, withinMs: 60_000 };
  t.deepEqual(await waitForClusters(mesh.kube(), ['real'], within), [], agent.logs());

  const warning =
    /Warning: a Service default\/nginx is there already in .*real: it will be adopted/;
  await eventually(20_000, async () => {
    const file = 'examples/services/nginx.yaml';
    const tried = await mesh.tryKubectl(['create', '-f', file, '--dry-run=server']);
    return warning.test(tried.errors) ? [] : [tried.errors];
  });
  const created = await mesh.tryKubectl(['create', '-f', 'examples/services/nginx.yaml']);
  t.regex(created.errors, warning);
  await mesh.kubectl(federated, [
    'wait',
    'serviceshard/nginx.real',
    '--for=condition=Adopted',
    '--timeout=30s',
  ]);
  const adopted = await read('nginx');
  t.is(adopted.spec.type, 'LoadBalancer');
  t.is(adopted.spec.clusterIP, before.nginx.spec.clusterIP);
  t.regex(await mesh.kubectl(federated, ['describe', 'svc', 'nginx']), /ShardAdopted/);

  await mesh.kubectl(federated, ['delete', 'svc', 'nginx', '--cascade=orphan', '--timeout=20s']);
  await eventually(20_000, async () => {
    const { spec: after, metadata } = await read('nginx');
    const isBack = JSON.stringify(after) === JSON.stringify(before.nginx.spec);
    return isBack && metadata.annotations === undefined
      ? []
      : [JSON.stringify({ after, metadata })];
  });

  const policy = {
    apiVersion: 'isthmus.dev/v1alpha1',
    kind: 'ServicePolicy',
    metadata: { name: 'kept' },
    spec: { serviceName: 'kept', adoption: 'never' },
  };
  await mesh.kubectl(federated, ['apply', '-f', '-'], JSON.stringify(policy));
  const careful = await mesh.tryKubectl(['create', 'service', 'clusterip', 'kept', '--tcp=1']);
  t.regex(careful.errors, /Warning: a Service default\/kept is there already .*left alone/);
  await eventually(20_000, async () => {
    const text = await mesh.kubectl(federated, ['get', 'serviceshards', '-o', 'wide']);
    return /ServiceExists/.test(text) ? [] : [text];
  });
  t.deepEqual((await read('kept')).metadata.resourceVersion, before.kept.metadata.resourceVersion);
  t.deepEqual(mesh.crashes, []);
});
