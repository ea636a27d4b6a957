import test from 'ava';
import { parseJsonStrict } from '../../coordinator/api/machinery/schema/json-strict.ts';
import { decodeObject } from '../../coordinator/api/machinery/schema/decode.ts';
import { decode, refusal, service, serviceKind, toBytes } from '../support/api-service.ts';

const port = { ports: [{ port: 80 }] };

test('D1. Strict lists unknown fields and duplicates; Warn warns of the same; Ignore is silent', (t) => {
  const text = '{"metadata":{"name":"a"},"spec":{"portz":1,"ports":[{"port":1,"port":80,"x":2}]}}';
  const status = refusal(() => decode(text));
  t.is(status.code, 400);
  t.is(
    status.message,
    'Service in version "v1" cannot be handled as a Service: strict decoding error: ' +
      'unknown field "spec.portz", unknown field "spec.ports[0].x", duplicate field "spec.ports[0].port"',
  );
  t.deepEqual(decode(text, 'Warn').warnings, [
    'unknown field "spec.portz"',
    'unknown field "spec.ports[0].x"',
    'duplicate field "spec.ports[0].port"',
  ]);
  const { object, warnings } = decode(text, 'Ignore');
  t.deepEqual(warnings, []);
  t.deepEqual(object.spec, service(port).spec); // the last duplicate wins, unknown fields are gone
});

const typeErrors: readonly (readonly [string, unknown, string])[] = [
  [
    'a string for a number',
    { spec: { ports: [{ port: '80' }] } },
    'json: cannot unmarshal string into Go struct field ServicePort.spec.ports.port of type int32',
  ],
  [
    'a fraction for a number',
    { spec: { ports: [{ port: 80.5 }] } },
    'json: cannot unmarshal number 80.5 into Go struct field ServicePort.spec.ports.port of type int32',
  ],
  [
    'an object for a list',
    { spec: { ports: {} } },
    'json: cannot unmarshal object into Go struct field ServiceSpec.spec.ports of type []v1.ServicePort',
  ],
  [
    'a number for a label',
    { metadata: { labels: { a: 1 } } },
    'json: cannot unmarshal number into Go struct field ObjectMeta.metadata.labels of type string',
  ],
  ['another kind', { kind: 'Pod' }, 'converting (v1.Pod) to (core.Service): unknown conversion'],
  [
    'another version',
    { apiVersion: 'v9' },
    'no kind "Service" is registered for version "v9" in scheme "pkg/api/legacyscheme/scheme.go:30"',
  ],
];

for (const [title, body, problem] of typeErrors) {
  test(`${title} is refused with Go's words`, (t) => {
    const status = refusal(() => decode(body, 'Ignore'));
    t.is(status.code, 400);
    t.true(status.message.endsWith(`cannot be handled as a Service: ${problem}`), status.message);
  });
}

for (const [title, text, problem] of [
  ['nothing', '', 'unexpected end of JSON input (<empty>)'],
  ['a broken object', '{"a"', 'unexpected end of JSON input ({"a")'],
  [
    'a stray letter',
    '{x}',
    "invalid character 'x' looking for beginning of object key string ({x})",
  ],
] as const) {
  test(`${title} is no object`, (t) => {
    const { message } = refusal(() => decode(text));
    t.is(
      message,
      'the object provided is unrecognized (must be of type Service): ' +
        `couldn't get version/kind; json parse error: ${problem}`,
    );
  });
}

test('T2. null is absent, empty values are dropped, pointers keep their zero', (t) => {
  const { object } = decode({
    metadata: { name: 'a', labels: {}, annotations: null },
    spec: {
      ...port,
      selector: {},
      clusterIP: '',
      type: 'LoadBalancer',
      allocateLoadBalancerNodePorts: false,
    },
  });
  t.false('labels' in object.metadata);
  t.false('annotations' in object.metadata);
  t.like(object.spec, { allocateLoadBalancerNodePorts: false });
  t.false('selector' in (object.spec ?? {}));
});

test('field names are matched with their case, and inherited names are unknown', (t) => {
  const { warnings } = decode(
    { Metadata: {}, spec: { Ports: [], toString: 1, constructor: 1 } },
    'Warn',
  );
  t.deepEqual(warnings, [
    'unknown field "Metadata"',
    'unknown field "spec.Ports"',
    'unknown field "spec.toString"',
    'unknown field "spec.constructor"',
  ]);
});

test('a label named __proto__ stays a label', (t) => {
  const { object } = decode('{"metadata":{"name":"a","labels":{"__proto__":"x"}},"spec":{}}');
  t.is(JSON.stringify(object.metadata.labels), '{"__proto__":"x"}');
});

const yaml = (text: string) =>
  decodeObject({
    bytes: toBytes(text),
    mediaType: 'application/yaml',
    kind: serviceKind,
    validation: 'Strict',
  });

test('YAML is read as version 1.1 without timestamps and numbers of base 60', (t) => {
  const { object } = yaml(
    'metadata:\n  name: a\n  labels: {a: "y", b: 2020-01-01, c: 1:30}\nspec:\n  ports: [{port: 0120}]\n',
  );
  t.deepEqual(object.metadata.labels, { a: 'y', b: '2020-01-01', c: '1:30' });
  t.like(object.spec, { ports: [{ port: 80 }] });
  t.regex(
    refusal(() => yaml('metadata: {name: y}')).message,
    /cannot unmarshal bool into Go struct field ObjectMeta.metadata.name/,
  );
});

test('YAML of several documents, with duplicate keys or an alias bomb is refused', (t) => {
  t.regex(refusal(() => yaml('a: 1\n---\nb: 2\n')).message, /single document/);
  t.regex(
    refusal(() => yaml('metadata: {name: a}\nmetadata: {name: b}\n')).message,
    /duplicate field/,
  );
  const bomb = ['a: &a [x,x,x,x,x,x,x,x,x]'];
  for (const [from, to] of ['ab', 'bc', 'cd', 'de', 'ef']) {
    bomb.push(`${to}: &${to} [${`*${from},`.repeat(9).slice(0, -1)}]`);
  }
  t.is(refusal(() => yaml(bomb.join('\n'))).code, 400);
});

test('J1. the strict parser agrees with JSON.parse and bounds nesting', (t) => {
  const text = ' {"a":[1,-2.5e3,"\\u00e9\\n",true,null,{}],"b":{"c":"x"}} ';
  t.deepEqual(parseJsonStrict(text).value, JSON.parse(text));
  t.throws(() => parseJsonStrict('['.repeat(10_000)), { message: 'exceeded max depth' });
  for (const bad of ['{"a":1,}', '[1 2]', '"\t"', '01', '{"a":1}x', 'nul']) {
    t.throws(() => parseJsonStrict(bad), undefined, bad);
  }
});
