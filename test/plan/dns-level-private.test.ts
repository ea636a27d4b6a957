// Addresses that a zone may not carry: what is published of such shards, and what people are told.

import test from 'ava';
import { parseAddress, toPublishable } from '../../common/pure/address-rules.ts';
import { toNetworks } from '../../common/pure/networks.ts';
import { elb, planRow, rfc2136, route53, testRows } from '../support/dns/level-rows.ts';

const open = { cluster: 'open', ips: ['8.8.0.1'] };
const inside = { cluster: 'inside', ips: ['10.0.0.7'] };
const isPrivate = { ...rfc2136, isPrivate: true };
const flatten = { ...rfc2136, hostnameMode: 'Flatten' as const };
const balancer = { cluster: 'aws', hostnames: [`internal-web-1.eu-west-1.elb.amazonaws.com`] };
const [balancerName = ''] = balancer.hostnames;

testRows(test, rfc2136, [
  {
    title: 'in a public zone a shard with private addresses alone is left out, and named',
    shards: [open, inside],
    records: ['GLOBAL A 8.8.0.1'],
    notes: ['AddressesLeftOut'],
  },
  {
    title: 'with nothing else there are no names, and the reason is the addresses',
    shards: [inside],
    records: [],
    reason: 'NoAddress',
    notes: ['AddressesLeftOut'],
  },
  {
    title: 'private addresses beside public ones are no news',
    shards: [{ ...open, ips: ['8.8.0.1', '10.0.0.7', 'fd00::1'] }],
    records: ['GLOBAL A 8.8.0.1'],
  },
  {
    title: 'a private zone carries both',
    shards: [open, inside],
    more: { shape: isPrivate },
    records: ['GLOBAL A 10.0.0.7 8.8.0.1'],
  },
  {
    title: 'a load balancer’s name within our own zone is left out, and said to be',
    shards: [open, { cluster: 'own', hostnames: ['lb.example.com'] }],
    records: ['GLOBAL A 8.8.0.1'],
    notes: ['AddressesLeftOut'],
  },
  {
    title: 'an address where a load balancer’s name should be is no name',
    shards: [{ cluster: 'odd', hostnames: ['8.8.0.9'] }],
    records: [],
    reason: 'NoAddress',
    notes: ['AddressesLeftOut'],
  },
  {
    title: 'an internal load balancer of AWS stands as it is, with a word on who reaches it',
    shards: [balancer],
    more: { shape: route53 },
    records: [`GLOBAL A alias:${balancerName}`, `GLOBAL AAAA alias:${balancerName}`],
    notes: ['PrivateBalancer'],
  },
  {
    title: 'so does one whose look-ups find private addresses alone: none of those is published',
    shards: [{ cluster: 'aws', hostnames: [elb('nlb')] }],
    more: { shape: flatten, resolved: new Map([[elb('nlb'), ['10.0.0.8', '100.64.0.1']]]) },
    records: [`GLOBAL CNAME ${elb('nlb')}`],
    notes: ['PrivateBalancer'],
  },
  {
    title: 'in a private zone it is where it belongs',
    shards: [balancer],
    more: { shape: isPrivate },
    records: [`GLOBAL CNAME ${balancerName}`],
  },
]);

test('who is left out is named with an address and the way out', (t) => {
  const [note] = planRow({ shards: [open, inside] }).planned.notes ?? [];
  t.regex(note?.message ?? '', /visibility Private.*: inside \(10\.0\.0\.7\)\.$/);
  t.is(note?.count, 1);
});

test('headless and ExternalName Services are not told of addresses', (t) => {
  for (const more of [{ isHeadless: true }, { type: 'ExternalName' as const }])
    t.is(planRow({ shards: [inside], more }).planned.notes, undefined);
});

test('only what means the same everywhere is an address', (t) => {
  for (const text of ['010.0.0.1', '8.8', '0x08.8.8.8', 'fe80::1%eth0', '2a00:1450::1%eth0', ''])
    t.is(parseAddress(text), undefined, text);
  t.is(parseAddress('2A00:1450::1'), '2a00:1450::1');
  const rules = { allowLoopback: false, allowPrivate: true };
  for (const text of ['169.254.1.1', 'fe80::1', '127.0.0.1', '::1', '0.0.0.0', '::ffff:10.0.0.1'])
    t.is(toPublishable(text, rules), undefined, text);
});

test('networks of IPv4 in IPv6 form hold the addresses of IPv4', (t) => {
  const networks = toNetworks(['::ffff:192.0.2.0/120']);
  t.true(networks.has('192.0.2.7') && networks.has('::ffff:192.0.2.7'));
  t.false(networks.has('192.0.3.7') || networks.has('::1'));
  t.false(toNetworks(['::/0']).has('192.0.2.1'));
});
