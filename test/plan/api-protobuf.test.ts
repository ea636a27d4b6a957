import test from 'ava';
import { memberKinds } from '../../coordinator/api/kinds/member/member.ts';
import { decodeObject, protobufMediaType } from '../../coordinator/api/machinery/schema/decode.ts';
import {
  readMessage,
  type NumberedSchema,
} from '../../coordinator/api/machinery/protobuf/protobuf-body.ts';
import {
  deleteOptionsSchema,
  readProtobufDeleteOptions,
} from '../../coordinator/api/machinery/protobuf/protobuf-delete-options.ts';
import {
  ProtobufError,
  splitMessage,
} from '../../coordinator/api/machinery/protobuf/protobuf-fields.ts';
import { createApiFixture, type ApiFixture } from '../support/api-fixture.ts';
import { widgetKind } from '../support/api-kinds.ts';
import { kindNamed, refusal, serviceKind, toBytes } from '../support/api-service.ts';
import { goBodies, goDeleteOptions } from '../support/protobuf-golden.ts';
import {
  lengthPrefixed,
  text,
  toEnvelope,
  toMessage,
  toProtobufBody,
  toTime,
  toVarintField,
  varint,
} from '../support/protobuf-encoder.ts';

const asProtobuf = { 'content-type': protobufMediaType };

// What kubectl 1.32.5 and 1.33.1 send, byte for byte; both send the same.
const golden = {
  clusterIp:
    'azhzAAoNCgJ2MRIHU2VydmljZRKHAQojCgN3ZWISABoEc2hvcCIAKgAyADgAQgBaCgoDYXBwEgN3ZWISXAobCgc4MC04MDgw' +
    'EgNUQ1AYUCIHCAAQkD8aACgAChgKAzQ0MxIDVENQGLsDIgcIABC7AxoAKAASCgoDYXBwEgN3ZWIaACIJQ2x1c3RlcklQOgBC' +
    'AFIAWgBgAGgAGgIKABoAIgA=',
  nodePort:
    'azhzAAoNCgJ2MRIHU2VydmljZRJuCiMKA3dlYhIAGgRzaG9wIgAqADIAOABCAFoKCgNhcHASA3dlYhJDCh0KBzgwLTgwODAS' +
    'A1RDUBhQIgcIABCQPxoAKIDrARIKCgNhcHASA3dlYhoAIghOb2RlUG9ydDoAQgBSAFoAYABoABoCCgAaACIA',
  externalName:
    'azhzAAoNCgJ2MRIHU2VydmljZRJhCiMKA3dlYhIAGgRzaG9wIgAqADIAOABCAFoKCgNhcHASA3dlYhI2EgoKA2FwcBIDd2Vi' +
    'GgAiDEV4dGVybmFsTmFtZToAQgBSDmRiLmV4YW1wbGUuY29tWgBgAGgAGgIKABoAIgA=',
  namespace: 'azhzAAoPCgJ2MRIJTmFtZXNwYWNlEhwKFAoEc2hvcBIAGgAiACoAMgA4AEIAEgAaAgoAGgAiAA==',
  configMap:
    'azhzAAoPCgJ2MRIJQ29uZmlnTWFwEi4KHAoIc2V0dGluZ3MSABoEc2hvcCIAKgAyADgAQgASDgoGY29sb3VyEgRibHVlGgAiAA==',
  secret:
    'azhzAAoMCgJ2MRIGU2VjcmV0EiwKGQoFdG9rZW4SABoEc2hvcCIAKgAyADgAQgASDQoDa2V5EgZzM2NyZXQaABoAIgA=',
};

function bytesOf(base64: string): Uint8Array {
  return Buffer.from(base64, 'base64');
}

function decode(bytes: Uint8Array, kind = serviceKind) {
  return decodeObject({ bytes, mediaType: protobufMediaType, kind, validation: 'Strict' });
}

const ours = { name: 'web', namespace: 'shop', labels: { app: 'web' } };

test('18. create service clusterip of kubectl 1.32 is read', (t) => {
  const { object, warnings } = decode(bytesOf(golden.clusterIp));
  t.deepEqual(warnings, []);
  t.deepEqual(object.metadata, ours);
  t.like(object.spec, {
    type: 'ClusterIP',
    selector: { app: 'web' },
    ports: [
      { name: '80-8080', protocol: 'TCP', port: 80, targetPort: 8080 },
      { name: '443', protocol: 'TCP', port: 443, targetPort: 443 },
    ],
  });
  t.deepEqual(object.status, { loadBalancer: {} });
});

