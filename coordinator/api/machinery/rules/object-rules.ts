// Rules of metadata that hold for every kind: names, labels, annotations, finalizers, owners, and
// what may not change. Input: an object (or two). Output: field errors in Kubernetes' order.
//
//   O1. Nothing that passes here can break a log key: names hold no slash.

import type { JsonObject, KubeObject, ObjectMeta } from '../../../../common/model/kube-object.ts';
import { forbiddenField, invalidValue, required, tooLong } from './field-errors.ts';
import { jsonEquals } from '../schema/json-value.ts';
import type { FieldError, KindDefinition } from '../kind.ts';
import { checkLabelValue, checkQualifiedName, checkSubdomain1123 } from './name-rules.ts';

/** Kinds with a narrower grammar of names check it in their own validate(). */
export function validateMetadata(object: KubeObject, kind: KindDefinition): readonly FieldError[] {
  const { metadata } = object;
  return [
    ...validateName(metadata, kind),
    ...validateNamespace(metadata, kind),
    ...validateLabels(metadata.labels ?? {}),
    ...validateAnnotations(metadata.annotations ?? {}),
    ...validateOwners(metadata),
    ...validateFinalizers(metadata.finalizers ?? []),
  ];
}

const randomCharacters = 5;
const generatedNameMax = 63;

/** `generateName` cut so that the random suffix fits into 63 characters. */
export function toGeneratedName(generateName: string, suffix: string): string {
  return generateName.slice(0, generatedNameMax - randomCharacters) + suffix;
}

function validateName(metadata: ObjectMeta, kind: KindDefinition): readonly FieldError[] {
  const errors: FieldError[] = [];
  const { generateName = '' } = metadata;
  const name = metadata.name ?? '';
  if (generateName !== '') {
    // A trailing dash is fine before the random part.
    const wrong = checkSubdomain1123(generateName.replace(/-+$/, '') || 'x');
    if (wrong !== undefined) {
      errors.push(invalidValue('metadata.generateName', generateName, wrong));
    }
  }
  if (name === '') {
    if (generateName === '') {
      errors.push(required('metadata.name', 'name or generateName is required'));
    }
    return errors;
  }
  const wrong =
    kind.group === 'rbac.authorization.k8s.io' ? checkPathSegment(name) : checkSubdomain1123(name);
  if (wrong !== undefined) errors.push(invalidValue('metadata.name', name, wrong));
  return errors;
}

/** Names of roles are free but for what would change a path's meaning. */
function checkPathSegment(name: string): string | undefined {
  if (name === '.' || name === '..') return `may not be '${name}'`;
  for (const character of ['/', '%']) {
    if (name.includes(character)) return `may not contain '${character}'`;
  }
  return undefined;
}

function validateNamespace(metadata: ObjectMeta, kind: KindDefinition): readonly FieldError[] {
  const { namespace = '' } = metadata;
  if (kind.isNamespaced) return namespace === '' ? [required('metadata.namespace')] : [];
  if (namespace === '') return [];
  return [forbiddenField('metadata.namespace', 'not allowed on this type')];
}

/** Also for labels elsewhere than in metadata, such as a selector. */
export function validateLabels(
  labels: Readonly<Record<string, string>>,
  field = 'metadata.labels',
): readonly FieldError[] {
  return Object.entries(labels).flatMap(([key, value]) => {
    const wrongKey = checkQualifiedName(key);
    const wrongValue = checkLabelValue(value);
    return [
      ...(wrongKey === undefined ? [] : [invalidValue(field, key, wrongKey)]),
      ...(wrongValue === undefined ? [] : [invalidValue(field, value, wrongValue)]),
    ];
  });
}

const annotationsBytesMax = 262144;

function validateAnnotations(annotations: Readonly<Record<string, string>>): readonly FieldError[] {
  const field = 'metadata.annotations';
  const errors: FieldError[] = [];
  let total = 0;
  for (const [key, value] of Object.entries(annotations)) {
    const wrong = checkQualifiedName(key.toLowerCase());
    if (wrong !== undefined) errors.push(invalidValue(field, key, wrong));
    total += Buffer.byteLength(key) + Buffer.byteLength(value);
  }
  if (total > annotationsBytesMax) errors.push(tooLong(field, annotationsBytesMax));
  return errors;
}

