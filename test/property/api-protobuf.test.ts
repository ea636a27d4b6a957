// Protobuf bodies as laws, over random objects of every kind that has field numbers and over
// random bytes.

import test from 'ava';
import fc from 'fast-check';
import type { Json, JsonObject } from '../../common/model/kube-object.ts';
import { federationKinds } from '../../coordinator/api/kinds/all.ts';
import { memberKinds } from '../../coordinator/api/kinds/member/member.ts';
import {
  decodeObject,
  protobufMediaType,
  toApiVersion,
  type BodyMediaType,
} from '../../coordinator/api/machinery/schema/decode.ts';
import type { KindDefinition } from '../../coordinator/api/machinery/kind.ts';
import { isNumbered } from '../../coordinator/api/machinery/protobuf/protobuf-body.ts';
import type { Schema } from '../../coordinator/api/machinery/schema/schema.ts';
import { ApiError } from '../../coordinator/api/machinery/answer/status-error.ts';
import { toBytes } from '../support/api-service.ts';
import { toProtobufBody } from '../support/protobuf-encoder.ts';

const allKinds = federationKinds({ caHash: 'ab' }).filter(({ verbs }) => verbs.includes('create'));
const kinds = [...allKinds, ...memberKinds()]
  .filter(({ verbs, schema }) => verbs.includes('create') && isNumbered(schema))
  .filter(({ kind, group }, index, all) => {
    const first = all.findIndex((each) => each.kind === kind && each.group === group);
    return first === index;
  });

test('[k8s 124] every kind of Kubernetes that is served takes protobuf, ours none', (t) => {
  const numbered = new Set(kinds.map(({ kind, group }) => `${group}/${kind}`));
  for (const { kind, group } of allKinds) {
    t.is(numbered.has(`${group}/${kind}`), group !== 'isthmus.dev', `${group}/${kind}`);
  }
});

test('every field of a struct with field numbers has one, and no two have the same', (t) => {
  for (const { kind, schema } of kinds) checkNumbers(schema, kind, t.deepEqual.bind(t));
});

function checkNumbers(
  schema: Schema,
  path: string,
  same: (actual: unknown, expected: unknown, message: string) => void,
): void {
  if (schema.type === 'list') checkNumbers(schema.items, `${path}[]`, same);
  if (schema.type !== 'object') return;
  const numbers = schema.protobuf ?? {};
  const isRoot = !path.includes('.');
  const fields = Object.keys(schema.fields).filter(
    (name) => !isRoot || (name !== 'kind' && name !== 'apiVersion'),
  );
  same(Object.keys(numbers).sort(), fields.sort(), path);
  same(new Set(Object.values(numbers)).size, fields.length, path);
  for (const [name, field] of Object.entries(schema.fields)) {
    checkNumbers(field, `${path}.${name}`, same);
  }
}

const anyText = fc.string({ unit: 'binary', maxLength: 8 });
const key = fc.oneof(anyText, fc.constant('__proto__'));
const second = fc
  .date({
    min: new Date('0001-01-01T00:00:01Z'),
    max: new Date('9999-12-31T23:59:59Z'),
    noInvalidDate: true,
  })
  .map((date) => date.toISOString().slice(0, 19));
const micros = fc
  .integer({ min: 0, max: 999_999 })
  .map((digits) => String(digits).padStart(6, '0'));

/** A value of the schema; undefined is an absent member. */
function valueOf(schema: Schema): fc.Arbitrary<Json> {
  switch (schema.type) {
    case 'object':
      return membersOf(schema.fields);
    case 'map':
      return fc.dictionary(key, valueOf(schema.values), { maxKeys: 3, noNullPrototype: true });
    case 'list':
      // On the wire an empty list and none are the same.
      return fc.array(valueOf(schema.items), {
        minLength: schema.keepsEmpty === true ? 1 : 0,
        maxLength: 3,
      });
    case 'string':
      return textOf(schema);
    case 'integer':
      return schema.format === 'int32' ? fc.integer() : fc.maxSafeInteger();
    case 'boolean':
      return fc.boolean();
    case 'intOrString':
      return fc.oneof(anyText, fc.integer());
    case 'any':
      return fc.dictionary(anyText, fc.constantFrom<Json>({}, 1, 'x', [true]), { maxKeys: 3 });
    default:
      throw new Error(`no ${schema.type} here`);
  }
}

function textOf(schema: Extract<Schema, { readonly type: 'string' }>): fc.Arbitrary<Json> {
  if (schema.format === 'byte') {
    return fc.uint8Array({ maxLength: 8 }).map((bytes) => Buffer.from(bytes).toString('base64'));
  }
  if (schema.format === undefined) return anyText;
  if (schema.precision !== 'microseconds') return second.map((text) => `${text}Z`);
  return fc.tuple(second, micros).map(([text, digits]) => `${text}.${digits}Z`);
}

function membersOf(fields: Readonly<Record<string, Schema>>): fc.Arbitrary<JsonObject> {
  const members = Object.entries(fields).map(([name, field]) => [name, valueOf(field)] as const);
  return fc.record(Object.fromEntries(members), { requiredKeys: [] });
}

function objectOf(kind: KindDefinition): fc.Arbitrary<JsonObject> {
  const typeMeta = { kind: kind.kind, apiVersion: toApiVersion(kind) };
  return valueOf(kind.schema).map((value) => ({ ...(value as JsonObject), ...typeMeta }));
}

function decodeAs(kind: KindDefinition, mediaType: BodyMediaType, bytes: Uint8Array): unknown {
  const { object, warnings } = decodeObject({ bytes, mediaType, kind, validation: 'Strict' });
  return { text: JSON.stringify(object), warnings };
}

for (const kind of kinds) {
  test(`[k8s 124] a ${kind.kind} of ${kind.group || 'v1'} in protobuf is the same object as in JSON`, (t) => {
    fc.assert(
      fc.property(objectOf(kind), (object) => {
        const bytes = toProtobufBody(kind.schema, object);
        t.deepEqual(
          decodeAs(kind, protobufMediaType, bytes),
          decodeAs(kind, 'application/json', toBytes(object)),
        );
      }),
    );
  });

  test(`B3. a damaged ${kind.kind} of ${kind.group || 'v1'} is refused or decoded, never more`, (t) => {
    const damage = fc.record({
      at: fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
      removed: fc.nat({ max: 12 }),
      added: fc.uint8Array({ maxLength: 12 }),
    });
    fc.assert(
      fc.property(objectOf(kind), fc.array(damage, { maxLength: 4 }), (object, damages) => {
        const bytes = damages.reduce(
          (before, { at, removed, added }) => {
            const start = Math.floor(at * before.length);
            const rest = before.subarray(start + removed);
            return Buffer.concat([before.subarray(0, start), added, rest]);
          },
          toProtobufBody(kind.schema, object),
        );
        t.true(isRefusedOrDecoded(kind, bytes));
      }),
    );
  });
}

test('B3. random bytes in the envelope are refused or decoded', (t) => {
  fc.assert(
    fc.property(fc.constantFrom(...kinds), fc.uint8Array({ maxLength: 200 }), (kind, raw) => {
      t.true(isRefusedOrDecoded(kind, raw));
      t.true(isRefusedOrDecoded(kind, Buffer.concat([Buffer.from('k8s\0'), raw])));
    }),
  );
});

function isRefusedOrDecoded(kind: KindDefinition, bytes: Uint8Array): boolean {
  try {
    decodeAs(kind, protobufMediaType, bytes);
    return true;
  } catch (error) {
    return error instanceof ApiError && error.status.code === 400;
  }
}
