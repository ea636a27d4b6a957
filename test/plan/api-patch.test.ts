import test from 'ava';
import type { Json, KubeObject } from '../../common/model/kube-object.ts';
import { applyJsonPatch } from '../../coordinator/api/machinery/patch/json-patch.ts';
import { applyMergePatch } from '../../coordinator/api/machinery/patch/merge-patch.ts';
import { applyStrategicMergePatch } from '../../coordinator/api/machinery/patch/strategic-patch.ts';
import { decodePatched, type Patcher } from '../../coordinator/api/machinery/patch/patched.ts';
import {
  at,
  jsonEquals,
  own,
  toJsonObject,
} from '../../coordinator/api/machinery/schema/json-value.ts';
import type { Decoded, FieldValidation } from '../../coordinator/api/machinery/schema/decode.ts';
import { createApiFixture } from '../support/api-fixture.ts';
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

function run(
  patcher: Patcher,
  body: unknown,
  validation: FieldValidation = 'Strict',
  object: KubeObject = live,
): Decoded {
  const bytes = toBytes(body);
  const patch = patcher({ kind: serviceKind, object: toJsonObject(object), bytes, validation });
  return decodePatched(serviceKind, patch, validation);
}

function patched(patcher: Patcher, body: unknown): KubeObject {
  return run(patcher, body).object;
}

const portsOf = (object: KubeObject): unknown =>
  (object.spec as { readonly ports?: readonly { readonly port: number }[] }).ports?.map(
    ({ port }) => port,
  );

test('[k8s 85] JSON patch: every operation, escapes, and the end of a list', (t) => {
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
  ['an index beyond the end', { op: 'add', path: '/spec/ports/9', value: {} }],
  ['no index', { op: 'remove', path: '/spec/ports/x' }],
  ['a copy of what is nowhere', { op: 'copy', from: '/no/where', path: '/metadata/labels/c' }],
] as const) {
  test(`[k8s 85] JSON patch: ${title} is refused with 422`, (t) => {
    const status = refusal(() => run(applyJsonPatch, [operation]));
    t.is(status.code, 422);
    t.is(status.message, 'the server rejected our request due to an error in our request');
    t.is(typeof Object.prototype.toString.call, 'function');
  });
}

test("[k8s 85] JSON patch takes the liberties of kube-apiserver's library", (t) => {
  const labels = (operation: object): unknown =>
    patched(applyJsonPatch, [operation]).metadata.labels;
  // Recorded from kube-apiserver 1.34.
  t.deepEqual(labels({ op: 'replace', path: '/metadata/labels/c', value: '3' }), {
    a: '1',
    b: '2',
    c: '3',
  });
  t.deepEqual(labels({ op: 'copy', from: '/metadata/labels/no', path: '/metadata/labels/c' }), {
    a: '1',
    b: '2',
    c: '',
  });
  t.deepEqual(labels({ op: 'add', path: '/metadata/labels/constructor', value: 'x' }), {
    a: '1',
    b: '2',
    constructor: 'x',
  });
  const last = patched(applyJsonPatch, [{ op: 'remove', path: '/spec/ports/-1' }]);
  t.deepEqual(portsOf(last), [80]);
  const rootless = run(applyJsonPatch, [{ op: 'add', path: 'spec/nope', value: 1 }], 'Warn');
  t.deepEqual(rootless.warnings, ['unknown field "nope"']);
  t.deepEqual(patched(applyJsonPatch, 'null'), live);
  t.deepEqual(patched(applyJsonPatch, [{ op: 'replace', path: '', value: 1 }]), live);
});

test('[k8s 85] J2. JSON patch: operations and copied bytes are bounded', (t) => {
  const many = Array.from({ length: 10_001 }, () => ({ op: 'remove', path: '/x' }));
  const status = refusal(() => run(applyJsonPatch, many));
  t.is(status.code, 413);
  t.is(
    status.message,
    'Request entity too large: The allowed maximum operations in a JSON patch is 10000, got 10001',
  );
  const doubling = Array.from({ length: 100 }, (_, at) => ({
    op: 'copy',
    from: '/metadata',
    path: `/metadata/x${at}`,
  }));
  t.is(refusal(() => run(applyJsonPatch, doubling)).code, 422);
});

