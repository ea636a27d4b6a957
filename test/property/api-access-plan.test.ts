// Laws of the default roles: writing them twice writes nothing, and what people added stays.

import test from 'ava';
import fc from 'fast-check';
import type { KubeObject } from '../../common/model/kube-object.ts';
import { toDefaultObjects } from '../../coordinator/api/access/default-roles.ts';
import { planAggregation, planDefault } from '../../coordinator/api/access/plan-defaults.ts';
import { findMissing, readRules } from '../../coordinator/api/access/rules.ts';
import { federationKinds } from '../../coordinator/api/kinds/all.ts';
import { toJsonObject } from '../../coordinator/api/machinery/schema/json-value.ts';

const defaults = toDefaultObjects(federationKinds({ caHash: 'none' }));
const birth = { uid: 'u', timestamp: '2026-01-02T03:04:05Z' };
const anyDefault = fc.constantFrom(...defaults);

function born(index: number): KubeObject {
  const wanted = defaults[index];
  const object = wanted === undefined ? undefined : planDefault(wanted, undefined, birth);
  if (object === undefined) throw new Error('not planned');
  return object;
}

test('P1: what was written as a default is not written again', (t) => {
  for (const [index, wanted] of defaults.entries()) {
    t.is(planDefault(wanted, born(index), birth), undefined, wanted.name);
  }
});

test('[k8s 118] what is missing of a default comes back, and what was added stays', (t) => {
  const added = { verbs: ['get'], apiGroups: ['example.com'], resources: ['things'] };
  fc.assert(
    fc.property(anyDefault, fc.nat(3), (wanted, kept) => {
      const whole = born(defaults.indexOf(wanted));
      const rules = readRules(toJsonObject(whole));
      const changed = { ...whole, rules: [...rules.slice(0, kept), added] };
      const repaired = wanted.kind === 'ClusterRole' ? planDefault(wanted, changed, birth) : whole;
      const now = readRules(toJsonObject(repaired ?? changed));
      if (findMissing(now, rules).length > 0) return false;
      if (
        wanted.kind === 'ClusterRole' &&
        findMissing(now, readRules({ rules: [added] })).length > 0
      )
        return false;
      return repaired === undefined || planDefault(wanted, repaired, birth) === undefined;
    }),
  );
  t.pass();
});

test('[k8s 118] a default that says autoupdate false is left as it is', (t) => {
  for (const [index, wanted] of defaults.entries()) {
    const { metadata, ...rest } = born(index);
    const annotations = { 'rbac.authorization.kubernetes.io/autoupdate': 'false' };
    const own = { ...rest, rules: null, metadata: { ...metadata, labels: {}, annotations } };
    t.is(planDefault(wanted, own, birth), undefined, wanted.name);
  }
});

test('[k8s 118] gathering settles, and admin holds edit, which holds view', (t) => {
  let roles = defaults.flatMap((wanted, index) =>
    wanted.kind === 'ClusterRole' ? [born(index)] : [],
  );
  for (let round = 0; round < 5; round += 1) {
    roles = roles.map((role) => planAggregation(role, roles) ?? role);
  }
  t.deepEqual(
    roles.flatMap((role) => {
      const gathers = 'aggregationRule' in role;
      return gathers ? [planAggregation(role, roles)] : [];
    }),
    [undefined, undefined, undefined],
  );
  const rulesOf = (name: string) =>
    readRules(toJsonObject(roles.find(({ metadata }) => metadata.name === name) ?? born(0)));
  t.deepEqual(findMissing(rulesOf('edit'), rulesOf('view')), []);
  t.deepEqual(findMissing(rulesOf('admin'), rulesOf('edit')), []);
  t.true(findMissing(rulesOf('view'), rulesOf('edit')).length > 0);
});
