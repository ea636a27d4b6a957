import test from 'ava';
import type { Json, KubeObject } from '../../common/model/kube-object.ts';
import {
  applyJsonPatch,
  applyMergePatch,
  applyStrategicMergePatch,
  decodePatched,
} from '../../coordinator/api/machinery/patch/patch.ts';
import { at, jsonEquals, own } from '../../coordinator/api/machinery/schema/json-value.ts';
import { refusal, service, serviceKind, toBytes } from '../support/api-service.ts';

const live = service(
  {
    selector: { app: 'a', tier: 'web' },
    ports: [
      { name: 'http', port: 80 },
      { name: 'https', port: 443 },
    ],
  },
  { labels: { a: '1', b: '2' }, finalizers: ['x.io/one', 'x.io/two'] },
);

type Patch = (kind: typeof serviceKind, object: KubeObject, bytes: Uint8Array) => Json;

function patched(patch: Patch, body: unknown): KubeObject {
  return decodePatched(serviceKind, patch(serviceKind, live, toBytes(body)), 'Strict').object;
}

const portsOf = (object: KubeObject): unknown =>
  (object.spec as { readonly ports?: readonly { readonly port: number }[] }).ports?.map(
    ({ port }) => port,
  );

test('JSON patch: every operation, escapes, and the end of a list', (t) => {
  const object = patched(applyJsonPatch, [
    { op: 'test', path: '/metadata/labels/a', value: '1' },
    { op: 'add', path: '/metadata/labels/x.io~1y', value: '3' },
    { op: 'remove', path: '/metadata/labels/b' },
    { op: 'replace', path: '/spec/type', value: 'NodePort' },
    { op: 'add', path: '/spec/ports/-', value: { name: 'm', port: 9 } },
    { op: 'copy', from: '/metadata/labels/a', path: '/metadata/labels/c' },
    { op: 'move', from: '/metadata/labels/a', path: '/metadata/labels/d' },
  ]);
  t.deepEqual(object.metadata.labels, { c: '1', d: '1', 'x.io/y': '3' });
  t.deepEqual(portsOf(object), [80, 443, 9]);
  t.like(object.spec, { type: 'NodePort' });
  t.deepEqual(live.metadata.labels, { a: '1', b: '2' }); // the live object is untouched
});

for (const [title, operation] of [
  ['a failing test', { op: 'test', path: '/metadata/labels/a', value: '9' }],
  ['a missing parent', { op: 'add', path: '/spec/no/where', value: 1 }],
  ['a missing member', { op: 'remove', path: '/spec/no' }],
  ['an unknown operation', { op: 'frob', path: '/spec' }],
  ['an inherited member (P1)', { op: 'add', path: '/metadata/toString/call', value: 1 }],
  ['a method of a list (P1)', { op: 'add', path: '/spec/ports/push/x', value: 1 }],
  ['a prototype (P1)', { op: 'add', path: '/metadata/__proto__/x', value: 1 }],
  ['the whole document', { op: 'replace', path: '', value: {} }],
] as const) {
  test(`JSON patch: ${title} is refused with 422`, (t) => {
    const status = refusal(() => applyJsonPatch(serviceKind, live, toBytes([operation])));
    t.is(status.code, 422);
    t.is(status.message, 'the server rejected our request due to an error in our request');
    t.is(typeof Object.prototype.toString.call, 'function');
  });
}

test('P2. JSON patch: operations and copied bytes are bounded', (t) => {
  const many = Array.from({ length: 10_001 }, () => ({ op: 'remove', path: '/x' }));
  t.is(
    refusal(() => applyJsonPatch(serviceKind, live, toBytes(many))).message,
    'Request entity too large: The allowed maximum operations in a JSON patch is 10000, got 10001',
  );
  const doubling = Array.from({ length: 100 }, (_, at) => ({
    op: 'copy',
    from: '/metadata',
    path: `/metadata/x${at}`,
  }));
  t.is(refusal(() => applyJsonPatch(serviceKind, live, toBytes(doubling))).code, 413);
  t.is(
    refusal(() => applyJsonPatch(serviceKind, live, toBytes({}))).message,
    'error decoding patch: json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp',
  );
});

test('merge patch: null removes, objects merge, lists are replaced', (t) => {
  const object = patched(applyMergePatch, {
    metadata: { labels: { a: null, c: '3' } },
    spec: { ports: [{ port: 8080 }], selector: { tier: null } },
  });
  t.deepEqual(object.metadata.labels, { b: '2', c: '3' });
  t.deepEqual(portsOf(object), [8080]);
  t.like(object.spec, { selector: { app: 'a' } });
  t.is(refusal(() => applyMergePatch(serviceKind, live, toBytes('[1]'))).code, 400);
});

