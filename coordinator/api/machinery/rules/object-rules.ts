// Rules of metadata that hold for every kind: names, labels, annotations, finalizers, owners, and
// what may not change. Input: an object (or two). Output: field errors in Kubernetes' order.
//
//   O1. Nothing that passes here can break a log key: names hold no slash.

import type { JsonObject, KubeObject, ObjectMeta } from '../../../../common/model/kube-object.ts';
import { forbiddenField, invalidValue, required, tooLong } from './field-errors.ts';
import { isRecord, jsonEquals } from '../schema/json-value.ts';
import type { FieldError, KindDefinition } from '../kind.ts';
import {
  listLabelFaults,
  listLabelValueFaults,
  listPathSegmentFaults,
  listQualifiedNameFaults,
  listSubdomainFaults,
} from './name-rules.ts';

type NameRule = NonNullable<KindDefinition['nameRule']>;

/** For an object that is created. */
export function validateMetadata(object: KubeObject, kind: KindDefinition): readonly FieldError[] {
  const { metadata } = object;
  return [
    ...validateCommon(metadata, kind, kind.nameRule ?? nameRuleOf(kind)),
    ...validateStandardFinalizers(metadata.finalizers ?? []),
  ];
}

function nameRuleOf(kind: KindDefinition): NameRule {
  if (kind.group === 'rbac.authorization.k8s.io') return listPathSegmentFaults;
  return (name, isPrefix) => listSubdomainFaults(isPrefix ? maskTrailingDash(name) : name);
}

/** A dash at the end is fine before a random part; Kubernetes drops what stands before it too. */
export function maskTrailingDash(name: string): string {
  return name.length > 1 && name.endsWith('-') ? `${name.slice(0, -2)}a` : name;
}

const randomCharacters = 5;
const generatedNameMax = 63;

/** `generateName` cut so that the random suffix fits into 63 characters. */
export function toGeneratedName(generateName: string, suffix: string): string {
  return generateName.slice(0, generatedNameMax - randomCharacters) + suffix;
}

function validateCommon(
  metadata: ObjectMeta,
  kind: KindDefinition,
  nameRule: NameRule,
): readonly FieldError[] {
  return [
    ...validateName(metadata, nameRule),
    ...validateNamespace(metadata, kind),
    ...validateGeneration(metadata),
    ...validateTexts(metadata),
    ...validateFinalizers(metadata.finalizers ?? []),
    ...validateManagedFields(metadata),
  ];
}

function validateName(metadata: ObjectMeta, nameRule: NameRule): readonly FieldError[] {
  const { generateName = '' } = metadata;
  const name = metadata.name ?? '';
  const errors =
    generateName === ''
      ? []
      : nameRule(generateName, true).map((fault) =>
          invalidValue('metadata.generateName', generateName, fault),
        );
  if (name === '') {
    return [...errors, required('metadata.name', 'name or generateName is required')];
  }
  const faults = nameRule(name, false);
  return [...errors, ...faults.map((fault) => invalidValue('metadata.name', name, fault))];
}

function validateNamespace(metadata: ObjectMeta, kind: KindDefinition): readonly FieldError[] {
  const { namespace = '' } = metadata;
  const field = 'metadata.namespace';
  if (!kind.isNamespaced) {
    return namespace === '' ? [] : [forbiddenField(field, 'not allowed on this type')];
  }
  if (namespace === '') return [required(field)];
  return listLabelFaults(namespace).map((fault) => invalidValue(field, namespace, fault));
}

function validateGeneration({ generation = 0 }: ObjectMeta): readonly FieldError[] {
  if (generation >= 0) return [];
  const detail = 'must be greater than or equal to 0';
  return [invalidValue('metadata.generation', generation, detail)];
}

/** What is checked once for every object, and once more for one that changes. */
function validateTexts(metadata: ObjectMeta): readonly FieldError[] {
  return [
    ...validateLabels(metadata.labels ?? {}),
    ...validateAnnotations(metadata.annotations ?? {}),
    ...validateOwners(metadata),
  ];
}

/** Also for labels elsewhere than in metadata, such as a selector. */
export function validateLabels(
  labels: Readonly<Record<string, string>>,
  field = 'metadata.labels',
): readonly FieldError[] {
  const errors: FieldError[] = [];
  for (const key of Object.keys(labels)) {
    const value = labels[key] ?? '';
    const keyFaults = listQualifiedNameFaults(key);
    const valueFaults = listLabelValueFaults(value);
    for (const fault of keyFaults) errors.push(invalidValue(field, key, fault));
    for (const fault of valueFaults) errors.push(invalidValue(field, value, fault));
  }
  return errors;
}

const annotationsBytesMax = 262144;

function validateAnnotations(annotations: Readonly<Record<string, string>>): readonly FieldError[] {
  const field = 'metadata.annotations';
  const errors: FieldError[] = [];
  let total = 0;
  for (const [key, value] of Object.entries(annotations)) {
    const faults = listQualifiedNameFaults(key.toLowerCase());
    errors.push(...faults.map((fault) => invalidValue(field, key, fault)));
    total += Buffer.byteLength(key) + Buffer.byteLength(value);
  }
  if (total > annotationsBytesMax) errors.push(tooLong(field, annotationsBytesMax));
  return errors;
}

function validateFinalizers(finalizers: readonly string[]): readonly FieldError[] {
  const field = 'metadata.finalizers';
  const errors = finalizers.flatMap((finalizer) =>
    listQualifiedNameFaults(finalizer).map((fault) => invalidValue(field, finalizer, fault)),
  );
  if (!finalizers.includes('orphan') || !finalizers.includes('foregroundDeletion')) return errors;
  const detail = 'finalizer orphan and foregroundDeletion cannot be both set';
  return [...errors, invalidValue(field, finalizers, detail)];
}

