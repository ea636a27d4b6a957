// What a real kube-apiserver refuses of a shard: each refusal has its own reason and says the way
// out, ends when its cause does, and holds up no other Service.

import { createServer, type AddressInfo, type Socket } from 'node:net';
import type { ExecutionContext } from 'ava';
import { toServiceKey, type ServiceKey } from '../../common/model/ids.ts';
import { systemClock } from '../../common/runtime/clock.ts';
import { startKubeApiserver, type KubeApiserver } from '../support/kube-apiserver.ts';
import { testWithPeers } from '../support/peers.ts';
import { openRealShardWorld, toManifest } from '../support/real-shard-world.ts';
import { eventually } from '../support/eventually.ts';

const test = testWithPeers('etcd', 'kube-apiserver');
const keyOf = (name: string, namespace = 'default'): ServiceKey =>
  toServiceKey({ namespace, name });
const plain = { type: 'ClusterIP', ports: [{ port: 80 }], selector: { app: 'web' } } as const;
const quotas = '/api/v1/namespaces/full/resourcequotas';
const admission = '/apis/admissionregistration.k8s.io/v1';
const hooks = `${admission}/validatingwebhookconfigurations`;

async function start(
  t: ExecutionContext,
  options: Parameters<typeof startKubeApiserver>[0] = {},
): Promise<KubeApiserver> {
  t.timeout(180_000);
  const server = await startKubeApiserver(options);
  t.teardown(() => server.stop());
  return server;
}

test('each refusal of the cluster has its own reason, ends with its cause, and blocks nobody else', async (t) => {
  const server = await start(t);
  const world = await openRealShardWorld(t, server);
  const { assignment, untilTold, create } = world;

  await makeFull(server, create);
  assignment.wish(toManifest('web', plain, { namespace: 'full' }));

  await create('/api/v1/namespaces', { metadata: { name: 'dying' } });
  await server.ask({ method: 'DELETE', path: '/api/v1/namespaces/dying' });
  assignment.wish(toManifest('web', plain, { namespace: 'dying' }));

  await refuseLabel(server, world.create);
  assignment.wish(toManifest('denied', plain, { labels: { denied: 'yes' } }));
  assignment.wish(toManifest('future', { ...plain, futureField: 'x' }));
  assignment.wish(toManifest('value', { ...plain, trafficDistribution: 'PreferTheMoon' }));
  assignment.wish(toManifest('invalid', { ...plain, ports: [{ port: 99_999 }] }));
  const nodePort = { ...plain, type: 'NodePort', ports: [{ port: 80, nodePort: 30_555 }] } as const;
  await create('/api/v1/namespaces/default/services', {
    metadata: { name: 'first' },
    spec: nodePort,
  });
  assignment.wish(toManifest('second', nodePort));
  await create('/api/v1/namespaces/default/services', {
    metadata: { name: 'headful' },
    spec: plain,
  });
  assignment.wish(toManifest('headful', { ...plain, clusterIP: 'None' }));
  await create('/api/v1/namespaces/default/services', {
    metadata: {
      name: 'held',
      ownerReferences: [
        { apiVersion: 'gw/v1', kind: 'Gateway', name: 'edge', uid: 'x', controller: true },
      ],
    },
    spec: plain,
  });
  assignment.wish(toManifest('held', plain));
  assignment.wish(toManifest('fine', plain));

  const texts: readonly (readonly [ServiceKey, string, RegExp])[] = [
    [keyOf('fine'), 'Applied', /./],
    [keyOf('web', 'full'), 'QuotaExceeded', /exceeded quota: none/],
    [keyOf('web', 'dying'), 'NamespaceTerminating', /being terminated/],
    [keyOf('denied'), 'AdmissionRefused', /not with that label/],
    [keyOf('future'), 'UnsupportedField', /\.spec\.futureField.*override/],
    [keyOf('value'), 'UnsupportedField', /trafficDistribution.*PreferTheMoon/],
    [keyOf('invalid'), 'Invalid', /spec\.ports\[0\]\.port/],
    [keyOf('second'), 'NodePortTaken', /30555/],
    [keyOf('headful'), 'ImmutableField', /clusterIPs.*kubectl delete service -n default headful/],
    [keyOf('held'), 'NameHeldByController', /Gateway edge/],
  ];
  for (const [key, reason, text] of texts)
    t.regex((await untilTold(key, reason)).message, text, key);

  // What the cluster's people put right is taken up without another word.
  await server.ask({ method: 'DELETE', path: `${quotas}/none` });
  for (const name of ['first', 'headful', 'held']) {
    await server.ask({ method: 'DELETE', path: `/api/v1/namespaces/default/services/${name}` });
  }
  await server.ask({ method: 'DELETE', path: `${admission}/validatingadmissionpolicies/labels` });
  for (const key of [keyOf('web', 'full'), keyOf('second'), keyOf('held'), keyOf('denied')]) {
    await untilTold(key, 'Applied');
  }
  await untilTold(keyOf('headful'), 'Applied');
  t.is((await world.read(keyOf('headful')))?.spec.clusterIP, 'None');
});

