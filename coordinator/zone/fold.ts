// The names of one zone, folded from publications and clusters. Input: deltas. Output: look-ups.
// Work per delta is proportional to the delta: the fall-back names of every zone and region of
// every registered cluster are recognised when asked for, not stored, so a new cluster costs the
// same with one Service as with 100,000.
//
//   Z1. Only publications make names exist; a cluster alone makes none.
//   Z2. A name that exists only because something exists below it answers NODATA (RFC 8020).
//   Z3. A fall-back CNAME leads one level up, and the global name of its Service has records.
//   Z4. The order in which deltas came does not show.
//   Z5. A short name never hides a Service's own name; of two Services that want one, the first
//       by key has it.
//
// Next: served-zones.ts (all zones), answer.ts.

import { splitServiceKey, type ServiceKey } from '../../common/model/ids.ts';
import type { Publication, RecordSet } from '../../common/model/publication.ts';
import type { Topology } from '../../common/model/topology.ts';
import { isWithin, toWireName, wireParent, type WireName } from '../../common/pure/dns-wire.ts';
import { invariant } from '../../common/pure/errors.ts';
import { LevelCounts } from './level-counts.ts';
import {
  foldService,
  headLabelsMax,
  skipLabels,
  wireText,
  type NameEntry,
  type PublishedService,
} from './published-service.ts';

/** What a zone needs of one publication. Structured-clonable: it crosses to the worker. */
export interface ZoneService {
  readonly key: ServiceKey;
  readonly recordSets: readonly RecordSet[];
  /** Of its fall-back names; absent: the global name's. */
  readonly fallbackTtlSeconds?: Publication['fallbackTtlSeconds'];
}

export interface ZoneCluster {
  readonly name: string;
  /** undefined: it is gone. */
  readonly topology: Topology | undefined;
}

/** Of one zone. */
export interface TableDelta {
  /** 32-bit SOA serial from now on. */
  readonly serial: number;
  readonly services: readonly ZoneService[];
  readonly removedServices: readonly ServiceKey[];
  readonly clusters: readonly ZoneCluster[];
}

export type Found =
  | { readonly kind: 'records'; readonly entry: NameEntry }
  /** A fall-back name: a CNAME to `parent`. */
  | ({ readonly kind: 'fallback'; readonly owner: PublishedService } & Fallback)
  | { readonly kind: 'empty' }
  | { readonly kind: 'absent' };

/** Where a fall-back name leads, and for how long that may be kept. */
export interface Fallback {
  readonly parent: WireName;
  readonly ttlSeconds: number;
}

const empty: Found = { kind: 'empty' };
const absent: Found = { kind: 'absent' };
const servicePrefixLabels = 4; // service, namespace, federation, svc
const underscore = 0x5f;

export class NameTable {
  readonly apex: WireName;
  readonly #federation: string;
  readonly #services = new Map<ServiceKey, PublishedService>();
  /** Lower-cased wire form of `<service>.<namespace>.<federation>.svc` without the root. */
  readonly #byPrefix = new Map<string, PublishedService>();
  /** Every stored name that is of its Service's form. */
  readonly #names = new Map<WireName, NameEntry>();
  /** Other names: those who want each, by key (Z5). */
  readonly #aliases = new Map<WireName, readonly NameEntry[]>();
  readonly #aboveAliases = new Map<WireName, number>();
  readonly #namespaces = new Map<string, number>();
  readonly #levels: LevelCounts;
  #serial = 1;

  constructor(options: { readonly domain: string; readonly federation: string }) {
    const apex = toWireName(options.domain);
    invariant(apex !== undefined, `the domain ${options.domain} is no DNS name`);
    this.apex = apex;
    this.#federation = options.federation;
    this.#levels = new LevelCounts(apex);
  }

  get serial(): number {
    return this.#serial;
  }

  get serviceCount(): number {
    return this.#services.size;
  }

  apply(delta: TableDelta): void {
    this.#serial = delta.serial;
    for (const key of delta.removedServices) this.#remove(key);
    for (const service of delta.services) {
      this.#remove(service.key);
      this.#add(service);
    }
    for (const { name, topology } of delta.clusters) this.#levels.setCluster(name, topology);
  }

  /** What stands at `name`, which is within the apex and not the apex itself. */
  find(name: WireName): Found {
    const entry = this.#names.get(name);
    if (entry !== undefined) return { kind: 'records', entry };
    const fallback = this.#findFallback(name);
    if (fallback !== undefined) return fallback;
    const [alias] = this.#aliases.get(name) ?? [];
    if (alias !== undefined) return { kind: 'records', entry: alias };
    return this.#hasBelow(name) ? empty : absent;
  }

