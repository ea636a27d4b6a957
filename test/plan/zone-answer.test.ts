import test from 'ava';
import packet from 'dns-packet';
import { toRevision, toServiceKey } from '../../common/model/ids.ts';
import type { RecordSet } from '../../common/model/publication.ts';
import type { TableDelta } from '../../coordinator/zone/fold.ts';
import { isSerialAbove, toSerial } from '../../coordinator/zone/serial.ts';
import {
  decode,
  nginx,
  nginxAt,
  nginxGlobal,
  question,
  topology,
} from '../support/dns-fixtures.ts';
import { serveZones } from '../support/served-zone.ts';

type Delta = Partial<TableDelta>;

function set(name: string, type: RecordSet['type'], values: readonly string[]): RecordSet {
  const level = name === nginxGlobal ? 'global' : 'zone';
  return { name, type, values, ttlSeconds: 60, level };
}

const zoneA = nginxAt('a', 'r1');
const zoneB = nginxAt('b', 'r1');
const region1 = nginxAt('r1');
const records = [
  set(nginxGlobal, 'A', ['8.8.0.1', '8.8.0.2']),
  set(nginxGlobal, 'AAAA', ['2a00:1450::1']),
  set(region1, 'A', ['8.8.0.1']),
  set(zoneA, 'A', ['8.8.0.1']),
  set(zoneB, 'CNAME', [region1]),
  set(nginxAt('elb', 'r1'), 'CNAME', ['lb-1.elb.amazonaws.com']),
];

function zone(deltas: readonly Delta[] = full) {
  const served = serveZones('myfederation', [{ domain: 'example.com' }], ['8.8.9.9']);
  for (const one of deltas) served.apply(one);
  return served;
}

const full: readonly Delta[] = [
  {
    services: [{ key: nginx, recordSets: records }],
    clusters: [
      { name: 'a', topology: topology(['a'], 'r1') },
      { name: 'far', topology: topology(['z'], 'r2') },
    ],
  },
];

const shared = zone();
const ask = (name: string, type: string) =>
  decode(shared.responder.answer(question(name, type), 'tcp').reply);

