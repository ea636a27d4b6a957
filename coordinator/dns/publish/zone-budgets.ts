// How many names each Service may have at zones and regions, by DNSZone, from how many Services it
// publishes: folded from the publications' events.
//
//   Each share is counted for the next power of two of Services, and shrinks back once fewer than
//   three quarters of the lower one are left: a Service that comes and goes at the border would have
//   the names of all others written anew each time.

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
  const counts = new Map<string, { readonly services: number; readonly room: number }>();
  const add = (object: KubeObject | undefined, by: number): string | undefined => {
    const publication = readPublication(object);
    if (publication === undefined) return undefined;
    const dnsZone = dnsZoneOf(publication);
    const before = counts.get(dnsZone) ?? { services: 0, room: 1 };
    const services = before.services + by;
    const room = roomFor(services, before.room);
    if (services === 0) counts.delete(dnsZone);
    else counts.set(dnsZone, { services, room });
    return room === before.room ? undefined : dnsZone;
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
        services: counts.get(name)?.room ?? 0,
      }),
  };
}

const shrinkBelow = 0.75;

/** A power of two: Services that there is room for. */
function roomFor(services: number, before: number): number {
  const needed = 2 ** Math.ceil(Math.log2(Math.max(1, services)));
  if (needed >= before) return needed;
  return services < (before / 2) * shrinkBelow ? needed : before;
}
