import test from 'ava';
import { planPublication, type PublicationInput } from '../../coordinator/dns/publish/plan.ts';
import { auditPublication } from '../../coordinator/dns/publish/audit.ts';
import { embeddedShape } from '../../coordinator/dns/publish/zone-shape.ts';
import { transitionsBetween } from '../../coordinator/dns/publish/transitions.ts';
import { input, lines, nginxAt, nginxGlobal, type ShardSketch } from '../support/dns-fixtures.ts';

const foo: ShardSketch = { cluster: 'foo', zones: ['fz'], region: 'fr', ips: ['198.51.100.1'] };
const bar: ShardSketch = { cluster: 'bar', zones: ['bz'], region: 'br', ips: ['198.51.100.2'] };
const foo2: ShardSketch = { cluster: 'foo2', zones: ['fz2'], region: 'fr', ips: ['198.51.100.3'] };
const fooZone = nginxAt('fz', 'fr');
const foo2Zone = nginxAt('fz2', 'fr');
const fooRegion = nginxAt('fr');
const barZone = nginxAt('bz', 'br');
const barRegion = nginxAt('br');

// 198.51.100.0/24 is a documentation range, which DNS may not carry: the tests use 8.8/16.
function publicOf(shards: readonly ShardSketch[]): readonly ShardSketch[] {
  return shards.map((shard) => ({
    ...shard,
    ips: (shard.ips ?? []).map((ip) => ip.replace('198.51.100.', '8.8.0.')),
  }));
}

function plan(shards: readonly ShardSketch[], more: Partial<PublicationInput> = {}) {
  const given = input(publicOf(shards), more);
  const planned = planPublication(given);
  return { planned, findings: auditPublication(given, planned) };
}

const ready = plan([foo, bar]).planned;

interface Row {
  readonly title: string;
  readonly shards: readonly ShardSketch[];
  readonly more?: Partial<PublicationInput>;
  readonly records: readonly string[];
  readonly reason: string;
}

