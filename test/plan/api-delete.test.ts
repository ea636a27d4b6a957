// Deletes: what they answer, in one step and in two, under conditions, and of whole collections.

import test from 'ava';
import type { KubeObject } from '../../common/model/kube-object.ts';
import { createApiFixture, type ApiFixture } from '../support/api-fixture.ts';
import { memberKinds } from '../../coordinator/api/kinds/member/member.ts';
import { clusterKind } from '../../coordinator/api/kinds/isthmus/cluster.ts';

const maps = '/api/v1/namespaces/default/configmaps';
const services = '/api/v1/namespaces/default/services';
const events = '/api/v1/namespaces/default/events';

function serve(): Promise<ApiFixture> {
  return createApiFixture({ kinds: [...memberKinds(), clusterKind] });
}

async function make(
  { call }: ApiFixture,
  path: string,
  name: string,
  rest: object = {},
  meta: object = {},
): Promise<KubeObject> {
  const answer = await call('POST', path, { metadata: { name, ...meta }, ...rest });
  if (answer.status !== 201) throw new Error(answer.text);
  return answer.json as unknown as KubeObject;
}

const port = { spec: { ports: [{ port: 80 }] } };

test('[k8s 104] a Service and a Namespace answer themselves, other kinds a Status with the uid', async (t) => {
  const api = await serve();
  await make(api, services, 'web', port);
  t.like((await api.call('DELETE', `${services}/web`)).json, {
    kind: 'Service',
    metadata: { name: 'web' },
  });
  for (const [path, body] of [
    [maps, {}],
    ['/api/v1/namespaces/default/secrets', {}],
    ['/apis/coordination.k8s.io/v1/namespaces/default/leases', {}],
    ['/apis/isthmus.dev/v1alpha1/clusters', {}],
    [events, { involvedObject: { namespace: 'default' } }],
  ] as const) {
    const { metadata } = await make(api, path, 'x', body);
    const plural = path.split('/').at(-1);
    const [, , group] = path.split('/');
    const details = { name: 'x', kind: plural, uid: metadata.uid };
    const { status, json } = await api.call('DELETE', `${path}/x`);
    t.is(status, 200);
    t.deepEqual(json, {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Success',
      details: path.startsWith('/apis/')
        ? { name: 'x', group, kind: plural, uid: metadata.uid }
        : details,
    });
    t.is((await api.call('DELETE', `${path}/x`)).status, 404);
  }
});

test('[k8s 65, 104] the watch of a deleted object shows its last state at a later version', async (t) => {
  const api = await serve();
  const { metadata } = await make(api, maps, 'm', { data: { a: 'b' } });
  const tap = await api.watch(`${maps}?watch=1&resourceVersion=${metadata.resourceVersion}`);
  await api.call('DELETE', `${maps}/m`);
  const [event] = await tap.events();
  t.like(event, { type: 'DELETED', object: { data: { a: 'b' } } });
  t.true(Number(event?.object.metadata.resourceVersion) > Number(metadata.resourceVersion));
  tap.abort();
});

test('[k8s 105] finalizers make it two steps, asking again changes nothing, and the last one removes', async (t) => {
  const api = await serve();
  await make(api, maps, 'm', {}, { finalizers: ['example.com/a'] });
  const first = await api.call('DELETE', `${maps}/m`);
  t.like(first.json, {
    kind: 'ConfigMap',
    metadata: { deletionGracePeriodSeconds: 0, finalizers: ['example.com/a'] },
  });
  const marked = first.json as unknown as KubeObject;
  t.is(typeof marked.metadata.deletionTimestamp, 'string');
  api.clock.advance(5000);
  const second = await api.call('DELETE', `${maps}/m`);
  t.deepEqual(second.json, first.json);
  const more = await api.call('PUT', `${maps}/m`, {
    ...marked,
    metadata: { ...marked.metadata, finalizers: ['example.com/a', 'example.com/b'] },
  });
  t.is(more.status, 422);
  t.true(
    more.text.includes(
      'metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted',
    ),
  );
  const last = await api.call(
    'PATCH',
    `${maps}/m`,
    { metadata: { finalizers: null } },
    { 'content-type': 'application/merge-patch+json' },
  );
  t.is(last.status, 200);
  t.like(last.json, { kind: 'ConfigMap', metadata: { name: 'm' } });
  t.is((await api.call('GET', `${maps}/m`)).status, 404);
});

test('[k8s 105] a kind with a generation counts the delete as a change of what is wanted', async (t) => {
  const api = await serve();
  const path = '/apis/isthmus.dev/v1alpha1/clusters';
  await make(api, path, 'c', {}, { finalizers: ['example.com/a'] });
  t.like((await api.call('DELETE', `${path}/c`)).json, { metadata: { generation: 2 } });
});

