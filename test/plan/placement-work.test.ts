// Placement's work is that of what changed: a label is read once and not once for each override, no
// turn is long, and a Cluster's change looks at the Services to which it says something.

import test from 'ava';
import { toRevision, type ServiceKey } from '../../common/model/ids.ts';
import type { Cluster, ServicePolicy } from '../../common/model/isthmus-kinds.ts';
import type { KubeObject } from '../../common/model/kube-object.ts';
import { runAtOnce } from '../../common/pure/steps.ts';
import { judgeInSteps } from '../../coordinator/admission/admission-overrides.ts';
import { PendingRevisions } from '../../coordinator/placement/pending.ts';
import { PolicyIndex } from '../../coordinator/placement/policy-index.ts';
import { planInSteps, planPlacement } from '../../coordinator/placement/plan.ts';
import type { ClusterChange } from '../../coordinator/placement/plan-concerns.ts';
import { prepare } from '../../coordinator/placement/prepare.ts';
import { ClusterList } from '../../coordinator/placement/cluster-list.ts';
import { Sweep } from '../../coordinator/placement/sweep.ts';
import {
  cluster,
  clusterAt,
  createPlacementWorld,
  nginx,
  policyAt,
  service,
  serviceAt,
  serviceKey,
} from './placement-world.ts';

const clustersCount = 1000;
const overridesCount = 100;

function policyWith(spec: NonNullable<ServicePolicy['spec']>): ServicePolicy {
  return {
    apiVersion: 'isthmus.dev/v1alpha1',
    kind: 'ServicePolicy',
    metadata: { name: 'nginx', namespace: 'web' },
    spec: { serviceName: 'nginx', ...spec },
  };
}

function named(at: number, labels: Readonly<Record<string, string>>): Cluster {
  return cluster(`c-${String(at).padStart(4, '0')}`, labels) as Cluster; // by its fixture
}

/** Each holds for all clusters but one group; each patches what the one before left. */
const patched = policyWith({
  overrides: Array.from({ length: overridesCount }, (_, at) => ({
    clusterSelector: {
      matchExpressions: [{ key: 'group', operator: 'NotIn' as const, values: [`g${at}`] }],
    },
    patch: [
      { op: 'test' as const, path: '/spec/type', value: 'LoadBalancer' },
      { op: 'add' as const, path: `/spec/x${at}`, value: at },
    ],
  })),
});
const grouped = Array.from({ length: clustersCount }, (_, at) =>
  named(at, { group: `g${at % overridesCount}` }),
);

test('a label of a cluster is read once, however many overrides ask for it', (t) => {
  let reads = 0;
  const counted = grouped.map((one) => ({
    ...one,
    metadata: {
      ...one.metadata,
      labels: new Proxy(one.metadata.labels ?? {}, {
        get: (labels, key) => {
          reads += 1;
          return labels[String(key)];
        },
      }),
    },
  }));
  const overrides = (patched.spec?.overrides ?? []).map(({ clusterSelector }, at) => ({
    ...(clusterSelector === undefined ? {} : { clusterSelector }),
    annotations: { [`a${at}`]: 'x' },
  }));
  const input = { service: service('nginx'), policies: [policyWith({ overrides })] };
  t.is(planPlacement({ ...input, clusters: counted }).variants.size, clustersCount);
  t.is(reads, clustersCount);
});

test('I11 a hundred overrides of a thousand clusters are planned and judged in short steps', (t) => {
  const input = { service: service('nginx'), policies: [patched], clusters: grouped };
  const count = (steps: Generator<undefined, unknown>): number => {
    let turns = 1;
    while (steps.next().done !== true) turns += 1;
    return turns;
  };
  // 100 shards of 99 overrides of 3 operations each, 250 of them a turn.
  t.true(count(planInSteps(input)) > 100);
  t.true(count(judgeInSteps(patched, service('nginx'), grouped)) > 100);
  t.is(planPlacement(input).variants.size, clustersCount);
  t.deepEqual(runAtOnce(judgeInSteps(patched, service('nginx'), grouped)), []);
});

test('a plan without much to do is made at once', (t) => {
  const few = policyWith({ overrides: [{ annotations: { a: 'x' } }] });
  const input = { service: service('nginx'), policies: [few], clusters: grouped };
  t.true(planInSteps(input).next().done);
});

test('T1 what changes while a plan is made in turns is seen by the plan that counts', async (t) => {
  const world = await createPlacementWorld([]);
  await world.put(clusterAt('c-0000'), grouped[0]);
  await world.put(serviceAt('nginx'), service('nginx'));
  await world.put(policyAt('nginx'), patched);
  const desired = world.desired();
  const sources = {
    desired,
    clusters: new ClusterList(desired),
    policies: new PolicyIndex(),
    clock: world.clock,
  };
  sources.policies.load(desired);
  const read = () => desired.get(serviceAt('nginx'))?.object as KubeObject;
  const then = () => Promise.resolve('done' as const);
  const first = prepare(sources, nginx, read() as never, then);
  sources.clusters.change();
  await world.settle();
  t.is(await first, 'changed');
  const second = prepare(sources, nginx, read() as never, then);
  await world.settle();
  t.is(await second, 'done');
  t.is(world.placement().clustersOf(nginx).length, 1);
});

test('a label that changes looks at the Services to which it says something', async (t) => {
  const world = await createPlacementWorld([]);
  const policies = new PolicyIndex();
  const marked: ServiceKey[] = [];
  const options = {
    desired: world.desired(),
    clock: world.clock,
    policies,
    pending: new PendingRevisions(),
  };
  const sweep = new Sweep(options, (key) => void marked.push(key));
  for (const name of ['plain', 'nginx', 'chosen', 'annotated']) {
    const annotations = {
      'federation.alpha.kubernetes.io/cluster-selector':
        '[{"key":"tier","operator":"==","values":["prod"]}]',
    };
    const metadata = name === 'annotated' ? { annotations } : {};
    await world.put(serviceAt(name), service(name, undefined, metadata));
    sweep.services.add(serviceKey(name));
  }
  const selecting = (key: string) => ({ clusterSelector: { matchLabels: { [key]: 'prod' } } });
  await world.put(policyAt('chosen'), {
    ...policyWith({ serviceName: 'chosen', placement: selecting('tier') }),
    metadata: { name: 'chosen', namespace: 'web' },
  });
  await world.put(
    policyAt('nginx'),
    policyWith({ weights: [{ ...selecting('canary'), weight: 10 }] }),
  );
  policies.load(world.desired());
  const ask = async (change: ClusterChange | undefined): Promise<readonly string[]> => {
    marked.length = 0;
    sweep.request(toRevision(1), change);
    await world.settle();
    return [...marked].sort();
  };
  const before = named(0, {});
  t.deepEqual(await ask({ before, after: named(0, { team: 'x' }) }), []);
  t.deepEqual(await ask({ before, after: named(0, { canary: 'prod' }) }), ['web/nginx']);
  const after = named(0, { tier: 'prod' });
  t.deepEqual(await ask({ before, after }), ['web/annotated', 'web/chosen']);
  // A cordon is for whoever may have a shard there; and of a Cluster that comes nothing is known.
  const cordoned = { ...before, spec: { unschedulable: true } };
  t.deepEqual(await ask({ before, after: cordoned }), ['web/nginx', 'web/plain']);
  t.is((await ask(undefined)).length, 4);
});
