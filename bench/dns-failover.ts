// What a failover costs at a DNS provider: the applier with AWS's own SDK at our double of Route 53,
// all in this process. Requests for many names; how soon a withdrawal leaves behind queued edits;
// one change in a small zone and in a large one. Only counts and ratios mean anything elsewhere.

import { setTimeout as wait } from 'node:timers/promises';
import type { DnsZoneState, DnsZoneView } from '../common/model/views.ts';
import { toPublicationKey, toPublicationObject } from '../common/pure/publication-object.ts';
import { systemChance } from '../common/runtime/chance.ts';
import { systemClock } from '../common/runtime/clock.ts';
import type { Lifecycle } from '../common/runtime/lifecycle.ts';
import { silentLog } from '../common/runtime/log.ts';
import { silentMetrics } from '../common/runtime/metrics.ts';
import { acquireTerm } from '../coordinator/desired/term.ts';
import { createDnsApplier } from '../coordinator/dns/apply/loop.ts';
import { openRoute53 } from '../coordinator/dns/provider/route53.ts';
import {
  domain,
  federation,
  ownerId,
  regionName,
  serviceKey,
  toPublication,
  type ShardSketch,
} from '../test/support/dns/apply-world.ts';
import { openLog } from '../test/support/dns-fixtures.ts';
import {
  openRoute53Double,
  testKeys,
  type Route53Double,
} from '../test/support/dns/route53/double.ts';
import type { HostedZone } from '../test/support/dns/route53/hosted-zone.ts';
import { noteConditions, type Report } from './report.ts';
import { toNumberSetting, type BenchDefinition } from './settings.ts';
import { summarize } from './statistics.ts';

const east = { cluster: 'east', ip: '203.0.113.1' };
const west = { cluster: 'west', ip: '203.0.113.2' };
const goneWest = { ...west, state: 'dead' } as const;
const withinMs = 600_000;
/** Changes before those that count: an even number, and code is compiled by then. */
const warmUps = 10;

export const dnsFailover: BenchDefinition = {
  name: 'dns-failover',
  summary: 'What a failover costs at a DNS provider, in requests and beside queued edits.',
  settings: [
    toNumberSetting('names', 1_000, [2, 20_000], 'Names that lose a region at once.'),
    toNumberSetting('edits', 10_000, [0, 50_000], 'Edits that are queued before a withdrawal.'),
    toNumberSetting('records', 500_000, [500, 1_000_000], 'Records of the large zone.'),
    toNumberSetting('rounds', 10, [1, 100], 'Changes in each zone.'),
  ],
  measure: async (values, { say, lifecycle }) => {
    const conditions = noteConditions(systemClock);
    const number = (name: string): number => values.number(name) ?? 0;
    say('moving names');
    const moved = await measureMove(number('names'), lifecycle);
    say('withdrawing behind queued edits');
    const queued = await measureWithdrawal(number('edits'), true, lifecycle);
    const written = await measureWithdrawal(number('edits'), false, lifecycle);
    say('changing a small and a large zone');
    await measureZone(500, number('rounds'), lifecycle); // code is compiled for both alike
    const small = await measureZone(500, number('rounds'), lifecycle);
    const large = await measureZone(number('records'), number('rounds'), lifecycle);
    return toReport(
      { moved, queued, written, small, large },
      values.number.bind(values),
      conditions(),
    );
  },
};

interface World {
  readonly double: Route53Double;
  readonly zone: HostedZone;
  put(at: number, shards: readonly ShardSketch[]): Promise<void>;
  /** Until the first Services have records of this type at the region that fails. */
  stands(services: number, type: 'A' | 'CNAME'): Promise<void>;
  pending(): number;
  freeze(isFrozen: boolean): void;
  close(): Promise<void>;
}

/** As AWS throttles, 10 requests a second and 50 at once, and about as far away as it is. */
const latencyMs = 100;

