// Laws of rules: what covers what grants no more, and the index answers as a walk over all bindings.

import test from 'ava';
import fc from 'fast-check';
import { toLogKey, toRevision } from '../../common/model/ids.ts';
import type { KubeObject } from '../../common/model/kube-object.ts';
import { BindingIndex, rbacGroup } from '../../coordinator/api/access/bindings.ts';
import { findMissing, matchesRule } from '../../coordinator/api/access/rules.ts';
import type { Attributes, PolicyRule } from '../../coordinator/api/machinery/access/access.ts';
import { toStoredObject } from '../../coordinator/desired/stored-object.ts';

const some = (...values: readonly string[]) =>
  fc.subarray([...values], { minLength: 1, maxLength: 2 });
const none = fc.constant<string[]>([]);

const resourceRule: fc.Arbitrary<PolicyRule> = fc.record({
  verbs: some('get', 'list', 'create', '*'),
  apiGroups: some('', 'apps', '*'),
  resources: some('services', 'services/status', '*/status', 'secrets', '*'),
  resourceNames: fc.oneof(none, some('a', 'b')),
  nonResourceURLs: none,
});
const pathRule: fc.Arbitrary<PolicyRule> = fc.record({
  verbs: some('get', 'post', '*'),
  apiGroups: none,
  resources: none,
  resourceNames: none,
  nonResourceURLs: some('/healthz', '/healthz/*', '/api', '/a*', '*'),
});
const rule = fc.oneof(resourceRule, pathRule);

const user = { name: 'bob', groups: ['dev'] };
const asked: fc.Arbitrary<Attributes> = fc.oneof(
  fc.record({
    user: fc.constant(user),
    verb: fc.constantFrom('get', 'list', 'create', 'delete'),
    isResource: fc.constant(true),
    group: fc.constantFrom('', 'apps'),
    version: fc.constant('v1'),
    resource: fc.constantFrom('services', 'secrets', 'pods'),
    subresource: fc.constantFrom('', 'status', 'scale'),
    namespace: fc.constant('shop'),
    name: fc.constantFrom('', 'a', 'c'),
    path: fc.constant(''),
  }),
  fc.record({
    user: fc.constant(user),
    verb: fc.constantFrom('get', 'post'),
    isResource: fc.constant(false),
    group: fc.constant(''),
    version: fc.constant(''),
    resource: fc.constant(''),
    subresource: fc.constant(''),
    namespace: fc.constant(''),
    name: fc.constant(''),
    path: fc.constantFrom('/healthz', '/healthz/ping', '/api', '/apis', '/metrics'),
  }),
);

test('[k8s 118] who covers rules may do what they let do: nothing escalates through a cover', (t) => {
  fc.assert(
    fc.property(fc.array(rule), fc.array(rule), asked, (owned, wanted, request) => {
      fc.pre(findMissing(owned, wanted).length === 0);
      const wants = wanted.some((each) => matchesRule(each, request));
      return !wants || owned.some((each) => matchesRule(each, request));
    }),
    { numRuns: 1_000 },
  );
  t.pass();
});

test('[k8s 118] rules cover themselves, and what is missing is covered by adding it', (t) => {
  fc.assert(
    fc.property(fc.array(rule), fc.array(rule), (owned, wanted) => {
      const missing = findMissing(owned, wanted);
      return (
        findMissing(wanted, wanted).length === 0 &&
        findMissing([...owned, ...missing], wanted).length === 0
      );
    }),
    { numRuns: 1_000 },
  );
  t.pass();
});

interface Change {
  readonly isGone: boolean;
  readonly namespace: string;
  readonly name: string;
  readonly subjects: readonly { readonly kind: string; readonly name: string }[];
}

const change: fc.Arbitrary<Change> = fc.record({
  isGone: fc.boolean(),
  namespace: fc.constantFrom('', 'shop', 'other'),
  name: fc.constantFrom('x', 'y', 'z'),
  subjects: fc.array(
    fc.record({
      kind: fc.constantFrom('User', 'Group', 'ServiceAccount'),
      name: fc.constantFrom('bob', 'dev', 'system:serviceaccount:shop:bob'),
    }),
    { maxLength: 3 },
  ),
});

function toBinding({ namespace, name, subjects }: Change): KubeObject & object {
  const object = {
    apiVersion: `${rbacGroup}/v1`,
    kind: namespace === '' ? 'ClusterRoleBinding' : 'RoleBinding',
    metadata: namespace === '' ? { name } : { name, namespace },
    roleRef: { apiGroup: rbacGroup, kind: 'ClusterRole', name: 'view' },
    subjects,
  };
  return object;
}

test('[k8s 118] the index, folded from changes, finds what a walk over all bindings finds', (t) => {
  const asker = { name: 'system:serviceaccount:shop:bob', groups: ['dev'] };
  fc.assert(
    fc.property(fc.array(change, { maxLength: 20 }), (changes) => {
      const index = new BindingIndex();
      const live = new Map<string, Change>();
      for (const [number, each] of changes.entries()) {
        const resource = each.namespace === '' ? 'clusterrolebindings' : 'rolebindings';
        const key = toLogKey({ ...each, group: rbacGroup, resource });
        const current = toStoredObject(key, toRevision(number + 1), toBinding(each));
        index.fold({ kind: each.isGone ? 'deleted' : 'modified', current, previous: undefined });
        if (each.isGone) live.delete(key);
        else live.set(key, each);
      }
      return ['', 'shop', 'other'].every((namespace) => {
        const walked = [...live]
          .filter(([, each]) => each.namespace === namespace && isFor(each, asker))
          .map(([key]) => key)
          .sort();
        const found = index.boundTo(asker, namespace).map(({ binding }) => binding.key);
        return JSON.stringify(found) === JSON.stringify(walked);
      });
    }),
    { numRuns: 500 },
  );
  t.pass();
});

function isFor(
  { subjects, namespace }: Change,
  asker: { readonly name: string; readonly groups: readonly string[] },
): boolean {
  return subjects.some(({ kind, name }) => {
    if (kind === 'User') return name === asker.name;
    if (kind === 'Group') return asker.groups.includes(name);
    return namespace !== '' && `system:serviceaccount:${namespace}:${name}` === asker.name;
  });
}
