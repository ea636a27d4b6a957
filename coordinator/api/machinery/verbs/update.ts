// Update, patch and apply: from the live object and a wish to the next object. One path for PUT,
// the four kinds of patch, and the status endpoint; they differ in how they build the wish.
//
//   U1. A wish that names a resourceVersion replaces exactly that one, or 409.
//   U2. A wish that names none starts again from the live object when it lost a race.
//   U3. A wish that changes nothing writes nothing: no new revision, no event.

import type { KubeObject } from '../../../../common/model/kube-object.ts';
import { toTimestamp } from '../../../../common/runtime/clock.ts';
import type { StoredObject } from '../../../desired/store.ts';
import { settleAfter, unallocated, type Allocated, type Fence } from '../allocated.ts';
import { checkNamespace, createObject, refuseLostUid } from './create.ts';
import { trackInSteps } from '../apply/managed-fields.ts';
import type { Subresource } from '../apply/owned-fields.ts';
import { validateMetadataUpdate } from '../rules/object-rules.ts';
import { refuseHuge } from '../rules/object-size.ts';
import { toObjectKey, toResourceName } from './read.ts';
import {
  sameInSteps,
  splitStatus,
  toOrdered,
  withGeneration,
  withoutDoubleOwners,
  withRestoredMetadata,
} from '../schema/shape.ts';
import { restBetween } from '../steps.ts';
import { badRequest, conflict, notFound, plainError } from '../answer/status-error.ts';
import {
  askAdmission,
  refuseInvalid,
  toAccessContext,
  toWriteContext,
  toWritten,
  writeAttemptsMax,
  type WriteCall,
  type WriteTools,
  type Written,
} from './write.ts';

export interface Wish {
  readonly method: 'put' | 'patch' | 'apply';
  /** The whole object as it shall be. `live` is undefined when there is none. */
  readonly build: (live: KubeObject | undefined) => KubeObject | Promise<KubeObject>;
  /** Whether the user may create; asked when the object is missing. Throws 403. */
  readonly requireCreate: () => void;
}

export async function updateObject(
  tools: WriteTools,
  call: WriteCall,
  wish: Wish,
): Promise<Written> {
  const key = toObjectKey(call.kind, call);
  for (let attempt = 0; attempt < writeAttemptsMax; attempt += 1) {
    let live = tools.desired.get(key);
    if (live === undefined) {
      await tools.desired.barrier();
      live = tools.desired.get(key);
    }
    const written =
      live === undefined
        ? await createMissing(tools, call, wish)
        : await updateLive(tools, call, { live, wish });
    if (written !== 'raced') return written;
  }
  throw conflict(toResourceName(call.kind, call.name));
}

async function createMissing(
  tools: WriteTools,
  call: WriteCall,
  wish: Wish,
): Promise<Written | 'raced'> {
  const { kind, subresource } = call;
  const mayCreate =
    kind.verbs.includes('create') &&
    ((wish.method === 'apply' && subresource === '') ||
      // Also by a status: kube-apiserver asks the kind alone.
      (wish.method !== 'patch' && kind.allowsCreateOnUpdate));
  if (!mayCreate) throw notFound(toResourceName(kind, call.name));
  const object = await wish.build(undefined);
  const { uid = '' } = object.metadata;
  if (uid !== '') throw wish.method === 'apply' ? refuseUid(call, uid) : refuseLostUid(call, uid);
  wish.requireCreate();
  checkName(call, object);
  // A version of what is not there says nothing.
  const { resourceVersion: _none, ...metadata } = object.metadata;
  return createObject(tools, call, { ...object, metadata }, wish.method === 'apply');
}

function refuseUid(call: WriteCall, uid: string): Error {
  const given = `the provided object specified uid ${uid}`;
  const message = `uid mismatch: ${given}, and no existing object was found`;
  return conflict({ ...toResourceName(call.kind, call.name), message });
}

/** The body must have the path's name. */
function checkName(call: WriteCall, object: KubeObject): void {
  const name = object.metadata.name ?? '';
  if (name === '') {
    throw badRequest(
      `the name of the object (${call.name} based on URL) was undeterminable: ` +
        'name must be provided',
    );
  }
  if (name !== call.name) {
    throw badRequest(
      `the name of the object (${name}) does not match the name on the URL (${call.name})`,
    );
  }
  checkNamespace(call.kind, call.namespace, object.metadata.namespace ?? '');
}

interface Attempt {
  readonly live: StoredObject;
  readonly wish: Wish;
}

async function updateLive(
  tools: WriteTools,
  call: WriteCall,
  { live, wish }: Attempt,
): Promise<Written | 'raced'> {
  const old = live.object;
  const built = wish.build(old);
  const wished = withoutDoubleOwners(built instanceof Promise ? await built : built, call.warnings);
  if (wished === old) return toWritten(200, live); // U3, without a doubt
  refuseHuge(wished);
  await tools.rest();
  checkName(call, wished);
  checkIdentity(call, wished, old, wish.method);
  const isApplied = wish.method === 'apply';
  const settled = await settle(tools, call, { wished, old, isApplied });
  await tools.rest();
  const allocated = allocate(tools, call, settled, old);
  return settleAfter(allocated, () => storeNext(tools, call, { live, allocated }));
}

