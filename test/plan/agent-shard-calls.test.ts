// What each failed call is told as and when it is tried again, who may call now, and who changed
// a field.

import test from 'ava';
import { toServiceKey, type ServiceKey } from '../../common/model/ids.ts';
import type { KubeObject } from '../../common/model/kube-object.ts';
import { MeshError } from '../../common/pure/errors.ts';
import { toStatusError } from '../../common/runtime/kube-http-errors.ts';
import { findCulprit } from '../../agent/shard/culprit.ts';
import { retryDelayMs, toFailure } from '../../agent/shard/failure.ts';
import { createLanes } from '../../agent/shard/lanes.ts';

const key = toServiceKey({ namespace: 'shop', name: 'web' });

/** Answers of a real kube-apiserver 1.34. */
const answers: readonly (readonly [number, string, readonly string[], string, RegExp])[] = [
  [
    500,
    'failed to create typed patch object (shop/web; /v1, Kind=Service): .spec.futureField: field not declared in schema',
    [],
    'UnsupportedField',
    /futureField.*override/,
  ],
  [
    422,
    'Service "web" is invalid: spec.trafficDistribution: Unsupported value: "Bogus": supported values: "PreferClose"',
    ['FieldValueNotSupported'],
    'UnsupportedField',
    /upgrade the cluster/,
  ],
  [
    422,
    'Service "web" is invalid: spec.clusterIPs[0]: Invalid value: ["None"]: may not change once set',
    ['FieldValueInvalid'],
    'ImmutableField',
    /kubectl delete service -n shop web/,
  ],
  [
    422,
    'Service "web" is invalid: spec.ports[0].nodePort: Invalid value: 30080: provided port is already allocated',
    ['FieldValueInvalid'],
    'NodePortTaken',
    /30080/,
  ],
  [
    422,
    'Service "web" is invalid: metadata.annotations: Too long: may not be more than 262144 bytes',
    ['FieldValueTooLong'],
    'Invalid',
    /262144/,
  ],
  [
    500,
    'Internal error occurred: failed calling webhook "h.example.com": failed to call webhook: connection refused',
    [],
    'WebhookUnavailable',
    /h\.example\.com/,
  ],
  [403, 'services "web" is forbidden: exceeded quota: none', [], 'QuotaExceeded', /quota/],
  [
    403,
    'services "web" is forbidden: unable to create new content in namespace shop because it is being terminated',
    ['NamespaceTerminating'],
    'NamespaceTerminating',
    /terminated/,
  ],
  [
    422,
    "services \"web\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'p' denied request: no",
    [],
    'AdmissionRefused',
    /denied/,
  ],
  [403, 'services "web" is forbidden: User "a" cannot patch', [], 'Forbidden', /role/],
];

for (const [code, message, causes, reason, text] of answers) {
  test(`${reason}: ${message.slice(0, 70)}`, (t) => {
    const details = { causes: causes.map((cause) => ({ reason: cause })) };
    const status = JSON.stringify({ kind: 'Status', code, message, details });
    const result = toFailure(key, undefined, toStatusError('PATCH services/web', code, status));
    t.like(result, { outcome: 'failed', reason });
    t.regex(result.message, text);
  });
}

test('a refused write is tried at once, then less and less often, within its kind’s bound', (t) => {
  const delays = (code: string): readonly number[] =>
    [1, 2, 3, 6, 20, 1_000].map((failures) =>
      retryDelayMs(new MeshError('fatal', code, ''), { failures, fraction: 1 }),
    );
  t.deepEqual(delays('KUBE_INVALID'), [500, 1_000, 2_000, 16_000, 300_000, 300_000]);
  t.deepEqual(delays('KUBE_QUOTA_EXCEEDED').at(-1), 120_000);
  t.deepEqual(delays('KUBE_TIMEOUT').at(-1), 30_000);
  t.is(retryDelayMs(new Error('?'), { failures: 1, fraction: 0 }), 250);
});

const keysOf = (namespace: string, count: number): readonly ServiceKey[] =>
  Array.from({ length: count }, (_, at) => toServiceKey({ namespace, name: `s${at}` }));

test('I10: a namespace that hangs holds neither all calls nor, once known, more than one', (t) => {
  const woken: ServiceKey[] = [];
  const lanes = createLanes((one) => void woken.push(one));
  const hanging = keysOf('hangs', 10);
  const admitted = hanging.filter((one) => lanes.enter(one));
  t.is(admitted.length, 4);
  t.true(lanes.enter(toServiceKey({ namespace: 'fine', name: 'a' })));

  for (const one of admitted) lanes.leave(one, true);
  t.deepEqual(woken, hanging.slice(4, 5)); // there is room for one
  t.deepEqual(
    hanging.slice(4).filter((one) => lanes.enter(one)),
    hanging.slice(4, 5),
  );
  const others = ['b', 'c', 'd'].map((namespace) => toServiceKey({ namespace, name: 'x' }));
  for (const one of others) {
    t.true(lanes.enter(one));
    lanes.leave(one, true);
  }
  t.is(others.filter((one) => lanes.enter(one)).length, 1, 'two calls for all that hang');
  woken.length = 0;
  lanes.leave(hanging[4] ?? key, false); // answered again
  t.is(woken.filter((one) => hanging.includes(one)).length, 4);
});

test('who must wait for a lane is woken once there is room, the first first', (t) => {
  const woken: ServiceKey[] = [];
  const lanes = createLanes((one) => void woken.push(one));
  const keys = keysOf('busy', 7);
  const running = keys.filter((one) => lanes.enter(one));
  lanes.leave(running[0] ?? key, false);
  lanes.leave(running[1] ?? key, false);
  t.deepEqual([...new Set(woken)].slice(0, 2), keys.slice(4, 6));
});

const entry = (manager: string, time: string, fieldsV1: object): object => ({
  manager,
  operation: 'Update',
  time,
  fieldsV1,
});
const withManagers = (managedFields: readonly object[]): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'web', managedFields: managedFields as never },
});

test('the culprit is who owns the field that changed, else who wrote last', (t) => {
  const selector = { 'f:spec': { 'f:selector': {} } };
  const labels = { 'f:metadata': { 'f:labels': { 'f:app.kubernetes.io/name': {} } } };
  const live = withManagers([
    entry('isthmus', '2026-01-09T00:00:00Z', selector),
    entry('argocd', '2026-01-02T00:00:00Z', selector),
    entry('helm', '2026-01-03T00:00:00Z', labels),
    { ...entry('kcm', '2026-01-08T00:00:00Z', { 'f:status': {} }), subresource: 'status' },
  ]);
  t.is(findCulprit(live, ['spec.selector'], 'isthmus'), 'argocd');
  t.is(findCulprit(live, ['metadata.labels.app.kubernetes.io/name'], 'isthmus'), 'helm');
  t.is(findCulprit(live, ['spec.ports'], 'isthmus'), 'helm');
  t.is(findCulprit(withManagers([]), ['spec.ports'], 'isthmus'), undefined);
});
