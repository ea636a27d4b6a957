// What must be true when nothing is in the way: shards, names and statuses equal the wish and the
// truth. Says the first thing that is not (yet) so.

import { decode, encode } from 'dns-packet';
import {
  apiServiceKey,
  isFederated,
  splitServiceKey,
  toServiceKey,
  type ServiceKey,
} from '../../common/model/ids.ts';
import type { Cluster, ServicePolicy } from '../../common/model/isthmus-kinds.ts';
import type { KubeObject, Service } from '../../common/model/kube-object.ts';
import { toGlobalName, toRegionName, toZoneName } from '../../common/pure/level-names.ts';
import { readPublication } from '../../common/pure/publication-object.ts';
import { federationOf } from '../../common/pure/shard-marks.ts';
import { placeAnnotation } from './placer.ts';
import { findMisplaced, recordOf } from './placed.ts';
import type { SimCluster } from './sim-cluster.ts';
import { domain, federation, type Serving } from './sim-coordinator.ts';
import { findInProvider } from './sim-provider.ts';
import { bestOf, isWeighed, readTraffic, type TrafficTable } from './traffic.ts';
import { namespace } from './user.ts';
import type { World } from './world.ts';

/** Undefined when all is as it shall be. */
export function findDifference(world: World): string | undefined {
  const { serving } = world.coordinator;
  if (serving === undefined) return 'no coordinator serves';
  for (const [name, agent] of world.agents) {
    const status = agent.agent?.status();
    if (status?.isSessionOpen !== true) return `the session of ${name} is not open`;
    if (!status.isBusConnected) return `the agent of ${name} is not on the bus`;
    if (!status.isApiFresh) return `the agent of ${name} does not hear its API server`;
  }
  for (const name of world.clusters.keys()) {
    const object = world.disk.objects('clusters').find(({ metadata }) => metadata.name === name);
    if (object === undefined) return `cluster ${name} is out of the federation`;
    if (object.metadata.deletionTimestamp !== undefined) return `cluster ${name} is leaving`;
  }
  const unfinished = world.registrar.unfinished();
  if (unfinished !== undefined) return `somebody has yet to see that cluster ${unfinished} is back`;
  for (const object of world.disk.objects('clusters')) {
    const approved = conditionOf(object, 'Approved');
    if (approved === 'False') return `cluster ${object.metadata.name} is not approved`;
    if ((object as Cluster).status?.trustDigest !== world.cas.trustDigest()) {
      return `the agent of ${object.metadata.name} trusts other CAs`;
    }
    const ready = conditionOf(object, 'Ready');
    if (ready !== 'True') return `cluster ${object.metadata.name} is Ready=${ready}`;
    const telemetry = conditionOf(object, 'Telemetry');
    if (telemetry !== 'True') return `cluster ${object.metadata.name} is Telemetry=${telemetry}`;
  }
  const [order] = world.disk.objects('removalorders');
  if (order !== undefined) return `the order ${order.metadata.name} is not obeyed`;
  for (const object of federatedServices(world)) {
    const difference = findInService(world, serving, object as Service);
    if (difference !== undefined) return `Service ${object.metadata.name}: ${difference}`;
  }
  for (const object of world.disk.objects('publications')) {
    if (readPublication(object)?.key === apiServiceKey) return `${apiServiceKey} has names`;
  }
  return findInProvider(world.disk, world.provider) ?? findInMembers(world);
}

/** Without the API's own Service, which has neither shards nor names. */
function federatedServices(world: World): readonly KubeObject[] {
  return world.disk
    .objects('services')
    .filter(({ metadata: { name } }) => isFederated(toServiceKey({ namespace, name })));
}

/** Shards of Services that are not there, or not federated. */
function findInMembers(world: World): string | undefined {
  const wanted = new Set(federatedServices(world).map(({ metadata }) => metadata.name));
  for (const cluster of world.clusters.values()) {
    for (const { object } of cluster.kube.desired.list(`core/services/${namespace}/`)) {
      const isOurs = federationOf(object) === federation;
      const { clusters } = recordOf(world.disk, object.metadata.name);
      const isPlaced = wanted.has(object.metadata.name) && clusters.includes(cluster.place.name);
      if (isOurs && !isPlaced) {
        return `${cluster.place.name} still has a shard of ${object.metadata.name}`;
      }
    }
  }
  return undefined;
}

