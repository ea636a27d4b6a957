// Rules of Role, ClusterRole and their bindings: validation in Kubernetes' words, defaults, and who
// may write them. Pure.
//
//   E1. Nobody grants what he does not hold, unless he may escalate (roles) or bind (bindings).

import type { JsonObject, KubeObject } from '../../../../common/model/kube-object.ts';
import type { Attributes, RoleRef } from '../../machinery/access/access.ts';
import { rbacGroup } from '../../access/bindings.ts';
import { mastersGroup } from '../../access/rbac.ts';
import {
  countRights,
  describeMissing,
  describeRules,
  findMissing,
  quoteList,
  readRules,
} from '../../access/rules.ts';
import type { AccessContext, FieldError } from '../../machinery/kind.ts';
import { forbiddenBecause, notFound, plainError } from '../../machinery/answer/status-error.ts';
import { invalidValue, notSupported, required } from '../../machinery/rules/field-errors.ts';
import {
  checkLabelValue,
  checkQualifiedName,
  checkSubdomain1123,
} from '../../machinery/rules/name-rules.ts';
import {
  isRecord,
  jsonEquals,
  own,
  ownList,
  ownRecord,
  ownText,
  toJsonObject,
} from '../../machinery/schema/json-value.ts';

/** `isNamespaced`: of a Role, which reaches no paths. */
export function validateRules(role: JsonObject, isNamespaced: boolean): readonly FieldError[] {
  return ownList(role, 'rules').flatMap((rule, index) =>
    validateRule(isRecord(rule) ? rule : {}, isNamespaced, `rules[${index}]`),
  );
}

function validateRule(
  rule: JsonObject,
  isNamespaced: boolean,
  field: string,
): readonly FieldError[] {
  const isEmpty = (name: string): boolean => ownList(rule, name).length === 0;
  const errors: FieldError[] = [];
  if (isEmpty('verbs')) {
    errors.push(required(`${field}.verbs`, 'verbs must contain at least one value'));
  }
  if (!isEmpty('nonResourceURLs')) {
    const urls = ownList(rule, 'nonResourceURLs');
    const refuse = (detail: string): void =>
      void errors.push(invalidValue(`${field}.nonResourceURLs`, urls, detail));
    if (isNamespaced) refuse('namespaced rules cannot apply to non-resource URLs');
    if (!isEmpty('apiGroups') || !isEmpty('resources') || !isEmpty('resourceNames')) {
      refuse('rules cannot apply to both regular resources and non-resource URLs');
    }
    return errors;
  }
  if (isEmpty('apiGroups')) {
    const detail = 'resource rules must supply at least one api group';
    errors.push(required(`${field}.apiGroups`, detail));
  }
  if (isEmpty('resources')) {
    const detail = 'resource rules must supply at least one resource';
    errors.push(required(`${field}.resources`, detail));
  }
  return errors;
}

export function validateAggregation(role: JsonObject): readonly FieldError[] {
  const rule = own(role, 'aggregationRule');
  if (!isRecord(rule)) return [];
  const field = 'aggregationRule.clusterRoleSelectors';
  const selectors = ownList(rule, 'clusterRoleSelectors');
  if (selectors.length === 0) {
    const detail = 'at least one clusterRoleSelector required if aggregationRule is non-nil';
    return [required(field, detail)];
  }
  return selectors.flatMap((selector, index) => {
    const at = `${field}[${index}]`;
    const errors = validateSelector(isRecord(selector) ? selector : {}, at);
    // Kubernetes says what is wrong, and then that it is.
    return errors.length === 0
      ? []
      : [...errors, invalidValue(at, null, 'invalid label selector.')];
  });
}

function validateSelector(selector: JsonObject, field: string): readonly FieldError[] {
  const labels = Object.entries(ownRecord(selector, 'matchLabels')).flatMap(([key, value]) => {
    const wrongKey = checkQualifiedName(key);
    const wrongValue = checkLabelValue(String(value));
    return [
      ...(wrongKey === undefined ? [] : [invalidValue(`${field}.matchLabels`, key, wrongKey)]),
      ...(wrongValue === undefined
        ? []
        : [invalidValue(`${field}.matchLabels[${key}]`, value, wrongValue)]),
    ];
  });
  const expressions = ownList(selector, 'matchExpressions').flatMap((expression, index) =>
    validateExpression(
      isRecord(expression) ? expression : {},
      `${field}.matchExpressions[${index}]`,
    ),
  );
  return [...labels, ...expressions];
}

