// A managed zone as Cloud DNS keeps it: what a change may be, what it does, and when it is served.
// Shared by the API (server.ts) and the name server (dns-view.ts) of the double.
//
//   - A change is all or nothing; every fault of it is told at once, each with its place.
//   - A deletion repeats TTL and data in the order in which they are kept.
//   - The API shows a change at once; name servers when it is `done`.

import { isIPv4, isIPv6 } from 'node:net';
import { toMicroTimestamp, type Clock } from '../../../../common/runtime/clock.ts';
import { isSameJson } from '../../../../common/pure/canonical-json.ts';

export interface StoredSet {
  readonly name: string;
  readonly type: string;
  readonly ttl: number;
  readonly rrdatas?: readonly string[];
  readonly routingPolicy?: StoredPolicy;
}

export interface StoredPolicy {
  readonly wrr?: {
    readonly items?: readonly { readonly weight?: number; readonly rrdatas?: readonly string[] }[];
  };
  readonly [other: string]: unknown;
}

export interface ApiFault {
  readonly code: number;
  readonly reason: string;
  readonly message: string;
}

export interface StoredChange {
  readonly id: string;
  readonly additions: readonly StoredSet[];
  readonly deletions: readonly StoredSet[];
  readonly startTime: string;
  status: 'pending' | 'done';
}

export interface CloudDnsQuotas {
  readonly rrsetAdditionsPerChange: number;
  readonly rrsetDeletionsPerChange: number;
  readonly totalRrdataSizePerChange: number;
  readonly resourceRecordsPerRrset: number;
  readonly rrsetsPerManagedZone: number;
  readonly itemsPerRoutingPolicy: number;
}

export const usualQuotas: CloudDnsQuotas = {
  rrsetAdditionsPerChange: 1000,
  rrsetDeletionsPerChange: 1000,
  totalRrdataSizePerChange: 100_000,
  resourceRecordsPerRrset: 100,
  rrsetsPerManagedZone: 10_000,
  itemsPerRoutingPolicy: 100,
};

type Sets = Map<string, Map<string, StoredSet>>;
type List = 'additions' | 'deletions';

export interface ZoneOptions {
  readonly dnsName: string;
  readonly quotas: CloudDnsQuotas;
  /** From accepted to served. */
  readonly lagMs: number;
  readonly clock: Clock;
}

export class StoredZone {
  readonly dnsName: string;
  readonly nameServers = ['a', 'b', 'c', 'd'].map((it) => `ns-cloud-${it}1.googledomains.com.`);
  readonly changes: StoredChange[] = [];
  readonly #options: ZoneOptions;
  readonly #sets: Sets = new Map();
  readonly #served: Sets = new Map();
  #count = 0;
  #sorted: readonly StoredSet[] | undefined;

