import test from 'ava';
import fc from 'fast-check';
import packet from 'dns-packet';
import {
  fromWireName,
  isWithin,
  parseQuery,
  toWireName,
  wireLabels,
  wireParent,
  type WireName,
} from '../../common/pure/dns-wire.ts';
import { encodeTail, type ResourceRecord } from '../../common/pure/dns-wire-encode.ts';
import { readRequest, toReply, type Transport } from '../../common/pure/dns-wire-reply.ts';

const seed = 20_261_125;
const label = fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?$/);
const name = fc.array(label, { minLength: 1, maxLength: 6 }).map((labels) => labels.join('.'));
const type = fc.constantFrom(
  'A',
  'AAAA',
  'CNAME',
  'SOA',
  'NS',
  'TXT',
  'SRV',
  'HINFO',
) as fc.Arbitrary<packet.RecordType>;

function wire(text: string): WireName {
  const name = toWireName(text);
  if (name === undefined) throw new Error(`not a name: ${text}`);
  return name;
}

test('W1 whatever arrives is read without a throw, and what is answered fits', (t) => {
  const transport = fc.constantFrom<Transport>('udp', 'tcp');
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 600 }), transport, (bytes, over) => {
      const reading = readRequest(bytes, over);
      if (reading.kind !== 'reply') return true;
      return (
        reading.bytes.length <= Math.max(bytes.length, 512) + 11 &&
        ((reading.bytes[2] ?? 0) & 0x80) !== 0
      );
    }),
    { seed, numRuns: 3_000 },
  );
  t.pass();
});

