// Server-side apply as laws, over random configurations of random managers.

import test from 'ava';
import fc from 'fast-check';
import type { JsonObject, KubeObject } from '../../common/model/kube-object.ts';
import { toCanonicalJson } from '../../common/pure/canonical-json.ts';
import {
  emptySet,
  equalSets,
  formatPath,
  fromFieldsV1,
  intersection,
  isEmptySet,
  pathsOf,
  toFieldsV1,
  union,
} from '../../coordinator/api/machinery/apply/field-set.ts';
import { compareFields } from '../../coordinator/api/machinery/apply/field-compare.ts';
import { toJsonObject } from '../../coordinator/api/machinery/schema/json-value.ts';
import {
  applyServerSide,
  trackUpdate,
} from '../../coordinator/api/machinery/apply/managed-fields.ts';
import { serviceKind, toBytes } from '../support/api-service.ts';

const time = '2026-01-01T00:00:00Z';

interface Config {
  readonly metadata: {
    readonly labels: Readonly<Record<string, string>>;
    readonly finalizers: readonly string[];
  };
  readonly spec: {
    readonly ports: readonly object[];
    readonly selector?: Readonly<Record<string, string>>;
    readonly sessionAffinity?: string;
  };
}

/** `suffix` keeps the fields of two managers apart. */
function configs(
  suffix: string,
  portBase: number,
  values: readonly string[] = ['1', '2'],
): fc.Arbitrary<Config> {
  const port = fc.record(
    {
      port: fc.integer({ min: portBase, max: portBase + 3 }),
      protocol: fc.constantFrom('TCP', 'UDP'),
      name: fc.constantFrom('a', 'b'),
      appProtocol: fc.constantFrom('h2', 'x'),
    },
    { requiredKeys: ['port'] },
  );
  return fc.record({
    metadata: fc.record({
      labels: fc.dictionary(
        fc.constantFrom('a', 'b', 'c').map((key) => key + suffix),
        fc.constantFrom(...values),
        // Who applies an empty map owns it, and so conflicts with whoever fills it.
        { minKeys: 1 },
      ),
      finalizers: fc.uniqueArray(fc.constantFrom('x.io/1', 'x.io/2').map((name) => name + suffix)),
    }),
    spec: fc.record({
      ports: fc.uniqueArray(port, {
        selector: (each) => `${each.port}/${each.protocol ?? 'TCP'}`,
        maxLength: 4,
      }),
    }),
  });
}

function apply(live: KubeObject | undefined, manager: string, config: object): KubeObject {
  return applyServerSide({
    kind: serviceKind,
    live,
    bytes: toBytes({
      apiVersion: 'v1',
      kind: 'Service',
      ...config,
      metadata: {
        name: 'n',
        namespace: 'd',
        ...('metadata' in config ? Object(config.metadata) : {}),
      },
    }),
    manager,
    force: true,
    subresource: '',
    time,
  });
}

/** Without what depends on the order of writers: the order of lists. */
function essence(object: KubeObject): string {
  return toCanonicalJson(sorted(object));
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) {
    return value.map(sorted).sort((a, b) => (toCanonicalJson(a) < toCanonicalJson(b) ? -1 : 1));
  }
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, sorted(member)]));
}

test('[k8s 94] A1. applying twice is applying once', (t) => {
  fc.assert(
    fc.property(configs('', 80), configs('', 80), (first, second) => {
      const live = apply(apply(undefined, 'other', first), 'm', second);
      t.deepEqual(apply(live, 'm', second), live);
    }),
  );
  t.pass();
});

test('managers with fields of their own may write in any order', (t) => {
  fc.assert(
    fc.property(configs('-p', 80), configs('-q', 90), (one, other) => {
      // What owns nothing is as if never applied: the next apply protects it from itself.
      fc.pre(one.spec.ports.length > 0 && other.spec.ports.length > 0);
      const a = apply(apply(undefined, 'one', one), 'other', other);
      const b = apply(apply(undefined, 'other', other), 'one', one);
      t.is(essence(a), essence(b));
    }),
  );
});

test('[k8s 95, 96] A2. nobody loses a field that nobody gave up', (t) => {
  // One value per label: what force takes from an owner, that owner has no say in any more.
  const config = configs('', 80, ['1']);
  const step = fc.record({ manager: fc.constantFrom('p', 'q', 'r'), config });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 6 }), (steps) => {
      const last = new Map<string, Config>();
      let live: KubeObject | undefined;
      for (const { manager, config: wished } of steps) {
        live = apply(live, manager, wished);
        last.set(manager, wished);
      }
      if (live === undefined) return;
      // Every label, finalizer and port that some manager's last configuration has is there,
      // and nothing that no manager has any more.
      const wanted = [...last.values()];
      const labels = distinct(wanted.flatMap(({ metadata }) => Object.keys(metadata.labels)));
      t.deepEqual(distinct(Object.keys(live.metadata.labels ?? {})), labels);
      const finalizers = distinct(wanted.flatMap(({ metadata }) => metadata.finalizers));
      t.deepEqual(distinct(live.metadata.finalizers ?? []), finalizers);
      const ports = distinct(wanted.flatMap(({ spec }) => spec.ports.map(keyOf)));
      t.deepEqual(distinct(portsOf(live).map(keyOf)), ports);
    }),
  );
});

