import test from 'ava';
import type { Json, JsonObject } from '../../common/model/kube-object.ts';
import { memberKinds } from '../../coordinator/api/kinds/member/member.ts';
import { at, isList, isRecord } from '../../coordinator/api/machinery/schema/json-value.ts';
import { encodeOpenApiV2 } from '../../coordinator/api/machinery/openapi/openapi-v2-protobuf.ts';
import {
  buildOpenApiV2,
  createOpenApiV2,
} from '../../coordinator/api/machinery/openapi/openapi-v2.ts';
import { buildOpenApiV3 } from '../../coordinator/api/machinery/openapi/openapi.ts';
import { createApiFixture } from '../support/api-fixture.ts';
import { kinds } from '../support/api-service.ts';
import { readSwagger } from '../support/swagger-reader.ts';

const v3 = buildOpenApiV3(kinds);
const document = buildOpenApiV2(v3);

function recordAt(from: JsonObject, ...path: readonly string[]): JsonObject {
  const found = at(from, ...path);
  if (!isRecord(found)) throw new Error(`nothing at ${path.join(' ')}`);
  return found;
}

function* refsOf(value: Json | undefined): Generator<string> {
  if (isList(value)) for (const item of value) yield* refsOf(item);
  if (!isRecord(value)) return;
  for (const [key, member] of Object.entries(value)) {
    if (key === '$ref') yield String(member);
    else yield* refsOf(member);
  }
}

test('V1. every $ref resolves, at the federation and in a member cluster (checklist 9)', (t) => {
  for (const each of [document, buildOpenApiV2(buildOpenApiV3(memberKinds()))]) {
    const refs = [...refsOf(each)];
    t.true(refs.length > 50);
    for (const ref of refs) {
      t.true(ref.startsWith('#/definitions/'), ref);
      t.notThrows(() => recordAt(each, 'definitions', ref.slice('#/definitions/'.length)));
    }
  }
});

test('V2. no two definitions are of one group, version and kind (checklist 9)', (t) => {
  const all = Object.values(recordAt(document, 'definitions')).flatMap((definition) => {
    const gvks = isRecord(definition) ? definition['x-kubernetes-group-version-kind'] : undefined;
    return isList(gvks) ? gvks.map((gvk) => JSON.stringify(gvk)) : [];
  });
  t.deepEqual([...new Set(all)], all);
  for (const { group, version, kind } of kinds) {
    t.true(all.includes(JSON.stringify({ group, kind, version })), kind);
  }
});

test('V3. definitions and paths are those of the v3 documents, each once', (t) => {
  const names = (...path: readonly string[]): readonly string[] => {
    const all = [...v3.documents.values()].flatMap((each) =>
      isRecord(each) ? Object.keys(recordAt(each, ...path)) : [],
    );
    return [...new Set(all)].sort();
  };
  t.deepEqual(Object.keys(recordAt(document, 'definitions')), names('components', 'schemas'));
  t.deepEqual(Object.keys(recordAt(document, 'paths')), names('paths'));
});

test('V3. one name for two different definitions is a fault, not a choice', (t) => {
  const toDocument = (type: string): object => ({ components: { schemas: { One: { type } } } });
  const documents = new Map([
    ['api/v1', toDocument('string')],
    ['apis/a.dev/v1', toDocument('integer')],
  ]);
  t.throws(() => buildOpenApiV2({ ...v3, documents }), { message: /named One/ });
});

test('lists and maps say how they are patched and applied', (t) => {
  const spec = recordAt(document, 'definitions', 'io.k8s.api.core.v1.ServiceSpec', 'properties');
  t.like(spec['ports'], {
    type: 'array',
    items: { $ref: '#/definitions/io.k8s.api.core.v1.ServicePort' },
    'x-kubernetes-list-type': 'map',
    'x-kubernetes-list-map-keys': ['port', 'protocol'],
    'x-kubernetes-patch-strategy': 'merge',
    'x-kubernetes-patch-merge-key': 'port',
  });
  t.like(spec['selector'], { 'x-kubernetes-map-type': 'atomic' });
  const service = recordAt(document, 'definitions', 'io.k8s.api.core.v1.Service', 'properties');
  t.deepEqual(service['spec'], {
    description: 'What is wanted of the Service.',
    $ref: '#/definitions/io.k8s.api.core.v1.ServiceSpec',
  });
  t.like(recordAt(document, 'definitions', 'io.k8s.apimachinery.pkg.util.intstr.IntOrString'), {
    type: 'string',
    format: 'int-or-string',
  });
});

test('nothing is left that only v3 knows', (t) => {
  const text = JSON.stringify(document);
  for (const word of ['components', 'allOf', 'oneOf', 'requestBody', 'content', 'default']) {
    t.false(text.includes(`"${word}":`), word);
  }
});

