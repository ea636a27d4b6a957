// Several zones and providers at once: who publishes what, how each is opened and opened again, what
// people are told, and that none delays another.

import test from 'ava';
import { toPublicationKey } from '../../common/pure/publication-object.ts';
import { createZonesWorld, toKey } from '../support/dns/zones-world.ts';

const web = 'shop/web';
const webName = 'web.shop.fed.svc.example.com';
const key = { aws_access_key_id: 'AKIA1', aws_secret_access_key: 'first' };
const secretRef = { namespace: 'dns', name: 'aws' };

/** Two providers beside the embedded zone: `public`, and `corp` with credentials from a Secret. */
async function createTwo() {
  const world = await createZonesWorld();
  await world.putSecret('aws', key);
  await world.putZone('public', { route53: { hostedZoneId: 'Z1' } });
  await world.putZone('corp', { route53: { hostedZoneId: 'Z2' }, secretRef });
  await world.putService(web);
  await world.clock.advance(5_000);
  return world;
}

test('a Service is published in every zone that is for it, and its zones are ready', async (t) => {
  const world = await createTwo();
  t.deepEqual(world.publishedIn(web), ['corp', 'example.com', 'public']);
  t.deepEqual(world.standing('Z1'), [webName]);
  t.deepEqual(world.standing('Z2'), [webName]);
  for (const zone of ['corp', 'example.com', 'public']) {
    t.like(world.condition(zone, 'Ready'), { status: 'True', observedGeneration: 1 }, zone);
  }
  t.like(world.zone('public')?.status, { nameServers: ['ns1.example.net'], pending: 0 });
  t.is(world.zone('example.com')?.status?.recordSets, 1);
  t.true(world.events.includes('Normal DNSZone public ZoneReady'));
  t.is(world.condition('example.com', 'SingleServer')?.status, 'True');
  t.is(world.condition('public', 'SingleServer'), undefined);
});

test('a replaced Secret is used without a restart, and nothing is published anew', async (t) => {
  const world = await createTwo();
  const openings = world.opened.length;
  const at = toPublicationKey(toKey(web), 'corp');
  const before = world.log.desired.get(at);
  await world.putSecret('aws', { ...key, aws_secret_access_key: 'second' });
  await world.clock.advance(1_000);
  t.is(world.opened.length, openings + 1);
  t.is(world.log.desired.get(at), before);
  t.like(world.opened.at(-1)?.opening, {
    kind: 'Route53',
    hostedZoneId: 'Z2',
    credentials: { accessKeyId: 'AKIA1', secretAccessKey: 'second' },
  });
  await world.putService(web, '8.8.0.9');
  await world.clock.advance(5_000);
  t.is(world.opened.at(-1)?.provider.calls.apply, 1);
});

test('a Secret that is gone, or lacks a key, stops one zone and is told with the way out', async (t) => {
  const world = await createTwo();
  await world.putSecret('aws', undefined);
  await world.putService(web, '8.8.0.9');
  await world.clock.advance(5_000);
  t.like(world.condition('corp', 'Ready'), { status: 'False', reason: 'SecretMissing' });
  t.regex(
    world.condition('corp', 'Ready')?.message ?? '',
    /kubectl create secret generic aws --namespace dns .*Published records stay as they are/,
  );
  t.is(world.condition('corp', 'Authorized'), undefined, 'nobody was asked since');
  t.is(world.condition('public', 'Ready')?.status, 'True');
  t.deepEqual(world.standing('Z2'), [webName]);
  await world.putSecret('aws', { aws_access_key_id: 'AKIA1', password: 'hidden' });
  await world.clock.advance(5_000);
  const { reason, message = '' } = world.condition('corp', 'Ready') ?? {};
  t.is(reason, 'SecretInvalid');
  t.regex(
    message,
    /needs aws_access_key_id and aws_secret_access_key. It has: aws_access_key_id, p/,
  );
  t.notRegex(JSON.stringify(world.zone('corp')), /hidden|AKIA1/);
  await world.putSecret('aws', key);
  await world.clock.advance(10_000);
  t.is(world.condition('corp', 'Ready')?.status, 'True');
});