async function openWorld(lifecycle: Lifecycle, recordSetsMax = 1_500_000): Promise<World> {
  const double = await openRoute53Double({ recordSetsMax, latencyMs });
  const zone = double.addZone(domain);
  const provider = openRoute53({
    hostedZoneId: zone.options.id,
    endpoint: double.endpoint,
    credentials: testKeys,
    clock: systemClock,
    log: silentLog,
  });
  const log = await openLog();
  const listeners = new Set<Parameters<DnsZoneView['subscribe']>[0]>();
  let state: DnsZoneState = {
    name: domain,
    uid: 'uid',
    generation: 1,
    spec: { domain, provider: 'Route53', massChange: { recordSets: 1_000_000, percent: 100 } },
    isDeleting: false,
    isPublishing: true,
  };
  const applier = createDnsApplier({
    desired: log.desired,
    term: await acquireTerm({ desired: log.desired, holder: 'bench' }),
    zones: {
      zones: () => [state],
      zone: (name) => (name === domain ? state : undefined),
      zonesOf: () => [domain],
      subscribe: (listener) => {
        listeners.add(listener);
        return () => void listeners.delete(listener);
      },
    },
    providers: { provider: () => provider, subscribe: () => () => undefined },
    federation,
    ownerId,
    recorder: { record: () => undefined },
    clock: systemClock,
    chance: systemChance,
    log: silentLog,
    metrics: silentMetrics,
  });
  let closing: Promise<void> | undefined;
  const close = (): Promise<void> =>
    (closing ??= (async () => {
      await applier.stop();
      await provider.close();
      await double.close();
    })());
  lifecycle.onClose({ name: 'applier', close });
  applier.start();
  const put = async (at: number, shards: readonly ShardSketch[]): Promise<void> => {
    const publication = toPublication(serviceKey(`s${at}`), shards);
    await log.put(toPublicationKey(publication.key, domain), toPublicationObject(publication));
  };
  const pending = (): number => applier.view.zone(domain)?.pending ?? 0;
  const freeze = (frozen: boolean): void => {
    state = { ...state, spec: { ...state.spec, frozen } };
    for (const listener of listeners) listener({ dnsZone: domain, key: undefined });
  };
  const stands = (services: number, type: 'A' | 'CNAME'): Promise<void> =>
    until(() => {
      for (let at = 0; at < services; at += 1) {
        const name = `${regionName(serviceKey(`s${at}`), 'west')}.`;
        if (zone.at(name)[0]?.type !== type) return false;
      }
      return true;
    }, `not all names have ${type} records`);
  return { double, zone, put, stands, pending, freeze, close };
}

async function until(isTrue: () => boolean, what: string, everyMs = 20): Promise<void> {
  const endMs = systemClock.monotonicMs() + withinMs;
  // What was just written has to have been seen first.
  await wait(everyMs);
  while (!isTrue()) {
    if (systemClock.monotonicMs() > endMs) throw new Error(`${what} after ${withinMs / 1000} s`);
    await wait(everyMs);
  }
}

/** Each Service has a name at its region and one above, which both change. */
async function measureMove(names: number, lifecycle: Lifecycle) {
  const world = await openWorld(lifecycle);
  const services = Math.ceil(names / 2);
  for (let at = 0; at < services; at += 1) await world.put(at, [east, west]);
  await world.stands(services, 'A');
  const before = world.double.count('ChangeResourceRecordSets');
  const seen = world.double.seen.length;
  const startMs = systemClock.monotonicMs();
  for (let at = 0; at < services; at += 1) await world.put(at, [east, goneWest]);
  await world.stands(services, 'CNAME');
  const elapsedMs = systemClock.monotonicMs() - startMs;
  const others = world.double.seen
    .slice(seen)
    .filter(({ action }) => action === 'ListResourceRecordSets').length;
  await world.close();
  return {
    requests: world.double.count('ChangeResourceRecordSets') - before,
    reads: others,
    elapsedMs,
  };
}