test('an operation names its body, its types and its kind', (t) => {
  const path = '/api/v1/namespaces/{namespace}/services/{name}';
  const patch = recordAt(document, 'paths', path, 'patch');
  t.like(patch, {
    consumes: [
      'application/apply-patch+yaml',
      'application/json-patch+json',
      'application/merge-patch+json',
      'application/strategic-merge-patch+json',
    ],
    produces: ['application/json', 'application/yaml'],
    responses: {
      200: { schema: { $ref: '#/definitions/io.k8s.api.core.v1.Service' } },
      401: { description: 'Unauthorized' },
    },
    'x-kubernetes-action': 'patch',
    'x-kubernetes-group-version-kind': { group: '', kind: 'Service', version: 'v1' },
  });
  const parameters = isList(patch['parameters']) ? patch['parameters'] : [];
  const body = { $ref: '#/definitions/io.k8s.apimachinery.pkg.apis.meta.v1.Patch' };
  t.deepEqual(parameters[0], { name: 'body', in: 'body', required: true, schema: body });
  t.true(parameters.some((each) => isRecord(each) && each['name'] === 'fieldValidation'));
});

test('P1. the protobuf form says all that the JSON form says', (t) => {
  t.deepEqual(readSwagger(encodeOpenApiV2(document)), document);
  const member = buildOpenApiV2(buildOpenApiV3(memberKinds()));
  t.deepEqual(readSwagger(encodeOpenApiV2(member)), member);
});

test('P1. a key without a field number is a fault', (t) => {
  t.throws(() => encodeOpenApiV2({ ...document, novelty: 'x' }), { message: /novelty/ });
});

test('both forms are built at the first request, once', async (t) => {
  let reads = 0;
  const counted = {
    ...v3,
    get documents() {
      reads += 1;
      return v3.documents;
    },
  };
  let turns = 0;
  const v2 = createOpenApiV2(counted, () => {
    turns += 1;
    return Promise.resolve();
  });
  t.is(reads, 0);
  t.is(await v2.json(), await v2.json());
  t.is(await v2.protobuf(), await v2.protobuf());
  t.is(reads, 1);
  // The turns of others: some milliseconds of work lie between two of them, not a hundred.
  t.true(turns > 10, String(turns));
});

const asked = 'application/com.github.proto-openapi.spec.v2@v1.0+protobuf';
const answered = 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf';

const negotiated: readonly (readonly [string | undefined, string])[] = [
  [undefined, 'application/json'],
  ['*/*', 'application/json'],
  ['application/json', 'application/json'],
  [asked, answered],
  [answered, answered],
  [`${asked}, application/json`, answered],
  [`application/json;q=0.5, ${asked}`, answered],
  [`text/html, application/json`, 'application/json'],
];

for (const [accept, type] of negotiated) {
  test(`/openapi/v2 for Accept ${accept ?? '(none)'} is ${type}`, async (t) => {
    const { call } = await createApiFixture();
    const headers = accept === undefined ? {} : { accept };
    const got = await call('GET', '/openapi/v2?timeout=32s', undefined, headers);
    t.is(got.status, 200);
    t.is(got.headers['content-type'], type);
    t.is(got.headers['vary'], 'Accept');
  });
}

test('/openapi/v2 is not sent again for the same ETag, which differs by form', async (t) => {
  const { call } = await createApiFixture();
  const json = await call('GET', '/openapi/v2');
  t.is(json.json['swagger'], '2.0');
  const protobuf = await call('GET', '/openapi/v2', undefined, { accept: asked });
  const etag = String(protobuf.headers['etag']);
  t.not(etag, json.headers['etag']);
  t.regex(etag, /^"[0-9A-F]{128}"$/);
  const headers = { accept: asked, 'if-none-match': etag };
  const again = await call('GET', '/openapi/v2', undefined, headers);
  t.is(again.status, 304);
  t.is(again.text, '');
});

test('/openapi/v2 in a form that it does not have is 406, and is only read', async (t) => {
  const { call } = await createApiFixture();
  const accept = 'application/xml';
  t.is((await call('GET', '/openapi/v2', undefined, { accept })).status, 406);
  t.is((await call('POST', '/openapi/v2', {})).status, 405);
});

test('who looks for custom kinds at a member finds none, and can make none', async (t) => {
  const { call } = await createApiFixture({ kinds: memberKinds() });
  const group = '/apis/apiextensions.k8s.io/v1';
  const path = `${group}/customresourcedefinitions`;
  const list = await call('GET', path);
  t.is(list.status, 200);
  t.is(list.json['kind'], 'CustomResourceDefinitionList');
  t.deepEqual(list.json['items'], []);
  t.is((await call('GET', group)).status, 200);
  t.is((await call('GET', `${path}/gadgets.test.dev`)).status, 404);
  t.is((await call('POST', path, { metadata: { name: 'gadgets.test.dev' } })).status, 405);
});

test('the machinery knows no kind: what is not served is 404', async (t) => {
  const { call } = await createApiFixture();
  const path = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
  t.is((await call('GET', path)).status, 404);
});
