// What the applier makes of publications on a provider, whatever is behind it: the same cases on a
// real server, on doubles over the real SDKs, and in memory.

import type { ExecutionContext } from 'ava';
import { toLogKey, type ServiceKey } from '../../common/model/ids.ts';
import type { Publication } from '../../common/model/publication.ts';
import type { DnsZoneState } from '../../common/model/views.ts';
import { toPublicationKey, toPublicationObject } from '../../common/pure/publication-object.ts';
import { systemChance } from '../../common/runtime/chance.ts';
import { keepProcessAlive, systemClock } from '../../common/runtime/clock.ts';
import { silentLog } from '../../common/runtime/log.ts';
import { silentMetrics } from '../../common/runtime/metrics.ts';
import { createDnsApplier, type DnsApplier } from '../../coordinator/dns/apply/loop.ts';
import { acquireTerm } from '../../coordinator/desired/term.ts';
import type { ZoneRecordSet } from '../../coordinator/dns/provider/provider.ts';
import { domain, serviceKey, toPublication, type ShardSketch } from '../support/dns/apply-world.ts';
import { openLog, type LogFixture } from '../support/dns-fixtures.ts';
import { eventually } from '../support/eventually.ts';
import type { OpenSubject, ProviderFault, ProviderSubject } from './dns-provider.ts';

const shop = serviceKey('shop');
const cart = serviceKey('cart');
const east = { cluster: 'east', ip: '203.0.113.1' };
const west = { cluster: 'west', ip: '203.0.113.2' };
const eastOnly = [east, { ...west, state: 'notReady' as const }];
const patience = { timeoutMs: 20_000 };
const soonMs = 20_000;

interface World {
  readonly subject: ProviderSubject;
  readonly log: LogFixture;
  readonly applier: DnsApplier;
  publish(key: ServiceKey, shards: readonly ShardSketch[]): Promise<void>;
  /** Another lease holder on the same log and zone. */
  succeed(): Promise<DnsApplier>;
  /** Waits until exactly this stands at our names, as `name type values`. */
  stands(
    wanted: ReadonlyMap<ServiceKey, readonly ShardSketch[]>,
    others?: readonly string[],
  ): Promise<void>;
  name(key: ServiceKey, region?: string): string;
}

export function declareApplierContract(
  test: (title: string, run: (t: ExecutionContext) => Promise<void>) => void,
  driver: string,
  options: { readonly openSubject: OpenSubject; readonly faults: readonly ProviderFault[] },
): void {
  const declare = (title: string, run: (world: World) => Promise<void>): void =>
    test(`${driver}: ${title}`, async (t) => {
      const alive = keepProcessAlive();
      const subject = await options.openSubject(t);
      const stops: (() => Promise<void>)[] = [];
      t.teardown(async () => {
        for (const stop of stops) await stop();
        await subject.dispose();
        alive.cancel();
      });
      await run(await openWorld(subject, stops));
      t.pass();
    });
  declareCourse(declare);
  declareStrangers(declare);
  declareFaults(declare, options.faults);
}

type Declare = (title: string, run: (world: World) => Promise<void>) => void;

function declareCourse(declare: Declare): void {
  declare('names come, change their type, change back and go', async (world) => {
    await world.publish(shop, [east, west]);
    await world.publish(cart, [east]);
    await world.stands(
      new Map([
        [shop, [east, west]],
        [cart, [east]],
      ]),
    );
    await world.publish(shop, eastOnly);
    await world.stands(
      new Map([
        [shop, eastOnly],
        [cart, [east]],
      ]),
    );
    await world.publish(shop, [east, west]);
    await world.stands(
      new Map([
        [shop, [east, west]],
        [cart, [east]],
      ]),
    );
    for (const key of [shop, cart]) await world.log.put(publicationKey(key), undefined);
    await world.stands(new Map());
  });

  declare(
    'I12 the next holder of the lease takes the fence, and the former one writes nothing',
    async (world) => {
      await world.publish(shop, [east, west]);
      await world.stands(new Map([[shop, [east, west]]]));
      await world.succeed();
      const fence = `_fedfence.fed.${world.subject.apex}`;
      await eventually(soonMs, async () => {
        const [set] = await world.subject.provider.read([fence], patience);
        const text = set?.values[0] ?? 'nothing';
        return text.includes(' term=2 ') ? [] : [`the fence says ${text}`];
      });
      await world.publish(shop, eastOnly);
      await world.stands(new Map([[shop, eastOnly]]));
    },
  );
}

