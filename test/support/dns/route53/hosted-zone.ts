// One hosted zone: what stands in it, whole batches or nothing, and what DNS serves of it meanwhile.
// The rules and texts are those of the service's documentation and of errors that users reported.

import type { Clock } from '../../../../common/runtime/clock.ts';
import { listKey, nameFault } from './names.ts';
import { isSameSet, policyOf, valueFaults, type StoredSet } from './record-set.ts';

export interface ZoneChange {
  readonly action: 'CREATE' | 'DELETE' | 'UPSERT';
  readonly set: StoredSet;
  readonly writtenName: string;
}

export interface HostedZoneOptions {
  readonly id: string;
  /** With the trailing dot. */
  readonly name: string;
  readonly nameServers: readonly string[];
  readonly clock: Clock;
  readonly recordSetsMax: number;
  /** From a change to the moment at which every server has it. */
  readonly propagationMs: number;
}

export interface ListCursor {
  readonly name?: string;
  readonly type?: string;
  readonly identifier?: string;
}

const weightedMax = 100;
const recordsMax = 1000;
const charactersMax = 32_000;

export class HostedZone {
  readonly options: HostedZoneOptions;
  /** Answers within VPCs alone. */
  isPrivate = false;
  readonly #sets = new Map<string, readonly StoredSet[]>();
  /** List keys of the names that have sets. */
  readonly #order: string[] = [];
  readonly #nameOf = new Map<string, string>();
  readonly #served = new Map<string, readonly StoredSet[]>();
  #count = 0;

  constructor(options: HostedZoneOptions) {
    this.options = options;
    const { name, nameServers } = options;
    const soa = `${nameServers[0] ?? ''}. awsdns-hostmaster.amazon.com. 1 7200 900 1209600 86400`;
    for (const set of [
      { name, type: 'NS', routing: [], ttl: 172_800, values: nameServers.map((n) => `${n}.`) },
      { name, type: 'SOA', routing: [], ttl: 900, values: [soa] },
    ]) {
      this.#write(name, [...this.at(name), set]);
    }
    this.#served.set(name, this.at(name));
  }

  get size(): number {
    return this.#count;
  }

  at(name: string): readonly StoredSet[] {
    return this.#sets.get(name) ?? [];
  }

  /** What DNS answers from. */
  servedAt(name: string): readonly StoredSet[] {
    return this.#served.get(name) ?? [];
  }

  all(): readonly StoredSet[] {
    return this.#order.flatMap((key) => this.at(this.#nameOf.get(key) ?? ''));
  }

  /** Faults, of which one is enough that nothing was changed; or none. */
  change(changes: readonly ZoneChange[], onServed: () => void): readonly string[] {
    const limits = limitFaults(changes);
    if (limits.length > 0) return limits;
    const before = new Map<string, readonly StoredSet[]>();
    const faults: string[] = [];
    for (const change of changes) {
      const { name } = change.set;
      if (!before.has(name)) before.set(name, this.at(name));
      faults.push(...this.#applyOne(change));
    }
    if (this.#count > this.options.recordSetsMax) {
      const limit = this.options.recordSetsMax;
      faults.push(
        `Limits Exceeded: MAX_RRSETS_BY_ZONE=${limit} - Cannot create more than ${limit}`,
      );
    }
    if (faults.length > 0) {
      for (const [name, sets] of before) this.#write(name, sets);
      return faults;
    }
    const after = [...before.keys()].map((name) => [name, this.at(name)] as const);
    this.options.clock.after(this.options.propagationMs, () => {
      for (const [name, sets] of after) this.#served.set(name, sets);
      onServed();
    });
    return [];
  }

  /** From `cursor` on, in order. */
  list(cursor: ListCursor, setsMax: number): readonly StoredSet[] {
    const key = cursor.name === undefined ? '' : listKey(cursor.name);
    const sets: StoredSet[] = [];
    for (let at = this.#indexOf(key); at < this.#order.length && sets.length < setsMax; at += 1) {
      const here = this.#order[at] ?? '';
      for (const set of this.at(this.#nameOf.get(here) ?? '')) {
        if (here === key && isBeforeCursor(set, cursor)) continue;
        if (sets.length < setsMax) sets.push(set);
      }
    }
    return sets;
  }

  #applyOne({ action, set, writtenName }: ZoneChange): readonly string[] {
    const here = this.at(set.name);
    const same = here.find((each) => isSameIdentity(each, set));
    const who = sayWho(set);
    if (action === 'DELETE') {
      if (same === undefined)
        return [`Tried to delete resource record set ${who} but it was not found`];
      if (!isSameSet(same, set)) {
        return [
          `Tried to delete resource record set ${who} but the values provided do not match the current values`,
        ];
      }
      const apex = this.#apexFault(set);
      if (apex !== undefined) return [apex];
      this.#write(
        set.name,
        here.filter((each) => each !== same),
      );
      return [];
    }
    const fault = nameFault(writtenName);
    if (fault !== undefined) return [fault];
    if (action === 'CREATE' && same !== undefined) {
      return [`Tried to create resource record set ${who} but it already exists`];
    }
    const others = here.filter((each) => each !== same);
    const faults = [...this.#placeFaults(set), ...neighbourFaults(set, others, this.options.name)];
    faults.push(...valueFaults(set));
    if (faults.length === 0) this.#write(set.name, [...others, set]);
    return faults;
  }

  #apexFault({ name, type }: StoredSet): string | undefined {
    if (name !== this.options.name) return undefined;
    if (type === 'SOA') return 'A HostedZone must contain exactly one SOA record.';
    if (type === 'NS')
      return 'A HostedZone must contain at least one NS record for the zone itself.';
    return undefined;
  }

