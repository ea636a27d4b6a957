// The algorithm for one level at Route 53: aliases, weighted members, names of shards.

import test from 'ava';
import { toShardName } from '../../coordinator/dns/publish/plan-shard-names.ts';
import { nginxGlobal, type ShardSketch } from '../support/dns-fixtures.ts';
import { elb, planRow, route53, testRows } from '../support/dns/level-rows.ts';

const ip = (cluster: string, last: number, more: Partial<ShardSketch> = {}): ShardSketch => ({
  cluster,
  ips: [`8.8.0.${last}`],
  ...more,
});
const host = (cluster: string, name: string, more: Partial<ShardSketch> = {}): ShardSketch => ({
  cluster,
  hostnames: [name],
  ...more,
});
const nameOf = (cluster: string): string =>
  (toShardName(nginxGlobal, cluster) ?? '').replace(nginxGlobal, 'GLOBAL');
const elsewhere = 'lb.hosting.example.net';

testRows(test, route53, [
  {
    title: '1 a level without a healthy shard leads one level up, and that is there',
    shards: [ip('a', 1, { region: 'eu', state: 'dead' }), ip('b', 2)],
    records: ['eu CNAME GLOBAL', 'GLOBAL A 8.8.0.2'],
  },
  {
    title: '2 a shard with addresses and a name counts as one with addresses',
    shards: [{ cluster: 'a', ips: ['8.8.0.1'], hostnames: [elb('a')] }],
    records: ['GLOBAL A 8.8.0.1'],
  },
  {
    title: '3 addresses alone are one plain set of each family',
    shards: [ip('b', 2), ip('a', 1), { cluster: 'c', ips: ['2a00:1450::1', '8.8.0.1'] }],
    records: ['GLOBAL A 8.8.0.1 8.8.0.2', 'GLOBAL AAAA 2a00:1450::1'],
  },
  {
    title: '3 where weights differ, each shard is a weighted member of each family that it has',
    shards: [
      ip('a', 1, { weight: 10 }),
      { cluster: 'b', ips: ['8.8.0.2', '8.8.0.3', '2a00:1450::2'], weight: 90 },
    ],
    records: [
      'GLOBAL A 8.8.0.1 fed/a*10',
      'GLOBAL A 8.8.0.2 8.8.0.3 fed/b*90',
      'GLOBAL AAAA 2a00:1450::2 fed/b*90',
    ],
  },
  {
    title: '4 one load balancer of AWS is an alias in both families',
    shards: [host('a', elb('a'))],
    records: [`GLOBAL A alias:${elb('a')}`, `GLOBAL AAAA alias:${elb('a')}`],
  },
  {
    title: '4 several shards behind one load balancer are one alias',
    shards: [host('a', elb('a')), host('b', elb('a'))],
    records: [`GLOBAL A alias:${elb('a')}`, `GLOBAL AAAA alias:${elb('a')}`],
  },
  {
    title: '4 one load balancer that is none of AWS is a CNAME',
    shards: [host('a', elsewhere)],
    records: [`GLOBAL CNAME ${elsewhere}`],
  },
  {
    title: '5 addresses and load balancers of AWS are weighted members side by side',
    shards: [ip('a', 1), host('b', elb('b'), { weight: 50 })],
    records: [
      'GLOBAL A 8.8.0.1 fed/a*100',
      `GLOBAL A alias:${elb('b')} fed/b*50`,
      `GLOBAL AAAA alias:${elb('b')} fed/b*50`,
    ],
  },
  {
    title: '5 two load balancers of AWS are two members of both families',
    shards: [host('a', elb('a')), host('b', elb('b', 'us-east-1'))],
    records: [
      `GLOBAL A alias:${elb('a')} fed/a*100`,
      `GLOBAL A alias:${elb('b', 'us-east-1')} fed/b*100`,
      `GLOBAL AAAA alias:${elb('a')} fed/a*100`,
      `GLOBAL AAAA alias:${elb('b', 'us-east-1')} fed/b*100`,
    ],
  },
  {
    title: '5 with one that is no alias target all are weighted CNAMEs, addresses by shards’ names',
    shards: [ip('a', 1, { weight: 70 }), host('b', elb('b')), host('c', elsewhere)],
    records: [
      `GLOBAL CNAME ${elb('b')} fed/b*100`,
      `GLOBAL CNAME ${elsewhere} fed/c*100`,
      `GLOBAL CNAME ${nameOf('a')} fed/a*70`,
      `${nameOf('a')} A 8.8.0.1`,
    ],
  },
  {
    title: '5 shards of weight 0 that answer for want of others are members of one weight',
    shards: [host('a', elb('a'), { weight: 0 }), ip('b', 2, { weight: 0 })],
    records: [
      `GLOBAL A alias:${elb('a')} fed/a*1`,
      'GLOBAL A 8.8.0.2 fed/b*1',
      `GLOBAL AAAA alias:${elb('a')} fed/a*1`,
    ],
  },
  {
    title: '5 each level decides for itself',
    shards: [ip('a', 1, { region: 'eu' }), host('b', elb('b'), { region: 'us' })],
    records: [
      'GLOBAL A 8.8.0.1 fed/a*100',
      `GLOBAL A alias:${elb('b')} fed/b*100`,
      `GLOBAL AAAA alias:${elb('b')} fed/b*100`,
      'eu A 8.8.0.1',
      `us A alias:${elb('b')}`,
      `us AAAA alias:${elb('b')}`,
    ],
  },
  {
    title: '6 a level of one family below a global name of both is told, and not mixed',
    shards: [
      ip('a', 1, { region: 'eu' }),
      { cluster: 'b', region: 'us', ips: ['8.8.0.2', '2a00:1450::2'] },
    ],
    records: [
      'eu A 8.8.0.1',
      'GLOBAL A 8.8.0.1 8.8.0.2',
      'GLOBAL AAAA 2a00:1450::2',
      'us A 8.8.0.2',
      'us AAAA 2a00:1450::2',
    ],
    notes: ['AddressFamilyGap'],
  },
]);

test('7 what is planned of a name depends on nothing that stood there before', (t) => {
  const before = planRow({ shards: [ip('a', 1)], more: { shape: route53 } }).planned;
  const shards = [ip('a', 1), host('b', elb('b'))];
  const fresh = planRow({ shards, more: { shape: route53 } }).planned;
  const swapped = planRow({ shards, more: { shape: route53, previous: before } }).planned;
  t.deepEqual(swapped.recordSets, fresh.recordSets);
});

test('a name takes no more than 100 members, the same ones while they stay', (t) => {
  const many = Array.from({ length: 130 }, (_, index) =>
    host(`c${index}`, elb(`lb-${index}`), index === 0 ? { weight: 50 } : {}),
  );
  const idsOf = (shards: readonly ShardSketch[]): readonly string[] => {
    const { planned, findings } = planRow({ shards, more: { shape: route53 } });
    t.deepEqual(findings, []);
    const sets = planned.recordSets.filter(({ type }) => type === 'A');
    return sets.map(({ member }) => member?.id ?? '').sort();
  };
  const all = idsOf(many);
  t.is(all.length, 100);
  const gone = all[7] ?? '';
  const rest = idsOf(many.filter(({ cluster }) => `fed/${cluster}` !== gone));
  t.is(rest.filter((id) => all.includes(id)).length, 99);
});
