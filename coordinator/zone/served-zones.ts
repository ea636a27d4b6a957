// Every zone that this server answers for. Input: deltas of the log. Output: the zone of a name,
// which is the deepest one that holds it (RFC 1034 4.3.2).
//
//   S1. A zone is answered for once all that the log said of it has arrived.
//   S2. What stands at or below the apex of a deeper zone is that zone's, also in transfers; a name
//       above one is there, with nothing at it (RFC 8020).
//   S3. A delta costs what it changes, however many zones there are.

import type { ServiceKey } from '../../common/model/ids.ts';
import { isWithin, toWireName, wireParent, type WireName } from '../../common/pure/dns-wire.ts';
import { toZoneApex, type ZoneApex } from './apex.ts';
import { NameTable, type ZoneCluster, type ZoneService } from './fold.ts';
import type { EmbeddedZone, ZoneSettings } from './plan-zones.ts';

/** What changed in the log, for all zones. Structured-clonable: it crosses to the worker. */
export interface ZoneDelta {
  readonly kind: 'delta';
  readonly parts: readonly {
    readonly domain: string;
    /** 32-bit SOA serial from now on. */
    readonly serial: number;
    readonly services: readonly ZoneService[];
    readonly removedServices: readonly ServiceKey[];
  }[];
  /** Clusters stand in every zone; the parts say the serials. */
  readonly clusters: readonly ZoneCluster[];
  /** Answered for from now on, or otherwise than before. */
  readonly zones: readonly EmbeddedZone[];
  readonly removedZones: readonly string[];
}

export interface ServedZone {
  readonly zone: EmbeddedZone;
  readonly apex: ZoneApex;
  readonly table: NameTable;
}

export class ServedZones {
  readonly #settings: ZoneSettings;
  readonly #selfAddresses: readonly string[];
  readonly #tables = new Map<string, NameTable>();
  readonly #clusters = new Map<string, ZoneCluster>();
  readonly #served = new Map<WireName, ServedZone>();
  /** Names above apexes, with how many there are below each. */
  readonly #above = new Map<WireName, number>();
  /** The only one, while there is one. */
  #single: ServedZone | undefined;

  constructor(settings: ZoneSettings, selfAddresses: readonly string[]) {
    this.#settings = settings;
    this.#selfAddresses = selfAddresses;
  }

  /** Answers which of the zones that are served have changed. */
  apply(delta: ZoneDelta): readonly ServedZone[] {
    for (const cluster of delta.clusters) {
      if (cluster.topology === undefined) this.#clusters.delete(cluster.name);
      else this.#clusters.set(cluster.name, cluster);
    }
    if (delta.clusters.length > 0) {
      const { clusters } = delta;
      for (const table of this.#tables.values())
        table.apply({ serial: table.serial, services: [], removedServices: [], clusters });
    }
    for (const part of delta.parts) this.#table(part.domain).apply({ ...part, clusters: [] });
    for (const domain of delta.removedZones) this.#remove(domain);
    for (const zone of delta.zones) this.#serve(zone);
    const [first, second] = this.#served.values();
    this.#single = second === undefined ? first : undefined;
    const changed = new Set([...delta.parts, ...delta.zones].map(({ domain }) => domain));
    return [...changed].flatMap((domain) => this.#at(domain) ?? []);
  }

  /** Sorted by domain. */
  all(): readonly ServedZone[] {
    return [...this.#served.values()].sort((a, b) => (a.zone.domain < b.zone.domain ? -1 : 1));
  }

  /** The zone with exactly this apex. */
  at(apex: WireName): ServedZone | undefined {
    return this.#served.get(apex);
  }

  /** The deepest zone that holds `name`. */
  find(name: WireName): ServedZone | undefined {
    const single = this.#single;
    if (single !== undefined) return isWithin(name, single.apex.name) ? single : undefined;
    for (let at = name; ; at = wireParent(at)) {
      const zone = this.#served.get(at);
      if (zone !== undefined || at.length <= 1) return zone;
    }
  }

  /** Whether a zone's apex stands below `name`. */
  hasBelow(name: WireName): boolean {
    return this.#above.has(name);
  }

  /** The zone in which the delegation of `zone` would stand. */
  parentOf(zone: ServedZone): ServedZone | undefined {
    return zone.apex.name.length <= 1 ? undefined : this.find(wireParent(zone.apex.name));
  }

  /** Zones whose nearest zone above is `zone`: they are delegated from it (S2). */
  childrenOf(zone: ServedZone): readonly ServedZone[] {
    return this.all().filter((each) => each !== zone && this.parentOf(each) === zone);
  }

  #table(domain: string): NameTable {
    const known = this.#tables.get(domain);
    if (known !== undefined) return known;
    const table = new NameTable({ domain, federation: this.#settings.federation });
    const clusters = [...this.#clusters.values()];
    table.apply({ serial: 1, services: [], removedServices: [], clusters });
    this.#tables.set(domain, table);
    return table;
  }

  #at(domain: string): ServedZone | undefined {
    const name = toWireName(domain);
    return name === undefined ? undefined : this.#served.get(name);
  }

  #serve(zone: EmbeddedZone): void {
    const apex = toZoneApex(zone, this.#settings, this.#selfAddresses);
    if (!this.#served.has(apex.name)) this.#countAbove(apex.name, 1);
    this.#served.set(apex.name, { zone, apex, table: this.#table(zone.domain) });
  }

  #remove(domain: string): void {
    this.#tables.delete(domain);
    const name = toWireName(domain);
    if (name !== undefined && this.#served.delete(name)) this.#countAbove(name, -1);
  }

  #countAbove(apex: WireName, by: 1 | -1): void {
    for (let at = apex; at.length > 1; ) {
      at = wireParent(at);
      const count = (this.#above.get(at) ?? 0) + by;
      if (count === 0) this.#above.delete(at);
      else this.#above.set(at, count);
    }
  }
}