const rows: readonly Row[] = [
  {
    title: 'every level with healthy shards has their addresses',
    shards: [foo, bar],
    reason: 'Published',
    records: [
      `${barRegion} A 8.8.0.2`,
      `${barZone} A 8.8.0.2`,
      `${fooRegion} A 8.8.0.1`,
      `${fooZone} A 8.8.0.1`,
      `${nginxGlobal} A 8.8.0.1 8.8.0.2`,
    ],
  },
  {
    title: 'a zone without a healthy shard leads to its region',
    shards: [{ ...foo, state: 'notReady' }, foo2],
    reason: 'Published',
    records: [
      `${fooRegion} A 8.8.0.3`,
      `${foo2Zone} A 8.8.0.3`,
      `${fooZone} CNAME ${fooRegion}`,
      `${nginxGlobal} A 8.8.0.3`,
    ],
  },
  {
    title: 'a region without a healthy shard leads to the global name',
    shards: [{ ...foo, state: 'dead' }, bar],
    reason: 'Published',
    records: [
      `${barRegion} A 8.8.0.2`,
      `${barZone} A 8.8.0.2`,
      `${fooRegion} CNAME ${nginxGlobal}`,
      `${fooZone} CNAME ${fooRegion}`,
      `${nginxGlobal} A 8.8.0.2`,
    ],
  },
  {
    title: 'I6 nobody healthy: the global name keeps those that are not proved dead',
    shards: [
      { ...foo, state: 'dead' },
      { ...bar, state: 'notReady' },
    ],
    more: { previous: ready },
    reason: 'FailOpen',
    records: [
      `${barRegion} CNAME ${nginxGlobal}`,
      `${barZone} CNAME ${barRegion}`,
      `${fooRegion} CNAME ${nginxGlobal}`,
      `${fooZone} CNAME ${fooRegion}`,
      `${nginxGlobal} A 8.8.0.2`,
    ],
  },
  {
    title: 'I6 all proved dead: the global name keeps all of them',
    shards: [
      { ...foo, state: 'dead' },
      { ...bar, state: 'dead' },
    ],
    more: { previous: ready },
    reason: 'FailOpen',
    records: [
      `${barRegion} CNAME ${nginxGlobal}`,
      `${barZone} CNAME ${barRegion}`,
      `${fooRegion} CNAME ${nginxGlobal}`,
      `${fooZone} CNAME ${fooRegion}`,
      `${nginxGlobal} A 8.8.0.1 8.8.0.2`,
    ],
  },
  {
    title: 'a drained shard is out at once and not in the fail-open set',
    shards: [
      { ...foo, isDrained: true },
      { ...bar, state: 'notReady' },
    ],
    more: { previous: ready },
    reason: 'FailOpen',
    records: [
      `${barRegion} CNAME ${nginxGlobal}`,
      `${barZone} CNAME ${barRegion}`,
      `${fooRegion} CNAME ${nginxGlobal}`,
      `${fooZone} CNAME ${fooRegion}`,
      `${nginxGlobal} A 8.8.0.2`,
    ],
  },
  {
    title: 'all drained: the wish takes the last address',
    shards: [
      { ...foo, isDrained: true },
      { ...bar, isDrained: true },
    ],
    more: { previous: ready },
    reason: 'NoAddress',
    records: [],
  },
  {
    title: 'a Service that was never healthy has no names',
    shards: [{ ...foo, state: 'notReady' }],
    reason: 'NeverHealthy',
    records: [],
  },
  {
    title: 'a new Service of the same name does not inherit that it was healthy',
    shards: [{ ...foo, state: 'notReady' }],
    more: { previous: ready, serviceUid: 'uid-2' },
    reason: 'NeverHealthy',
    records: [],
  },
  {
    title: 'I3 verdicts that are not there yet change nothing',
    shards: [
      { ...foo, isUnknown: true },
      { ...bar, isUnknown: true },
    ],
    more: { previous: ready },
    reason: 'Published',
    records: lines(ready),
  },
  {
    title: 'I3 pending verdicts change nothing',
    shards: [
      { ...foo, state: 'pending', ips: [] },
      { ...bar, state: 'pending', ips: [] },
    ],
    more: { previous: ready },
    reason: 'Published',
    records: lines(ready),
  },
  {
    title: 'a shard without a region stands at the global level only',
    shards: [{ cluster: 'foo', zones: ['fz'], ips: ['198.51.100.1'] }],
    reason: 'Published',
    records: [`${nginxGlobal} A 8.8.0.1`],
  },
  {
    title: 'a shard without a zone stands at region and global',
    shards: [{ cluster: 'foo', region: 'fr', ips: ['198.51.100.1'] }],
    reason: 'Published',
    records: [`${fooRegion} A 8.8.0.1`, `${nginxGlobal} A 8.8.0.1`],
  },
  {
    title: 'a cluster over two zones stands in both',
    shards: [{ ...foo, zones: ['fz', 'fz2'] }],
    reason: 'Published',
    records: [
      `${fooRegion} A 8.8.0.1`,
      `${fooZone} A 8.8.0.1`,
      `${foo2Zone} A 8.8.0.1`,
      `${nginxGlobal} A 8.8.0.1`,
    ],
  },
  {
    title: 'private addresses never go, floating ones do',
    shards: [{ ...foo, ips: ['10.0.0.7', '198.51.100.1', '192.168.1.1', 'fe80::1', '127.0.0.1'] }],
    reason: 'Published',
    records: [`${fooRegion} A 8.8.0.1`, `${fooZone} A 8.8.0.1`, `${nginxGlobal} A 8.8.0.1`],
  },
  {
    title: 'a shard with private addresses only is not published',
    shards: [{ ...foo, ips: ['10.0.0.7'] }],
    reason: 'NoAddress',
    records: [],
  },
  {
    title: 'both families go beside each other',
    shards: [{ cluster: 'foo', ips: ['198.51.100.1', '2a00:1450::1', '2A00:1450:0::1'] }],
    reason: 'Published',
    records: [`${nginxGlobal} A 8.8.0.1`, `${nginxGlobal} AAAA 2a00:1450::1`],
  },
  {
    title: 'a load balancer that is a name goes as a CNAME',
    shards: [{ ...foo, ips: [], hostnames: ['LB-1.elb.amazonaws.com.'] }],
    reason: 'Published',
    records: [
      `${fooRegion} CNAME lb-1.elb.amazonaws.com`,
      `${fooZone} CNAME lb-1.elb.amazonaws.com`,
      `${nginxGlobal} CNAME lb-1.elb.amazonaws.com`,
    ],
  },
  {
    title: 'addresses are preferred to names where a level has both',
    shards: [{ ...foo, ips: [], hostnames: ['lb.elb.amazonaws.com'] }, foo2],
    reason: 'Published',
    records: [
      `${fooRegion} A 8.8.0.3`,
      `${foo2Zone} A 8.8.0.3`,
      `${fooZone} CNAME lb.elb.amazonaws.com`,
      `${nginxGlobal} A 8.8.0.3`,
    ],
  },
  {
    title: 'I5 a load balancer may not be named within our own zone',
    shards: [{ ...foo, ips: [], hostnames: [nginxGlobal, 'example.com'] }],
    reason: 'NoAddress',
    records: [],
  },
  {
    title: 'a headless Service gets no names',
    shards: [foo],
    more: { isHeadless: true },
    reason: 'Headless',
    records: [],
  },
  {
    title: 'an ExternalName Service gets no names',
    shards: [foo],
    more: { type: 'ExternalName' },
    reason: 'ExternalName',
    records: [],
  },
  {
    title: 'I7 a Service that became ClusterIP loses its names',
    shards: [{ ...foo, ips: [] }],
    more: { type: 'ClusterIP', previous: ready },
    reason: 'NotALoadBalancer',
    records: [],
  },
  {
    title: 'a ClusterIP Service with external IPs has names',
    shards: [{ cluster: 'foo', ips: ['198.51.100.1'] }],
    more: { type: 'ClusterIP' },
    reason: 'Published',
    records: [`${nginxGlobal} A 8.8.0.1`],
  },
  {
    title: 'a Service that is placed nowhere has no names',
    shards: [],
    more: { previous: ready },
    reason: 'NotPlaced',
    records: [],
  },
  {
    title: 'a name that is too long is left out and its shards stay above',
    shards: [{ ...foo, zones: ['z'.repeat(64)] }],
    reason: 'Published',
    records: [`${fooRegion} A 8.8.0.1`, `${nginxGlobal} A 8.8.0.1`],
  },
  {
    title: 'a global name that is too long is refused with the reason',
    shards: [foo],
    more: { zone: `${'d'.repeat(60)}.${'e'.repeat(60)}.${'f'.repeat(60)}.${'g'.repeat(60)}` },
    reason: 'NameTooLong',
    records: [],
  },
];

