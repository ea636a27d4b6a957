// The table of names that the embedded zone answers from, folded from publications and clusters.
// Input: deltas. Output: lookups. Work per delta is proportional to the delta: the fall-back
// names of every zone and region of every registered cluster are recognised when asked for, not
// stored, so a new cluster costs the same with one Service as with 100,000.
//
//   Z1. Only publications make names exist; a cluster alone makes none.
//   Z2. A name that exists only because something exists below it answers NODATA (RFC 8020).
//   Z3. A fall-back CNAME leads one level up, and the global name of its Service has records.
//   Z4. The order in which deltas came does not show.

import type { ServiceKey } from '../../common/model/ids.ts';
import { splitServiceKey } from '../../common/model/ids.ts';
import type { RecordSet } from '../../common/model/publication.ts';
import type { Topology } from '../../common/model/topology.ts';
import { toNamePrefix } from '../../common/pure/level-names.ts';
import {
  isWithin,
  prependLabels,
  toWireName,
  wireParent,
  type WireName,
} from '../../common/pure/dns-wire.ts';
import { invariant } from '../../common/pure/errors.ts';

/** What the zone needs of one publication. Structured-clonable: it crosses to the worker. */
export interface ZoneService {
  readonly key: ServiceKey;
  readonly recordSets: readonly RecordSet[];
}

export interface ZoneDelta {
  readonly kind: 'delta';
  /** 32-bit SOA serial from now on. */
  readonly serial: number;
  readonly services: readonly ZoneService[];
  readonly removedServices: readonly ServiceKey[];
  readonly clusters: readonly { readonly name: string; readonly topology: Topology | undefined }[];
}

/** The record sets of one name. At least one member is set. */
export interface NameRecords {
  readonly ttlSeconds: number;
  readonly a: readonly string[];
  readonly aaaa: readonly string[];
  /** Of the addresses, where they differ: each answer then carries one of them. */
  readonly aWeights?: readonly number[] | undefined;
  readonly aaaaWeights?: readonly number[] | undefined;
  readonly cname: WireName | undefined;
}

export type Found =
  | { readonly kind: 'records'; readonly records: NameRecords; readonly owner: PublishedService }
  | { readonly kind: 'empty' }
  | { readonly kind: 'absent' };

/** One Service in the table. `cache` holds answers made from it; a change replaces the whole. */
export interface PublishedService {
  readonly key: ServiceKey;
  readonly names: ReadonlyMap<WireName, NameRecords>;
  /** Level suffixes of its own names; a name of it exists at each. */
  readonly suffixes: readonly WireName[];
  readonly ttlSeconds: number;
  readonly cache: Map<string, unknown>;
}

const empty: Found = { kind: 'empty' };
const absent: Found = { kind: 'absent' };
const servicePrefixLabels = 4; // service, namespace, federation, svc

export class NameTable {
  readonly apex: WireName;
  readonly #federation: string;
  readonly #services = new Map<ServiceKey, PublishedService>();
  /** Lower-cased wire form of `<service>.<namespace>.<federation>.svc` without the root. */
  readonly #byPrefix = new Map<string, PublishedService>();
  readonly #namespaces = new Map<string, number>();
  /** Level suffixes below the apex, with how many clusters and Services name them. */
  readonly #levels = new Map<WireName, number>();
  readonly #clusters = new Map<string, readonly WireName[]>();
  #serial = 1;

  constructor(options: { readonly domain: string; readonly federation: string }) {
    const apex = toWireName(options.domain);
    invariant(apex !== undefined, `the domain ${options.domain} is no DNS name`);
    this.apex = apex;
    this.#federation = options.federation;
  }

  get serial(): number {
    return this.#serial;
  }

  get serviceCount(): number {
    return this.#services.size;
  }

  apply(delta: ZoneDelta): void {
    this.#serial = delta.serial;
    for (const key of delta.removedServices) this.#remove(key);
    for (const service of delta.services) {
      this.#remove(service.key);
      this.#add(service);
    }
    for (const { name, topology } of delta.clusters) this.#setCluster(name, topology);
  }

  /** What stands at `name`, which is within the apex and not the apex itself. */
  find(name: WireName): Found {
    const at = this.#split(name);
    if (at !== undefined) {
      const service = this.#byPrefix.get(at.prefix);
      if (service !== undefined) {
        const explicit = service.names.get(name);
        if (explicit !== undefined) return { kind: 'records', records: explicit, owner: service };
        const parent = prefixed(at.prefix, wireParent(at.suffix));
        const records = { ttlSeconds: service.ttlSeconds, a: [], aaaa: [], cname: parent };
        return { kind: 'records', records, owner: service };
      }
    }
    return this.#hasBelow(name) ? empty : absent;
  }

