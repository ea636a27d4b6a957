// What the API refuses and warns of that has to do with other objects, and what a dry run answers.

import test from 'ava';
import { toClusterName, toServiceKey } from '../../common/model/ids.ts';
import { createAdmission } from '../../coordinator/admission/admission.ts';
import { clusterKind } from '../../coordinator/api/kinds/isthmus/cluster.ts';
import { namespaceKind } from '../../coordinator/api/kinds/namespace.ts';
import { servicePolicyKind } from '../../coordinator/api/kinds/isthmus/service-policy.ts';
import { serviceKind } from '../../coordinator/api/kinds/service/service.ts';
import type { Admit } from '../../coordinator/api/machinery/api.ts';
import { v1SelectorAnnotation } from '../../coordinator/placement/plan-manifest.ts';
import { createApiFixture, type Answer, type ApiFixture } from '../support/api-fixture.ts';

const services = '/api/v1/namespaces/default/services';
const policies = '/apis/isthmus.dev/v1alpha1/namespaces/default/servicepolicies';
const clusters = '/apis/isthmus.dev/v1alpha1/clusters';
const merge = { 'content-type': 'application/merge-patch+json' };
const dry = '?dryRun=All';

interface World extends ApiFixture {
  /** Where shards may be, by Service. */
  readonly placed: Map<string, readonly string[]>;
  readonly connected: Set<string>;
  /** Clusters that have Services of these names which are not ours. */
  readonly foreign: Set<string>;
}

async function serve(names: readonly string[] = ['ams', 'fra', 'nyc']): Promise<World> {
  const placed = new Map<string, readonly string[]>();
  const connected = new Set(names);
  const foreign = new Set<string>();
  const late: { admit?: Admit } = {};
  const fixture = await createApiFixture({
    kinds: [namespaceKind, serviceKind({ federation: true }), clusterKind, servicePolicyKind],
    admit: (change) => late.admit?.(change) ?? Promise.resolve({ warnings: [] }),
  });
  late.admit = createAdmission({
    ...fixture,
    placement: { clustersOf: (key) => (placed.get(key) ?? []).map(toClusterName) },
    sessions: {
      session: (name) => (connected.has(name) ? ({ isConnected: true } as never) : undefined),
      hasForeignService: (name, key) => foreign.has(`${name} ${key}`),
    },
    scope: { federation: 'myfederation', domain: 'example.com' },
  });
  const topology: Readonly<Record<string, object>> = {
    ams: { region: 'eu', zone: 'eu-a' },
    fra: { region: 'eu', zone: 'eu-b' },
    nyc: { region: 'us', zone: 'us-a' },
  };
  for (const name of names) {
    await fixture.put(clusterKind, {
      metadata: { name, labels: { site: name } },
      spec: topology[name] ?? {},
      status: { joinedAt: '2026-01-01T00:00:00Z' },
    });
  }
  return { ...fixture, placed, connected, foreign };
}

function service(more: object = {}, metadata: object = {}): object {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'nginx', ...metadata },
    spec: { type: 'LoadBalancer', ports: [{ port: 80 }], selector: { run: 'nginx' }, ...more },
  };
}

function policy(spec: object, name = 'nginx'): object {
  return {
    apiVersion: 'isthmus.dev/v1alpha1',
    kind: 'ServicePolicy',
    metadata: { name },
    spec: { serviceName: 'nginx', ...spec },
  };
}

function warnings({ headers }: Answer): readonly string[] {
  return [headers['warning'] ?? []].flat().map((line) => /^299 - "(.*)"$/.exec(line)?.[1] ?? line);
}

test('W3 a dry run of a create says where shards and which names would come', async (t) => {
  const api = await serve();
  const answer = await api.call('POST', services + dry, service());
  t.is(answer.status, 201);
  t.deepEqual(warnings(answer), [
    'dry run: shards would come to ams, fra, nyc',
    'dry run: names would come, once a shard is healthy: ' +
      'nginx.default.myfederation.svc.example.com, ' +
      'nginx.default.myfederation.svc.eu.example.com and 4 more names',
  ]);
  const real = await api.call('POST', services, service());
  t.deepEqual(warnings(real), []);
  const again = await api.call(
    'POST',
    services + dry,
    service({ type: 'ClusterIP' }, { name: 'b' }),
  );
  t.deepEqual(warnings(again), ['dry run: shards would come to ams, fra, nyc']);
});

