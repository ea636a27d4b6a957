// Delete: at once, or in two steps when finalizers hold the object.
//
//   D1. An object with finalizers only gets its deletionTimestamp; the write that empties its
//       finalizers removes it.
//   D2. A namespace is never removed while it holds objects: it becomes Terminating here, and
//       namespace-gc.ts empties and removes it.
//   D3. What becomes of an object's dependents is asked for by a finalizer, `orphan` or
//       `foregroundDeletion`, which the garbage collector takes away (owner-gc.ts).

import type { KubeObject } from '../../../../common/model/kube-object.ts';
import { toTimestamp } from '../../../../common/runtime/clock.ts';
import type { StoredObject } from '../../../desired/store.ts';
import type { DeleteOptions } from '../request/delete-options.ts';
import { toObjectKey, toResourceName } from './read.ts';
import { present, sameInSteps, toOrdered } from '../schema/shape.ts';
import { restBetween } from '../steps.ts';
import { conflict, forbiddenBecause, notFound } from '../answer/status-error.ts';
import {
  askAdmission,
  writeAttemptsMax,
  toWritten,
  type WriteCall,
  type WriteTools,
  type Written,
} from './write.ts';

export interface DeleteSuccess {
  readonly success: object;
}

export const orphanFinalizer = 'orphan';
export const foregroundFinalizer = 'foregroundDeletion';

export async function deleteObject(
  tools: WriteTools,
  call: WriteCall,
  options: DeleteOptions,
): Promise<Written | DeleteSuccess> {
  const key = toObjectKey(call.kind, call);
  for (let attempt = 0; attempt < writeAttemptsMax; attempt += 1) {
    let live = tools.desired.get(key);
    if (live === undefined) {
      await tools.desired.barrier();
      live = tools.desired.get(key);
    }
    if (live === undefined) throw notFound(toResourceName(call.kind, call.name));
    checkPreconditions(call, options, live.object);
    const why = call.kind.forbidDelete?.(live.object);
    if (why !== undefined) throw forbiddenBecause({ ...toResourceName(call.kind, call.name), why });
    await askAdmission(tools, call, { operation: 'delete', object: undefined, old: live.object });
    await tools.rest();
    const written = await deleteLive(tools, call, options, live);
    if (written !== 'raced') return written;
  }
  throw conflict(toResourceName(call.kind, call.name));
}

export function checkPreconditions(
  call: WriteCall,
  options: DeleteOptions,
  object: KubeObject,
): void {
  const { uid = '', resourceVersion = '' } = object.metadata;
  const isOtherUid = options.uid !== undefined && options.uid !== uid;
  const isOtherVersion =
    options.resourceVersion !== undefined && options.resourceVersion !== resourceVersion;
  if (!isOtherUid && !isOtherVersion) return;
  if (isNamespace(call)) {
    // Namespaces are looked at by a check of their own, with words of its own.
    const [what, wanted, found] = isOtherUid
      ? ['UID', options.uid, uid]
      : ['ResourceVersion', options.resourceVersion, resourceVersion];
    const message =
      `Precondition failed: ${what} in precondition: ${wanted ?? ''}, ` +
      `${what} in object meta: ${found}`;
    throw conflict({ ...toResourceName(call.kind, call.name), message });
  }
  const message = isOtherUid
    ? `the UID in the precondition (${options.uid ?? ''}) does not match the UID in record ` +
      `(${uid}). The object might have been deleted and then recreated`
    : `the ResourceVersion in the precondition (${options.resourceVersion ?? ''}) does not match ` +
      `the ResourceVersion in record (${resourceVersion}). The object might have been modified`;
  // Here, and only here, Kubernetes names the kind and not the resource.
  throw conflict({ group: call.kind.group, resource: call.kind.kind, name: call.name, message });
}

