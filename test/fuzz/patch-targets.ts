// The patch formats and server-side apply on a live Service: random documents, directives, managers,
// and managedFields that clients made up.

import fc from 'fast-check';
import type { Json, JsonObject, KubeObject } from '../../common/model/kube-object.ts';
import { toCanonicalJson } from '../../common/pure/canonical-json.ts';
import {
  difference,
  fromFieldsV1,
  intersection,
  pathsOf,
  toFieldsV1,
  union,
} from '../../coordinator/api/machinery/apply/field-set.ts';
import {
  applyServerSide,
  trackUpdate,
} from '../../coordinator/api/machinery/apply/managed-fields.ts';
import { applyJsonPatch } from '../../coordinator/api/machinery/patch/json-patch.ts';
import { applyMergePatch } from '../../coordinator/api/machinery/patch/merge-patch.ts';
import { decodePatched, type Patcher } from '../../coordinator/api/machinery/patch/patched.ts';
import { applyStrategicMergePatch } from '../../coordinator/api/machinery/patch/strategic-patch.ts';
import { toJsonObject } from '../../coordinator/api/machinery/schema/json-value.ts';
import { decode, service, serviceKind, toBytes } from '../support/api-service.ts';
import { anyJson, damaged, jsonOf, mutate, mutationsOf } from './inputs.ts';
import { seedObjects } from './seed-objects.ts';
import { attempt, law, type FuzzLaw, type FuzzTarget } from './target.ts';

const lives = (seedObjects['/Service'] ?? []).map((seed) => service(seed['spec'] ?? {}));
const live = fc
  .nat({ max: lives.length - 1 })
  .map((index): KubeObject => lives[index] ?? service({}));

const names = ['spec', 'metadata', 'ports', 'port', 'protocol', 'selector', 'labels', 'finalizers'];
const directive = fc.constantFrom<JsonObject>(
  { $patch: 'delete' },
  { $patch: 'replace' },
  { $patch: 'x' },
  { $patch: 'delete', port: 80 },
  { $retainKeys: ['port'], port: 80 },
  { $retainKeys: 'x' },
  { '$setElementOrder/ports': [{ port: 53 }, { port: 80 }], ports: [{ port: 80, name: 'x' }] },
  { '$setElementOrder/ports': [{}], ports: [{ port: 80 }] },
  { '$deleteFromPrimitiveList/finalizers': ['a.b/c'] },
  { ports: [{ $patch: 'replace' }, { port: 1 }] },
  { ports: [{ port: 80, $patch: 'delete' }, { port: 80 }] },
  { ports: null, selector: { $patch: 'replace', constructor: 'x' } },
);
const document = fc
  .tuple(directive, directive, mutationsOf(jsonOf(names, 3), 3), mutationsOf(directive, 2))
  .map(([spec, metadata, some, more]) => mutate(mutate({ metadata, spec }, some), more));

const pointer = fc
  .array(
    fc.constantFrom(
      'spec',
      'ports',
      '0',
      '-',
      '1',
      '01',
      '-1',
      'port',
      'labels',
      '__proto__',
      '~1',
      '~',
      '',
      '99999999999',
    ),
    { maxLength: 4 },
  )
  .map((parts) => parts.map((part) => `/${part}`).join(''));
const operations = fc.array(
  fc.record(
    {
      op: fc.constantFrom('add', 'remove', 'replace', 'move', 'copy', 'test', 'x', ''),
      path: fc.oneof(pointer, fc.string({ maxLength: 5 })),
      from: pointer,
      value: fc.oneof(anyJson, fc.constantFrom<Json>(80, 'x')),
    },
    { requiredKeys: ['op'] },
  ),
  { maxLength: 8 },
);

function patching(title: string, patcher: Patcher, bodies: fc.Arbitrary<Json>): FuzzLaw {
  const bytes = damaged(
    bodies.map((value) => toBytes(JSON.stringify(value))),
    1,
  );
  const validation = fc.constantFrom('Strict', 'Warn', 'Ignore');
  return law(
    `${title}: an object of the kind or a refusal, and the live one stays as it was`,
    fc.property(
      live,
      fc.oneof(
        bodies.map((value) => toBytes(JSON.stringify(value))),
        bytes,
      ),
      validation,
      (object, body, how) => {
        const before = JSON.stringify(object);
        const patched = attempt(() => {
          const made = patcher({
            kind: serviceKind,
            object: toJsonObject(object),
            bytes: body,
            validation: how,
          });
          return decodePatched(serviceKind, made, how).object;
        });
        if (JSON.stringify(object) !== before) throw new Error('the live object changed');
        if (patched !== undefined) decodesAgain(patched);
      },
    ),
  );
}

function decodesAgain(object: KubeObject): void {
  const text = toCanonicalJson(object);
  const again = toCanonicalJson(decode(text, 'Ignore').object);
  if (again !== text) throw new Error(`${text} became ${again}`);
}

export const patchTarget: FuzzTarget = {
  name: 'patch',
  laws: [
    patching('JSON patch', applyJsonPatch, fc.oneof(operations as fc.Arbitrary<Json>, anyJson)),
    patching('merge patch', applyMergePatch, fc.oneof(document, anyJson)),
    patching('strategic merge', applyStrategicMergePatch, fc.oneof(document, anyJson)),
  ],
};

const elements =
  'f:spec f:ports f:metadata f:labels f:__proto__ . v:1 v:"a" i:0 k:{} k:[] x f: v:{';
