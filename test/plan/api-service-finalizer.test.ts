import test from 'ava';
import type { KubeObject } from '../../common/model/kube-object.ts';
import { serviceKind } from '../../coordinator/api/kinds/service/service.ts';
import type { WriteContext } from '../../coordinator/api/machinery/kind.ts';

const context: WriteContext = {
  user: { name: 'ana', groups: [] },
  nowMs: 0,
  secretBytes: () => new Uint8Array(),
  isDryRun: false,
  subresource: '',
  read: () => undefined,
  warn: () => undefined,
};

function service(metadata: Partial<KubeObject['metadata']> = {}): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'nginx', namespace: 'default', ...metadata },
    spec: { type: 'LoadBalancer', ports: [{ port: 80, protocol: 'TCP', targetPort: 80 }] },
  };
}

const old = service({ finalizers: ['isthmus.dev/shards'] });

test('I2 a Service put back whole keeps the finalizer that its shards need', (t) => {
  const next = serviceKind({ federation: true }).prepareForUpdate?.(service(), old, context);
  t.deepEqual(next?.metadata.finalizers, ['isthmus.dev/shards']);
});

test('a Service that is going may lose its last finalizer', (t) => {
  const going = {
    ...old,
    metadata: { ...old.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' },
  };
  const next = serviceKind({ federation: true }).prepareForUpdate?.(service(), going, context);
  t.deepEqual(next?.metadata.finalizers ?? [], []);
});

test('a member cluster’s Service gets no finalizer of the federation', (t) => {
  const next = serviceKind({ federation: false }).prepareForUpdate?.(service(), service(), context);
  t.is(next?.metadata.finalizers, undefined);
});