function declareStrangers(declare: Declare): void {
  declare(
    "I4 a stranger's record in the way is named and left alone, and others go on",
    async (world) => {
      const { subject, applier } = world;
      const name = world.name(shop);
      const stranger = { name, type: 'A', ttlSeconds: 5, values: ['192.0.2.7'] };
      await subject.foreign.put([stranger]);
      await world.publish(shop, [east]);
      await world.publish(cart, [east]);
      await world.stands(new Map([[cart, [east]]]), [lineOf(stranger)]);
      await eventually(soonMs, () => {
        const said = applier.view.state(domain, shop);
        const isNamed = said?.reason === 'NameConflict' && said.names?.[0] === name;
        return Promise.resolve(isNamed ? [] : [JSON.stringify(said)]);
      });
    },
  );

  declare('a set that was edited by hand is put right by the next change', async (world) => {
    await world.publish(shop, [east, west]);
    await world.stands(new Map([[shop, [east, west]]]));
    const name = world.name(shop);
    const [set] = await world.subject.provider.read([name], patience);
    if (set === undefined) throw new Error(`${name} is gone`);
    await world.subject.foreign.put([{ ...set, values: ['192.0.2.66'] }]);
    await world.publish(shop, eastOnly);
    await world.stands(new Map([[shop, eastOnly]]));
  });
}

function declareFaults(declare: Declare, faults: readonly ProviderFault[]): void {
  for (const fault of ['dropAnswerAfterApply', 'dropBeforeApply', 'throttle'] as const) {
    if (!faults.includes(fault)) continue;
    declare(
      `after ${fault} the zone is as wanted, and nobody is told of a failure`,
      async (world) => {
        await world.publish(shop, [east, west]);
        await world.stands(new Map([[shop, [east, west]]]));
        world.subject.faults?.[fault]?.();
        await world.publish(shop, eastOnly);
        await world.stands(new Map([[shop, eastOnly]]));
        await eventually(soonMs, () => {
          const state = world.applier.view.state(domain, shop)?.state ?? 'nothing';
          return Promise.resolve(['live', 'submitted'].includes(state) ? [] : [state]);
        });
      },
    );
  }
}

function publicationKey(key: ServiceKey) {
  return toPublicationKey(key, domain);
}

async function openWorld(subject: ProviderSubject, stops: (() => Promise<void>)[]): Promise<World> {
  const { apex, provider } = subject;
  const log = await openLog();
  const at = (text: string): string => text.replaceAll(domain, apex);
  const publicationOf = (key: ServiceKey, shards: readonly ShardSketch[]): Publication => ({
    ...(JSON.parse(at(JSON.stringify(toPublication(key, shards)))) as Publication),
    dnsZone: domain,
  });
  const open = async (): Promise<DnsApplier> => {
    const applier = await openApplier(log, subject);
    stops.unshift(() => applier.stop());
    return applier;
  };
  const name = (key: ServiceKey, region?: string): string => {
    const [, service] = key.split('/');
    return `${service ?? ''}.web.fed.svc.${region === undefined ? '' : `${region}.`}${apex}`;
  };
  return {
    subject,
    log,
    applier: await open(),
    succeed: open,
    name,
    publish: async (key, shards) => {
      await log.put(publicationKey(key), toPublicationObject(publicationOf(key, shards)));
    },
    stands: async (wanted, others = []) => {
      const expected = [...wanted].flatMap(([key, shards]) => [
        `_fedowner.${name(key)} TXT v=1 fed=fed id=owner-a`,
        ...publicationOf(key, shards).recordSets.map(lineOf),
      ]);
      const all = [...expected, ...others].sort().join('\n');
      const names = [shop, cart].flatMap((key) => [
        name(key),
        name(key, 'east'),
        name(key, 'west'),
        `_fedowner.${name(key)}`,
      ]);
      await eventually(soonMs, async () => {
        const found = (await provider.read(names, patience)).map(lineOf).sort().join('\n');
        return found === all ? [] : [`stands: ${found}; wanted: ${all}`];
      });
    },
  };
}

function lineOf({ name, type, values }: Pick<ZoneRecordSet, 'name' | 'type' | 'values'>): string {
  return [name, type, ...values].join(' ');
}

async function openApplier(log: LogFixture, subject: ProviderSubject): Promise<DnsApplier> {
  const zone: DnsZoneState = {
    name: domain,
    uid: 'uid',
    generation: 1,
    spec: { domain: subject.apex, provider: 'Route53' },
    isDeleting: false,
    isPublishing: true,
  };
  // The DNSZone is no kind of this log; that it is there is all that is asked.
  await log.put(toLogKey({ group: 'isthmus.dev', resource: 'dnszones', name: domain }), {
    apiVersion: 'isthmus.dev/v1alpha1',
    kind: 'DNSZone',
    metadata: { name: domain },
  });
  const applier = createDnsApplier({
    desired: log.desired,
    term: await acquireTerm({ desired: log.desired, holder: 'test' }),
    zones: {
      zones: () => [zone],
      zone: (name) => (name === domain ? zone : undefined),
      zonesOf: () => [domain],
      subscribe: () => () => undefined,
    },
    providers: { provider: () => subject.provider, subscribe: () => () => undefined },
    federation: 'fed',
    ownerId: 'owner-a',
    recorder: { record: () => undefined },
    clock: systemClock,
    chance: systemChance,
    log: silentLog,
    metrics: silentMetrics,
  });
  applier.start();
  return applier;
}
