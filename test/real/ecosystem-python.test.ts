// Python's own Kubernetes client, from its package: what test/ecosystem/python/user.py does with it,
// step by step, at a real coordinator and at kube-apiserver. The lines below are kube-apiserver's.

import anyTest, { type ExecutionContext, type TestFn } from 'ava';
import { startKubeApiserver } from '../support/kube-apiserver.ts';
import { testWithPeers } from '../support/peers.ts';
import { testWith } from '../support/programs.ts';
import { findPythonClient } from '../support/python-client.ts';
import { openRealMesh } from '../support/real-mesh.ts';
import { runProgram } from '../support/run-program.ts';

const expected: readonly object[] = [
  { what: 'version', minor: '34' },
  { what: 'namespace', phase: 'Active' },
  { what: 'read', has_address: true, is_dated: true, target: 80, type: 'ClusterIP' },
  { what: 'again', refused: [409, 'AlreadyExists'] },
  { what: 'invalid', refused: [422, 'Invalid'] },
  { what: 'absent', refused: [404, 'NotFound'] },
  { what: 'dry run', afterwards: [404, 'NotFound'], name: 's-8' },
  { what: 'secret', data: { a: 'Yg==' } },
  { what: 'page', items: ['s-0', 's-1'], remaining: 3 },
  { what: 'page', items: ['s-2', 's-3'], remaining: 1 },
  { what: 'page', items: ['s-4'], remaining: null },
  { what: 'selected', names: ['s-0', 's-1', 's-2', 's-3', 's-4'] },
  { what: 'selected by field', names: ['s-3'] },
  { what: 'raw', kind: 'ServiceList' },
  {
    what: 'strategic merge patch',
    ports: [
      ['http', 80],
      ['https', 443],
    ],
  },
  { what: 'JSON patch', ports: [['only', 8080]] },
  { what: 'merge patch', labels: null },
  { what: 'failed test', refused: [422, 'Invalid'] },
  { what: 'replaced', has_port: true, type: 'NodePort' },
  { what: 'stale', refused: [409, 'Conflict'] },
  { what: 'status', name: 's-1' },
  {
    what: 'watched',
    events: [
      ['ADDED', '1'],
      ['MODIFIED', '2'],
      ['DELETED', '2'],
    ],
  },
  { what: 'watched what is there', names: ['s-0', 's-1', 's-2', 's-3', 's-4'] },
  { what: 'applied', data: { one: 'mine', shared: 'a' }, managers: [['one', 'Apply']] },
  { what: 'unchanged', same: true },
  { what: 'conflict', refused: [409, 'Conflict'] },
  { what: 'forced', data: { one: 'mine', shared: 'b', two: 'mine' } },
  { what: 'discovered', kind: 'Service', versions: ['v1'] },
  { what: 'discovered', kind: 'EndpointSlice', versions: ['discovery.k8s.io/v1'] },
  { what: 'discovered', kind: 'Lease', versions: ['coordination.k8s.io/v1'] },
  { what: 'discovered', kind: 'Event', versions: ['events.k8s.io/v1', 'v1'] },
  { what: 'discovered', kind: 'RoleBinding', versions: ['rbac.authorization.k8s.io/v1'] },
  { what: 'dynamic', listed: 1, spec: { holderIdentity: 'me', leaseDurationSeconds: 15 } },
  { what: 'dynamic watch', events: [['ADDED', 'held']] },
  { what: 'dynamic delete', left: 0 },
  { what: 'from YAML', kinds: ['V1ConfigMap', 'V1Role'] },
  { what: 'elected', holder: 'candidate', order: ['leads'] },
  { what: 'deleted', answer: 'V1Service' },
  { what: 'of another uid', refused: [409, 'Conflict'] },
  { what: 'left', names: ['s-0'] },
  { what: 'may', allowed: true },
  { what: 'done' },
];

const { python, missing } = findPythonClient();
const isThere = missing === undefined;
const testOurs = isThere ? testWith('kubectl', 'nats-server') : skip(missing);
const testReal = isThere ? testWithPeers('etcd', 'kube-apiserver') : skip(missing);

testOurs(
  '[k8s 130] Python creates, reads, pages, watches, patches, applies, elects and deletes',
  async (t) => {
    t.timeout(90_000);
    const mesh = await openRealMesh({ clusters: 0 });
    t.teardown(() => mesh.close());
    await runUser(t, mesh.layout.kubeconfig);
    t.deepEqual(mesh.crashes, []);
  },
);

testReal('Python sees the same of kube-apiserver', async (t) => {
  t.timeout(90_000);
  const server = await startKubeApiserver();
  t.teardown(() => server.stop());
  await runUser(t, server.kubeconfig);
});

async function runUser(t: ExecutionContext, kubeconfig: string): Promise<void> {
  const ran = await runProgram(python, ['test/ecosystem/python/user.py', kubeconfig], { env: {} });
  const lines = ran.output.split('\n').filter((line) => line.startsWith('{'));
  t.deepEqual(
    lines.map((line) => JSON.parse(line) as object),
    expected,
    ran.errors,
  );
  t.is(ran.code, 0);
}

function skip(reason: string): TestFn {
  const instead = (title: string) =>
    anyTest.skip(`${title} [missing Python client: ${reason}]`, (t) => t.pass());
  return instead as unknown as TestFn;
}
