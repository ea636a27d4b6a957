// Who owns which field, and server-side apply.
//
// Input: the live object, a configuration or the next object, who writes. Output: the object with
// metadata.managedFields kept. Everything before preparation by the kind's hooks, so that what the
// server fills in (addresses, finalizers) belongs to nobody.
//
//   A1. Applying twice is applying once, and then changes nothing, not even a time.
//   A2. A field goes only when its last owner gives it up, or when a write removes it.
//   A3. Another owner's value changes only by force, or by a write that is no apply.

import type { JsonObject, KubeObject } from '../../../../common/model/kube-object.ts';
import { parseApplyConfig } from './apply-config.ts';
import { check, toApiVersion, withTypeMeta } from '../schema/decode.ts';
import {
  difference,
  differenceBelow,
  emptySet,
  formatPath,
  intersection,
  isEmptySet,
  pathsOf,
  setOf,
  union,
  type FieldSet,
} from './field-set.ts';
import { compareFields, mergeFields, removeFields, toFieldSet } from './field-walk.ts';
import { isRecord, jsonEquals, toJsonObject } from '../schema/json-value.ts';
import type { KindDefinition } from '../kind.ts';
import {
  decodeOwners,
  encodeOwners,
  formatOwner,
  idOf,
  sameOwners,
  withManagedFields,
  type Owner,
  type Owners,
} from './managed-entries.ts';
import { applyConflict, plainError } from '../answer/status-error.ts';

export interface ApplyRequest {
  readonly kind: KindDefinition;
  /** Undefined: apply creates. */
  readonly live: KubeObject | undefined;
  /** JSON or YAML. */
  readonly bytes: Uint8Array;
  readonly manager: string;
  readonly force: boolean;
  readonly subresource: '' | 'status';
  /** RFC 3339 in seconds. */
  readonly time: string;
  /** Name and namespace of the URL, filled in when the configuration has none. */
  readonly name?: string;
  readonly namespace?: string;
}

/**
 * The object after apply, defaults set, managedFields kept; `live` itself when nothing changed.
 * Throws 400 and 500 for a bad configuration, 409 for fields of other owners.
 */
export function applyServerSide(request: ApplyRequest): KubeObject {
  const { kind, manager, subresource, time } = request;
  const config = parseApplyConfig(request);
  const live = request.live ?? toEmptyObject(kind);
  const before = toJsonObject(withManagedFields(live, []));
  const owners = ownersBeforeApply(request, live);
  const self = {
    manager,
    operation: 'Apply',
    apiVersion: toApiVersion(kind),
    subresource,
  } as const;
  const id = idOf(self);
  const last = owners.get(id)?.fields ?? emptySet;
  const fields = owned(kind, subresource, toFieldSet(kind.schema, config));
  const others = [...owners].filter(([key]) => key !== id);
  const held = [fields, ...others.map(([, owner]) => owner.fields)].reduce(union, emptySet);
  const merged = mergeFields(kind.schema, before, config);
  const given = difference(last, held);
  const pruned = removeFields(kind.schema, isRecord(merged) ? merged : {}, { given, held });
  const settled = settleOthers(kind, others, { before, after: pruned, force: request.force });
  const next = new Map([...settled, [id, { ...self, time, fields }] as const]);
  const object = toObject(kind, pruned);
  const isSame = jsonEquals(toJsonObject(object), before) && sameOwners(next, owners);
  if (isSame && request.live !== undefined) return request.live;
  return withManagedFields(object, encodeOwners(next));
}

/** An object that was never applied gets its first owner, so that apply does not erase. */
function ownersBeforeApply(request: ApplyRequest, live: KubeObject): Owners {
  const owners = decodeOwners(live.metadata.managedFields);
  if (owners !== undefined && owners.size > 0) return owners;
  if (request.live === undefined) return new Map();
  const first = trackUpdate({
    ...request,
    old: undefined,
    next: withManagedFields(live, []),
    manager: 'before-first-apply',
  });
  return decodeOwners(first.metadata.managedFields) ?? new Map();
}

/** A3. Takes what changed from the other owners, or refuses. */
function settleOthers(
  kind: KindDefinition,
  others: readonly (readonly [string, Owner])[],
  change: { readonly before: JsonObject; readonly after: JsonObject; readonly force: boolean },
): readonly (readonly [string, Owner])[] {
  const { added, modified, removed } = compareFields(kind.schema, change.before, change.after);
  const touched = union(added, modified);
  if (!change.force)
    refuseConflicts(
      others.map(([, owner]) => owner),
      touched,
    );
  return others.map(([id, owner]) => [
    id,
    { ...owner, fields: difference(difference(owner.fields, touched), removed) },
  ]);
}

