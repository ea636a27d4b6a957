// A change of a zone, a Namespace or a cluster costs what it concerns, and delays nothing else.

import test from 'ava';
import { toLogKey } from '../../common/model/ids.ts';
import { createZonesWorld, type ZonesWorld } from '../support/dns/zones-world.ts';

const many = 220;

/** Many Services of `shop`, two of `bank`; one provider zone for all, one for the bank. */
async function createMany(): Promise<ZonesWorld> {
  const world = await createZonesWorld();
  await world.putZone('public', { route53: { hostedZoneId: 'Z1' } });
  await world.putZone('bank', { route53: { hostedZoneId: 'Z2' }, namespaces: ['bank'] });
  for (let index = 0; index < many; index += 1) await world.putService(`shop/s${index}`);
  await world.putService('bank/a');
  await world.putService('bank/b');
  await world.clock.advance(120_000);
  world.planned.length = 0;
  return world;
}

function planned(world: ZonesWorld): readonly string[] {
  return [...new Set(world.planned)].sort();
}

test('a changed zone plans anew the Services that it publishes, and no others', async (t) => {
  const world = await createMany();
  await world.putZone('bank', { ttlSeconds: 30 });
  await world.clock.advance(5_000);
  t.deepEqual(planned(world), ['bank/a', 'bank/b']);
});

test('what no name shows of a zone plans nothing: a freeze, a status, a confirmed plan', async (t) => {
  const world = await createMany();
  await world.putZone('public', { frozen: true });
  await world.putZone('public', { confirmedPlan: 'abc', massChange: { percent: 50 } });
  await world.clock.advance(5_000);
  t.deepEqual(planned(world), []);
});

test('labels of a Namespace plan its Services, and only where a zone chooses by labels', async (t) => {
  const world = await createMany();
  await world.putNamespace('bank', { tier: 'x' });
  await world.clock.advance(5_000);
  t.deepEqual(planned(world), []);
  await world.putZone('inner', {
    route53: { hostedZoneId: 'Z3' },
    namespaceSelector: { matchLabels: { tier: 'internal' } },
  });
  await world.clock.advance(5_000);
  t.deepEqual(planned(world), []);
  await world.putNamespace('bank', { tier: 'internal' });
  await world.clock.advance(5_000);
  t.deepEqual(planned(world), ['bank/a', 'bank/b']);
  t.deepEqual(world.publishedIn('bank/a'), ['bank', 'example.com', 'inner', 'public']);
});

test('the levels of a new cluster are published at providers in no hurry, behind what is urgent', async (t) => {
  const world = await createMany();
  const at = toLogKey({ group: 'isthmus.dev', resource: 'clusters', name: 'new' });
  await world.log.put(at, {
    apiVersion: 'isthmus.dev/v1alpha1',
    kind: 'Cluster',
    metadata: { name: 'new' },
    spec: { zone: 'zn', region: 'rn' },
  });
  await world.clock.advance(100);
  t.true(planned(world).length <= 100, `${planned(world).length} at once`);
  await world.putService('bank/a', '8.8.0.9');
  await world.clock.advance(50);
  t.true(planned(world).includes('bank/a'));
  await world.clock.advance(60_000);
  t.is(planned(world).length, many + 2);
});

test('a cluster at a place that has its names already plans nobody', async (t) => {
  const world = await createMany();
  const at = toLogKey({ group: 'isthmus.dev', resource: 'clusters', name: 'b' });
  await world.log.put(at, {
    apiVersion: 'isthmus.dev/v1alpha1',
    kind: 'Cluster',
    metadata: { name: 'b' },
  });
  await world.clock.advance(5_000);
  t.deepEqual(planned(world), []);
});
