// The protocol's rules for an authoritative server, one message at a time, through all that a
// message meets but the sockets. The numbers are those of the list in docs/dns-protocol.md.

import test from 'ava';
import packet from 'dns-packet';
import {
  ask,
  openServer,
  read,
  set,
  type Asked,
  type Read,
  type Sent,
} from '../support/dns/zone-messages.ts';
import { nginx, nginxAt, nginxGlobal } from '../support/dns-fixtures.ts';

const shared = openServer();
const say = (name: string, type: string, asked?: Asked, sent?: Sent): Read =>
  read(shared.send(ask(name, type, asked), sent));

test('[dns 2] [dns 3] [dns 5] A and AAAA of one name, each by its type', (t) => {
  t.deepEqual(say(nginxGlobal, 'A').answers, [
    `${nginxGlobal} A 8.8.0.1`,
    `${nginxGlobal} A 8.8.0.2`,
  ]);
  t.deepEqual(say(nginxGlobal, 'AAAA').answers, [`${nginxGlobal} AAAA 2a00:1450::1`]);
});

test('[dns 4] [dns 36] a name without that type is NODATA with the SOA, short-lived', (t) => {
  const said = say(nginxAt('a', 'r1'), 'AAAA');
  t.is(said.rcode, 'NOERROR');
  t.deepEqual(said.answers, []);
  const [soa] = said.packet.authorities ?? [];
  t.like(soa, { name: 'example.com', type: 'SOA', ttl: 5, data: { minimum: 5 } });
});

test('[dns 6] letters may be of any case and come back as they were asked', (t) => {
  const odd = 'NgInX.WEB.myFederation.svc.a.R1.Example.COM';
  t.deepEqual(say(odd, 'A').answers, [`${odd} A 8.8.0.1`]);
  t.is(say(odd, 'A').packet.questions?.[0]?.name, odd);
});

test('[dns 7] [dns 10] [dns 30] SRV has port and target, and the target’s addresses beside it', (t) => {
  const said = say(`_http._tcp.${nginxGlobal}`, 'SRV');
  t.deepEqual(said.answers, [`_http._tcp.${nginxGlobal} SRV 0 10 30080 ${nginxGlobal}`]);
  t.deepEqual([...said.additionals].sort(), [
    `${nginxGlobal} A 8.8.0.1`,
    `${nginxGlobal} A 8.8.0.2`,
    `${nginxGlobal} AAAA 2a00:1450::1`,
  ]);
  t.is(say(`_dns._udp.${nginxGlobal}`, 'SRV').answers.length, 1);
});

test('[dns 8] [dns 9] an unknown port and the wrong protocol are NXDOMAIN', (t) => {
  t.is(say(`_https._tcp.${nginxGlobal}`, 'SRV').rcode, 'NXDOMAIN');
  t.is(say(`_http._udp.${nginxGlobal}`, 'SRV').rcode, 'NXDOMAIN');
  t.is(say(`_tcp.${nginxGlobal}`, 'SRV').rcode, 'NOERROR');
});

test('[dns 7] SRV leads up from a zone without a shard, as the name itself does', (t) => {
  const at = nginxAt('z', 'r2');
  t.deepEqual(say(`_http._tcp.${at}`, 'SRV').answers, [
    `_http._tcp.${nginxGlobal} SRV 0 10 30080 ${nginxGlobal}`,
    `_http._tcp.${nginxAt('r2')} CNAME _http._tcp.${nginxGlobal}`,
    `_http._tcp.${at} CNAME _http._tcp.${nginxAt('r2')}`,
  ]);
  t.is(say(`_tcp.${at}`, 'A').rcode, 'NOERROR');
});

test('a shard’s own name and a short name are answered, and what stands between is NODATA', (t) => {
  t.deepEqual(say(`s-1.${nginxAt('r1')}`, 'A').answers, [`s-1.${nginxAt('r1')} A 8.8.0.9`]);
  t.is(say('eu.nginx.example.com', 'A', undefined, { transport: 'tcp' }).answers.length, 61);
  t.is(say('nginx.example.com', 'A').rcode, 'NOERROR');
});