for (const { title, shards, more = {}, records, reason } of rows) {
  test(title, (t) => {
    const { planned, findings } = plan(shards, more);
    t.deepEqual(lines(planned), [...records].sort());
    t.is(planned.reason, reason);
    t.deepEqual(findings, []);
  });
}

test('an address of one shard that leaves moves no other when there are too many', (t) => {
  const many = Array.from({ length: 150 }, (_, index) => ({
    cluster: `c${index}`,
    ips: [`8.9.${Math.floor(index / 100)}.${index % 100}`],
  }));
  const before = plan(many).planned.recordSets[0]?.values ?? [];
  const kept =
    plan(many.filter(({ ips: [ip] }) => ip !== before[0])).planned.recordSets[0]?.values ?? [];
  t.is(before.length, 100);
  t.is(kept.length, 100);
  t.is(before.filter((value) => kept.includes(value)).length, 99);
});

test('which shard is in DNS is said with the publication', (t) => {
  const { planned } = plan([foo, { ...bar, state: 'notReady' }]);
  t.deepEqual(
    planned.shards.map(({ cluster, inDns, state }) => [cluster, inDns, state]),
    [
      ['bar', false, 'notReady'],
      ['foo', true, 'healthy'],
    ],
  );
});

test('names of ports, of single shards and short names move with the levels, and are not told of', (t) => {
  const shape = { ...embeddedShape, hostnameMode: 'PerShard' as const };
  const aliases = { granted: [{ name: 'eu.example.com', region: 'fr' }], refused: [] };
  const more = { shape, aliases, ports: [{ name: 'http', port: 80 }] };
  const at = { ...bar, nodePorts: { http: 30_080 } };
  const up = plan([foo, at], more).planned;
  const down = plan([{ ...foo, state: 'dead' }, at], { ...more, previous: up }).planned;
  t.true(down.recordSets.some(({ name, type }) => name.startsWith('_') && type === 'CNAME'));
  t.deepEqual(
    transitionsBetween(up, down).map(({ message }) => message),
    [`no healthy shard at ${fooRegion} (now ${nginxGlobal}), ${fooZone} (now ${fooRegion})`],
  );
});

test('transitions tell what moved, and nothing when nothing did', (t) => {
  const down = plan([{ ...foo, state: 'dead' }, bar], { previous: ready }).planned;
  const open = plan(
    [
      { ...foo, state: 'dead' },
      { ...bar, state: 'notReady' },
    ],
    { previous: down },
  ).planned;
  const reasons = (from: typeof ready | undefined, to: typeof ready | undefined) =>
    transitionsBetween(from, to).map(({ reason, type }) => `${type} ${reason}`);
  t.deepEqual(reasons(undefined, ready), ['Normal DNSPublished']);
  t.deepEqual(reasons(ready, ready), []);
  t.deepEqual(reasons(ready, down), ['Warning DNSFailedOver']);
  t.deepEqual(reasons(down, open), ['Warning DNSFailedOver', 'Warning DNSFailedOver']);
  t.deepEqual(reasons(open, ready), ['Normal DNSPublished', 'Normal DNSPublished']);
  t.deepEqual(reasons(ready, undefined), ['Normal DNSWithdrawn']);
  t.true(transitionsBetween(ready, down)[0]?.message.includes(`${fooRegion} (now ${nginxGlobal})`));
});