  constructor(options: ZoneOptions) {
    this.#options = options;
    this.dnsName = options.dnsName;
    const soa = `${this.nameServers[0]} cloud-dns-hostmaster.google.com. 1 21600 3600 259200 300`;
    const apex: readonly StoredSet[] = [
      { name: this.dnsName, type: 'NS', ttl: 21_600, rrdatas: this.nameServers },
      { name: this.dnsName, type: 'SOA', ttl: 21_600, rrdatas: [soa] },
    ];
    for (const set of apex) {
      put(this.#sets, set);
      put(this.#served, set);
    }
    this.#count = apex.length;
    // As at the service, the zone's making is the first change.
    this.#note(apex, []).status = 'done';
  }

  /** By reversed labels, then type. */
  list(): readonly StoredSet[] {
    this.#sorted ??= [...this.#sets.values()]
      .flatMap((types) => [...types.values()])
      .map((set) => ({ set, key: `${reversed(set.name)} ${set.type}` }))
      .sort((a, b) => (a.key < b.key ? -1 : 1))
      .map(({ set }) => set);
    return this.#sorted;
  }

  at(name: string): readonly StoredSet[] {
    return [...(this.#sets.get(name.toLowerCase())?.values() ?? [])].sort((a, b) =>
      a.type < b.type ? -1 : 1,
    );
  }

  /** What name servers answer from. */
  servedAt(name: string): ReadonlyMap<string, StoredSet> | undefined {
    return this.#served.get(name.toLowerCase());
  }

  servesBelow(name: string): boolean {
    const suffix = `.${name.toLowerCase()}`;
    return [...this.#served.keys()].some((it) => it.endsWith(suffix));
  }

  /** Another hand: replaces what stands, by a change like any other. */
  replace(sets: readonly StoredSet[]): void {
    const deletions = sets.flatMap(({ name, type }) =>
      this.at(name).filter((found) => found.type === type),
    );
    this.mustChange(sets, deletions);
  }

  mustChange(additions: readonly StoredSet[], deletions: readonly StoredSet[]): StoredChange {
    // Made by hand and in bulk: the quotas of one change are not the point.
    const changed = this.#change(additions, deletions);
    if (Array.isArray(changed)) throw new Error(JSON.stringify(changed.slice(0, 3)));
    return changed as StoredChange;
  }

  /** The change, or every fault of it. */
  change(
    additions: readonly StoredSet[],
    deletions: readonly StoredSet[],
  ): StoredChange | readonly ApiFault[] {
    const quota = this.#checkQuota(additions, deletions);
    return quota === undefined ? this.#change(additions, deletions) : [quota];
  }

  #change(
    given: readonly StoredSet[],
    deletions: readonly StoredSet[],
  ): StoredChange | readonly ApiFault[] {
    const faults = [
      ...given.flatMap((set, index) => this.#checkForm(set, 'additions', index)),
      ...deletions.flatMap((set, index) => this.#checkForm(set, 'deletions', index)),
    ];
    if (faults.length > 0) return faults;
    const additions = given.map(normalise);
    const goes = new Set(deletions.map(keyOf));
    faults.push(
      ...deletions.flatMap((set, index) => this.#checkDeletion(set, index)),
      ...additions.flatMap((set, index) => this.#checkAddition(set, index, additions, goes)),
      ...this.#checkApex(additions, deletions),
    );
    if (faults.length > 0) return faults;
    for (const set of deletions) drop(this.#sets, set);
    for (const set of additions) put(this.#sets, set);
    this.#count += additions.length - deletions.length;
    this.#sorted = undefined;
    return this.#note(additions, deletions);
  }

  #note(additions: readonly StoredSet[], deletions: readonly StoredSet[]): StoredChange {
    const { clock, lagMs } = this.#options;
    const startTime = toMicroTimestamp(clock.now());
    const id = String(this.changes.length);
    const change: StoredChange = { id, additions, deletions, startTime, status: 'pending' };
    this.changes.push(change);
    const serve = (): void => {
      for (const set of deletions) drop(this.#served, set);
      for (const set of additions) put(this.#served, set);
      change.status = 'done';
    };
    // Of one zone, changes are served in order: each takes as long.
    if (lagMs === 0) serve();
    else clock.after(lagMs, serve);
    return change;
  }

  #checkQuota(
    additions: readonly StoredSet[],
    deletions: readonly StoredSet[],
  ): ApiFault | undefined {
    const { quotas } = this.#options;
    const say = (name: keyof CloudDnsQuotas): ApiFault => ({
      code: 403,
      reason: 'quotaExceeded',
      message: `The resource quota '${name}' of ${quotas[name]} would be exceeded.`,
    });
    if (additions.length > quotas.rrsetAdditionsPerChange) return say('rrsetAdditionsPerChange');
    if (deletions.length > quotas.rrsetDeletionsPerChange) return say('rrsetDeletionsPerChange');
    const bytes = [...additions, ...deletions].reduce((sum, set) => sum + dataSize(set), 0);
    if (bytes > quotas.totalRrdataSizePerChange) return say('totalRrdataSizePerChange');
    const count = this.#count + additions.length - deletions.length;
    return count > quotas.rrsetsPerManagedZone ? say('rrsetsPerManagedZone') : undefined;
  }

  #checkForm(set: StoredSet, list: List, index: number): readonly ApiFault[] {
    const { quotas } = this.#options;
    const at = `entity.change.${list}[${index}]`;
    const invalid = (field: string, value: unknown): readonly ApiFault[] => [
      { code: 400, reason: 'invalid', message: `Invalid value for '${at}.${field}': '${value}'` },
    ];
    if (!isName(set.name, this.dnsName)) return invalid('name', set.name);
    if (!types.has(set.type)) return invalid('type', set.type);
    if (!Number.isInteger(set.ttl) || set.ttl < 0) return invalid('ttl', set.ttl);
    const lists = set.routingPolicy?.wrr?.items?.map(({ rrdatas = [] }) => rrdatas);
    if ((set.rrdatas === undefined) === (set.routingPolicy === undefined)) {
      return invalid('rrdata', '<empty>');
    }
    if (lists !== undefined && lists.length > quotas.itemsPerRoutingPolicy) {
      return invalid('routingPolicy.wrr.items', lists.length);
    }
    for (const item of set.routingPolicy?.wrr?.items ?? []) {
      if (!((item.weight ?? 0) >= 0)) return invalid('routingPolicy.wrr.items.weight', item.weight);
    }
    for (const datas of lists ?? (set.rrdatas === undefined ? [] : [set.rrdatas])) {
      if (datas.length === 0) return invalid('rrdata', '<empty>');
      if (new Set(datas).size < datas.length) return invalid('rrdata', datas.join(' '));
      const bad = datas.find((data) => !isData(set.type, data));
      if (bad !== undefined) return invalid(`rrdata[${datas.indexOf(bad)}]`, bad);
      const isOneOnly = set.type === 'CNAME' || set.type === 'SOA';
      if (isOneOnly && datas.length > 1) return [onlyOne(at, set.type)];
      if (datas.length > quotas.resourceRecordsPerRrset) return invalid('rrdata', datas.length);
    }
    return [];
  }

  #checkDeletion(set: StoredSet, index: number): readonly ApiFault[] {
    const at = `entity.change.deletions[${index}]`;
    const kept = this.#sets.get(set.name.toLowerCase())?.get(set.type);
    if (kept === undefined) {
      const message = `The '${at}' resource named '${set.name} (${set.type})' does not exist.`;
      return [{ code: 404, reason: 'notFound', message }];
    }
    if (isSameJson(comparable(kept), comparable(set))) return [];
    const message = `Precondition not met for '${at}'`;
    return [{ code: 412, reason: 'conditionNotMet', message }];
  }

  #checkAddition(
    set: StoredSet,
    index: number,
    additions: readonly StoredSet[],
    goes: ReadonlySet<string>,
  ): readonly ApiFault[] {
    const at = `entity.change.additions[${index}]`;
    const standing = this.at(set.name).filter((found) => !goes.has(keyOf(found)));
    const isDouble = additions.some((other, nth) => nth < index && keyOf(other) === keyOf(set));
    if (isDouble || standing.some(({ type }) => type === set.type)) {
      const message = `The resource '${at}' named '${set.name} (${set.type})' already exists`;
      return [{ code: 409, reason: 'alreadyExists', message }];
    }
    const others = [...standing, ...sameName(additions, set)].filter(
      ({ type }) => type !== set.type && (type === 'CNAME' || set.type === 'CNAME'),
    );
    const [other] = others;
    if (other === undefined) return [];
    const message =
      `The resource record set 'entity.change.additions[${set.name}][${set.type}]' is invalid ` +
      `because the DNS name '${set.name}' has a resource record set of the type '${other.type}'. ` +
      'A DNS name may have either one CNAME resource record set or resource record sets of other ' +
      'types, but not both.';
    return [{ code: 400, reason: 'cnameResourceRecordSetConflict', message }];
  }

  #checkApex(additions: readonly StoredSet[], deletions: readonly StoredSet[]): ApiFault[] {
    const comes = new Set(additions.map(keyOf));
    return deletions.flatMap((set, index) => {
      const isNeeded = set.name === this.dnsName && (set.type === 'SOA' || set.type === 'NS');
      if (!isNeeded || comes.has(keyOf(set))) return [];
      const message =
        `The resource record set 'entity.change.deletions[${index}]' is invalid because a zone ` +
        `must contain exactly one resource record set of the type '${set.type}' at the apex.`;
      return [{ code: 400, reason: 'invalidZoneApex', message }];
    });
  }
}

const types = new Set('A AAAA CAA CNAME MX NAPTR NS PTR SOA SPF SRV TXT'.split(' '));

function onlyOne(at: string, type: string): ApiFault {
  const message =
    `The resource record set '${at}' is only permitted to have one record because it is of the ` +
    `type '${type}'.`;
  return { code: 400, reason: 'invalidRecordCount', message };
}

/** Additions of one name, found once for a change: a change may hold a thousand. */
const namesOf = new WeakMap<readonly StoredSet[], Map<string, StoredSet[]>>();

function sameName(additions: readonly StoredSet[], { name }: StoredSet): readonly StoredSet[] {
  let names = namesOf.get(additions);
  if (names === undefined) {
    names = new Map();
    for (const set of additions) names.set(set.name, [...(names.get(set.name) ?? []), set]);
    namesOf.set(additions, names);
  }
  return names.get(name) ?? [];
}

function isName(name: string, dnsName: string): boolean {
  if (typeof name !== 'string' || name.length > 254) return false;
  const lower = name.toLowerCase();
  if (lower !== dnsName && !lower.endsWith(`.${dnsName}`)) return false;
  return lower
    .slice(0, -1)
    .split('.')
    .every((label) => /^(\*|[a-z0-9_-]{1,63})$/.test(label));
}

function isData(type: string, data: string): boolean {
  switch (type) {
    case 'A':
      return isIPv4(data);
    case 'AAAA':
      return isIPv6(data);
    case 'CNAME':
    case 'NS':
    case 'PTR':
      return /^[^\s]+\.$/.test(data);
    case 'MX':
      return /^\d+ [^\s]+\.$/.test(data);
    case 'SRV':
      return /^\d+ \d+ \d+ [^\s]+\.$/.test(data);
    default:
      return data !== '';
  }
}

/** Names in lower case; texts without quotes in quotes, a string for each word. */
function normalise(set: StoredSet): StoredSet {
  const name = set.name.toLowerCase();
  const { routingPolicy, rrdatas } = set;
  if (routingPolicy !== undefined) return { ...set, name, routingPolicy };
  const quoted = (data: string): string =>
    data.startsWith('"')
      ? data
      : data
          .split(/\s+/)
          .map((word) => `"${word}"`)
          .join(' ');
  return {
    ...set,
    name,
    rrdatas: set.type === 'TXT' ? (rrdatas ?? []).map(quoted) : (rrdatas ?? []),
  };
}

function comparable({ name, type, ttl, rrdatas, routingPolicy }: StoredSet): object {
  const policy = JSON.parse(
    JSON.stringify(routingPolicy ?? null, (key, value: unknown) =>
      key === 'kind' ? undefined : value,
    ),
  ) as unknown;
  return { name: name.toLowerCase(), type, ttl, rrdatas, policy };
}

function dataSize({ rrdatas = [], routingPolicy }: StoredSet): number {
  const lists = routingPolicy?.wrr?.items?.map((item) => item.rrdatas ?? []) ?? [rrdatas];
  return lists.flat().reduce((sum, data) => sum + data.length, 0);
}

function keyOf({ name, type }: StoredSet): string {
  return `${name.toLowerCase()} ${type}`;
}

function reversed(name: string): string {
  return name.split('.').reverse().join('\u0000');
}

function put(sets: Sets, set: StoredSet): void {
  const found = sets.get(set.name) ?? new Map<string, StoredSet>();
  found.set(set.type, set);
  sets.set(set.name, found);
}

function drop(sets: Sets, { name, type }: StoredSet): void {
  const found = sets.get(name.toLowerCase());
  found?.delete(type);
  if (found?.size === 0) sets.delete(name.toLowerCase());
}
