// Which roles and bindings have to be written so that the defaults hold: what is missing is added,
// what somebody added stays, and an object that says `autoupdate: "false"` is left alone. And what
// the rules of an aggregated role have to be. Pure.
//
//   P1. Planning what was written already gives nothing: a restart writes nothing.

import type { Json, JsonObject, KubeObject } from '../../../common/model/kube-object.ts';
import {
  isList,
  isRecord,
  jsonEquals,
  own,
  ownList,
  ownRecord,
  ownText,
  toJsonObject,
  toKubeObject,
} from '../machinery/schema/json-value.ts';
import { rbacGroup } from './bindings.ts';
import type { DefaultObject } from './default-roles.ts';
import { findMissing, readRules } from './rules.ts';

const autoUpdate = 'rbac.authorization.kubernetes.io/autoupdate';
const bootstrapLabels = { 'kubernetes.io/bootstrapping': 'rbac-defaults' } as const;

/** The object as it has to be written, or undefined when it is right or left alone. */
export function planDefault(
  wanted: DefaultObject,
  existing: KubeObject | undefined,
  birth: { readonly uid: string; readonly timestamp: string },
): KubeObject | undefined {
  const labels = { ...bootstrapLabels, ...wanted.labels };
  const annotations = { [autoUpdate]: 'true' };
  if (existing === undefined) {
    const { uid, timestamp } = birth;
    return toKubeObject({
      kind: wanted.kind,
      apiVersion: `${rbacGroup}/v1`,
      metadata: { name: wanted.name, uid, creationTimestamp: timestamp, labels, annotations },
      ...wanted.content,
    });
  }
  const { metadata } = existing;
  if (metadata.annotations?.[autoUpdate] === 'false') return undefined;
  const before = toJsonObject(existing);
  const merged = {
    ...before,
    metadata: toJsonObject({
      ...existing,
      metadata: {
        ...metadata,
        labels: { ...labels, ...metadata.labels },
        annotations: { ...annotations, ...metadata.annotations },
      },
    })['metadata'],
    ...(wanted.kind === 'ClusterRole' ? mergeRole(before, wanted.content) : {}),
    ...(wanted.kind === 'ClusterRoleBinding' ? mergeBinding(before, wanted.content) : {}),
  };
  return jsonEquals(merged, before) ? undefined : toKubeObject(merged);
}

function mergeRole(before: JsonObject, wanted: JsonObject): JsonObject {
  const missing = findMissing(readRules(before), readRules(wanted));
  const rules =
    missing.length === 0 ? {} : { rules: [...ownList(before, 'rules'), ...missing.map(toJson)] };
  const aggregation = own(wanted, 'aggregationRule');
  if (!isRecord(aggregation)) return rules;
  const there = ownList(ownRecord(before, 'aggregationRule'), 'clusterRoleSelectors');
  const selectors = ownList(aggregation, 'clusterRoleSelectors').filter(
    (selector) => !there.some((each) => jsonEquals(each, selector)),
  );
  if (selectors.length === 0) return rules;
  return { ...rules, aggregationRule: { clusterRoleSelectors: [...there, ...selectors] } };
}

/** A rule with its empty members left out. */
function toJson(rule: object): JsonObject {
  return Object.fromEntries(
    Object.entries(rule).filter(([, value]) => isList(value) && value.length > 0),
  );
}

/** Another role cannot be bound afterwards; a binding to one is left as it is. */
function mergeBinding(before: JsonObject, wanted: JsonObject): JsonObject {
  if (!jsonEquals(own(before, 'roleRef'), own(wanted, 'roleRef'))) return {};
  const there = ownList(before, 'subjects');
  const missing = ownList(wanted, 'subjects').filter(
    (subject) => !there.some((each) => jsonEquals(each, subject)),
  );
  return missing.length === 0 ? {} : { subjects: [...there, ...missing] };
}

export function isAggregated(role: KubeObject): boolean {
  const rule = ownRecord(toJsonObject(role), 'aggregationRule');
  return ownList(rule, 'clusterRoleSelectors').length > 0;
}

/** An aggregated role with the rules it has to have; undefined when it has them, or is none. */
export function planAggregation(
  role: KubeObject,
  all: Iterable<KubeObject>,
): KubeObject | undefined {
  if (!isAggregated(role)) return undefined;
  const json = toJsonObject(role);
  const selectors = ownList(ownRecord(json, 'aggregationRule'), 'clusterRoleSelectors');
  const others = [...all]
    .filter(({ metadata }) => metadata.name !== role.metadata.name)
    .sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
  const rules: Json[] = [];
  for (const selector of selectors) {
    for (const other of others) {
      if (!isRecord(selector) || !selects(selector, other.metadata.labels ?? {})) continue;
      for (const rule of ownList(toJsonObject(other), 'rules')) {
        if (!rules.some((known) => jsonEquals(known, rule))) rules.push(rule);
      }
    }
  }
  if (jsonEquals(ownList(json, 'rules'), rules)) return undefined;
  return toKubeObject({ ...json, rules: rules.length === 0 ? null : rules });
}

function selects(selector: JsonObject, labels: Readonly<Record<string, string>>): boolean {
  const equal = Object.entries(ownRecord(selector, 'matchLabels')).every(
    ([key, value]) => Object.hasOwn(labels, key) && labels[key] === value,
  );
  return equal && ownList(selector, 'matchExpressions').every((each) => holds(each, labels));
}

function holds(expression: Json, labels: Readonly<Record<string, string>>): boolean {
  if (!isRecord(expression)) return false;
  const key = ownText(expression, 'key');
  const isThere = Object.hasOwn(labels, key);
  const isOneOf = isThere && ownList(expression, 'values').includes(labels[key] ?? '');
  switch (ownText(expression, 'operator')) {
    case 'In':
      return isOneOf;
    case 'NotIn':
      return !isOneOf;
    case 'Exists':
      return isThere;
    case 'DoesNotExist':
      return !isThere;
    default:
      return false;
  }
}
