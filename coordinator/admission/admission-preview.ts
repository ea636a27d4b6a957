// What a change of a Service or of a policy would do to clusters and names, for the warnings of a
// dry run. Pure. Input: the state before and after. Output: short sentences; none is longer than
// a Warning header takes. Where nothing would change nothing is said, as Kubernetes says nothing.

import { toClusterName, toServiceKey, type ClusterName } from '../../common/model/ids.ts';
import type { Cluster, ServicePolicy } from '../../common/model/isthmus-kinds.ts';
import type { Service } from '../../common/model/kube-object.ts';
import { isSameJson } from '../../common/pure/canonical-json.ts';
import { topologyOf } from '../../common/pure/cluster-topology.ts';
import type { Steps } from '../../common/pure/steps.ts';
import type { NameScope } from '../../common/pure/level-names.ts';
import { levelsOf } from '../dns/publish/levels.ts';
import { planInSteps, type PlacementPlan } from '../placement/plan.ts';

export interface PreviewInput {
  /** undefined: there is none, or none any more. */
  readonly before: Wanted | undefined;
  readonly after: Wanted | undefined;
  /** Every Cluster. */
  readonly clusters: readonly Cluster[];
  /** Clusters that may hold a shard now. */
  readonly recorded: ReadonlySet<ClusterName>;
  readonly scope: NameScope;
}

export interface Wanted {
  readonly service: Service;
  /** Of its namespace. */
  readonly policies: readonly ServicePolicy[];
}

/** Of each list so many are named. */
const namedMax = 5;
const namesMax = 2;

export function* previewService(input: PreviewInput): Steps<readonly string[]> {
  const now = yield* planOf(input, input.before);
  const then = yield* planOf(input, input.after);
  if (then?.kind === 'refused') {
    return [`dry run: the placement would stay as it is: ${then.message}`];
  }
  const had = new Set(input.recorded);
  const has = new Set(then?.clusters ?? []);
  const came = [...has].filter((name) => !had.has(name));
  const went = [...had].filter((name) => !has.has(name)).sort();
  const changed = [...has].filter(
    (name) => had.has(name) && !isSameJson(contentOf(now, name), contentOf(then, name)),
  );
  const failed = [...has].filter((name) => then?.failures.has(name) === true);
  return [
    ...say(came, (names) => `shards would come to ${names}`),
    ...say(went, (names) => `shards would leave ${names}`),
    ...say(changed, (names) => `shards would change in ${names}`),
    ...say(failed, (names) => `overrides do not fit, shards would stay as they are in ${names}`),
    ...previewNames(input, went, came),
  ];
}

function* planOf(
  { clusters, recorded }: PreviewInput,
  wanted: Wanted | undefined,
): Steps<PlacementPlan | undefined> {
  if (wanted === undefined) return undefined;
  return yield* planInSteps({ ...wanted, clusters, recorded });
}

function contentOf(plan: PlacementPlan | undefined, cluster: ClusterName): unknown {
  return plan?.variants.get(cluster) ?? plan?.manifest;
}

function previewNames(
  input: PreviewInput,
  went: readonly ClusterName[],
  came: readonly ClusterName[],
): readonly string[] {
  const { before, after, recorded } = input;
  const stay = [...recorded].filter((name) => !went.includes(name));
  const now = before === undefined ? [] : namesOf(input, before.service, [...recorded]);
  const then = after === undefined ? [] : namesOf(input, after.service, [...stay, ...came]);
  const [hasNow, hasThen] = [new Set(now), new Set(then)];
  const gone = now.filter((name) => !hasThen.has(name));
  const fresh = then.filter((name) => !hasNow.has(name));
  return [
    ...listNames(fresh, (names) => `names would come, once a shard is healthy: ${names}`),
    ...listNames(gone, (names) => `names would go: ${names}`),
  ];
}

/** From the widest to the narrowest. */
function namesOf(
  { clusters, scope }: PreviewInput,
  service: Service,
  placed: readonly ClusterName[],
): readonly string[] {
  const { type = 'ClusterIP', clusterIP, externalIPs = [] } = service.spec;
  const isNamed = type === 'LoadBalancer' || (type !== 'ExternalName' && externalIPs.length > 0);
  if (!isNamed || clusterIP === 'None' || placed.length === 0) return [];
  const { name, namespace = '' } = service.metadata;
  const shards = clusters
    .filter(({ metadata }) => placed.includes(toClusterName(metadata.name)))
    .map((cluster) => ({ topology: topologyOf(cluster) }));
  const { global, below } = levelsOf(toServiceKey({ namespace, name }), scope, shards);
  const regions = below.filter(({ level }) => level === 'region');
  const zones = below.filter(({ level }) => level === 'zone');
  return [...(global === undefined ? [] : [global]), ...regions, ...zones].map((at) => at.name);
}

function say(
  clusters: readonly ClusterName[],
  toText: (names: string) => string,
): readonly string[] {
  return clusters.length === 0
    ? []
    : [`dry run: ${toText(listed(clusters, namedMax, 'clusters'))}`];
}

function listNames(names: readonly string[], toText: (names: string) => string): readonly string[] {
  return names.length === 0 ? [] : [`dry run: ${toText(listed(names, namesMax, 'names'))}`];
}

/** `a, b and 3 more clusters`. */
export function listed(all: readonly string[], max: number, what: string): string {
  const more = all.length - max;
  const shown = all.slice(0, max).join(', ');
  return more > 0 ? `${shown} and ${more} more ${what}` : shown;
}