const far = nginxAt('z', 'r2');
const soa = ['example.com SOA'];
const rows: readonly (readonly [
  name: string,
  type: string,
  code: string,
  answers: readonly string[],
  soa?: boolean,
])[] = [
  [zoneA, 'A', 'NOERROR', [`${zoneA} A 8.8.0.1`]],
  [zoneA.toUpperCase(), 'A', 'NOERROR', [`${zoneA.toUpperCase()} A 8.8.0.1`]],
  [zoneA, 'AAAA', 'NOERROR', [], true],
  [zoneA, 'TXT', 'NOERROR', [], true],
  [zoneA, 'HTTPS', 'NOERROR', [], true],
  [zoneB, 'A', 'NOERROR', [`${zoneB} CNAME ${region1}`, `${region1} A 8.8.0.1`]],
  [zoneB, 'CNAME', 'NOERROR', [`${zoneB} CNAME ${region1}`]],
  [zoneB, 'AAAA', 'NOERROR', [`${zoneB} CNAME ${region1}`], true],
  [zoneB, 'TXT', 'NOERROR', [`${zoneB} CNAME ${region1}`], true],
  [nginxGlobal, 'AAAA', 'NOERROR', [`${nginxGlobal} AAAA 2a00:1450::1`]],
  [nginxAt('elb', 'r1'), 'A', 'NOERROR', [`${nginxAt('elb', 'r1')} CNAME lb-1.elb.amazonaws.com`]],
  // A registered zone and region without a shard.
  [
    far,
    'AAAA',
    'NOERROR',
    [
      `${far} CNAME ${nginxAt('r2')}`,
      `${nginxAt('r2')} CNAME ${nginxGlobal}`,
      `${nginxGlobal} AAAA 2a00:1450::1`,
    ],
  ],
  // Levels that nobody registered.
  [nginxAt('r3'), 'A', 'NXDOMAIN', [], true],
  [nginxAt('b', 'r2'), 'A', 'NXDOMAIN', [], true],
  ['other.web.myfederation.svc.example.com', 'A', 'NXDOMAIN', [], true],
  ['nginx.web.other.svc.example.com', 'A', 'NXDOMAIN', [], true],
  [`x.${nginxGlobal}`, 'A', 'NXDOMAIN', [], true],
  // Names that only stand above others (RFC 8020).
  ['svc.example.com', 'A', 'NOERROR', [], true],
  ['myfederation.svc.example.com', 'A', 'NOERROR', [], true],
  ['web.myfederation.svc.example.com', 'A', 'NOERROR', [], true],
  ['other.myfederation.svc.example.com', 'A', 'NXDOMAIN', [], true],
  ['r1.example.com', 'A', 'NOERROR', [], true],
  ['a.r1.example.com', 'A', 'NOERROR', [], true],
  ['web.myfederation.svc.z.r2.example.com', 'A', 'NOERROR', [], true],
  ['svc.r9.example.com', 'A', 'NXDOMAIN', [], true],
  ['www.example.com', 'A', 'NXDOMAIN', [], true],
  // The apex.
  ['example.com', 'SOA', 'NOERROR', ['example.com SOA data']],
  ['example.com', 'NS', 'NOERROR', ['example.com NS ns1.example.com']],
  ['example.com', 'A', 'NOERROR', [], true],
  ['ns1.example.com', 'A', 'NOERROR', ['ns1.example.com A 8.8.9.9']],
  ['ns1.example.com', 'AAAA', 'NOERROR', [], true],
  // Not ours.
  ['example.org', 'A', 'REFUSED', []],
  ['com', 'A', 'REFUSED', []],
  ['xexample.com', 'A', 'REFUSED', []],
  ['example.com', 'AXFR', 'REFUSED', []],
  [nginxGlobal, 'IXFR', 'REFUSED', []],
];

for (const [name, type, code, answers, hasSoa = false] of rows) {
  test(`${name} ${type} is ${code} with ${answers.length} records${hasSoa ? ' and the SOA' : ''}`, (t) => {
    const said = ask(name, type);
    t.is(said.code, code);
    t.deepEqual(said.answers, answers);
    t.deepEqual(said.authorities, hasSoa ? soa : []);
  });
}

test('the negative SOA is complete and short-lived', (t) => {
  const reply =
    shared.responder.answer(question('www.example.com', 'A'), 'udp').reply ?? new Uint8Array();
  const [authority] = packet.decode(Buffer.from(reply)).authorities ?? [];
  t.like(authority, {
    name: 'example.com',
    ttl: 5,
    data: { mname: 'ns1.example.com', rname: 'hostmaster.example.com', serial: 7, minimum: 5 },
  });
});

test('each address of a name comes first in turn', (t) => {
  const firsts = new Set(Array.from({ length: 8 }, () => ask(nginxGlobal, 'A').answers[0]));
  t.is(firsts.size, 2);
  t.is(ask(nginxGlobal, 'A').answers.length, 2);
});

test('a change is seen at the next question, and only there', (t) => {
  const { responder, apply } = zone();
  const at = (name: string) => decode(responder.answer(question(name, 'A'), 'udp').reply).answers;
  t.deepEqual(at(zoneA), [`${zoneA} A 8.8.0.1`]);
  apply({
    serial: 8,
    services: [{ key: nginx, recordSets: [set(nginxGlobal, 'A', ['8.8.0.9'])] }],
  });
  t.deepEqual(at(zoneA), [
    `${zoneA} CNAME ${region1}`,
    `${region1} CNAME ${nginxGlobal}`,
    `${nginxGlobal} A 8.8.0.9`,
  ]);
  t.is(decode(responder.answer(question(zoneB, 'A'), 'udp').reply).code, 'NXDOMAIN');
});