test('W1 a good query with any bytes changed is read without a throw, and never as another name', (t) => {
  const edits = fc.array(fc.tuple(fc.nat(80), fc.nat(255)), { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(name, type, edits, fc.nat(90), (asked, of, changes, keep) => {
      const bytes = packet.encode({
        type: 'query',
        id: 1,
        questions: [{ name: asked, type: of, class: 'IN' }],
        additionals: [
          { type: 'OPT', name: '.', udpPayloadSize: 4096, flags: 0, options: [] } as never,
        ],
      });
      for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value;
      const cut = bytes.subarray(0, keep < 60 ? keep + 12 : bytes.length);
      const parsed = parseQuery(cut);
      if (parsed.kind !== 'query') return true;
      // What we accept, the other decoder reads as the same question.
      const [other] = packet.decode(padded(cut)).questions ?? [];
      return other === undefined || other.name.toLowerCase() === latin(parsed.query.name);
    }),
    { seed, numRuns: 3_000 },
  );
  t.pass();
});

/** The other decoder insists on every record that the header counts. */
function padded(bytes: Buffer): Buffer {
  const alone = Buffer.from(bytes);
  alone.fill(0, 6, 12);
  return alone;
}

function latin(name: WireName): string {
  // The other decoder reads labels as UTF-8 text; so do we here, to compare.
  return wireLabels(name)
    .map((text) => Buffer.from(text, 'latin1').toString('utf8'))
    .join('.')
    .toLowerCase();
}

test('queries are read as another encoder wrote them', (t) => {
  fc.assert(
    fc.property(
      name,
      type,
      fc.option(fc.integer({ min: 1, max: 65_535 }), { nil: undefined }),
      (asked, of, size) => {
        const bytes = packet.encode({
          type: 'query',
          id: 77,
          questions: [{ name: asked.toUpperCase(), type: of, class: 'IN' }],
          ...(size === undefined
            ? {}
            : {
                additionals: [
                  {
                    type: 'OPT',
                    name: '.',
                    udpPayloadSize: size,
                    flags: packet.DNSSEC_OK,
                    options: [],
                  } as never,
                ],
              }),
        });
        const parsed = parseQuery(bytes);
        if (parsed.kind !== 'query') return false;
        const { query } = parsed;
        return (
          query.name === wire(asked) &&
          fromWireName(query.name) === asked &&
          query.edns?.payloadBytes === size &&
          (size === undefined || query.edns?.isDnssecOk === true)
        );
      },
    ),
    { seed, numRuns: 1_000 },
  );
  t.pass();
});

const address4 = fc.ipV4();
const address6 = fc
  .array(fc.nat(0xffff), { minLength: 8, maxLength: 8 })
  .map((groups) => groups.map((group) => group.toString(16)).join(':'));
const record: fc.Arbitrary<ResourceRecord> = fc.record({
  name: name.map(wire),
  ttlSeconds: fc.nat(100_000),
  data: fc.oneof(
    address4.map((address) => ({ type: 'A' as const, address })),
    address6.map((address) => ({ type: 'AAAA' as const, address })),
    name.map((target) => ({ type: 'CNAME' as const, target: wire(target) })),
    name.map((target) => ({ type: 'NS' as const, target: wire(target) })),
    fc.record({
      type: fc.constant('SRV' as const),
      priority: fc.nat(65_535),
      weight: fc.nat(65_535),
      port: fc.nat(65_535),
      target: name.map(wire),
    }),
    fc.string({ maxLength: 40 }).map((text) => ({ type: 'TXT' as const, texts: [text] })),
    fc.record({
      type: fc.constant('SOA' as const),
      primary: name.map(wire),
      mailbox: name.map(wire),
      serial: fc.nat(),
      refreshSeconds: fc.nat(),
      retrySeconds: fc.nat(),
      expireSeconds: fc.nat(),
      minimumSeconds: fc.nat(),
    }),
  ),
});

test('answers are read back by another decoder as they were meant, compression and all', (t) => {
  const sections = fc.record({
    answers: fc.array(record, { maxLength: 6 }),
    authorities: fc.array(record, { maxLength: 2 }),
    additionals: fc.array(record, { maxLength: 2 }),
  });
  fc.assert(
    fc.property(name, sections, (asked, given) => {
      const request = packet.encode({
        type: 'query',
        id: 9,
        questions: [{ name: asked, type: 'A', class: 'IN' }],
      });
      const parsed = parseQuery(request);
      if (parsed.kind !== 'query') return false;
      const tail = encodeTail(parsed.query.name, given);
      const decoded = packet.decode(Buffer.from(toReply(parsed.query, { code: 0, tail }, 'tcp')));
      const all = [
        ...(decoded.answers ?? []),
        ...(decoded.authorities ?? []),
        ...(decoded.additionals ?? []),
      ];
      const meant = [...given.answers, ...given.authorities, ...given.additionals];
      return (
        all.length === meant.length && all.every((other, index) => isSame(other, meant[index]))
      );
    }),
    { seed, numRuns: 1_000 },
  );
  t.pass();
});

function isSame(other: packet.Answer, meant: ResourceRecord | undefined): boolean {
  if (
    meant === undefined ||
    other.type !== meant.data.type ||
    other.name !== fromWireName(meant.name)
  )
    return false;
  const { data } = meant;
  const read = (other as { readonly data: unknown }).data;
  switch (data.type) {
    case 'A':
      return read === data.address;
    case 'AAAA':
      return toBytes6(read as string) === toBytes6(data.address);
    case 'CNAME':
    case 'NS':
      return read === fromWireName(data.target);
    case 'SRV': {
      const { priority, weight, port, target } = read as packet.SrvData & {
        readonly target: string;
      };
      return (
        priority === data.priority &&
        weight === data.weight &&
        port === data.port &&
        target === fromWireName(data.target)
      );
    }
    case 'TXT':
      return Buffer.concat(read as Buffer[]).toString('utf8') === data.texts.join('');
    case 'SOA': {
      const soa = read as packet.SoaData;
      return (
        soa.mname === fromWireName(data.primary) &&
        soa.serial === data.serial &&
        soa.minimum === data.minimumSeconds
      );
    }
  }
}

function toBytes6(address: string): string {
  const answer = packet.encode({
    type: 'response',
    answers: [{ type: 'AAAA', name: 'x', data: address }],
  });
  return answer.subarray(-16).toString('hex');
}

test('W3 over UDP whole records are left out with TC, and never more than the asker takes', (t) => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 200 }),
      fc.integer({ min: 1, max: 4_096 }),
      (count, size) => {
        const request = packet.encode({
          type: 'query',
          id: 9,
          questions: [{ name: 'a.example.com', type: 'A', class: 'IN' }],
          additionals: [
            { type: 'OPT', name: '.', udpPayloadSize: size, flags: 0, options: [] } as never,
          ],
        });
        const parsed = parseQuery(request);
        if (parsed.kind !== 'query') return false;
        const answers = Array.from({ length: count }, (_, index): ResourceRecord => {
          return {
            name: parsed.query.name,
            ttlSeconds: 60,
            data: { type: 'A', address: `10.0.${index >> 8}.${index & 255}` },
          };
        });
        const reply = toReply(
          parsed.query,
          { code: 0, tail: encodeTail(parsed.query.name, { answers }) },
          'udp',
        );
        const decoded = packet.decode(Buffer.from(reply));
        const limit = Math.min(Math.max(size, 512), 1232);
        const isCut = (decoded.answers?.length ?? 0) < count;
        return (
          reply.length <= limit &&
          decoded.flag_tc === isCut &&
          (!isCut || reply.length + 16 > limit)
        );
      },
    ),
    { seed, numRuns: 500 },
  );
  t.pass();
});

test('labels are bytes: a dot or a zero within one never equals two labels', (t) => {
  const dotted = '\u0003a.b\u0003com\0' as WireName;
  t.not(dotted, wire('a.b.com'));
  t.is(fromWireName(dotted), 'a\\046b.com');
  t.true(isWithin(wire('a.example.com'), wire('example.com')));
  t.false(isWithin(wire('aexample.com'), wire('example.com')));
  t.false(isWithin('\u000cx\u0007example\u0003com\0' as WireName, wire('example.com')));
  t.is(wireParent(wire('a.b')), wire('b'));
  t.is(wireParent(wire('')), wire(''));
});
