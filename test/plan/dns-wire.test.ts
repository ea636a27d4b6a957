import test from 'ava';
import packet from 'dns-packet';
import { parseQuery, responseCodes, toWireName } from '../../common/pure/dns-wire.ts';
import { readRequest } from '../../common/pure/dns-wire-reply.ts';
import { question } from '../support/dns-fixtures.ts';

function codeOf(bytes: Uint8Array): number | string {
  const reading = readRequest(bytes, 'udp');
  return reading.kind === 'reply' ? reading.code : reading.kind;
}

function patched(change: (bytes: Buffer) => void): Buffer {
  const bytes = question('a.example.com', 'A');
  change(bytes);
  return bytes;
}

const raw = (hex: string): Buffer => Buffer.from(hex.replaceAll(' ', ''), 'hex');
const header = '0001 0000 0001 0000 0000 0000';
const opt = (name: string, version = '00'): string => `${name} 0029 0200 00 ${version} 0000 0000`;

const rows: readonly (readonly [title: string, bytes: Uint8Array, expected: number | string])[] = [
  ['a plain query', question('a.example.com', 'A'), 'query'],
  ['nothing', raw(''), 'drop'],
  ['eleven bytes', raw('0001 0000 0001 0000 0000 00'), 'drop'],
  ['an answer', patched((bytes) => void (bytes[2] = 0x81)), 'drop'],
  ['NOTIFY', patched((bytes) => void (bytes[2] = 4 << 3)), responseCodes.notImplemented],
  ['UPDATE', patched((bytes) => void (bytes[2] = 5 << 3)), responseCodes.notImplemented],
  ['no question', patched((bytes) => bytes.writeUInt16BE(0, 4)), responseCodes.formatError],
  ['two questions', patched((bytes) => bytes.writeUInt16BE(2, 4)), responseCodes.formatError],
  ['answers in a query', patched((bytes) => bytes.writeUInt16BE(1, 6)), responseCodes.formatError],
  ['counts of 65535', patched((bytes) => bytes.fill(0xff, 8, 12)), responseCodes.formatError],
  ['class CH', patched((bytes) => bytes.writeUInt16BE(3, bytes.length - 2)), responseCodes.refused],
  [
    'class ANY',
    patched((bytes) => bytes.writeUInt16BE(255, bytes.length - 2)),
    responseCodes.refused,
  ],
  ['a pointer to itself', raw(`${header} c00c 0001 0001`), responseCodes.formatError],
  ['a forward pointer', raw(`${header} c020 0001 0001`), responseCodes.formatError],
  ['a label type of 01', raw(`${header} 4161 00 0001 0001`), responseCodes.formatError],
  ['a missing root', raw(`${header} 0161`), responseCodes.formatError],
  ['a cut type', raw(`${header} 0161 00 00`), responseCodes.formatError],
  ['a cut class', raw(`${header} 0161 00 0001 00`), responseCodes.formatError],
  [
    'a name of 255 bytes',
    raw(`${header} ${`3f${'61'.repeat(63)}`.repeat(3)} 3d${'61'.repeat(61)} 00 0001 0001`),
    'query',
  ],
  [
    'a name of 256 bytes',
    raw(`${header} ${`3f${'61'.repeat(63)}`.repeat(3)} 3e${'61'.repeat(62)} 00 0001 0001`),
    responseCodes.formatError,
  ],
  [
    'a name of 257 bytes',
    raw(`${header} ${`3f${'61'.repeat(63)}`.repeat(4)} 00 0001 0001`),
    responseCodes.formatError,
  ],
  ['trailing garbage', raw(`${header} 0161 00 0001 0001 deadbeef`), 'query'],
  ['an OPT', raw(`0001 0000 0001 0000 0000 0001 0161 00 0001 0001 ${opt('00')}`), 'query'],
  [
    'an OPT of version 1',
    raw(`0001 0000 0001 0000 0000 0001 0161 00 0001 0001 ${opt('00', '01')}`),
    responseCodes.badVersion,
  ],
  [
    'two OPTs',
    raw(`0001 0000 0001 0000 0000 0002 0161 00 0001 0001 ${opt('00')} ${opt('00')}`),
    responseCodes.formatError,
  ],
  [
    'an OPT with a name',
    raw(`0001 0000 0001 0000 0000 0001 0161 00 0001 0001 ${opt('0161 00')}`),
    responseCodes.formatError,
  ],
  [
    'an OPT among authorities',
    raw(`0001 0000 0001 0000 0001 0000 0161 00 0001 0001 ${opt('00')}`),
    responseCodes.formatError,
  ],
  [
    'an OPT cut short',
    raw('0001 0000 0001 0000 0000 0001 0161 00 0001 0001 00 0029 0200'),
    responseCodes.formatError,
  ],
];

for (const [title, bytes, expected] of rows) {
  test(`${title}: ${expected}`, (t) => {
    t.is(codeOf(bytes), expected);
  });
}

test('a name takes at most 255 bytes and a label 63', (t) => {
  const label = 'a'.repeat(63);
  t.is(toWireName(`${label}.${label}.${label}.${'a'.repeat(61)}`)?.length, 255);
  t.is(toWireName(`${label}.${label}.${label}.${'a'.repeat(62)}`), undefined);
  t.is(toWireName(`${label}a`), undefined);
  t.is(toWireName('a..b'), undefined);
  t.is(toWireName('example.com.'), toWireName('EXAMPLE.com'));
});

test('a refusal of the version says so in the extended code and keeps the question', (t) => {
  const reading = readRequest(
    raw(`0001 0000 0001 0000 0000 0001 0161 00 0001 0001 ${opt('00', '01')}`),
    'udp',
  );
  if (reading.kind !== 'reply') return t.fail(reading.kind);
  const decoded = packet.decode(Buffer.from(reading.bytes));
  t.is(decoded.questions?.length, 1);
  t.is(
    (decoded.additionals?.[0] as { readonly extendedRcode?: number } | undefined)?.extendedRcode,
    1,
  );
});

test('time is linear: a full datagram of counts is refused at once', (t) => {
  const bytes = Buffer.alloc(65_535, 0);
  raw(header).copy(bytes);
  bytes.writeUInt16BE(65_535, 10);
  t.is(parseQuery(bytes).kind, 'reject');
});