function refuseConflicts(others: readonly Owner[], touched: FieldSet): void {
  const conflicts = others
    .toSorted((a, b) => (idOf(a) < idOf(b) ? -1 : 1))
    .flatMap((other) =>
      pathsOf(intersection(other.fields, touched)).map((path) => ({
        owner: formatOwner(other),
        path: formatPath(path),
      })),
    );
  if (conflicts.length > 0) throw applyConflict(conflicts);
}

function toObject(kind: KindDefinition, json: JsonObject): KubeObject {
  const checked = check(kind, withTypeMeta(kind, json));
  if ('problem' in checked) throw plainError(checked.problem);
  return checked.object;
}

/** What a create starts from: the parts that every object of the kind has, empty. */
function toEmptyObject(kind: KindDefinition): KubeObject {
  const { schema } = kind;
  const parts = schema.type === 'object' ? Object.entries(schema.fields) : [];
  const structs = parts.filter(([, field]) => field.type === 'object').map(([key]) => [key, {}]);
  return {
    ...Object.fromEntries(structs),
    apiVersion: toApiVersion(kind),
    kind: kind.kind,
    metadata: { name: '' },
  };
}

export interface TrackRequest {
  readonly kind: KindDefinition;
  /** Undefined for a create. */
  readonly old: KubeObject | undefined;
  readonly next: KubeObject;
  readonly manager: string;
  readonly subresource: '' | 'status';
  readonly time: string;
}

/** `next` with managedFields brought up to date for a create, update or patch. */
export function trackUpdate(request: TrackRequest): KubeObject {
  const { kind, old, next, manager, subresource, time } = request;
  const owners = ownersBeforeUpdate(request);
  // Tracking was reset, or never began: it begins again with the next apply.
  if (owners.size === 0 && old !== undefined) return withManagedFields(next, []);
  const before = toJsonObject(withManagedFields(old ?? toEmptyObject(kind), []));
  const after = toJsonObject(withManagedFields(next, []));
  const { added, modified, removed } = compareFields(kind.schema, before, after);
  const touched = owned(kind, subresource, union(added, modified));
  const left = new Map(
    [...owners].map(([id, owner]) => [
      id,
      { ...owner, fields: difference(difference(owner.fields, touched), removed) },
    ]),
  );
  if (!isEmptySet(touched)) {
    const apiVersion = toApiVersion(kind);
    const self = { manager, operation: 'Update', apiVersion, subresource } as const;
    const kept = owners.get(idOf(self))?.fields ?? emptySet;
    const fields = union(difference(kept, removed), touched);
    left.set(idOf(self), { ...self, time, fields });
  }
  return withManagedFields(next, encodeOwners(left));
}

/** Clients may edit the table itself (kubectl moves ownership so), or empty it to start anew. */
function ownersBeforeUpdate({ old, next, subresource }: TrackRequest): Owners {
  const live = decodeOwners(old?.metadata.managedFields) ?? new Map();
  const sent = next.metadata.managedFields;
  if (subresource !== '' || sent === undefined) return live;
  const [first] = sent;
  const isReset = first === undefined || (sent.length === 1 && Object.keys(first).length === 0);
  if (isReset) return new Map();
  return decodeOwners(sent) ?? live;
}

const nobodys: FieldSet = setOf(
  [
    ['apiVersion'],
    ['kind'],
    ['metadata'],
    ['metadata', 'name'],
    ['metadata', 'namespace'],
    ['metadata', 'creationTimestamp'],
    ['metadata', 'deletionTimestamp'],
    ['metadata', 'deletionGracePeriodSeconds'],
    ['metadata', 'selfLink'],
    ['metadata', 'uid'],
    ['metadata', 'generation'],
    ['metadata', 'managedFields'],
    ['metadata', 'resourceVersion'],
  ].map((path) => path.map((name) => `f:${name}`)),
);

/** Without what belongs to the server, and what this endpoint does not write. */
function owned(kind: KindDefinition, subresource: '' | 'status', fields: FieldSet): FieldSet {
  const ours = difference(fields, nobodys);
  if (!kind.hasStatus) return ours;
  if (subresource === '') return differenceBelow(ours, setOf([['f:status']]));
  const rest = [...ours.children.keys()].filter(
    (key) => key !== 'f:metadata' && key !== 'f:status',
  );
  return differenceBelow(ours, setOf(rest.map((key) => [key])));
}
