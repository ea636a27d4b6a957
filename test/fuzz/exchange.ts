// One request of the HTTP target, as data that fast-check makes and shrinks, and as what is sent.

import fc from 'fast-check';
import type { Json, JsonObject } from '../../common/model/kube-object.ts';
import type { KindDefinition } from '../../coordinator/api/machinery/kind.ts';
import { toApiVersion } from '../../coordinator/api/machinery/schema/decode.ts';
import { isNumbered } from '../../coordinator/api/machinery/protobuf/protobuf-body.ts';
import { kinds } from '../support/api-service.ts';
import { toProtobufBody } from '../support/protobuf-encoder.ts';
import { jsonOf, mutate, mutationsOf, type Mutation } from './inputs.ts';
import { seedObjects } from './seed-objects.ts';

export const namespaces = ['default', 'other', 'nowhere'] as const;

export interface Exchange {
  readonly method: string;
  readonly kind: string;
  readonly scope: 'all' | 'collection' | 'name' | 'status' | 'finalize' | 'raw';
  readonly name: string;
  readonly namespace: string;
  readonly seed: number;
  readonly mutations: readonly Mutation[];
  readonly meta: JsonObject;
  readonly query: Readonly<Record<string, string>>;
  readonly accept: string | undefined;
  readonly contentType: string;
  readonly raw: string;
  /** Bytes in place of the object. */
  readonly garbage: Uint8Array | undefined;
  readonly more: Readonly<Record<string, string>>;
}

const table = 'application/json;as=Table;v=v1;g=meta.k8s.io';
const accepts = [
  undefined,
  'application/json',
  '*/*',
  table,
  `${table},application/json`,
  'application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io',
  'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io',
  'application/yaml',
  'application/vnd.kubernetes.protobuf,application/json',
  'application/json;q=0.1,application/yaml;q=bad',
  'text/html',
  ';;;,',
];
const patchTypes = [
  'application/json-patch+json',
  'application/merge-patch+json',
  'application/strategic-merge-patch+json',
  'application/apply-patch+yaml',
];
const bodyTypes = ['application/json', 'application/yaml', 'application/vnd.kubernetes.protobuf'];

const queryValues: Readonly<Record<string, readonly string[]>> = {
  fieldManager: ['m1', 'm2', 'kubectl', '', 'x'.repeat(129), '\u0000'],
  fieldValidation: ['Strict', 'Warn', 'Ignore', 'strict', ''],
  force: ['true', 'false', '', 'x'],
  dryRun: ['All', '', 'None'],
  labelSelector: ['a=b', 'a in (b,c)', '!a', 'a>1', 'a=', 'a in (', '__proto__', ',', 'a!=b,c'],
  fieldSelector: ['metadata.name=a', 'metadata.namespace!=x', 'spec.type=ClusterIP', 'x=y', '\\'],
  limit: ['1', '2', '0', '-1', '99999999999999999999', 'x'],
  continue: ['x', 'eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6LTEsInN0YXJ0IjoiYS9iXHUwMDAwIn0', ''],
  resourceVersion: ['', '0', '1', '1099511627780', '9999999999999999', 'x', '-1'],
  resourceVersionMatch: ['Exact', 'NotOlderThan', 'x'],
  timeoutSeconds: ['0', '1', '-1', 'x', '99999999999'],
  watch: ['true', '1', 'false', '0', ''],
  allowWatchBookmarks: ['true', 'x'],
  sendInitialEvents: ['true', 'false', 'x'],
  pretty: ['true', 'false', ''],
  includeObject: ['None', 'Object', 'Metadata', 'x'],
  propagationPolicy: ['Background', 'Foreground', 'Orphan', 'x'],
  gracePeriodSeconds: ['0', '-1', 'x'],
  orphanDependents: ['true', 'false', 'x'],
  timeout: ['1s', 'x', '-1s', '99999h'],
  __proto__x: ['x'],
};
const query = fc
  .array(
    fc
      .constantFrom(...Object.keys(queryValues))
      .chain((key) => fc.tuple(fc.constant(key), fc.constantFrom(...(queryValues[key] ?? [''])))),
    { maxLength: 3 },
  )
  .map((pairs) => Object.fromEntries(pairs));

const json = jsonOf([
  'name',
  'labels',
  'spec',
  'ports',
  'port',
  'type',
  'data',
  'finalizers',
  'op',
]);
const short = fc.constantFrom<Json>(
  'x',
  'a/b',
  '',
  null,
  1,
  -1,
  0.5,
  {},
  [],
  [null],
  true,
  '__proto__',
);

