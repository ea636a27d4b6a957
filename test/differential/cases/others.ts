// The neighbours of Services: events, ConfigMaps, Secrets, Leases, read-only views.

import { configMap } from '../objects.ts';
import { del, get, patch, post, put, setup, type Area } from '../step.ts';

type Fields = Readonly<Record<string, unknown>>;
const v1 = (name: string, more: Fields = {}): Fields => ({
  apiVersion: 'v1',
  kind: 'Event',
  metadata: { name },
  involvedObject: { apiVersion: 'v1', kind: 'Service', namespace: '{ns}', name: 's' },
  ...more,
});
const at = '/apis/events.k8s.io/v1/namespaces/{ns}/events';
const strict = (name: string, more: Fields = {}): Fields => ({
  apiVersion: 'events.k8s.io/v1',
  kind: 'Event',
  metadata: { name },
  eventTime: '2026-01-02T03:04:05.000000Z',
  reportingController: 'example.com/c',
  reportingInstance: 'c-1',
  action: 'Doing',
  reason: 'Done',
  type: 'Normal',
  regarding: { apiVersion: 'v1', kind: 'Service', namespace: '{ns}', name: 's' },
  note: 'a note',
  ...more,
});
function manyKeys(count: number): Readonly<Record<string, string>> {
  return Object.fromEntries(Array.from({ length: count }, (_, index) => [`k${index}`, 'v']));
}

const table = { headers: { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' } };

export const events: Area = {
  name: 'events',
  steps: [
    post('lax [k8s 112]', 'events', v1('e1', { reason: 'R', message: 'm' })),
    post(
      'full [k8s 112]',
      'events',
      v1('e2', {
        reason: 'R',
        message: 'm',
        type: 'Warning',
        source: { component: 'c', host: 'h' },
        firstTimestamp: '2026-01-02T03:04:05Z',
        lastTimestamp: '2026-01-02T03:05:05Z',
        count: 3,
      }),
    ),
    post(
      'another namespace [k8s 112]',
      'events',
      v1('e3', { involvedObject: { kind: 'Service', namespace: 'other', name: 's' } }),
    ),
    post('no object [k8s 112]', 'events', { ...v1('e4'), involvedObject: {} }),
    post('a type that is none [k8s 112]', 'events', v1('e5', { type: 'Loud' })),
    get('the new group reads it [k8s 112]', `${at}/e2`),
    post('the new group [k8s 112]', at, strict('n1')),
    get('the old group reads it [k8s 112]', 'events/n1'),
    ...[
      'eventTime',
      'reportingController',
      'reportingInstance',
      'action',
      'reason',
      'type',
      'regarding',
    ].map((member) =>
      post(
        `strict: no ${member} [k8s 112]`,
        at,
        strict(`x-${member.toLowerCase()}`, { [member]: undefined }),
      ),
    ),
    post('strict: a type that is none [k8s 112]', at, strict('x1', { type: 'Loud' })),
    post('strict: a note too long [k8s 112]', at, strict('x2', { note: 'x'.repeat(1025) })),
    post(
      'strict: old members [k8s 112]',
      at,
      strict('x3', { deprecatedCount: 3, deprecatedSource: { component: 'c' } }),
    ),
    post(
      'strict: a malformed controller [k8s 112]',
      at,
      strict('x4', { reportingController: 'a b' }),
    ),
    post(
      'strict: a series of one [k8s 112]',
      at,
      strict('x5', { series: { count: 1, lastObservedTime: '2026-01-02T03:04:05.000000Z' } }),
    ),
    patch('strategic', 'the count is patched [k8s 112]', 'events/e2', {
      count: 4,
      lastTimestamp: '2026-01-02T03:06:05Z',
    }),
    patch('merge', 'the series is patched [k8s 112]', `${at}/n1`, {
      series: { count: 2, lastObservedTime: '2026-01-02T03:06:05.000000Z' },
    }),
    patch('merge', 'another note is refused [k8s 112]', `${at}/n1`, { note: 'other' }),
    put('update [k8s 112]', 'events/e1', v1('e1', { reason: 'R2', message: 'm2' })),
    get('as table [k8s 43]', 'events', table),
    get('the new group as table [k8s 43]', at, table),
    get(
      'by object [k8s 43]',
      'events?fieldSelector=involvedObject.name%3Ds,involvedObject.kind%3DService',
    ),
    get('by type [k8s 43]', 'events?fieldSelector=type%3DWarning'),
    get('by source [k8s 43]', 'events?fieldSelector=source%3Dc'),
    get('by reason, new group [k8s 43]', `${at}?fieldSelector=reason%3DDone`),
    get('by regarding [k8s 43]', `${at}?fieldSelector=regarding.name%3Ds`),
    get('old member in the new group [k8s 43]', `${at}?fieldSelector=involvedObject.name%3Ds`),
    get('new member in the old group [k8s 43]', 'events?fieldSelector=regarding.name%3Ds'),
    del('delete [k8s 112]', 'events/e1'),
    del('delete all [k8s 112]', at),
  ],
};

const secret = (name: string, more: Fields = {}): Fields => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name },
  ...more,
});

