// authorization.k8s.io/v1: questions about rights. Each is a create that answers and stores nothing.
//
//   SubjectAccessReview            may that user do this?
//   LocalSubjectAccessReview       the same, within the namespace of the request
//   SelfSubjectAccessReview        may I do this? (kubectl auth can-i)
//   SelfSubjectRulesReview         what may I do here? (kubectl auth can-i --list)

import type { JsonObject, KubeObject } from '../../../../common/model/kube-object.ts';
import { rbacGroup } from '../../access/bindings.ts';
import { describeMissing } from '../../access/rules.ts';
import type { Attributes, UserInfo } from '../../machinery/access/access.ts';
import type { AccessContext, FieldError, KindDefinition } from '../../machinery/kind.ts';
import { badRequest, invalid } from '../../machinery/answer/status-error.ts';
import { invalidValue } from '../../machinery/rules/field-errors.ts';
import {
  isList,
  isRecord,
  own,
  ownList,
  ownRecord,
  ownText,
  toJsonObject,
  toKubeObject,
} from '../../machinery/schema/json-value.ts';
import {
  accessSpec,
  accessStatus,
  rulesSpec,
  rulesStatus,
  selfAccessSpec,
} from './access-schema.ts';
import { isBare, reviewKind } from './review-kind.ts';
import { checkSelectors, describeSelectorFaults } from './review-selectors.ts';

const group = 'authorization.k8s.io';

export const subjectAccessReviewKind: KindDefinition = reviewKind({
  group,
  kind: 'SubjectAccessReview',
  isNamespaced: false,
  description: 'Asks whether a user may do something.',
  spec: accessSpec,
  status: accessStatus,
  answerCreate: (review, context) => {
    const spec = toSpec(review);
    refuse([...validateSpec(spec, true), ...validateMeta(review, [])]);
    return withDecision(review, context, toSubject(spec));
  },
});

export const localSubjectAccessReviewKind: KindDefinition = reviewKind({
  group,
  kind: 'LocalSubjectAccessReview',
  isNamespaced: true,
  description: 'Asks whether a user may do something in one namespace.',
  spec: accessSpec,
  status: accessStatus,
  answerCreate: (review, context) => {
    const spec = toSpec(review);
    refuse([
      ...validateSpec(spec, true),
      ...validateMeta(review, ['namespace']),
      ...validateLocal(spec, review.metadata.namespace ?? ''),
    ]);
    return withDecision(review, context, toSubject(spec));
  },
});

export const selfSubjectAccessReviewKind: KindDefinition = reviewKind({
  group,
  kind: 'SelfSubjectAccessReview',
  isNamespaced: false,
  description: 'Asks whether oneself may do something.',
  spec: selfAccessSpec,
  status: accessStatus,
  answerCreate: (review, context) => {
    refuse([...validateSpec(toSpec(review), false), ...validateMeta(review, [])]);
    return withDecision(review, context, context.user);
  },
});

export const selfSubjectRulesReviewKind: KindDefinition = reviewKind({
  group,
  kind: 'SelfSubjectRulesReview',
  isNamespaced: false,
  description: 'Asks what oneself may do in one namespace.',
  spec: rulesSpec,
  status: rulesStatus,
  answerCreate: (review, context) => {
    const namespace = ownText(toSpec(review), 'namespace');
    if (namespace === '') throw badRequest('no namespace on request');
    return toRules(review, context, namespace);
  },
});

function toSpec(review: KubeObject): JsonObject {
  return ownRecord(toJsonObject(review), 'spec');
}

/** 422 without a name and, as Kubernetes has it, without a kind. */
function refuse(errors: readonly FieldError[]): void {
  if (errors.length > 0) throw invalid({ group, kind: '', name: '', errors });
}

function validateSpec(spec: JsonObject, namesSubject: boolean): readonly FieldError[] {
  const resource = own(spec, 'resourceAttributes');
  const path = own(spec, 'nonResourceAttributes');
  const errors: FieldError[] = [];
  if (isRecord(resource) && isRecord(path)) {
    const detail = 'cannot be specified in combination with resourceAttributes';
    errors.push(invalidValue('spec.nonResourceAttributes', toGoPath(path), detail));
  }
  if (!isRecord(resource) && !isRecord(path)) {
    const detail = 'exactly one of nonResourceAttributes or resourceAttributes must be specified';
    errors.push(invalidValue('spec.resourceAttributes', null, detail));
  }
  const isNobody = ownText(spec, 'user') === '' && ownList(spec, 'groups').length === 0;
  if (namesSubject && isNobody) {
    errors.push(invalidValue('spec.user', '', 'at least one of user or group must be specified'));
  }
  return isRecord(resource) ? [...errors, ...checkSelectors(resource)] : errors;
}

