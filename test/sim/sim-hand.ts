// People who edit the provider's zone by hand, in some runs. They ask nobody, and nobody tells us:
// the applier finds what they did when it compares that Service's names. Nothing of it lasts longer
// than a minute or the end of the faults; then the zone has to become what is published.

import { toLogKey, toServiceKey, type ServiceKey } from '../../common/model/ids.ts';
import { isthmusGroup } from '../../common/model/isthmus-kinds.ts';
import { toGlobalName, toNamePrefix, toRegionName } from '../../common/pure/level-names.ts';
import { readPublication } from '../../common/pure/publication-object.ts';
import { splitZonedKey } from '../../coordinator/dns/apply/journal.ts';
import type { ZoneRecordSet } from '../../coordinator/dns/provider/provider.ts';
import type { MemoryZone } from '../support/dns/memory-provider.ts';
import type { VirtualClock } from '../support/virtual-clock.ts';
import type { SeededChance } from './seeded-chance.ts';
import { federation } from './sim-coordinator.ts';
import type { SimDisk } from './sim-store.ts';
import type { Trace } from './trace.ts';
import { namespace, serviceNames } from './user.ts';

export interface SimHandOptions {
  readonly clock: VirtualClock;
  readonly chance: SeededChance;
  readonly trace: Trace;
  readonly disk: SimDisk;
  readonly zone: MemoryZone;
  readonly zoneName: string;
  readonly domain: string;
  /** Sets of other people that were there before. */
  readonly neighbours: readonly ZoneRecordSet[];
  /** After each edit. */
  readonly onEdit: () => void;
}

const edits = [
  'changes a record',
  'deletes a record',
  'deletes a mark',
  'claims a mark',
  'deletes a Service',
  'replaces a record',
  'takes a name',
  'joins a name',
  'deletes the fence',
  'changes the fence',
] as const;

const regions = ['west', 'home'] as const;
const scopeKeys = serviceNames.map((name) => toServiceKey({ namespace, name }));

export class SimHand {
  readonly #options: SimHandOptions;
  /** What stands there by a hand: as foreign as any other, until the same hand removes it. */
  readonly #kept = new Set<ZoneRecordSet>();
  /** Services whose mark names another owner. */
  readonly #claimed = new Set<ServiceKey>();
  /** Names that a hand deleted, until they are there again: what leads to them is not our doing. */
  readonly #gone = new Set<string>();
  readonly #undos = new Set<() => void>();
  #lastEditMs = -Infinity;
  #isOver = false;

  constructor(options: SimHandOptions) {
    this.#options = options;
  }

  get kept(): ReadonlySet<ZoneRecordSet> {
    return this.#kept;
  }

  /** Monotonic. */
  lastEditMs(): number {
    return this.#lastEditMs;
  }

  /** A hand left a name without anything to lead to. */
  isGone(name: string): boolean {
    return this.#gone.has(name);
  }

