// A provider of public names beside the embedded zone, which half of the runs have: one zone that
// outlives every life of the coordinator, and whatever goes wrong on the way to it. What a life has
// sent arrives also when that life has ended; only nobody hears of it any more.

import { isthmusApiVersion, isthmusGroup } from '../../common/model/isthmus-kinds.ts';
import { toLogKey, toRevision, toServiceKey, type ServiceKey } from '../../common/model/ids.ts';
import { toGlobalName } from '../../common/pure/level-names.ts';
import { readPublication } from '../../common/pure/publication-object.ts';
import { toTimestamp } from '../../common/runtime/clock.ts';
import { silentLog } from '../../common/runtime/log.ts';
import { silentMetrics } from '../../common/runtime/metrics.ts';
import { toZoneRecordSets } from '../../coordinator/dns/apply/zone-records.ts';
import type { DnsProvider, ZoneRecordSet } from '../../coordinator/dns/provider/provider.ts';
import { createDesired } from '../../coordinator/desired/desired-log.ts';
import {
  createMemoryProvider,
  createMemoryZone,
  type MemoryZone,
  type ProviderFault,
} from '../support/dns/memory-provider.ts';
import type { VirtualClock } from '../support/virtual-clock.ts';
import { isProviderBug, plantInProvider, type ProviderBug } from './provider-plants.ts';
import type { SeededChance } from './seeded-chance.ts';
import { federation } from './sim-coordinator.ts';
import { keyOf, SimHand } from './sim-hand.ts';
import { SimProcess } from './sim-process.ts';
import type { SimDisk } from './sim-store.ts';
import type { Trace } from './trace.ts';
import { namespace } from './user.ts';

export const publicZone = 'public';
export const publicDomain = 'example.net';

const faults = [
  'down',
  'denied',
  'throttle',
  'hang',
  'lostAfter',
  'lostBefore',
  'late',
  'slow',
] as const;
const latencyMs = 80;
/** Of a slow one. */
const slowMs = 6_000;
const propagationMs = 5_000;
/** Such runs take ten minutes more, until all is compared. */
const editedPart = 0.15;

export interface SimProviderOptions {
  readonly clock: VirtualClock;
  readonly chance: SeededChance;
  readonly trace: Trace;
  readonly disk: SimDisk;
  readonly bug?: string | undefined;
  /** Hands edit it whatever the seed says. */
  readonly isEdited?: boolean | undefined;
}

type Listener = (by: string) => void;

export class SimProvider {
  readonly zone: MemoryZone = createMemoryZone();
  /** Half of the runs have it. */
  readonly isThere: boolean;
  /** In some of those people edit the zone by hand. */
  readonly isEdited: boolean;
  readonly hand: SimHand;
  readonly #neighbours: readonly ZoneRecordSet[];
  readonly #options: SimProviderOptions;
  readonly #bug: ProviderBug | undefined;
  readonly #listeners: Listener[] = [];
  readonly #edited: (() => void)[] = [];
  #fault: ProviderFault | 'slow' | undefined;
  #lastTroubleMs = 0;
  #share = 0;
  #isOver = false;

  constructor(options: SimProviderOptions) {
    this.#options = options;
    this.#bug = isProviderBug(options.bug) ? options.bug : undefined;
    const isPicked = options.chance.isTrue(0.5);
    this.isThere = isPicked || this.#bug !== undefined || options.isEdited === true;
    const isSquatted = options.chance.isTrue(0.25) || this.#bug === 'provider-overwrites';
    this.#neighbours = isSquatted ? [...neighbours, squatter] : neighbours;
    const chance = options.chance.fork('hand');
    const isHandPicked = this.isThere && this.#bug === undefined && chance.isTrue(editedPart);
    this.isEdited = isHandPicked || options.isEdited === true;
    this.hand = new SimHand({
      ...options,
      chance,
      zone: this.zone,
      zoneName: publicZone,
      domain: publicDomain,
      neighbours: this.#neighbours,
      onEdit: () => this.#edited.forEach((listener) => listener()),
    });
  }

