// Delete: at once, or in two steps when finalizers hold the object.
//
//   D1. An object with finalizers only gets its deletionTimestamp; the write that empties its
//       finalizers removes it.
//   D2. A namespace is never removed while it holds objects: it becomes Terminating here, and
//       namespace-gc.ts empties and removes it.

import type { KubeObject } from '../../../../common/model/kube-object.ts';
import { toTimestamp } from '../../../../common/runtime/clock.ts';
import type { StoredObject } from '../../../desired/store.ts';
import type { DeleteOptions } from '../request/options.ts';
import { toObjectKey, toResourceName } from './read.ts';
import { present, toOrdered } from '../schema/shape.ts';
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
    checkDelete(call, options, live.object);
    await askAdmission(tools, call, { operation: 'delete', object: undefined, old: live.object });
    const written = await deleteLive(tools, call, options, live);
    if (written !== 'raced') return written;
  }
  throw conflict(toResourceName(call.kind, call.name));
}

function checkDelete(call: WriteCall, options: DeleteOptions, object: KubeObject): void {
  const { uid = '', resourceVersion = '' } = object.metadata;
  // Here, and only here, Kubernetes names the kind and not the resource.
  const at = { group: call.kind.group, resource: call.kind.kind, name: call.name };
  if (options.uid !== undefined && options.uid !== uid) {
    const message =
      `the UID in the precondition (${options.uid}) does not match the UID in record (${uid}). ` +
      'The object might have been deleted and then recreated';
    throw conflict({ ...at, message });
  }
  if (options.resourceVersion !== undefined && options.resourceVersion !== resourceVersion) {
    const message =
      `the ResourceVersion in the precondition (${options.resourceVersion}) does not match the ` +
      `ResourceVersion in record (${resourceVersion}). The object might have been modified`;
    throw conflict({ ...at, message });
  }
  const why = call.kind.forbidDelete?.(object);
  if (why !== undefined) throw forbiddenBecause({ ...toResourceName(call.kind, call.name), why });
}

async function deleteLive(
  tools: WriteTools,
  call: WriteCall,
  options: DeleteOptions,
  live: StoredObject,
): Promise<Written | DeleteSuccess | 'raced'> {
  const { object } = live;
  const isDeleting = object.metadata.deletionTimestamp !== undefined;
  const added = isDeleting
    ? []
    : (call.kind.finalizersForDelete?.(object, options.propagation) ?? []);
  const finalizers = [...new Set([...(object.metadata.finalizers ?? []), ...added])];
  if (finalizers.length > 0 || isNamespace(call)) {
    if (isDeleting) return toWritten(200, live); // D1: asking twice changes nothing
    const marked = toDeleting(call, object, {
      finalizers,
      timestamp: toTimestamp(tools.clock.now()),
    });
    if (options.isDryRun) return { status: 200, object: marked };
    const outcome = await tools.desired.write({
      key: live.key,
      object: marked,
      expected: live.revision,
    });
    return outcome.kind === 'written' ? toWritten(200, outcome.stored) : 'raced';
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

function isNamespace(call: WriteCall): boolean {
  return call.kind.group === '' && call.kind.plural === 'namespaces';
}

function toDeleting(
  call: WriteCall,
  object: KubeObject,
  at: { readonly finalizers: readonly string[]; readonly timestamp: string },
): KubeObject {
  const generation = object.metadata.generation;
  const status = isNamespace(call) ? { ...object.status, phase: 'Terminating' } : object.status;
  return toOrdered({
    ...object,
    metadata: {
      ...object.metadata,
      ...present({ generation: call.kind.tracksGeneration ? (generation ?? 1) + 1 : generation }),
      deletionTimestamp: at.timestamp,
      deletionGracePeriodSeconds: 0,
      finalizers: at.finalizers,
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