const element = fc.constantFrom(
  ...elements.split(' '),
  'k:{"port":80,"protocol":"TCP"}',
  'k:{"port":',
  '',
);
const { fields } = fc.letrec<{ fields: JsonObject }>((tie) => ({
  fields: fc.dictionary(element, fc.oneof({ maxDepth: 5 }, fc.constant({}), tie('fields')), {
    maxKeys: 4,
    noNullPrototype: true,
  }),
}));
const entry: fc.Arbitrary<JsonObject> = fc.record(
  {
    manager: fc.constantFrom<Json>('m1', 'm2', '', 1, null),
    operation: fc.constantFrom<Json>('Apply', 'Update', 'x'),
    apiVersion: fc.constantFrom<Json>('v1', 'v2', 'x/y/z', ''),
    fieldsType: fc.constantFrom<Json>('FieldsV1', 'x'),
    fieldsV1: fc.oneof(fields, anyJson),
    subresource: fc.constantFrom<Json>('', 'status', 'x'),
    time: fc.constantFrom<Json>('2026-01-02T03:04:05Z', 'x'),
  },
  { requiredKeys: [] },
);

const step = fc.record({
  how: fc.constantFrom('apply', 'apply', 'update'),
  manager: fc.constantFrom('m1', 'm2', 'kubectl'),
  seed: fc.nat({ max: 5 }),
  mutations: mutationsOf(jsonOf(names, 2), 2),
  force: fc.boolean(),
  entries: fc.oneof(fc.constant(undefined), fc.array(entry, { maxLength: 3 })),
});
// Of a port's key, as they stand in a field set.
const emptyProtocol = JSON.stringify('"protocol":""').slice(1, -1);
const noPort = JSON.stringify('"port":0,').slice(1, -1);
const time = '2026-01-02T03:04:05Z';
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

export const applyTarget: FuzzTarget = {
  name: 'apply',
  laws: [
    law(
      'field sets are read and written back',
      fc.property(fc.oneof(fields, anyJson), (json) => {
        const set = attempt(() => fromFieldsV1(json));
        if (set === undefined) return;
        const text = toCanonicalJson(toFieldsV1(set));
        const again = fromFieldsV1(JSON.parse(text) as Json);
        if (again === undefined || toCanonicalJson(toFieldsV1(again)) !== text)
          throw new Error(text);
      }),
    ),
    law(
      'union, difference and intersection are those of the paths',
      fc.property(fields, fields, (some, others) => {
        const [a, b] = [fromFieldsV1(some), fromFieldsV1(others)];
        if (a === undefined || b === undefined) return;
        const [left, right] = [keysOf(a), keysOf(b)];
        const all = [...new Set([...left, ...right])].sort();
        requireSame(keysOf(union(a, b)), all);
        requireSame(
          keysOf(difference(a, b)),
          left.filter((each) => !right.includes(each)),
        );
        requireSame(
          keysOf(intersection(a, b)),
          left.filter((each) => right.includes(each)),
        );
      }),
    ),
    law(
      'an apply gives an object of the kind, and the same apply then changes nothing',
      fc.property(fc.array(step, { maxLength: 6 }), (steps) => {
        let object: KubeObject | undefined;
        for (const each of steps) object = attempt(() => perform(object, each)) ?? object;
      }),
    ),
  ],
};

function keysOf(set: Parameters<typeof pathsOf>[0]): readonly string[] {
  return pathsOf(set)
    .map((path) => JSON.stringify(path))
    .sort();
}

function requireSame(found: readonly string[], wanted: readonly string[]): void {
  if (found.join('\n') !== wanted.join('\n'))
    throw new Error(`${found.join()} is not ${wanted.join()}`);
}

function perform(object: KubeObject | undefined, of: Step): KubeObject {
  const { how, manager, seed, mutations, force, entries } = of;
  const seeds = seedObjects['/Service'] ?? [];
  const metadata = { name: 'a', namespace: 'default' };
  const whole: JsonObject = { apiVersion: 'v1', kind: 'Service', metadata, ...seeds[seed] };
  const common = { kind: serviceKind, manager, subresource: '', time } as const;
  const body = toBytes(JSON.stringify(mutate(whole, mutations)));
  if (how === 'update') {
    const sent = decode(Buffer.from(body).toString('utf8'), 'Ignore').object;
    const managedFields = entries ?? object?.metadata.managedFields ?? [];
    const next = { ...sent, metadata: { ...sent.metadata, managedFields } };
    return trackUpdate({ ...common, old: object, next });
  }
  const request = { ...common, bytes: body, force };
  const applied = applyServerSide({ ...request, live: object });
  const twice = applyServerSide({ ...request, live: applied });
  // What owns nothing leaves no trace: the next apply meets an object that nobody has applied.
  if (applied.metadata.managedFields === undefined) return applied;
  // Defaulting changes an empty key, and the next apply means another entry: so does kube-apiserver.
  // A port of 0 is none, and validation, which comes next, lets nobody store it.
  const owned = JSON.stringify(applied.metadata.managedFields);
  if (owned.includes(emptyProtocol) || owned.includes(noPort)) return applied;
  // Conflicts with others are gone after the first; what it owns, it owns.
  if (toCanonicalJson(twice) !== toCanonicalJson(applied))
    throw new Error(`not once: ${JSON.stringify(applied)}, ${JSON.stringify(twice)}`);
  return applied;
}