test('18. create service nodeport and externalname of kubectl 1.32 are read', (t) => {
  const { object } = decode(bytesOf(golden.nodePort));
  t.like(object.spec, { type: 'NodePort', ports: [{ port: 80, nodePort: 30080 }] });
  const named = decode(bytesOf(golden.externalName)).object;
  t.deepEqual(named.metadata, ours);
  t.like(named.spec, { type: 'ExternalName', externalName: 'db.example.com' });
});

test('19. create namespace, configmap and secret of kubectl 1.32 are read', (t) => {
  t.deepEqual(decode(bytesOf(golden.namespace), kindNamed('Namespace')).object, {
    kind: 'Namespace',
    apiVersion: 'v1',
    metadata: { name: 'shop', labels: { 'kubernetes.io/metadata.name': 'shop' } },
    spec: {},
    status: {},
  });
  t.deepEqual(decode(bytesOf(golden.configMap), kindNamed('ConfigMap')).object, {
    kind: 'ConfigMap',
    apiVersion: 'v1',
    metadata: { name: 'settings', namespace: 'shop' },
    data: { colour: 'blue' },
  } as object);
  t.deepEqual(decode(bytesOf(golden.secret), kindNamed('Secret')).object, {
    kind: 'Secret',
    apiVersion: 'v1',
    metadata: { name: 'token', namespace: 'shop' },
    data: { key: Buffer.from('s3cret').toString('base64') },
    type: 'Opaque',
  } as object);
});

for (const [title, { kind, body, json }] of Object.entries(goBodies)) {
  test(`124. ${title} as Go encodes it is what Go writes as JSON`, (t) => {
    const definition = memberKinds().find((each) => each.kind === kind);
    if (definition === undefined) throw new Error(`no kind ${kind}`);
    const expectedObject = decodeObject({
      bytes: toBytes(json),
      mediaType: 'application/json',
      kind: definition,
      validation: 'Strict',
    });
    t.deepEqual(decode(bytesOf(body), definition), expectedObject);
  });
}

test('pointers keep their zero, and what is merely empty is unset', (t) => {
  const spec = {
    type: 'LoadBalancer',
    clusterIP: '',
    allocateLoadBalancerNodePorts: false,
    ports: [{ port: 80, appProtocol: '' }],
  };
  const bytes = toProtobufBody(serviceKind.schema, { kind: 'Service', apiVersion: 'v1', spec });
  const { object } = decode(bytes);
  t.like(object.spec, { allocateLoadBalancerNodePorts: false, ports: [{ appProtocol: '' }] });
  t.false('clusterIP' in (object.spec ?? {}));
});

test('a field twice: the last scalar wins, messages are merged, lists grow', (t) => {
  const part = (value: object) => lengthPrefixed(2, toMessage(specSchema(), { ...value }));
  const raw = Buffer.concat([
    part({ clusterIP: 'None', ports: [{ port: 80 }] }),
    part({ clusterIP: '10.0.0.9', ports: [{ port: 81 }] }),
  ]);
  const { object } = decode(toEnvelope(new Uint8Array(), raw));
  t.like(object.spec, { clusterIP: '10.0.0.9', ports: [{ port: 80 }, { port: 81 }] });
});

function specSchema() {
  const { schema } = serviceKind;
  const spec = schema.type === 'object' ? schema.fields['spec'] : undefined;
  if (spec === undefined) throw new Error('a Service has a spec');
  return spec;
}

test('fields of unknown numbers are skipped, groups and fixed widths too', (t) => {
  const unknown = [
    toVarintField(500, 2n ** 64n - 1n),
    lengthPrefixed(501, text('later')),
    Buffer.concat([varint(502n * 8n + 1n), new Uint8Array(8)]),
    Buffer.concat([varint(503n * 8n + 5n), new Uint8Array(4)]),
    // A group within a group.
    Buffer.concat([504n * 8n + 3n, 1n * 8n + 3n, 1n * 8n + 4n, 504n * 8n + 4n].map(varint)),
  ];
  const known = lengthPrefixed(1, lengthPrefixed(1, text('web')));
  const { object } = decode(toEnvelope(new Uint8Array(), Buffer.concat([...unknown, known])));
  t.is(object.metadata.name, 'web');
});