function distinct(texts: readonly string[]): readonly string[] {
  return [...new Set(texts)].sort();
}

function keyOf(port: object): string {
  const { port: number, protocol = 'TCP' } = port as { port: number; protocol?: string };
  return `${number}/${protocol}`;
}

function portsOf(object: KubeObject): readonly object[] {
  return (object.spec as { readonly ports?: readonly object[] }).ports ?? [];
}

test('a manager that gives everything up leaves what was there without it', (t) => {
  fc.assert(
    fc.property(configs('-p', 80), configs('-q', 90), (one, guest) => {
      fc.pre(one.spec.ports.length > 0);
      const alone = apply(undefined, 'one', one);
      const left = apply(apply(alone, 'guest', guest), 'guest', {});
      t.is(essence(left), essence(alone));
    }),
  );
});

test('FieldsV1 is read back as it was written', (t) => {
  fc.assert(
    fc.property(configs('', 80), (config) => {
      const [entry] = apply(undefined, 'm', config).metadata.managedFields ?? [];
      const fields = entry?.['fieldsV1'];
      t.deepEqual(toFieldsV1(fromFieldsV1(fields) ?? emptySet), fields ?? {});
    }),
  );
});

test('[k8s 100] an update owns exactly what it changed', (t) => {
  fc.assert(
    fc.property(configs('', 80), configs('', 80), (before, after) => {
      const old = apply(undefined, 'm', before);
      const wanted = apply(undefined, 'x', after);
      const next = {
        ...wanted,
        metadata: { ...wanted.metadata, managedFields: old.metadata.managedFields ?? [] },
      };
      const tracked = trackUpdate({
        kind: serviceKind,
        old,
        next,
        manager: 'u',
        subresource: '',
        time,
      });
      const change = compareFields(serviceKind.schema, bare(old), bare(tracked));
      const touched = union(change.added, change.modified);
      for (const entry of tracked.metadata.managedFields ?? []) {
        const fields = fromFieldsV1(entry['fieldsV1']) ?? emptySet;
        if (entry['manager'] === 'u') t.true(equalSets(fields, touched));
        else t.true(isEmptySet(intersection(fields, union(touched, change.removed))));
      }
    }),
  );
});

test('every field that somebody owns is there', (t) => {
  const step = fc.record({
    manager: fc.constantFrom('p', 'q', 'r'),
    isApply: fc.boolean(),
    config: configs('', 80),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 6 }), (steps) => {
      let live: KubeObject | undefined;
      for (const { manager, isApply, config } of steps) {
        const next = isApply ? apply(live, manager, config) : replace(live, manager, config);
        live = next;
      }
      for (const entry of live?.metadata.managedFields ?? []) {
        for (const path of pathsOf(fromFieldsV1(entry['fieldsV1']) ?? emptySet)) {
          t.true(isThere(live ?? {}, path), formatPath(path));
        }
      }
    }),
  );
});

function replace(live: KubeObject | undefined, manager: string, config: Config): KubeObject {
  const { managedFields: _none, ...metadata } = apply(undefined, 'x', config).metadata;
  const next = { ...apply(undefined, 'x', config), metadata };
  return trackUpdate({ kind: serviceKind, old: live, next, manager, subresource: '', time });
}

function isThere(value: unknown, path: readonly string[]): boolean {
  const [element, ...rest] = path;
  if (element === undefined) return value !== undefined;
  const content = element.slice(2);
  if (element.startsWith('f:')) {
    return isThere((value as Readonly<Record<string, unknown>>)[content], rest);
  }
  const wanted: unknown = JSON.parse(content);
  const items = value as readonly unknown[];
  if (element.startsWith('v:')) return items.includes(wanted);
  return items.some(
    (item) =>
      Object.entries(wanted as object).every(
        ([key, member]) => (item as Readonly<Record<string, unknown>>)[key] === member,
      ) && isThere(item, rest),
  );
}

function bare(object: KubeObject): JsonObject {
  const { managedFields: _fields, ...metadata } = object.metadata;
  return toJsonObject({ ...object, metadata });
}
