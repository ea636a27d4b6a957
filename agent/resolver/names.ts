// Which of our names a question asks for. Input: the question's name and the zones that this
// resolver serves. Output: what is asked, by its place in those zones.
//
//   <service>.<namespace>.<federation>                       the nearest shard, local one first
//   <service>.<namespace>.<federation>.svc.<cluster domain>  the same; pods' search lists make it
//   <service>.<namespace>.<federation>.svc[.<zone>].<region>.<domain> and without a region: the
//                                                            public names, from the peer table

import type { ServiceKey } from '../../common/model/ids.ts';
import { toServiceKey } from '../../common/model/ids.ts';
import { isWithin, toWireName, wireLabels, type WireName } from '../../common/pure/dns-wire.ts';

export interface ServedZones {
  readonly federation: string;
  /** `<federation>` and `<federation>.svc.<cluster domain>`. */
  readonly short: readonly WireName[];
  /** Apex of the public names; undefined while unknown. */
  readonly domain: WireName | undefined;
}

export type Asked =
  | { readonly kind: 'outside' }
  | { readonly kind: 'apex'; readonly zone: WireName }
  /** May exist because something exists below it; `namespace` undefined: above all of them. */
  | { readonly kind: 'between'; readonly zone: WireName; readonly namespace: string | undefined }
  | { readonly kind: 'absent'; readonly zone: WireName }
  | { readonly kind: 'service'; readonly zone: WireName; readonly key: ServiceKey }
  | {
      readonly kind: 'level';
      readonly zone: WireName;
      readonly key: ServiceKey;
      readonly at: LevelPlace;
    };

/** Both undefined: global. A zone always comes with its region. */
export interface LevelPlace {
  readonly zone: string | undefined;
  readonly region: string | undefined;
}

export function toServedZones(options: {
  readonly federation: string;
  readonly clusterDomain: string;
  readonly domain: string | undefined;
}): ServedZones {
  const { federation, clusterDomain, domain } = options;
  const short = [`${federation}.svc.${clusterDomain}`, federation].flatMap(
    (zone) => toWireName(zone) ?? [],
  );
  return { federation, short, domain: domain === undefined ? undefined : toWireName(domain) };
}

export function whatIsAsked(name: WireName, zones: ServedZones): Asked {
  const short = zones.short.find((zone) => isWithin(name, zone));
  if (short !== undefined) return askedShort(name, short);
  if (zones.domain !== undefined && isWithin(name, zones.domain)) {
    return askedPublic(name, zones.domain, zones.federation);
  }
  return { kind: 'outside' };
}

function askedShort(name: WireName, zone: WireName): Asked {
  const labels = labelsAbove(name, zone);
  const [first, second] = labels;
  if (first === undefined) return { kind: 'apex', zone };
  if (second === undefined) return { kind: 'between', zone, namespace: first };
  if (labels.length > 2) return { kind: 'absent', zone };
  return { kind: 'service', zone, key: toServiceKey({ namespace: second, name: first }) };
}

/** Anything under the domain but our own form belongs to somebody else. */
function askedPublic(name: WireName, zone: WireName, federation: string): Asked {
  const labels = labelsAbove(name, zone);
  // At most zone and region stand behind `svc`; a region may itself be called svc.
  const split = [1, 2, 3]
    .map((fromEnd) => labels.length - fromEnd)
    .find((at) => labels[at] === 'svc' && (at === 0 || labels[at - 1] === federation));
  if (split === undefined) return { kind: 'outside' };
  const [service, namespace] = labels.slice(0, Math.max(split - 1, 0));
  if (service === undefined) return { kind: 'between', zone, namespace: undefined };
  if (namespace === undefined) return { kind: 'between', zone, namespace: service };
  if (split > 3) return { kind: 'absent', zone };
  const place = labels.slice(split + 1);
  const region = place.at(-1);
  const at = { region, zone: place.length === 2 ? place[0] : undefined };
  return { kind: 'level', zone, key: toServiceKey({ namespace, name: service }), at };
}

function labelsAbove(name: WireName, zone: WireName): readonly string[] {
  return wireLabels(`${name.slice(0, name.length - zone.length)}\0` as WireName);
}
