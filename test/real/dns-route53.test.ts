// What the adapter makes of Route 53, over the real SDK: few calls, exact forms, credentials.

import { createSocket } from 'node:dgram';
import dnsPacket from 'dns-packet';
import test, { type ExecutionContext } from 'ava';
import { systemClock } from '../../common/runtime/clock.ts';
import { silentLog } from '../../common/runtime/log.ts';
import { packBatch } from '../../coordinator/dns/apply/pack.ts';
import type { RecordGroup, ZoneRecordSet } from '../../coordinator/dns/provider/provider.ts';
import { openRoute53 } from '../../coordinator/dns/provider/route53.ts';
import { applyGroups, group, inOrder, kinds, recordSet } from '../contract/dns-provider-cases.ts';
import type { StoredSet } from '../support/dns/route53/record-set.ts';
import { createManualClock } from '../support/manual-clock.ts';
import { handOn, openRoute53World, type Route53World } from '../support/dns/route53/subject.ts';

const patience = { timeoutMs: 20_000 };
const ample = { requests: { perSecond: 10_000, burst: 10_000 } };

async function openWorld(
  t: ExecutionContext,
  options: Parameters<typeof openRoute53World>[0] = ample,
): Promise<Route53World> {
  const world = await openRoute53World(options);
  t.teardown(world.close);
  return world;
}

function apply(world: Route53World, groups: readonly RecordGroup[], fence?: RecordGroup) {
  const subject = world as unknown as Parameters<typeof applyGroups>[0];
  return applyGroups(subject, groups, fence);
}

/** As people and other programs leave them, which is not as we would write them. */
function putRaw(world: Route53World, sets: readonly StoredSet[]): void {
  for (const set of sets) {
    const faults = world.zone.change([{ action: 'CREATE', set, writtenName: set.name }], () => {
      // DNS follows.
    });
    if (faults.length > 0) throw new Error(faults.join());
  }
}

test('1,000 names move in at most 4 requests, under the fence', async (t) => {
  const world = await openWorld(t);
  const { provider, double } = world;
  const at = (index: number, address: string): ZoneRecordSet =>
    recordSet(`s${index}.web.fed.svc.eu-1a.eu.example.com`, 'A', [address]);
  const names = Array.from({ length: 1_000 }, (_, index) => index);
  await handOn(world.zone).put(names.map((index) => at(index, '192.0.2.1')));
  let waiting = names.map((index) =>
    group(`s${index}`, { deletes: [at(index, '192.0.2.1')], creates: [at(index, '192.0.2.2')] }),
  );
  const fenceAt = (seq: number): ZoneRecordSet =>
    recordSet('_fedfence.fed.example.com', 'TXT', [
      `v=1 id=0f9d4e4c-2a3a-4b38-9d4f-6b1f5b9d9d51 term=1099511627777 seq=${seq}`,
    ]);
  await handOn(world.zone).put([fenceAt(0)]);
  for (let seq = 1; waiting.length > 0; seq += 1) {
    const fence = group('fence', { deletes: [fenceAt(seq - 1)], creates: [fenceAt(seq)] });
    const { groups } = packBatch({
      candidates: waiting,
      measure: provider.measure.bind(provider),
      limits: provider.capabilities.limits,
      fence: provider.measure(fence),
      groupsMax: Infinity,
    });
    const outcomes = await apply(world, groups, fence);
    t.deepEqual([...new Set([...outcomes.values()].map(({ kind }) => kind))], ['applied']);
    waiting = waiting.slice(groups.length);
  }
  const moved = world.zone.all().filter(({ values }) => values[0] === '192.0.2.2');
  t.is(moved.length, 1_000);
  t.true(double.count('ChangeResourceRecordSets') <= 4);
  t.is(double.seen.length, double.count('ChangeResourceRecordSets'));
});

test('names that stand close together are read in one call, far ones in one each', async (t) => {
  const world = await openWorld(t);
  const zones = ['eu-1a', 'eu-1b', 'us-1a'];
  const nameOf = (index: number, zone: string): string =>
    `s${String(index).padStart(4, '0')}.web.fed.svc.${zone}.example.com`;
  const sets = zones.flatMap((zone) =>
    Array.from({ length: 600 }, (_, index) => recordSet(nameOf(index, zone), 'A', ['192.0.2.1'])),
  );
  await handOn(world.zone).put(sets);
  const near = Array.from({ length: 12 }, (_, index) => nameOf(index, 'eu-1a'));
  t.is((await world.provider.read(near, patience)).length, 12);
  t.is(world.double.count('ListResourceRecordSets'), 1);
  const far = zones.map((zone) => nameOf(300, zone));
  t.is((await world.provider.read(far, patience)).length, 3);
  t.is(world.double.count('ListResourceRecordSets'), 1 + 3);
  await world.provider.read(['absent.zzz.example.com', 'absent.zzzz.example.com'], patience);
  t.is(world.double.count('ListResourceRecordSets'), 1 + 3 + 1);
});

