// The three patches that are no apply.

import { configMap, service } from '../objects.ts';
import { get, patch, post, setup, type Area } from '../step.ts';

type Fields = Readonly<Record<string, unknown>>;
const at = 'services/p';
const json = (title: string, ...operations: readonly unknown[]) =>
  patch('json', `JSON patch: ${title}`, at, operations);
const merge = (title: string, body: unknown) => patch('merge', `merge patch: ${title}`, at, body);
const strategic = (title: string, body: unknown) =>
  patch('strategic', `strategic: ${title}`, at, body);
const op = (name: string, path: string, more: Fields = {}): Fields => ({ op: name, path, ...more });

const start = setup(
  post(
    'one',
    'services',
    service(
      'p',
      {
        selector: { a: 'b', c: 'd' },
        ports: [
          { name: 'a', port: 80 },
          { name: 'b', port: 81 },
        ],
      },
      {
        labels: { l: '1', 'x/y': '2' },
        finalizers: ['example.com/f'],
        annotations: { n: '1' },
      },
    ),
  ),
);

export const jsonPatch: Area = {
  name: 'json-patch',
  steps: [
    start,
    json('add [k8s 85]', op('add', '/metadata/labels/new', { value: 'v' })),
    json('add to the end [k8s 85]', op('add', '/spec/ports/-', { value: { name: 'c', port: 82 } })),
    json(
      'add in the middle [k8s 85]',
      op('add', '/spec/ports/1', { value: { name: 'd', port: 83 } }),
    ),
    json('remove [k8s 85]', op('remove', '/spec/ports/1')),
    json('replace [k8s 85]', op('replace', '/spec/ports/0/port', { value: 90 })),
    json('move [k8s 85]', op('move', '/metadata/labels/moved', { from: '/metadata/labels/new' })),
    json('copy [k8s 85]', op('copy', '/metadata/labels/copy', { from: '/metadata/labels/moved' })),
    json('test [k8s 85]', op('test', '/spec/ports/0/port', { value: 90 })),
    json('test fails [k8s 85]', op('test', '/spec/ports/0/port', { value: 91 })),
    json(
      'escapes [k8s 85]',
      op('replace', '/metadata/labels/x~1y', { value: '3' }),
      op('test', '/metadata/annotations/a~0b', { value: '2' }),
    ),
    json('remove what is not there [k8s 85]', op('remove', '/spec/nothing')),
    json('replace what is not there [k8s 85]', op('replace', '/spec/nothing', { value: 1 })),
    json('add below nothing [k8s 85]', op('add', '/spec/no/thing', { value: 1 })),
    json('an index too high [k8s 85]', op('add', '/spec/ports/9', { value: {} })),
    json('an index below 0 [k8s 85]', op('remove', '/spec/ports/-1')),
    json('an operation that is none [k8s 85]', op('nonsense', '/spec')),
    json('no operation [k8s 85]'),
    json('no path [k8s 85]', { op: 'add', value: 1 }),
    json('no value [k8s 85]', op('add', '/metadata/labels/nv')),
    json('replace all [k8s 85]', op('replace', '', { value: {} })),
    json('a value of the wrong type [k8s 85]', op('replace', '/spec/ports/0/port', { value: 'x' })),
    json('an unknown field [k8s 85]', op('add', '/spec/foo', { value: 1 })),
    json('an invalid result [k8s 85]', op('replace', '/spec/ports/0/port', { value: 0 })),
    json('another name [k8s 88]', op('replace', '/metadata/name', { value: 'q' })),
    json('another namespace [k8s 88]', op('replace', '/metadata/namespace', { value: 'q' })),
    json('another kind [k8s 88]', op('replace', '/kind', { value: 'Pod' })),
    json('another version [k8s 88]', op('replace', '/apiVersion', { value: 'v9' })),
    json('another uid [k8s 88]', op('replace', '/metadata/uid', { value: 'zzz' })),
    json(
      'creation time [k8s 88]',
      op('replace', '/metadata/creationTimestamp', { value: '2001-01-01T00:00:00Z' }),
    ),
    json('an old revision [k8s 89]', op('replace', '/metadata/resourceVersion', { value: '1' })),
    json('no change [k8s 75]', op('replace', '/metadata/labels/l', { value: '1' })),
    patch('json', 'JSON patch: not a list [k8s 85]', at, {}),
    patch('json', 'JSON patch: not JSON [k8s 85]', at, 'x'),
    patch(
      'json',
      'JSON patch: too many operations [k8s 85]',
      at,
      Array.from({ length: 10_001 }, () => op('test', '/kind', { value: 'Service' })),
    ),
    patch('json', 'JSON patch: Strict [k8s 85]', `${at}?fieldValidation=Strict`, [
      op('add', '/spec/foo', { value: 1 }),
    ]),
    patch('json', 'JSON patch: missing object [k8s 85]', 'services/none', [op('remove', '/spec')]),
    patch('json', 'JSON patch: dry run [k8s 85]', `${at}?dryRun=All`, [
      op('add', '/metadata/labels/dry', { value: 'v' }),
    ]),
    get('after all of it [k8s 85]', at),
  ],
};

