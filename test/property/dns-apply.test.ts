import test from 'ava';
import fc from 'fast-check';
import type {
  ProviderCapabilities,
  ZoneRecordSet,
} from '../../coordinator/dns/provider/provider.ts';
import { toZoneRecordSets } from '../../coordinator/dns/apply/zone-records.ts';
import type { MemoryZone, ProviderFault } from '../support/dns/memory-provider.ts';
import {
  createApplyWorld,
  domain,
  globalName,
  regionName,
  serviceKey,
  toPublication,
  type ApplyWorld,
  type ShardSketch,
} from '../support/dns/apply-world.ts';

const services = ['a', 'b', 'c'];
const clusters = ['east', 'west', 'north'];
const states = ['healthy', 'notReady', 'dead'] as const;

type Step =
  | { readonly kind: 'publish'; readonly service: string; readonly shards: readonly ShardSketch[] }
  | { readonly kind: 'remove'; readonly service: string }
  /** By hand: our set gets another value, or goes; something of another type comes. */
  | {
      readonly kind: 'edit' | 'erase' | 'unmark' | 'addMx';
      readonly service: string;
      readonly cluster: string;
    }
  /** A set that stands in the way of what we may want, until it is removed at the end. */
  | { readonly kind: 'obstruct'; readonly service: string; readonly cluster: string }
  | { readonly kind: 'fault'; readonly fault: ProviderFault | undefined; readonly share: number }
  | { readonly kind: 'restart' }
  | { readonly kind: 'release' }
  | { readonly kind: 'wait'; readonly ms: number };

const service = fc.constantFrom(...services);
const cluster = fc.constantFrom(...clusters);
const shards = fc
  .uniqueArray(
    fc.record({
      cluster,
      ip: fc.integer({ min: 1, max: 9 }).map((last) => `203.0.113.${last}`),
      state: fc.constantFrom(...states),
    }),
    { selector: (it) => it.cluster, minLength: 1, maxLength: 3 },
  )
  .map((list): readonly ShardSketch[] => list);
const fault = fc.constantFrom<ProviderFault | undefined>(
  undefined,
  'down',
  'denied',
  'throttle',
  'lostAfter',
  'lostBefore',
  'hang',
  'late',
);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('publish' as const), service, shards }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('remove' as const), service }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constantFrom('edit', 'erase', 'unmark', 'addMx', 'obstruct' as const),
      service,
      cluster,
    }) as fc.Arbitrary<Step>,
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('fault' as const),
      fault,
      share: fc.double({ min: 0.1, max: 1, noNaN: true }),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: 'restart' as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'release' as const }) },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('wait' as const),
      ms: fc.constantFrom(10, 60, 300, 5000, 60_000, 900_000),
    }),
  },
);

/** Sets of other hands: none of them may ever change by us. */
class Strangers {
  readonly sets = new Map<string, ZoneRecordSet>();

  add(world: ApplyWorld, set: ZoneRecordSet): void {
    this.sets.set(`${set.name} ${set.type}`, set);
    world.provider.put(set);
  }

  check(zone: MemoryZone): void {
    for (const set of this.sets.values()) {
      const there = zone.names.get(set.name)?.find(({ type }) => type === set.type);
      if (JSON.stringify(there) !== JSON.stringify(set)) {
        throw new Error(`${set.name} ${set.type} of another hand was changed`);
      }
    }
  }
}

/** I5: no CNAME of ours leads to nothing. */
function checkLeads(zone: MemoryZone): void {
  for (const [name, sets] of zone.names) {
    if (sets.length > 1 && sets.some(({ type }) => type === 'CNAME')) {
      throw new Error(`${name} has a CNAME beside others`);
    }
    for (const { type, values } of sets) {
      const to = type === 'CNAME' ? (values[0] ?? '') : name;
      if (to.includes('.fed.svc.') && !zone.names.has(to)) {
        throw new Error(`${name} leads to ${to}, which is not there`);
      }
    }
  }
}

