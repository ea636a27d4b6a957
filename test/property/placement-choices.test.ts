// Laws of what is laid out once for many clusters: it answers as each selector and choice alone, and
// a plan of it is the plan that asks every choice for every cluster.

import test from 'ava';
import fc from 'fast-check';
import { toClusterName } from '../../common/model/ids.ts';
import type {
  Cluster,
  ClusterChoice,
  ServicePolicy,
  ShardOverride,
} from '../../common/model/isthmus-kinds.ts';
import type { Service } from '../../common/model/kube-object.ts';
import { matchesSelector, type Requirement } from '../../common/pure/label-selector.ts';
import { indexSelectors, placesOf } from '../../common/pure/label-selector-index.ts';
import { Pace, runAtOnce } from '../../common/pure/steps.ts';
import { indexChoices } from '../../coordinator/placement/choice-index.ts';
import { isChosen } from '../../coordinator/placement/plan-choice.ts';
import { isWanted, planPlacement } from '../../coordinator/placement/plan.ts';
import { applyInSteps, overridesFor } from '../../coordinator/placement/plan-overrides.ts';
import { toManifest } from '../../coordinator/placement/plan-manifest.ts';

// Also a key and a value that JavaScript objects inherit.
const anyKey = fc.constantFrom('tier', 'region', 'constructor', '__proto__');
const anyValue = fc.constantFrom('a', 'b', '', '7', '-3', '12', 'toString');
const anyValues = fc.uniqueArray(anyValue, { maxLength: 3 });

const anyLabels = fc
  .array(fc.tuple(anyKey, anyValue), { maxLength: 4 })
  .map((entries): Readonly<Record<string, string>> => Object.fromEntries(entries));

const anyRequirement: fc.Arbitrary<Requirement> = fc.oneof(
  fc.record({
    key: anyKey,
    operator: fc.constantFrom('In' as const, 'NotIn' as const),
    values: anyValues,
  }),
  fc.record({
    key: anyKey,
    operator: fc.constantFrom('Exists' as const, 'DoesNotExist' as const),
    values: fc.constant([]),
  }),
  fc.record({
    key: anyKey,
    operator: fc.constantFrom('Gt' as const, 'Lt' as const),
    values: fc.constantFrom(['7'], ['-3'], ['12']),
  }),
);

const names = ['c1', 'c2', 'c3', 'c4'];
const anyCluster: fc.Arbitrary<Cluster> = fc
  .record({ name: fc.constantFrom(...names), labels: anyLabels })
  .map((metadata) => ({ apiVersion: 'isthmus.dev/v1alpha1', kind: 'Cluster', metadata }));

const anyChoice: fc.Arbitrary<ClusterChoice> = fc.record(
  {
    clusters: fc.subarray([...names, 'unknown']),
    clusterSelector: fc.record({
      matchLabels: anyLabels,
      matchExpressions: fc.array(
        anyRequirement
          .filter(({ operator }) => operator !== 'Gt' && operator !== 'Lt')
          .map(({ key, operator, values }) => ({
            key,
            operator: operator as 'In' | 'NotIn' | 'Exists' | 'DoesNotExist', // by the filter
            values,
          })),
        { maxLength: 3 },
      ),
    }),
  },
  { requiredKeys: [] },
);

test('X1 selectors that are laid out answer as each alone, whatever labels there are', (t) => {
  const anySelectors = fc.array(fc.array(anyRequirement, { maxLength: 4 }), { maxLength: 70 });
  fc.assert(
    fc.property(anySelectors, fc.array(anyLabels, { maxLength: 8 }), (selectors, all) => {
      const index = indexSelectors(selectors);
      for (const labels of all) {
        const expected = [...selectors.keys()].filter((at) =>
          matchesSelector(labels, selectors[at] ?? []),
        );
        if (expected.join() !== placesOf(index.match(labels)).join()) return false;
      }
      return true;
    }),
  );
  t.pass();
});