test('[dns 22] [dns 64] what is not ours is refused, the root too', (t) => {
  for (const name of ['1.0.0.10.in-addr.arpa', 'example.org', 'com', 'xexample.com', '.']) {
    const said = say(name, name === '.' ? 'NS' : 'A');
    t.is(said.rcode, 'REFUSED', name);
    t.false(said.packet.flag_aa);
  }
});

test('[dns 31] [dns 32] [dns 65] unknown names do not exist, names above others do', (t) => {
  t.is(say('other.web.myfederation.svc.example.com', 'A').rcode, 'NXDOMAIN');
  t.is(say('web.myfederation.svc.example.com', 'A').rcode, 'NOERROR');
  t.is(say('empty.myfederation.svc.example.com', 'A').rcode, 'NXDOMAIN');
  t.is(say('6372.1128.example.com', 'HINFO').rcode, 'NXDOMAIN');
});

test('[dns 33] [dns 34] the apex has SOA and NS with the addresses of our own servers', (t) => {
  t.is(say('example.com', 'SOA').answers.length, 1);
  const servers = say('example.com', 'NS');
  t.deepEqual(servers.answers, [
    'example.com NS ns1.example.com',
    'example.com NS ns2.example.org',
  ]);
  t.deepEqual(servers.additionals, [
    'ns1.example.com A 192.0.2.53',
    'ns1.example.com AAAA 2001:db8::53',
  ]);
  t.deepEqual(say('ns1.example.com', 'A').answers, ['ns1.example.com A 192.0.2.53']);
  t.deepEqual(say('example.com', 'A').authorities, ['example.com SOA']);
});

test('[dns 37] the serial rises with a change, in every answer that carries it', (t) => {
  const { send, served } = openServer();
  const serialOf = (name: string, type: string): unknown => {
    const { authorities = [], answers = [] } = packet.decode(send(ask(name, type)) ?? Buffer.of());
    const soa = [...answers, ...authorities].find(({ type: of }) => of === 'SOA');
    return (soa as { readonly data: packet.SoaData } | undefined)?.data.serial;
  };
  const asked = [
    ['example.com', 'SOA'],
    ['nothing.example.com', 'A'],
    [nginxAt('z', 'r2'), 'TXT'],
    ['eu.nginx.example.com', 'AAAA'],
  ] as const;
  t.deepEqual(new Set(asked.map(([name, type]) => serialOf(name, type))), new Set([7]));
  served.apply({ serial: 9 });
  t.deepEqual(new Set(asked.map(([name, type]) => serialOf(name, type))), new Set([9]));
});

test('[dns 38] all records of a set have one TTL', (t) => {
  const { answers = [] } = say(nginxAt('r1'), 'A', undefined, { transport: 'tcp' }).packet;
  t.deepEqual(new Set(answers.map((answer) => ('ttl' in answer ? answer.ttl : 0))), new Set([60]));
});

test('[dns 41] without OPT there is none in the answer, and at most 512 bytes', (t) => {
  const reply = shared.send(ask(nginxAt('r1'), 'A'));
  t.true((reply?.length ?? 0) <= 512);
  t.is(read(reply).opt, undefined);
});

test('[dns 42] OPT is answered with 1232; whoever takes less than 512 is taken to take 512', (t) => {
  const wide = shared.send(ask(nginxAt('r1'), 'A', { edns: {} }));
  t.is(read(wide).opt?.udpPayloadSize, 1232);
  t.true((wide?.length ?? 0) > 512 && (wide?.length ?? 0) <= 1232);
  const narrow = shared.send(ask(nginxAt('r1'), 'A', { edns: { udpPayloadSize: 100 } }));
  t.true((narrow?.length ?? 0) > 400 && (narrow?.length ?? 0) <= 512);
});