export const config: Area = {
  name: 'config',
  steps: [
    post('ConfigMap [k8s 113]', 'configmaps', configMap('a', { x: '1' })),
    post('binary [k8s 113]', 'configmaps', configMap('b', {}, { binaryData: { x: 'AAEC' } })),
    post('not base64 [k8s 113]', 'configmaps', configMap('c', {}, { binaryData: { x: '?' } })),
    post(
      'a key twice [k8s 113]',
      'configmaps',
      configMap('c', { x: '1' }, { binaryData: { x: 'AAEC' } }),
    ),
    post('an empty key [k8s 113]', 'configmaps', configMap('c', { '': '1' })),
    post('invalid keys [k8s 113]', 'configmaps', configMap('c', { 'a b': '1' })),
    post('too large [k8s 113]', 'configmaps', configMap('c', { x: 'x'.repeat(1024 * 1024 + 1) })),
    post('very many keys [k8s 113]', 'configmaps', configMap('many', manyKeys(6_000))),
    del('it goes [k8s 113]', 'configmaps/many'),
    post('a number as value [k8s 24]', 'configmaps', configMap('c', { x: 1 })),
    post('immutable [k8s 113]', 'configmaps', configMap('i', { x: '1' }, { immutable: true })),
    patch('merge', 'data of an immutable [k8s 113]', 'configmaps/i', { data: { x: '2' } }),
    patch('merge', 'immutable false [k8s 113]', 'configmaps/i', { immutable: false }),
    patch('merge', 'labels of an immutable [k8s 113]', 'configmaps/i', {
      metadata: { labels: { a: 'b' } },
    }),
    post('a name with dots [k8s 113]', 'configmaps', configMap('a.b.c')),
    post('an invalid name [k8s 113]', 'configmaps', configMap('A_b')),
    put('update [k8s 113]', 'configmaps/a', configMap('a', { y: '2' })),
    post('Secret [k8s 113]', 'secrets', secret('a', { data: { k: 'djE=' } })),
    post(
      'stringData [k8s 113]',
      'secrets',
      secret('b', { stringData: { k: 'v' }, data: { k: 'eA==', l: 'eQ==' } }),
    ),
    post('a type [k8s 113]', 'secrets', secret('c', { type: 'example.com/x' })),
    post('not base64 [k8s 113], of a Secret', 'secrets', secret('d', { data: { k: '?' } })),
    post('an empty key [k8s 113], of a Secret', 'secrets', secret('d', { data: { '': '' } })),
    post('TLS without its keys [k8s 113]', 'secrets', secret('d', { type: 'kubernetes.io/tls' })),
    post(
      'TLS [k8s 113]',
      'secrets',
      secret('tls', { type: 'kubernetes.io/tls', data: { 'tls.crt': 'eA==', 'tls.key': 'eA==' } }),
    ),
    post('basic auth [k8s 113]', 'secrets', secret('d', { type: 'kubernetes.io/basic-auth' })),
    post('ssh auth [k8s 113]', 'secrets', secret('d', { type: 'kubernetes.io/ssh-auth' })),
    post('dockercfg [k8s 113]', 'secrets', secret('d', { type: 'kubernetes.io/dockercfg' })),
    post(
      'dockerconfigjson [k8s 113]',
      'secrets',
      secret('d', {
        type: 'kubernetes.io/dockerconfigjson',
        data: { '.dockerconfigjson': 'eA==' },
      }),
    ),
    post(
      'a service account token [k8s 113]',
      'secrets',
      secret('d', { type: 'kubernetes.io/service-account-token' }),
    ),
    post(
      'an immutable Secret [k8s 113]',
      'secrets',
      secret('i', { immutable: true, data: { k: 'djE=' } }),
    ),
    patch('merge', 'data of an immutable Secret [k8s 113]', 'secrets/i', {
      stringData: { k: 'x' },
    }),
    patch('merge', 'the type does not change [k8s 113]', 'secrets/a', { type: 'example.com/y' }),
    patch('merge', 'stringData by patch [k8s 113]', 'secrets/a', { stringData: { n: 'new' } }),
    get('by type [k8s 54]', 'secrets?fieldSelector=type%3Dexample.com%2Fx'),
    get('Secrets as table [k8s 35]', 'secrets', table),
    get('ConfigMaps as table [k8s 35]', 'configmaps', table),
  ],
};