const standardFinalizers: ReadonlySet<string> = new Set([
  'orphan',
  'foregroundDeletion',
  'kubernetes',
]);

function validateStandardFinalizers(finalizers: readonly string[]): readonly FieldError[] {
  const detail = 'name is neither a standard finalizer name nor is it fully qualified';
  return finalizers.flatMap((finalizer, index) =>
    finalizer.includes('/') || standardFinalizers.has(finalizer)
      ? []
      : [invalidValue(`metadata.finalizers[${index}]`, finalizer, detail)],
  );
}

type Owner = NonNullable<ObjectMeta['ownerReferences']>[number];

function validateOwners(metadata: ObjectMeta): readonly FieldError[] {
  const field = 'metadata.ownerReferences';
  const errors: FieldError[] = [];
  let controller: string | undefined;
  for (const owner of metadata.ownerReferences ?? []) {
    errors.push(...validateOwner(owner, field));
    if (owner.controller !== true) continue;
    const name = `${owner.kind}/${owner.name}`;
    if (controller === undefined) {
      controller = name;
      continue;
    }
    const detail =
      'Only one reference can have Controller set to true. ' +
      `Found "true" in references for ${controller} and ${name}`;
    errors.push(invalidValue(field, (metadata.ownerReferences ?? []).map(toPrinted), detail));
  }
  return errors;
}

/** With the members that Go prints also when they are empty. */
function toPrinted(owner: Owner): object {
  const { apiVersion = '', kind = '', name = '', uid = '', ...rest } = owner;
  return { apiVersion, kind, name, uid, ...rest };
}

function validateOwner(owner: Owner, field: string): readonly FieldError[] {
  const errors: FieldError[] = [];
  const { apiVersion = '', kind = '' } = owner;
  const parts = apiVersion.split('/');
  if (parts.length > 2 || parts.at(-1) === '') {
    errors.push(invalidValue(`${field}.apiVersion`, apiVersion, 'version must not be empty'));
  }
  for (const key of ['kind', 'name', 'uid'] as const) {
    if ((owner[key] ?? '') !== '') continue;
    errors.push(invalidValue(`${field}.${key}`, '', 'must not be empty'));
  }
  if (apiVersion === 'v1' && kind === 'Event') {
    const detail = '/v1, Kind=Event is disallowed from being an owner';
    errors.push(invalidValue(field, toPrinted(owner), detail));
  }
  return errors;
}

const managersBytesMax = 128;

function validateManagedFields(metadata: ObjectMeta): readonly FieldError[] {
  return (metadata.managedFields ?? []).flatMap((entry, index) => {
    if (!isRecord(entry)) return [];
    const field = `metadata.managedFields[${index}]`;
    const errors: FieldError[] = [];
    const { operation = '', fieldsType = '', manager = '' } = entry as Record<string, unknown>;
    if (operation !== 'Apply' && operation !== 'Update') {
      errors.push(invalidValue(`${field}.operation`, operation, 'must be `Apply` or `Update`'));
    }
    if (fieldsType !== '' && fieldsType !== 'FieldsV1') {
      errors.push(invalidValue(`${field}.fieldsType`, fieldsType, 'must be `FieldsV1`'));
    }
    if (Buffer.byteLength(String(manager)) > managersBytesMax) {
      errors.push(tooLong(`${field}.manager`, managersBytesMax));
    }
    return errors;
  });
}

const immutable = [
  'name',
  'namespace',
  'uid',
  'creationTimestamp',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
] as const;

/**
 * For `next` with the server's own fields restored, against the object that it replaces. As in
 * Kubernetes, what may not change is checked for every kind and again by the kind's own rules: a
 * fault has two causes, and a fault of a label three.
 */
export function validateMetadataUpdate(
  next: KubeObject,
  old: KubeObject,
  kind: KindDefinition,
): readonly FieldError[] {
  const changed = validateMetadataChange(next, old);
  return [
    ...validateCommon(next.metadata, kind, listPathSegmentFaults),
    ...changed,
    ...changed,
    ...validateStandardFinalizers(next.metadata.finalizers ?? []),
  ];
}

function validateMetadataChange(next: KubeObject, old: KubeObject): readonly FieldError[] {
  const errors: FieldError[] = [];
  if (old.metadata.deletionTimestamp !== undefined) {
    errors.push(...refuseNewFinalizers(next, old));
  }
  if ((next.metadata.generation ?? 0) < (old.metadata.generation ?? 0)) {
    const detail = 'must not be decremented';
    errors.push(invalidValue('metadata.generation', next.metadata.generation ?? 0, detail));
  }
  for (const key of immutable) {
    if (next.metadata[key] !== old.metadata[key]) {
      errors.push(invalidValue(`metadata.${key}`, next.metadata[key], 'field is immutable'));
    }
  }
  return [...errors, ...validateTexts(next.metadata), ...validateManagedFields(next.metadata)];
}

function refuseNewFinalizers(next: KubeObject, old: KubeObject): readonly FieldError[] {
  const before = new Set(old.metadata.finalizers ?? []);
  const added = new Set((next.metadata.finalizers ?? []).filter((name) => !before.has(name)));
  if (added.size === 0) return [];
  const names = [...added].sort().map((name) => JSON.stringify(name));
  return [
    forbiddenField(
      'metadata.finalizers',
      'no new finalizers can be added if the object is being deleted, ' +
        `found new finalizers []string{${names.join(', ')}}`,
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
