// The agent's client of member clusters against a real kube-apiserver: each refusal has the code
// that decides whether the agent tries again, and a watch tells what really happens.

import type { ExecutionContext } from 'ava';
import { MeshError } from '../../common/pure/errors.ts';
import { systemChance } from '../../common/runtime/chance.ts';
import { systemClock } from '../../common/runtime/clock.ts';
import type { KubeClient } from '../../common/runtime/kube-client.ts';
import { connectKube } from '../../common/runtime/kube-http.ts';
import { loadKubeEndpoint } from '../../common/runtime/kubeconfig.ts';
import { eventually } from '../support/eventually.ts';
import { startKubeApiserver, type KubeApiserver } from '../support/kube-apiserver.ts';
import { kubernetesVersion, testWithPeers } from '../support/peers.ts';

const test = testWithPeers('etcd', 'kube-apiserver');
const services = { apiVersion: 'v1', plural: 'services', namespace: 'default' };

interface Wish {
  readonly port?: number;
  readonly selector?: string;
  readonly namespace?: string;
  readonly fieldManager?: string;
}

test('the agent tells a real kube-apiserver’s refusals apart', async (t) => {
  const { server, connect } = await open(t);
  const kube = await connect('admin');
  t.is(await kube.version(), kubernetesVersion('kube-apiserver'));
  await applied(kube, 'web');

  const codeOf = async (call: Promise<unknown>): Promise<string> => {
    const error: unknown = await t.throwsAsync(call);
    return error instanceof MeshError ? `${error.class} ${error.code}` : String(error);
  };
  t.is(
    await codeOf(applied(kube, 'web', { namespace: 'nowhere' })),
    'retryable KUBE_NAMESPACE_MISSING',
  );
  t.is(await codeOf(applied(kube, 'web', { port: 99_999 })), 'fatal KUBE_INVALID');
  const taken = applied(kube, 'web', { selector: 'x', fieldManager: 'other' });
  t.is(await codeOf(taken), 'conflict KUBE_CONFLICT');
  const stale = { metadata: { resourceVersion: '1', labels: { a: 'b' } } };
  t.is(await codeOf(kube.mergePatch(services, 'web', stale, 'isthmus')), 'conflict KUBE_CONFLICT');
  t.is(await codeOf(kube.mergePatch(services, 'no', {}, 'isthmus')), 'fatal KUBE_NOT_FOUND');
  const named = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'web' },
    spec: { ports: [{ port: 80 }] },
  };
  t.is(await codeOf(kube.create(services, named)), 'conflict KUBE_EXISTS');
  t.is(await codeOf(kube.delete(services, 'web', { uid: 'another' })), 'conflict KUBE_CONFLICT');
  const nobody = await connect('nobody');
  t.is(await codeOf(nobody.list(services)), 'fatal KUBE_FORBIDDEN');

  await makeTerminating(server, 'dying');
  t.is(
    await codeOf(applied(kube, 'web', { namespace: 'dying' })),
    'retryable KUBE_NAMESPACE_TERMINATING',
  );
  await makeFull(server, 'full');
  t.is(await codeOf(applied(kube, 'web', { namespace: 'full' })), 'retryable KUBE_QUOTA_EXCEEDED');
  await refuseByPolicy(server);
  // It takes a moment until the server has compiled the policy.
  await eventually(20_000, async () => {
    const error: unknown = await applied(kube, 'web', { port: 666 }).catch(
      (caught: unknown) => caught,
    );
    return error instanceof Error && /denied/.test(error.message) ? [] : [String(error)];
  });
  t.is(await codeOf(applied(kube, 'web', { port: 666 })), 'retryable KUBE_ADMISSION_REFUSED');
});

