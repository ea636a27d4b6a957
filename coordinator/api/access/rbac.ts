// The RBAC authorizer: bindings folded from the log, the rules of each user kept until something
// changes. A request walks the rules of its own user and nobody else's.
//
//   A1. Members of system:masters may do everything, whatever the log says.
//   A2. A change of a role or binding counts for the next request: no time to live.

import type { ObjectView, WatchHandle } from '../../desired/store.ts';
import { follow } from '../../desired/store.ts';
import type {
  Attributes,
  Decision,
  GrantedRules,
  PolicyRule,
  RoleRef,
  UserInfo,
} from '../machinery/access/access.ts';
import { BindingIndex, rbacGroup, rbacPrefixes, type BoundRole } from './bindings.ts';
import { describeMissing, matchesRule } from './rules.ts';

export interface Rbac {
  authorize(attributes: Attributes): Decision;
  rulesFor(user: UserInfo, namespace: string): GrantedRules;
  rulesOf(role: RoleRef, namespace: string): readonly PolicyRule[] | undefined;
  close(): void;
}

export const mastersGroup = 'system:masters';

interface Grant {
  readonly rule: PolicyRule;
  readonly bound: BoundRole;
}

interface Granted {
  readonly grants: readonly Grant[];
  /** Roles of bindings that are not there. */
  readonly missing: readonly RoleRef[];
}

// Users that ask at the same time; beyond them the oldest is looked up again.
const cachedMax = 4096;

/** Follows `view` until closed. */
export function createRbac(view: ObjectView): Rbac {
  const index = new BindingIndex();
  const cache = new Map<string, Granted>();
  const handles: readonly WatchHandle[] = rbacPrefixes.map((prefix) =>
    follow(view, prefix, (event) => {
      index.fold(event);
      cache.clear(); // A2
    }),
  );
  const grantedTo = (user: UserInfo, namespace: string): Granted => {
    // JSON, because names may hold any character: those of an OIDC issuer are claims.
    const key = JSON.stringify([namespace, user.name, user.groups]);
    const known = cache.get(key);
    if (known !== undefined) return known;
    const granted = lookUp(index, user, namespace);
    const [oldest] = cache.keys();
    if (cache.size >= cachedMax && oldest !== undefined) cache.delete(oldest);
    cache.set(key, granted);
    return granted;
  };
  return {
    authorize: (asked) => authorize(asked, grantedTo),
    rulesFor: (user, namespace) => {
      const parts = scopes(namespace).map((scope) => grantedTo(user, scope));
      return {
        rules: parts.flatMap(({ grants }) => grants.map(({ rule }) => rule)),
        missing: parts.flatMap(({ missing }) => missing),
      };
    },
    rulesOf: (role, namespace) => index.rulesOf(role, namespace),
    close: () => handles.forEach((handle) => handle.cancel()),
  };
}

/** Cluster-wide first, as the reasons of kube-apiserver have it. */
function scopes(namespace: string): readonly string[] {
  return namespace === '' ? [''] : ['', namespace];
}

function lookUp(index: BindingIndex, user: UserInfo, namespace: string): Granted {
  const grants: Grant[] = [];
  const missing: RoleRef[] = [];
  for (const bound of index.boundTo(user, namespace)) {
    const { role } = bound.binding;
    const rules = index.rulesOf(role, namespace);
    if (rules === undefined) missing.push(role);
    else for (const rule of rules) grants.push({ rule, bound });
  }
  return { grants, missing };
}

function authorize(
  asked: Attributes,
  grantedTo: (user: UserInfo, namespace: string) => Granted,
): Decision {
  if (asked.user.groups.includes(mastersGroup)) return { allowed: true, reason: '' }; // A1
  const missing: RoleRef[] = [];
  for (const scope of scopes(asked.namespace)) {
    const granted = grantedTo(asked.user, scope);
    const grant = granted.grants.find(({ rule }) => matchesRule(rule, asked));
    if (grant !== undefined) {
      return { allowed: true, reason: `RBAC: allowed by ${describe(grant.bound)}` };
    }
    missing.push(...granted.missing);
  }
  const error = describeMissing(missing, rbacGroup);
  return { allowed: false, reason: error === undefined ? '' : `RBAC: ${error}` };
}

function describe({ binding, subject }: BoundRole): string {
  const { name, namespace, role } = binding;
  const kind = namespace === '' ? 'ClusterRoleBinding' : 'RoleBinding';
  const full = namespace === '' ? name : `${name}/${namespace}`;
  return (
    `${kind} ${JSON.stringify(full)} of ${role.kind} ${JSON.stringify(role.name)} ` +
    `to ${subject.text}`
  );
}
