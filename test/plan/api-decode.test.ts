import test from 'ava';
import { parseJsonStrict } from '../../coordinator/api/machinery/schema/json-strict.ts';
import { decodeObject } from '../../coordinator/api/machinery/schema/decode.ts';
import { decode, refusal, service, serviceKind, toBytes } from '../support/api-service.ts';

const port = { ports: [{ port: 80 }] };

test('[k8s 21, 22] D1. Strict lists unknown fields and duplicates; Warn warns of the same; Ignore is silent', (t) => {
  const text = '{"metadata":{"name":"a"},"spec":{"portz":1,"ports":[{"port":1,"port":80,"x":2}]}}';
  const status = refusal(() => decode(text));
  t.is(status.code, 400);
  t.is(
    status.message,
    'Service in version "v1" cannot be handled as a Service: strict decoding error: ' +
      'unknown field "spec.portz", duplicate field "spec.ports[0].port", unknown field "spec.ports[0].x"',
  );
  t.deepEqual(decode(text, 'Warn').warnings, [
    'unknown field "spec.portz"',
    'duplicate field "spec.ports[0].port"',
    'unknown field "spec.ports[0].x"',
  ]);
  const { object, warnings } = decode(text, 'Ignore');
  t.deepEqual(warnings, []);
  t.deepEqual(object.spec, service(port).spec); // the last duplicate wins, unknown fields are gone
});

const typeErrors: readonly (readonly [string, unknown, string])[] = [
  [
    'an integer with a fraction of zero',
    '{"spec":{"ports":[{"port":80.0}]}}',
    'json: cannot unmarshal number 80.0 into Go struct field ServicePort.spec.ports.port of type int32',
  ],
  [
    'an integer beyond its type',
    '{"spec":{"ports":[{"targetPort":99999999999}]}}',
    'json: cannot unmarshal number 99999999999 into Go struct field ServicePort.spec.ports.targetPort of type int32',
  ],
  [
    'a number or name that is an object',
    { spec: { ports: [{ targetPort: {} }] } },
    'json: cannot unmarshal object into Go struct field ServicePort.spec.ports.targetPort of type int32',
  ],
  [
    'a day that is none',
    { metadata: { creationTimestamp: '2020-02-30T00:00:00Z' } },
    'parsing time "2020-02-30T00:00:00Z": day out of range',
  ],
  [
    'a number for a text of a type of its own',
    { spec: { type: 1 } },
    'json: cannot unmarshal number into Go struct field ServiceSpec.spec.type of type v1.ServiceType',
  ],
  [
    'half a time',
    { metadata: { creationTimestamp: '2020-01-01' } },
    'parsing time "2020-01-01" as "2006-01-02T15:04:05Z07:00": cannot parse "" as "T"',
  ],
  [
    'the first of two wrong fields',
    '{"spec":{"externalName":1,"clusterIP":2}}',
    'json: cannot unmarshal number into Go struct field ServiceSpec.spec.externalName of type string',
  ],
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
  test(`[k8s 24] ${title} is refused with Go's words`, (t) => {
    const status = refusal(() => decode(body, 'Ignore'));
    t.is(status.code, 400);
    t.true(status.message.endsWith(`cannot be handled as a Service: ${problem}`), status.message);
  });
}

for (const [title, text, problem] of [
  ['nothing', '', 'unexpected end of JSON input (<empty>)'],
  ['a broken object', '{"a"', 'unexpected end of JSON input ({"a")'],
  [
    'a comma before the end',
    '{"a":1,}',
    'invalid character \'}\' looking for beginning of object key string ({"a":1,})',
  ],
  [
    'a list without a comma',
    '{"a":[1 2]}',
    'invalid character \'2\' after array element ({"a":[1 2]})',
  ],
  [
    'a control character',
    '{"a":"\u0001"}',
    'invalid character \'\\x01\' in string literal ({"a":"\u0001"})',
  ],
  [
    'an unknown escape',
    '{"a":"\\x"}',
    'invalid character \'x\' in string escape code ({"a":"\\x"})',
  ],
  [
    'a wrong word',
    '{"a":trux}',
    "invalid character 'x' in literal true (expecting 'e') ({\"a\":trux})",
  ],
  ['a lone sign', '{"a":-}', 'invalid character \'}\' in numeric literal ({"a":-})'],
  [
    'a lone point',
    '{"a":1.}',
    'invalid character \'}\' after decimal point in numeric literal ({"a":1.})',
  ],
  [
    'a lone exponent',
    '{"a":1e}',
    'invalid character \'}\' in exponent of numeric literal ({"a":1e})',
  ],
  ['more than one value', '{} {}', "invalid character '{' after top-level value ({} {})"],
  [
    'a list',
    '[]',
    'json: cannot unmarshal array into Go value of type struct { APIVersion string ' +
      '"json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" } (5b5d)',
  ],
  [
    'a kind that is a number',
    '{"kind":1}',
    'json: cannot unmarshal number into Go struct field .kind of type string ({"kind":1})',
  ],
  [
    'a stray letter',
    '{x}',
    "invalid character 'x' looking for beginning of object key string ({x})",
  ],
] as const) {
  test(`[k8s 24] ${title} is no object`, (t) => {
    const { message } = refusal(() => decode(text));
    t.is(
      message,
      'the object provided is unrecognized (must be of type Service): ' +
        `couldn't get version/kind; json parse error: ${problem}`,
    );
  });
}