test('W3 a dry run of an edit, of a deselection and of a delete says what would change', async (t) => {
  const api = await serve();
  await api.call('POST', services, service());
  api.placed.set(toServiceKey({ namespace: 'default', name: 'nginx' }), ['ams', 'fra', 'nyc']);
  const one = `${services}/nginx`;
  const labels = await api.call('PATCH', one + dry, { metadata: { labels: { a: 'b' } } }, merge);
  t.deepEqual(warnings(labels), ['dry run: shards would change in ams, fra, nyc']);
  const annotations = {
    [v1SelectorAnnotation]: JSON.stringify([
      { key: 'site', operator: 'in', values: ['ams', 'fra'] },
    ]),
  };
  const chosen = await api.call('PATCH', one + dry, { metadata: { annotations } }, merge);
  t.deepEqual(warnings(chosen), [
    'dry run: shards would leave nyc',
    'dry run: names would go: nginx.default.myfederation.svc.us.example.com, ' +
      'nginx.default.myfederation.svc.us-a.us.example.com',
  ]);
  const gone = await api.call('DELETE', one + dry);
  t.is(warnings(gone)[0], 'dry run: shards would leave ams, fra, nyc');
  t.regex(warnings(gone)[1] ?? '', /names would go: nginx.default.myfederation.svc.example.com/);
  const status = await api.call(
    'PATCH',
    one + dry,
    { metadata: { annotations: { a: null } } },
    merge,
  );
  t.deepEqual(warnings(status), []);
});

test('W3 a dry run of a policy speaks of its Service, before and after', async (t) => {
  const api = await serve();
  await api.call('POST', services, service());
  api.placed.set('default/nginx', ['ams', 'fra', 'nyc']);
  const spec = {
    placement: { clusters: ['ams', 'nyc'] },
    overrides: [{ clusters: ['nyc'], annotations: { 'example.com/lb': 'internal' } }],
  };
  t.deepEqual(warnings(await api.call('POST', policies + dry, policy(spec))), [
    'dry run: shards would leave fra',
    'dry run: shards would change in nyc',
    'dry run: names would go: nginx.default.myfederation.svc.eu-b.eu.example.com',
  ]);
  await api.call('POST', policies, policy(spec));
  api.placed.set('default/nginx', ['ams', 'nyc']);
  t.deepEqual(warnings(await api.call('DELETE', `${policies}/nginx${dry}`)), [
    'dry run: shards would come to fra',
    'dry run: shards would change in nyc',
    'dry run: names would come, once a shard is healthy: nginx.default.myfederation.svc.eu-b.eu.example.com',
  ]);
});

test('W3 a dry run of a Cluster says which Services come, go and change, and which levels', async (t) => {
  const api = await serve();
  await api.call('POST', services, service());
  await api.call('POST', services, service({}, { name: 'only' }));
  api.placed.set('default/nginx', ['ams', 'nyc']);
  api.placed.set('default/only', ['nyc']);
  t.deepEqual(warnings(await api.call('DELETE', `${clusters}/nyc${dry}`)), [
    'dry run: shards would leave nyc: default/nginx',
    'dry run: Services would be nowhere, whose last shard would leave nyc: default/only',
    'dry run: names would go under us.example.com, us-a.us.example.com',
  ]);
  const taints = [{ key: 'off', effect: 'NoExecute' }];
  const tainted = await api.call('PATCH', `${clusters}/ams${dry}`, { spec: { taints } }, merge);
  t.deepEqual(warnings(tainted), ['dry run: shards would leave ams: default/nginx']);
  const cordoned = await api.call(
    'PATCH',
    `${clusters}/ams${dry}`,
    { spec: { unschedulable: true } },
    merge,
  );
  t.deepEqual(warnings(cordoned), [], 'nothing would change');
});

test('a delete of a Cluster whose agent is away says how long it waits', async (t) => {
  const api = await serve();
  api.connected.delete('nyc');
  t.deepEqual(warnings(await api.call('DELETE', `${clusters}/nyc`)), [
    'the agent of nyc is away: the Cluster waits 600 s for it, then its shards stay there, managed by nobody',
  ]);
  t.deepEqual(warnings(await api.call('DELETE', `${clusters}/ams`)), []);
});

test('W2 an annotation that cannot be read is refused with its place, unless it stood there', async (t) => {
  const api = await serve();
  const annotations = { [v1SelectorAnnotation]: '[{"key":"a","operator":"like"}]' };
  const answer = await api.call('POST', services, service({}, { annotations }));
  t.is(answer.status, 422);
  t.regex(
    String(answer.json['message']),
    /metadata\.annotations\[federation.*cluster-selector\]: Invalid value: .*\[0\]: operator/,
  );
  await api.put(serviceKind({ federation: true }), {
    metadata: { name: 'old', namespace: 'default', annotations },
    spec: { ports: [{ port: 80 }] },
  });
  const edit = await api.call(
    'PATCH',
    `${services}/old`,
    { metadata: { labels: { a: 'b' } } },
    merge,
  );
  t.not(edit.status, 422);
});