  /** What a transfer sends: everything there is now, in arrays that no later delta changes. */
  snapshot(): {
    readonly services: readonly PublishedService[];
    readonly aliases: readonly NameEntry[];
    readonly levels: readonly WireName[];
  } {
    return {
      services: [...this.#services.values()],
      aliases: [...this.#aliases.values()].flatMap(([first]) => first ?? []),
      levels: this.#levels.all(),
    };
  }

  #findFallback(name: WireName): Found | undefined {
    // `_http._tcp` stands in front of what it is a service of (RFC 2782).
    const head = name.charCodeAt(1) === underscore ? skipLabels(name, 0, headLabelsMax) : 0;
    const at = head === undefined ? undefined : skipLabels(name, head, servicePrefixLabels);
    if (at === undefined || head === undefined) return undefined;
    const suffix = name.slice(at) as WireName;
    if (suffix === this.apex || !this.#levels.has(suffix)) return undefined;
    const owner = this.#byPrefix.get(name.slice(head, at));
    if (owner === undefined || (head > 0 && !owner.heads.has(name.slice(0, head))))
      return undefined;
    return { kind: 'fallback', owner, ...fallbackAt(owner, name.slice(0, at), suffix, this.apex) };
  }

  /** True for a name between a level and the names of Services there, or above a level. */
  #hasBelow(name: WireName): boolean {
    if (this.#services.size === 0) return false;
    if (this.#levels.has(name) || this.#aboveAliases.has(name)) return true;
    if (this.#hasHeadBelow(name)) return true;
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

  /** `_tcp` in front of a Service that has `_http._tcp` there. */
  #hasHeadBelow(name: WireName): boolean {
    const head = skipLabels(name, 0, 1);
    const at = head === undefined ? undefined : skipLabels(name, head, servicePrefixLabels);
    if (head === undefined || at === undefined) return false;
    const owner = this.#byPrefix.get(name.slice(head, at));
    if (owner === undefined) return false;
    if (owner.inner.has(name)) return true;
    if (!this.#levels.has(name.slice(at) as WireName)) return false;
    const label = name.slice(0, head);
    return [...owner.heads].some((known) => known.endsWith(label));
  }

  /** `svc`, `<federation>.svc`, or `<namespace>.<federation>.svc`, in wire form without root. */
  #isBetween(labels: string): boolean {
    const svc = wireText('svc');
    const federation = wireText(this.#federation) + svc;
    if (labels === svc || labels === federation) return true;
    return this.#namespaces.has(labels);
  }

  #add(given: ZoneService): void {
    const service = foldService(given, { apex: this.apex, federation: this.#federation });
    if (service === undefined) return;
    this.#services.set(service.key, service);
    this.#byPrefix.set(service.prefix, service);
    for (const entry of service.names) this.#names.set(entry.name, entry);
    for (const entry of service.aliases) this.#addAlias(entry);
    for (const suffix of service.suffixes) this.#levels.count(suffix, 1);
    count(this.#namespaces, this.#namespaceOf(service.key), 1);
  }

  #remove(key: ServiceKey): void {
    const service = this.#services.get(key);
    if (service === undefined) return;
    this.#services.delete(key);
    this.#byPrefix.delete(service.prefix);
    for (const { name } of service.names) this.#names.delete(name);
    for (const entry of service.aliases) this.#removeAlias(entry);
    for (const suffix of service.suffixes) this.#levels.count(suffix, -1);
    count(this.#namespaces, this.#namespaceOf(key), -1);
  }

  #addAlias(entry: NameEntry): void {
    const others = this.#aliases.get(entry.name) ?? [];
    const all = [...others, entry].sort((a, b) => (a.owner.key < b.owner.key ? -1 : 1));
    this.#aliases.set(entry.name, all);
    for (const above of namesAbove(entry.name, this.apex)) count(this.#aboveAliases, above, 1);
  }

  #removeAlias(entry: NameEntry): void {
    const others = (this.#aliases.get(entry.name) ?? []).filter((each) => each !== entry);
    if (others.length === 0) this.#aliases.delete(entry.name);
    else this.#aliases.set(entry.name, others);
    for (const above of namesAbove(entry.name, this.apex)) count(this.#aboveAliases, above, -1);
  }

  #namespaceOf(key: ServiceKey): string {
    return wireText(`${splitServiceKey(key).namespace}.${this.#federation}.svc`);
  }
}

/** The fall-back names of `service` at every level where it has none of its own. */
export function* fallbacksOf(
  service: PublishedService,
  levels: readonly WireName[],
  apex: WireName,
): Generator<Fallback & { readonly name: WireName }> {
  const own = new Set<string>(service.names.map(({ name }) => name));
  for (const suffix of levels) {
    for (const head of ['', ...service.heads]) {
      const front = head + service.prefix;
      const name = (front + suffix) as WireName;
      if (own.has(name) || name.length > 255) continue;
      yield { name, ...fallbackAt(service, front, suffix, apex) };
    }
  }
}

/** Right below the apex are regions, and zones below those. */
function fallbackAt(
  { fallbackTtlSeconds }: PublishedService,
  front: string,
  suffix: WireName,
  apex: WireName,
): Fallback {
  const above = wireParent(suffix);
  const { region, zone } = fallbackTtlSeconds;
  return { parent: (front + above) as WireName, ttlSeconds: above === apex ? region : zone };
}

function* namesAbove(name: WireName, apex: WireName): Generator<WireName> {
  for (let at = wireParent(name); at !== apex && isWithin(at, apex); at = wireParent(at)) yield at;
}

function count<K>(counts: Map<K, number>, key: K, by: number): void {
  const next = (counts.get(key) ?? 0) + by;
  if (next === 0) counts.delete(key);
  else counts.set(key, next);
}
