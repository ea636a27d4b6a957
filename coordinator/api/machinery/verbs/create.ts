// Create: from a decoded object to a stored one. Used by POST, and by PUT and apply of an object
// that is not there.
//
// Order, as kube-apiserver's: namespace, identity, field owners, allocation, preparation,
// validation, admission, store.

import type { KubeObject } from '../../../../common/model/kube-object.ts';
import { toTimestamp } from '../../../../common/runtime/clock.ts';
import { settleAfter, unallocated, type Allocated } from '../allocated.ts';
import type { KindDefinition } from '../kind.ts';
import { trackInSteps } from '../apply/managed-fields.ts';
import { toGeneratedName, validateMetadata } from '../rules/object-rules.ts';
import { refuseHuge } from '../rules/object-size.ts';
import { toObjectKey, toResourceName } from './read.ts';
import { present, toNewborn, toOrdered, withoutDoubleOwners } from '../schema/shape.ts';
import { restBetween } from '../steps.ts';
import {
  alreadyExists,
  badRequest,
  conflict,
  plainError,
  timeout,
} from '../answer/status-error.ts';
import {
  absent,
  askAdmission,
  refuseInvalid,
  requireNamespace,
  toAccessContext,
  toWriteContext,
  toWritten,
  writeAttemptsMax,
  type Guard,
  type WriteCall,
  type WriteTools,
  type Written,
} from './write.ts';

// kube-apiserver tries a generated name as often.
const generatedNamesMax = 8;

/** `isApplied`: managedFields stand already, made by server-side apply. */
export async function createObject(
  tools: WriteTools,
  call: WriteCall,
  object: KubeObject,
  isApplied = false,
): Promise<Written> {
  checkBirth(call, object);
  const { name, generateName = '' } = object.metadata;
  const isGenerated = (name ?? '') === '' && generateName !== '';
  const namesMax = isGenerated ? generatedNamesMax : 1;
  let named = name;
  for (let attempt = 0; attempt < namesMax; attempt += 1) {
    named = isGenerated ? toGeneratedName(generateName, toSuffix(tools.chance.bytes(5))) : name;
    const written = await createNamed(
      tools,
      { ...call, name: named ?? '', askedName: call.name },
      object,
      isApplied,
    );
    if (written !== 'exists') return written;
  }
  throw alreadyExists({ ...toResourceName(call.kind, named ?? ''), isGenerated });
}

function checkBirth(call: WriteCall, object: KubeObject): void {
  const { resourceVersion, namespace = '' } = object.metadata;
  if (!['', '0'].includes(resourceVersion ?? '')) {
    throw plainError('resourceVersion should not be set on objects to be created');
  }
  checkNamespace(call.kind, call.namespace, namespace);
}

export function checkNamespace(kind: KindDefinition, inPath: string, inBody: string): void {
  if (!kind.isNamespaced || inBody === '' || inBody === inPath) return;
  throw badRequest(
    'the namespace of the provided object does not match the namespace sent on the request',
  );
}

// names/generate.go: no vowels and no 0 1 3, so that no word comes out by accident.
const suffixAlphabet = 'bcdfghjklmnpqrstvwxz2456789';

function toSuffix(bytes: Uint8Array): string {
  return [...bytes].map((byte) => suffixAlphabet[byte % suffixAlphabet.length] ?? 'b').join('');
}

async function createNamed(
  tools: WriteTools,
  call: WriteCall,
  object: KubeObject,
  isApplied: boolean,
): Promise<Written | 'exists'> {
  for (let attempt = 0; attempt < writeAttemptsMax; attempt += 1) {
    const guard = await requireNamespace(tools, call);
    const context = toWriteContext(tools, call);
    const complete = await toComplete(tools, call, object, isApplied);
    await tools.rest();
    const allocated = call.kind.allocate?.(complete, undefined, context) ?? unallocated(complete);
    const written = await settleAfter(allocated, () =>
      storeNewborn(tools, call, { allocated, guard }),
    );
    if (written !== 'fenced') return written; // else the namespace changed: look at it again
  }
  throw timeout(`namespace ${call.namespace} keeps changing`);
}

async function storeNewborn(
  tools: WriteTools,
  call: WriteCall,
  { allocated, guard }: { readonly allocated: Allocated; readonly guard: Guard | undefined },
): Promise<Written | 'exists' | 'fenced'> {
  const { kind } = call;
  // An invalid object is refused for what is wrong with it, and not warned of besides.
  const advice: string[] = [];
  const context = toWriteContext(tools, { ...call, warnings: advice });
  const { object, fence } = allocated;
  refuseHuge(object);
  const prepared = toOrdered(kind.prepareForCreate?.(object, context) ?? object, kind.schema);
  await tools.rest();
  kind.refuseWrite?.(prepared, undefined, toAccessContext(tools, call));
  refuseInvalid(kind, call.name, [...validateMetadata(prepared, kind), ...kind.validate(prepared)]);
  call.warnings.push(...advice);
  await tools.rest();
  await askAdmission(tools, call, { operation: 'create', object: prepared, old: undefined });
  const key = toObjectKey(kind, call);
  if (call.options.isDryRun) {
    return tools.desired.get(key) === undefined ? toDryRun(call, prepared) : 'exists';
  }
  await tools.rest();
  const stored = toOrdered(kind.toStored?.(prepared) ?? prepared, kind.schema);
  const outcome = await tools.desired.write({
    key,
    object: stored,
    expected: absent,
    ...present({ guard, fence }),
  });
  if (outcome.kind === 'conflict') return 'exists';
  if (outcome.kind === 'fenced') return 'fenced';
  if (kind.toCreateAnswer === undefined) return toWritten(201, outcome.stored);
  return { status: 201, object: kind.toCreateAnswer(outcome.stored.object, prepared) };
}

/** Born, defaulted, with its owners of fields. */
async function toComplete(
  tools: WriteTools,
  call: WriteCall,
  object: KubeObject,
  isApplied: boolean,
): Promise<KubeObject> {
  const { kind } = call;
  const timestamp = toTimestamp(tools.clock.now());
  const newborn = toNewborn(kind, withoutDoubleOwners(object, call.warnings), {
    name: call.name,
    namespace: call.namespace,
    uid: tools.chance.uuid(),
    timestamp,
  });
  const complete = kind.setDefaults?.(newborn) ?? newborn;
  // Before allocation and preparation: what the server gives belongs to no client.
  if (isApplied) return complete;
  await tools.rest();
  const tracking = trackInSteps({
    kind,
    old: undefined,
    next: complete,
    manager: call.options.manager,
    subresource: '',
    time: timestamp,
  });
  return restBetween(tracking, tools.rest);
}

function toDryRun(call: WriteCall, prepared: KubeObject): Written {
  return { status: 201, object: call.kind.toCreateAnswer?.(prepared, prepared) ?? prepared };
}

/** An update that names the uid of an object which is not there (any more). */
export function refuseLostUid(call: WriteCall, uid: string): Error {
  const message = `Precondition failed: UID in precondition: ${uid}, UID in object meta: `;
  return conflict({ ...toResourceName(call.kind, call.name), message });
}
