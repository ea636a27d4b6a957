// Our kinds beside custom resources of the same schemas in a real kube-apiserver: one script of
// requests, equal answers.

import { clusterKind } from '../../coordinator/api/kinds/isthmus/cluster.ts';
import { servicePolicyKind } from '../../coordinator/api/kinds/isthmus/service-policy.ts';
import { namespaceKind } from '../../coordinator/api/kinds/namespace.ts';
import { createApiFixture } from '../support/api-fixture.ts';
import { toCustomResource } from '../support/custom-resource.ts';
import { eventually } from '../support/eventually.ts';
import { startKubeApiserver, type KubeApiserver } from '../support/kube-apiserver.ts';
import { testWithPeers } from '../support/peers.ts';

const test = testWithPeers('etcd', 'kube-apiserver');

const base = '/apis/isthmus.dev/v1alpha1';
const clusters = `${base}/clusters`;
const policies = `${base}/namespaces/default/servicepolicies`;
const kinds = [clusterKind, servicePolicyKind];

type Step = readonly [title: string, method: string, path: string, body?: object, type?: string];

const merge = 'application/merge-patch+json';
const apply = 'application/apply-patch+yaml';
const at = '2026-01-02T03:04:05Z';
const ready = { type: 'Ready', status: 'True', reason: 'R', message: '', lastTransitionTime: at };
const of = (kind: string) => ({ apiVersion: 'isthmus.dev/v1alpha1', kind });
const cluster = (more: object): object => ({ ...of('Cluster'), ...more });
const policy = (name: string, spec?: object): object => ({
  ...of('ServicePolicy'),
  metadata: { name },
  ...(spec === undefined ? {} : { spec }),
});
const placed = (...names: readonly string[]): object => ({
  serviceName: 'web',
  placement: { clusters: names },
});
const x = { name: 'x' };

const steps: readonly Step[] = [
  ['create', 'POST', clusters, cluster({ metadata: x, spec: { zone: 'a', region: 'r' } })],
  ['create again', 'POST', clusters, cluster({ metadata: x })],
  [
    'a status in a create',
    'POST',
    clusters,
    cluster({ metadata: { name: 'y' }, status: { region: 'r' } }),
  ],
  [
    'a long zone',
    'POST',
    clusters,
    cluster({ metadata: { name: 'z' }, spec: { zone: 'z'.repeat(64) } }),
  ],
  [
    'an unknown field',
    'POST',
    `${clusters}?fieldValidation=Strict`,
    cluster({ metadata: { name: 'z' }, spec: { zoen: 'z' } }),
  ],
  ['a label', 'PATCH', `${clusters}/x`, { metadata: { labels: { a: 'b' } } }, merge],
  ['the spec', 'PATCH', `${clusters}/x`, { spec: { zone: 'b' } }, merge],
  ['the spec as it is', 'PATCH', `${clusters}/x`, { spec: { zone: 'b' } }, merge],
  [
    'a status',
    'PATCH',
    `${clusters}/x/status`,
    { status: { conditions: [ready] }, spec: { zone: 'no' } },
    merge,
  ],
  ['a status at the wrong place', 'PATCH', `${clusters}/x`, { status: { region: 'no' } }, merge],
  [
    'a status that is none',
    'PATCH',
    `${clusters}/x/status`,
    { status: { conditions: [{ ...ready, status: 'Maybe' }] } },
    merge,
  ],
  [
    'a condition twice',
    'PATCH',
    `${clusters}/x/status`,
    { status: { conditions: [ready, ready] } },
    merge,
  ],
  [
    'half a condition',
    'PATCH',
    `${clusters}/x/status`,
    { status: { conditions: [{ type: 'A' }] } },
    merge,
  ],
  [
    'a place that is too long',
    'PATCH',
    `${clusters}/x/status`,
    { status: { region: 'r'.repeat(64) } },
    merge,
  ],
  ['strategic', 'PATCH', `${clusters}/x`, {}, 'application/strategic-merge-patch+json'],
  ['put of what is not there', 'PUT', `${clusters}/none`, cluster({ metadata: { name: 'none' } })],
  ['delete', 'DELETE', `${clusters}/x`],
  ['a policy without a spec', 'POST', policies, policy('p')],
  ['a policy without a Service', 'POST', policies, policy('p', {})],
  ['a cluster twice', 'POST', policies, policy('p', placed('b', 'c', 'b'))],
  ['a cluster in capitals', 'POST', policies, policy('p', placed('B'))],
  [
    'less than none',
    'POST',
    policies,
    policy('p', { serviceName: 'web', health: { minReadyEndpoints: -1 } }),
  ],
  ['apply', 'PATCH', `${policies}/p?fieldManager=one`, policy('p', placed('a', 'b')), apply],
  [
    'apply by another',
    'PATCH',
    `${policies}/p?fieldManager=two`,
    policy('p', placed('b', 'c')),
    apply,
  ],
  ['apply less', 'PATCH', `${policies}/p?fieldManager=one`, policy('p', placed('a')), apply],
  [
    'a conflict',
    'PATCH',
    `${policies}/p?fieldManager=two`,
    policy('p', { serviceName: 'other' }),
    apply,
  ],
  ['remove', 'DELETE', `${policies}/p`],
];

/** What differs from run to run, and no more. */
function toComparable(status: number, text: string): unknown {
  const volatile = new Set(['uid', 'creationTimestamp', 'resourceVersion', 'time']);
  const body: unknown = JSON.parse(text, (key, value: unknown) =>
    volatile.has(key) ? `<${key}>` : value,
  );
  return { status, body };
}

async function define(theirs: KubeApiserver): Promise<void> {
  for (const kind of kinds) {
    const path = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
    const { status, text } = await theirs.ask({
      method: 'POST',
      path,
      body: toCustomResource(kind),
    });
    if (status !== 201) throw new Error(text);
  }
  await eventually(20_000, async () => {
    const answers = await Promise.all([clusters, policies].map((path) => theirs.ask({ path })));
    return answers.every(({ status }) => status === 200) ? [] : ['not served yet'];
  });
}

test('[k8s 116] our kinds answer as custom resources of the same schemas do', async (t) => {
  t.timeout(120_000);
  const theirs = await startKubeApiserver();
  t.teardown(() => theirs.stop());
  const ours = await createApiFixture({ kinds: [namespaceKind, ...kinds] });
  await define(theirs);
  for (const [title, method, path, body, type = 'application/json'] of steps) {
    const headers = { 'content-type': type };
    const [mine, real] = await Promise.all([
      ours.call(method, path, body, headers),
      theirs.ask({ method, path, headers, ...(body === undefined ? {} : { body }) }),
    ]);
    t.deepEqual(toComparable(mine.status, mine.text), toComparable(real.status, real.text), title);
  }
});
