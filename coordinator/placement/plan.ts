// Decides which clusters get a shard of one Service, and what the shard says. Pure.
//
// Input:  the Service, the ServicePolicies of its namespace, every Cluster.
// Output: sorted clusters and the manifest, or a refusal that leaves the placement as it was.
//
//   P1. A Service without a policy goes to every cluster.
//   P2. A selector that cannot be read refuses; it never means "nowhere" (I3).
//   P3. The manifest holds what the user wrote and nothing that a cluster allocates.

import type { Cluster, ServicePolicy } from '../../common/model/isthmus-kinds.ts';
import { toClusterName, type ClusterName } from '../../common/model/ids.ts';
import type { Service, ServicePort, ServiceSpec } from '../../common/model/kube-object.ts';
import type { ShardManifest } from '../../common/model/shard.ts';
import { matchesSelector, parseV1Selector, type Requirement } from './cluster-selector.ts';

export interface PlacementInput {
  readonly service: Service;
  readonly policies: readonly ServicePolicy[];
  readonly clusters: readonly Cluster[];
}

export type PlacementPlan =
  | {
      readonly kind: 'placed';
      /** Sorted. */
      readonly clusters: readonly ClusterName[];
      readonly manifest: ShardManifest;
    }
  /** The clusters stay as they are; edits of the Service still reach them. */
  | {
      readonly kind: 'refused';
      readonly reason: string;
      readonly message: string;
      readonly manifest: ShardManifest;
    };

/** Federation v1's placement annotation. */
export const v1SelectorAnnotation = 'federation.alpha.kubernetes.io/cluster-selector';

export function planPlacement(input: PlacementInput): PlacementPlan {
  const selection = selectClusters(input);
  const manifest = toManifest(input.service);
  if ('reason' in selection) return { kind: 'refused', ...selection, manifest };
  return { kind: 'placed', clusters: selection.clusters, manifest };
}

type Selection =
  | { readonly clusters: readonly ClusterName[] }
  | { readonly reason: string; readonly message: string };

function selectClusters({ service, policies, clusters }: PlacementInput): Selection {
  const annotation = service.metadata.annotations?.[v1SelectorAnnotation];
  const requirements = annotation === undefined ? [] : parseV1Selector(annotation);
  if (typeof requirements === 'string') {
    return {
      reason: 'InvalidClusterSelector',
      message: `annotation ${v1SelectorAnnotation}: ${requirements}`,
    };
  }
  const policy = policyFor(service, policies);
  if (policy !== undefined && 'reason' in policy) return policy;
  const chosen = clusters.filter(
    (cluster) => matches(cluster, requirements) && isInPolicy(cluster, policy?.policy),
  );
  return { clusters: chosen.map(({ metadata }) => toClusterName(metadata.name)).sort() };
}

/** The one policy that names this Service; two are a contradiction that a person must settle. */
function policyFor(
  service: Service,
  policies: readonly ServicePolicy[],
):
  | { readonly policy: ServicePolicy }
  | { readonly reason: string; readonly message: string }
  | undefined {
  const named = policies.filter(({ spec }) => spec?.serviceName === service.metadata.name);
  const [policy, ...others] = named;
  if (policy === undefined) return undefined;
  if (others.length === 0) return { policy };
  const names = named.map(({ metadata }) => metadata.name).sort();
  return {
    reason: 'ConflictingPolicies',
    message: `the ServicePolicies ${names.join(', ')} all name this Service; keep one`,
  };
}

function isInPolicy(cluster: Cluster, policy: ServicePolicy | undefined): boolean {
  const placement = policy?.spec?.placement;
  if (placement?.clusters !== undefined && !placement.clusters.includes(cluster.metadata.name))
    return false;
  const selector = placement?.clusterSelector;
  if (selector === undefined) return true;
  const labels = Object.entries(selector.matchLabels ?? {}).map(
    ([key, value]): Requirement => ({ key, operator: 'In', values: [value] }),
  );
  const expressions = (selector.matchExpressions ?? []).map(
    ({ key, operator, values }): Requirement => ({ key, operator, values: values ?? [] }),
  );
  return matches(cluster, [...labels, ...expressions]);
}

function matches(cluster: Cluster, requirements: readonly Requirement[]): boolean {
  return matchesSelector(cluster.metadata.labels ?? {}, requirements);
}

// What a cluster allocates or decides for itself, and what it would refuse from elsewhere.
const neverSent = new Set([
  'clusterIP',
  'clusterIPs',
  'ipFamilies',
  'ipFamilyPolicy',
  'healthCheckNodePort',
  'type',
  'ports',
  'selector',
]);

const keptHere = /^(isthmus\.dev\/|kubectl\.kubernetes\.io\/last-applied-configuration$)/;

function toManifest(service: Service): ShardManifest {
  const { spec, metadata } = service;
  const annotations = Object.fromEntries(
    Object.entries(metadata.annotations ?? {}).filter(
      ([key]) => !keptHere.test(key) && key !== v1SelectorAnnotation,
    ),
  );
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: {
      name: metadata.name,
      namespace: metadata.namespace ?? 'default',
      ...(isEmpty(metadata.labels) ? {} : { labels: metadata.labels ?? {} }),
      ...(isEmpty(annotations) ? {} : { annotations }),
    },
    spec: toShardSpec(spec),
  };
}

function toShardSpec(spec: ServiceSpec): ShardManifest['spec'] {
  const passed = Object.fromEntries(
    Object.entries(spec).filter(([field]) => !neverSent.has(field)),
  );
  return {
    ...passed,
    ...(spec.clusterIP === 'None' ? { clusterIP: 'None' } : {}),
    type: spec.type ?? 'ClusterIP',
    ...(spec.ports === undefined ? {} : { ports: spec.ports.map(withoutNodePort) }),
    ...(spec.selector === undefined ? {} : { selector: spec.selector }),
  };
}

function withoutNodePort({ nodePort: _allocated, ...port }: ServicePort): ServicePort {
  return port;
}

function isEmpty(map: object | undefined): boolean {
  return map === undefined || Object.keys(map).length === 0;
}