for (const [body, strict, lax] of [
  [
    '{}',
    'error decoding patch: json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp',
    'json: cannot unmarshal object into Go value of type jsonpatch.Patch',
  ],
  [
    '[1]',
    'error decoding patch: json: cannot unmarshal number into Go value of type handlers.jsonPatchOp',
    'json: cannot unmarshal number into Go value of type jsonpatch.Operation',
  ],
  [
    'x',
    "error decoding patch: invalid character 'x' looking for beginning of value",
    "invalid character 'x' looking for beginning of value",
  ],
  ['', 'error decoding patch: unexpected end of JSON input', 'unexpected end of JSON input'],
] as const) {
  test(`[k8s 85] a JSON patch that is ${body === '' ? 'empty' : body} is refused with 400`, (t) => {
    t.is(refusal(() => run(applyJsonPatch, body)).message, strict);
    t.is(refusal(() => run(applyJsonPatch, body, 'Ignore')).message, lax);
  });
}

test('[k8s 21, 22] patches warn of what strict validation refuses, and are silent when told', (t) => {
  const doubled = '{"metadata":{"labels":{"q":"1","q":"2"}},"spec":{"foo":1}}';
  for (const patcher of [applyMergePatch, applyStrategicMergePatch]) {
    t.deepEqual(run(patcher, doubled, 'Warn').warnings, [
      'duplicate field "metadata.labels.q"',
      'unknown field "spec.foo"',
    ]);
    t.deepEqual(run(patcher, doubled, 'Ignore').warnings, []);
    t.is(run(patcher, doubled, 'Ignore').object.metadata.labels?.['q'], '2');
  }
  const member = '[{"op":"add","path":"/metadata/labels/c","value":"3","bogus":1,"op":"add"}]';
  t.deepEqual(run(applyJsonPatch, member, 'Warn').warnings, [
    'json patch duplicate field "[0].op"',
    'json patch unknown field "[0].bogus"',
  ]);
  t.is(refusal(() => run(applyJsonPatch, member)).code, 422);
});

test('[k8s 86] merge patch: null removes, objects merge, lists are replaced', (t) => {
  const object = patched(applyMergePatch, {
    metadata: { labels: { a: null, c: '3' } },
    spec: { ports: [{ port: 8080 }], selector: { tier: null } },
  });
  t.deepEqual(object.metadata.labels, { b: '2', c: '3' });
  t.deepEqual(portsOf(object), [8080]);
  t.like(object.spec, { selector: { app: 'a' } });
});

for (const [body, message] of [
  [
    '[1]',
    'error decoding patch: json: cannot unmarshal array into Go value of type map[string]interface {}',
  ],
  ['null', 'Invalid JSON Patch'],
  ['x', "error decoding patch: invalid character 'x' looking for beginning of value"],
] as const) {
  test(`[k8s 86] a merge patch that is ${body} is refused with 400`, (t) => {
    const status = refusal(() => run(applyMergePatch, body));
    t.is(status.code, 400);
    t.is(status.message, message);
  });
}

