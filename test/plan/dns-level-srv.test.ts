// SRV records of Services at node ports.

import test from 'ava';
import { toShardName } from '../../coordinator/dns/publish/plan-shard-names.ts';
import { nginxGlobal } from '../support/dns-fixtures.ts';
import { describeSets, elb, planRow, rfc2136, testRows } from '../support/dns/level-rows.ts';

const longOf = (cluster: string): string => toShardName(nginxGlobal, cluster) ?? '';
const nameOf = (cluster: string): string => longOf(cluster).replace(nginxGlobal, 'GLOBAL');
const a = { cluster: 'a', region: 'eu', ips: ['8.8.0.1', '8.8.0.2'], nodePorts: { http: 30_080 } };
const b = { cluster: 'b', region: 'us', ips: ['8.8.0.3'], nodePorts: { http: 31_080 } };
const http = { name: 'http', port: 80 };
const type = 'NodePort' as const;
const srv = (owner: string, ...values: readonly string[]): string =>
  [`_http._tcp.${owner} SRV`, ...values].join(' ');

testRows(test, rfc2136, [
  {
    title: 'a shard at node ports has a name, and its port stands in SRV at each of its levels',
    shards: [a],
    more: { type, ports: [http] },
    records: [
      'GLOBAL A 8.8.0.1 8.8.0.2',
      'eu A 8.8.0.1 8.8.0.2',
      `${nameOf('a')} A 8.8.0.1 8.8.0.2`,
      srv('GLOBAL', `0 100 30080 ${nameOf('a')}`),
      srv('eu', `0 100 30080 ${nameOf('a')}`),
    ],
  },
  {
    title: 'each shard has the port of its own cluster; a level without a shard leads up',
    shards: [a, { ...b, state: 'notReady' }],
    more: { type, ports: [http] },
    records: [
      'GLOBAL A 8.8.0.1 8.8.0.2',
      'eu A 8.8.0.1 8.8.0.2',
      'us CNAME GLOBAL',
      `${nameOf('a')} A 8.8.0.1 8.8.0.2`,
      srv('GLOBAL', `0 100 30080 ${nameOf('a')}`),
      srv('eu', `0 100 30080 ${nameOf('a')}`),
      '_http._tcp.us CNAME _http._tcp.GLOBAL',
    ],
  },
  {
    title: 'beside node ports a load balancer answers at the Service’s port, by its own name',
    shards: [a, { cluster: 'c', hostnames: [elb('c')], weight: 50 }],
    more: { ports: [http] },
    records: [
      'GLOBAL A 8.8.0.1 8.8.0.2',
      'eu A 8.8.0.1 8.8.0.2',
      `${nameOf('a')} A 8.8.0.1 8.8.0.2`,
      srv('GLOBAL', `0 100 30080 ${nameOf('a')}`, `0 50 80 ${elb('c')}`),
      srv('eu', `0 100 30080 ${nameOf('a')}`),
    ],
    notes: ['HostnamesLeftOut'],
  },
  {
    title: 'UDP ports have names of their own; ports without a name have none, and that is told',
    shards: [a],
    more: { type, ports: [{ name: 'http', protocol: 'UDP', port: 53 }, { port: 80 }] },
    records: ['GLOBAL A 8.8.0.1 8.8.0.2', 'eu A 8.8.0.1 8.8.0.2'],
    notes: ['UnnamedPorts'],
  },
  {
    title: 'load balancers alone have no SRV records',
    shards: [{ cluster: 'c', ips: ['8.8.0.9'] }],
    more: { ports: [http] },
    records: ['GLOBAL A 8.8.0.9'],
  },
]);

test('levels without a shard lead up for ports too, and count for the name budget', (t) => {
  const places = ['r1', 'r2', 'r3'].map((region) => ({ region, zones: [] }));
  const more = { type, ports: [http], places };
  const namesOf = (levelNamesMax: number): readonly string[] =>
    describeSets(
      planRow({ shards: [a], more: { ...more, shape: { ...rfc2136, levelNamesMax } } }).planned,
    );
  t.true(namesOf(8).includes('_http._tcp.r3 CNAME _http._tcp.GLOBAL'));
  t.true(namesOf(6).includes('r2 CNAME GLOBAL'));
  t.false(namesOf(6).includes('r3 CNAME GLOBAL'));
});

test('I3 a shard of which nothing is known keeps the ports that were recorded of it', (t) => {
  const more = { type, ports: [http], shape: rfc2136 };
  const before = planRow({ shards: [a], more }).planned;
  const { planned } = planRow({
    shards: [{ ...a, isUnknown: true }],
    more: { ...more, previous: before },
  });
  t.deepEqual(planned, before);
});

test('with nobody healthy SRV leads to the fail-open set', (t) => {
  const more = { type, ports: [http], shape: rfc2136 };
  const before = planRow({ shards: [a], more }).planned;
  const { planned, findings } = planRow({
    shards: [{ ...a, state: 'notReady' }],
    more: { ...more, previous: before },
  });
  t.deepEqual(findings, []);
  t.is(planned.reason, 'FailOpen');
  const global = planned.recordSets.find(({ name }) => name === `_http._tcp.${nginxGlobal}`);
  t.deepEqual(global?.values, [`0 100 30080 ${longOf('a')}`]);
});