test('I10 a provider that denies delays only its own zone, and is tried again', async (t) => {
  const world = await createTwo();
  world.faults.set('Z2', 'denied');
  await world.putService(web, '8.8.0.9');
  await world.clock.advance(5_000);
  t.like(world.condition('corp', 'Ready'), { status: 'False', reason: 'Denied' });
  t.like(world.condition('corp', 'Authorized'), { status: 'False', reason: 'Denied' });
  t.is(world.condition('public', 'Ready')?.status, 'True');
  t.is(world.zone('corp')?.status?.pending, 1);
  t.is(world.zone('public')?.status?.pending, 0);
  t.true(world.events.includes('Warning DNSZone corp ZoneDenied'));
  world.faults.delete('Z2');
  await world.clock.advance(300_000);
  t.is(world.condition('corp', 'Ready')?.status, 'True');
  t.is(world.zone('corp')?.status?.pending, 0);
});

test('I10 a provider that hangs delays only its own zone', async (t) => {
  const world = await createTwo();
  world.faults.set('Z2', 'hang');
  await world.putService('shop/api');
  await world.clock.advance(3_000);
  t.deepEqual(world.standing('Z1'), ['api.shop.fed.svc.example.com', webName]);
  t.deepEqual(world.standing('Z2'), [webName]);
  t.is(world.condition('public', 'Ready')?.status, 'True');
});

test('namespaces, their labels and a policy say which zones publish a Service', async (t) => {
  const world = await createZonesWorld();
  await world.putZone('shops', { route53: { hostedZoneId: 'Z1' }, namespaces: ['shop'] });
  const namespaceSelector = { matchLabels: { tier: 'internal' } };
  await world.putZone('corp', { route53: { hostedZoneId: 'Z2' }, namespaceSelector });
  await world.putZone('asked', { route53: { hostedZoneId: 'Z3' }, services: 'ByPolicy' });
  await world.putNamespace('shop', {});
  await world.putService(web);
  await world.putService('bank/web');
  await world.clock.advance(2_000);
  t.deepEqual(world.publishedIn(web), ['example.com', 'shops']);
  t.deepEqual(world.publishedIn('bank/web'), ['example.com']);
  await world.putNamespace('shop', { tier: 'internal' });
  await world.clock.advance(2_000);
  t.deepEqual(world.publishedIn(web), ['corp', 'example.com', 'shops']);
  await world.putPolicy(web, ['asked', 'corp']);
  await world.clock.advance(2_000);
  t.deepEqual(world.publishedIn(web), ['asked', 'corp']);
  t.deepEqual(world.standing('Z1'), []);
  await world.putNamespace('shop', {});
  await world.clock.advance(2_000);
  t.deepEqual(world.publishedIn(web), ['asked']);
});

test('a policy names no zone that is not for its namespace', async (t) => {
  const world = await createZonesWorld();
  await world.putZone('bank', { route53: { hostedZoneId: 'Z1' }, namespaces: ['bank'] });
  await world.putService(web);
  await world.putPolicy(web, ['bank']);
  await world.clock.advance(2_000);
  t.deepEqual(world.publishedIn(web), []);
});

test('of two DNSZones of one provider zone and domain the older goes on', async (t) => {
  const world = await createTwo();
  await world.putZone('again', { route53: { hostedZoneId: 'Z1' } });
  await world.putZone('deeper', { domain: 'eu.example.com', route53: { hostedZoneId: 'Z1' } });
  await world.clock.advance(2_000);
  t.deepEqual(world.publishedIn(web), ['corp', 'example.com', 'public']);
  t.like(world.condition('again', 'Ready'), { status: 'False', reason: 'Duplicate' });
  t.like(world.condition('deeper', 'Ready'), { status: 'False', reason: 'Overlap' });
  t.is(world.condition('public', 'Ready')?.status, 'True');
  await world.deleteZone('again');
  await world.deleteZone('public');
  await world.clock.advance(120_000);
  t.is(world.zone('again'), undefined);
  t.is(world.zone('public'), undefined);
  t.is(world.condition('deeper', 'Ready')?.status, 'True');
  t.deepEqual(world.standing('Z1'), ['web.shop.fed.svc.eu.example.com']);
});