test('[k8s 106] Orphan and Foreground each leave their finalizer, a later wish replaces it', async (t) => {
  const api = await serve();
  const held = { finalizers: ['isthmus.dev/shards'] };
  await make(api, maps, 'm', {}, held);
  const ask = async (policy: string): Promise<readonly string[] | undefined> => {
    const { json } = await api.call('DELETE', `${maps}/m`, { propagationPolicy: policy });
    return (json as unknown as KubeObject).metadata.finalizers;
  };
  t.deepEqual(await ask('Orphan'), ['isthmus.dev/shards', 'orphan']);
  t.deepEqual(await ask('Foreground'), ['isthmus.dev/shards', 'foregroundDeletion']);
  t.deepEqual(await ask('Background'), ['isthmus.dev/shards']);
});

test('[k8s 106] an Event is never kept for its dependents: it has none', async (t) => {
  const api = await serve();
  await make(api, events, 'e', { involvedObject: { namespace: 'default' } });
  const { json } = await api.call('DELETE', `${events}/e?propagationPolicy=Foreground`);
  t.is(json['kind'], 'Status');
});

test('[k8s 107] preconditions of uid and version answer 409 and name the kind', async (t) => {
  const api = await serve();
  const { metadata } = await make(api, services, 'd1', port);
  const other = await api.call('DELETE', `${services}/d1`, { preconditions: { uid: 'u' } });
  t.like(other.json, {
    code: 409,
    reason: 'Conflict',
    message:
      'Operation cannot be fulfilled on Service "d1": the UID in the precondition (u) does not ' +
      `match the UID in record (${metadata.uid}). The object might have been deleted and then ` +
      'recreated',
    details: { name: 'd1', kind: 'Service' },
  });
  const stale = await api.call('DELETE', `${services}/d1`, {
    preconditions: { resourceVersion: '1' },
  });
  t.is(
    stale.json['message'],
    'Operation cannot be fulfilled on Service "d1": the ResourceVersion in the precondition (1) ' +
      `does not match the ResourceVersion in record (${metadata.resourceVersion}). The object ` +
      'might have been modified',
  );
  const { uid, resourceVersion } = metadata;
  const right = { preconditions: { uid, resourceVersion } };
  t.is((await api.call('DELETE', `${services}/d1`, right)).status, 200);
});

test('[k8s 107] preconditions of a Namespace are said in its own words', async (t) => {
  const api = await serve();
  const { metadata } = await make(api, '/api/v1/namespaces', 'n');
  const { json } = await api.call('DELETE', '/api/v1/namespaces/n', {
    preconditions: { uid: 'u' },
  });
  t.is(
    json['message'],
    'Operation cannot be fulfilled on namespaces "n": Precondition failed: UID in precondition: ' +
      `u, UID in object meta: ${metadata.uid}`,
  );
});

const refused: readonly (readonly [string, string, unknown, number, string])[] = [
  [
    'a policy that is none',
    '',
    { propagationPolicy: 'Later' },
    422,
    'DeleteOptions.meta.k8s.io "" is invalid: propagationPolicy: Unsupported value: "Later": ' +
      'supported values: "Foreground", "Background", "Orphan", "nil"',
  ],
  [
    'both ways of saying it',
    '',
    { propagationPolicy: 'Orphan', orphanDependents: true },
    422,
    'DeleteOptions.meta.k8s.io "" is invalid: propagationPolicy: Invalid value: "Orphan": ' +
      'orphanDependents and deletionPropagation cannot be both set',
  ],
  [
    'a dry run of something',
    '?dryRun=Some',
    undefined,
    422,
    'DeleteOptions.meta.k8s.io "" is invalid: dryRun: Unsupported value: ["Some"]: supported ' +
      'values: "All"',
  ],
  [
    'a period that is no number',
    '',
    { gracePeriodSeconds: 'soon' },
    400,
    'DeleteOptions in version "v1" cannot be handled as a DeleteOptions: json: cannot unmarshal ' +
      'string into Go struct field DeleteOptions.gracePeriodSeconds of type int64',
  ],
  [
    'a period in the query that is no number',
    '?gracePeriodSeconds=soon',
    undefined,
    400,
    'strconv.ParseInt: parsing "soon": invalid syntax',
  ],
  [
    'another kind',
    '',
    { kind: 'Pod', apiVersion: 'v1' },
    400,
    'Pod in version "v1" cannot be handled as a DeleteOptions',
  ],
  [
    'a kind that is an object with a method of its own',
    '',
    { kind: { toString: {} } },
    400,
    'the object provided is unrecognized (must be of type DeleteOptions)',
  ],
  [
    'a dry run of an object',
    '',
    { dryRun: [{ toString: {} }] },
    400,
    'DeleteOptions in version "v1" cannot be handled as a DeleteOptions: json: cannot unmarshal ' +
      'object into Go struct field DeleteOptions.dryRun of type string',
  ],
];

for (const [title, query, body, code, message] of refused) {
  test(`[k8s 107] options refused: ${title}`, async (t) => {
    const api = await serve();
    await make(api, maps, 'm');
    const { status, json } = await api.call('DELETE', `${maps}/m${query}`, body);
    t.deepEqual([status, json['message']], [code, message]);
    t.is((await api.call('GET', `${maps}/m`)).status, 200);
  });
}

