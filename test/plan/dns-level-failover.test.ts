// Weights, drains, primary and backup shards, through every provider's form.

import test from 'ava';
import { cloudDns, elb, rfc2136, route53, testRows } from '../support/dns/level-rows.ts';

const a = { cluster: 'a', region: 'eu', ips: ['8.8.0.1'] };
const b = { cluster: 'b', region: 'us', ips: ['8.8.0.2'], isBackup: true };
const c = { cluster: 'c', region: 'us', ips: ['8.8.0.3'], isBackup: true };

testRows(test, rfc2136, [
  {
    title: 'a backup is nowhere while a primary is healthy, at its own level neither',
    shards: [a, b],
    records: ['GLOBAL A 8.8.0.1', 'eu A 8.8.0.1', 'us CNAME GLOBAL'],
  },
  {
    title: 'with no primary healthy all healthy backups answer',
    shards: [{ ...a, state: 'notReady' }, b, c],
    records: ['GLOBAL A 8.8.0.2 8.8.0.3', 'eu CNAME GLOBAL', 'us A 8.8.0.2 8.8.0.3'],
  },
  {
    title: 'a drained primary is as none',
    shards: [{ ...a, isDrained: true }, b],
    records: ['GLOBAL A 8.8.0.2', 'eu CNAME GLOBAL', 'us A 8.8.0.2'],
  },
  {
    title: 'a primary of weight 0 yields to a backup with a weight',
    shards: [{ ...a, weight: 0 }, b],
    records: ['GLOBAL A 8.8.0.2', 'eu CNAME GLOBAL', 'us A 8.8.0.2'],
  },
  {
    title: 'of shards of weight 0 alone the primary one answers',
    shards: [
      { ...a, weight: 0 },
      { ...b, weight: 0 },
    ],
    records: ['GLOBAL A 8.8.0.1', 'eu A 8.8.0.1', 'us CNAME GLOBAL'],
  },
  {
    title: 'a shard of weight 0 is out as long as another is healthy',
    shards: [
      { ...a, weight: 0 },
      { ...b, isBackup: false },
    ],
    records: ['GLOBAL A 8.8.0.2', 'eu CNAME GLOBAL', 'us A 8.8.0.2'],
  },
]);

testRows(test, route53, [
  {
    title: 'Route 53: a backup behind a load balancer of AWS comes when the primary goes',
    shards: [
      { ...a, state: 'dead' },
      { cluster: 'd', hostnames: [elb('d')], isBackup: true },
    ],
    records: [`GLOBAL A alias:${elb('d')}`, `GLOBAL AAAA alias:${elb('d')}`, 'eu CNAME GLOBAL'],
  },
]);

testRows(test, cloudDns, [
  {
    title: 'Cloud DNS: weights count among backups too',
    shards: [
      { ...a, state: 'dead' },
      { ...b, weight: 10 },
      { ...c, weight: 30 },
    ],
    records: [
      'GLOBAL A (10 8.8.0.2) (30 8.8.0.3)',
      'eu CNAME GLOBAL',
      'us A (10 8.8.0.2) (30 8.8.0.3)',
    ],
  },
]);
