// Who owns which field, and server-side apply, as apiserver's field manager has it.
//
// Input: the live object, a configuration or the next object, who writes. Output: the object with
// metadata.managedFields kept. Everything before preparation by the kind's hooks, so that what the
// server fills in (addresses, finalizers) belongs to nobody.
//
//   A1. Applying twice is applying once, and then changes nothing, not even a time.
//   A2. A field goes only when its last owner gives it up, or when a write removes it.
//   A3. Another owner's value changes only by force, or by a write that is no apply.

import type { JsonObject, KubeObject } from '../../../../common/model/kube-object.ts';
import { describe, parseApplyConfig } from './apply-config.ts';
import { compareInSteps, type Comparison } from './field-compare.ts';
import { mergeFields } from './field-merge.ts';
import {
  differenceInSteps,
  emptySet,
  formatPath,
  hasPath,
  intersection,
  isEmptySet,
  pathsOf,
  union,
  type FieldSet,
} from './field-set.ts';
import { toFieldSetInSteps } from './field-walk.ts';
import { fieldsOfLastApplied, withLastApplied } from './last-applied.ts';
import {
  capUpdates,
  decodeOwners,
  encodeOwners,
  formatOwner,
  idOf,
  sameOwners,
  withManagedFields,
  type Owner,
  type Owners,
} from './managed-entries.ts';
import { withoutReset, withoutServers, type Subresource } from './owned-fields.ts';
import { prune, reconcile } from './prune.ts';
import { applyConflict, badRequest, plainError } from '../answer/status-error.ts';
import { toApiVersion } from '../answer/answers.ts';
import type { KindDefinition } from '../kind.ts';
import { check, withTypeMeta, type FieldValidation } from '../schema/decode.ts';
import type { ParsedAhead } from '../schema/parse-ahead.ts';
import { jsonEquals, toJsonObject } from '../schema/json-value.ts';
import { toZeroObject } from '../schema/shape.ts';
import { runSteps, type Steps } from '../steps.ts';

export interface ApplyRequest {
  readonly kind: KindDefinition;
  /** Undefined: apply creates. */
  readonly live: KubeObject | undefined;
  /** JSON or YAML. */
  readonly bytes: Uint8Array;
  /** What was read of the bytes before (parseAhead). */
  readonly ahead?: ParsedAhead | undefined;
  readonly manager: string;
  readonly force: boolean;
  readonly subresource: Subresource;
  /** RFC 3339 in seconds. */
  readonly time: string;
  /** What becomes of duplicate keys; unknown fields are refused whatever this says. */
  readonly validation?: FieldValidation;
  readonly warn?: (text: string) => void;
}

/**
 * The object after apply, defaults set, managedFields kept; `live` itself when nothing changed.
 * Throws 400 and 500 for a bad configuration, 409 for fields of other owners.
 */
export function applyServerSide(request: ApplyRequest): KubeObject {
  return runSteps(applyInSteps(request));
}

/** The same, for configurations of thousands of fields. */
export function* applyInSteps(request: ApplyRequest): Steps<KubeObject> {
  const { kind, manager } = request;
  const { config, strict } = parseApplyConfig(kind, request.bytes, request.ahead);
  yield;
  const live = request.live ?? toZeroObject(kind);
  const before = toJsonObject(withManagedFields(live, []));
  yield;
  const { after, owners, next } = yield* mergeConfig(request, before, config);
  noteStrict(strict, request);
  const isUnchanged = request.live !== undefined && (after === before || jsonEquals(after, before));
  yield;
  const object = isUnchanged ? withManagedFields(live, []) : toObject(kind, after, config);
  yield;
  const self = next.get(selfId(request));
  const told =
    isUnchanged || self === undefined
      ? next
      : new Map([...next, [selfId(request), { ...self, time: request.time }]]);
  const annotated = withLastApplied(object, manager, config);
  if (isUnchanged && annotated === object && sameOwners(told, owners)) return live;
  yield;
  return withManagedFields(annotated, yield* encodeOwners(told));
}

interface Merged {
  readonly after: JsonObject;
  /** Before this apply. */
  readonly owners: Owners;
  /** After it; who joined in what was there has no time yet. */
  readonly next: Owners;
}