const meta: fc.Arbitrary<JsonObject> = fc.record(
  {
    labels: fc.constantFrom<Json>({ a: 'b' }, { a: 'b', constructor: 'x' }, { '': 'x' }, null),
    annotations: fc.constantFrom<Json>({ x: 'y' }, { toString: 'y' }, null),
    finalizers: fc.constantFrom<Json>(['a.b/c'], ['a.b/c', 'a.b/d'], ['x'], [], null),
    ownerReferences: fc.constantFrom<Json>(
      [{ apiVersion: 'v1', kind: 'ConfigMap', name: 'a', uid: 'u' }],
      [{ apiVersion: '', kind: '', name: '', uid: '' }],
    ),
    generateName: fc.constantFrom<Json>('a-', 'x'.repeat(70), ''),
    resourceVersion: fc.constantFrom<Json>('', '0', '1', 'x'),
    uid: fc.constantFrom<Json>('u', ''),
    generation: fc.constantFrom<Json>(0, 7, -1),
    creationTimestamp: fc.constantFrom<Json>(null, '2026-01-02T03:04:05Z', 'x'),
    deletionTimestamp: fc.constantFrom<Json>('2026-01-02T03:04:05Z', 'x'),
    managedFields: fc.constantFrom<Json>(
      [],
      [{}],
      [
        {
          manager: 'm1',
          operation: 'Apply',
          apiVersion: 'v1',
          fieldsType: 'FieldsV1',
          fieldsV1: { 'f:spec': {} },
        },
      ],
      [
        {
          manager: 'x',
          operation: 'Update',
          fieldsV1: { 'k:{"port":': {}, 'f:__proto__': { '.': {} } },
        },
      ],
    ),
  },
  { requiredKeys: [] },
);

const common = fc.constantFrom(
  ...'POST POST PUT PUT PUT PATCH PATCH PATCH PATCH GET DELETE'.split(' '),
);
const method = often(common, fc.constantFrom('HEAD', 'OPTIONS', 'TRACE', 'get', ''));

/** Mostly the first; one time in `one` something else. */
function often<T>(usual: fc.Arbitrary<T>, other: fc.Arbitrary<T>, one = 12): fc.Arbitrary<T> {
  return fc.oneof({ weight: one - 1, arbitrary: usual }, { weight: 1, arbitrary: other });
}

const oddNames = ['default', '__proto__', '%2e%2e', 'A_', 'x'.repeat(300), '%zz', '%00'];
const oddTypes = ['', 'text/plain', ';', 'application/json; charset=utf-8'];
const rawTargets =
  '/ /api /apis /version /openapi/v2 /openapi/v3 /healthz/x /metrics // /apis/x/y/z /api/v1/% x ' +
  '/api/v1/namespaces/default/services/a/proxy/x /openapi/v3/api/v1?hash=x /api/v1/watch/services';
const more = fc.constantFrom<Readonly<Record<string, string>>>(
  { 'impersonate-user': 'ann' },
  { 'impersonate-group': 'x' },
  { 'impersonate-extra-%zz': 'x', 'impersonate-user': 'ann' },
  { 'if-none-match': '"x"' },
  { 'user-agent': 'curl/8', 'audit-id': '\u0000x\n' },
  { 'user-agent': '/' },
);
const garbage = fc.oneof(
  fc.uint8Array({ maxLength: 40 }),
  json.map((value) => Buffer.from(JSON.stringify(value))),
);
const none = <T>(value: T): fc.Arbitrary<T> => fc.constant(value);

const step: fc.Arbitrary<Exchange> = fc.record({
  method,
  kind: fc.constant(''),
  scope: often(
    fc.constantFrom('name', 'name', 'name', 'name', 'status', 'collection'),
    fc.constantFrom('finalize', 'all', 'raw', 'raw'),
  ),
  name: often(fc.constantFrom('a', 'a', 'a', 'b', 'c'), fc.constantFrom(...oddNames), 30),
  namespace: often(none('default'), fc.constantFrom('other', 'other', 'nowhere', '', '__proto__')),
  seed: fc.nat({ max: 5 }),
  mutations: fc.oneof(
    { weight: 3, arbitrary: none([]) },
    { weight: 2, arbitrary: mutationsOf(short, 2) },
    { weight: 1, arbitrary: mutationsOf(json, 3) },
  ),
  meta: fc.oneof({ weight: 2, arbitrary: none({}) }, { weight: 1, arbitrary: meta }),
  query: fc.oneof({ weight: 2, arbitrary: none({}) }, { weight: 1, arbitrary: query }),
  accept: often(none<string | undefined>(undefined), fc.constantFrom(...accepts), 4),
  contentType: often(
    fc.constantFrom(...patchTypes, ...bodyTypes),
    fc.constantFrom(...oddTypes),
    30,
  ),
  raw: fc.constantFrom('', ...rawTargets.split(' ')),
  garbage: often(none<Uint8Array | undefined>(undefined), garbage, 20),
  more: often(none<Readonly<Record<string, string>>>({}), more, 20),
});

const writable = kinds.filter(
  ({ verbs, storage }) => verbs.includes('create') && storage === 'logged',
);
const kindName = fc.oneof(
  { weight: 2, arbitrary: none('/Service') },
  { weight: 4, arbitrary: fc.constantFrom(...writable.map(nameOf)) },
  { weight: 1, arbitrary: fc.constantFrom(...kinds.map(nameOf)) },
);

