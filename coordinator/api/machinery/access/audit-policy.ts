// What of a request goes to the audit log: the rules of an audit.k8s.io/v1 Policy, the first that
// matches decides. Pure.

import { isRecord, own, ownList, ownText } from '../schema/json-value.ts';
import type { Json, JsonObject } from '../../../../common/model/kube-object.ts';
import type { Attributes } from './access.ts';

export const auditLevels = ['None', 'Metadata', 'Request', 'RequestResponse'] as const;
export type AuditLevel = (typeof auditLevels)[number];

export const auditStages = [
  'RequestReceived',
  'ResponseStarted',
  'ResponseComplete',
  'Panic',
] as const;
export type AuditStage = (typeof auditStages)[number];

interface GroupResources {
  readonly group: string;
  readonly resources: readonly string[];
  readonly resourceNames: readonly string[];
}

interface AuditRule {
  readonly level: AuditLevel;
  readonly users: readonly string[];
  readonly userGroups: readonly string[];
  readonly verbs: readonly string[];
  readonly resources: readonly GroupResources[];
  readonly namespaces: readonly string[];
  readonly nonResourceURLs: readonly string[];
  readonly omitStages: readonly AuditStage[];
  readonly omitManagedFields: boolean;
}

export interface AuditPolicy {
  readonly rules: readonly AuditRule[];
  readonly omitStages: readonly AuditStage[];
}

export interface AuditConfig {
  readonly level: AuditLevel;
  readonly omitStages: readonly AuditStage[];
  readonly omitManagedFields: boolean;
}

/** Without a policy of the operator: who did what, and nothing of what was in it. */
export const defaultAuditPolicy: AuditPolicy = {
  rules: [
    {
      level: 'Metadata',
      users: [],
      userGroups: [],
      verbs: [],
      resources: [],
      namespaces: [],
      nonResourceURLs: [],
      omitStages: ['RequestReceived'],
      omitManagedFields: false,
    },
  ],
  omitStages: ['RequestReceived'],
};

/** The policy, or what is wrong with it, by field. */
export function parseAuditPolicy(value: unknown): AuditPolicy | string {
  if (!isRecord(value)) return 'a Policy is an object';
  if (ownText(value, 'apiVersion') !== 'audit.k8s.io/v1' || ownText(value, 'kind') !== 'Policy') {
    return 'apiVersion must be audit.k8s.io/v1 and kind Policy';
  }
  const rules = ownList(value, 'rules');
  if (rules.length === 0) return 'rules: at least one rule is needed, else nothing is logged';
  const parsed: AuditRule[] = [];
  const omitted = texts(value, 'omitStages');
  const wrongStage = omitted.find((stage) => !isStage(stage));
  if (wrongStage !== undefined)
    return `omitStages: "${wrongStage}" is none of ${list(auditStages)}`;
  const all = own(value, 'omitManagedFields') === true;
  for (const [index, rule] of rules.entries()) {
    const field = `rules[${index}]`;
    const problem = isRecord(rule) ? findProblem(rule, field) : `${field}: not an object`;
    if (problem !== undefined || !isRecord(rule)) return problem ?? field;
    parsed.push(toRule(rule, { omitted, all }));
  }
  return { rules: parsed, omitStages: omitted.filter(isStage) };
}

function list(values: readonly string[]): string {
  return values.join(', ');
}

function isStage(text: string): text is AuditStage {
  return auditStages.some((stage) => stage === text);
}

function isLevel(text: string): text is AuditLevel {
  return auditLevels.some((level) => level === text);
}

const textLists = ['users', 'userGroups', 'verbs', 'namespaces', 'nonResourceURLs', 'omitStages'];