/** Go prints its own struct, which has no JSON names. */
function toGoPath(path: JsonObject): JsonObject {
  return { Path: ownText(path, 'path'), Verb: ownText(path, 'verb') };
}

function validateMeta(review: KubeObject, allowed: readonly string[]): readonly FieldError[] {
  if (isBare(review.metadata, allowed)) return [];
  const detail = allowed.length === 0 ? 'must be empty' : 'must be empty except for namespace';
  return [invalidValue('metadata', review.metadata, detail)];
}

function validateLocal(spec: JsonObject, namespace: string): readonly FieldError[] {
  const resource = own(spec, 'resourceAttributes');
  const path = own(spec, 'nonResourceAttributes');
  const errors: FieldError[] = [];
  if (isRecord(resource) && ownText(resource, 'namespace') !== namespace) {
    const asked = ownText(resource, 'namespace');
    const detail = 'must match metadata.namespace';
    errors.push(invalidValue('spec.resourceAttributes.namespace', asked, detail));
  }
  if (isRecord(path)) {
    const detail = 'disallowed on this kind of request';
    errors.push(invalidValue('spec.nonResourceAttributes', toGoPath(path), detail));
  }
  return errors;
}

function toSubject(spec: JsonObject): UserInfo {
  const extra = Object.entries(ownRecord(spec, 'extra')).map(
    ([key, values]) => [key, isList(values) ? values.map(String) : []] as const,
  );
  return {
    name: ownText(spec, 'user'),
    groups: ownList(spec, 'groups').map(String),
    uid: ownText(spec, 'uid'),
    extra: Object.fromEntries(extra),
  };
}

function withDecision(review: KubeObject, { access }: AccessContext, user: UserInfo): KubeObject {
  const spec = toSpec(review);
  const { allowed, reason = '' } = access.authorize(toAttributes(spec, user));
  const fault = describeSelectorFaults(ownRecord(spec, 'resourceAttributes'));
  const status = {
    allowed,
    ...(reason === '' ? {} : { reason }),
    ...(fault === '' ? {} : { evaluationError: fault }),
  };
  return { ...review, status };
}

function toAttributes(spec: JsonObject, user: UserInfo): Attributes {
  const resource = own(spec, 'resourceAttributes');
  const asked = isRecord(resource) ? resource : ownRecord(spec, 'nonResourceAttributes');
  return {
    user,
    isResource: isRecord(resource),
    verb: ownText(asked, 'verb'),
    group: ownText(asked, 'group'),
    version: ownText(asked, 'version') || '*',
    resource: ownText(asked, 'resource'),
    subresource: ownText(asked, 'subresource'),
    namespace: ownText(asked, 'namespace'),
    name: ownText(asked, 'name'),
    path: ownText(asked, 'path'),
  };
}

function toRules(review: KubeObject, context: AccessContext, namespace: string): KubeObject {
  const { rules, missing } = context.access.rulesFor(context.user, namespace);
  const error = describeMissing(missing, rbacGroup);
  const resourceRules = rules
    .filter(({ resources }) => resources.length > 0)
    .map(({ verbs, apiGroups, resources, resourceNames }) => ({
      verbs,
      apiGroups,
      resources,
      ...(resourceNames.length === 0 ? {} : { resourceNames }),
    }));
  const nonResourceRules = rules
    .filter(({ nonResourceURLs }) => nonResourceURLs.length > 0)
    .map(({ verbs, nonResourceURLs }) => ({ verbs, nonResourceURLs }));
  const status = {
    resourceRules,
    nonResourceRules,
    incomplete: false,
    ...(error === undefined ? {} : { evaluationError: error }),
  };
  const { kind, apiVersion } = review;
  // The question is not repeated in this answer.
  return toKubeObject({ kind, apiVersion, metadata: {}, spec: {}, status });
}