function findInService(world: World, serving: Serving, service: Service): string | undefined {
  if (service.metadata.deletionTimestamp !== undefined) return 'it is still being deleted';
  const key = toServiceKey({ namespace, name: service.metadata.name });
  const misplaced = findMisplaced(world.disk, service);
  if (misplaced !== undefined) return misplaced;
  const placed = new Set(recordOf(world.disk, service.metadata.name).clusters);
  const clusters = [...world.clusters.values()].filter(({ place }) => placed.has(place.name));
  for (const cluster of clusters) {
    const shard = shardIn(cluster, service.metadata.name);
    const difference = findInShard(service, shard) ?? findInOverride(world, cluster, shard);
    if (difference !== undefined) return `shard in ${cluster.place.name} ${difference}`;
  }
  const shards = clusters.map((cluster) => toTruth(world, cluster, service.metadata.name));
  const traffic = readTraffic(world.disk, service.metadata.name);
  return (
    findInStatus(service, shards) ??
    findInPublication(world, key, shards) ??
    findInNames(serving, key, { shards, traffic }) ??
    findInResolvers(world, key, shards)
  );
}

interface Truth {
  readonly cluster: string;
  readonly zone: string;
  readonly region: string;
  readonly addresses: readonly string[];
  readonly isWell: boolean;
}

function toTruth(world: World, cluster: SimCluster, name: string): Truth {
  const { place } = cluster;
  const ingress = shardIn(cluster, name)?.status?.loadBalancer?.ingress ?? [];
  const addresses = ingress
    .flatMap(({ ip }) => ip ?? [])
    .filter((ip) => ip.startsWith('34.'))
    .sort();
  const isWell = addresses.length > 0 && addresses.every((ip) => world.balancers.answers(ip));
  return {
    cluster: place.name,
    zone: place.zone ?? 'hall-1',
    region: place.region ?? 'home',
    addresses,
    isWell,
  };
}

function shardIn(cluster: SimCluster, name: string): Service | undefined {
  const at = `core/services/${namespace}/${name}`;
  for (const stored of cluster.kube.desired.list(at)) {
    if (stored.key === at) return stored.object as Service;
  }
  return undefined;
}

function findInShard(service: Service, shard: Service | undefined): string | undefined {
  if (shard === undefined) return 'is missing';
  if (federationOf(shard) !== federation) return 'does not bear our mark';
  const portsOf = ({ spec }: Service): string =>
    JSON.stringify((spec.ports ?? []).map(({ name, port, protocol }) => [name, port, protocol]));
  if (portsOf(shard) !== portsOf(service)) return `has the ports ${portsOf(shard)}`;
  for (const [label, value] of Object.entries(service.metadata.labels ?? {})) {
    if (shard.metadata.labels?.[label] !== value) return `lacks the label ${label}=${value}`;
  }
  return undefined;
}

/** Each shard says of its place what the override for its cluster says. */
function findInOverride(
  world: World,
  cluster: SimCluster,
  shard: Service | undefined,
): string | undefined {
  const policies = world.disk.objects('servicepolicies') as readonly ServicePolicy[];
  const policy = policies.find(({ spec }) => spec?.serviceName === shard?.metadata.name);
  const override = policy?.spec?.overrides?.find(({ clusters = [] }) =>
    clusters.includes(cluster.place.name),
  );
  const wanted = override?.annotations?.[placeAnnotation];
  const is = shard?.metadata.annotations?.[placeAnnotation];
  // What a released shard said stays on the Service, and is its own when it is adopted again.
  return wanted === undefined || is === wanted
    ? undefined
    : `says ${is} of its place, not ${wanted}`;
}