const strategic: readonly (readonly [string, Json, unknown])[] = [
  [
    'items merge by port',
    { spec: { ports: [{ port: 443, name: 'tls' }, { port: 9 }] } },
    [80, 443, 9],
  ],
  ['an item is deleted by its key', { spec: { ports: [{ port: 80, $patch: 'delete' }] } }, [443]],
  ['a list is replaced', { spec: { ports: [{ port: 9 }, { $patch: 'replace' }] } }, [9]],
  [
    'the order is set, what the server has keeps its place',
    {
      spec: {
        $setElementOrder: 0,
        '$setElementOrder/ports': [{ port: 443 }, { port: 9 }],
        ports: [{ port: 9 }],
      },
    },
    [80, 443, 9],
  ],
  [
    'the order is set without a change',
    { spec: { '$setElementOrder/ports': [{ port: 443 }, { port: 80 }] } },
    [443, 80],
  ],
];

for (const [title, patch, ports] of strategic) {
  test(`strategic merge: ${title}`, (t) => {
    const json = applyStrategicMergePatch(serviceKind, live, toBytes(patch));
    t.deepEqual(portsOf(decodePatched(serviceKind, json, 'Ignore').object), ports);
  });
}

test('strategic merge: maps merge, are replaced or retained; sets of names grow and shrink', (t) => {
  t.like(patched(applyStrategicMergePatch, { spec: { selector: { app: 'b' } } }).spec, {
    selector: { app: 'b', tier: 'web' },
  });
  t.deepEqual(
    patched(applyStrategicMergePatch, { metadata: { labels: { $patch: 'replace', c: '3' } } })
      .metadata.labels,
    { c: '3' },
  );
  t.deepEqual(
    patched(applyStrategicMergePatch, { metadata: { labels: { $retainKeys: ['a', 'c'], c: '3' } } })
      .metadata.labels,
    { a: '1', c: '3' },
  );
  const finalizers = (patch: Json): unknown =>
    patched(applyStrategicMergePatch, { metadata: patch }).metadata.finalizers;
  t.deepEqual(finalizers({ finalizers: ['x.io/three'] }), ['x.io/one', 'x.io/two', 'x.io/three']);
  t.deepEqual(finalizers({ '$deleteFromPrimitiveList/finalizers': ['x.io/one'] }), ['x.io/two']);
});

test('strategic merge: two live ports of one number are both kept', (t) => {
  const twice = service({
    ports: [
      { name: 'a', port: 53 },
      { name: 'b', port: 53, protocol: 'UDP' },
    ],
  });
  const json = applyStrategicMergePatch(
    serviceKind,
    twice,
    toBytes({ spec: { ports: [{ port: 53, name: 'c' }] } }),
  );
  const { object } = decodePatched(serviceKind, json, 'Strict');
  t.like(object.spec, {
    ports: [
      { name: 'c', protocol: 'TCP' },
      { name: 'b', protocol: 'UDP' },
    ],
  });
});

test('strategic merge: a missing key and an unknown directive are 500 in Go terms', (t) => {
  const why = (patch: Json) =>
    refusal(() => applyStrategicMergePatch(serviceKind, live, toBytes(patch)));
  t.is(
    why({ spec: { ports: [{ name: 'zz' }] } }).message,
    'map: map[name:zz] does not contain declared merge key: port',
  );
  t.is(
    why({ spec: { ports: [{ port: 80, $patch: 'bogus' }] } }).message,
    'unknown patch type: bogus in map: map[$patch:bogus port:80]',
  );
  t.is(
    why({ spec: { '$setElementOrder/ports': [{ port: 80 }], ports: [{ port: 443 }] } }).code,
    500,
  );
});

test('what a patch makes unreadable is 422 with an empty kind', (t) => {
  const json = applyMergePatch(serviceKind, live, toBytes({ spec: { foo: 1 } }));
  const status = refusal(() => decodePatched(serviceKind, json, 'Strict'));
  t.is(status.code, 422);
  t.regex(
    status.message,
    /^ "" is invalid: patch: Invalid value: ".*": strict decoding error: unknown field "spec.foo"$/,
  );
});

test('P1. what JavaScript objects inherit is no member', (t) => {
  t.is(own({}, 'constructor'), undefined);
  t.is(at({ metadata: {} }, 'metadata', 'toString'), undefined);
  t.false(jsonEquals({ valueOf: 'x' }, { a: 'x' }));
});
