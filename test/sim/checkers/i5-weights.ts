// I5, I6. Weights and fail-over, in each state that is published and at the provider: a shard of
// weight 0, or a backup, is in an answer only while nobody better is healthy; with nobody healthy
// all fail open alike; draining takes no name's last address; who is taken back comes back. A shard
// that leaves DNS and is well is not ordered away before resolvers have forgotten it.
//
// What is published is held against what the policies said a moment before at most, and against
// what they say now once nothing was in the way for a while.

import { splitServiceKey, type ServiceKey } from '../../../common/model/ids.ts';
import type { KubeObject } from '../../../common/model/kube-object.ts';
import type { Publication } from '../../../common/model/publication.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import { toGlobalName } from '../../../common/pure/level-names.ts';
import { dnsZoneOf, readPublication } from '../../../common/pure/publication-object.ts';
import { federation, ttlSeconds, type SimCoordinator } from '../sim-coordinator.ts';
import { keyOf } from '../sim-hand.ts';
import { publicZone, type SimProvider } from '../sim-provider.ts';
import type { SimDisk, Written } from '../sim-store.ts';
import { readTraffic, type TrafficTable } from '../traffic.ts';
import { serviceNames } from '../user.ts';
import type { Blame, Checker } from './checker.ts';
import { lagMsOf } from './i7-provider.ts';
import { doubtNames, endsOf, groupByName } from './weighed-names.ts';

/** A plan is published this long after it was read at most, if nothing is in the way. */
const planMs = 5_000;
/** Loops come back within 30 s of a failure, a store in trouble lasts up to 10 s. */
const settleMs = 45_000;

export interface WeightsOptions {
  readonly disk: SimDisk;
  readonly clock: Clock;
  readonly coordinator: SimCoordinator;
  readonly provider: SimProvider;
}

/** What the policies said, until when; the last one holds. */
interface Wish {
  readonly traffic: TrafficTable;
  readonly text: string;
  toMs: number;
}

interface Standing {
  readonly publication: Publication;
  readonly sinceMs: number;
}