test('C3 C4 choices that are laid out choose as each alone, with one list for the same', (t) => {
  fc.assert(
    fc.property(
      fc.array(anyChoice, { maxLength: 70 }),
      fc.array(anyCluster, { maxLength: 8 }),
      (choices, clusters) => {
        const index = indexChoices(choices);
        const lists = new Map<string, readonly number[]>();
        return clusters.every((cluster) => {
          const places = index.places(cluster);
          const expected = [...choices.keys()].filter((at) => isChosen(cluster, choices[at]));
          const known = lists.get(expected.join()) ?? places;
          lists.set(expected.join(), places);
          return places.join() === expected.join() && known === places;
        });
      },
    ),
  );
  t.pass();
});

const service: Service = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'web', namespace: 'default', annotations: { own: 'x' } },
  spec: { type: 'LoadBalancer', ports: [{ port: 80 }, { port: 53, protocol: 'UDP' }] },
};

const anyOverride: fc.Arbitrary<ShardOverride> = fc
  .tuple(
    anyChoice,
    fc.record(
      {
        annotations: fc.dictionary(fc.constantFrom('own', 'more', '__proto__'), anyValue),
        loadBalancerClass: fc.constantFrom('x', 'y'),
        nodePorts: fc.constantFrom(
          [{ port: 80, nodePort: 30_080 }],
          [{ port: 53, protocol: 'UDP' as const, nodePort: 30_053 }],
          [{ port: 81, nodePort: 30_081 }], // it has none
        ),
        patch: fc.constantFrom(
          [{ op: 'add' as const, path: '/metadata/annotations/patched', value: 'x' }],
          [{ op: 'add' as const, path: '/metadata/labels', value: { tier: 'web' } }],
          [{ op: 'remove' as const, path: '/metadata/annotations/more' }], // perhaps not there
          [{ op: 'add' as const, path: '/metadata/annotations/isthmus.dev~1x', value: 'x' }],
          [{ op: 'replace' as const, path: '/spec/ports/0/port', value: 8080 }],
        ),
      },
      { requiredKeys: [] },
    ),
  )
  .map(([choice, said]) => ({ ...choice, ...said }));

test('P6 a plan is the one that asks every choice for every cluster alone', (t) => {
  const anySpec = fc.record({
    overrides: fc.array(anyOverride, { maxLength: 6 }),
    weights: fc.array(
      fc.tuple(anyChoice, fc.integer({ min: 0, max: 100 })).map(([choice, weight]) => ({
        ...choice,
        weight,
      })),
      { maxLength: 4 },
    ),
    placement: anyChoice,
    dns: fc.record({ failover: fc.record({ primary: anyChoice }) }),
  });
  const anyClusters = fc.uniqueArray(anyCluster, { selector: ({ metadata }) => metadata.name });
  fc.assert(
    fc.property(anySpec, anyClusters, (said, clusters) => {
      const spec = { serviceName: 'web', ...said };
      const metadata = { name: 'p', namespace: 'default' };
      const policy: ServicePolicy = {
        apiVersion: 'isthmus.dev/v1alpha1',
        kind: 'ServicePolicy',
        metadata,
        spec,
      };
      const plan = planPlacement({ service, policies: [policy], clusters });
      const { overrides, weights } = said;
      const base = toManifest(service, policy);
      for (const cluster of clusters) {
        const name = toClusterName(cluster.metadata.name);
        const isPlaced = plan.kind === 'placed' && plan.clusters.includes(name);
        t.is(isPlaced, isWanted(cluster, { policy, requirements: [], isThere: false }));
        t.is(plan.backups.has(name), !isChosen(cluster, said.dns.failover.primary));
        const weight = weights.find((one) => isChosen(cluster, one))?.weight ?? 100;
        t.is(plan.weights.get(name) ?? 100, weight);
        const places = overridesFor(cluster, overrides);
        // Each for itself, in one draft after the other.
        let manifest = base;
        let failure: unknown;
        for (const place of places) {
          const by = { overrides, places: [place], pace: new Pace(Infinity) };
          const next = runAtOnce(applyInSteps(manifest, by));
          if (next.kind === 'failed') failure = next.failure;
          if (next.kind === 'failed') break;
          manifest = next.manifest;
        }
        t.deepEqual(plan.failures.get(name), failure as never);
        const isChanged = places.length > 0 && failure === undefined;
        t.deepEqual(plan.variants.get(name), isChanged ? manifest : undefined);
      }
    }),
  );
});
