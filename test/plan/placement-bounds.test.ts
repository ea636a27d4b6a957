// No shard is larger than what an agent takes: one that is would end the session of its cluster,
// for everybody's Services.

import test from 'ava';
import type { Cluster, ServicePolicy, ShardOverride } from '../../common/model/isthmus-kinds.ts';
import type { Service } from '../../common/model/kube-object.ts';
import { createAdmission } from '../../coordinator/admission/admission.ts';
import { judgeOverrides } from '../../coordinator/admission/admission-overrides.ts';
import { serviceKind } from '../../coordinator/api/kinds/service/service.ts';
import { namespaceKind } from '../../coordinator/api/kinds/namespace.ts';
import type { Admit } from '../../coordinator/api/machinery/api.ts';
import { planPlacement } from '../../coordinator/placement/plan.ts';
import { shardBytesMax } from '../../coordinator/placement/plan-overrides.ts';
import { createApiFixture } from '../support/api-fixture.ts';

const service: Service = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'web', namespace: 'default' },
  spec: { type: 'ClusterIP', ports: [{ port: 80 }] },
};
const cluster: Cluster = {
  apiVersion: 'isthmus.dev/v1alpha1',
  kind: 'Cluster',
  metadata: { name: 'one' },
};

function planWith(overrides: readonly ShardOverride[]) {
  const policy: ServicePolicy = {
    apiVersion: 'isthmus.dev/v1alpha1',
    kind: 'ServicePolicy',
    metadata: { name: 'p', namespace: 'default' },
    spec: { serviceName: 'web', overrides },
  };
  return planPlacement({ service, policies: [policy], clusters: [cluster] });
}

const large = 'x'.repeat(shardBytesMax / 2);

test('I10 an override that makes a shard too large fails with its place', (t) => {
  const half = planWith([{ annotations: { a: large } }]);
  t.is(half.failures.size, 0);
  const both = planWith([{ annotations: { a: large } }, { annotations: { b: large } }]);
  const [failure] = both.failures.values();
  t.is(failure?.field, 'overrides[1]');
  t.regex(failure?.message ?? '', /larger than \d+ bytes/);
});

test('I10 an override that doubles the shard again and again fails at once', (t) => {
  const double = { op: 'copy', from: '/spec/x', path: '/spec/x/-' } as const;
  const patch = [
    { op: 'add', path: '/spec/x', value: ['0123456789'] } as const,
    ...Array.from({ length: 60 }, () => double),
  ];
  const [failure] = planWith([{ patch }]).failures.values();
  t.regex(failure?.field ?? '', /^overrides\[0\]\.patch\[\d+\]$/);
});

test('I10 one Service has so many different shards: more are refused, and are not made', (t) => {
  const clusters = Array.from({ length: 300 }, (_, at) => ({
    ...cluster,
    metadata: { name: `c-${String(at).padStart(3, '0')}` },
  }));
  const overrides = Array.from({ length: 10 }, (_, bit) => ({
    clusters: clusters.filter((_one, at) => (at >> bit) % 2 === 1).map((one) => one.metadata.name),
    annotations: { [`a${bit}`]: 'x' },
  }));
  const policy: ServicePolicy = {
    apiVersion: 'isthmus.dev/v1alpha1',
    kind: 'ServicePolicy',
    metadata: { name: 'p', namespace: 'default' },
    spec: { serviceName: 'web', overrides },
  };
  const plan = planPlacement({ service, policies: [policy], clusters });
  t.is(new Set(plan.variants.values()).size, 100);
  t.is(plan.failures.size, 300 - 1 - 100); // one has no override
  const [error, ...others] = judgeOverrides(policy, service, clusters);
  t.is(error?.field, 'spec.overrides');
  t.regex(error?.message ?? '', /more than 100 different shards/);
  t.deepEqual(others, []);
});

test('I10 a Service that no member cluster could store is refused', async (t) => {
  const late: { admit?: Admit } = {};
  const api = await createApiFixture({
    kinds: [namespaceKind, serviceKind({ federation: true })],
    admit: (change) => late.admit?.(change) ?? Promise.resolve({ warnings: [] }),
  });
  late.admit = createAdmission({
    ...api,
    placement: { clustersOf: () => [] },
    sessions: { session: () => undefined, hasForeignService: () => false },
    scope: { federation: 'myfederation', domain: 'example.com' },
  });
  // Each character takes six bytes as JSON, and one of what annotations may have.
  const annotations = { a: '\u0001'.repeat(250_000) };
  const labels = Object.fromEntries(
    Array.from({ length: 400 }, (_, at) => [`${'a'.repeat(200)}.example/l${at}`, 'b'.repeat(63)]),
  );
  const body = { ...service, metadata: { ...service.metadata, annotations, labels } };
  const answer = await api.call('POST', '/api/v1/namespaces/default/services', body);
  t.is(answer.status, 413);
  t.regex(String(answer.json['message']), /a Service is at most \d+ bytes/);
});