test('[k8s 107] options come from the query or the body, as JSON and as YAML', async (t) => {
  const api = await serve();
  await make(api, maps, 'm', {}, { finalizers: ['isthmus.dev/x'] });
  const query = await api.call('DELETE', `${maps}/m?propagationPolicy=Orphan&dryRun=All`);
  t.like(query.json, { metadata: { finalizers: ['isthmus.dev/x', 'orphan'] } });
  const yaml = await api.call('DELETE', `${maps}/m`, 'propagationPolicy: Foreground\n', {
    'content-type': 'application/yaml',
  });
  t.like(yaml.json, { metadata: { finalizers: ['isthmus.dev/x', 'foregroundDeletion'] } });
});

test('[k8s 107] an explicit cascade that must wait is accepted with 202', async (t) => {
  const api = await serve();
  await make(api, maps, 'm', {}, { finalizers: ['example.com/a'] });
  const { status } = await api.call('DELETE', `${maps}/m`, { orphanDependents: false });
  t.is(status, 202);
});

test('[k8s 107] a dry run answers as if, and nothing changes', async (t) => {
  const api = await serve();
  const { metadata } = await make(api, maps, 'm');
  const before = api.desired.revision();
  const { json } = await api.call('DELETE', `${maps}/m`, { dryRun: ['All'] });
  t.like(json, { kind: 'Status', status: 'Success', details: { uid: metadata.uid } });
  t.is(api.desired.revision(), before);
});

test('[k8s 108] a collection goes by its selectors and answers the list as it was', async (t) => {
  const api = await serve();
  for (const name of ['a', 'b', 'c']) {
    await make(api, maps, name, {}, { labels: { app: name === 'c' ? 'other' : 'web' } });
  }
  const dry = await api.call('DELETE', `${maps}?labelSelector=app%3Dweb&dryRun=All`);
  t.is(namesOf(dry.json).length, 2);
  t.is(namesOf((await api.call('GET', maps)).json).length, 3);
  const { status, json } = await api.call('DELETE', `${maps}?labelSelector=app%3Dweb`);
  t.is(status, 200);
  t.is(json['kind'], 'ConfigMapList');
  t.deepEqual(namesOf(json), ['a', 'b']);
  t.deepEqual(namesOf((await api.call('GET', maps)).json), ['c']);
  await api.call('DELETE', `${maps}?fieldSelector=metadata.name%3Dc`);
  t.deepEqual(namesOf((await api.call('GET', maps)).json), []);
});

test('[k8s 108] a limit deletes one page, and the list leads on', async (t) => {
  const api = await serve();
  for (const name of ['a', 'b', 'c']) await make(api, maps, name);
  const { json } = await api.call('DELETE', `${maps}?limit=2`);
  t.deepEqual(namesOf(json), ['a', 'b']);
  t.like(json, { metadata: { remainingItemCount: 1 } });
  t.deepEqual(namesOf((await api.call('GET', maps)).json), ['c']);
});

test('[k8s 108] options hold for each of a collection', async (t) => {
  const api = await serve();
  await make(api, maps, 'a', {}, { finalizers: ['isthmus.dev/x'] });
  await api.call('DELETE', maps, { propagationPolicy: 'Orphan' });
  t.like((await api.call('GET', `${maps}/a`)).json, {
    metadata: { finalizers: ['isthmus.dev/x', 'orphan'] },
  });
  const stale = await api.call('DELETE', maps, { preconditions: { uid: 'nobody' } });
  t.is(stale.status, 409);
  t.is((await api.call('DELETE', `${maps}?labelSelector=%3D`)).status, 400);
});

test('[k8s 3, 108] every kind but Namespace offers it, within one namespace', async (t) => {
  const api = await serve();
  const { json } = await api.call('GET', '/api/v1');
  const offered = (json['resources'] as readonly { name: string; verbs: readonly string[] }[])
    .filter(({ name }) => !name.includes('/'))
    .filter(({ verbs }) => !verbs.includes('deletecollection'));
  t.deepEqual(
    offered.map(({ name }) => name),
    ['namespaces'],
  );
  t.is((await api.call('DELETE', '/api/v1/configmaps')).status, 405);
  t.is((await api.call('DELETE', '/api/v1/namespaces')).status, 405);
});

test('[k8s 110] one of the same name is another object: the old uid does not delete it', async (t) => {
  const api = await serve();
  const old = await make(api, maps, 'm');
  await api.call('DELETE', `${maps}/m`);
  const now = await make(api, maps, 'm');
  t.not(now.metadata.uid, old.metadata.uid);
  const body = { preconditions: { uid: old.metadata.uid } };
  t.is((await api.call('DELETE', `${maps}/m`, body)).status, 409);
});

function namesOf(json: Readonly<Record<string, unknown>>): readonly string[] {
  return (json['items'] as readonly KubeObject[]).map(({ metadata }) => metadata.name);
}