const standardFinalizers: ReadonlySet<string> = new Set([
  'orphan',
  'foregroundDeletion',
  'kubernetes',
]);

function validateFinalizers(finalizers: readonly string[]): readonly FieldError[] {
  const errors = finalizers.flatMap((finalizer, index) => {
    const field = `metadata.finalizers[${index}]`;
    const wrong = checkQualifiedName(finalizer);
    if (wrong !== undefined) return [invalidValue(field, finalizer, wrong)];
    if (finalizer.includes('/') || standardFinalizers.has(finalizer)) return [];
    const detail = 'name is neither a standard finalizer name nor is it fully qualified';
    return [invalidValue(field, finalizer, detail)];
  });
  if (finalizers.includes('orphan') && finalizers.includes('foregroundDeletion')) {
    const detail = 'finalizer foregroundDeletion and finalizer orphan cannot be both set';
    return [...errors, invalidValue('metadata.finalizers', finalizers, detail)];
  }
  return errors;
}

function validateOwners(metadata: ObjectMeta): readonly FieldError[] {
  const errors: FieldError[] = [];
  let controller: string | undefined;
  for (const [index, owner] of (metadata.ownerReferences ?? []).entries()) {
    const field = `metadata.ownerReferences[${index}]`;
    for (const key of ['apiVersion', 'kind', 'name', 'uid'] as const) {
      if ((owner[key] ?? '') === '') {
        errors.push(invalidValue(`${field}.${key}`, '', `${key} must not be empty`));
      }
    }
    if (owner.kind === 'Event') {
      errors.push(invalidValue(field, owner, 'is disallowed from being an owner'));
    }
    if (owner.controller !== true) continue;
    if (controller !== undefined) {
      const detail =
        'Only one reference can have Controller set to true. ' +
        `Found "true" in references for ${controller} and ${owner.name}`;
      errors.push(invalidValue('metadata.ownerReferences', metadata.ownerReferences, detail));
    }
    controller = owner.name;
  }
  return errors;
}

const immutable = [
  'name',
  'namespace',
  'uid',
  'creationTimestamp',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
] as const;

/** For `next` with the server's own fields restored, against the object that it replaces. */
export function validateMetadataUpdate(next: KubeObject, old: KubeObject): readonly FieldError[] {
  const errors: FieldError[] = [];
  if (old.metadata.deletionTimestamp !== undefined) {
    errors.push(...refuseNewFinalizers(next, old));
  }
  for (const key of immutable) {
    if (next.metadata[key] !== old.metadata[key]) {
      errors.push(invalidValue(`metadata.${key}`, next.metadata[key], 'field is immutable'));
    }
  }
  if ((next.metadata.generation ?? 0) < (old.metadata.generation ?? 0)) {
    const detail = 'must not be decremented';
    errors.push(invalidValue('metadata.generation', next.metadata.generation ?? 0, detail));
  }
  return errors;
}

function refuseNewFinalizers(next: KubeObject, old: KubeObject): readonly FieldError[] {
  const before = new Set(old.metadata.finalizers ?? []);
  const added = (next.metadata.finalizers ?? []).filter((name) => !before.has(name));
  if (added.length === 0) return [];
  const names = added.map((name) => JSON.stringify(name)).join(', ');
  return [
    forbiddenField(
      'metadata.finalizers',
      'no new finalizers can be added if the object is being deleted, ' +
        `found new finalizers []string{${names}}`,
    ),
  ];
}

/** For kinds whose field may never change: one error when it does. */
export function refuseChange(
  field: string,
  next: JsonObject | undefined,
  old: JsonObject | undefined,
): readonly FieldError[] {
  return jsonEquals(next, old) ? [] : [invalidValue(field, next, 'field is immutable')];
}