test('a name with more members than a page holds is read whole, each once', async (t) => {
  const world = await openWorld(t);
  const members = Array.from({ length: 90 }, (_, index) => ({
    ...recordSet('a.example.com', 'A', [`192.0.2.${index}`]),
    member: { id: `c${String(index).padStart(3, '0')}`, weight: 1 },
  }));
  const sets = [...members, recordSet('a-b.example.com', 'A', ['192.0.2.1'])];
  await handOn(world.zone).put(sets);
  const found = await world.provider.read(['a.example.com', 'a-b.example.com'], patience);
  t.deepEqual([...found].sort(byMember), [...sets].sort(byMember));
});

function byMember(a: ZoneRecordSet, b: ZoneRecordSet): number {
  return `${a.name} ${a.member?.id ?? ''}` < `${b.name} ${b.member?.id ?? ''}` ? -1 : 1;
}

test('long text goes in strings of 255 bytes, odd bytes in octal, and both come back', async (t) => {
  const world = await openWorld(t);
  const texts = ['x'.repeat(600), 'tab\there', 'grüße', 'back\\slash "quoted"', ''];
  const sets = texts.map((text, index) => recordSet(`t${index}.example.com`, 'TXT', [text]));
  const odd = recordSet('a\\032b.example.com', 'A', ['192.0.2.1']);
  const outcomes = await apply(world, [group('g', { creates: [...sets, odd] })]);
  t.deepEqual(kinds(outcomes), ['g=applied']);
  const names = [...sets, odd].map(({ name }) => name);
  const found = await world.provider.read(names, patience);
  t.deepEqual(inOrder(found), inOrder([...sets, odd]));
  t.deepEqual(world.zone.at('t0.example.com.')[0]?.values, [
    `"${'x'.repeat(255)}" "${'x'.repeat(255)}" "${'x'.repeat(90)}"`,
  ]);
  t.deepEqual(world.zone.at('t1.example.com.')[0]?.values, ['"tab\\011here"']);
  t.is(world.zone.at('a\\040b.example.com.').length, 1);
  t.deepEqual(kinds(await apply(world, [group('g', { deletes: found })])), ['g=applied']);
});

test('what others wrote in a form of their own is deleted exactly as it stands', async (t) => {
  const world = await openWorld(t);
  const plain = { routing: [], ttl: 300 };
  putRaw(world, [
    { ...plain, name: 'aaaa.example.com.', type: 'AAAA', values: ['2001:DB8:0:0:0:0:0:1'] },
    { ...plain, name: 'split.example.com.', type: 'TXT', values: ['"heritage=" "external-dns"'] },
    {
      ...plain,
      name: 'fail.example.com.',
      type: 'A',
      values: ['192.0.2.1'],
      setIdentifier: 'p',
      routing: [
        ['Failover', 'PRIMARY'],
        ['HealthCheckId', 'abc'],
      ],
    },
    {
      ...plain,
      name: 'geo.example.com.',
      type: 'A',
      values: ['192.0.2.1'],
      setIdentifier: 'eu',
      routing: [['GeoLocation', [['ContinentCode', 'EU']]]],
    },
    {
      name: 'lat.example.com.',
      type: 'A',
      values: [],
      setIdentifier: 'l',
      routing: [['Region', 'eu-west-1']],
      alias: {
        hostedZoneId: 'Z1',
        dnsName: 'x.eu-west-1.elb.amazonaws.com.',
        evaluateTargetHealth: true,
      },
    },
  ]);
  const names = ['aaaa', 'split', 'fail', 'geo', 'lat'].map((label) => `${label}.example.com`);
  const found = await world.provider.read(names, patience);
  t.deepEqual(found.map(({ name, values, foreign }) => [name, values, foreign]).sort(), [
    ['aaaa.example.com', ['2001:db8::1'], undefined],
    [
      'fail.example.com',
      ['192.0.2.1'],
      '{"Failover":"PRIMARY","HealthCheckId":"abc","SetIdentifier":"p"}',
    ],
    [
      'geo.example.com',
      ['192.0.2.1'],
      '{"GeoLocation":{"ContinentCode":"EU"},"SetIdentifier":"eu"}',
    ],
    ['lat.example.com', [], '{"Region":"eu-west-1","SetIdentifier":"l"}'],
    ['split.example.com', ['heritage=external-dns'], undefined],
  ]);
  const copies = structuredClone(found) as readonly ZoneRecordSet[];
  t.deepEqual(kinds(await apply(world, [group('g', { deletes: copies })])), ['g=applied']);
  t.is(world.zone.size, 2);
});