/** Takes what the server gives to the next object; a subresource takes nothing. */
function allocate(
  tools: WriteTools,
  call: WriteCall,
  next: KubeObject,
  old: KubeObject,
): Allocated {
  if (call.subresource !== '') return unallocated(next);
  return call.kind.allocate?.(next, old, toWriteContext(tools, call)) ?? unallocated(next);
}

async function storeNext(
  tools: WriteTools,
  call: WriteCall,
  { live, allocated }: { readonly live: StoredObject; readonly allocated: Allocated },
): Promise<Written | 'raced'> {
  const old = live.object;
  // An invalid object is refused for what is wrong with it, and not warned of besides.
  const advice: string[] = [];
  const next = prepare(tools, { ...call, warnings: advice }, allocated.object, old);
  await tools.rest();
  call.kind.refuseWrite?.(next, old, toAccessContext(tools, call));
  refuseInvalid(call.kind, call.name, validateAll(call, next, old));
  call.warnings.push(...advice);
  await tools.rest();
  const isSame = await restBetween(sameInSteps(next, old), tools.rest);
  if (isSame) return toWritten(200, live); // U3
  await tools.rest();
  await askAdmission(tools, call, { operation: 'update', object: next, old });
  await tools.rest();
  if (call.options.isDryRun) return { status: 200, object: withRevisionOf(next, old) };
  return store(tools, call, { live, next, fence: allocated.fence });
}

/** U1, and the uid as a precondition of PUT. */
function checkIdentity(
  call: WriteCall,
  wished: KubeObject,
  old: KubeObject,
  method: Wish['method'],
): void {
  const at = toResourceName(call.kind, call.name);
  const { uid = '', resourceVersion = '' } = wished.metadata;
  if (uid !== '' && uid !== old.metadata.uid && method === 'put') {
    const message =
      `Precondition failed: UID in precondition: ${uid}, ` +
      `UID in object meta: ${old.metadata.uid ?? ''}`;
    throw conflict({ ...at, message });
  }
  if (!/^\d{0,20}$/.test(resourceVersion)) {
    throw plainError(`strconv.ParseUint: parsing "${resourceVersion}": invalid syntax`);
  }
  const isUnconditional = resourceVersion === '' || resourceVersion === '0';
  if (!isUnconditional && resourceVersion !== old.metadata.resourceVersion) throw conflict(at);
}

async function settle(
  tools: WriteTools,
  call: WriteCall,
  {
    wished,
    old,
    isApplied,
  }: { readonly wished: KubeObject; readonly old: KubeObject; readonly isApplied: boolean },
): Promise<KubeObject> {
  const { kind } = call;
  const restored = withRestoredMetadata(inNamespace(call, wished), old);
  // Defaults see the whole request, also the half that this endpoint does not write.
  const defaulted = kind.setDefaults?.(restored) ?? restored;
  const complete = splitStatus(kind, defaulted, old, call.subresource);
  if (isApplied) return complete;
  await tools.rest();
  const tracking = trackInSteps({
    kind,
    old,
    next: complete,
    manager: call.options.manager,
    subresource: toSubresource(call.subresource),
    time: toTimestamp(tools.clock.now()),
  });
  return restBetween(tracking, tools.rest);
}

function toSubresource(name: string): Subresource {
  return name === 'status' || name === 'finalize' || name === 'approval' ? name : '';
}

function prepare(
  tools: WriteTools,
  call: WriteCall,
  next: KubeObject,
  old: KubeObject,
): KubeObject {
  const { kind } = call;
  const prepared = kind.prepareForUpdate?.(next, old, toWriteContext(tools, call)) ?? next;
  return toOrdered(withGeneration(kind, prepared, old), kind.schema);
}

function inNamespace(call: WriteCall, object: KubeObject): KubeObject {
  if (!call.kind.isNamespaced) return object;
  return { ...object, metadata: { ...object.metadata, namespace: call.namespace } };
}

function validateAll(call: WriteCall, next: KubeObject, old: KubeObject) {
  const { kind, subresource } = call;
  return [
    ...validateMetadataUpdate(next, old, kind),
    ...(kind.validateChange?.(next, old, subresource) ?? [
      ...kind.validate(next),
      ...(kind.validateUpdate?.(next, old) ?? []),
    ]),
  ];
}

function withRevisionOf(next: KubeObject, old: KubeObject): KubeObject {
  const { resourceVersion } = old.metadata;
  if (resourceVersion === undefined) return next;
  return toOrdered({ ...next, metadata: { ...next.metadata, resourceVersion } });
}

async function store(
  tools: WriteTools,
  call: WriteCall,
  {
    live,
    next,
    fence,
  }: {
    readonly live: StoredObject;
    readonly next: KubeObject;
    readonly fence: Fence | undefined;
  },
): Promise<Written | 'raced'> {
  const object = call.kind.toStored?.(next) ?? next;
  const isLastFinalizerGone =
    next.metadata.deletionTimestamp !== undefined &&
    (next.metadata.finalizers ?? []).length === 0 &&
    call.kind.holdsDeletion?.(next) !== true;
  const outcome = await tools.desired.write({
    key: live.key,
    object: isLastFinalizerGone ? undefined : object,
    expected: live.revision,
    ...(fence === undefined ? {} : { fence }),
  });
  if (outcome.kind !== 'written') return 'raced'; // U2; U1 finds the new version and refuses
  return isLastFinalizerGone
    ? { status: 200, object: withRevisionOf(next, live.object) }
    : toWritten(200, outcome.stored);
}