export const mergePatch: Area = {
  name: 'merge-patch',
  steps: [
    start,
    merge('a label [k8s 86]', { metadata: { labels: { new: 'v' } } }),
    merge('null removes [k8s 86]', { metadata: { labels: { new: null } } }),
    merge('null of nothing [k8s 86]', { metadata: { labels: { nothing: null } } }),
    merge('lists are replaced [k8s 86]', { spec: { ports: [{ name: 'z', port: 99 }] } }),
    merge('selector [k8s 86]', { spec: { selector: { a: null, e: 'f' } } }),
    merge('an unknown field [k8s 86]', { spec: { foo: 1 } }),
    merge('wrong type [k8s 86]', { spec: { ports: 'x' } }),
    merge('invalid result [k8s 86]', { spec: { ports: [{ port: 0 }] } }),
    merge('not JSON [k8s 86]', 'x'),
    merge('a list [k8s 86]', []),
    merge('a number [k8s 86]', '3'),
    merge('null [k8s 86]', 'null'),
    merge('empty [k8s 86]', {}),
    merge('duplicate keys [k8s 22]', '{"metadata":{"labels":{"d":"1","d":"2"}}}'),
    patch(
      'merge',
      'merge patch: duplicate keys, Strict [k8s 22]',
      `${at}?fieldValidation=Strict`,
      '{"metadata":{"labels":{"d":"3","d":"4"}}}',
    ),
    patch('merge', 'merge patch: unknown, Strict [k8s 21]', `${at}?fieldValidation=Strict`, {
      spec: { foo: 1 },
    }),
    merge('another name [k8s 88]', { metadata: { name: 'q' } }),
    merge('another namespace [k8s 88]', { metadata: { namespace: 'q' } }),
    merge('another kind [k8s 88]', { kind: 'Pod' }),
    merge('no kind [k8s 88]', { kind: null, apiVersion: null }),
    merge('another version [k8s 88]', { apiVersion: 'apps/v1' }),
    merge('an old revision [k8s 89]', { metadata: { resourceVersion: '1', labels: { o: 'p' } } }),
    merge('finalizers [k8s 86]', { metadata: { finalizers: ['example.com/g'] } }),
    merge('metadata null [k8s 86]', { metadata: null }),
    merge('spec null [k8s 86]', { spec: null }),
    patch('merge', 'merge patch: force [k8s 86]', `${at}?force=true`, {}),
    patch(
      'merge',
      'a body that is no patch [k8s 25]',
      at,
      {},
      { headers: { 'content-type': 'application/json' } },
    ),
    patch('merge', 'no Content-Type [k8s 25]', at, {}, { headers: { 'content-type': '' } }),
    patch(
      'merge',
      'a charset [k8s 25]',
      at,
      {},
      { headers: { 'content-type': 'application/merge-patch+json; charset=utf-8' } },
    ),
    patch('merge', 'merge patch: missing object [k8s 86]', 'services/none', {}),
    patch('merge', 'merge patch: managedFields null [k8s 102]', at, {
      metadata: { managedFields: null },
    }),
    patch('merge', 'merge patch: managedFields empty [k8s 102]', at, {
      metadata: { managedFields: [{}] },
    }),
    get('after all of it [k8s 86]', at),
  ],
};