test('I7 a deleted DNSZone goes once its names have, or leaves them when told so', async (t) => {
  const world = await createTwo();
  world.faults.set('Z1', 'down');
  await world.deleteZone('public');
  await world.clock.advance(10_000);
  t.like(world.condition('public', 'Ready'), { status: 'False', reason: 'Deleting' });
  t.deepEqual(world.standing('Z1'), [webName]);
  world.faults.delete('Z1');
  await world.clock.advance(300_000);
  t.is(world.zone('public'), undefined);
  t.deepEqual(world.standing('Z1'), []);
  await world.putZone('corp', { deletionPolicy: 'Orphan' });
  await world.deleteZone('corp');
  await world.clock.advance(120_000);
  t.is(world.zone('corp'), undefined);
  t.deepEqual(world.standing('Z2'), [webName]);
});

test('I7 the zone that was made for a former domain goes with its names', async (t) => {
  const before = await createTwo();
  await before.stage.stop();
  const world = await createZonesWorld({ domain: 'example.net', log: before.log });
  await world.putService(web);
  await world.clock.advance(5_000);
  t.is(world.zone('example.com'), undefined);
  t.like(world.zone('example.net'), { spec: { domain: 'example.net', provider: 'Embedded' } });
  t.deepEqual(world.publishedIn(web), ['corp', 'example.net', 'public']);
});

test('a domain that has a DNSZone already gets none', async (t) => {
  const before = await createZonesWorld({ domain: 'example.net' });
  await before.putZone('public', { route53: { hostedZoneId: 'Z1' } });
  await before.stage.stop();
  const world = await createZonesWorld({ log: before.log });
  t.is(world.zone('example.com'), undefined);
});

test('a frozen zone is not written and says how to go on; the others are', async (t) => {
  const world = await createTwo();
  await world.putZone('public', { frozen: true });
  await world.putService('shop/api');
  await world.clock.advance(5_000);
  t.deepEqual(world.standing('Z1'), [webName]);
  t.is(world.standing('Z2').length, 2);
  t.like(world.condition('public', 'Ready'), { status: 'False', reason: 'Frozen' });
  t.regex(
    world.condition('public', 'Frozen')?.message ?? '',
    /kubectl isthmus dns unfreeze public/,
  );
  await world.putZone('public', { frozen: false });
  await world.clock.advance(60_000);
  t.is(world.standing('Z1').length, 2);
  t.is(world.condition('public', 'Frozen')?.status, 'False');
});

test('I7 a DNSZone that was replaced without its finalizer gets it back', async (t) => {
  const world = await createTwo();
  await world.putZone('public', {}, { finalizers: [] });
  await world.clock.advance(10_000);
  t.deepEqual(world.zone('public')?.metadata.finalizers, ['isthmus.dev/dnszone']);
});

test('a zone of the provider that is not the domain’s is told, and nothing is written there', async (t) => {
  const world = await createTwo();
  await world.putZone('odd', { domain: 'example.org', route53: { hostedZoneId: 'Z9' } });
  await world.clock.advance(5_000);
  t.like(world.condition('odd', 'Ready'), { status: 'False', reason: 'DomainMismatch' });
  t.regex(
    world.condition('odd', 'Ready')?.message ?? '',
    /provider is example\.com, and spec\.domain example\.org is not within it/,
  );
  const openings = world.opened.length;
  await world.clock.advance(600_000);
  t.is(world.opened.length, openings, 'nobody asks again before something changes');
  t.deepEqual(world.standing('Z9'), []);
  await world.deleteZone('odd');
  await world.clock.advance(120_000);
  t.is(world.zone('odd'), undefined);
});

test('a DNSZone that was never let in can be deleted', async (t) => {
  const world = await createZonesWorld();
  world.faults.set('Z1', 'denied');
  await world.putZone('public', { route53: { hostedZoneId: 'Z1' } });
  await world.putService(web);
  await world.clock.advance(5_000);
  t.is(world.condition('public', 'Ready')?.reason, 'Denied');
  await world.deleteZone('public');
  await world.clock.advance(30_000);
  t.not(world.zone('public'), undefined, 'it may be a passing trouble');
  t.regex(
    world.condition('public', 'Ready')?.message ?? '',
    /cannot be done: .*kubectl patch dnszone/,
  );
  await world.clock.advance(60_000);
  t.is(world.zone('public'), undefined);
});