  /** While it is so, nothing is written in the whole zone. */
  hasFence(): boolean {
    return [...this.#kept].some(({ name }) => name === this.#fenceName());
  }

  /** Somebody else has this Service's mark, or something that one of its names cannot stand with. */
  isBlocked(key: ServiceKey): boolean {
    if (this.#claimed.has(key)) return true;
    const inner = `${toNamePrefix(key, federation)}.`;
    const there = [...this.#kept].filter(({ name }) => name.startsWith(inner));
    if (there.some(({ type }) => type !== 'TXT')) return true;
    const aliases = there.length === 0 ? new Set() : this.#aliasesOf(key);
    return there.some(({ name }) => aliases.has(name));
  }

  start(): void {
    const { clock, chance } = this.#options;
    clock.after(chance.between(2_000, 25_000), () => {
      if (this.#isOver) return;
      this.#edit();
      this.start();
    });
  }

  /** What is foreign goes. */
  settle(): void {
    this.#isOver = true;
    for (const undo of this.#undos) undo();
  }

  /** The zone was changed by us. */
  noteChange(): void {
    for (const name of this.#gone) if (this.#leads(name)) this.#gone.delete(name);
  }

  #edit(): void {
    const { chance } = this.#options;
    const how = chance.pick(edits);
    const set = this.#pick(how);
    if (set === undefined) return;
    this.#options.trace.note(`hand ${how}: ${set.name} ${set.type}`);
    switch (how) {
      case 'changes a record':
        this.#put({ ...set, values: [set.type === 'A' ? '192.0.2.99' : elsewhere] });
        break;
      case 'deletes a record':
      case 'deletes a mark':
      case 'deletes the fence':
        this.#remove(set);
        break;
      case 'claims a mark':
        this.#claim(set);
        break;
      case 'deletes a Service':
        this.#clear(keyOf(set));
        break;
      case 'replaces a record':
        this.#remove(set);
        this.#keep(set.type === 'A' ? toSet(set.name, 'CNAME', elsewhere) : toA(set.name));
        break;
      case 'takes a name':
        this.#keep(set);
        break;
      case 'joins a name':
        this.#keep(toSet(set.name, 'TXT', 'verification=42'));
        break;
      case 'changes the fence':
        this.#remove(set);
        this.#keep(toSet(set.name, 'TXT', 'hello'));
        break;
    }
    this.#told();
  }

  #told(): void {
    this.#lastEditMs = this.#options.clock.monotonicMs();
    this.#options.onEdit();
  }

  /** What is edited, or about to stand there. */
  #pick(how: (typeof edits)[number]): ZoneRecordSet | undefined {
    const { chance, zone, neighbours } = this.#options;
    const others = new Set([...neighbours, ...this.#kept]);
    const ours = [...zone.names.values()].flat().filter((set) => !others.has(set));
    const oneOf = (sets: readonly ZoneRecordSet[]): ZoneRecordSet | undefined =>
      sets.length === 0 ? undefined : chance.pick(sets);
    const named = ours.filter(
      (set) => set.type !== 'TXT' && set.name.includes('.svc.') && !this.isBlocked(keyOf(set)),
    );
    switch (how) {
      case 'deletes the fence':
      case 'changes the fence':
        return ours.find(({ name }) => name === this.#fenceName());
      case 'deletes a mark':
      case 'claims a mark':
        return oneOf(
          ours.filter((set) => set.name.startsWith('_fedowner.') && !this.isBlocked(keyOf(set))),
        );
      case 'takes a name':
        return this.#pickFree();
      case 'joins a name':
        return oneOf(named.filter(({ name, type }) => type === 'A' && this.#isAlone(name)));
      case 'changes a record':
      case 'deletes a record':
      case 'deletes a Service':
      case 'replaces a record':
        return oneOf(named.filter(({ name }) => this.#isAlone(name)));
    }
  }

  /** A name that a Service of ours may want, and does not have yet. */
  #pickFree(): ZoneRecordSet | undefined {
    const { chance, domain, zone } = this.#options;
    const scope = { federation, domain };
    const recorded = new Set(this.#recorded().flatMap(({ names }) => names));
    const free = scopeKeys
      .filter((key) => !this.isBlocked(key))
      .flatMap((key) => [
        toGlobalName(key, scope),
        ...regions.map((region) => toRegionName(key, region, scope)),
      ])
      // What stands where a set of ours is recorded would be an edit of that.
      .filter((name) => !zone.names.has(name) && !recorded.has(name));
    if (free.length === 0) return undefined;
    const name = chance.pick(free);
    return chance.isTrue(0.5) ? toA(name) : toSet(name, 'TXT', 'verification=42');
  }

  #isAlone(name: string): boolean {
    return this.#options.zone.names.get(name)?.length === 1;
  }

  #put(set: ZoneRecordSet): void {
    const { names } = this.#options.zone;
    const others = names.get(set.name)?.filter(({ type }) => type !== set.type) ?? [];
    names.set(set.name, [...others, set]);
  }

  #remove({ name, type }: Pick<ZoneRecordSet, 'name' | 'type'>): void {
    const { names } = this.#options.zone;
    const wasLeading = this.#leads(name);
    const left = names.get(name)?.filter((other) => other.type !== type) ?? [];
    if (left.length === 0) names.delete(name);
    else names.set(name, left);
    if (wasLeading && !this.#leads(name)) this.#gone.add(name);
  }

  #leads(name: string): boolean {
    return this.#options.zone.names.get(name)?.some(({ type }) => type !== 'TXT') === true;
  }

  /** Puts something there that is not ours, for a while. */
  #keep(set: ZoneRecordSet): void {
    this.#put(set);
    this.#kept.add(set);
    this.#later(() => {
      this.#options.trace.note(`hand takes away ${set.name} ${set.type}`);
      this.#kept.delete(set);
      this.#remove(set);
    });
  }

  /** The mark is another's, until that one gives it back or leaves with all that is there. */
  #claim(mark: ZoneRecordSet): void {
    const theirs = { ...mark, values: ['v=1 fed=other id=somebody'] };
    const key = keyOf(mark);
    this.#put(theirs);
    this.#kept.add(theirs);
    this.#claimed.add(key);
    this.#later(() => {
      const how = this.#options.chance.pick(['puts back', 'deletes'] as const);
      this.#kept.delete(theirs);
      this.#claimed.delete(key);
      if (!this.#isRecorded(key)) {
        this.#options.trace.note(`hand leaves ${key}`);
        this.#clear(key); // we have given it up
        return;
      }
      this.#options.trace.note(`hand ${how} the mark of ${key}`);
      if (how === 'puts back') this.#put(mark);
      else this.#remove(mark);
    });
  }

  /** Everything that bears the Service's name and is not somebody's. */
  #clear(key: ServiceKey): void {
    const inner = `${toNamePrefix(key, federation)}.`;
    for (const set of [...this.#options.zone.names.values()].flat()) {
      const isIts = set.name.startsWith(inner) || set.name.startsWith(`_fedowner.${inner}`);
      if (isIts && !this.#kept.has(set)) this.#remove(set);
    }
  }

  #later(undo: () => void): void {
    const { clock, chance } = this.#options;
    const once = (): void => {
      if (!this.#undos.delete(once)) return;
      undo();
      this.#told();
    };
    this.#undos.add(once);
    clock.after(chance.between(2_000, 60_000), once);
  }

  #fenceName(): string {
    return `_fedfence.${federation}.${this.#options.domain}`;
  }

  #isRecorded(key: ServiceKey): boolean {
    return this.#recorded().some((one) => one.key === key);
  }