/** Of edits that wait already, or that are written at the same moment. */
async function measureWithdrawal(
  edits: number,
  isQueued: boolean,
  lifecycle: Lifecycle,
): Promise<number> {
  const world = await openWorld(lifecycle);
  for (let at = 0; at < 50; at += 1) await world.put(at, [east, west]);
  await world.stands(50, 'A');
  if (isQueued) world.freeze(true);
  for (let at = 50; at < 50 + edits; at += 1) await world.put(at, [east, west]);
  if (isQueued) {
    await until(() => world.pending() >= edits, 'not all edits are queued');
    world.freeze(false);
    // The first request of edits has left.
    const sent = world.double.seen.length;
    await until(() => world.double.seen.length > sent, 'no edit has left', 5);
  }
  let arrivedMs: number | undefined;
  const name = regionName(serviceKey('s7'), 'west');
  world.double.allows = (_action, body) => {
    if (arrivedMs === undefined && body.includes(`${name}.`)) arrivedMs = systemClock.monotonicMs();
    return true;
  };
  const startMs = systemClock.monotonicMs();
  await world.put(7, [east, goneWest]);
  await until(() => arrivedMs !== undefined, 'the withdrawal has not left', 5);
  await world.close();
  // As the double sees it, which is a latency after it left.
  return (arrivedMs ?? Number.NaN) - startMs - latencyMs;
}

async function measureZone(records: number, rounds: number, lifecycle: Lifecycle) {
  const world = await openWorld(lifecycle);
  fill(world.zone, records);
  await world.put(0, [east, west]);
  await world.stands(1, 'A');
  const times: number[] = [];
  const cpuMs: number[] = [];
  let before = 0;
  for (let round = -warmUps; round < rounds; round += 1) {
    if (round === 0) before = world.double.seen.length;
    const startMs = systemClock.monotonicMs();
    const cpu = process.cpuUsage();
    const accepted = world.double.seen.filter(isAnswered).length;
    const isGone = round % 2 === 0;
    await world.put(0, isGone ? [east, goneWest] : [east, west]);
    await until(
      () => world.double.seen.filter(isAnswered).length > accepted,
      'the change was not made',
      1,
    );
    const { user, system } = process.cpuUsage(cpu);
    if (round >= 0) {
      times.push(systemClock.monotonicMs() - startMs);
      cpuMs.push((user + system) / 1_000);
    }
    await world.stands(1, isGone ? 'CNAME' : 'A');
  }
  await world.close();
  return {
    times,
    requests: (world.double.seen.length - before) / rounds,
    cpuMs: summarize(cpuMs)?.p50 ?? Number.NaN,
  };
}

function isAnswered({ action, status }: Route53Double['seen'][number]): boolean {
  return action === 'ChangeResourceRecordSets' && status === 200;
}

function fill(zone: HostedZone, records: number): void {
  for (let at = zone.size; at < records; at += 1) {
    const name = `host-${String(at).padStart(7, '0')}.${domain}.`;
    const set = { name, type: 'A', routing: [], ttl: 60, values: ['192.0.2.1'] };
    zone.change([{ action: 'CREATE', set, writtenName: name }], () => undefined);
  }
}

function toReport(
  found: {
    readonly moved: Awaited<ReturnType<typeof measureMove>>;
    readonly queued: number;
    readonly written: number;
    readonly small: Awaited<ReturnType<typeof measureZone>>;
    readonly large: Awaited<ReturnType<typeof measureZone>>;
  },
  number: (name: string) => number | undefined,
  conditions: Report['conditions'],
): Report {
  const { moved, queued, written, small, large } = found;
  const settings = Object.fromEntries(
    ['names', 'edits', 'records', 'rounds'].map((name) => [name, number(name) ?? 0]),
  );
  const round = (value: number): number => Math.round(value * 100) / 100;
  return {
    bench: dnsFailover.name,
    settings,
    conditions,
    measures: [
      {
        name: 'withdrawal behind queued edits -> submitted',
        summary: summarize([queued]),
        goal: { of: 'max', ms: 500 },
      },
      {
        name: 'withdrawal as the edits are written -> submitted',
        summary: summarize([written]),
      },
      { name: 'one change, zone of 500 -> accepted', summary: summarize(small.times) },
      {
        name: `one change, zone of ${settings['records']} -> accepted`,
        summary: summarize(large.times),
      },
    ],
    facts: {
      'requests that changed all names (goal: 4 for 1,000)': moved.requests,
      'requests that read meanwhile': moved.reads,
      'all names moved, ms': Math.round(moved.elapsedMs),
      'requests per change, zone of 500': round(small.requests),
      'requests per change, large zone': round(large.requests),
      'CPU of one change, median, large zone / small (double included)': round(
        large.cpuMs / small.cpuMs,
      ),
    },
  };
}
