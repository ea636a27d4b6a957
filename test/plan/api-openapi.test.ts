import test from 'ava';
import type { Json, JsonObject } from '../../common/model/kube-object.ts';
import { memberKinds } from '../../coordinator/api/kinds/member/member.ts';
import { at, isList, isRecord } from '../../coordinator/api/machinery/schema/json-value.ts';
import { buildOpenApiV3 } from '../../coordinator/api/machinery/openapi/openapi.ts';
import { kinds } from '../support/api-service.ts';

const built = buildOpenApiV3(kinds);

function documentNamed(name: string): JsonObject {
  const document: unknown = built.documents.get(name);
  if (!isRecord(document)) throw new Error(`no document ${name}`);
  return document;
}

function component(document: JsonObject, name: string): JsonObject {
  const found = at(document, 'components', 'schemas', name);
  if (!isRecord(found)) throw new Error(`no component ${name}`);
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

test('the index leads to each document by the hash of its bytes', (t) => {
  const index: unknown = built.index;
  for (const [name, hash] of built.hashes) {
    const url = isRecord(index) ? at(index, 'paths', name, 'serverRelativeURL') : undefined;
    t.is(url, `/openapi/v3/${name}?hash=${hash}`);
    t.deepEqual(
      JSON.parse(Buffer.from(built.bytes.get(name) ?? []).toString()),
      documentNamed(name),
    );
  }
  const groups = new Set(kinds.map(({ group, version }) => `${group}/${version}`));
  const names = [...groups].map((name) => (name === '/v1' ? 'api/v1' : `apis/${name}`));
  t.deepEqual([...built.documents.keys()], names.sort());
});

test('O1. every $ref resolves, at the federation and in a member cluster', (t) => {
  for (const documents of [built.documents, buildOpenApiV3(memberKinds()).documents]) {
    for (const document of documents.values()) {
      if (!isRecord(document)) throw new Error('no object');
      for (const ref of refsOf(document)) {
        component(document, ref.replace('#/components/schemas/', ''));
      }
    }
  }
  t.pass();
});

test('every write operation offers fieldValidation under its kind, which is how kubectl finds it', (t) => {
  for (const document of built.documents.values()) {
    const paths = isRecord(document) ? at(document, 'paths') : undefined;
    for (const path of Object.values(isRecord(paths) ? paths : {})) {
      for (const method of ['post', 'put', 'patch']) {
        const operation = isRecord(path) ? at(path, method) : undefined;
        if (!isRecord(operation)) continue;
        t.true(JSON.stringify(operation['parameters']).includes('"name":"fieldValidation"'));
        t.true(isRecord(operation['x-kubernetes-group-version-kind']));
        t.is(operation['x-kubernetes-action'], method);
      }
    }
  }
});

test('ports tell strategic merge and apply their different keys', (t) => {
  const spec = component(documentNamed('api/v1'), 'io.k8s.api.core.v1.ServiceSpec');
  t.like(at(spec, 'properties', 'ports'), {
    'x-kubernetes-list-type': 'map',
    'x-kubernetes-list-map-keys': ['port', 'protocol'],
    'x-kubernetes-patch-strategy': 'merge',
    'x-kubernetes-patch-merge-key': 'port',
  });
  t.like(at(spec, 'properties', 'selector'), { 'x-kubernetes-map-type': 'atomic' });
  t.deepEqual(at(spec, 'properties', 'type', 'enum'), [
    'ClusterIP',
    'ExternalName',
    'LoadBalancer',
    'NodePort',
  ]);
});

test('our own kinds do not offer strategic merge', (t) => {
  const path = '/apis/isthmus.dev/v1alpha1/clusters/{name}';
  const types = at(
    documentNamed('apis/isthmus.dev/v1alpha1'),
    'paths',
    path,
    'patch',
    'requestBody',
    'content',
  );
  t.deepEqual(Object.keys(isRecord(types) ? types : {}), [
    'application/apply-patch+yaml',
    'application/json-patch+json',
    'application/merge-patch+json',
  ]);
});

test('every field of every kind has a description', (t) => {
  const visit = (schema: Json | undefined, path: string): void => {
    const properties = isRecord(schema) ? at(schema, 'properties') : undefined;
    for (const [key, field] of Object.entries(isRecord(properties) ? properties : {})) {
      const description = isRecord(field) ? field['description'] : undefined;
      t.true(typeof description === 'string' && description.length > 4, `${path}.${key}`);
    }
  };
  for (const document of built.documents.values()) {
    const schemas = isRecord(document) ? at(document, 'components', 'schemas') : undefined;
    for (const [name, schema] of Object.entries(isRecord(schemas) ? schemas : {}))
      visit(schema, name);
  }
});

test('an operation declares the codes that kube-apiserver declares', (t) => {
  const document = documentNamed('api/v1');
  const codes = (path: string, method: string): readonly string[] => {
    const found = at(
      document,
      'paths',
      `/api/v1/namespaces/{namespace}/${path}`,
      method,
      'responses',
    );
    return isRecord(found) ? Object.keys(found) : [];
  };
  t.deepEqual(codes('services', 'post'), ['200', '201', '202', '401']);
  t.deepEqual(codes('services', 'delete'), ['200', '401']);
  t.deepEqual(codes('services/{name}', 'put'), ['200', '201', '401']);
  t.deepEqual(codes('services/{name}/status', 'patch'), ['200', '201', '401']);
  t.deepEqual(codes('services/{name}', 'delete'), ['200', '202', '401']);
  t.deepEqual(codes('services/{name}', 'get'), ['200', '401']);
});