test('an alias and addresses share a weighted name, and only the alias has no TTL', async (t) => {
  const world = await openWorld(t);
  const alias: ZoneRecordSet = {
    name: 'a.example.com',
    type: 'A',
    ttlSeconds: 0,
    values: [],
    member: { id: 'fed/eks', weight: 2 },
    alias: {
      target: 'dualstack.web-1.eu-west-1.elb.amazonaws.com',
      hostedZoneId: 'Z32O12XQLNTSW2',
      evaluateTargetHealth: true,
    },
  };
  const addresses = {
    ...recordSet('a.example.com', 'A', ['192.0.2.1', '192.0.2.2']),
    member: { id: 'fed/onprem', weight: 1 },
  };
  const creates = [alias, addresses];
  t.deepEqual(kinds(await apply(world, [group('g', { creates })])), ['g=applied']);
  t.deepEqual(await world.provider.read(['a.example.com'], patience), creates);
  t.deepEqual(world.provider.measure(group('g', { creates })), { changes: 3, bytes: 18 });
});

test('DNS serves a change when it is INSYNC, and observe says so', async (t) => {
  const clock = createManualClock();
  const world = await openWorld(t, { ...ample, clock, propagationMs: 60_000 });
  const set = recordSet('a.example.com', 'A', ['192.0.2.1']);
  const outcome = (await apply(world, [group('g', { creates: [set] })])).get('g');
  const change = outcome?.kind === 'applied' ? (outcome.change ?? '') : '';
  t.is(await world.provider.observe(change, patience), 'pending');
  t.deepEqual(await ask(world.double.dnsPort, 'a.example.com'), { rcode: 'NXDOMAIN', data: [] });
  await clock.advance(60_000);
  t.is(await world.provider.observe(change, patience), 'live');
  t.deepEqual(await ask(world.double.dnsPort, 'a.example.com'), {
    rcode: 'NOERROR',
    data: ['192.0.2.1'],
  });
});

function ask(port: number, name: string): Promise<{ rcode: string; data: unknown[] }> {
  return new Promise((resolve) => {
    const socket = createSocket('udp4');
    socket.once('message', (bytes) => {
      socket.close();
      const { rcode = '', answers = [] } = dnsPacket.decode(bytes) as dnsPacket.DecodedPacket & {
        readonly rcode?: string;
      };
      resolve({ rcode, data: answers.map((answer) => ('data' in answer ? answer.data : '')) });
    });
    const query = dnsPacket.encode({ type: 'query', id: 7, questions: [{ type: 'A', name }] });
    socket.send(query, port, '127.0.0.1');
  });
}

test('the zone tells its servers, its size, its quota and how long absence is kept', async (t) => {
  const world = await openWorld(t);
  const found = await world.provider.describe(patience);
  t.deepEqual(found, {
    apex: 'example.com',
    nameServers: ['ns-1.awsdns-01.com', 'ns-2.awsdns-02.net', 'ns-3.awsdns-03.org'],
    isPrivate: false,
    recordSetsMax: 10_000,
    recordSets: 2,
    negativeTtlSeconds: 900,
  });
  world.double.allows = (action) => action !== 'GetHostedZoneLimit';
  const { recordSetsMax, ...rest } = await world.provider.describe(patience);
  t.is(recordSetsMax, undefined);
  t.is(rest.recordSets, 2);
});

test('zones of one account share its budget', (t) => {
  const rateOf = (options: Partial<Parameters<typeof openRoute53>[0]>): string =>
    openRoute53({ hostedZoneId: 'Z1', clock: systemClock, log: silentLog, ...options }).capabilities
      .rate.account;
  const roleArn = (account: string): string => `arn:aws:iam::${account}:role/isthmus`;
  t.is(rateOf({ roleArn: roleArn('111111111111') }), 'route53 111111111111');
  t.is(rateOf({ hostedZoneId: 'Z2' }), rateOf({}));
  t.not(rateOf({ roleArn: roleArn('111111111111') }), rateOf({ roleArn: roleArn('222222222222') }));
});