function* mergeConfig(
  request: ApplyRequest,
  before: JsonObject,
  config: JsonObject,
): Steps<Merged> {
  const { kind, subresource } = request;
  const owners = yield* ownersBeforeApply(request);
  yield;
  const id = selfId(request);
  const mine = owners.get(id);
  const last = mine?.fields ?? emptySet;
  const claimed = yield* toFieldSetInSteps(kind.schema, config);
  const fields = withoutReset(kind, subresource, claimed);
  yield;
  const others = [...owners.values()].filter((owner) => idOf(owner) !== id);
  let held = fields;
  for (const owner of others) {
    held = union(held, owner.fields);
    yield;
  }
  const merged = yield* mergeFields(kind.schema, before, config);
  yield;
  const after = yield* prune(kind.schema, merged, { last, held });
  yield;
  const change = yield* compare(kind, subresource, before, after);
  yield;
  const forced = request.force || !refuseConflicts(request, before, { others, change });
  const self: Owner = {
    manager: request.manager,
    operation: 'Apply',
    apiVersion: toApiVersion(kind),
    subresource,
    time: mine?.time ?? '',
    fields: withoutServers(fields),
  };
  const next = new Map<string, Owner>();
  for (const owner of others) {
    yield;
    next.set(idOf(owner), yield* lose(owner, change, forced));
  }
  return { after, owners, next: next.set(id, self) };
}

function selfId({ kind, manager, subresource }: ApplyRequest): string {
  return idOf({ manager, operation: 'Apply', apiVersion: toApiVersion(kind), subresource });
}

function* compare(
  kind: KindDefinition,
  subresource: Subresource,
  before: JsonObject,
  after: JsonObject,
): Steps<Comparison> {
  const { added, modified, removed } = yield* compareInSteps(kind.schema, before, after);
  yield;
  const own = (set: FieldSet): FieldSet => withoutReset(kind, subresource, set);
  return { added: own(added), modified: own(modified), removed: own(removed) };
}

/** An owner after a write of somebody else. */
function* lose(
  owner: Owner,
  { added, modified, removed }: Comparison,
  forced = true,
): Steps<Owner> {
  const left = forced ? yield* differenceInSteps(owner.fields, added) : owner.fields;
  const kept = forced ? yield* differenceInSteps(left, modified) : left;
  return { ...owner, fields: yield* differenceInSteps(kept, removed) };
}

/** An object that was never applied gets its first owner, so that apply does not erase. */
function* ownersBeforeApply(request: ApplyRequest): Steps<Owners> {
  const { kind, live } = request;
  const owners = (yield* decodeOwners(live?.metadata.managedFields)) ?? new Map<string, Owner>();
  if (live === undefined) return owners;
  yield;
  if (owners.size > 0) return yield* toCurrent(kind, owners);
  const [before, after] = [toZeroObject(kind), withManagedFields(live, [])];
  return yield* track({ ...request, manager: 'before-first-apply' }, owners, { before, after });
}

/** Owners in the terms of today's schema; those of versions that are not served are gone. */
function* toCurrent(kind: KindDefinition, owners: Owners): Steps<Owners> {
  const current = new Map<string, Owner>();
  for (const [id, owner] of owners) {
    const slash = owner.apiVersion.indexOf('/');
    const group = slash < 0 ? '' : owner.apiVersion.slice(0, slash);
    // Another group's version is the other face of a kind that has two, such as Event.
    if (group === kind.group && owner.apiVersion !== toApiVersion(kind)) continue;
    current.set(id, { ...owner, fields: reconcile(kind.schema, owner.fields) });
    yield;
  }
  return current;
}

/**
 * A3. Throws 409 for what belongs to others, unless it is what kubectl itself applied from the
 * client's side. True when there was nothing to refuse.
 */
function refuseConflicts(
  request: ApplyRequest,
  before: JsonObject,
  { others, change }: { readonly others: readonly Owner[]; readonly change: Comparison },
): boolean {
  const touched = union(change.added, change.modified);
  const conflicts = others
    .toSorted((a, b) => (idOf(a) < idOf(b) ? -1 : 1))
    .flatMap((owner) =>
      pathsOf(intersection(owner.fields, touched)).map((path) => ({ owner, path })),
    );
  if (conflicts.length === 0) return true;
  const allowed = fieldsOfLastApplied(request.kind, request.manager, before);
  const refused = conflicts.filter(({ path }) => allowed === undefined || !hasPath(allowed, path));
  if (refused.length === 0) return false;
  throw applyConflict(
    refused.map(({ owner, path }) => ({ owner: formatOwner(owner), path: formatPath(path) })),
  );
}