test('a missing namespace is made, or its lack is told by an agent that may not make it', async (t) => {
  const server = await start(t, { users: [{ name: 'agent', groups: ['agents'] }] });
  const admin = await openRealShardWorld(t, server);
  admin.assignment.wish(toManifest('web', plain, { namespace: 'made' }));
  await admin.untilTold(keyOf('web', 'made'), 'Applied');
  admin.assignment.giveUp(keyOf('web', 'made'), 'delete');
  await admin.untilTold(keyOf('web', 'made'), 'Removed');
  t.is((await server.ask({ path: '/api/v1/namespaces/made' })).status, 200, 'never deleted');

  await admin.create('/apis/rbac.authorization.k8s.io/v1/clusterroles', {
    metadata: { name: 'agent' },
    rules: [{ apiGroups: [''], resources: ['services'], verbs: ['*'] }],
  });
  await admin.create('/apis/rbac.authorization.k8s.io/v1/clusterrolebindings', {
    metadata: { name: 'agent' },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'agent' },
    subjects: [{ kind: 'Group', name: 'agents' }],
  });
  await eventually(20_000, async () => {
    const token = server.tokenOf('agent');
    const { status } = await server.ask({ path: '/api/v1/services', token });
    return status === 200 ? [] : [String(status)];
  });
  const modest = await openRealShardWorld(t, server, { user: 'agent' });
  modest.assignment.wish(toManifest('web', plain, { namespace: 'absent' }));
  const told = await modest.untilTold(keyOf('web', 'absent'), 'NamespaceMissing');
  t.regex(told.message, /kubectl create namespace absent/);
  await admin.create('/api/v1/namespaces', { metadata: { name: 'absent' } });
  await modest.untilTold(keyOf('web', 'absent'), 'Applied');
});

test('a webhook that is away refuses its namespace only, and what it covers comes when it is back', async (t) => {
  const server = await start(t);
  const world = await openRealShardWorld(t, server);
  await world.create('/api/v1/namespaces', { metadata: { name: 'hooked', labels: { hook: 'y' } } });
  await hook(world.create, 'https://127.0.0.1:1/none', 1);
  const probe = { metadata: { name: 'probe' }, spec: plain };
  const path = '/api/v1/namespaces/hooked/services?dryRun=All';
  await eventually(20_000, async () => {
    const { status } = await server.ask({ method: 'POST', path, body: probe });
    return status === 500 ? [] : [`not yet: ${status}`];
  });
  world.assignment.wish(toManifest('web', plain, { namespace: 'hooked' }));
  world.assignment.wish(toManifest('web', plain));
  t.regex(
    (await world.untilTold(keyOf('web', 'hooked'), 'WebhookUnavailable')).message,
    /hook\.example\.com/,
  );
  await world.untilTold(keyOf('web'), 'Applied');
  await server.ask({ method: 'DELETE', path: `${hooks}/hook` });
  await world.untilTold(keyOf('web', 'hooked'), 'Applied');
});

test('I10: a webhook that hangs holds up its own namespace only', async (t) => {
  const server = await start(t);
  const world = await openRealShardWorld(t, server);
  const port = await listenAndSayNothing(t);
  await world.create('/api/v1/namespaces', { metadata: { name: 'hooked', labels: { hook: 'y' } } });
  await hook(world.create, `https://127.0.0.1:${port}/`, 30);
  // The server takes a moment to know it: then a call hangs.
  const path = '/api/v1/namespaces/hooked/services?dryRun=All&timeout=1s';
  await eventually(30_000, async () => {
    const body = { metadata: { name: 'probe' }, spec: plain };
    const { status } = await server.ask({ method: 'POST', path, body });
    return status >= 500 ? [] : [`not yet: ${status}`];
  });
  for (let at = 0; at < 30; at += 1) {
    world.assignment.wish(toManifest(`web-${at}`, plain, { namespace: 'hooked' }));
  }
  const startMs = systemClock.monotonicMs();
  for (let at = 0; at < 10; at += 1) world.assignment.wish(toManifest(`web-${at}`, plain));
  for (let at = 0; at < 10; at += 1) await world.untilTold(keyOf(`web-${at}`), 'Applied');
  const tookMs = systemClock.monotonicMs() - startMs;
  t.true(tookMs < 5_000, `${tookMs} ms`);
});

/** Takes connections and never answers. */
async function listenAndSayNothing(t: ExecutionContext): Promise<number> {
  const silent = createServer((socket) => void socket.on('error', () => undefined));
  const sockets = new Set<Socket>();
  silent.on('connection', (socket) => void sockets.add(socket));
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    silent.close();
  });
  return (silent.address() as AddressInfo).port;
}