test('I7 a Service that goes takes every name with it, and its namespace', (t) => {
  const { responder, apply } = zone();
  apply({ removedServices: [nginx] });
  for (const name of [
    nginxGlobal,
    zoneA,
    far,
    'web.myfederation.svc.example.com',
    'r1.example.com',
  ]) {
    t.is(decode(responder.answer(question(name, 'A'), 'udp').reply).code, 'NXDOMAIN', name);
  }
});

test('Z1 a publication without records makes no names', (t) => {
  const { responder } = zone([...full, { services: [{ key: nginx, recordSets: [] }] }]);
  t.is(decode(responder.answer(question(nginxGlobal, 'A'), 'udp').reply).code, 'NXDOMAIN');
  t.is(decode(responder.answer(question(far, 'A'), 'udp').reply).code, 'NXDOMAIN');
});

test('a cluster that leaves takes its levels with it, unless another stands there', (t) => {
  const { responder, apply } = zone();
  const code = () => decode(responder.answer(question(far, 'A'), 'udp').reply).code;
  apply({ clusters: [{ name: 'far2', topology: topology(['z'], 'r2') }] });
  apply({ clusters: [{ name: 'far', topology: undefined }] });
  t.is(code(), 'NOERROR');
  apply({ clusters: [{ name: 'far2', topology: topology(['y'], 'r2') }] });
  t.is(code(), 'NXDOMAIN');
});

test('a region named svc is no puzzle', (t) => {
  const { responder } = zone([
    {
      services: [{ key: toServiceKey({ namespace: 'web', name: 'nginx' }), recordSets: records }],
      clusters: [{ name: 'a', topology: topology(['svc'], 'svc') }],
    },
  ]);
  const name = nginxAt('svc', 'svc');
  t.is(
    decode(responder.answer(question(name, 'A'), 'udp').reply)
      .answers.at(-1)
      ?.split(' ')[1],
    'A',
  );
});

test('a level without a shard is kept as long as its level’s names shall be', (t) => {
  const ttlOf = (name: string, fallbackTtlSeconds?: { zone: number; region: number }) => {
    const recordSets = [set(nginxGlobal, 'A', ['8.8.0.1'])];
    const { responder } = zone([
      {
        services: [{ key: nginx, recordSets, ...(fallbackTtlSeconds && { fallbackTtlSeconds }) }],
        clusters: [{ name: 'a', topology: topology(['a'], 'r1') }],
      },
    ]);
    const reply = responder.answer(question(name, 'A'), 'tcp').reply ?? new Uint8Array(0);
    return packet
      .decode(Buffer.from(reply))
      .answers?.map((answer) => ('ttl' in answer ? answer.ttl : undefined));
  };
  t.deepEqual(ttlOf(zoneA), [60, 60, 60]);
  t.deepEqual(ttlOf(zoneA, { zone: 10, region: 20 }), [10, 20, 60]);
  t.deepEqual(ttlOf(region1, { zone: 10, region: 20 }), [20, 60]);
});

test('the serial rises with revisions and over a restore', (t) => {
  const first = toSerial(toRevision(100));
  t.true(toSerial(toRevision(101)) > first);
  t.true(toSerial(toRevision(2 ** 40 + 50)) > first);
  t.is(toSerial(toRevision(2 ** 32)), 1);
  t.true(isSerialAbove(toSerial(toRevision(2 ** 32)), toSerial(toRevision(2 ** 32 - 1))));
  const round = [-1, 0, 1, 2].map((by) => toSerial(toRevision(2 ** 32 + by)));
  for (const [index, serial] of round.entries()) {
    t.true(serial !== 0 && (index === 0 || isSerialAbove(serial, round[index - 1] ?? 0)));
  }
  t.false(isSerialAbove(7, 7));
  t.false(isSerialAbove(1, 2));
});