/** A sequence on few kinds and names, so that most requests meet what others wrote. */
export function exchanges(maxLength: number): fc.Arbitrary<readonly Exchange[]> {
  const kind = fc.array(kindName, { minLength: 1, maxLength: 3 });
  const picked = fc.tuple(fc.nat({ max: 2 }), step);
  const steps = fc.array(picked, { minLength: 1, maxLength, size: 'max' });
  return fc
    .tuple(kind, steps)
    .map(([of, all]) =>
      all.map(([pick, each]) => ({ ...each, kind: of[pick % of.length] ?? '/Service' })),
    );
}

export interface Sent {
  readonly method: string;
  readonly target: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

export function nameOf(kind: KindDefinition): string {
  return `${kind.group}/${kind.kind}`;
}

export function pathOf(kind: KindDefinition, namespace: string, name: string): string {
  const root = kind.group === '' ? '/api/v1' : `/apis/${kind.group}/${kind.version}`;
  const scope = kind.isNamespaced && namespace !== '' ? `/namespaces/${namespace}` : '';
  return `${root}${scope}/${kind.plural}${name === '' ? '' : `/${name}`}`;
}

export function toSent(exchange: Exchange): Sent {
  const kind = kinds.find((each) => nameOf(each) === exchange.kind);
  if (kind === undefined) throw new Error(`no kind ${exchange.kind}`);
  // A create that says PATCH's type would only ever be refused.
  const isPatch = exchange.method === 'PATCH';
  const given = exchange.contentType;
  const wrong = isPatch ? bodyTypes.includes(given) : patchTypes.includes(given);
  const index = [...patchTypes, ...bodyTypes].indexOf(given);
  const contentType = wrong ? ((isPatch ? patchTypes : bodyTypes)[index % 3] ?? given) : given;
  const text = new URLSearchParams(exchange.query).toString();
  const target = exchange.scope === 'raw' ? exchange.raw : toTarget(kind, exchange);
  return {
    method: exchange.method,
    target: text === '' || target.includes('?') ? target : `${target}?${text}`,
    headers: {
      'content-type': contentType,
      ...(exchange.accept === undefined ? {} : { accept: exchange.accept }),
      ...exchange.more,
    },
    body: exchange.garbage ?? toBody(kind, exchange, contentType),
  };
}

function toTarget(
  kind: KindDefinition,
  { scope, name, namespace, method: verb }: Exchange,
): string {
  if (scope === 'all') return pathOf(kind, '', '');
  if (scope === 'collection' || verb === 'POST') return pathOf(kind, namespace, '');
  const path = pathOf(kind, namespace, name);
  return scope === 'name' ? path : `${path}/${scope}`;
}

function toBody(kind: KindDefinition, exchange: Exchange, contentType: string): Uint8Array {
  const { method: verb, seed, mutations, name, namespace } = exchange;
  if (verb === 'GET' || verb === 'DELETE' || verb === 'HEAD') return Buffer.alloc(0);
  const seeds = seedObjects[nameOf(kind)] ?? [{}];
  const whole: JsonObject = {
    apiVersion: toApiVersion(kind),
    kind: kind.kind,
    metadata: {
      ...(kind.storage === 'virtual' ? {} : { name }),
      ...(kind.isNamespaced ? { namespace } : {}),
      ...exchange.meta,
    },
    ...seeds[seed % seeds.length],
  };
  const object = mutate(whole, mutations);
  if (contentType === 'application/json-patch+json') return toOperations(object, exchange);
  if (contentType === 'application/vnd.kubernetes.protobuf' && isNumbered(kind.schema)) {
    const encoded = tryEncode(kind, object);
    if (encoded !== undefined) return encoded;
  }
  return Buffer.from(JSON.stringify(object));
}

function toOperations(object: JsonObject, { mutations }: Exchange): Uint8Array {
  const places = [
    '/spec',
    '/metadata/labels',
    '/metadata/labels/a',
    '/status',
    '/spec/ports/0',
    '/spec/ports/-',
    '',
    '/__proto__/x',
    '/metadata/finalizers',
  ];
  const operations = mutations.map(({ at, how, value }) => ({
    op: { replace: 'replace', remove: 'remove', add: 'add', double: 'copy' }[how],
    path: places[(at[0] ?? 0) % places.length] ?? '',
    from: places[(at[1] ?? 0) % places.length] ?? '',
    value,
  }));
  const spec = object['spec'] ?? null;
  return Buffer.from(JSON.stringify([...operations, { op: 'add', path: '/spec', value: spec }]));
}

/** Mutated objects need not fit the schema that the encoder goes by. */
function tryEncode(kind: KindDefinition, object: JsonObject): Uint8Array | undefined {
  try {
    return toProtobufBody(kind.schema, object);
  } catch {
    return undefined;
  }
}