export const strategicPatch: Area = {
  name: 'strategic-patch',
  steps: [
    start,
    setup(post('an owner', 'configmaps', configMap('o'), { save: { o: ['metadata', 'uid'] } })),
    setup(
      post('an owner more', 'configmaps', configMap('q'), { save: { q: ['metadata', 'uid'] } }),
    ),
    strategic('a port by its number [k8s 87]', {
      spec: { ports: [{ port: 80, targetPort: 8080 }] },
    }),
    strategic('a new port [k8s 87]', { spec: { ports: [{ name: 'c', port: 82 }] } }),
    strategic('a port deleted [k8s 87]', { spec: { ports: [{ port: 82, $patch: 'delete' }] } }),
    strategic('a deletion of nothing [k8s 87]', {
      spec: { ports: [{ port: 999, $patch: 'delete' }] },
    }),
    strategic('an order [k8s 87]', {
      spec: {
        '$setElementOrder/ports': [{ port: 81 }, { port: 80 }],
        ports: [{ port: 80, name: 'a' }],
      },
    }),
    strategic('an order that lacks one of the patch [k8s 87]', {
      spec: { '$setElementOrder/ports': [{ port: 81 }], ports: [{ port: 80, name: 'a' }] },
    }),
    strategic('selector keys [k8s 87]', { spec: { selector: { a: null, e: 'f' } } }),
    strategic('selector replaced [k8s 87]', { spec: { selector: { $patch: 'replace', g: 'h' } } }),
    strategic('selector deleted [k8s 87]', { spec: { selector: { $patch: 'delete' } } }),
    strategic('retained keys [k8s 87]', {
      metadata: { labels: { $retainKeys: ['l', 'n'], n: '1' } },
    }),
    strategic('finalizers merge [k8s 87]', { metadata: { finalizers: ['example.com/g'] } }),
    strategic('finalizers without one [k8s 87]', {
      metadata: { '$deleteFromPrimitiveList/finalizers': ['example.com/g'] },
    }),
    strategic('finalizers in order [k8s 87]', {
      metadata: {
        '$setElementOrder/finalizers': ['example.com/h', 'example.com/f'],
        finalizers: ['example.com/h'],
      },
    }),
    strategic('owner references merge by uid [k8s 87]', {
      metadata: {
        ownerReferences: [{ apiVersion: 'v1', kind: 'ConfigMap', name: 'o', uid: '{o}' }],
      },
    }),
    strategic('another owner [k8s 87]', {
      metadata: {
        ownerReferences: [{ apiVersion: 'v1', kind: 'ConfigMap', name: 'q', uid: '{q}' }],
      },
    }),
    strategic('owners replaced [k8s 87]', {
      metadata: { ownerReferences: [{ $patch: 'replace' }] },
    }),
    strategic('ports replaced [k8s 87]', {
      spec: { ports: [{ $patch: 'replace' }, { port: 70 }] },
    }),
    strategic('external addresses [k8s 87]', { spec: { externalIPs: ['1.2.3.4'] } }),
    strategic('external addresses replaced [k8s 87]', { spec: { externalIPs: ['1.2.3.5'] } }),
    strategic('no merge key [k8s 87]', { spec: { ports: [{ name: 'zz' }] } }),
    strategic('a text for a list [k8s 87]', { spec: { ports: 'x' } }),
    strategic('a list for a map [k8s 87]', { spec: { selector: ['x'] } }),
    strategic('a text for a map [k8s 87]', { spec: 'x' }),
    strategic('a number for a text [k8s 87]', { spec: { type: 3 } }),
    strategic('numbers in a list of maps [k8s 87]', { spec: { ports: [1] } }),
    strategic('an unknown directive [k8s 87]', { spec: { $patch: 'bogus' } }),
    strategic('an unknown directive in a list [k8s 87]', {
      spec: { ports: [{ port: 80, $patch: 'bogus' }] },
    }),
    strategic('an unknown field [k8s 87]', { spec: { foo: 1 } }),
    strategic('not JSON [k8s 87]', 'x'),
    strategic('a list [k8s 87]', []),
    strategic('null [k8s 87]', 'null'),
    strategic('null members [k8s 87]', {
      spec: { selector: null },
      metadata: { annotations: null },
    }),
    strategic('another name [k8s 88]', { metadata: { name: 'q' } }),
    strategic('another kind [k8s 88]', { kind: 'Pod' }),
    strategic('an old revision [k8s 89]', {
      metadata: { resourceVersion: '1', labels: { o: 'p' } },
    }),
    strategic('no change [k8s 75]', { metadata: { labels: { l: '1' } } }),
    patch('strategic', 'strategic: Strict [k8s 21]', `${at}?fieldValidation=Strict`, {
      spec: { foo: 1 },
    }),
    patch('strategic', 'strategic: missing object [k8s 87]', 'services/none', {}),
    get('after all of it [k8s 87]', at),
    setup(post('a map', 'configmaps', configMap('m', { a: 'b' }))),
    patch('strategic', 'strategic: data merge [k8s 87]', 'configmaps/m', {
      data: { c: 'd', a: null },
    }),
    setup(
      post(
        'a port twice',
        'services',
        service('dns', {
          ports: [
            { name: 'u', port: 53, protocol: 'UDP' },
            { name: 't', port: 53, protocol: 'TCP' },
          ],
        }),
      ),
    ),
    patch('strategic', 'strategic: one number under two protocols [k8s 87]', 'services/dns', {
      spec: { ports: [{ name: 'u', port: 53, protocol: 'UDP', targetPort: 5353 }] },
    }),
  ],
};
