// Rules of roles: what one matches, whether some cover others, and how Kubernetes prints them. Pure.
//
// Input: rules as they stand in Role and ClusterRole objects. Output: decisions and texts.
// Source: the semantics of kube-apiserver's RBAC (wildcards, subresources, names, paths).

import type { Json, JsonObject } from '../../../common/model/kube-object.ts';
import type { Attributes, PolicyRule, RoleRef } from '../machinery/access/access.ts';
import { withoutTail } from '../machinery/rules/without-tail.ts';
import { isRecord, ownList } from '../machinery/schema/json-value.ts';

const all = '*';

/** The rules under `field` of a role; members that are missing are empty. */
export function readRules(role: JsonObject, field = 'rules'): readonly PolicyRule[] {
  return ownList(role, field).flatMap((rule) => (isRecord(rule) ? [readRule(rule)] : []));
}

function readRule(rule: JsonObject): PolicyRule {
  return {
    verbs: texts(ownList(rule, 'verbs')),
    apiGroups: texts(ownList(rule, 'apiGroups')),
    resources: texts(ownList(rule, 'resources')),
    resourceNames: texts(ownList(rule, 'resourceNames')),
    nonResourceURLs: texts(ownList(rule, 'nonResourceURLs')),
  };
}

function texts(values: readonly Json[]): readonly string[] {
  // What is no text grants nothing, and narrows what it stands for.
  return values.map((each) => (typeof each === 'string' ? each : JSON.stringify(each)));
}

/** Whether the rule grants what is asked. */
export function matchesRule(rule: PolicyRule, asked: Attributes): boolean {
  if (!holds(rule.verbs, asked.verb)) return false;
  if (!asked.isResource) {
    return rule.nonResourceURLs.some((url) => url === all || coversPath(url, asked.path));
  }
  return (
    holds(rule.apiGroups, asked.group) &&
    matchesResource(rule.resources, asked) &&
    (rule.resourceNames.length === 0 || rule.resourceNames.includes(asked.name))
  );
}

function holds(values: readonly string[], value: string): boolean {
  return values.includes(value) || values.includes(all);
}

/**
 * Subresources that a rule has to name in full, such as `clusters/credentials`: what they hold opens
 * whole clusters, and no `*` that somebody was given for something else reaches it.
 */
const namedOnly: ReadonlySet<string> = new Set(['credentials']);

function matchesResource(resources: readonly string[], asked: Attributes): boolean {
  const { resource, subresource } = asked;
  if (subresource === '') return holds(resources, resource);
  if (namedOnly.has(subresource)) return resources.includes(`${resource}/${subresource}`);
  return holds(resources, `${resource}/${subresource}`) || resources.includes(`*/${subresource}`);
}

function coversPath(owned: string, path: string): boolean {
  return owned === path || (owned.endsWith(all) && path.startsWith(withoutTail(owned, all)));
}

/** The rights of `wanted` that `owned` does not hold, one verb, resource and name each. */
export function findMissing(
  owned: readonly PolicyRule[],
  wanted: readonly PolicyRule[],
): readonly PolicyRule[] {
  return wanted
    .flatMap(breakDown)
    .filter((single) => !owned.some((rule) => coversSingle(rule, single)));
}

/** How many single rights the rules grant: what findMissing() has to go through. */
export function countRights(rules: readonly PolicyRule[]): number {
  return rules.reduce((sum, rule) => {
    const { apiGroups, resources, verbs, resourceNames, nonResourceURLs } = rule;
    const names = Math.max(1, resourceNames.length);
    const objects = apiGroups.length * resources.length * names;
    return sum + (objects + nonResourceURLs.length) * verbs.length;
  }, 0);
}

const nothing: PolicyRule = {
  verbs: [],
  apiGroups: [],
  resources: [],
  resourceNames: [],
  nonResourceURLs: [],
};

function breakDown(rule: PolicyRule): readonly PolicyRule[] {
  const names = rule.resourceNames.length === 0 ? [undefined] : rule.resourceNames;
  const resources = rule.apiGroups.flatMap((group) =>
    rule.resources.flatMap((resource) =>
      rule.verbs.flatMap((verb) =>
        names.map((name) => ({
          ...nothing,
          apiGroups: [group],
          resources: [resource],
          verbs: [verb],
          resourceNames: name === undefined ? [] : [name],
        })),
      ),
    ),
  );
  const paths = rule.nonResourceURLs.flatMap((url) =>
    rule.verbs.map((verb) => ({ ...nothing, nonResourceURLs: [url], verbs: [verb] })),
  );
  return [...resources, ...paths];
}

function coversSingle(owned: PolicyRule, single: PolicyRule): boolean {
  const namesFit =
    owned.resourceNames.length === 0 ||
    (single.resourceNames.length > 0 &&
      single.resourceNames.every((name) => owned.resourceNames.includes(name)));
  return (
    namesFit &&
    single.verbs.every((verb) => holds(owned.verbs, verb)) &&
    single.apiGroups.every((group) => holds(owned.apiGroups, group)) &&
    single.resources.every((resource) => coversResource(owned.resources, resource)) &&
    single.nonResourceURLs.every((path) =>
      owned.nonResourceURLs.some((url) => coversPath(url, path)),
    )
  );
}

function coversResource(owned: readonly string[], resource: string): boolean {
  const slash = resource.indexOf('/');
  if (slash >= 0 && namedOnly.has(resource.slice(slash + 1))) return owned.includes(resource);
  if (holds(owned, resource)) return true;
  return slash >= 0 && owned.includes(`*/${resource.slice(slash + 1)}`);
}

/** Missing rights as lines, verbs of one resource together, sorted. */
export function describeRules(rules: readonly PolicyRule[]): readonly string[] {
  const merged = new Map<string, PolicyRule>();
  for (const rule of rules) {
    const { verbs, ...rest } = rule;
    // Only resources are gathered; paths stand for themselves.
    const key = JSON.stringify(rule.nonResourceURLs.length > 0 ? rule : rest);
    const before = merged.get(key);
    merged.set(key, before === undefined ? rule : { ...rest, verbs: [...before.verbs, ...verbs] });
  }
  return [...new Set([...merged.values()].map(describeRule))].sort();
}

function describeRule(rule: PolicyRule): string {
  const parts = [
    ['APIGroups', rule.apiGroups],
    ['Resources', rule.resources],
    ['NonResourceURLs', rule.nonResourceURLs],
    ['ResourceNames', rule.resourceNames],
    ['Verbs', rule.verbs],
  ] as const;
  const given = parts.filter(([, values]) => values.length > 0);
  return `{${given.map(([name, values]) => `${name}:${quoteList(values)}`).join(', ')}}`;
}

/**
 * Missing roles in Kubernetes' words, or undefined when none is: several each once, in brackets.
 * `resource`: of the request, by which a write names what it misses; without it the role's kind.
 */
export function describeMissing(
  missing: readonly RoleRef[],
  group: string,
  resource?: string,
): string | undefined {
  const texts = missing.map(({ kind, name }) => {
    const what = resource ?? kind.toLowerCase();
    return `${what}.${group} ${JSON.stringify(name)} not found`;
  });
  const distinct = [...new Set(texts)];
  return distinct.length > 1 ? `[${distinct.join(', ')}]` : distinct[0];
}

/** Go's %q of a list of strings. */
export function quoteList(values: readonly string[]): string {
  return `[${values.map((value) => JSON.stringify(value)).join(' ')}]`;
}