function validateExpression(expression: JsonObject, field: string): readonly FieldError[] {
  const operator = ownText(expression, 'operator');
  const hasValues = ownList(expression, 'values').length > 0;
  const errors: FieldError[] = [];
  if (operator === 'In' || operator === 'NotIn') {
    const detail = "must be specified when `operator` is 'In' or 'NotIn'";
    if (!hasValues) errors.push(required(`${field}.values`, detail));
  } else if (operator === 'Exists' || operator === 'DoesNotExist') {
    const message = "Forbidden: may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
    if (hasValues)
      errors.push({ field: `${field}.values`, reason: 'FieldValueForbidden', message });
  } else {
    errors.push(invalidValue(`${field}.operator`, operator, 'not a valid selector operator'));
  }
  const key = ownText(expression, 'key');
  const wrong = checkQualifiedName(key);
  if (wrong !== undefined) errors.push(invalidValue(`${field}.key`, key, wrong));
  return errors;
}

/** A binding with the API groups that its author left out. */
export function withBindingDefaults(binding: JsonObject): JsonObject {
  const ref = ownRecord(binding, 'roleRef');
  const subjects = ownList(binding, 'subjects').map((subject) => {
    if (!isRecord(subject) || ownText(subject, 'apiGroup') !== '') return subject;
    const isOfGroup = ['User', 'Group'].includes(ownText(subject, 'kind'));
    return isOfGroup ? { ...subject, apiGroup: rbacGroup } : subject;
  });
  return {
    ...binding,
    ...(subjects.length === 0 ? {} : { subjects }),
    roleRef: { ...ref, apiGroup: ownText(ref, 'apiGroup') || rbacGroup },
  };
}

/** `isNamespaced`: of a RoleBinding, which may name a Role as well. */
export function validateBinding(binding: JsonObject, isNamespaced: boolean): readonly FieldError[] {
  const ref = ownRecord(binding, 'roleRef');
  const [apiGroup, kind, name] = ['apiGroup', 'kind', 'name'].map((key) => ownText(ref, key));
  const kinds = isNamespaced ? ['Role', 'ClusterRole'] : ['ClusterRole'];
  const errors: FieldError[] = [];
  if (apiGroup !== rbacGroup) errors.push(notSupported('roleRef.apiGroup', apiGroup, [rbacGroup]));
  if (!kinds.includes(kind ?? '')) errors.push(notSupported('roleRef.kind', kind, kinds));
  if (name === '') errors.push(required('roleRef.name'));
  const subjects = ownList(binding, 'subjects').flatMap((subject, index) =>
    validateSubject(isRecord(subject) ? subject : {}, isNamespaced, `subjects[${index}]`),
  );
  return [...errors, ...subjects];
}

function validateSubject(
  subject: JsonObject,
  isNamespaced: boolean,
  field: string,
): readonly FieldError[] {
  const [kind = '', name = '', apiGroup = '', namespace = ''] = [
    'kind',
    'name',
    'apiGroup',
    'namespace',
  ].map((key) => ownText(subject, key));
  const errors: FieldError[] = name === '' ? [required(`${field}.name`)] : [];
  switch (kind) {
    case 'ServiceAccount': {
      const wrong = name === '' ? undefined : checkSubdomain1123(name);
      if (wrong !== undefined) errors.push(invalidValue(`${field}.name`, name, wrong));
      if (apiGroup !== '') errors.push(notSupported(`${field}.apiGroup`, apiGroup, ['']));
      if (!isNamespaced && namespace === '') errors.push(required(`${field}.namespace`));
      return errors;
    }
    case 'User':
    case 'Group':
      return apiGroup === rbacGroup
        ? errors
        : [...errors, notSupported(`${field}.apiGroup`, apiGroup, [rbacGroup])];
    default: {
      const kinds = ['ServiceAccount', 'User', 'Group'];
      return [...errors, notSupported(`${field}.kind`, kind, kinds)];
    }
  }
}

export function refuseOtherRole(next: KubeObject, old: KubeObject): readonly FieldError[] {
  const [ref, before] = [next, old].map((each) => ownRecord(toJsonObject(each), 'roleRef'));
  if (jsonEquals(ref, before)) return [];
  const { apiGroup, kind, name } = ref ?? {};
  // As Go prints its own struct.
  return [
    invalidValue(
      'roleRef',
      { APIGroup: apiGroup, Kind: kind, Name: name },
      'cannot change roleRef',
    ),
  ];
}

