import { decode, encode, type Answer } from 'dns-packet';
import test from 'ava';
import fc from 'fast-check';
import {
  encodeQuestion,
  parseAnswer,
  type DnsQuestion,
  type RecordType,
} from '../../common/pure/dns-question.ts';

const question: DnsQuestion = { name: 'Web.Example.com', type: 'A', id: 4711, isRecursive: true };

const answers: readonly Answer[] = [
  { name: 'web.example.com', type: 'CNAME', ttl: 60, data: 'Other.Example.com' },
  { name: 'other.example.com', type: 'A', ttl: 30, data: '192.0.2.1' },
  { name: 'other.example.com', type: 'AAAA', ttl: 30, data: '2001:db8::1' },
  {
    name: '_http._tcp.example.com',
    type: 'SRV',
    ttl: 5,
    data: { priority: 1, weight: 2, port: 80, target: 'a.example.com' },
  },
  { name: 't.example.com', type: 'TXT', ttl: 5, data: ['one', ' two'] },
  { name: 'm.example.com', type: 'MX', ttl: 5, data: { preference: 1, exchange: 'x.example.com' } },
];

function toMessage(): Buffer {
  return encode({
    type: 'response',
    id: question.id,
    flags: 0x0400,
    questions: [{ type: 'A', name: 'web.example.com' }],
    answers: [...answers],
    authorities: [{ name: 'example.com', type: 'NS', ttl: 9, data: 'ns.example.com' }],
  });
}

test('a question is what an independent decoder reads', (t) => {
  const bytes = encodeQuestion(question);
  const read = decode(Buffer.from(bytes ?? []));
  t.like(read, { type: 'query', id: 4711, flag_rd: true });
  t.deepEqual(
    read.questions?.map(({ name, type }) => [name, type]),
    [['web.example.com', 'A']],
  );
  t.is(read.additionals?.[0]?.type, 'OPT');
  t.is(encodeQuestion({ ...question, name: 'a..b' }), undefined);
  t.is(encodeQuestion({ ...question, name: `${'x'.repeat(64)}.b` }), undefined);
});

test('an answer of an independent encoder is read, and types that we do not know passed over', (t) => {
  const read = parseAnswer(toMessage(), question);
  t.deepEqual(
    read?.answers.map(({ name, type, value }) => `${name} ${type} ${value}`),
    [
      'web.example.com CNAME other.example.com',
      'other.example.com A 192.0.2.1',
      'other.example.com AAAA 2001:db8::1',
      '_http._tcp.example.com SRV 1 2 80 a.example.com',
      't.example.com TXT one two',
    ],
  );
  t.like(read, { rcode: 0, isAuthoritative: true, isTruncated: false });
  t.is(read?.authority[0]?.value, 'ns.example.com');
});

test('an answer to another question, or with another id, is none', (t) => {
  const message = toMessage();
  t.is(parseAnswer(message, { ...question, id: 4712 }), undefined);
  t.is(parseAnswer(message, { ...question, type: 'AAAA' }), undefined);
  t.is(parseAnswer(message, { ...question, name: 'x.example.com' }), undefined);
  const query = Buffer.from(encodeQuestion(question) ?? []);
  t.is(parseAnswer(query, question), undefined);
});

test('a name that points forward or at itself ends the reading', (t) => {
  const header = Buffer.from('1267840000010001000000000000010001', 'hex');
  for (const pointer of ['c00c', 'c011', 'c0ff', 'ffff']) {
    const bytes = Buffer.concat([
      header,
      Buffer.from(`${pointer}00010001000000000004c0000201`, 'hex'),
    ]);
    t.notThrows(() => parseAnswer(bytes, { ...question, name: '', type: 'A' }));
  }
});

const types: readonly RecordType[] = ['A', 'AAAA', 'CNAME', 'NS', 'SOA', 'SRV', 'TXT'];

test('I11 no bytes make reading fail, and none make it slow', (t) => {
  const message = toMessage();
  const mutated = fc
    .array(fc.tuple(fc.nat({ max: message.length - 1 }), fc.nat({ max: 255 })), { maxLength: 8 })
    .map((changes) => {
      const bytes = Buffer.from(message);
      for (const [at, value] of changes) bytes[at] = value;
      return bytes;
    });
  const cut = fc.nat({ max: message.length }).map((length) => message.subarray(0, length));
  const noise = fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes));
  fc.assert(
    fc.property(fc.oneof(mutated, cut, noise), fc.constantFrom(...types), (bytes, type) => {
      t.notThrows(() => parseAnswer(bytes, { ...question, type }));
      t.notThrows(() => parseAnswer(bytes, question));
    }),
    { numRuns: 5_000 },
  );
});