test('[dns 43] [dns 44] what does not fit is cut between records with TC, and whole over TCP', (t) => {
  const cut = say(nginxAt('r1'), 'A');
  t.true(cut.packet.flag_tc);
  t.true(cut.answers.length > 20 && cut.answers.length < 60);
  const whole = say(nginxAt('r1'), 'A', undefined, { transport: 'tcp' });
  t.false(whole.packet.flag_tc);
  t.is(whole.answers.length, 60);
});

test('[dns 45] another version of EDNS is BADVERS, without an answer', (t) => {
  const said = say(nginxGlobal, 'A', { edns: { ednsVersion: 1 } });
  t.is(said.opt?.extendedRcode, 1);
  t.deepEqual(said.answers, []);
});

test('[dns 46] [dns 47] two OPTs, and one with a name or in another section, are FORMERR', (t) => {
  const opt = Buffer.from('0000290200000000000000', 'hex');
  const plain = ask(nginxGlobal, 'A');
  const counted = (counts: readonly number[], tail: Buffer): Buffer => {
    const bytes = Buffer.concat([plain, tail]);
    counts.forEach((count, index) => bytes.writeUInt16BE(count, 6 + 2 * index));
    return bytes;
  };
  const named = Buffer.concat([Buffer.from('016100', 'hex'), opt.subarray(1)]);
  for (const bytes of [
    counted([0, 0, 2], Buffer.concat([opt, opt])),
    counted([0, 0, 1], named),
    counted([1, 0, 0], opt),
    counted([0, 1, 0], opt),
  ])
    t.is(read(shared.send(bytes)).rcode, 'FORMERR');
});

test('[dns 48] [dns 49] unknown options, cookies and client subnets are ignored, DO comes back alone', (t) => {
  const options = [
    { code: 10, data: Buffer.alloc(8, 1) },
    { code: 8, data: Buffer.from('00011800c00002', 'hex') },
    { code: 65_001, data: Buffer.from('x') },
  ] as unknown as packet.PacketOpt[];
  const said = say(nginxGlobal, 'A', { edns: { options, flags: packet.DNSSEC_OK } });
  t.is(said.rcode, 'NOERROR');
  t.is(said.answers.length, 2);
  t.deepEqual(said.opt?.options, []);
  t.is((said.opt?.flags ?? 0) & packet.DNSSEC_OK, packet.DNSSEC_OK);
});

test('[dns 56] an answer is never answered', (t) => {
  const bytes = ask(nginxGlobal, 'A');
  bytes[2] = 0x80;
  t.is(shared.send(bytes), undefined);
  t.is(shared.send(bytes, { transport: 'tcp' }), undefined);
});

test('[dns 57] NOTIFY, UPDATE and STATUS are not implemented here', (t) => {
  for (const opcode of [1, 2, 3, 4, 5, 6, 15]) {
    const bytes = ask(nginxGlobal, 'A');
    bytes[2] = opcode << 3;
    t.is(read(shared.send(bytes)).rcode, 'NOTIMP');
  }
});

test('[dns 58] [dns 59] no question and two questions are FORMERR', (t) => {
  for (const count of [0, 2, 65_535]) {
    const bytes = ask(nginxGlobal, 'A');
    bytes.writeUInt16BE(count, 4);
    t.is(read(shared.send(bytes)).rcode, 'FORMERR');
  }
});

test('[dns 60] other classes are refused', (t) => {
  for (const name of ['CH', 'HS', 'ANY'])
    t.is(say(nginxGlobal, 'A', { class: name }).rcode, 'REFUSED');
});

test('[dns 61] of a name that is asked for everything there is one record set', (t) => {
  const types = (name: string) => new Set(say(name, 'ANY').packet.answers?.map(({ type }) => type));
  t.deepEqual(types(nginxGlobal), new Set(['A']));
  t.deepEqual(types('eu.nginx.example.com'), new Set(['CNAME']));
  t.deepEqual(types('example.com'), new Set(['SOA']));
});