function findInStatus(service: Service, shards: readonly Truth[]): string | undefined {
  const ingress = (service.status?.loadBalancer?.ingress ?? []).flatMap(({ ip }) => ip ?? []);
  const wanted = shards.flatMap(({ addresses }) => addresses).sort();
  if ([...ingress].sort().join() !== wanted.join()) {
    return `status lists ${ingress.join()} instead of ${wanted.join()}`;
  }
  if (shards.length === 0) return undefined; // the conditions say that it is nowhere
  const isAnyWell = shards.some(({ isWell }) => isWell);
  const conditions = { Placed: 'True', Applied: 'True', Healthy: isAnyWell ? 'True' : 'False' };
  for (const [type, status] of Object.entries(conditions)) {
    const is = conditionOf(service, type);
    if (is !== status) return `condition ${type} is ${is} instead of ${status}`;
  }
  return undefined;
}

function findInPublication(
  world: World,
  key: ServiceKey,
  shards: readonly Truth[],
): string | undefined {
  const publication = world.disk
    .objects('publications')
    .map(readPublication)
    .find((one) => one?.key === key);
  if (publication === undefined) return 'there is no publication';
  for (const { cluster, isWell } of shards) {
    const state = publication.shards.find((one) => one.cluster === cluster)?.state;
    if ((state === 'healthy') !== isWell) return `published as ${state} in ${cluster}`;
  }
  return undefined;
}

function findInNames(
  { zone }: Serving,
  key: ServiceKey,
  { shards, traffic }: { readonly shards: readonly Truth[]; readonly traffic: TrafficTable },
): string | undefined {
  const allWell = shards.filter(({ isWell }) => isWell);
  if (allWell.length === 0) return undefined; // the last known addresses stay, if there were any
  const well = bestOf(allWell, traffic);
  const scope = { federation, domain };
  for (const at of shards) {
    const inZone = well.filter((one) => one.zone === at.zone && one.region === at.region);
    const inRegion = well.filter(({ region }) => region === at.region);
    const chain = [inZone, inRegion, well];
    const names = [
      toZoneName(key, at, scope),
      toRegionName(key, at.region, scope),
      toGlobalName(key, scope),
    ];
    for (const [level, name] of names.entries()) {
      const wanted = chain.slice(level).find((some) => some.length > 0) ?? [];
      const all = wanted.flatMap(({ addresses }) => addresses).sort();
      const { reply } = zone.query(name, 'A');
      const answers = reply === undefined ? [] : (decode(Buffer.from(reply)).answers ?? []);
      const is = answers.flatMap((one) => (one.type === 'A' ? [one.data] : [])).sort();
      // In proportion means one at a time.
      const isRight = isWeighed(wanted, traffic)
        ? is.length === 1 && all.includes(is[0] ?? '')
        : is.join() === all.join();
      if (!isRight) return `${name} answers ${is.join()}, not ${all.join()}`;
    }
  }
  return undefined;
}

/** Pods get the shard of their own cluster, else one that is well. */
function findInResolvers(
  world: World,
  key: ServiceKey,
  shards: readonly Truth[],
): string | undefined {
  const well = shards.filter(({ isWell }) => isWell);
  if (well.length === 0) return undefined;
  const { namespace: itsNamespace, name } = splitServiceKey(key);
  const question = { type: 'A', name: `${name}.${itsNamespace}.${federation}` } as const;
  const request = encode({ type: 'query', id: 1, questions: [question] });
  const resolvers = [...world.agents].flatMap(([cluster, agent]) =>
    agent.agents().map(({ resolver }) => ({ cluster, resolver })),
  );
  for (const { cluster, resolver } of resolvers) {
    const reply = resolver.answer(request, 'udp');
    const answers = reply instanceof Uint8Array ? (decode(Buffer.from(reply)).answers ?? []) : [];
    const is = answers.flatMap((one) => (one.type === 'A' ? [one.data] : []));
    const member = world.clusters.get(cluster);
    const isLocal = well.some((one) => one.cluster === cluster);
    const local = member === undefined ? undefined : shardIn(member, name)?.spec.clusterIP;
    const wanted = isLocal ? [local] : well.flatMap(({ addresses }) => addresses);
    if (is.length === 0 || !is.every((address) => wanted.includes(address))) {
      return `pods in ${cluster} are told ${is.join()}, not of ${wanted.join()}`;
    }
  }
  return undefined;
}

function conditionOf(object: KubeObject, type: string): string {
  const { conditions = [] } = (object.status ?? {}) as NonNullable<Cluster['status']>;
  return conditions.find((condition) => condition.type === type)?.status ?? 'absent';
}
