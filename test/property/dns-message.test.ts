import test from 'ava';
import fc from 'fast-check';
import { decodeMessage, encodeMessage, recordLength } from '../../common/pure/dns-message.ts';
import {
  parseNameText,
  parseTypeText,
  toDataText,
  toNameText,
  toRecordData,
} from '../../common/pure/dns-text.ts';
import type { WireName } from '../../common/pure/dns-wire.ts';
import { createTsigVerifier, signMessage } from '../../common/pure/tsig.ts';

const seed = 20_261_126;
const numRuns = 2_000;

/** Any bytes but capital letters: a name is kept in lower case. */
const label = fc.uint8Array({ minLength: 1, maxLength: 63 }).map((bytes) =>
  Buffer.from(bytes)
    .toString('latin1')
    .replace(/[A-Z]/g, (c) => c.toLowerCase()),
);
const name = fc
  .array(label, { maxLength: 8 })
  .map((labels) => `${labels.map((l) => String.fromCharCode(l.length) + l).join('')}\0` as WireName)
  .filter((wire) => wire.length <= 255);
const word = fc.nat(0xffff);
const opaque = fc.record({
  name,
  type: fc.constantFrom(1, 28, 16, 257, 65_280),
  class: word,
  ttlSeconds: fc.nat(2 ** 31 - 1),
  data: fc.uint8Array({ maxLength: 300 }),
});
const message = fc.record({
  id: word,
  flags: word,
  questions: fc.array(fc.record({ name, type: word, class: word }), { maxLength: 2 }),
  answers: fc.array(opaque, { maxLength: 5 }),
  authorities: fc.array(opaque, { maxLength: 5 }),
  additionals: fc.array(opaque, { maxLength: 5 }),
});

test('a message is read as it was written, and its size is the sum of its records', (t) => {
  fc.assert(
    fc.property(message, (written) => {
      const bytes = encodeMessage(written);
      const { lastRecordAt, ...read } = decodeMessage(bytes) ?? { lastRecordAt: -1 };
      t.deepEqual(read, written);
      const records = [...written.answers, ...written.authorities, ...written.additionals];
      const size = records.reduce((sum, record) => sum + recordLength(record), 12);
      t.is(
        bytes.length,
        written.questions.reduce((sum, q) => sum + q.name.length + 4, size),
      );
      const last = records.at(-1);
      t.is(lastRecordAt, bytes.length - (last === undefined ? 0 : recordLength(last)));
    }),
    { seed, numRuns: 300 },
  );
});

test('W1 any bytes are a message or none, without a throw', (t) => {
  const edits = fc.array(fc.tuple(fc.nat(400), fc.nat(255)), { maxLength: 8 });
  fc.assert(
    fc.property(message, edits, fc.nat(600), (good, changes, keep) => {
      const bytes = encodeMessage(good);
      for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value;
      const read = decodeMessage(bytes.subarray(0, keep));
      for (const { type, data } of read?.answers ?? []) toDataText(type, data);
      return true;
    }),
    { seed, numRuns },
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
      decodeMessage(bytes);
      return true;
    }),
    { seed, numRuns },
  );
  t.pass();
});

test('W2 a chain of pointers is followed once, however many names join it', (t) => {
  const head = (records: number): Buffer => {
    const bytes = Buffer.alloc(12);
    bytes.writeUInt16BE(1, 4);
    bytes.writeUInt16BE(records, 6);
    return bytes;
  };
  const question = Buffer.from('\u0001a\u0000\u0000\u0001\u0000\u0001', 'latin1');
  const chain = (records: number): Uint8Array => {
    const parts = [head(records), question];
    // Each owner points to the one before, the first to the question.
    for (let at = 12, nth = 0; nth < records; nth += 1) {
      parts.push(Buffer.from([0xc0 | (at >> 8), at & 0xff, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0]));
      at = nth === 0 ? 12 + question.length : at + 12;
    }
    return Buffer.concat(parts);
  };
  for (const records of [1, 127, 128, 1_300]) {
    const names = decodeMessage(chain(records))?.answers.map(({ name }) => name);
    t.deepEqual(names, Array<WireName>(records).fill('\u0001a\u0000' as WireName));
  }
});