test('[dns 62] transfers are refused over UDP and TCP to whoever was not named', (t) => {
  for (const transport of ['udp', 'tcp'] as const) {
    t.is(say('example.com', 'AXFR', undefined, { transport }).rcode, 'REFUSED');
    t.is(say('example.net', 'AXFR', undefined, { transport }).rcode, 'REFUSED');
    t.is(say('example.com', 'IXFR', undefined, { transport }).rcode, 'REFUSED');
  }
  const allowed = { transport: 'udp', from: '192.0.2.9' } as const;
  t.is(say('example.net', 'AXFR', undefined, allowed).rcode, 'REFUSED');
});

test('IXFR says that who has the newest serial is up to date, and over UDP where to come', (t) => {
  const ixfr = (serial: number): Buffer =>
    packet.encode({
      type: 'query',
      id: 1,
      questions: [{ type: 'IXFR' as packet.RecordType, name: 'example.net', class: 'IN' }],
      authorities: [{ type: 'SOA', name: 'example.net', data: soaData(serial) }],
    });
  const allowed = { from: '192.0.2.9' };
  for (const serial of [7, 8]) {
    const said = read(shared.send(ixfr(serial), { ...allowed, transport: 'tcp' }));
    t.deepEqual(
      said.answers.map((line) => line.split(' ')[1]),
      ['SOA'],
    );
  }
  t.is(read(shared.send(ixfr(3), { ...allowed, transport: 'udp' })).answers.length, 1);
  const stream = shared.server.answer(ixfr(3), 'tcp', '192.0.2.9');
  t.true(stream !== undefined && 'next' in stream);
  t.is(say('example.net', 'IXFR', undefined, { ...allowed, transport: 'tcp' }).rcode, 'FORMERR');
});

function soaData(serial: number): packet.SoaData {
  return {
    mname: 'ns1.example.net',
    rname: 'hostmaster.example.net',
    serial,
    refresh: 1,
    retry: 1,
    expire: 1,
    minimum: 1,
  };
}

test('[dns 63] types that nobody has are NODATA at names that exist', (t) => {
  for (const type of ['UNKNOWN_65280', 'HTTPS', 'SVCB', 'CAA', 'MX', 'DS']) {
    const said = say(nginxGlobal, type);
    t.is(said.rcode, 'NOERROR', type);
    t.deepEqual([said.answers, said.authorities], [[], ['example.com SOA']]);
  }
});

test('[dns 66] RD is copied and changes nothing; ids of 0 and 65535 come back; RA, AD and CD are clear', (t) => {
  for (const id of [0, 65_535]) {
    for (const flags of [0, packet.RECURSION_DESIRED | packet.CHECKING_DISABLED]) {
      const said = say(nginxGlobal, 'A', { id, flags });
      t.is(said.packet.id, id);
      t.is(said.answers.length, 2);
      t.like(said.packet, { flag_ra: false, flag_ad: false, flag_cd: false, flag_aa: true });
      t.is(said.packet.flag_rd, flags !== 0);
    }
  }
});

test('[dns 67] [dns 68] [dns 69] what is no DNS is dropped, what is broken is FORMERR', (t) => {
  const header = '000100000001000000000000';
  for (let length = 0; length < 12; length += 1)
    t.is(shared.send(Buffer.from(header, 'hex').subarray(0, length)), undefined);
  const questions = [
    'c00c00010001', // a pointer to itself
    'c02000010001', // ahead
    `${'c00c'.repeat(120)}00010001`, // a chain
    '41610000010001', // label types
    '81610000010001',
    `${`3f${'61'.repeat(63)}`.repeat(4)}0000010001`, // 257 bytes
    '0161', // no root
    '01610000', // no class
    '0161000001',
  ];
  for (const question of questions)
    t.is(read(shared.send(Buffer.from(header + question, 'hex'))).rcode, 'FORMERR', question);
});

test('[dns 70] counts of 65535 with nothing behind them cost less than a millisecond', (t) => {
  const bytes = ask(nginxGlobal, 'A');
  bytes.fill(0xff, 8, 12);
  const before = process.cpuUsage();
  for (let index = 0; index < 1_000; index += 1) t.truthy(shared.send(bytes));
  t.true(process.cpuUsage(before).user < 1_000_000);
});

