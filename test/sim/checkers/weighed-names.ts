// Where each name of a Service has to lead by the weights and the fail-over of its policy, and in
// which proportion. Input: the shards as a publication has them, the names as they stand there or
// at a provider, what the policies say. Output: the first name that is not so. Pure.

import { toGlobalName, toRegionName, toZoneName } from '../../../common/pure/level-names.ts';
import type { Publication, PublishedShard, RecordSet } from '../../../common/model/publication.ts';
import { federation } from '../sim-coordinator.ts';
import { bestOf, isWeighed, plainTraffic, type TrafficTable } from '../traffic.ts';

/** Of a publication or of a provider. */
export type NameSet = Pick<RecordSet, 'name' | 'values' | 'member' | 'weights'> & {
  readonly type: string;
};

export type Names = ReadonlyMap<string, readonly NameSet[]>;

export function groupByName(sets: readonly NameSet[]): Names {
  const names = new Map<string, readonly NameSet[]>();
  for (const set of sets) names.set(set.name, [...(names.get(set.name) ?? []), set]);
  return names;
}

export function doubtNames(
  publication: Publication,
  names: Names,
  traffic: TrafficTable,
): string | undefined {
  if (publication.recordSets.length === 0) return undefined;
  const answering = answeringShards(publication.shards, traffic);
  for (const { name, shards } of levelsOf(publication, answering)) {
    const wanted = addressesOf(shards);
    const is = endsOf(names, name);
    if (is.join() !== wanted.join()) {
      return `${name} leads to ${is.join()}, not ${wanted.join()}: ${describe(shards, traffic)}`;
    }
    const shares = doubtShares(names.get(name) ?? [], shards, traffic);
    if (shares !== undefined) return `${name} ${shares}: ${describe(shards, traffic)}`;
  }
  return undefined;
}

function answeringShards(
  shards: readonly PublishedShard[],
  traffic: TrafficTable,
): readonly PublishedShard[] {
  const there = shards.filter((shard) => shard.isDrained !== true && shard.addresses.length > 0);
  const healthy = there.filter(({ state }) => state === 'healthy');
  if (healthy.length > 0) return bestOf(healthy, traffic);
  const alive = there.filter(({ state }) => state !== 'dead');
  return alive.length > 0 ? alive : there;
}

interface Level {
  readonly name: string;
  readonly shards: readonly PublishedShard[];
}

/** Each level that has a shard, healthy or not: without one that answers it leads up. */
function levelsOf(
  { key, zone: domain, shards }: Publication,
  answering: readonly PublishedShard[],
): readonly Level[] {
  const scope = { federation, domain };
  const isAnyHealthy = answering.some(({ state }) => state === 'healthy');
  const levels = [{ name: toGlobalName(key, scope), shards: answering }];
  for (const { region, zones } of shards) {
    if (region === undefined) continue;
    const inRegion = answering.filter((one) => isAnyHealthy && one.region === region);
    const atRegion = inRegion.length > 0 ? inRegion : answering;
    levels.push({ name: toRegionName(key, region, scope), shards: atRegion });
    for (const zone of zones) {
      const inZone = inRegion.filter((one) => one.zones.includes(zone));
      const atZone = inZone.length > 0 ? inZone : atRegion;
      levels.push({ name: toZoneName(key, { zone, region }, scope), shards: atZone });
    }
  }
  return levels;
}

function addressesOf(shards: readonly PublishedShard[]): readonly string[] {
  return [...new Set(shards.flatMap(({ addresses }) => addresses))].sort();
}

const stepsMax = 4;

/** Addresses that a client may be given; none: the name is not there, or dangles. */
export function endsOf(names: Names, start: string): readonly string[] {
  let sets = names.get(start) ?? [];
  for (let steps = 0; sets[0]?.type === 'CNAME' && steps < stepsMax; steps += 1) {
    sets = names.get(sets[0].values[0] ?? '') ?? [];
  }
  const answered = sets.filter(({ member }) => member?.weight !== 0);
  return [...new Set(answered.flatMap(({ values }) => values))].sort();
}

/** Addresses that stand at a name itself. */
function doubtShares(
  sets: readonly NameSet[],
  shards: readonly PublishedShard[],
  traffic: TrafficTable,
): string | undefined {
  const direct = sets.filter(({ type }) => type === 'A');
  if (direct.length === 0) return undefined;
  const shares = shards.map((shard) => shareOf(direct, shard));
  const isProportional = shares.every((share) => share !== undefined);
  if (!isWeighed(shards, traffic)) {
    const isAlike = shares.every((share) => share === shares[0]);
    return isAlike ? undefined : `prefers somebody (${shares.join()})`;
  }
  if (!isProportional) return 'does not weigh';
  const wanted = shards.map(({ cluster }) => (traffic.get(cluster) ?? plainTraffic).weight);
  const [first, base] = [shares[0] ?? 0, wanted[0] ?? 1];
  const isRight = shares.every(
    (share, index) => Math.abs((share ?? 0) / first - (wanted[index] ?? 0) / base) < 1e-6,
  );
  return isRight ? undefined : `weighs ${shares.join()}, not ${wanted.join()}`;
}

/** undefined: this shard has none of its own. */
function shareOf(
  sets: readonly NameSet[],
  { cluster, addresses }: PublishedShard,
): number | undefined {
  const member = sets.find((set) => set.member?.id === `fed/${cluster}`)?.member;
  if (member !== undefined) return member.weight;
  const [only] = sets;
  const { weights } = only ?? {};
  if (only === undefined || weights === undefined) return undefined;
  return only.values.reduce(
    (sum, value, index) => sum + (addresses.includes(value) ? (weights[index] ?? 0) : 0),
    0,
  );
}

function describe(shards: readonly PublishedShard[], traffic: TrafficTable): string {
  const said = [...traffic].map(
    ([cluster, { weight, isBackup }]) => `${cluster} ${weight}${isBackup ? ' backup' : ''}`,
  );
  return `${said.join(', ')}; best is ${shards.map(({ cluster }) => cluster).join()}`;
}
