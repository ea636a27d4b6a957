// What a zone can carry, as the planner needs it: pure data made of the DNSZone's spec. What a
// ServicePolicy says counts more, where both may say it.

import type { DnsZoneSpec, HostnameMode, LevelTtls } from '../../../common/model/dns-zone.ts';
import type { ServiceDns } from '../../../common/model/isthmus-kinds.ts';

export interface ZoneShape {
  /**
   * How shards are weighed. values: each address has its share (the embedded zone). members:
   * several sets of one name (Route 53). items: one set of several (Cloud DNS). none: not at all.
   */
  readonly weights: 'values' | 'members' | 'items' | 'none';
  /** An AWS load balancer's name may be answered as addresses, beside other sets. */
  readonly hasAlias: boolean;
  readonly valuesPerSetMax: number;
  readonly ttlSecondsMin: number;
  readonly hostnameMode: HostnameMode;
  readonly allUnhealthy: 'FailOpen' | 'Remove';
  /** Short names of the user's own may stand here. */
  readonly takesAliases: boolean;
  /** Private addresses may stand here. */
  readonly isPrivate: boolean;
  /**
   * Most names of one Service at zones and regions. Those with a shard always stand; those without
   * one fill up the rest. 0 where the zone makes them up when they are asked for, as the embedded
   * one does.
   */
  readonly levelNamesMax: number;
  /** Levels without a shard are published at all, so that leaving one out is worth a note. */
  readonly hasFallbacks: boolean;
}

// Of all providers the smallest: Cloud DNS takes 100 in one set; some 70 fit into one UDP answer.
export const valuesPerSetMax = 100;

// One request has to hold all names of a Service: at Route 53 those are 32,000 characters of values.
const levelNamesMaxDefault = 200;

const byProvider: Readonly<
  Record<DnsZoneSpec['provider'], Pick<ZoneShape, 'weights' | 'hasAlias' | 'ttlSecondsMin'>>
> = {
  Embedded: { weights: 'values', hasAlias: false, ttlSecondsMin: 1 },
  Route53: { weights: 'members', hasAlias: true, ttlSecondsMin: 1 },
  CloudDNS: { weights: 'items', hasAlias: false, ttlSecondsMin: 1 },
  RFC2136: { weights: 'none', hasAlias: false, ttlSecondsMin: 1 },
};

/** The zone that the coordinator answers itself, with nothing said of it. */
export const embeddedShape: ZoneShape = {
  ...byProvider.Embedded,
  valuesPerSetMax,
  hostnameMode: 'Prefer',
  allUnhealthy: 'FailOpen',
  takesAliases: true,
  isPrivate: false,
  levelNamesMax: 0,
  hasFallbacks: false,
};

/** `levelNamesMax`: from toLevelNamesMax; ignored for Embedded. */
export function toZoneShape(
  spec: DnsZoneSpec,
  levelNamesMax: number,
  policy: ServiceDns | undefined,
): ZoneShape {
  const hasFallbacks = spec.provider !== 'Embedded';
  return {
    ...byProvider[spec.provider],
    valuesPerSetMax,
    hostnameMode: policy?.hostnameMode ?? spec.hostnameMode ?? 'Prefer',
    allUnhealthy: policy?.allUnhealthy ?? spec.allUnhealthy ?? 'FailOpen',
    takesAliases: spec.aliases !== 'Deny',
    isPrivate: spec.visibility === 'Private',
    levelNamesMax: hasFallbacks ? levelNamesMax : 0,
    hasFallbacks,
  };
}

/** Seconds, of each level: the policy counts more than the zone, a level more than all of them. */
export function toLevelTtls(
  defaultSeconds: number,
  spec: Pick<DnsZoneSpec, 'ttlSeconds' | 'levelTtlSeconds'>,
  policy: ServiceDns | undefined,
): { readonly ttlSeconds: number; readonly levelTtlSeconds: LevelTtls } {
  const ttlSeconds = policy?.ttlSeconds ?? spec.ttlSeconds ?? defaultSeconds;
  const ofZone = policy?.ttlSeconds === undefined ? spec.levelTtlSeconds : undefined;
  return { ttlSeconds, levelTtlSeconds: { ...ofZone, ...policy?.levelTtlSeconds } };
}

/**
 * How many names at zones and regions each Service may have, so that all fit into the zone.
 * Counted for the next power of two of Services, so that it changes seldom: each change rewrites
 * them all.
 */
export function toLevelNamesMax(zone: {
  /** spec.nameBudget, else the quota of the zone; undefined: no bound is known. */
  readonly namesMax: number | undefined;
  /** Services that the zone publishes. */
  readonly services: number;
}): number {
  const { namesMax, services } = zone;
  if (namesMax === undefined) return levelNamesMaxDefault;
  const room = 2 ** Math.ceil(Math.log2(Math.max(1, services)));
  // Each has its global name and its mark, which are never left out.
  return Math.min(levelNamesMaxDefault, Math.max(0, Math.floor(namesMax / room) - 2));
}