test('the agent’s watch of a real kube-apiserver tells each change once, in order', async (t) => {
  const { connect } = await open(t);
  const kube = await connect('admin');
  await applied(kube, 'before');
  const heard: string[] = [];
  const watch = kube.watch(services, {
    onList: (objects) => void heard.push(`list ${objects.map(({ metadata }) => metadata.name)}`),
    onEvent: (type, { metadata }) => void heard.push(`${type} ${metadata.name}`),
    onError: (error) => void heard.push(error.message),
  });
  t.teardown(() => watch.cancel());
  const untilHeard = (line: string) =>
    eventually(10_000, () => Promise.resolve(heard.includes(line) ? [] : [heard.join()]));
  await untilHeard('list before,kubernetes');
  await applied(kube, 'after');
  await applied(kube, 'after', { port: 81 });
  await applied(kube, 'after', { port: 81 }); // changes nothing
  t.true(await kube.delete(services, 'before', {}));
  t.false(await kube.delete(services, 'before', {}));
  await untilHeard('DELETED before');
  t.deepEqual(heard, ['list before,kubernetes', 'ADDED after', 'MODIFIED after', 'DELETED before']);
});

async function open(t: ExecutionContext): Promise<{
  readonly server: KubeApiserver;
  readonly connect: (user: string) => Promise<KubeClient>;
}> {
  t.timeout(120_000);
  const server = await startKubeApiserver();
  t.teardown(() => server.stop());
  const connect = async (user: string): Promise<KubeClient> => {
    const from = { kubeconfigPath: server.kubeconfigOf(user), context: undefined };
    const config = await loadKubeEndpoint(from, {});
    const kube = connectKube({ config, clock: systemClock, chance: systemChance });
    t.teardown(() => kube.close());
    return kube;
  };
  return { server, connect };
}

/** Server-side apply wants the name in the body too. */
function applied(kube: KubeClient, name: string, wish: Wish = {}): Promise<unknown> {
  const { port = 80, selector = 'web', namespace = 'default', fieldManager = 'isthmus' } = wish;
  const spec = { selector: { run: selector }, ports: [{ port }] };
  const object = { apiVersion: 'v1', kind: 'Service', metadata: { name }, spec };
  return kube.apply({ ...services, namespace }, name, object, { fieldManager, force: false });
}

/** Without controllers a deleted namespace stays as it is. */
async function makeTerminating(server: KubeApiserver, name: string): Promise<void> {
  await post(server, '/api/v1/namespaces', { metadata: { name } });
  await server.ask({ method: 'DELETE', path: `/api/v1/namespaces/${name}` });
}

/** A quota of no Services, counted by hand as the controller would. */
async function makeFull(server: KubeApiserver, name: string): Promise<void> {
  await post(server, '/api/v1/namespaces', { metadata: { name } });
  const quotas = `/api/v1/namespaces/${name}/resourcequotas`;
  const hard = { services: '0' };
  const quota = await post(server, quotas, { metadata: { name: 'none' }, spec: { hard } });
  const body = { ...(quota as object), status: { hard, used: hard } };
  await server.ask({ method: 'PUT', path: `${quotas}/none/status`, body });
}

async function refuseByPolicy(server: KubeApiserver): Promise<void> {
  const group = '/apis/admissionregistration.k8s.io/v1';
  const metadata = { name: 'no-666' };
  const rule = { apiGroups: [''], apiVersions: ['v1'], resources: ['services'] };
  await post(server, `${group}/validatingadmissionpolicies`, {
    metadata,
    spec: {
      matchConstraints: { resourceRules: [{ ...rule, operations: ['CREATE', 'UPDATE'] }] },
      validations: [{ expression: 'object.spec.ports.all(p, p.port != 666)' }],
    },
  });
  await post(server, `${group}/validatingadmissionpolicybindings`, {
    metadata,
    spec: { policyName: 'no-666', validationActions: ['Deny'] },
  });
}

async function post(server: KubeApiserver, path: string, body: object): Promise<unknown> {
  const { status, text, json } = await server.ask({ method: 'POST', path, body });
  if (status !== 201) throw new Error(`POST ${path}: ${status} ${text}`);
  return json;
}