test('[dns 71] garbage behind a good query is tolerated; odd bytes in labels are other names', (t) => {
  const padded = Buffer.concat([ask(nginxGlobal, 'A'), Buffer.from('garbage')]);
  t.is(read(shared.send(padded)).answers.length, 2);
  for (const byte of [0x00, 0x2e, 0xff, 0xe4]) {
    const bytes = ask(nginxGlobal, 'A');
    bytes[14] = byte;
    const [high, low] = [bytes[3], shared.send(bytes)?.[3]];
    t.is((low ?? 0) & 0x0f, 3, `${high}`);
  }
});

test('aliases are followed through all our zones, and what is missing at their end is said so', (t) => {
  t.deepEqual(say('abroad.example.com', 'A').answers, [
    'abroad.example.com CNAME nginx.web.myfederation.svc.example.net',
    'nginx.web.myfederation.svc.example.net A 8.8.4.4',
  ]);
  const lost = say('lost.example.com', 'A');
  t.is(lost.rcode, 'NXDOMAIN'); // RFC 6604 3
  t.deepEqual(lost.answers, ['lost.example.com CNAME nobody.example.net']);
  t.deepEqual(lost.authorities, ['example.net SOA']);
});

test('an alias into another zone follows what changes there', (t) => {
  const { send, served } = openServer();
  const addresses = () => read(send(ask('abroad.example.com', 'A'))).answers.slice(1);
  const other = 'nginx.web.myfederation.svc.example.net';
  t.deepEqual(addresses(), [`${other} A 8.8.4.4`]);
  const recordSets = [set(other, 'A', ['8.8.8.8'], 'global')];
  served.apply({ services: [{ key: nginx, recordSets }] }, 'example.net');
  t.deepEqual(addresses(), [`${other} A 8.8.8.8`]);
});

test('S2 the deepest zone answers, and the parent says whether it is signed', (t) => {
  t.deepEqual(say('www.sub.example.com', 'A').authorities, ['sub.example.com SOA']);
  t.deepEqual(say('sub.example.com', 'SOA').answers.length, 1);
  t.deepEqual(say('sub.example.com', 'DS').authorities, ['example.com SOA']);
});

test('R2 beyond the limit every second question is sent to TCP and the others get nothing', async (t) => {
  const { send, counts, clock } = openServer(10);
  const outcomes = Array.from({ length: 30 }, () => send(ask(nginxGlobal, 'A')));
  t.is(outcomes.slice(0, 10).filter((reply) => read(reply).answers.length === 2).length, 10);
  const rest = outcomes.slice(10).filter((reply) => reply !== undefined);
  t.is(rest.length, 10);
  for (const reply of rest) t.like(read(reply).packet, { flag_tc: true, answers: [] });
  t.is(counts.filter((what) => what === 'incident rateDropped').length, 10);
  // Over TCP, from other networks and after a while there are answers.
  t.is(read(send(ask(nginxGlobal, 'A'), { transport: 'tcp' })).answers.length, 2);
  t.is(read(send(ask(nginxGlobal, 'A'), { from: '203.0.113.1' })).answers.length, 2);
  t.is(send(ask(nginxGlobal, 'A'), { from: '198.51.100.77' })?.length, undefined);
  await clock.advance(500);
  t.is(read(send(ask(nginxGlobal, 'A'))).answers.length, 2);
});

test('R2 a withheld answer is no longer than its question, and exempt networks have no limit', (t) => {
  const { send } = openServer(1);
  const question = ask(nginxAt('r1'), 'A', { edns: {} });
  const replies = Array.from({ length: 20 }, () => send(question)).slice(1);
  for (const reply of replies) t.true((reply?.length ?? 0) <= question.length);
  const exempt = Array.from({ length: 20 }, () => send(question, { from: '10.1.2.3' }));
  t.true(exempt.every((reply) => reply !== undefined && reply.length > question.length));
});