test('a policy that writes its own value is told of, and not fought', async (t) => {
  const beta = 'admissionregistration.k8s.io/v1beta1';
  const server = await start(t, {
    flags: ['--feature-gates=MutatingAdmissionPolicy=true', `--runtime-config=${beta}=true`],
  });
  const world = await openRealShardWorld(t, server);
  await mutate(world.create, beta);
  const away = `/api/v1/namespaces/default/services?dryRun=All`;
  await eventually(20_000, async () => {
    const body = { metadata: { name: 'probe' }, spec: plain };
    const { json } = await server.ask({ method: 'POST', path: away, body });
    const { spec } = json as { readonly spec?: { readonly selector?: { readonly app?: string } } };
    return spec?.selector?.app === 'mutated' ? [] : [JSON.stringify(json)];
  });
  world.assignment.wish(toManifest('web', { ...plain, internalTrafficPolicy: 'Cluster' }));
  const told = await world.untilTold(keyOf('web'), 'FieldsOverruled');
  t.is(told.outcome, 'failed');
  t.regex(told.message, /spec\.selector/);
  const writes = world.writes.length;
  t.true(writes <= 4, world.writes.join());
  await world.edit(keyOf('web'), { metadata: { annotations: { touched: 'yes' } } });
  await world.edit(keyOf('web'), { metadata: { annotations: { touched: 'again' } } });
  t.is(world.writes.length, writes);

  world.assignment.wish(toManifest('ignored', { ...plain, internalTrafficPolicy: 'Cluster' }));
  const ignored = await world.untilTold(keyOf('ignored'), 'FieldsIgnored');
  t.is(ignored.outcome, 'applied');
  t.regex(ignored.message, /does not keep spec\.internalTrafficPolicy/);
  t.is(world.writes.length, writes + 1);
  t.deepEqual(world.events, []);
});

/** A quota of no Services, counted by hand as the controller would. */
async function makeFull(
  server: KubeApiserver,
  create: (path: string, body: object) => Promise<object>,
): Promise<void> {
  await create('/api/v1/namespaces', { metadata: { name: 'full' } });
  const hard = { services: '0' };
  const quota = await create(quotas, { metadata: { name: 'none' }, spec: { hard } });
  const body = { ...quota, status: { hard, used: hard } };
  await server.ask({ method: 'PUT', path: `${quotas}/none/status`, body });
}

/** Of Services in namespaces that are labelled for it. */
async function hook(
  create: (path: string, body: object) => Promise<unknown>,
  url: string,
  timeoutSeconds: number,
): Promise<void> {
  await create(hooks, {
    metadata: { name: 'hook' },
    webhooks: [
      {
        name: 'hook.example.com',
        admissionReviewVersions: ['v1'],
        sideEffects: 'None',
        timeoutSeconds,
        failurePolicy: 'Fail',
        clientConfig: { url },
        namespaceSelector: { matchLabels: { hook: 'y' } },
        rules: [
          { apiGroups: [''], apiVersions: ['v1'], resources: ['services'], operations: ['*'] },
        ],
      },
    ],
  });
}

async function refuseLabel(
  server: KubeApiserver,
  create: (path: string, body: object) => Promise<unknown>,
): Promise<void> {
  const rule = { apiGroups: [''], apiVersions: ['v1'], resources: ['services'] };
  await create(`${admission}/validatingadmissionpolicies`, {
    metadata: { name: 'labels' },
    spec: {
      matchConstraints: { resourceRules: [{ ...rule, operations: ['CREATE', 'UPDATE'] }] },
      validations: [
        {
          expression: "!has(object.metadata.labels) || !('denied' in object.metadata.labels)",
          message: 'not with that label',
        },
      ],
    },
  });
  await create(`${admission}/validatingadmissionpolicybindings`, {
    metadata: { name: 'labels' },
    spec: { policyName: 'labels', validationActions: ['Deny'] },
  });
  const body = { metadata: { name: 'probe', labels: { denied: 'x' } }, spec: plain };
  const path = '/api/v1/namespaces/default/services?dryRun=All';
  // It takes a moment until the server has compiled the policy.
  await eventually(20_000, async () => {
    const { status } = await server.ask({ method: 'POST', path, body });
    return status === 422 ? [] : [`not yet: ${status}`];
  });
}

async function mutate(
  create: (path: string, body: object) => Promise<unknown>,
  version: string,
): Promise<void> {
  const rule = { apiGroups: [''], apiVersions: ['v1'], resources: ['services'] };
  const own = `JSONPatch{op: 'add', path: '/spec/internalTrafficPolicy', value: 'Local'}`;
  const wholly = `JSONPatch{op: 'add', path: '/spec/selector', value: {'app': 'mutated'}}`;
  const expression = `object.metadata.name == 'ignored' ? [${own}] : [${wholly}]`;
  await create(`/apis/${version}/mutatingadmissionpolicies`, {
    metadata: { name: 'selector' },
    spec: {
      reinvocationPolicy: 'Never',
      matchConstraints: { resourceRules: [{ ...rule, operations: ['CREATE', 'UPDATE'] }] },
      mutations: [{ patchType: 'JSONPatch', jsonPatch: { expression } }],
    },
  });
  await create(`/apis/${version}/mutatingadmissionpolicybindings`, {
    metadata: { name: 'selector' },
    spec: { policyName: 'selector' },
  });
}