function noteStrict(problem: string | undefined, request: ApplyRequest): void {
  const { validation = 'Warn' } = request;
  if (problem === undefined || validation === 'Ignore') return;
  if (validation === 'Strict') {
    throw badRequest(
      'error strict decoding YAML: error converting YAML to JSON: yaml: ' +
        `unmarshal errors:\n  ${problem}`,
    );
  }
  for (const line of problem.split('\n')) request.warn?.(line.trim());
}

function toObject(kind: KindDefinition, json: JsonObject, config: JsonObject): KubeObject {
  const checked = check(kind, withTypeMeta(kind, json));
  if ('problem' in checked) {
    throw plainError(
      `failed to convert new object (${describe(kind, config)}) to proper version: unable to ` +
        `convert unstructured object to ${kind.group}/${kind.version}, Kind=${kind.kind}: ` +
        (checked.fromMap ?? checked.problem),
    );
  }
  return checked.object;
}

export interface TrackRequest {
  readonly kind: KindDefinition;
  /** Undefined for a create. */
  readonly old: KubeObject | undefined;
  readonly next: KubeObject;
  readonly manager: string;
  readonly subresource: Subresource;
  readonly time: string;
}

/** `next` with managedFields brought up to date for a create, update or patch. */
export function trackUpdate(request: TrackRequest): KubeObject {
  return runSteps(trackInSteps(request));
}

/** The same, for objects of thousands of fields. */
export function* trackInSteps(request: TrackRequest): Steps<KubeObject> {
  const { kind, old, next } = request;
  const owners = yield* ownersBeforeUpdate(request);
  yield;
  const after = withManagedFields(next, []);
  // Tracking was reset, or never began: it begins again with the next apply.
  if (owners.size === 0 && old !== undefined) return after;
  const before = withManagedFields(old ?? toZeroObject(kind), []);
  yield;
  const tracked = yield* track(request, owners, { before, after });
  yield;
  return withManagedFields(after, yield* encodeOwners(tracked));
}

type Writer = Pick<TrackRequest, 'kind' | 'manager' | 'subresource' | 'time'>;

/** The owners after a write that is no apply: it takes what it changes. */
function* track(
  { kind, manager, subresource, time }: Writer,
  owners: Owners,
  objects: { readonly before: KubeObject; readonly after: KubeObject },
): Steps<Owners> {
  const [before, after] = [toJsonObject(objects.before), toJsonObject(objects.after)];
  const change = yield* compare(kind, subresource, before, after);
  yield;
  const next = new Map<string, Owner>();
  for (const [id, owner] of yield* toCurrent(kind, owners)) {
    const left = yield* lose(owner, change);
    if (!isEmptySet(left.fields)) next.set(id, left);
    yield;
  }
  const touched = withoutServers(union(change.added, change.modified));
  if (!isEmptySet(touched)) {
    const apiVersion = toApiVersion(kind);
    const self = { manager, operation: 'Update', apiVersion, subresource } as const;
    const fields = union(next.get(idOf(self))?.fields ?? emptySet, touched);
    next.set(idOf(self), { ...self, time, fields });
  }
  return capUpdates(next);
}

/** Clients may edit the table itself (kubectl moves ownership so), or empty it to start anew. */
function* ownersBeforeUpdate({ old, next, subresource }: TrackRequest): Steps<Owners> {
  const live = (yield* decodeOwners(old?.metadata.managedFields)) ?? new Map<string, Owner>();
  const sent = next.metadata.managedFields;
  if (subresource !== '' || sent === undefined || sent === old?.metadata.managedFields) return live;
  const [first] = sent;
  const isReset = first === undefined || (sent.length === 1 && Object.keys(first).length === 0);
  if (isReset) return new Map();
  const decoded = yield* decodeOwners(sent);
  return decoded === undefined || decoded.size === 0 ? live : decoded;
}
