// metadata.managedFields as a table of owners, and back.
//
//   N1. An owner without fields has no entry. Entries stand in Kubernetes' order.

import type { JsonObject, KubeObject } from '../../../../common/model/kube-object.ts';
import {
  emptySet,
  equalSets,
  fromFieldsV1,
  isEmptySet,
  toFieldsV1,
  union,
  type FieldSet,
} from './field-set.ts';
import { own, ownText } from '../schema/json-value.ts';

export interface Owner {
  readonly manager: string;
  readonly operation: 'Apply' | 'Update';
  readonly apiVersion: string;
  readonly subresource: string;
  /** RFC 3339 in seconds. */
  readonly time: string;
  readonly fields: FieldSet;
}

export type Owners = ReadonlyMap<string, Owner>;

type Identity = Pick<Owner, 'manager' | 'operation' | 'apiVersion' | 'subresource'>;

export function idOf(owner: Identity): string {
  return JSON.stringify([owner.manager, owner.operation, owner.apiVersion, owner.subresource]);
}

/** Undefined when an entry is none: the whole table is then unknown. */
export function decodeOwners(entries: readonly JsonObject[] | undefined): Owners | undefined {
  const owners = new Map<string, Owner>();
  for (const entry of entries ?? []) {
    const operation = ownText(entry, 'operation');
    if (operation !== 'Apply' && operation !== 'Update') return undefined;
    const owner: Owner = {
      manager: ownText(entry, 'manager'),
      operation,
      apiVersion: ownText(entry, 'apiVersion'),
      subresource: ownText(entry, 'subresource'),
      time: ownText(entry, 'time'),
      fields: fromFieldsV1(own(entry, 'fieldsV1')),
    };
    const before = owners.get(idOf(owner))?.fields ?? emptySet;
    owners.set(idOf(owner), { ...owner, fields: union(before, owner.fields) });
  }
  return owners;
}

export function encodeOwners(owners: Owners): readonly JsonObject[] {
  return capUpdates([...owners.values()].filter(({ fields }) => !isEmptySet(fields)))
    .sort(compareOwners)
    .map((owner) => ({
      manager: owner.manager,
      operation: owner.operation,
      apiVersion: owner.apiVersion,
      ...(owner.time === '' ? {} : { time: owner.time }),
      fieldsType: 'FieldsV1',
      fieldsV1: toFieldsV1(owner.fields),
      ...(owner.subresource === '' ? {} : { subresource: owner.subresource }),
    }));
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

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

const updatesMax = 10;

/** The oldest of too many updaters are remembered as one, so that objects do not grow for ever. */
function capUpdates(owners: readonly Owner[]): Owner[] {
  const updaters = owners.filter(({ operation }) => operation === 'Update').sort(compareOwners);
  const oldest = updaters.slice(0, Math.max(0, updaters.length - updatesMax + 1));
  const [first] = oldest;
  if (updaters.length <= updatesMax || first === undefined) return [...owners];
  const ancient: Owner = {
    manager: 'ancient-changes',
    operation: 'Update',
    apiVersion: first.apiVersion,
    subresource: '',
    time: oldest.at(-1)?.time ?? first.time,
    fields: oldest.map(({ fields }) => fields).reduce(union),
  };
  return [...owners.filter((owner) => !oldest.includes(owner)), ancient];
}

export function sameOwners(a: Owners, b: Owners): boolean {
  const ids = [...a.keys()].filter((id) => !isEmptySet(a.get(id)?.fields ?? emptySet));
  const others = [...b.values()].filter(({ fields }) => !isEmptySet(fields));
  return (
    ids.length === others.length &&
    ids.every((id) => equalSets(a.get(id)?.fields ?? emptySet, b.get(id)?.fields ?? emptySet))
  );
}

/** As an error names an owner: `"m1" with subresource "status" using v1 at <time>`. */
export function formatOwner(owner: Owner): string {
  const { manager, subresource, operation, apiVersion, time } = owner;
  const where = subresource === '' ? '' : ` with subresource ${JSON.stringify(subresource)}`;
  const when =
    operation === 'Apply' ? '' : ` using ${apiVersion}${time === '' ? '' : ` at ${time}`}`;
  return `${JSON.stringify(manager)}${where}${when}`;
}

export function withManagedFields(
  object: KubeObject,
  managedFields: readonly JsonObject[],
): KubeObject {
  const { managedFields: _before, ...metadata } = object.metadata;
  if (managedFields.length === 0) return { ...object, metadata };
  return { ...object, metadata: { ...metadata, managedFields } };
}