  /** Four labels in front of a known level. */
  #split(name: WireName): { readonly prefix: string; readonly suffix: WireName } | undefined {
    let at = 0;
    for (let label = 0; label < servicePrefixLabels; label += 1) {
      if (at >= name.length - 1) return undefined;
      at += 1 + name.charCodeAt(at);
    }
    const suffix = name.slice(at) as WireName;
    if (suffix !== this.apex && !this.#levels.has(suffix)) return undefined;
    return { prefix: name.slice(0, at), suffix };
  }

  /** True for a name between a level and the names of Services there, or above a level. */
  #hasBelow(name: WireName): boolean {
    if (this.#services.size === 0) return false;
    if (this.#levels.has(name)) return true;
    // Walk up to each level that `name` stands below, and look at the labels in between.
    let rest: WireName = name;
    for (let labels = 1; labels < servicePrefixLabels; labels += 1) {
      if (rest.length <= 1) return false;
      const next = wireParent(rest);
      const isLevel = next === this.apex || this.#levels.has(next);
      if (isLevel && this.#isBetween(name.slice(0, name.length - next.length))) return true;
      rest = next;
    }
    return false;
  }

  /** `svc`, `<federation>.svc`, or `<namespace>.<federation>.svc`, in wire form without root. */
  #isBetween(labels: string): boolean {
    const svc = wire('svc');
    const federation = wire(this.#federation) + svc;
    if (labels === svc || labels === federation) return true;
    return this.#namespaces.has(labels);
  }

  #add(service: ZoneService): void {
    const global = service.recordSets.find(({ level }) => level === 'global');
    if (global === undefined) return; // no records, no names (Z1); without a global name, Z3 fails
    const prefix = wire(toNamePrefix(service.key, this.#federation));
    const names = toNames(service.recordSets, this.apex, prefix);
    const suffixes = [...names.keys()]
      .map((name) => name.slice(prefix.length) as WireName)
      .filter((suffix) => suffix !== this.apex);
    const entry: PublishedService = {
      key: service.key,
      names,
      suffixes,
      ttlSeconds: global.ttlSeconds,
      cache: new Map(),
    };
    this.#services.set(service.key, entry);
    this.#byPrefix.set(prefix, entry);
    for (const suffix of suffixes) count(this.#levels, suffix, 1);
    count(this.#namespaces, this.#namespaceOf(service.key), 1);
  }

  #remove(key: ServiceKey): void {
    const known = this.#services.get(key);
    if (known === undefined) return;
    this.#services.delete(key);
    this.#byPrefix.delete(wire(toNamePrefix(key, this.#federation)));
    for (const suffix of known.suffixes) count(this.#levels, suffix, -1);
    count(this.#namespaces, this.#namespaceOf(key), -1);
  }

  #setCluster(name: string, topology: Topology | undefined): void {
    for (const suffix of this.#clusters.get(name) ?? []) count(this.#levels, suffix, -1);
    const suffixes = topology === undefined ? [] : suffixesOf(topology, this.apex);
    if (topology === undefined) this.#clusters.delete(name);
    else this.#clusters.set(name, suffixes);
    for (const suffix of suffixes) count(this.#levels, suffix, 1);
  }

  #namespaceOf(key: ServiceKey): string {
    return wire(`${splitServiceKey(key).namespace}.${this.#federation}.svc`);
  }
}

/** Names of other federations' or other zones' form are not answered. */
function toNames(
  sets: readonly RecordSet[],
  apex: WireName,
  prefix: string,
): ReadonlyMap<WireName, NameRecords> {
  const names = new Map<WireName, NameRecords>();
  for (const { name, type, values, weights, ttlSeconds } of sets) {
    const at = toWireName(name);
    if (at === undefined || !isWithin(at, apex) || !at.startsWith(prefix)) continue;
    const known = names.get(at) ?? { ttlSeconds, a: [], aaaa: [], cname: undefined };
    const [target] = values;
    if (type === 'A') names.set(at, { ...known, a: values, aWeights: weights });
    else if (type === 'AAAA') names.set(at, { ...known, aaaa: values, aaaaWeights: weights });
    else if (target !== undefined) names.set(at, { ...known, cname: toWireName(target) });
  }
  return names;
}

function suffixesOf({ zones, region }: Topology, apex: WireName): readonly WireName[] {
  if (region === undefined) return [];
  const ofRegion = prependLabels(region, apex);
  if (ofRegion === undefined) return [];
  return [ofRegion, ...zones.flatMap((zone) => prependLabels(zone, ofRegion) ?? [])];
}

function prefixed(prefix: string, suffix: WireName): WireName {
  return (prefix + suffix) as WireName;
}

/** Wire form without the root's zero; names of Kubernetes objects always have one. */
function wire(text: string): string {
  return (toWireName(text) ?? '\0').slice(0, -1);
}

function count<K>(counts: Map<K, number>, key: K, by: number): void {
  const next = (counts.get(key) ?? 0) + by;
  if (next === 0) counts.delete(key);
  else counts.set(key, next);
}
