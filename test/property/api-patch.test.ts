// The patch formats as laws, over random objects and over random patches, also hostile ones.

import test from 'ava';
import fc from 'fast-check';
import type { Json, JsonObject } from '../../common/model/kube-object.ts';
import { toCanonicalJson } from '../../common/pure/canonical-json.ts';
import { applyJsonPatch } from '../../coordinator/api/machinery/patch/json-patch.ts';
import { applyMergePatch } from '../../coordinator/api/machinery/patch/merge-patch.ts';
import { decodePatched, type Patcher } from '../../coordinator/api/machinery/patch/patched.ts';
import { applyStrategicMergePatch } from '../../coordinator/api/machinery/patch/strategic-patch.ts';
import { isRecord, toJsonObject } from '../../coordinator/api/machinery/schema/json-value.ts';
import { ApiError } from '../../coordinator/api/machinery/answer/status-error.ts';
import { service, serviceKind, toBytes } from '../support/api-service.ts';

const key = fc.oneof(
  fc.constantFrom('a', 'b', 'metadata', 'spec', 'ports', 'labels', '__proto__', 'constructor'),
  fc.constantFrom('$patch', '$retainKeys', '$setElementOrder/ports', 'finalizers', 'port'),
);
const scalar = fc.oneof(
  fc.constantFrom('x', 'delete', 'replace', '80'),
  fc.integer(),
  fc.boolean(),
);

const { json } = fc.letrec<{ json: Json }>((tie) => ({
  json: fc.oneof(
    { maxDepth: 5 },
    scalar,
    fc.constant(null),
    fc.array(tie('json'), { maxLength: 3 }),
    fc.dictionary(key, tie('json'), { maxKeys: 4 }),
  ),
}));
const object = fc.dictionary(key, json, { maxKeys: 4 }).map((value) => value as JsonObject);

function patch(patcher: Patcher, target: JsonObject, body: Json): Json {
  const bytes = toBytes(JSON.stringify(body));
  return patcher({ kind: serviceKind, object: target, bytes, validation: 'Ignore' }).json;
}

/** The merge patch from one object to the other. */
function diff(from: JsonObject, to: JsonObject): JsonObject {
  const keys = new Set([...Object.keys(from), ...Object.keys(to)]);
  const members = [...keys].flatMap((name): [string, Json][] => {
    const [before, after] = [own(from, name), own(to, name)];
    if (after === undefined) return [[name, null]];
    if (isRecord(before) && isRecord(after)) return [[name, diff(before, after)]];
    return toCanonicalJson(before) === toCanonicalJson(after) ? [] : [[name, after]];
  });
  return Object.fromEntries(members);
}

function own(from: JsonObject, name: string): Json | undefined {
  return Object.hasOwn(from, name) ? from[name] : undefined;
}

/** What a merge patch can say: no nulls. */
function withoutNulls(value: Json): Json {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (!isRecord(value)) return value;
  const members = Object.entries(value).filter(([, member]) => member !== null);
  return Object.fromEntries(members.map(([name, member]) => [name, withoutNulls(member ?? null)]));
}

test('[k8s 86] a merge patch leads from any object to any other', (t) => {
  fc.assert(
    fc.property(object, object, (from, to) => {
      const wanted = withoutNulls(to) as JsonObject;
      t.is(
        toCanonicalJson(patch(applyMergePatch, from, diff(from, wanted))),
        toCanonicalJson(wanted),
      );
    }),
  );
});

test('[k8s 85] a JSON patch that adds and removes again leaves what was there', (t) => {
  fc.assert(
    fc.property(object, key, json, (from, name, value) => {
      fc.pre(!Object.hasOwn(from, name));
      const path = `/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`;
      const body = [
        { op: 'add', path, value },
        { op: 'test', path, value },
        { op: 'remove', path },
      ];
      t.is(toCanonicalJson(patch(applyJsonPatch, from, body)), toCanonicalJson(from));
    }),
  );
});

const live = toJsonObject(
  service({
    selector: { a: 'b' },
    ports: [
      { name: 'a', port: 80 },
      { name: 'b', port: 443 },
    ],
  }),
);

test('[k8s 87] a strategic merge patch of the object itself changes nothing', (t) => {
  const numbers = fc.uniqueArray(fc.integer({ min: 1, max: 9 }), { maxLength: 5 });
  fc.assert(
    fc.property(numbers, (ports) => {
      const itself = {
        ...live,
        spec: { ports: ports.map((port) => ({ port, name: `p${port}` })) },
      };
      t.deepEqual(patch(applyStrategicMergePatch, itself, itself), itself);
    }),
  );
});

const operation = fc.record(
  {
    op: fc.constantFrom('add', 'remove', 'replace', 'move', 'copy', 'test', 'no'),
    path: fc.array(key).map((names) => names.map((name) => `/${name}`).join('')),
    from: fc.array(key).map((names) => names.map((name) => `/${name}`).join('')),
    value: json,
  },
  { requiredKeys: [] },
);

for (const [title, patcher, body] of [
  ['JSON patch', applyJsonPatch, fc.oneof(fc.array(operation), json)],
  ['merge patch', applyMergePatch, json],
  ['strategic merge patch', applyStrategicMergePatch, json],
] as const) {
  test(`J1. any ${title} gives an object or a refusal, and touches nothing else`, (t) => {
    const before = JSON.stringify(live);
    fc.assert(
      fc.property(body, fc.constantFrom('Strict', 'Warn', 'Ignore'), (value, validation) => {
        const bytes = toBytes(JSON.stringify(value));
        try {
          const patched = patcher({ kind: serviceKind, object: live, bytes, validation });
          decodePatched(serviceKind, patched, validation);
        } catch (error) {
          if (!(error instanceof ApiError)) throw error;
        }
        t.is(JSON.stringify(live), before);
        t.is(Reflect.get(Object.prototype, 'a'), undefined);
      }),
      { numRuns: 500 },
    );
  });
}