function findProblem(rule: JsonObject, field: string): string | undefined {
  const odd = textLists.find((name) =>
    ownList(rule, name).some((each) => typeof each !== 'string'),
  );
  if (odd !== undefined) return `${field}.${odd}: not a list of texts`;
  const level = ownText(rule, 'level');
  if (!isLevel(level)) return `${field}.level: "${level}" is none of ${list(auditLevels)}`;
  const stage = texts(rule, 'omitStages').find((each) => !isStage(each));
  if (stage !== undefined) return `${field}.omitStages: "${stage}" is none of ${list(auditStages)}`;
  const urls = texts(rule, 'nonResourceURLs');
  const isOfResources = texts(rule, 'namespaces').length + ownList(rule, 'resources').length > 0;
  if (urls.length > 0 && isOfResources) {
    return `${field}.nonResourceURLs: rules cannot apply to both resources and paths`;
  }
  const wrong = urls.find((url) => url !== '*' && !/^\/[^*]*\*?$/.test(url));
  if (wrong !== undefined) {
    return `${field}.nonResourceURLs: "${wrong}" must begin with / and have * only at its end`;
  }
  const named = ownList(rule, 'resources').filter(isRecord);
  if (
    named.some(
      (each) => texts(each, 'resourceNames').length > 0 && texts(each, 'resources').length === 0,
    )
  ) {
    return `${field}.resources: resourceNames need at least one resource`;
  }
  return undefined;
}

function texts(object: JsonObject, key: string): readonly string[] {
  return ownList(object, key).map((each) =>
    typeof each === 'string' ? each : JSON.stringify(each),
  );
}

function toRule(
  rule: JsonObject,
  common: { readonly omitted: readonly string[]; readonly all: boolean },
): AuditRule {
  const level = ownText(rule, 'level');
  const ownFields = own(rule, 'omitManagedFields');
  return {
    level: isLevel(level) ? level : 'None',
    users: texts(rule, 'users'),
    userGroups: texts(rule, 'userGroups'),
    verbs: texts(rule, 'verbs'),
    resources: ownList(rule, 'resources').flatMap(toGroupResources),
    namespaces: texts(rule, 'namespaces'),
    nonResourceURLs: texts(rule, 'nonResourceURLs'),
    omitStages: [...new Set([...common.omitted, ...texts(rule, 'omitStages')])].filter(isStage),
    omitManagedFields: typeof ownFields === 'boolean' ? ownFields : common.all,
  };
}

function toGroupResources(value: Json): readonly GroupResources[] {
  if (!isRecord(value)) return [];
  const { resources, resourceNames } = {
    resources: texts(value, 'resources'),
    resourceNames: texts(value, 'resourceNames'),
  };
  return [{ group: ownText(value, 'group'), resources, resourceNames }];
}

/** The first rule that matches; without one nothing is logged. */
export function chooseAudit(policy: AuditPolicy, asked: Attributes): AuditConfig {
  const rule = policy.rules.find((each) => matches(each, asked));
  return rule ?? { level: 'None', omitStages: policy.omitStages, omitManagedFields: false };
}

function matches(rule: AuditRule, asked: Attributes): boolean {
  const { users, userGroups, verbs, namespaces, resources, nonResourceURLs } = rule;
  if (users.length > 0 && !users.includes(asked.user.name)) return false;
  if (userGroups.length > 0 && !asked.user.groups.some((group) => userGroups.includes(group))) {
    return false;
  }
  if (verbs.length > 0 && !verbs.includes(asked.verb)) return false;
  if (namespaces.length > 0 || resources.length > 0) {
    return asked.isResource && matchesResource(rule, asked);
  }
  if (nonResourceURLs.length === 0) return true;
  return !asked.isResource && nonResourceURLs.some((url) => matchesPath(url, asked.path));
}

function matchesPath(url: string, path: string): boolean {
  if (url === '*' || url === path) return true;
  return url.endsWith('*') && path.startsWith(url.slice(0, -1));
}

function matchesResource({ namespaces, resources }: AuditRule, asked: Attributes): boolean {
  if (namespaces.length > 0 && !namespaces.includes(asked.namespace)) return false;
  if (resources.length === 0) return true;
  return resources.some(
    (each) =>
      each.group === asked.group &&
      (each.resources.length === 0 || each.resources.some((name) => isNamed(name, each, asked))),
  );
}

function isNamed(name: string, { resourceNames }: GroupResources, asked: Attributes): boolean {
  if (resourceNames.length > 0 && !resourceNames.includes(asked.name)) return false;
  const { resource, subresource } = asked;
  const full = subresource === '' ? resource : `${resource}/${subresource}`;
  return (
    name === '*' ||
    name === full ||
    (subresource !== '' && name === `*/${subresource}`) ||
    name === `${resource}/*`
  );
}
