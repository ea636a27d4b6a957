// The life of a Namespace: born with a label and a finalizer, emptied before it goes.

import test from 'ava';
import type { KubeObject } from '../../common/model/kube-object.ts';
import { systemClock } from '../../common/runtime/clock.ts';
import { configMapKind } from '../../coordinator/api/kinds/config-map.ts';
import { memberKinds } from '../../coordinator/api/kinds/member/member.ts';
import { createApiFixture, type ApiFixture } from '../support/api-fixture.ts';
import { eventually } from '../support/eventually.ts';

const spaces = '/api/v1/namespaces';
const merge = { 'content-type': 'application/merge-patch+json' };

async function serve(name = 'shop'): Promise<ApiFixture> {
  const api = await createApiFixture({ kinds: memberKinds() });
  const { status, text } = await api.call('POST', spaces, { metadata: { name } });
  if (status !== 201) throw new Error(text);
  return api;
}

async function gone(api: ApiFixture, path: string): Promise<void> {
  await eventually(
    2000,
    async () => {
      const { status } = await api.call('GET', path);
      return status === 404 ? [] : [String(status)];
    },
    2,
  );
}

interface Condition {
  readonly type: string;
  readonly status: string;
  readonly message: string;
}

test('[k8s 111] it is born with its name as a label, our finalizer, and Active', async (t) => {
  const api = await serve();
  t.like((await api.call('GET', `${spaces}/shop`)).json, {
    metadata: { labels: { 'kubernetes.io/metadata.name': 'shop' } },
    spec: { finalizers: ['kubernetes'] },
    status: { phase: 'Active' },
  });
  const { json } = await api.call(
    'PATCH',
    `${spaces}/shop`,
    { metadata: { labels: null }, spec: { finalizers: [] } },
    merge,
  );
  t.like(json, {
    metadata: { labels: { 'kubernetes.io/metadata.name': 'shop' } },
    spec: { finalizers: ['kubernetes'] },
  });
});

test('[k8s 111] a generated name is its label too', async (t) => {
  const api = await serve();
  const { json } = await api.call('POST', spaces, { metadata: { generateName: 'n-' } });
  const { metadata } = json as unknown as KubeObject;
  t.is(metadata.labels?.['kubernetes.io/metadata.name'], metadata.name);
});

test('[k8s 111] a delete terminates it, its contents go, watched, and then it goes', async (t) => {
  const api = await serve();
  const maps = `${spaces}/shop/configmaps`;
  await api.call('POST', maps, { metadata: { name: 'a' } });
  const tap = await api.watch(`${maps}?watch=1&resourceVersion=${api.desired.revision()}`);
  const { status, json } = await api.call('DELETE', `${spaces}/shop`);
  t.is(status, 200);
  const { metadata } = json as unknown as KubeObject;
  t.like(json, { kind: 'Namespace', status: { phase: 'Terminating' } });
  t.is(metadata.deletionGracePeriodSeconds, undefined);
  await gone(api, `${spaces}/shop`);
  t.deepEqual(
    (await tap.events()).map(({ type }) => type),
    ['DELETED'],
  );
  tap.abort();
  t.is((await api.call('POST', spaces, { metadata: { name: 'shop' } })).status, 201);
});

test('[k8s 111] one that is emptied and still held has no finalizers of its own, and no owner of them', async (t) => {
  const api = await serve();
  const body = {
    metadata: { name: 'held', finalizers: ['example.com/x'] },
    spec: { finalizers: [] },
  };
  await api.call('POST', spaces, body);
  await api.call('DELETE', `${spaces}/held`);
  const read = async (): Promise<Readonly<Record<string, unknown>>> =>
    (await api.call('GET', `${spaces}/held`)).json;
  await eventually(2000, async () => {
    const { spec } = await read();
    return JSON.stringify(spec) === '{}' ? [] : [JSON.stringify(spec)];
  });
  const left = await read();
  t.notRegex(JSON.stringify(left), /f:spec/);
  t.deepEqual((await api.call('PUT', `${spaces}/held`, left)).json, left, 'it is as it was stored');
});

test('[k8s 28, 111] nothing new is born in it meanwhile; its conditions say what holds it', async (t) => {
  const api = await serve();
  const maps = `${spaces}/shop/configmaps`;
  await api.call('POST', maps, { metadata: { name: 'a', finalizers: ['example.com/x'] } });
  await api.call('DELETE', `${spaces}/shop`);
  const late = await api.call('POST', maps, { metadata: { name: 'late' } });
  t.is(late.status, 403);
  t.like(late.json, { details: { causes: [{ reason: 'NamespaceTerminating' }] } });
  const said = async (): Promise<readonly (readonly string[])[]> => {
    const { status } = (await api.call('GET', `${spaces}/shop`)).json as unknown as KubeObject;
    const { conditions = [] } = (status ?? {}) as { conditions?: readonly Condition[] };
    return conditions.map((each) => [each.type, each.status, each.message]);
  };
  await eventually(2000, async () => ((await said()).length > 0 ? [] : ['no conditions']), 2);
  t.deepEqual(await said(), [
    ['NamespaceDeletionDiscoveryFailure', 'False', 'All resources successfully discovered'],
    [
      'NamespaceDeletionGroupVersionParsingFailure',
      'False',
      'All legacy kube types successfully parsed',
    ],
    [
      'NamespaceDeletionContentFailure',
      'False',
      'All content successfully deleted, may be waiting on finalization',
    ],
    [
      'NamespaceContentRemaining',
      'True',
      'Some resources are remaining: configmaps. has 1 resource instances',
    ],
    [
      'NamespaceFinalizersRemaining',
      'True',
      'Some content in the namespace has finalizers remaining: example.com/x in 1 resource instances',
    ],
  ]);
  const again = await api.call('DELETE', `${spaces}/shop`);
  t.is(again.status, 200);
  t.like(again.json, { status: { phase: 'Terminating' } });
  const labelled = await api.call(
    'PATCH',
    `${spaces}/shop`,
    { metadata: { labels: { a: 'b' } } },
    merge,
  );
  t.is(labelled.status, 200);
  t.is((await api.call('GET', `${spaces}/shop`)).status, 200);
  await api.call('PATCH', `${maps}/a`, { metadata: { finalizers: null } }, merge);
  await gone(api, `${spaces}/shop`);
});

