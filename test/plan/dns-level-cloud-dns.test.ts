// The algorithm for one level at Cloud DNS: weighted items, of addresses or of CNAMEs.

import test from 'ava';
import { toShardName } from '../../coordinator/dns/publish/plan-shard-names.ts';
import { nginxGlobal } from '../support/dns-fixtures.ts';
import { cloudDns, elb, testRows } from '../support/dns/level-rows.ts';

const nameOf = (cluster: string): string =>
  (toShardName(nginxGlobal, cluster) ?? '').replace(nginxGlobal, 'GLOBAL');
const a = { cluster: 'a', ips: ['8.8.0.1'] };
const b = { cluster: 'b', hostnames: [elb('b')] };

testRows(test, cloudDns, [
  {
    title: '3 addresses alone are one plain set of each family',
    shards: [
      { ...a, ips: ['8.8.0.1', '2a00:1450::1'] },
      { cluster: 'c', ips: ['8.8.0.3'] },
    ],
    records: ['GLOBAL A 8.8.0.1 8.8.0.3', 'GLOBAL AAAA 2a00:1450::1'],
  },
  {
    title: '3 where weights differ, each shard is an item; one alone in its family is plain',
    shards: [
      { ...a, weight: 20 },
      { cluster: 'c', ips: ['8.8.0.3', '8.8.0.4', '2a00:1450::3'], weight: 80 },
    ],
    records: ['GLOBAL A (20 8.8.0.1) (80 8.8.0.3 8.8.0.4)', 'GLOBAL AAAA 2a00:1450::3'],
  },
  {
    title: '4 one load balancer that is a name is a CNAME, also of AWS',
    shards: [b],
    records: [`GLOBAL CNAME ${elb('b')}`],
  },
  {
    title: '5 mixed: one weighted CNAME, to shards’ names for addresses',
    shards: [
      { ...a, weight: 30 },
      { ...b, weight: 70 },
    ],
    records: [`GLOBAL CNAME (30 ${nameOf('a')}) (70 ${elb('b')})`, `${nameOf('a')} A 8.8.0.1`],
  },
  {
    title: '5 two load balancers are two items; shards behind one of them add up',
    shards: [b, { ...b, cluster: 'c', weight: 50 }, { cluster: 'd', hostnames: [elb('d')] }],
    records: [`GLOBAL CNAME (150 ${elb('b')}) (100 ${elb('d')})`],
  },
  {
    title: '5 a shard’s name is the same at each level that leads to it',
    shards: [
      { ...a, region: 'eu' },
      { ...b, region: 'eu' },
    ],
    records: [
      `GLOBAL CNAME (100 ${nameOf('a')}) (100 ${elb('b')})`,
      `eu CNAME (100 ${nameOf('a')}) (100 ${elb('b')})`,
      `${nameOf('a')} A 8.8.0.1`,
    ],
  },
]);