export function createWeightsChecker(options: WeightsOptions, blame: Blame): Checker {
  const { disk, clock, coordinator, provider } = options;
  const providerMs = lagMsOf(provider);
  const wishes = new Map<string, Wish[]>(serviceNames.map((name) => [name, []]));
  const published = new Map<string, Standing>();

  const noteWishes = (): void => {
    const nowMs = clock.monotonicMs();
    for (const [name, said] of wishes) {
      const traffic = readTraffic(disk, name);
      const text = JSON.stringify([...traffic]);
      const last = said.at(-1);
      if (last?.text === text) continue;
      if (last !== undefined) last.toMs = nowMs;
      said.push({ traffic, text, toMs: Infinity });
    }
  };

  const troubleMs = (): number => Math.max(disk.lastTroubleMs(), coordinator.lastTroubleMs());

  /** What may have been planned from. */
  const recentWishes = (key: ServiceKey): readonly Wish[] => {
    const nowMs = clock.monotonicMs();
    const isCalm = nowMs - troubleMs() > settleMs;
    const fromMs = nowMs - planMs - (isCalm ? 0 : settleMs);
    const said = wishes.get(splitServiceKey(key).name) ?? [];
    return said.filter(({ toMs }) => toMs >= fromMs);
  };

  const onPublication = (publication: Publication, isDelete: boolean): void => {
    const at = `${dnsZoneOf(publication)} ${publication.key}`;
    const before = published.get(at)?.publication;
    noteWanted(publication, isDelete);
    if (isDelete) return void published.delete(at);
    noteLeaving(before, publication);
    published.set(at, { publication, sinceMs: clock.monotonicMs() });
    if (before?.serviceUid === publication.serviceUid) doubtLast(before, publication);
    const names = groupByName(publication.recordSets);
    const doubts = recentWishes(publication.key).map(({ traffic }) =>
      doubtNames(publication, names, traffic),
    );
    const doubt = doubts.at(-1);
    if (doubt !== undefined && !doubts.includes(undefined)) blame(`published: ${doubt}`);
  };

  // When a shard that is well left DNS, by Service and cluster.
  const leftMs = new Map<string, number>();
  const noteLeaving = (before: Publication | undefined, { key, shards }: Publication): void => {
    for (const { cluster, state, inDns } of shards) {
      const was = before?.shards.find((shard) => shard.cluster === cluster);
      const at = `${splitServiceKey(key).name} ${cluster}`;
      if (inDns || state !== 'healthy') leftMs.delete(at);
      else if (was?.inDns === true) leftMs.set(at, clock.monotonicMs());
    }
  };

  const onOrder = (object: KubeObject): void => {
    const { cluster, service } = object.spec as { readonly [field: string]: string };
    const fromMs = leftMs.get(`${service} ${cluster}`);
    const isGoing = ({ metadata }: KubeObject): boolean => metadata.deletionTimestamp !== undefined;
    const of = [
      disk.objects('services').find(({ metadata }) => metadata.name === service),
      disk.objects('clusters').find(({ metadata }) => metadata.name === cluster),
    ];
    if (fromMs === undefined || of.some((one) => one === undefined || isGoing(one))) return;
    if (coordinator.lastTroubleMs() > fromMs) return; // another life has another clock
    const seconds = Math.round((clock.monotonicMs() - fromMs) / 1000);
    if (seconds >= ttlSeconds) return;
    blame(`${service} is ordered away from ${cluster} ${seconds} s after it left DNS, and is well`);
  };

  // Global names that are published for the provider, since when without a break.
  const wantedNames = new Map<string, number>();
  const noteWanted = (publication: Publication, isDelete: boolean): void => {
    if (dnsZoneOf(publication) !== publicZone) return;
    const { key, zone: domain, recordSets } = publication;
    const name = toGlobalName(key, { federation, domain });
    if (isDelete || recordSets.length === 0) wantedNames.delete(name);
    else if (!wantedNames.has(name)) wantedNames.set(name, clock.monotonicMs());
  };

  const doubtLast = (before: Publication, { key, recordSets, shards }: Publication): void => {
    if (before.recordSets.length === 0 || recordSets.length > 0) return;
    const left = shards.filter((shard) => shard.isDrained !== true && shard.addresses.length > 0);
    if (left.length === 0) return;
    blame(`${key} lost its last name while ${left.map(({ cluster }) => cluster).join()} is there`);
  };

  /** For how long the policies have said what they say, and nothing was in the way. */
  const settledFor = ({ publication }: Standing): number => {
    const { name } = splitServiceKey(publication.key);
    const changedMs = wishes.get(name)?.at(-2)?.toMs ?? 0;
    return clock.monotonicMs() - Math.max(changedMs, troubleMs());
  };

  const doubtNow = (
    { publication }: Standing,
    names = groupByName(publication.recordSets),
  ): string | undefined => {
    const traffic = wishes.get(splitServiceKey(publication.key).name)?.at(-1)?.traffic;
    return traffic && doubtNames(publication, names, traffic);
  };

  const ofProvider = (): readonly Standing[] =>
    [...published.values()].filter(
      ({ publication }) =>
        dnsZoneOf(publication) === publicZone &&
        provider.zone.names.has(markOf(publication)) &&
        !provider.isBlocked(publication.key),
    );

  // Names at the provider, since when.
  const there = new Map<string, number>();
  provider.onChange((by) => {
    const nowMs = clock.monotonicMs();
    for (const [name, sinceMs] of wantedNames) {
      const isThere = endsOf(provider.zone.names, name).length > 0;
      const wasThere = there.get(name);
      if (isThere && wasThere === undefined) there.set(name, nowMs);
      if (isThere || wasThere === undefined) continue;
      there.delete(name);
      if (provider.hand.isGone(name) || provider.isBlocked(keyOf({ name }))) continue;
      if (wasThere >= sinceMs && by.startsWith('coordinator'))
        blame(`${by} took ${name} from the provider, which was published all the while`);
    }
  });

  const onStep = (): void => {
    for (const standing of published.values()) {
      if (settledFor(standing) <= settleMs) continue;
      const doubt = doubtNow(standing);
      if (doubt !== undefined) blame(`published for ${settleMs / 1000} s: ${doubt}`);
    }
    for (const standing of ofProvider()) {
      const { sinceMs } = standing;
      const fromMs = Math.max(provider.lastTroubleMs(), provider.hand.lastEditMs(), sinceMs);
      const calmMs = Math.min(settledFor(standing), clock.monotonicMs() - fromMs);
      const doubt = calmMs > providerMs ? doubtNow(standing, provider.zone.names) : undefined;
      if (doubt !== undefined) blame(`at the provider for ${providerMs / 1000} s: ${doubt}`);
    }
  };

  return {
    invariant: 'I5',
    onWritten: ({ resource, object, isDelete }: Written) => {
      if (resource === 'servicepolicies' || resource === 'clusters') noteWishes();
      if (resource === 'removalorders' && !isDelete) onOrder(object);
      const publication = resource === 'publications' ? readPublication(object) : undefined;
      if (publication !== undefined) onPublication(publication, isDelete);
    },
    onStep,
    onConverged: () => {
      for (const standing of published.values()) {
        const doubt = doubtNow(standing);
        if (doubt !== undefined) blame(`published at the end: ${doubt}`);
      }
      for (const standing of ofProvider()) {
        const doubt = doubtNow(standing, provider.zone.names);
        if (doubt !== undefined) blame(`at the provider at the end: ${doubt}`);
      }
    },
  };
}

/** Without our mark the name is somebody else's. */
function markOf({ key, zone: domain }: Publication): string {
  return `_fedowner.${toGlobalName(key, { federation, domain })}`;
}
