// The shape of objects between request and store: which metadata the server sets, which it
// restores, what each endpoint may change, and when two objects are the same. Pure.

import type {
  Json,
  JsonObject,
  KubeObject,
  ObjectMeta,
} from '../../../../common/model/kube-object.ts';
import { zeroOf } from './typed-value.ts';
import { toCanonicalJson } from '../../../../common/pure/canonical-json.ts';
import type { KindDefinition } from '../kind.ts';
import { runSteps, type Steps } from '../steps.ts';
import { toApiVersion } from '../answer/answers.ts';
import type { Schema } from './schema.ts';
import {
  at,
  isList,
  isRecord,
  equalsInSteps,
  own,
  ownRecord,
  toJsonObject,
  toKubeObject,
  withMember,
} from './json-value.ts';

/**
 * Kubernetes' key order, without empty members of metadata, so that stored bytes read as users
 * expect; with a schema also the order of everything below.
 */
export function toOrdered(object: KubeObject, schema?: Schema): KubeObject {
  const { apiVersion, kind, metadata, spec, status, ...rest } = object;
  const ordered = {
    kind,
    apiVersion,
    metadata: orderMeta(metadata),
    ...(spec === undefined ? {} : { spec }),
    ...rest,
    ...(status === undefined ? {} : { status }),
  };
  if (schema?.type !== 'object') return ordered;
  const { metadata: _metadata, ...fields } = schema.fields;
  const parts = Object.keys(fields).flatMap((key) => {
    const field = fields[key];
    const value = at(toJsonObject(ordered), key);
    return field === undefined || value === undefined
      ? []
      : [[key, inOrder(field, value)] as const];
  });
  return { ...ordered, ...Object.fromEntries(parts) };
}

/** The value itself when it is in order already. */
function inOrder(schema: Schema, value: Json): Json {
  switch (schema.type) {
    case 'object':
      return isRecord(value) ? orderMembers(schema.fields, value) : value;
    case 'list': {
      if (!isList(value) || schema.items.type !== 'object') return value;
      const items = value.map((item) => inOrder(schema.items, item));
      return items.every((item, index) => item === value[index]) ? value : items;
    }
    default:
      return value;
  }
}

function orderMembers(fields: Readonly<Record<string, Schema>>, value: JsonObject): JsonObject {
  const names = Object.keys(fields).filter((key) => own(value, key) !== undefined);
  const others = Object.keys(value).filter((key) => !Object.hasOwn(fields, key));
  let isSame = true;
  const members = [...names, ...others].map((key) => {
    const field = fields[key];
    const before = value[key] ?? null;
    const member = field === undefined ? before : inOrder(field, before);
    isSame &&= member === before;
    return [key, member] as const;
  });
  const isOrdered = Object.keys(value).every((key, index) => members[index]?.[0] === key);
  return isSame && isOrdered ? value : Object.fromEntries(members);
}

const metaOrder = [
  'name',
  'generateName',
  'namespace',
  'uid',
  'resourceVersion',
  'generation',
  'creationTimestamp',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
  'labels',
  'annotations',
  'ownerReferences',
  'finalizers',
  'managedFields',
] as const satisfies readonly (keyof ObjectMeta)[];

function orderMeta(meta: ObjectMeta): ObjectMeta {
  const entries = metaOrder.flatMap((key) => {
    const value = meta[key];
    return isEmpty(value) ? [] : [[key, value] as const];
  });
  return { name: meta.name, ...Object.fromEntries(entries) };
}

function isEmpty(value: unknown): boolean {
  if (value === undefined || value === null || value === '') return true;
  if (Array.isArray(value)) return value.length === 0;
  return typeof value === 'object' && Object.keys(value).length === 0;
}

/** The object that Go's `new` makes: structs that are there by value, and nothing else. */
export function toZeroObject(kind: KindDefinition): KubeObject {
  // Custom resources are maps in Go, which begin empty.
  const zero = toZeroStruct(kind.schema, kind.allowsStrategicMerge);
  return toKubeObject({
    ...zero,
    apiVersion: toApiVersion(kind),
    kind: kind.kind,
    metadata: { name: '' },
  });
}

function toZeroStruct(schema: Schema, isRoot: boolean): JsonObject {
  if (schema.type !== 'object') return {};
  const members = Object.entries(schema.fields).flatMap(([key, field]) => {
    // The parts of an object (spec, status) are values in every kind of Kubernetes' own.
    const isValue = field.isAlways === true || (isRoot && field.type === 'object');
    return isValue ? [[key, toZero(field)] as const] : [];
  });
  return Object.fromEntries(members);
}

function toZero(schema: Schema): Json {
  return schema.type === 'object' ? toZeroStruct(schema, false) : zeroOf(schema);
}

export interface Birth {
  readonly name: string;
  readonly namespace: string;
  readonly uid: string;
  readonly timestamp: string;
}

/** The object as it is born: identity from the server, no status, no traces of another life. */
export function toNewborn(kind: KindDefinition, object: KubeObject, birth: Birth): KubeObject {
  const {
    generateName,
    generation,
    labels,
    annotations,
    ownerReferences,
    finalizers,
    managedFields,
  } = object.metadata;
  const born = kind.tracksGeneration ? 1 : generation;
  const metadata: ObjectMeta = {
    name: birth.name,
    ...present({ generateName }),
    ...(kind.isNamespaced ? { namespace: birth.namespace } : {}),
    uid: birth.uid,
    ...present({ generation: born }),
    creationTimestamp: birth.timestamp,
    ...present({ labels, annotations, ownerReferences, finalizers, managedFields }),
  };
  const { status: _ignored, ...withoutStatus } = object;
  const base = kind.hasStatus ? withoutStatus : object;
  return { ...base, apiVersion: toApiVersion(kind), kind: kind.kind, metadata };
}

