// The real kube-apiserver that other tests compare with: it starts, works and leaves nothing.

import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { eventually } from '../support/eventually.ts';
import { startKubeApiserver } from '../support/kube-apiserver.ts';
import { peerPath } from '../support/find-peer.ts';
import { testWithPeers } from '../support/peers.ts';
import { runProgram } from '../support/run-program.ts';

const test = testWithPeers('etcd', 'kube-apiserver', 'kubectl');
const testWithControllers = testWithPeers('etcd', 'kube-apiserver', 'kube-controller-manager');

test('a real kube-apiserver 1.34 creates a Service, gives it an address, and is gone after', async (t) => {
  const server = await startKubeApiserver();
  t.teardown(() => server.stop());
  const kubectl = async (user: string, ...args: readonly string[]) =>
    runProgram(peerPath('kubectl'), args, { env: { KUBECONFIG: server.kubeconfigOf(user) } });
  const version = await kubectl('admin', 'version', '-o', 'json');
  t.regex(version.output, /"serverVersion": \{[^}]*"gitVersion": "v1\.34\.4"/);
  const created = await kubectl('admin', 'create', 'service', 'clusterip', 'web', '--tcp=80:8080');
  t.is(created.output, 'service/web created\n', created.errors);
  const path = '{.spec.clusterIP} {.spec.ports[0].targetPort}';
  const read = await kubectl('admin', 'get', 'svc', 'web', '-o', `jsonpath=${path}`);
  t.regex(read.output, /^10\.96\.\d+\.\d+ 8080$/);
  const refused = await kubectl('jane', 'get', 'svc');
  t.regex(refused.errors, /User "jane" cannot list resource "services"/);
  await server.stop();
  t.false(existsSync(dirname(server.kubeconfig)));
  t.is((await kubectlAfter(server.url)).code, 1);
});

function kubectlAfter(url: string): Promise<{ readonly code: number }> {
  const args = ['get', '--raw', '/readyz', `--server=${url}`, '--insecure-skip-tls-verify'];
  return runProgram(peerPath('kubectl'), args, { env: { KUBECONFIG: '/dev/null' } });
}

testWithControllers(
  'with controllers a deleted namespace goes away with its contents',
  async (t) => {
    const server = await startKubeApiserver({
      isWithControllers: true,
      serviceRange: '10.50.0.0/24',
    });
    t.teardown(() => server.stop());
    const ask = async (method: string, path: string, body?: object): Promise<number> =>
      (await server.ask({ method, path, ...(body === undefined ? {} : { body }) })).status;
    const metadata = { name: 'shop' };
    t.is(await ask('POST', '/api/v1/namespaces', { metadata }), 201);
    t.is(await ask('POST', '/api/v1/namespaces/shop/configmaps', { metadata }), 201);
    t.is(await ask('DELETE', '/api/v1/namespaces/shop'), 200);
    await eventually(30_000, async () => {
      const status = await ask('GET', '/api/v1/namespaces/shop');
      return status === 404 ? [] : [`the namespace answers ${status}`];
    });
  },
);
