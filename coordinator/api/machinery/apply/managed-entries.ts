// metadata.managedFields as a table of owners, and back.
//
// Each entry is a step, since each may say thousands of fields.
//
//   N1. An owner without fields has no entry. Entries stand in Kubernetes' order.

import type { JsonObject, KubeObject } from '../../../../common/model/kube-object.ts';
import {
  emptySet,
  equalSets,
  readInSteps,
  isEmptySet,
  fieldsInSteps,
  union,
  type FieldSet,
} from './field-set.ts';
import { compareText } from './field-element.ts';
import { own, ownText } from '../schema/json-value.ts';
import type { Steps } from '../steps.ts';

export interface Owner {
  readonly manager: string;
  readonly operation: 'Apply' | 'Update';
  readonly apiVersion: string;
  readonly subresource: string;
  /** RFC 3339 in seconds; empty for who only joined in what others had written already. */
  readonly time: string;
  readonly fields: FieldSet;
}

export type Owners = ReadonlyMap<string, Owner>;

type Identity = Pick<Owner, 'manager' | 'operation' | 'apiVersion' | 'subresource'>;

/**
 * One owner whatever it owns. Its text sorts owners as Kubernetes' does. Who applies is the same
 * in every version; who updates is another in each.
 */
export function idOf({ manager, operation, apiVersion, subresource }: Identity): string {
  return JSON.stringify({
    ...(manager === '' ? {} : { manager }),
    operation,
    ...(operation === 'Apply' || apiVersion === '' ? {} : { apiVersion }),
    ...(subresource === '' ? {} : { subresource }),
  });
}

/** Undefined when an entry is none: the whole table is then unknown. */
export function* decodeOwners(
  entries: readonly JsonObject[] | undefined,
): Steps<Owners | undefined> {
  const owners = new Map<string, Owner>();
  for (const entry of entries ?? []) {
    const operation = ownText(entry, 'operation');
    const apiVersion = ownText(entry, 'apiVersion');
    const fields = yield* readInSteps(own(entry, 'fieldsV1'));
    if (operation !== 'Apply' && operation !== 'Update') return undefined;
    if (apiVersion === '' || ownText(entry, 'fieldsType') !== 'FieldsV1') return undefined;
    if (fields === undefined) return undefined;
    const owner: Owner = {
      manager: ownText(entry, 'manager'),
      operation,
      apiVersion,
      subresource: ownText(entry, 'subresource'),
      time: ownText(entry, 'time'),
      fields,
    };
    owners.set(idOf(owner), owner);
    yield;
  }
  return owners;
}

export function* encodeOwners(owners: Owners): Steps<readonly JsonObject[]> {
  const entries: JsonObject[] = [];
  const owning = [...owners.values()].filter(({ fields }) => !isEmptySet(fields));
  for (const owner of owning.sort(compareOwners)) {
    yield;
    entries.push(toEntry(owner, yield* fieldsInSteps(owner.fields)));
  }
  return entries;
}

function toEntry(owner: Owner, fieldsV1: JsonObject): JsonObject {
  return {
    ...(owner.manager === '' ? {} : { manager: owner.manager }),
    operation: owner.operation,
    apiVersion: owner.apiVersion,
    ...(owner.time === '' ? {} : { time: owner.time }),
    fieldsType: 'FieldsV1',
    fieldsV1,
    ...(owner.subresource === '' ? {} : { subresource: owner.subresource }),
  };
}

function compareOwners(a: Owner, b: Owner): number {
  return (
    compareText(a.operation, b.operation) ||
    compareText(a.time, b.time) ||
    compareText(a.manager, b.manager) ||
    compareText(a.apiVersion, b.apiVersion) ||
    compareText(a.subresource, b.subresource)
  );
}

const updatesMax = 10;

/**
 * The oldest of too many updaters are remembered as one, so that objects do not grow for ever:
 * for each version the second oldest joins the oldest, until few enough are left.
 */
export function capUpdates(owners: Owners): Owners {
  const updaters = [...owners.values()].filter(
    ({ operation, fields }) => operation === 'Update' && !isEmptySet(fields),
  );
  if (updaters.length <= updatesMax) return owners;
  updaters.sort((a, b) => compareText(a.time, b.time) || compareText(idOf(a), idOf(b)));
  const capped = new Map(owners);
  const oldest = new Map<string, Owner>();
  let count = updaters.length;
  for (const owner of updaters) {
    if (count <= updatesMax) break;
    const { apiVersion, time } = owner;
    const first = oldest.get(apiVersion);
    if (first === undefined) {
      oldest.set(apiVersion, owner);
      continue;
    }
    const identity = {
      manager: 'ancient-changes',
      operation: 'Update',
      apiVersion,
      subresource: '',
    } as const;
    const bucket = capped.get(idOf(identity)) ?? first;
    if (!capped.has(idOf(identity))) capped.delete(idOf(first));
    capped.delete(idOf(owner));
    const fields = union(owner.fields, bucket.fields);
    capped.set(idOf(identity), { ...identity, time, fields });
    count -= 1;
  }
  return capped;
}

/** The same owners of the same fields, whatever the times are. */
export function sameOwners(a: Owners, b: Owners): boolean {
  const ids = [...a.keys()].filter((id) => !isEmptySet(a.get(id)?.fields ?? emptySet));
  const others = [...b.values()].filter(({ fields }) => !isEmptySet(fields));
  return (
    ids.length === others.length &&
    ids.every((id) => equalSets(a.get(id)?.fields ?? emptySet, b.get(id)?.fields ?? emptySet))
  );
}

/** As an error names an owner: `"m1" with subresource "status" using v1`. */
export function formatOwner({ manager, subresource, operation, apiVersion }: Owner): string {
  const where = subresource === '' ? '' : ` with subresource ${JSON.stringify(subresource)}`;
  const version = operation === 'Apply' ? '' : ` using ${apiVersion}`;
  return `${JSON.stringify(manager)}${where}${version}`;
}

export function withManagedFields(
  object: KubeObject,
  managedFields: readonly JsonObject[],
): KubeObject {
  const { managedFields: before, ...metadata } = object.metadata;
  if (managedFields.length > 0) {
    return { ...object, metadata: { ...metadata, managedFields } };
  }
  return before === undefined ? object : { ...object, metadata };
}
