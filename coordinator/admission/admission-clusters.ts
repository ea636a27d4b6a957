// What a change, or the removal, of a Cluster would do to Services and names, for the warnings of a
// dry run; and what the removal of one whose agent is away leads to.
//
// Input: the Cluster before and after, every Service with its policies. Output: short sentences.
// The walk over the Services is bounded, and rests between its turns (I11).

import { toClusterName, toServiceKey, type ServiceKey } from '../../common/model/ids.ts';
import type { Cluster, ServicePolicy } from '../../common/model/isthmus-kinds.ts';
import type { Service } from '../../common/model/kube-object.ts';
import { topologyOf } from '../../common/pure/cluster-topology.ts';
import { isSameJson } from '../../common/pure/canonical-json.ts';
import { listed } from './admission-preview.ts';
import { governingPolicy, isWanted, readAnnotation } from '../placement/plan.ts';
import { overridesFor } from '../placement/plan-overrides.ts';
import { unjoinWaitDefaultSeconds } from '../placement/plan-unjoin.ts';

export interface ClusterChange {
  readonly before: Cluster | undefined;
  /** undefined: it is removed. */
  readonly after: Cluster | undefined;
  readonly others: readonly Cluster[];
  readonly services: Iterable<Service>;
  readonly policiesOf: (namespace: string) => readonly ServicePolicy[];
  /** Clusters that may hold a shard of it now. */
  readonly placed: (key: ServiceKey) => readonly string[];
  /** A turn for everybody else. */
  readonly rest: () => Promise<void>;
  readonly domain: string;
}

/** More Services are not looked at; the text says so. */
const servicesMax = 5_000;
const servicesPerTurn = 250;
const namedMax = 3;

export async function previewCluster(change: ClusterChange): Promise<readonly string[]> {
  const { before, after } = change;
  const name = toClusterName((after ?? before)?.metadata.name ?? '');
  const [came, went, last, changed]: string[][] = [[], [], [], []];
  let seen = 0;
  for (const service of change.services) {
    if (seen === servicesMax) break;
    seen += 1;
    if (seen % servicesPerTurn === 0) await change.rest();
    const { namespace = '', name: serviceName } = service.metadata;
    const key = toServiceKey({ namespace, name: serviceName });
    const placed = change.placed(key);
    const isThere = placed.includes(name);
    const fate = fateOf(change, service, isThere);
    if (fate === 'comes') came?.push(key);
    if (fate === 'leaves') (placed.length === 1 ? last : went)?.push(key);
    if (fate === 'changes') changed?.push(key);
  }
  const say = (keys: readonly string[] | undefined, text: string): readonly string[] =>
    keys === undefined || keys.length === 0
      ? []
      : [`dry run: ${text} ${name}: ${listed(keys, namedMax, 'Services')}`];
  const said = [
    ...say(came, 'shards would come to'),
    ...say(went, 'shards would leave'),
    ...say(last, 'Services would be nowhere, whose last shard would leave'),
    ...say(changed, 'shards would change in'),
    ...previewLevels(change),
  ];
  const more =
    seen === servicesMax ? [`dry run: only the first ${servicesMax} Services were looked at`] : [];
  return [...said, ...more];
}

type Fate = 'comes' | 'leaves' | 'changes' | 'stays';

function fateOf(
  { before, after, policiesOf }: ClusterChange,
  service: Service,
  isThere: boolean,
): Fate {
  if (service.metadata.deletionTimestamp !== undefined) return 'stays';
  const requirements = readAnnotation(service);
  const { policy } = governingPolicy(service, policiesOf(service.metadata.namespace ?? ''));
  const isRemoved = after === undefined || after.metadata.deletionTimestamp !== undefined;
  const isNext =
    !isRemoved &&
    (typeof requirements === 'string'
      ? isThere
      : isWanted(after, { policy, requirements, isThere }));
  if (isNext !== isThere) return isNext ? 'comes' : 'leaves';
  const overrides = policy?.spec?.overrides ?? [];
  if (!isNext || before === undefined || overrides.length === 0) return 'stays';
  return isSameJson(overridesFor(before, overrides), overridesFor(after, overrides))
    ? 'stays'
    : 'changes';
}

/** Zones and regions that get names, or in which no cluster would be left. */
function previewLevels({ before, after, others, domain }: ClusterChange): readonly string[] {
  const elsewhere = new Set(others.flatMap((cluster) => levelsIn(cluster, domain)));
  const [had, has] = [before, after].map((cluster) =>
    (cluster === undefined ? [] : levelsIn(cluster, domain)).filter(
      (level) => !elsewhere.has(level),
    ),
  );
  const gone = (had ?? []).filter((level) => has?.includes(level) !== true);
  const fresh = (has ?? []).filter((level) => had?.includes(level) !== true);
  return [
    ...(fresh.length === 0
      ? []
      : [`dry run: names would come under ${listed(fresh, namedMax, 'levels')}`]),
    ...(gone.length === 0
      ? []
      : [`dry run: names would go under ${listed(gone, namedMax, 'levels')}`]),
  ];
}

function levelsIn(cluster: Cluster, domain: string): readonly string[] {
  if (cluster.metadata.deletionTimestamp !== undefined) return [];
  const { zones, region } = topologyOf(cluster);
  if (region === undefined) return [];
  return [`${region}.${domain}`, ...zones.map((zone) => `${zone}.${region}.${domain}`)];
}

/** Of a real delete, whose agent is away. */
export function warnOfAbsence({ metadata, spec, status }: Cluster): string | undefined {
  if (status?.joinedAt === undefined) return undefined;
  const seconds = spec?.unjoinWaitSeconds ?? unjoinWaitDefaultSeconds;
  return seconds === 0
    ? `the agent of ${metadata.name} is away, and spec.unjoinWaitSeconds is 0: its shards stay there, managed by nobody`
    : `the agent of ${metadata.name} is away: the Cluster waits ${seconds} s for it, then its shards stay there, managed by nobody`;
}