test('[k8s 111] finalize sets who must finish; a foreign one holds the namespace', async (t) => {
  const api = await serve();
  const path = `${spaces}/shop`;
  const live = (await api.call('GET', path)).json as unknown as KubeObject;
  const held = { ...live, spec: { finalizers: ['kubernetes', 'example.com/x'] } };
  const set = await api.call('PUT', `${path}/finalize`, held);
  t.like(set.json, { spec: { finalizers: ['kubernetes', 'example.com/x'] } });
  await api.call('DELETE', path);
  await eventually(
    2000,
    async () => {
      const { spec } = (await api.call('GET', path)).json as { spec?: { finalizers?: string[] } };
      return spec?.finalizers?.length === 1 ? [] : ['not yet'];
    },
    2,
  );
  const going = (await api.call('GET', path)).json as unknown as KubeObject;
  const free = await api.call('PUT', `${path}/finalize`, { ...going, spec: {} });
  t.is(free.status, 200);
  t.is((await api.call('GET', path)).status, 404);
  t.is((await api.call('GET', `${path}/finalize`)).status, 405);
});

test('[k8s 111] finalizers and phases that are none are refused', async (t) => {
  const api = await serve();
  const path = `${spaces}/shop`;
  const live = (await api.call('GET', path)).json as unknown as KubeObject;
  const odd = await api.call('PUT', `${path}/finalize`, { ...live, spec: { finalizers: ['odd'] } });
  t.is(
    odd.json['message'],
    'Namespace "shop" is invalid: spec.finalizers[0]: Invalid value: "odd": name is neither a ' +
      'standard finalizer name nor is it fully qualified',
  );
  const phase = { ...live, status: { phase: 'Terminating' } };
  const wrong = await api.call('PUT', `${path}/status`, phase);
  t.is(
    wrong.json['message'],
    'Namespace "shop" is invalid: status.Phase: Invalid value: "Terminating": may only be ' +
      "'Active' if `deletionTimestamp` is empty",
  );
  const conditions = [{ type: 'Mine', status: 'True' }];
  const right = await api.call('PUT', `${path}/status`, {
    ...live,
    status: { phase: 'Active', conditions },
  });
  t.like(right.json, { status: { phase: 'Active', conditions } });
});

for (const name of ['kube-system', 'kube-public']) {
  test(`[k8s 111] ${name} may not be deleted`, async (t) => {
    const api = await serve(name);
    const { status, json } = await api.call('DELETE', `${spaces}/${name}`);
    t.is(status, 403);
    t.is(json['message'], `namespaces "${name}" is forbidden: this namespace may not be deleted`);
  });
}

test('[k8s 111] an orphaning delete of a namespace is answered, and ends', async (t) => {
  const api = await serve();
  await api.call('DELETE', `${spaces}/shop`, { propagationPolicy: 'Orphan' });
  await gone(api, `${spaces}/shop`);
  t.pass();
});

test('[k8s 111] a thousand objects go with it', async (t) => {
  const api = await serve();
  const names = Array.from({ length: 1000 }, (_, index) => `m${index}`);
  await Promise.all(
    names.map((name) => api.call('POST', `${spaces}/shop/configmaps`, { metadata: { name } })),
  );
  await api.call('DELETE', `${spaces}/shop`);
  await gone(api, `${spaces}/shop`);
  t.is([...api.desired.list('core/configmaps/shop/')].length, 0);
});

test('[k8s 111] I11. however much there is in it, no turn of the event loop takes more than a page', async (t) => {
  const api = await serve();
  const metadata = { namespace: 'shop' };
  for (let index = 0; index < 1000; index += 1) {
    await api.put(configMapKind, { metadata: { ...metadata, name: `m${index}` } });
  }
  let inTurn = 0;
  let most = 0;
  let isOver = false;
  const endTurn = (): void => {
    inTurn = 0;
    if (!isOver) systemClock.soon(endTurn);
  };
  const handle = api.desired.watch('core/configmaps/shop/', api.desired.revision(), (events) => {
    inTurn += events.length;
    most = Math.max(most, inTurn);
  });
  endTurn();
  await api.call('DELETE', `${spaces}/shop`);
  await gone(api, `${spaces}/shop`);
  isOver = true;
  if (handle !== 'expired') handle.cancel();
  t.is([...api.desired.list('core/configmaps/shop/')].length, 0);
  // The store of this test answers without a turn of its own.
  t.true(most > 0 && most <= 64, String(most));
});
