// Many DNSZones: what one costs when it comes does not grow with all that there are.

import test from 'ava';
import type { DnsZoneSpec } from '../../common/model/dns-zone.ts';
import { toLogKey } from '../../common/model/ids.ts';
import { isthmusApiVersion } from '../../common/model/isthmus-kinds.ts';
import type { KubeObject } from '../../common/model/kube-object.ts';
import { systemClock } from '../../common/runtime/clock.ts';
import { silentLog } from '../../common/runtime/log.ts';
import { silentMetrics } from '../../common/runtime/metrics.ts';
import { acquireTerm } from '../../coordinator/desired/term.ts';
import { createDnsZones } from '../../coordinator/dns/zones/zones.ts';
import { createSeededChance } from '../sim/seeded-chance.ts';
import { createMemoryProvider, createMemoryZone } from '../support/dns/memory-provider.ts';
import { createViews } from '../support/dns/zones-world.ts';
import { openLog } from '../support/dns-fixtures.ts';
import { createVirtualClock } from '../support/virtual-clock.ts';

function zone(name: string, spec: DnsZoneSpec, createdAt: string): KubeObject {
  return {
    apiVersion: isthmusApiVersion,
    kind: 'DNSZone',
    metadata: { name, uid: name, creationTimestamp: createdAt },
    spec,
  } as KubeObject;
}

async function createMany(zones: readonly KubeObject[]) {
  const log = await openLog();
  for (const object of zones) {
    const { name } = object.metadata;
    await log.put(toLogKey({ group: 'isthmus.dev', resource: 'dnszones', name }), object);
  }
  const clock = createVirtualClock();
  return createDnsZones({
    desired: log.desired,
    placement: createViews(log).placement,
    term: await acquireTerm({ desired: log.desired, holder: 'test' }),
    recorder: { record: () => undefined },
    openProvider: () =>
      Promise.resolve(
        createMemoryProvider(
          { clock, apex: 'example.com', fault: () => undefined },
          createMemoryZone(),
        ),
      ),
    clock,
    chance: createSeededChance('many'),
    log: silentLog,
    metrics: silentMetrics,
  });
}

function hosted(at: number, id = at): KubeObject {
  const domain = `d${at}.example.com`;
  const route53 = { hostedZoneId: `Z${id}` };
  const day = `2026-01-${String((at % 28) + 1).padStart(2, '0')}T00:00:00Z`;
  return zone(`z${at}`, { domain, provider: 'Route53', route53 }, day);
}

test('800 DNSZones that come at once do not hold the others up', async (t) => {
  const zones = await createMany(Array.from({ length: 800 }, (_, at) => hosted(at)));
  const before = systemClock.monotonicMs();
  zones.start();
  const tookMs = systemClock.monotonicMs() - before;
  t.is(zones.view.zones().length, 800);
  // It takes milliseconds; where each looked at all others it took fourteen seconds.
  t.true(tookMs < 2_000, `${tookMs} ms`);
  await zones.stop();
});
