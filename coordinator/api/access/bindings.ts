// Roles and bindings as an index: who is bound to what. Folded from the log, one event at a time.
//
//   B1. A lookup costs as much as the user has bindings, however many there are.
//   B2. The order of what is found is the bindings' key order, so that a reason never changes.

import { toLogPrefix } from '../../../common/model/ids.ts';
import type { JsonObject, KubeObject } from '../../../common/model/kube-object.ts';
import type { ViewEvent } from '../../desired/store.ts';
import type { PolicyRule, RoleRef, UserInfo } from '../machinery/access/access.ts';
import {
  isRecord,
  ownList,
  ownRecord,
  ownText,
  toJsonObject,
} from '../machinery/schema/json-value.ts';
import { readRules } from './rules.ts';

export const rbacGroup = 'rbac.authorization.k8s.io';

export interface Binding {
  readonly key: string;
  readonly name: string;
  /** Empty for a ClusterRoleBinding. */
  readonly namespace: string;
  readonly role: RoleRef;
  readonly subjects: readonly Subject[];
}

interface Subject {
  /** Of the index: `User x`, `Group x`. */
  readonly key: string;
  /** As RBAC prints it: `ServiceAccount "name/namespace"`. */
  readonly text: string;
}

export interface BoundRole {
  readonly binding: Binding;
  readonly subject: Subject;
}

const prefixes = {
  roles: toLogPrefix(rbacGroup, 'roles'),
  clusterRoles: toLogPrefix(rbacGroup, 'clusterroles'),
  roleBindings: toLogPrefix(rbacGroup, 'rolebindings'),
  clusterRoleBindings: toLogPrefix(rbacGroup, 'clusterrolebindings'),
} as const;

/** Every prefix that the index is folded from. */
export const rbacPrefixes: readonly string[] = Object.values(prefixes);

/** Mutable inside; only `fold` changes it. */
export class BindingIndex {
  readonly #roles = new Map<string, readonly PolicyRule[]>();
  readonly #bindings = new Map<string, Binding>();
  /** By namespace and subject: keys of bindings. */
  readonly #bySubject = new Map<string, Set<string>>();

  fold({ kind, current }: ViewEvent): void {
    const { key, object } = current;
    const isGone = kind === 'deleted';
    if (key.startsWith(prefixes.roles) || key.startsWith(prefixes.clusterRoles)) {
      const role = toRoleKey(object.kind, object.metadata);
      if (isGone) this.#roles.delete(role);
      else this.#roles.set(role, readRules(toJsonObject(object)));
      return;
    }
    this.#forget(key);
    if (!isGone) this.#learn(toBinding(key, object));
  }

  #learn(binding: Binding): void {
    this.#bindings.set(binding.key, binding);
    for (const { key } of binding.subjects) {
      const slot = toSlot(binding.namespace, key);
      const known = this.#bySubject.get(slot);
      if (known === undefined) this.#bySubject.set(slot, new Set([binding.key]));
      else known.add(binding.key);
    }
  }

  #forget(key: string): void {
    const binding = this.#bindings.get(key);
    if (binding === undefined) return;
    this.#bindings.delete(key);
    for (const subject of binding.subjects) {
      const slot = toSlot(binding.namespace, subject.key);
      const known = this.#bySubject.get(slot);
      known?.delete(key);
      if (known?.size === 0) this.#bySubject.delete(slot);
    }
  }

  /** What is bound to the user in one namespace; the empty one is the cluster. */
  boundTo(user: UserInfo, namespace: string): readonly BoundRole[] {
    const subjects = [`User ${user.name}`, ...user.groups.map((group) => `Group ${group}`)];
    const keys = new Set<string>();
    for (const subject of subjects) {
      for (const key of this.#bySubject.get(toSlot(namespace, subject)) ?? []) keys.add(key);
    }
    const mine = new Set(subjects);
    return [...keys].sort().flatMap((key) => {
      const binding = this.#bindings.get(key);
      const subject = binding?.subjects.find((each) => mine.has(each.key));
      return binding === undefined || subject === undefined ? [] : [{ binding, subject }];
    });
  }

  /** The rules of a role; `namespace` is the binding's. Undefined when there is none. */
  rulesOf(role: RoleRef, namespace: string): readonly PolicyRule[] | undefined {
    return this.#roles.get(toRoleKey(role.kind, { name: role.name, namespace }));
  }
}

// A newline is in no name of either.
function toSlot(namespace: string, subject: string): string {
  return `${namespace}\n${subject}`;
}

function toRoleKey(
  kind: string,
  { name, namespace = '' }: { readonly name: string; readonly namespace?: string },
): string {
  return kind === 'ClusterRole' ? `\n${name}` : `${namespace}\n${name}`;
}

function toBinding(key: string, object: KubeObject): Binding {
  const json = toJsonObject(object);
  const ref = ownRecord(json, 'roleRef');
  const { name, namespace = '' } = object.metadata;
  return {
    key,
    name,
    namespace,
    role: { kind: ownText(ref, 'kind'), name: ownText(ref, 'name') },
    subjects: ownList(json, 'subjects').flatMap((subject) =>
      isRecord(subject) ? toSubjects(subject, namespace) : [],
    ),
  };
}

function toSubjects(subject: JsonObject, bindingNamespace: string): readonly Subject[] {
  const kind = ownText(subject, 'kind');
  const name = ownText(subject, 'name');
  if (kind === 'User' || kind === 'Group') {
    return [{ key: `${kind} ${name}`, text: `${kind} ${JSON.stringify(name)}` }];
  }
  const namespace = ownText(subject, 'namespace') || bindingNamespace;
  if (kind !== 'ServiceAccount' || namespace === '') return [];
  return [
    {
      key: `User system:serviceaccount:${namespace}:${name}`,
      text: `ServiceAccount ${JSON.stringify(`${name}/${namespace}`)}`,
    },
  ];
}