  /** What the applier knows to be ours, by Service. */
  #recorded(): readonly { readonly key: ServiceKey; readonly names: readonly string[] }[] {
    const { disk, zoneName } = this.#options;
    return disk.objects('dnsapplied').flatMap(({ metadata, spec }) => {
      const at = splitZonedKey(toLogKey({ ...appliedAt, ...metadata }));
      if (at?.dnsZone !== zoneName) return [];
      const { recordSets = [] } = (spec ?? {}) as { recordSets?: readonly ZoneRecordSet[] };
      return [{ key: at.service, names: recordSets.map(({ name }) => name) }];
    });
  }

  #aliasesOf(key: ServiceKey): ReadonlySet<string> {
    const { disk, zoneName } = this.#options;
    const published = disk.objects('publications').map(readPublication);
    const own = published.find((one) => one?.key === key && one.dnsZone === zoneName);
    return new Set(
      (own?.recordSets ?? []).flatMap(({ type, name }) => (type === 'CNAME' ? [name] : [])),
    );
  }
}

const appliedAt = { group: isthmusGroup, resource: 'dnsapplied' };
const elsewhere = 'elsewhere.example.org';

function toSet(name: string, type: string, value: string): ZoneRecordSet {
  return { name, type, ttlSeconds: 300, values: [value] };
}

function toA(name: string): ZoneRecordSet {
  return toSet(name, 'A', '192.0.2.42');
}

/** Of a name of ours, or of its mark. */
export function keyOf({ name }: Pick<ZoneRecordSet, 'name'>): ServiceKey {
  const [service = '', its = ''] = name.replace(/^_fedowner\./, '').split('.');
  return toServiceKey({ namespace: its, name: service });
}
