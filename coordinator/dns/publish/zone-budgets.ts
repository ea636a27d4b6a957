// How many names each Service may have at zones and regions, by DNSZone, from how many Services it
// publishes: folded from the publications' events.

import type { DnsZoneState } from '../../../common/model/views.ts';
import type { KubeObject } from '../../../common/model/kube-object.ts';
import { dnsZoneOf, readPublication } from '../../../common/pure/publication-object.ts';
import type { ViewEvent } from '../../desired/store.ts';
import { toLevelNamesMax } from './zone-shape.ts';

export interface ZoneBudgets {
  /** DNSZones in which a Service's share may be another one now. */
  fold(event: ViewEvent): readonly string[];
  levelNamesMax(zone: DnsZoneState): number;
}

export function createZoneBudgets(): ZoneBudgets {
  const services = new Map<string, number>();
  const add = (object: KubeObject | undefined, by: number): string | undefined => {
    const publication = readPublication(object);
    if (publication === undefined) return undefined;
    const dnsZone = dnsZoneOf(publication);
    const before = services.get(dnsZone) ?? 0;
    services.set(dnsZone, before + by);
    return roomOf(before) === roomOf(before + by) ? undefined : dnsZone;
  };
  return {
    fold: ({ kind, current }) => {
      if (kind === 'modified') return [];
      const changed = add(current.object, kind === 'deleted' ? -1 : 1);
      return changed === undefined ? [] : [changed];
    },
    levelNamesMax: ({ name, spec, recordSetsMax }) =>
      toLevelNamesMax({
        namesMax: spec.nameBudget ?? recordSetsMax,
        services: services.get(name) ?? 0,
      }),
  };
}

/** What toLevelNamesMax counts for: it changes with the next power of two. */
function roomOf(services: number): number {
  return Math.ceil(Math.log2(Math.max(1, services)));
}