async function deleteLive(
  tools: WriteTools,
  call: WriteCall,
  options: DeleteOptions,
  live: StoredObject,
): Promise<Written | DeleteSuccess | 'raced'> {
  const { object } = live;
  const isDeleting = object.metadata.deletionTimestamp !== undefined;
  const finalizers = toFinalizers(call, options, object);
  if (isDeleting && call.kind.holdsDeletion?.(object) === true) return toWritten(200, live); // D2
  if (finalizers.length > 0 || (isNamespace(call) && !isDeleting)) {
    return markDeleting(tools, options, live, toDeleting(tools, call, object, finalizers));
  }
  if (!options.isDryRun) {
    const outcome = await tools.desired.write({
      key: live.key,
      object: undefined,
      expected: live.revision,
    });
    if (outcome.kind !== 'written') return 'raced';
  }
  return call.kind.deleteAnswer === 'object' ? { status: 200, object } : toSuccess(call, object);
}

/** D1. Asking twice changes nothing, unless it asks for something else. */
async function markDeleting(
  tools: WriteTools,
  options: DeleteOptions,
  live: StoredObject,
  marked: KubeObject,
): Promise<Written | 'raced'> {
  const status = options.answersAccepted ? 202 : 200;
  await tools.rest();
  const isSame = await restBetween(sameInSteps(marked, live.object), tools.rest);
  if (isSame) return { ...toWritten(200, live), status };
  if (options.isDryRun) return { status, object: marked };
  await tools.rest(); // a large object is made text in one step
  const outcome = await tools.desired.write({
    key: live.key,
    object: marked,
    expected: live.revision,
  });
  if (outcome.kind !== 'written') return 'raced';
  return { ...toWritten(200, outcome.stored), status };
}

/** D3. The finalizers as the delete leaves them, the collector's own two last. */
function toFinalizers(
  { kind }: WriteCall,
  options: DeleteOptions,
  { metadata }: KubeObject,
): readonly string[] {
  const { finalizers = [] } = metadata;
  const others = finalizers.filter((name) => !isCollectors(name));
  if (kind.hasDependents === false) return others;
  const asked =
    options.propagation ??
    (finalizers.includes(orphanFinalizer)
      ? 'Orphan'
      : finalizers.includes(foregroundFinalizer)
        ? 'Foreground'
        : 'Background');
  if (asked === 'Background') return others;
  return [...others, asked === 'Orphan' ? orphanFinalizer : foregroundFinalizer];
}

export function isCollectors(finalizer: string): boolean {
  return finalizer === orphanFinalizer || finalizer === foregroundFinalizer;
}

function isNamespace(call: WriteCall): boolean {
  return call.kind.group === '' && call.kind.plural === 'namespaces';
}

function toDeleting(
  tools: WriteTools,
  call: WriteCall,
  object: KubeObject,
  finalizers: readonly string[],
): KubeObject {
  const { generation, deletionTimestamp } = object.metadata;
  const isFirst = deletionTimestamp === undefined;
  const status = isNamespace(call) ? { ...object.status, phase: 'Terminating' } : object.status;
  // A namespace takes the time that it takes; everything else has no grace period.
  const grace = isNamespace(call) ? {} : { deletionGracePeriodSeconds: 0 };
  return toOrdered({
    ...object,
    metadata: {
      ...object.metadata,
      ...present({ generation: isFirst && generation !== undefined ? generation + 1 : generation }),
      deletionTimestamp: deletionTimestamp ?? toTimestamp(tools.clock.now()),
      ...grace,
      finalizers,
    },
    ...present({ status }),
  });
}

/** metav1.Status, the answer to the delete of most kinds. */
function toSuccess(call: WriteCall, object: KubeObject): DeleteSuccess {
  const { group, plural } = call.kind;
  const details = {
    name: call.name,
    ...(group === '' ? {} : { group }),
    kind: plural,
    ...present({ uid: object.metadata.uid }),
  };
  return {
    success: { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', details },
  };
}
