// The garbage collector: owners and dependents, and the two ways of waiting for them.

import test from 'ava';
import type { KubeObject, OwnerReference } from '../../common/model/kube-object.ts';
import { clusterKind } from '../../coordinator/api/kinds/isthmus/cluster.ts';
import { memberKinds } from '../../coordinator/api/kinds/member/member.ts';
import { createApiFixture, type ApiFixture } from '../support/api-fixture.ts';
import { eventually } from '../support/eventually.ts';

const clusters = '/apis/isthmus.dev/v1alpha1/clusters';

function serve(): Promise<ApiFixture> {
  return createApiFixture({ kinds: [...memberKinds(), clusterKind] });
}

interface Wanted {
  readonly owners?: readonly OwnerReference[];
  readonly finalizers?: readonly string[];
  readonly namespace?: string;
}

async function make({ call }: ApiFixture, name: string, wanted: Wanted = {}): Promise<KubeObject> {
  const { owners = [], finalizers = [], namespace = 'default' } = wanted;
  const metadata = { name, ownerReferences: owners, finalizers };
  const answer = await call('POST', pathOf('', namespace), { metadata });
  if (answer.status !== 201) throw new Error(answer.text);
  return answer.json as unknown as KubeObject;
}

function pathOf(name: string, namespace = 'default'): string {
  const path = `/api/v1/namespaces/${namespace}/configmaps`;
  return name === '' ? path : `${path}/${name}`;
}

function ownedBy(owner: KubeObject, more: Partial<OwnerReference> = {}): OwnerReference {
  const { name, uid = '' } = owner.metadata;
  return { apiVersion: owner.apiVersion, kind: owner.kind, name, uid, ...more };
}

/** Waits until exactly these ConfigMaps are left. */
async function leaves(api: ApiFixture, ...names: readonly string[]): Promise<void> {
  await eventually(
    2000,
    async () => {
      const { json } = await api.call('GET', '/api/v1/configmaps');
      const found = (json['items'] as readonly KubeObject[]).map(({ metadata }) => metadata.name);
      return JSON.stringify(found) === JSON.stringify(names) ? [] : [JSON.stringify(found)];
    },
    2,
  );
}

test('[k8s 106] what an object owns goes after it, down a chain, and nothing else', async (t) => {
  const api = await serve();
  let owner = await make(api, 'a0');
  for (let depth = 1; depth < 8; depth += 1) {
    owner = await make(api, `a${depth}`, { owners: [ownedBy(owner)] });
  }
  await make(api, 'other');
  await api.call('DELETE', pathOf('a0'));
  await leaves(api, 'other');
  t.pass();
});

test('[k8s 106] one of two owners is enough to stay, and the other is forgotten', async (t) => {
  const api = await serve();
  const [a, b] = [await make(api, 'a'), await make(api, 'b')];
  await make(api, 'child', { owners: [ownedBy(a), ownedBy(b)] });
  await api.call('DELETE', pathOf('a'));
  await eventually(
    2000,
    async () => {
      const { json } = await api.call('GET', pathOf('child'));
      const owners = (json as unknown as KubeObject).metadata.ownerReferences ?? [];
      return owners.length === 1 && owners[0]?.name === 'b' ? [] : [JSON.stringify(owners)];
    },
    2,
  );
  await api.call('DELETE', pathOf('b'));
  await leaves(api);
  t.pass();
});

test('[k8s 106] an owner that was never there takes its dependent with it', async (t) => {
  const api = await serve();
  const ghost = { apiVersion: 'v1', kind: 'ConfigMap', name: 'ghost', uid: 'nobody' };
  await make(api, 'child', { owners: [ghost] });
  await leaves(api);
  t.pass();
});

test('[k8s 106] an owner of the right name and another uid is no owner', async (t) => {
  const api = await serve();
  const owner = await make(api, 'owner');
  await make(api, 'child', { owners: [ownedBy(owner, { uid: 'former' })] });
  await leaves(api, 'owner');
  t.pass();
});

test('[k8s 106] an owner in another namespace is absent, a cluster-scoped one is not', async (t) => {
  const api = await serve();
  await api.call('POST', '/api/v1/namespaces', { metadata: { name: 'far' } });
  const far = await make(api, 'far-owner', { namespace: 'far' });
  await make(api, 'across', { owners: [ownedBy(far)] });
  const cluster = await api.call('POST', clusters, { metadata: { name: 'c' } });
  await make(api, 'of-cluster', { owners: [ownedBy(cluster.json as unknown as KubeObject)] });
  await leaves(api, 'of-cluster', 'far-owner');
  await api.call('DELETE', `${clusters}/c`);
  await leaves(api, 'far-owner');
  t.pass();
});

test('[k8s 106] P4. an owner of a kind that is not served here leaves the object alone', async (t) => {
  const api = await serve();
  const owner = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'd', uid: 'u' };
  await make(api, 'kept', { owners: [owner] });
  // A probe that is collected after it shows that its turn has been.
  await make(api, 'probe', { owners: [{ ...owner, apiVersion: 'v1', kind: 'ConfigMap' }] });
  await leaves(api, 'kept');
  t.pass();
});