test('a name is its text and back, whatever bytes it has', (t) => {
  fc.assert(
    fc.property(name, (wire) => {
      const text = toNameText(wire);
      t.regex(text, /^[!-~]*$/);
      t.is(parseNameText(text), wire);
    }),
    { seed, numRuns },
  );
});

test('any text is a name or none, without a throw, and then its text says the same', (t) => {
  const texts = fc.oneof(fc.string(), fc.stringMatching(/^[a-z.\\0-9]{0,40}$/));
  fc.assert(
    fc.property(texts, (text) => {
      const wire = parseNameText(text);
      return wire === undefined || parseNameText(toNameText(wire)) === wire;
    }),
    { seed, numRuns },
  );
  t.pass();
});

test('record data is its text and back', (t) => {
  const plain = fc.tuple(
    fc.constantFrom('A', 'AAAA', 'CAA', 'TYPE65280'),
    fc.uint8Array({ maxLength: 300 }),
  );
  const named = fc
    .tuple(
      fc.constantFrom('CNAME', 'NS', 'MX', 'SRV'),
      fc.uint8Array({ minLength: 6, maxLength: 6 }),
      name,
    )
    .map(([type, numbers, target]) => {
      const before = { MX: 2, SRV: 6, CNAME: 0, NS: 0 }[type];
      const parts = [numbers.subarray(0, before), Buffer.from(target, 'latin1')];
      return [type, new Uint8Array(Buffer.concat(parts))] as const;
    });
  fc.assert(
    fc.property(fc.oneof(plain, named), ([type, bytes]) => {
      const code = parseTypeText(type) ?? 0;
      const text = toDataText(code, bytes);
      t.deepEqual(new Uint8Array(toRecordData(code, text) ?? Buffer.from('none')), bytes, text);
    }),
    { seed, numRuns },
  );
});

test('any printable text of a TXT is read back, cut into strings of 255', (t) => {
  fc.assert(
    fc.property(fc.stringMatching(/^[ -[\]-~]{0,900}$/), (text) => {
      const data = toRecordData(16, text);
      t.is(toDataText(16, data ?? Buffer.alloc(0)), text);
    }),
    { seed, numRuns: 500 },
  );
});

test('T1 a signed answer with any byte changed is never verified', (t) => {
  const key = {
    name: parseNameText('fedkey') ?? ('\0' as WireName),
    algorithm: 'hmac-sha256',
    secret: Buffer.alloc(32, 7),
  } as const;
  const requestMac = Buffer.alloc(32, 1);
  const change = fc.tuple(fc.nat(2_000), fc.integer({ min: 1, max: 255 }));
  fc.assert(
    fc.property(message, change, (answer, [at, by]) => {
      const prior = { mac: requestMac, form: 'reply' } as const;
      const plain = encodeMessage(answer);
      const { bytes } = signMessage(plain, { key, atSeconds: 1_000_000, prior });
      const whole = createTsigVerifier({ key, requestMac }).next(bytes, 1_000_000);
      t.is(whole.kind, 'verified');
      const index = at % bytes.length;
      const changed = Buffer.from(bytes);
      changed[index] = (changed[index] ?? 0) ^ by;
      const verdict = createTsigVerifier({ key, requestMac }).next(changed, 1_000_000);
      // The id in the header is the transport's; letters of names mean the same in either case.
      const isEqual = index < 2 || (by === 32 && verdict.kind === 'verified');
      t.true(isEqual || verdict.kind !== 'verified', `byte ${index}`);
    }),
    { seed, numRuns: 500 },
  );
});
