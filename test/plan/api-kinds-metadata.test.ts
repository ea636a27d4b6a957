import test from 'ava';
import type { KubeObject } from '../../common/model/kube-object.ts';
import {
  validateMetadata,
  validateMetadataUpdate,
} from '../../coordinator/api/machinery/rules/object-rules.ts';
import { lines, serviceKind } from '../support/api-service.ts';

const meta = (metadata: object): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'a', namespace: 'd', ...metadata },
});

for (const [title, metadata, expected] of [
  ['no name', { name: '' }, 'metadata.name: Required value: name or generateName is required'],
  ['no namespace', { namespace: '' }, 'metadata.namespace: Required value'],
  [
    'a lone finalizer',
    { finalizers: ['foo'] },
    'metadata.finalizers[0]: Invalid value: "foo": name is neither a standard finalizer name nor is it fully qualified',
  ],
  [
    'too many annotations',
    { annotations: { a: 'x'.repeat(262144) } },
    'metadata.annotations: Too long: may not be more than 262144 bytes',
  ],
  [
    'an owner without uid',
    { ownerReferences: [{ apiVersion: 'v1', kind: 'Pod', name: 'p' }] },
    'metadata.ownerReferences.uid: Invalid value: "": must not be empty',
  ],
] as const) {
  test(`metadata rules: ${title}`, (t) => {
    t.deepEqual(lines(validateMetadata(meta(metadata), serviceKind)), [expected]);
  });
}

test('metadata rules: labels; names that would break a key; identity is immutable', (t) => {
  const fields = validateMetadata(meta({ labels: { 'a b': '1', c: '-' } }), serviceKind);
  t.deepEqual(
    fields.map(({ field }) => field),
    ['metadata.labels', 'metadata.labels'],
  );
  t.is(validateMetadata(meta({ name: 'a/b' }), serviceKind)[0]?.field, 'metadata.name');
  t.deepEqual(validateMetadata(meta({ generateName: 'a-', name: 'a-x' }), serviceKind), []);
  t.deepEqual(lines(validateMetadataUpdate(meta({ uid: 'x' }), meta({ uid: 'y' }), serviceKind)), [
    'metadata.uid: Invalid value: "x": field is immutable',
    'metadata.uid: Invalid value: "x": field is immutable',
  ]);
  const deleting = { deletionTimestamp: '2026-01-01T00:00:00Z' };
  t.deepEqual(
    lines(
      validateMetadataUpdate(
        meta({ ...deleting, finalizers: ['a/b'] }),
        meta(deleting),
        serviceKind,
      ),
    ),
    [
      'metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{"a/b"}',
      'metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{"a/b"}',
    ],
  );
});