async function run(
  capabilities: Partial<ProviderCapabilities>,
  steps: readonly Step[],
): Promise<void> {
  let active: { readonly fault: ProviderFault | undefined; readonly share: number } = {
    fault: undefined,
    share: 1,
  };
  let draws = 0;
  const draw = (): ProviderFault | undefined => {
    draws += 1;
    if ((draws * 0.618_034) % 1 >= active.share) return undefined;
    // Nothing fences off what arrives late at a provider without compare-and-set.
    const isUnfenced = capabilities.hasCompareAndSet === false;
    return active.fault === 'late' && isUnfenced ? 'lostBefore' : active.fault;
  };
  const common = {
    provider: { fault: draw, capabilities },
    spec: { massChange: { recordSets: 1_000_000 } },
  };
  let world = await createApplyWorld(common);
  const first = world;
  const strangers = new Strangers();
  const obstacles: ZoneRecordSet[] = [];
  const wanted = new Map<string, readonly ShardSketch[]>();
  first.provider.zone.onChange = () => {
    strangers.check(first.provider.zone);
    checkLeads(first.provider.zone);
  };
  const worlds = [world];
  const perform = async (it: Step): Promise<void> => {
    switch (it.kind) {
      case 'publish':
        wanted.set(it.service, it.shards);
        return world.publish(serviceKey(it.service), it.shards);
      case 'remove':
        if (!wanted.delete(it.service)) return undefined;
        return world.remove(serviceKey(it.service));
      case 'fault':
        active = it;
        return undefined;
      case 'restart':
        // The former one is not told: its requests come late, or never.
        world = await createApplyWorld({
          ...common,
          log: first.log,
          clock: first.clock,
          zone: first.provider.zone,
        });
        worlds.push(world);
        return undefined;
      case 'release':
        for (const each of worlds) each.provider.release();
        return undefined;
      case 'wait':
        return first.clock.advance(it.ms);
      default:
        return byHand(world, strangers, obstacles, it);
    }
  };
  for (const it of steps) await perform(it);
  active = { fault: undefined, share: 1 };
  for (const set of obstacles) {
    strangers.sets.delete(`${set.name} ${set.type}`);
    world.provider.remove(set);
  }
  await first.clock.advance(2 * 3_600_000);
  for (const each of worlds) await each.applier.stop();
  checkEnd(world, strangers, wanted);
}

function byHand(
  world: ApplyWorld,
  strangers: Strangers,
  obstacles: ZoneRecordSet[],
  it: Extract<Step, { readonly cluster: string }>,
): void {
  const key = serviceKey(it.service);
  const name = regionName(key, it.cluster);
  const isOurs = ({ type }: ZoneRecordSet): boolean => !strangers.sets.has(`${name} ${type}`);
  const ours = world.provider.standing(name).find(isOurs);
  const hasCname = world.provider.standing(name).some(({ type }) => type === 'CNAME');
  switch (it.kind) {
    case 'edit':
      if (ours?.type === 'A') world.provider.put({ ...ours, values: ['192.0.2.66'] });
      return;
    case 'erase':
      if (ours !== undefined) world.provider.remove(ours);
      return;
    case 'unmark':
      world.provider.remove({ name: `_fedowner.${globalName(key)}`, type: 'TXT' });
      return;
    case 'addMx':
      strangers.add(world, {
        name: globalName(key),
        type: 'MX',
        ttlSeconds: 60,
        values: ['10 mail.acme.com'],
      });
      return;
    case 'obstruct': {
      if (ours !== undefined || hasCname) return;
      // One of our own that was erased, with another value in its place, is a hand edit.
      const recorded = world.applier.view.recorded(domain, key);
      if (recorded.some((known) => known.name === name)) return;
      const set = { name, type: 'CNAME', ttlSeconds: 5, values: ['elsewhere.acme.com'] };
      if (world.provider.standing(name).length > 0) return;
      obstacles.push(set);
      strangers.add(world, set);
    }
  }
}

function checkEnd(
  world: ApplyWorld,
  strangers: Strangers,
  wanted: ReadonlyMap<string, readonly ShardSketch[]>,
): void {
  const expected = [...wanted].flatMap(([name, list]) => [
    `_fedowner.${name}.web.fed.svc.${domain} TXT v=1 fed=fed id=owner-a`,
    ...toZoneRecordSets(toPublication(serviceKey(name), list)).map(lineOf),
  ]);
  const others = [...strangers.sets.values()].map(lineOf);
  const lines = [...world.lines()].sort();
  const all = [...expected, ...others].sort();
  if (lines.join('\n') !== all.join('\n')) {
    throw new Error(`stands:\n${lines.join('\n')}\nwanted:\n${all.join('\n')}`);
  }
  for (const name of wanted.keys()) {
    const state = world.state(serviceKey(name));
    if (state !== undefined && state !== 'live') throw new Error(`${name} is ${state}`);
  }
}

function lineOf({ name, type, values }: ZoneRecordSet): string {
  return [name, type, ...values].join(' ');
}

for (const [which, capabilities] of [
  ['a provider like Route 53', {}],
  ['one that takes a Service or two at once', { limits: { changes: 16, bytes: 2000 } }],
  ['one that does not say when a change is served', { hasChangeStatus: false }],
  ['one without compare-and-set', { hasCompareAndSet: false }],
] as const) {
  test(`I4, I5, I7, I12: whatever providers, hands, strangers and former holders do, the zone ends exactly as wanted, and at no time does a CNAME dangle or a stranger change: ${which}`, async (t) => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), (steps) =>
        run(capabilities, steps),
      ),
      {
        numRuns: Number(process.env['RUNS'] ?? 40),
        includeErrorInReport: true,
        ...(process.env['SEED'] ? { seed: Number(process.env['SEED']) } : {}),
      },
    );
    t.pass();
  });
}