const typeMeta = Buffer.concat([lengthPrefixed(1, text('v1')), lengthPrefixed(2, text('Service'))]);
const expected = 'provided data does not appear to be a protobuf message';

for (const [title, bytes, problem] of [
  ['nothing', Buffer.alloc(0), 'empty data (<empty>)'],
  ['JSON', Buffer.from('{}'), `${expected}, expected prefix [107 56 115 0] ({})`],
  ['the prefix alone', Buffer.from('k8s\0'), 'empty body (6b387300)'],
  ['a cut envelope', Buffer.from('k8s\0\x0a\x05'), 'unexpected EOF (6b3873000a05)'],
] as const) {
  test(`${title} is no protobuf body`, (t) => {
    const { code, message } = refusal(() => decode(bytes));
    t.is(code, 400);
    t.is(message, `the object provided is unrecognized (must be of type Service): ${problem}`);
  });
}

const metadata = (bytes: Uint8Array): Uint8Array => lengthPrefixed(1, bytes);

for (const [title, raw, problem] of [
  ['a length beyond the end', Uint8Array.of(0x0a, 0x7f), 'unexpected EOF'],
  [
    'a length of 2^63',
    Buffer.concat([varint(10n), varint(2n ** 63n)]),
    'proto: negative length found during unmarshaling',
  ],
  [
    'a number of eleven bytes',
    metadata(Buffer.concat([varint(56n), new Uint8Array(10).fill(0xff), varint(1n)])),
    'proto: integer overflow',
  ],
  [
    'a number for a text',
    metadata(toVarintField(1, 1n)),
    'proto: wrong wireType = 0 for field Name',
  ],
  ['field number 0', varint(2n), 'proto: Service: illegal tag 0 (wire type 2)'],
  ['the end of no group', varint(12n), 'proto: Service: wiretype end group for non-group'],
  ['wire type 7', Buffer.concat([varint(500n * 8n + 7n)]), 'proto: illegal wireType 7'],
  [
    'a year of five digits',
    metadata(lengthPrefixed(8, toVarintField(1, 253_402_300_800n))),
    'year outside of range [0,9999]',
  ],
  [
    'an IntOrString that is neither',
    lengthPrefixed(2, lengthPrefixed(1, lengthPrefixed(4, toVarintField(1, 2n)))),
    'impossible IntOrString.Type',
  ],
  [
    'fieldsV1 that is no JSON',
    metadata(lengthPrefixed(17, lengthPrefixed(7, lengthPrefixed(1, text('{'))))),
    'unexpected end of JSON input',
  ],
] as const) {
  test(`${title} is refused with 400`, (t) => {
    const { code, message } = refusal(() => decode(toEnvelope(typeMeta, raw)));
    t.is(code, 400);
    t.is(message, `Service in version "v1" cannot be handled as a Service: ${problem}`);
  });
}

test('a body of another kind is refused before it is read', (t) => {
  const { code, message } = refusal(() => decode(bytesOf(golden.namespace)));
  t.is(code, 400);
  t.regex(message, /^Namespace in version "v1" cannot be handled as a Service: converting/);
});

test('a body that names no kind is of the kind of its URL', (t) => {
  const { object } = decode(toEnvelope(new Uint8Array(), metadata(lengthPrefixed(1, text('a')))));
  t.like(object, { kind: 'Service', apiVersion: 'v1' });
});

test('times: a Time has whole seconds, a MicroTime six digits, unset ones are absent', (t) => {
  const lease = kindNamed('Lease');
  const time = toTime('2026-01-02T03:04:05.123456789Z');
  const raw = Buffer.concat([
    metadata(Buffer.concat([lengthPrefixed(8, time), lengthPrefixed(9, new Uint8Array())])),
    lengthPrefixed(2, lengthPrefixed(4, time)),
  ]);
  const { object } = decode(toEnvelope(new Uint8Array(), raw), lease);
  t.deepEqual(object.metadata, { creationTimestamp: '2026-01-02T03:04:05Z' } as object);
  t.deepEqual(object.spec, { renewTime: '2026-01-02T03:04:05.123456Z' });
});