  /** Sets of other people: none of them may ever change. */
  get strangers(): readonly ZoneRecordSet[] {
    return [...this.#neighbours, ...this.hand.kept];
  }

  /** Nothing of it can be written as long as that stands. */
  isBlocked(key: ServiceKey): boolean {
    const isSquatted = key === squattedKey && this.#neighbours.includes(squatter);
    return isSquatted || this.hand.isBlocked(key);
  }

  /** Called after each edit by hand. */
  onEdit(listener: () => void): void {
    this.#edited.push(listener);
  }

  /** Called after each change with the life of the coordinator whose request made it. */
  onChange(listener: Listener): void {
    this.#listeners.push(listener);
  }

  /** Monotonic: now while something is wrong with it, else when that ended. */
  lastTroubleMs(): number {
    const isFine = this.#fault === undefined && !this.hand.hasFence();
    return isFine ? this.#lastTroubleMs : this.#options.clock.monotonicMs();
  }

  /** As one life of the coordinator has it. */
  open(process: SimProcess): DnsProvider {
    const { clock } = this.#options;
    const onChange = (): void => {
      this.hand.noteChange();
      for (const listener of this.#listeners) listener(process.name);
    };
    const zone = { ...this.zone, onChange };
    const latency = (): number => (this.#fault === 'slow' ? slowMs : latencyMs);
    const provider = createMemoryProvider(
      {
        clock,
        apex: publicDomain,
        get latencyMs() {
          return latency();
        },
        propagationMs,
        fault: () => this.#strike(() => void provider.release()),
      },
      zone,
    );
    return this.#guarded(plantInProvider(provider, zone, this.#bug), process);
  }

  start(): void {
    if (!this.isThere) return;
    this.#startFaults();
    if (this.isEdited) this.hand.start();
  }

  /** From time to time something is wrong with it. */
  #startFaults(): void {
    const { clock, chance, trace } = this.#options;
    clock.after(chance.between(2_000, 40_000), () => {
      if (this.#isOver) return;
      this.#fault = this.#bug === 'provider-unfenced' ? 'late' : chance.pick(faults);
      this.#share = chance.pick([0.2, 0.5, 1]);
      trace.note(`fault provider ${this.#fault} ${this.#share}`);
      clock.after(chance.between(500, 30_000), () => {
        this.#heal();
        trace.note('fault provider over');
        this.#startFaults();
      });
    });
  }

  /** Nothing is wrong any more. */
  settle(): void {
    this.#isOver = true;
    this.#heal();
    this.hand.settle();
  }

  #heal(): void {
    if (this.#fault !== undefined) this.#lastTroubleMs = this.#options.clock.monotonicMs();
    this.#fault = undefined;
  }

  /** What becomes of the next request. */
  #strike(release: () => void): ProviderFault | undefined {
    const { clock, chance } = this.#options;
    const fault = this.#fault;
    if (fault === undefined || fault === 'slow' || !chance.isTrue(this.#share)) return undefined;
    if (fault === 'late') clock.after(chance.between(500, 30_000), release);
    return fault;
  }

  #guarded(provider: DnsProvider, process: SimProcess): DnsProvider {
    return {
      ...provider,
      describe: (options) => process.guard(provider.describe(options)),
      read: (names, options) => process.guard(provider.read(names, options)),
      list: (options) => process.guard(provider.list(options)),
      apply: (batch, options) => process.guard(provider.apply(batch, options)),
      observe: (change, options) => process.guard(provider.observe(change, options)),
      close: () => Promise.resolve(),
    };
  }
}

/** The DNSZone, as a person has made it, and what was in the provider's zone before. */
export async function addPublicZone(
  disk: SimDisk,
  clock: VirtualClock,
  provider: SimProvider,
): Promise<void> {
  if (!provider.isThere) return;
  for (const set of provider.strangers) provider.zone.names.set(set.name, [set]);
  const setup = new SimProcess('setup', clock);
  const desired = await createDesired({
    store: disk.open(setup),
    clock,
    log: silentLog,
    metrics: silentMetrics,
  });
  const object = {
    apiVersion: isthmusApiVersion,
    kind: 'DNSZone',
    metadata: {
      name: publicZone,
      uid: `uid-of-${publicZone}`,
      creationTimestamp: toTimestamp(clock.now()),
      generation: 1,
    },
    spec: {
      domain: publicDomain,
      provider: 'Route53',
      route53: { hostedZoneId: 'Z0' },
      // Two of three clusters may be lost in a run: that the fuse holds it has tests of its own.
      massChange: { percent: 100 },
    },
  };
  const key = toLogKey({ group: isthmusGroup, resource: 'dnszones', name: publicZone });
  await desired.write({ key, object, expected: toRevision(0) });
  await desired.close();
}

const neighbours: readonly ZoneRecordSet[] = [
  { name: `www.${publicDomain}`, type: 'A', ttlSeconds: 300, values: ['192.0.2.80'] },
  { name: `mail.${publicDomain}`, type: 'MX', ttlSeconds: 300, values: ['10 mx.example.org'] },
];

const squattedKey = toServiceKey({ namespace, name: 'mail' });

/** Where a Service of ours would have its name: it gets none in this zone. */
const squatter: ZoneRecordSet = {
  name: toGlobalName(squattedKey, { federation, domain: publicDomain }),
  type: 'A',
  ttlSeconds: 300,
  values: ['192.0.2.81'],
};

export interface ProviderDifference {
  readonly missing: readonly string[];
  readonly surplus: readonly string[];
  /** Services that have names there. */
  readonly claimed: number;
}

/** What the zone lacks of what is published, and has beyond it. */
export function compareProvider(disk: SimDisk, provider: SimProvider): ProviderDifference {
  const strangers = new Set(provider.strangers);
  const published = disk.objects('publications').flatMap((object) => {
    const publication = readPublication(object);
    if (publication?.dnsZone !== publicZone) return [];
    return provider.isBlocked(publication.key) ? [] : [publication];
  });
  const wanted = new Set(published.flatMap(toZoneRecordSets).map(lineOf));
  const sets = [...provider.zone.names.values()].flat().filter((set) => !strangers.has(set));
  const ours = sets.filter((set) => isName(set) && !provider.isBlocked(keyOf(set)));
  const standing = new Set(ours.map(lineOf));
  return {
    missing: [...wanted].filter((line) => !standing.has(line)).sort(),
    surplus: [...standing].filter((line) => !wanted.has(line)).sort(),
    claimed: published.filter(({ recordSets }) => recordSets.length > 0).length,
  };
}

/** What is not as the publications say; undefined when all is. */
export function findInProvider(disk: SimDisk, provider: SimProvider): string | undefined {
  if (!provider.isThere) return undefined;
  const { missing, surplus, claimed } = compareProvider(disk, provider);
  if (missing.length > 0) return `the provider lacks ${missing[0]}`;
  if (surplus.length > 0) return `the provider still has ${surplus[0]}`;
  const marks = [...provider.zone.names.keys()].filter((name) => name.startsWith('_fedowner.'));
  const recorded = disk.objects('dnsapplied').length;
  return marks.length === claimed && recorded === claimed
    ? undefined
    : `the provider has ${marks.length} marks and the log ${recorded} records of ${claimed} Services`;
}

function isName({ name, type }: ZoneRecordSet): boolean {
  return type !== 'TXT' && name.includes('.svc.');
}

function lineOf({ name, type, ttlSeconds, values, member }: ZoneRecordSet): string {
  const weighed = member === undefined ? [] : [member.id, member.weight];
  return [name, type, ...weighed, ttlSeconds, ...values].join(' ');
}
