// The algorithm for one level where there is neither alias nor weight: the three hostname modes.

import test from 'ava';
import { toShardName } from '../../coordinator/dns/publish/plan-shard-names.ts';
import { nginxGlobal } from '../support/dns-fixtures.ts';
import { elb, planRow, rfc2136, testRows } from '../support/dns/level-rows.ts';

const nameOf = (cluster: string): string =>
  (toShardName(nginxGlobal, cluster) ?? '').replace(nginxGlobal, 'GLOBAL');
const a = { cluster: 'a', region: 'eu', ips: ['8.8.0.1'] };
const b = { cluster: 'b', region: 'us', hostnames: [elb('b')] };
const c = { cluster: 'c', region: 'us', hostnames: [elb('c')] };
const flatten = { ...rfc2136, hostnameMode: 'Flatten' as const };
const perShard = { ...rfc2136, hostnameMode: 'PerShard' as const };
const resolved = new Map([[elb('b'), ['8.8.1.1', '8.8.1.2', '10.0.0.1', '2a00:1450::b']]]);

testRows(test, rfc2136, [
  {
    title: '3 weights differ and nothing can weigh: all alike, and that is told',
    shards: [
      { ...a, weight: 10 },
      { cluster: 'd', ips: ['8.8.0.4'], weight: 90 },
    ],
    records: ['GLOBAL A 8.8.0.1 8.8.0.4', 'eu A 8.8.0.1'],
    notes: ['WeightsIgnored'],
  },
  {
    title: '4 one load balancer that is a name is a CNAME in every mode, which follows it',
    shards: [b],
    more: { shape: flatten, resolved },
    records: [`GLOBAL CNAME ${elb('b')}`, `us CNAME ${elb('b')}`],
  },
  {
    title: '5 Prefer: addresses where there are any, and names at their own levels',
    shards: [a, b],
    records: ['GLOBAL A 8.8.0.1', 'eu A 8.8.0.1', `us CNAME ${elb('b')}`],
    notes: ['HostnamesLeftOut'],
  },
  {
    title: '5 Prefer: of names alone one of the heaviest',
    shards: [
      { ...b, weight: 10 },
      { ...c, weight: 20 },
    ],
    records: [`GLOBAL CNAME ${elb('c')}`, `us CNAME ${elb('c')}`],
    notes: ['HostnamesLeftOut'],
  },
  {
    title: '5 Flatten: addresses that were looked up stand beside others, a minute at most',
    shards: [a, b],
    more: { shape: flatten, resolved, ttlSeconds: 300 },
    records: [
      'GLOBAL A 8.8.0.1 8.8.1.1 8.8.1.2',
      'GLOBAL AAAA 2a00:1450::b',
      'eu A 8.8.0.1',
      `us CNAME ${elb('b')}`,
    ],
    notes: ['AddressFamilyGap', 'Flattened'],
  },
  {
    title: '5 Flatten: a name that cannot be looked up is as with Prefer',
    shards: [a, b, c],
    more: { shape: flatten, resolved: new Map([[elb('c'), ['8.8.2.1']]]) },
    records: ['GLOBAL A 8.8.0.1 8.8.2.1', 'eu A 8.8.0.1', 'us A 8.8.2.1'],
    notes: ['Flattened', 'HostnamesLeftOut'],
  },
  {
    title: '5 PerShard: a name for each shard beside what Prefer says',
    shards: [a, b],
    more: { shape: perShard },
    records: [
      'GLOBAL A 8.8.0.1',
      'eu A 8.8.0.1',
      `us CNAME ${elb('b')}`,
      `${nameOf('a')} A 8.8.0.1`,
      `${nameOf('b')} CNAME ${elb('b')}`,
    ],
    notes: ['HostnamesLeftOut'],
  },
  {
    title: '5 PerShard: the name of a shard that is not healthy leads to the global name',
    shards: [{ ...a, state: 'notReady' }, b],
    more: { shape: perShard },
    records: [
      `GLOBAL CNAME ${elb('b')}`,
      'eu CNAME GLOBAL',
      `us CNAME ${elb('b')}`,
      `${nameOf('a')} CNAME GLOBAL`,
      `${nameOf('b')} CNAME ${elb('b')}`,
    ],
  },
]);

test('the one load balancer that Prefer chooses stays the same until its shard leaves', (t) => {
  const lbs = ['d', 'e', 'f', 'g'].map((cluster) => ({ cluster, hostnames: [elb(cluster)] }));
  const chosen = (shards: typeof lbs): string =>
    planRow({ shards, more: { shape: rfc2136 } }).planned.recordSets[0]?.values[0] ?? '';
  const target = chosen(lbs);
  const others = lbs.filter(({ hostnames }) => !hostnames.includes(target));
  for (const gone of others) t.is(chosen(lbs.filter((lb) => lb !== gone)), target);
  t.not(chosen(others), target);
});

test('Flatten keeps answers no longer than a minute, and no shorter than the provider takes', (t) => {
  const ttls = (shape: typeof flatten, ttlSeconds: number): readonly number[] =>
    planRow({ shards: [a, b], more: { shape, resolved, ttlSeconds } }).planned.recordSets.map(
      (set) => set.ttlSeconds,
    );
  t.deepEqual([...new Set(ttls(flatten, 300))].sort(), [300, 60]);
  t.deepEqual([...new Set(ttls({ ...flatten, ttlSecondsMin: 120 }, 30))], [120]);
  t.deepEqual([...new Set(ttls(flatten, 20))], [20]);
});