test('[k8s 24] T2. null is absent, empty values are dropped, pointers keep their zero', (t) => {
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

test('[k8s 21] field names are matched with their case, and inherited names are unknown', (t) => {
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

test('[k8s 23] YAML is read as version 1.1 without timestamps and numbers of base 60', (t) => {
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

test('[k8s 23] of several YAML documents the first is taken, as kube-apiserver does', (t) => {
  const { object } = yaml('metadata: {name: a}\nspec: {ports: [{port: 80}]}\n---\nb: 2\n');
  t.is(object.metadata.name, 'a');
});

const badYaml: readonly (readonly [string, string, string])[] = [
  [
    'a tab that indents',
    'kind: Service\n\tx: y\n',
    'the object provided is unrecognized (must be of type Service): ' +
      'yaml: line 2: found a tab character that violates indentation ' +
      '(6b696e643a20536572766963650a09783a20790a)',
  ],
  [
    'an alias of nothing',
    '*a',
    "the object provided is unrecognized (must be of type Service): yaml: unknown anchor 'a' referenced (2a61)",
  ],
  [
    'a value that holds itself',
    '&x [*x]',
    "the object provided is unrecognized (must be of type Service): yaml: anchor 'x' value contains itself (2678205b2a785d)",
  ],
  [
    'an open list',
    'a: [',
    'the object provided is unrecognized (must be of type Service): ' +
      'yaml: line 1: did not find expected node content (613a205b)',
  ],
  [
    'a key that stands there twice',
    'metadata: {name: a,\n  name: b}\nspec: {ports: [{port: 80}]}\n',
    'Service in version "v1" cannot be handled as a Service: strict decoding error: ' +
      'yaml: unmarshal errors:\n  line 2: key "name" already set in map',
  ],
  [
    'a text alone',
    'foo',
    "the object provided is unrecognized (must be of type Service): couldn't get version/kind; " +
      'json parse error: json: cannot unmarshal string into Go value of type struct { APIVersion ' +
      'string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" } (666f6f)',
  ],
];

for (const [title, text, message] of badYaml) {
  test(`[k8s 23] YAML with ${title} is refused`, (t) => {
    t.is(refusal(() => yaml(text)).message, message);
  });
}

test('[k8s 23] Y1. an alias bomb is refused, and so is more YAML than can be read at one go', (t) => {
  const bomb = ['a: &a [x,x,x,x,x,x,x,x,x]'];
  for (const [from, to] of ['ab', 'bc', 'cd', 'de', 'ef']) {
    bomb.push(`${to}: &${to} [${`*${from},`.repeat(9).slice(0, -1)}]`);
  }
  t.regex(
    refusal(() => yaml(bomb.join('\n'))).message,
    /yaml: document contains excessive aliasing/,
  );
  t.is(refusal(() => yaml(`a: ${'x'.repeat(300_000)}`)).code, 413);
});

test('J1. the strict parser agrees with JSON.parse and bounds nesting', (t) => {
  const text = ' {"a":[1,-2.5e3,"\\u00e9\\n",true,null,{}],"b":{"c":"x"}} ';
  t.deepEqual(parseJsonStrict(text).value, JSON.parse(text));
  t.throws(() => parseJsonStrict('['.repeat(10_000)), {
    message: "invalid character '[' exceeded max depth",
  });
  for (const bad of ['{"a":1,}', '[1 2]', '"\t"', '01', '{"a":1}x', 'nul']) {
    t.throws(() => parseJsonStrict(bad), undefined, bad);
  }
});

test('J1. the number of values is bounded, and a large legal body is not', (t) => {
  const values = (count: number): string =>
    `{"metadata":{"name":"a"},"x":[${'1,'.repeat(count - 1)}1]}`;
  t.notThrows(() => decode(values(49_000), 'Ignore'));
  const status = refusal(() => decode(values(51_000), 'Ignore'));
  t.is(status.code, 413);
  t.is(status.message, 'Request entity too large: more than 50000 values');
});

test.serial(
  '[k8s 24] I9. a map as a key of YAML is refused, and nothing of the body is printed',
  (t) => {
    const said: unknown[] = [];
    const note = (warning: Error): void => void said.push(warning.message);
    const { emitWarning } = process;
    process.emitWarning = note as typeof process.emitWarning;
    try {
      for (const text of ['{a: secret}: 1', '? [secret]\n: 1', 'a: &x {b: 1}\n*x : 2', '? <<: ']) {
        t.regex(refusal(() => yaml(text)).message, /yaml: invalid map key: /);
      }
      t.deepEqual(said, []);
    } finally {
      process.emitWarning = emitWarning;
    }
  },
);