test('numbers of all widths are read', (t) => {
  const schema: NumberedSchema = {
    type: 'object',
    description: 'Numbers.',
    fields: {
      small: { type: 'integer', format: 'int32', description: 'Small.' },
      big: { type: 'integer', format: 'int64', description: 'Big.' },
      real: { type: 'number', description: 'Real.' },
    },
    protobuf: { small: 1, big: 2, real: 3 },
  };
  const real = Buffer.alloc(8);
  real.writeDoubleLE(-1.5);
  for (const big of [0n, 1n, -1n, 2n ** 31n, 2n ** 32n - 1n, 2n ** 53n - 1n, -(2n ** 53n) + 1n]) {
    const bytes = Buffer.concat([toVarintField(1, -7n), toVarintField(2, big), varint(25n), real]);
    t.deepEqual(readMessage(schema, bytes), { small: -7, big: Number(big), real: -1.5 });
  }
});

test('DeleteOptions as Go encodes them are what Go writes as JSON', (t) => {
  t.deepEqual(readProtobufDeleteOptions(bytesOf(goDeleteOptions.body)), goDeleteOptions.json);
});

test('P1. groups that never end cost no more than their bytes', (t) => {
  const groups = Buffer.alloc(1_000_000, 0x0b);
  t.throws(() => splitMessage('Service', groups, new Set()), { instanceOf: ProtobufError });
});

async function start(): Promise<ApiFixture> {
  return createApiFixture({ kinds: [...memberKinds(), widgetKind] });
}

test('124. POST and PUT take protobuf and answer JSON', async (t) => {
  const { call } = await start();
  const created = await call('POST', '/api/v1/namespaces', bytesOf(golden.namespace), asProtobuf);
  t.is(created.status, 201);
  t.is(created.headers['content-type'], 'application/json');
  t.like(created.json, { kind: 'Namespace', status: { phase: 'Active' } });
  const target = '/api/v1/namespaces/shop/services';
  const service = await call('POST', target, bytesOf(golden.clusterIp), asProtobuf);
  t.is(service.status, 201);
  t.like(service.json, { kind: 'Service', spec: { type: 'ClusterIP' } });
  const put = await call('PUT', `${target}/web`, bytesOf(golden.externalName), asProtobuf);
  t.is(put.status, 200, put.text);
  t.like(put.json, { spec: { externalName: 'db.example.com' } });
});

test('what has no protobuf form is refused with 415, which lists what is taken', async (t) => {
  const { call } = await start();
  const refused =
    'the body of the request was in an unknown format - accepted media types include: ';
  const ofPod = await call('POST', '/api/v1/namespaces/default/pods', 'x', asProtobuf);
  t.is(ofPod.status, 415);
  const widgets = '/apis/test.dev/v1/namespaces/default/widgets';
  const ofOurs = await call('POST', widgets, 'x', asProtobuf);
  t.is(ofOurs.status, 415);
  t.is(ofOurs.json['message'], `${refused}application/json, application/yaml`);
  const services = '/api/v1/namespaces/default/services';
  const text = await call('POST', services, 'x', { 'content-type': 'text/plain' });
  t.is(text.status, 415);
  t.is(
    text.json['message'],
    `${refused}application/json, application/yaml, application/vnd.kubernetes.protobuf`,
  );
  t.is((await call('PATCH', `${services}/a`, 'x', asProtobuf)).status, 415);
});

test('DeleteOptions in protobuf hold like those in JSON, for every kind', async (t) => {
  const { call } = await start();
  const widgets = '/apis/test.dev/v1/namespaces/default/widgets';
  await call('POST', widgets, { metadata: { name: 'a' } });
  const options = (value: object) =>
    toProtobufBody(deleteOptionsSchema, {
      apiVersion: 'meta.k8s.io/v1',
      kind: 'DeleteOptions',
      ...value,
    });
  const remove = (body: Uint8Array) => call('DELETE', `${widgets}/a`, body, asProtobuf);
  t.is((await remove(options({ preconditions: { uid: 'other' } }))).status, 409);
  t.is((await remove(options({ propagationPolicy: 'Odd' }))).status, 422);
  t.is((await remove(options({ dryRun: ['All'] }))).status, 200);
  t.is((await call('GET', `${widgets}/a`)).status, 200);
  t.is((await remove(Buffer.from('k8s\0\xff', 'latin1'))).status, 400);
  t.is((await remove(bytesOf(golden.namespace))).status, 400);
  t.is((await remove(options({ propagationPolicy: 'Background' }))).status, 200);
  t.is((await call('GET', `${widgets}/a`)).status, 404);
});