test('[k8s 106] Orphan leaves the dependents, which forget their owner', async (t) => {
  const api = await serve();
  const owner = await make(api, 'owner');
  await make(api, 'child', { owners: [ownedBy(owner)] });
  const { json } = await api.call('DELETE', pathOf('owner'), { propagationPolicy: 'Orphan' });
  t.like(json, { kind: 'ConfigMap', metadata: { finalizers: ['orphan'] } });
  await leaves(api, 'child');
  const child = (await api.call('GET', pathOf('child'))).json as unknown as KubeObject;
  t.is(child.metadata.ownerReferences, undefined);
});

test('[k8s 106] Foreground waits for who blocks it, and not for who does not', async (t) => {
  const api = await serve();
  const owner = await make(api, 'owner');
  const blocks = { blockOwnerDeletion: true };
  const stuck = { finalizers: ['example.com/wait'] };
  await make(api, 'blocking', { owners: [ownedBy(owner, blocks)], ...stuck });
  await make(api, 'free', { owners: [ownedBy(owner)] });
  await api.call('DELETE', pathOf('owner'), { propagationPolicy: 'Foreground' });
  await leaves(api, 'blocking', 'owner');
  const kept = (await api.call('GET', pathOf('owner'))).json as unknown as KubeObject;
  t.deepEqual(kept.metadata.finalizers, ['foregroundDeletion']);
  await api.call(
    'PATCH',
    pathOf('blocking'),
    { metadata: { finalizers: null } },
    { 'content-type': 'application/merge-patch+json' },
  );
  await leaves(api);
});

test('[k8s 106] Foreground goes down a chain from its end', async (t) => {
  const api = await serve();
  const from = api.desired.revision();
  const blocks = { blockOwnerDeletion: true };
  const a = await make(api, 'a');
  const b = await make(api, 'b', { owners: [ownedBy(a, blocks)] });
  await make(api, 'c', { owners: [ownedBy(b, blocks)] });
  await api.call('DELETE', pathOf('a'), { propagationPolicy: 'Foreground' });
  await leaves(api);
  const gone: string[] = [];
  const handle = api.desired.watch('core/configmaps/', from, (events) => {
    for (const { kind, current } of events) {
      if (kind === 'deleted') gone.push(current.object.metadata.name);
    }
  });
  if (handle !== 'expired') handle.cancel();
  t.deepEqual(gone, ['c', 'b', 'a']);
});

test('[k8s 106] a circle of owners that block each other opens', async (t) => {
  const api = await serve();
  const blocks = { blockOwnerDeletion: true };
  const a = await make(api, 'a');
  const b = await make(api, 'b', { owners: [ownedBy(a, blocks)] });
  await api.call(
    'PATCH',
    pathOf('a'),
    { metadata: { ownerReferences: [ownedBy(b, blocks)] } },
    { 'content-type': 'application/merge-patch+json' },
  );
  await api.call('DELETE', pathOf('a'), { propagationPolicy: 'Foreground' });
  await leaves(api);
  t.pass();
});

test('[k8s 106] P5. the collector takes its finalizer last when ours stands beside it', async (t) => {
  const api = await serve();
  await make(api, 'held', { finalizers: ['isthmus.dev/shards'] });
  await make(api, 'foreign', { finalizers: ['example.com/x'] });
  const orphan = { propagationPolicy: 'Orphan' };
  await api.call('DELETE', pathOf('held'), orphan);
  await api.call('DELETE', pathOf('foreign'), orphan);
  await eventually(
    2000,
    async () => {
      const { metadata } = (await api.call('GET', pathOf('foreign'))).json as unknown as KubeObject;
      return metadata.finalizers?.length === 1 ? [] : ['not yet'];
    },
    2,
  );
  const held = (await api.call('GET', pathOf('held'))).json as unknown as KubeObject;
  t.deepEqual(held.metadata.finalizers, ['isthmus.dev/shards', 'orphan']);
});

test('[k8s 106] what was owned before the server started is collected after it', async (t) => {
  const api = await serve();
  const owner = { apiVersion: 'v1', kind: 'ConfigMap', name: 'gone', uid: 'gone' };
  await api.api.close();
  await make(api, 'child', { owners: [owner] });
  const again = await createApiFixture({ kinds: memberKinds(), desired: api.desired });
  await leaves(again);
  await again.api.close();
  t.pass();
});

test('[k8s 106] dropping a reference needs no field owner to agree, and leaves no trace of one', async (t) => {
  const api = await serve();
  const [a, b] = [await make(api, 'a'), await make(api, 'b')];
  await make(api, 'child', { owners: [ownedBy(a), ownedBy(b)] });
  await api.call('DELETE', pathOf('a'));
  await eventually(
    2000,
    async () => {
      const { metadata } = (await api.call('GET', pathOf('child'))).json as unknown as KubeObject;
      return metadata.ownerReferences?.length === 1 ? [] : ['not yet'];
    },
    2,
  );
  const { metadata } = (await api.call('GET', pathOf('child'))).json as unknown as KubeObject;
  const fields = JSON.stringify(metadata.managedFields);
  t.true(fields.includes(b.metadata.uid ?? '?'));
  t.false(fields.includes(a.metadata.uid ?? '?'));
});