  #placeFaults({ name, type }: StoredSet): readonly string[] {
    const apex = this.options.name;
    const isWithin = name === apex || name.endsWith(`.${apex}`);
    if (!isWithin) return [`RRSet with DNS name ${name} is not permitted in zone ${apex}`];
    if (type === 'CNAME' && name === apex) {
      return [`RRSet of type CNAME with DNS name ${name} is not permitted at apex in zone ${apex}`];
    }
    return [];
  }

  #write(name: string, sets: readonly StoredSet[]): void {
    const before = this.at(name);
    this.#count += sets.length - before.length;
    const key = listKey(name);
    if (sets.length === 0) {
      this.#sets.delete(name);
      if (before.length > 0) this.#order.splice(this.#indexOf(key), 1);
      this.#nameOf.delete(key);
      return;
    }
    this.#sets.set(name, sets.toSorted(byTypeAndIdentifier));
    if (before.length > 0) return;
    this.#nameOf.set(key, name);
    this.#order.splice(this.#indexOf(key), 0, key);
  }

  /** Of the first key that is not before `key`. */
  #indexOf(key: string): number {
    let [low, high] = [0, this.#order.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#order[middle] ?? '') < key) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function limitFaults(changes: readonly ZoneChange[]): readonly string[] {
  let [records, characters] = [0, 0];
  for (const { action, set } of changes) {
    const times = action === 'UPSERT' ? 2 : 1;
    records += times * Math.max(1, set.values.length);
    characters += times * set.values.reduce((sum, value) => sum + value.length, 0);
  }
  return [
    ...(records > recordsMax ? [`Number of records limit of ${recordsMax} exceeded.`] : []),
    ...(characters > charactersMax ? [`RDATA character limit of ${charactersMax} exceeded.`] : []),
  ];
}

function neighbourFaults(
  set: StoredSet,
  others: readonly StoredSet[],
  zone: string,
): readonly string[] {
  const { name, type, setIdentifier, alias } = set;
  const siblings = others.filter((each) => each.type === type);
  const policy = policyOf(set);
  const faults: string[] = [];
  if (type === 'CNAME' && others.some((each) => each.type !== 'CNAME')) {
    faults.push(
      `RRSet with DNS name ${name}, type CNAME cannot be created as other RRSets exist with the same name and type.`,
    );
  }
  if (type !== 'CNAME' && others.some((each) => each.type === 'CNAME')) {
    faults.push(
      `RRSet of type ${type} with DNS name ${name} is not permitted because a conflicting RRSet of type  CNAME with the same DNS name already exists in zone ${zone}.`,
    );
  }
  const [other] = siblings;
  if (other !== undefined && policyOf(other) !== policy) {
    const id = setIdentifier === undefined ? '' : `, SetIdentifier ${setIdentifier}`;
    const kind = policyOf(other) === 'simple' ? `non-${policy}` : policyOf(other);
    faults.push(
      `RRSet with DNS name ${name}, type ${type}${id} cannot be created as a ${kind} set exists with the same name and type.`,
    );
  }
  if (policy === 'multivalueanswer' && alias !== undefined) {
    faults.push(`RRSet with DNS name ${name}, type ${type} multivalue answer cannot be an alias.`);
  }
  if (policy === 'weighted' && siblings.length >= weightedMax) {
    faults.push(
      `Exceeded limit on number of weighted RRSets for ${name}, type ${type} in this zone.`,
    );
  }
  return faults;
}

function isSameIdentity(a: StoredSet, b: StoredSet): boolean {
  return a.name === b.name && a.type === b.type && a.setIdentifier === b.setIdentifier;
}

function sayWho({ name, type, setIdentifier }: StoredSet): string {
  const id = setIdentifier === undefined ? '' : `, set identifier='${setIdentifier}'`;
  return `[name='${name}', type='${type}'${id}]`;
}

function byTypeAndIdentifier(a: StoredSet, b: StoredSet): number {
  const [left, right] = [sortText(a), sortText(b)];
  return left < right ? -1 : left > right ? 1 : 0;
}

function sortText({ type, setIdentifier }: StoredSet): string {
  return `${type}\0${setIdentifier ?? ''}`;
}

function isBeforeCursor(set: StoredSet, { type, identifier }: ListCursor): boolean {
  if (type === undefined) return false;
  if (set.type !== type) return set.type < type;
  return identifier !== undefined && (set.setIdentifier ?? '') < identifier;
}