type Present<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

/** `fields` without those that are undefined. */
export function present<T extends object>(fields: T): Present<T> {
  const entries = Object.entries(fields).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as Present<T>; // the filter is what the type says
}

/** What a client may not change is restored before validation looks for changes. */
export function withRestoredMetadata(next: KubeObject, old: KubeObject): KubeObject {
  const { metadata } = next;
  const { uid, creationTimestamp, generation } = old.metadata;
  const {
    creationTimestamp: _created,
    generation: _generation,
    resourceVersion: _revision,
    ...kept
  } = metadata;
  // A deletion that has begun stays as it is; one that a client invents is found by validation.
  const deletionTimestamp = old.metadata.deletionTimestamp ?? metadata.deletionTimestamp;
  const deletionGracePeriodSeconds =
    metadata.deletionGracePeriodSeconds ?? old.metadata.deletionGracePeriodSeconds;
  return {
    ...next,
    metadata: {
      ...kept,
      ...present({ uid: metadata.uid ?? uid, generation, creationTimestamp }),
      ...present({ deletionTimestamp, deletionGracePeriodSeconds }),
    },
  };
}

/** Of several references to one owner the first is kept, and a warning says so. */
export function withoutDoubleOwners(object: KubeObject, warnings: string[]): KubeObject {
  const owners = object.metadata.ownerReferences ?? [];
  const seen = new Set<string>();
  const doubled = new Set<string>();
  const kept = owners.filter(({ uid }) => {
    if (seen.has(uid)) doubled.add(uid);
    return seen.size < seen.add(uid).size;
  });
  if (doubled.size === 0) return object;
  warnings.push(
    '.metadata.ownerReferences contains duplicate entries; API server dedups owner references ' +
      'in 1.20+, and may reject such requests as early as 1.24; please fix your requests; ' +
      `duplicate UID(s) observed: ${[...doubled].join(', ')}`,
  );
  return { ...object, metadata: { ...object.metadata, ownerReferences: kept } };
}

/**
 * The main endpoint cannot write status; the status endpoint cannot write anything else, nor the
 * field that the approval endpoint alone writes.
 */
export function splitStatus(
  kind: KindDefinition,
  next: KubeObject,
  old: KubeObject,
  subresource: string,
): KubeObject {
  if (!kind.hasStatus) return next;
  if (subresource === 'status') {
    const { status: _old, ...rest } = old;
    const complete = { ...rest, metadata: next.metadata, ...present({ status: next.status }) };
    const field = kind.approvalField;
    return field === undefined ? complete : withStatusField(complete, old, field);
  }
  if (subresource === 'approval') return withStatusField(old, next, kind.approvalField ?? '');
  const { status: _next, ...rest } = next;
  return { ...rest, ...present({ status: old.status }) };
}

/** `object` with one field of its status as `other` has it. */
function withStatusField(object: KubeObject, other: KubeObject, field: string): KubeObject {
  const plain = toJsonObject(object);
  const value = at(toJsonObject(other), 'status', field);
  const status = withMember(ownRecord(plain, 'status'), field, value);
  return toKubeObject(Object.keys(status).length === 0 ? plain : { ...plain, status });
}

/** The generation rises with everything but metadata and status. */
export function withGeneration(
  kind: KindDefinition,
  next: KubeObject,
  old: KubeObject,
): KubeObject {
  if (!kind.tracksGeneration) return next;
  const before = old.metadata.generation ?? 1;
  const generation = toWish(next) === toWish(old) ? before : before + 1;
  return { ...next, metadata: { ...next.metadata, generation } };
}

function toWish(object: KubeObject): string {
  const { metadata: _metadata, status: _status, ...wish } = object;
  return toCanonicalJson(wish);
}

/** The same but for resourceVersion and the times of managed fields: nothing to write. */
export function isSameObject(a: KubeObject, b: KubeObject): boolean {
  return runSteps(sameInSteps(a, b));
}

/** The same, of objects that may have thousands of fields. */
export function* sameInSteps(a: KubeObject, b: KubeObject): Steps<boolean> {
  if (a === b) return true;
  const [one, other] = [toComparable(a), toComparable(b)];
  yield;
  if (!(yield* equalsInSteps(one, other))) return false;
  yield;
  return yield* isSameOwners(ownersOf(a), ownersOf(b));
}

function toComparable(object: KubeObject): JsonObject {
  const { resourceVersion: _revision, managedFields: _owners, ...metadata } = object.metadata;
  return toJsonObject({ ...object, metadata: orderMeta(metadata) });
}

function ownersOf(object: KubeObject): readonly JsonObject[] {
  return object.metadata.managedFields ?? [];
}

/** An entry, its field set, that of metadata, that of labels: thousands may be in it. */
const ownerLevels = 4;

function* isSameOwners(a: readonly JsonObject[], b: readonly JsonObject[]): Steps<boolean> {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  for (const [index, entry] of a.entries()) {
    const { time: _time, ...mine } = entry;
    const { time: _theirTime, ...theirs } = b[index] ?? {};
    if (!(yield* equalsInSteps(mine, theirs, ownerLevels))) return false;
  }
  return true;
}