test('W2 overrides that cannot be done to the Service, or make an illegal one, are refused', async (t) => {
  const rows: readonly (readonly [string, object, RegExp])[] = [
    [
      'a path that is not there',
      { patch: [{ op: 'replace', path: '/spec/ports/3/port', value: 1 }] },
      /spec\.overrides\[0\]\.patch\[0\]: .*in cluster ams: nothing stands at \/spec\/ports\/3\/port/,
    ],
    [
      'a test that fails',
      { patch: [{ op: 'test', path: '/spec/type', value: 'NodePort' }] },
      /patch\[0\]: .*\/spec\/type has another value/,
    ],
    [
      'a node port of a port that is not there',
      { nodePorts: [{ port: 81, nodePort: 30_081 }] },
      /spec\.overrides\[0\]\.nodePorts\[0\]\.port: .*no port 81\/TCP/,
    ],
    [
      'an illegal Service',
      { patch: [{ op: 'add', path: '/spec/sessionAffinity', value: 'Moon' }] },
      /spec\.overrides\[0\]: .*illegal shard.*spec\.sessionAffinity: Unsupported value: "Moon"/,
    ],
    ['nothing at all', { clusters: ['ams'] }, /spec\.overrides\[0\]: Required value: one of/],
    [
      'the name',
      { patch: [{ op: 'replace', path: '/metadata/name', value: 'x' }] },
      /patch\[0\]\.path: .*it reaches \/spec/,
    ],
    [
      'our own marks',
      { annotations: { 'isthmus.dev/shard-of': 'x' } },
      /annotations\[isthmus\.dev\/shard-of\]: Forbidden/,
    ],
    ['an address', { loadBalancerIP: '1.2.3' }, /loadBalancerIP: Invalid value: "1\.2\.3"/],
    ['no value', { patch: [{ op: 'add', path: '/spec/x' }] }, /patch\[0\]\.value: Required/],
    ['no operation', { patch: [{ op: 'merge', path: '/spec/x' }] }, /patch\[0\]\.op: Unsupported/],
  ];
  const api = await serve();
  await api.call('POST', services, service());
  for (const [title, override, expected] of rows) {
    const answer = await api.call('POST', policies, policy({ overrides: [override] }));
    t.is(answer.status, 422, title);
    t.regex(String(answer.json['message']), expected, title);
  }
  t.is((await api.call('GET', `${policies}/nginx`)).status, 404);
});

test('W2 without its Service a policy is taken; a Service that does not fit it is warned of', async (t) => {
  const api = await serve();
  const patch = [{ op: 'replace', path: '/spec/ports/1/port', value: 82 }];
  t.is((await api.call('POST', policies, policy({ overrides: [{ patch }] }))).status, 201);
  const [warning = ''] = warnings(await api.call('POST', services, service()));
  t.regex(warning, /^ServicePolicy nginx does not fit, its shards get none: spec\.overrides\[0\]/);
  const two = {
    ports: [
      { name: 'a', port: 80 },
      { name: 'b', port: 81 },
    ],
  };
  t.deepEqual(warnings(await api.call('PATCH', `${services}/nginx`, { spec: two }, merge)), []);
  const back = { spec: { ports: [{ name: 'a', port: 80 }] } };
  const [again = ''] = warnings(await api.call('PATCH', `${services}/nginx`, back, merge));
  t.regex(again, /its shards keep their last content/);
});

test('the second policy of a Service is told that it counts for nothing', async (t) => {
  const api = await serve();
  await api.call('POST', policies, policy({}, 'first'));
  api.clock.advance(5_000);
  t.deepEqual(warnings(await api.call('POST', policies, policy({}, 'second'))), [
    'ServicePolicy first, which is older, holds for the Service nginx: this one counts for nothing',
  ]);
});

test('W4 clusters that have such a Service already are named, and what becomes of it', async (t) => {
  const api = await serve();
  api.foreign.add('ams default/nginx').add('nyc default/nginx');
  t.deepEqual(warnings(await api.call('POST', services, service())), [
    'a Service default/nginx is there already in ams, nyc: it will be adopted, and changed to conform',
  ]);
  api.placed.set('default/nginx', ['ams']);
  const labels = { metadata: { labels: { a: 'b' } } };
  t.deepEqual(warnings(await api.call('PATCH', `${services}/nginx`, labels, merge)), [
    'a Service default/nginx is there already in nyc: it will be adopted, and changed to conform',
  ]);
  const never = policy({ adoption: 'never' });
  t.deepEqual(warnings(await api.call('POST', policies, never)), [
    'a Service default/nginx is there already in nyc: it will be left alone, and there will be no shard there',
  ]);
});

test('W1 Services of kube-* namespaces are refused', async (t) => {
  const api = await serve();
  await api.put(namespaceKind, { metadata: { name: 'kube-system' } });
  const answer = await api.call('POST', '/api/v1/namespaces/kube-system/services', service());
  t.is(answer.status, 403);
});