const strategic: readonly (readonly [string, Json, unknown])[] = [
  [
    'items merge by port, in the order of the patch',
    { spec: { ports: [{ port: 9 }, { port: 443, name: 'tls' }] } },
    [9, 80, 443],
  ],
  ['an item is deleted by its key', { spec: { ports: [{ port: 80, $patch: 'delete' }] } }, [443]],
  ['a list is replaced', { spec: { ports: [{ port: 9 }, { $patch: 'replace' }] } }, [9]],
  [
    'the order is set, what the server has keeps its place',
    {
      spec: {
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
  test(`[k8s 87] strategic merge: ${title}`, (t) => {
    t.deepEqual(portsOf(run(applyStrategicMergePatch, patch, 'Ignore').object), ports);
  });
}

test('[k8s 87] strategic merge: maps merge, are replaced or retained; sets of names grow and shrink', (t) => {
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
  t.deepEqual(finalizers({ finalizers: ['x.io/three'] }), ['x.io/three', 'x.io/one', 'x.io/two']);
  t.deepEqual(finalizers({ '$deleteFromPrimitiveList/finalizers': ['x.io/one'] }), ['x.io/two']);
});

test('[k8s 87] strategic merge: of two live ports of one number the first is meant, deletion means both', (t) => {
  const twice = service({
    ports: [
      { name: 'a', port: 53 },
      { name: 'b', port: 53, protocol: 'UDP' },
    ],
  });
  const merge = (ports: Json): KubeObject =>
    run(applyStrategicMergePatch, { spec: { ports } }, 'Strict', twice).object;
  t.like(merge([{ port: 53, name: 'c' }]).spec, {
    ports: [
      { name: 'c', protocol: 'TCP' },
      { name: 'b', protocol: 'UDP' },
    ],
  });
  t.is(portsOf(merge([{ port: 53, $patch: 'delete' }])), undefined);
});

const badStrategic: readonly (readonly [string, Json, number, string])[] = [
  [
    'a missing key',
    { spec: { ports: [{ name: 'zz' }] } },
    500,
    'map: map[name:zz] does not contain declared merge key: port',
  ],
  [
    'an unknown directive in an item',
    { spec: { ports: [{ port: 80, $patch: 'bogus' }] } },
    500,
    'unknown patch type: bogus in map: map[$patch:bogus port:80]',
  ],
  [
    'an unknown directive in a map',
    { spec: { selector: { $patch: 'bogus' } } },
    500,
    'unknown patch type: bogus in map: map[$patch:bogus]',
  ],
  [
    'a directive that lists do not know',
    { spec: { ports: [{ port: 80, $patch: 'merge' }] } },
    500,
    'merging lists cannot yet be specified in the patch',
  ],
  [
    'an item that the order does not have',
    { spec: { '$setElementOrder/ports': [{ port: 80 }], ports: [{ port: 443 }] } },
    500,
    "The order in patch list:\n[map[port:443]]\n doesn't match $setElementOrder list:\n[map[port:80]]\n",
  ],
  [
    'an order that is none',
    { metadata: { '$setElementOrder/finalizers': 'x' } },
    500,
    'expected a []interface {}, but received a string',
  ],
  [
    'keys to retain that the patch sets others beside',
    { metadata: { $retainKeys: ['name'], labels: { u: '1' } } },
    400,
    'invalid patch format of retainKeys',
  ],
  [
    'a text for a list',
    { spec: { ports: 'x' } },
    422,
    ' "" is invalid: patch: Invalid value: "map[spec:map[ports:x]]": cannot restore slice from string',
  ],
  [
    'a text for a map',
    { metadata: { labels: 'x' } },
    422,
    ' "" is invalid: patch: Invalid value: "map[metadata:map[labels:x]]": cannot restore map from string',
  ],
  [
    'a fraction for a number',
    { spec: { ports: [{ port: 80.5 }] } },
    422,
    ' "" is invalid: patch: Invalid value: "map[spec:map[ports:[map[port:80.5]]]]": cannot convert float64 to int32',
  ],
  [
    'an unknown field',
    { spec: { foo: 1 } },
    422,
    ' "" is invalid: patch: Invalid value: "map[spec:map[foo:1]]": strict decoding error: unknown field "spec.foo"',
  ],
];

for (const [title, patch, code, message] of badStrategic) {
  test(`[k8s 87] strategic merge refuses ${title}`, (t) => {
    const status = refusal(() => run(applyStrategicMergePatch, patch));
    t.is(status.code, code);
    t.is(status.message, message);
  });
}

test('[k8s 88] a kind is nothing that a patch changes: JSON says another, a map is put into the kind', (t) => {
  const status = refusal(() => run(applyMergePatch, { kind: 'Pod' }));
  t.is(status.code, 422);
  t.regex(status.message, /: converting \(v1\.Pod\) to \(core\.Service\): unknown conversion$/);
  t.is(run(applyStrategicMergePatch, { kind: 'Pod' }).object.kind, 'Service');
});

test('[k8s 21] what a patch makes unreadable is 422 with an empty kind and the whole object', (t) => {
  const status = refusal(() => run(applyMergePatch, { spec: { foo: 1 } }));
  t.is(status.code, 422);
  t.regex(
    status.message,
    /^ "" is invalid: patch: Invalid value: "\{\\"apiVersion\\".*": strict decoding error: unknown field "spec.foo"$/,
  );
});

test('P1. what JavaScript objects inherit is no member', (t) => {
  t.is(own({}, 'constructor'), undefined);
  t.is(at({ metadata: {} }, 'metadata', 'toString'), undefined);
  t.false(jsonEquals({ valueOf: 'x' }, { a: 'x' }));
});

test('[k8s 88] a patch that makes an object of the kind is refused, whatever its toString is', async (t) => {
  const { call } = await createApiFixture();
  const at = '/api/v1/namespaces/default/gadgets';
  await call('POST', at, { metadata: { name: 'a' } });
  const type = { 'content-type': 'application/merge-patch+json' };
  for (const field of ['kind', 'apiVersion']) {
    const { status } = await call('PATCH', `${at}/a`, { [field]: { toString: {} } }, type);
    t.true(status >= 400 && status < 500, field);
  }
});