/** E1, for Role and ClusterRole. `resource` is the plural. */
export function refuseEscalation(
  resource: string,
  { next, old }: { readonly next: KubeObject; readonly old: KubeObject | undefined },
  context: AccessContext,
): void {
  const { user, namespace, name, access } = context;
  if (user.groups.includes(mastersGroup)) return;
  const asked = toAttributes(context, { verb: 'escalate', resource, name, namespace });
  if (access.authorize(asked).allowed || isCollected(next, old)) return;
  const at = { group: rbacGroup, resource, name: next.metadata.name };
  refuseMissing(at, readRules(toJsonObject(next)), context);
  const aggregates = [next, old].some((role) => role !== undefined && hasAggregation(role));
  if (!aggregates) return;
  const held = access.rulesFor(user, namespace).rules;
  if (findMissing(held, everything).length === 0) return;
  const why = 'must have cluster-admin privileges to use the aggregationRule';
  throw forbiddenBecause({ ...at, why });
}

const none = { apiGroups: [], resources: [], resourceNames: [], nonResourceURLs: [] };
const everything = [
  { ...none, verbs: ['*'], apiGroups: ['*'], resources: ['*'] },
  { ...none, verbs: ['*'], nonResourceURLs: ['*'] },
];

function hasAggregation(role: KubeObject): boolean {
  const rule = ownRecord(toJsonObject(role), 'aggregationRule');
  return ownList(rule, 'clusterRoleSelectors').length > 0;
}

/** E1, for RoleBinding and ClusterRoleBinding. */
export function refuseBinding(
  resource: string,
  { next, old }: { readonly next: KubeObject; readonly old: KubeObject | undefined },
  context: AccessContext,
): void {
  const { user, namespace, access } = context;
  if (user.groups.includes(mastersGroup) || isCollected(next, old)) return;
  const role = toRoleRef(next);
  const plurals: Readonly<Record<string, string>> = { Role: 'roles', ClusterRole: 'clusterroles' };
  const plural = plurals[role.kind];
  if (plural === undefined) {
    throw plainError(`unsupported role reference kind: ${JSON.stringify(role.kind)}`);
  }
  const asked = toAttributes(context, {
    verb: 'bind',
    resource: plural,
    name: role.name,
    namespace,
  });
  if (access.authorize(asked).allowed) return;
  const rules = access.rulesOf(role, namespace);
  if (rules === undefined) {
    throw notFound({ group: rbacGroup, resource, name: role.name }); // named by the request
  }
  refuseMissing({ group: rbacGroup, resource, name: next.metadata.name }, rules, context);
}

function toRoleRef(binding: KubeObject): RoleRef {
  const ref = ownRecord(toJsonObject(binding), 'roleRef');
  return { kind: ownText(ref, 'kind'), name: ownText(ref, 'name') };
}

function toAttributes(
  { user }: AccessContext,
  asked: Pick<Attributes, 'verb' | 'resource' | 'name' | 'namespace'>,
): Attributes {
  const fixed = { group: rbacGroup, version: '*', subresource: '', path: '', isResource: true };
  return { ...asked, ...fixed, user };
}

// Four lists of some hundred texts multiply to more than a process can hold; the widest roles that
// people write have some thousand.
const rightsMax = 10_000;

function refuseMissing(
  at: { readonly group: string; readonly resource: string; readonly name: string },
  wanted: ReturnType<typeof readRules>,
  { user, namespace, access }: AccessContext,
): void {
  const rights = countRights(wanted);
  if (rights > rightsMax) {
    const why =
      `its rules multiply to ${rights} single rights, of which ${rightsMax} at most are checked ` +
      `for who may not escalate or bind: write fewer, or "*"`;
    throw forbiddenBecause({ ...at, why });
  }
  const held = access.rulesFor(user, namespace);
  const missing = findMissing(held.rules, wanted);
  if (missing.length === 0) return;
  const lost = describeMissing(held.missing, rbacGroup, at.resource);
  const errors = lost === undefined ? '' : `; resolution errors: [${lost}]`;
  const who = `user ${JSON.stringify(user.name)} (groups=${quoteList(user.groups)})`;
  const why =
    `${who} is attempting to grant RBAC permissions not currently held:\n` +
    `${describeRules(missing).join('\n')}${errors}`;
  throw forbiddenBecause({ ...at, why });
}

/** Whether only that changes which a garbage collector changes. */
function isCollected(next: KubeObject, old: KubeObject | undefined): boolean {
  if (old === undefined) return false;
  return jsonEquals(withoutOwners(next), withoutOwners(old));
}

function withoutOwners(object: KubeObject): JsonObject {
  const {
    ownerReferences: _owners,
    finalizers: _finalizers,
    managedFields: _managers,
    resourceVersion: _revision,
    ...metadata
  } = object.metadata;
  return toJsonObject({ ...object, metadata });
}