const leases = '/apis/coordination.k8s.io/v1/namespaces/{ns}/leases';
const lease = (name: string, spec: Fields): Fields => ({
  apiVersion: 'coordination.k8s.io/v1',
  kind: 'Lease',
  metadata: { name },
  spec,
});
const renewed = '2026-01-02T03:04:05.000000Z';

export const leasesAndViews: Area = {
  name: 'leases',
  steps: [
    post(
      'a Lease [k8s 114]',
      leases,
      lease('l', {
        holderIdentity: 'a',
        leaseDurationSeconds: 15,
        acquireTime: renewed,
        renewTime: renewed,
        leaseTransitions: 0,
      }),
      { save: { rv: ['metadata', 'resourceVersion'] } },
    ),
    put('renewed [k8s 114]', `${leases}/l`, {
      ...lease('l', { holderIdentity: 'a', leaseDurationSeconds: 15, renewTime: renewed }),
      metadata: { name: 'l', resourceVersion: '{rv}' },
    }),
    put('lost [k8s 114]', `${leases}/l`, {
      ...lease('l', { holderIdentity: 'b' }),
      metadata: { name: 'l', resourceVersion: '{rv}' },
    }),
    post(
      'a duration of 0 [k8s 114]',
      leases,
      lease('z', { holderIdentity: 'a', leaseDurationSeconds: 0 }),
    ),
    post('transitions below 0 [k8s 114]', leases, lease('z', { leaseTransitions: -1 })),
    post('a time as nonsense [k8s 114]', leases, lease('z', { renewTime: 'x' })),
    post('empty [k8s 114]', leases, lease('e', {})),
    put(
      'a missing one is created [k8s 73]',
      `${leases}/made`,
      lease('made', { holderIdentity: 'a' }),
    ),
    get('as table [k8s 35]', leases, table),
    get('Endpoints warn [k8s 44]', 'endpoints'),
    get('a missing Endpoints [k8s 44]', 'endpoints/none'),
    get('EndpointSlices [k8s 44]', '/apis/discovery.k8s.io/v1/namespaces/{ns}/endpointslices'),
    get(
      'a missing EndpointSlice [k8s 44]',
      '/apis/discovery.k8s.io/v1/namespaces/{ns}/endpointslices/none',
    ),
    setup(
      post('a Service', 'services', { metadata: { name: 's' }, spec: { ports: [{ port: 80 }] } }),
    ),
    get('no scale of a Service [k8s 126]', 'services/s/scale'),
    patch('merge', 'a scale of a Service [k8s 126]', 'services/s/scale', { spec: { replicas: 2 } }),
  ],
};
