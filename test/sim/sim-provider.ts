// A provider of public names beside the embedded zone, which half of the runs have: one zone that
// outlives every life of the coordinator, and whatever goes wrong on the way to it. What a life has
// sent arrives also when that life has ended; only nobody hears of it any more.

import { isthmusApiVersion, isthmusGroup } from '../../common/model/isthmus-kinds.ts';
import { toLogKey, toRevision } from '../../common/model/ids.ts';
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
import type { SeededChance } from './seeded-chance.ts';
import { SimProcess } from './sim-process.ts';
import type { SimDisk } from './sim-store.ts';
import type { Trace } from './trace.ts';

export const publicZone = 'public';
export const publicDomain = 'example.net';

const faults = ['down', 'denied', 'throttle', 'hang', 'lostAfter', 'lostBefore', 'late'] as const;
const latencyMs = 80;
const propagationMs = 5_000;

export interface SimProviderOptions {
  readonly clock: VirtualClock;
  readonly chance: SeededChance;
  readonly trace: Trace;
}

export class SimProvider {
  readonly zone: MemoryZone = createMemoryZone();
  /** Half of the runs have it. */
  readonly isThere: boolean;
  readonly #options: SimProviderOptions;
  #fault: ProviderFault | undefined;
  #share = 0;
  #isOver = false;

  constructor(options: SimProviderOptions) {
    this.#options = options;
    this.isThere = options.chance.isTrue(0.5);
  }

  /** As one life of the coordinator has it. */
  open(process: SimProcess): DnsProvider {
    const { clock, chance } = this.#options;
    const provider = createMemoryProvider(
      {
        clock,
        apex: publicDomain,
        latencyMs,
        propagationMs,
        fault: () => {
          if (this.#fault === undefined || !chance.isTrue(this.#share)) return undefined;
          if (this.#fault === 'late') {
            clock.after(chance.between(500, 30_000), () => void provider.release());
          }
          return this.#fault;
        },
      },
      this.zone,
    );
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

  /** From time to time something is wrong with it. */
  start(): void {
    if (!this.isThere) return;
    const { clock, chance, trace } = this.#options;
    clock.after(chance.between(2_000, 40_000), () => {
      if (this.#isOver) return;
      this.#fault = chance.pick(faults);
      this.#share = chance.pick([0.2, 0.5, 1]);
      trace.note(`fault provider ${this.#fault} ${this.#share}`);
      clock.after(chance.between(500, 30_000), () => {
        this.#fault = undefined;
        trace.note('fault provider over');
        this.start();
      });
    });
  }

  /** Nothing is wrong any more. */
  settle(): void {
    this.#isOver = true;
    this.#fault = undefined;
  }
}

/** The DNSZone, as a person has made it, and what was in the provider's zone before. */
export async function addPublicZone(
  disk: SimDisk,
  clock: VirtualClock,
  provider: SimProvider,
): Promise<void> {
  if (!provider.isThere) return;
  for (const set of strangers) provider.zone.names.set(set.name, [set]);
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

/** Of other people: none of them may ever change. */
export const strangers: readonly ZoneRecordSet[] = [
  { name: `www.${publicDomain}`, type: 'A', ttlSeconds: 300, values: ['192.0.2.80'] },
  { name: `mail.${publicDomain}`, type: 'MX', ttlSeconds: 300, values: ['10 mx.example.org'] },
];

/** What is not as the publications say; undefined when all is. */
export function findInProvider(disk: SimDisk, { zone, isThere }: SimProvider): string | undefined {
  if (!isThere) return undefined;
  const published = disk.objects('publications').flatMap((object) => {
    const publication = readPublication(object);
    return publication?.dnsZone === publicZone ? [publication] : [];
  });
  const wanted = published.flatMap(toZoneRecordSets).map(lineOf).sort();
  const names = [...zone.names.values()].flat().filter(isName).map(lineOf).sort();
  if (wanted.join() !== names.join()) {
    const missing = wanted.find((line) => !names.includes(line));
    const surplus = names.find((line) => !wanted.includes(line));
    return `the provider ${missing === undefined ? `still has ${surplus}` : `lacks ${missing}`}`;
  }
  const marked = [...zone.names.keys()].filter((name) => name.startsWith('_fedowner.')).length;
  const claimed = published.filter(({ recordSets }) => recordSets.length > 0).length;
  const recorded = disk.objects('dnsapplied').length;
  return marked === claimed && recorded === claimed
    ? undefined
    : `the provider has ${marked} marks and the log ${recorded} records of ${claimed} Services`;
}

function isName({ name, type }: ZoneRecordSet): boolean {
  return type !== 'TXT' && name.includes('.svc.');
}

function lineOf({ name, type, ttlSeconds, values }: ZoneRecordSet): string {
  return [name, type, ttlSeconds, ...values].join(' ');
}
