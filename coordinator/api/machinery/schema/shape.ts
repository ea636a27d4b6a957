// The shape of objects between request and store: which metadata the server sets, which it
// restores, what each endpoint may change, and when two objects are the same. Pure.

import type { KubeObject, ObjectMeta } from '../../../../common/model/kube-object.ts';
import { toCanonicalJson } from '../../../../common/pure/canonical-json.ts';
import type { KindDefinition } from '../kind.ts';
import { toApiVersion } from '../answer/answers.ts';

/** Kubernetes' key order, without empty members, so that stored bytes read as users expect. */
export function toOrdered(object: KubeObject): KubeObject {
  const { apiVersion, kind, metadata, spec, status, ...rest } = object;
  return {
    kind,
    apiVersion,
    metadata: orderMeta(metadata),
    ...(spec === undefined ? {} : { spec }),
    ...rest,
    ...(status === undefined ? {} : { status }),
  };
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
  const { uid, creationTimestamp, deletionTimestamp, deletionGracePeriodSeconds, generation } =
    old.metadata;
  const {
    creationTimestamp: _created,
    deletionTimestamp: _deleted,
    deletionGracePeriodSeconds: _grace,
    generation: _generation,
    resourceVersion: _revision,
    ...kept
  } = metadata;
  return {
    ...next,
    metadata: {
      ...kept,
      ...present({ uid: metadata.uid ?? uid, generation, creationTimestamp }),
      ...present({ deletionTimestamp, deletionGracePeriodSeconds }),
    },
  };
}

/** The main endpoint cannot write status; the status endpoint cannot write anything else. */
export function splitStatus(
  kind: KindDefinition,
  next: KubeObject,
  old: KubeObject,
  subresource: string,
): KubeObject {
  if (!kind.hasStatus) return next;
  if (subresource === 'status') {
    const { status: _old, ...rest } = old;
    return { ...rest, metadata: next.metadata, ...present({ status: next.status }) };
  }
  const { status: _next, ...rest } = next;
  return { ...rest, ...present({ status: old.status }) };
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
  return toCanonicalJson(toComparable(a)) === toCanonicalJson(toComparable(b));
}

function toComparable(object: KubeObject): KubeObject {
  const { resourceVersion: _revision, managedFields, ...rest } = object.metadata;
  const timeless = (managedFields ?? []).map(({ time: _time, ...entry }) => entry);
  return toOrdered({ ...object, metadata: { ...rest, managedFields: timeless } });
}
