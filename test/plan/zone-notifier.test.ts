import test from 'ava';
import packet from 'dns-packet';
import { decodeMessage } from '../../common/pure/dns-message.ts';
import { toWireName, type WireName } from '../../common/pure/dns-wire.ts';
import { signMessage, type TsigKey } from '../../common/pure/tsig.ts';
import { systemChance } from '../../common/runtime/chance.ts';
import { createNotifier, type NotifyOutcome } from '../../coordinator/zone/notifier.ts';
import type { EmbeddedZone } from '../../coordinator/zone/plan-zones.ts';
import { createManualClock } from '../support/manual-clock.ts';
import { serveZones } from '../support/served-zone.ts';

const target = 'ns2.example.net:5353';
const secret = Buffer.alloc(32, 5);
const transferKey = {
  name: 'k',
  algorithm: 'hmac-sha256',
  secret: secret.toString('base64'),
} as const;
const tsigKey: TsigKey = {
  name: toWireName('k') ?? ('\0' as WireName),
  algorithm: 'hmac-sha256',
  secret,
};

function open(
  addresses: readonly (string | undefined)[] = ['192.0.2.2'],
  more: Partial<EmbeddedZone> = {},
) {
  const clock = createManualClock();
  const served = serveZones('myfederation', [{ domain: 'example.com', notify: [target], ...more }]);
  const sent: { readonly atMs: number; readonly message: Buffer; readonly host: string }[] = [];
  const outcomes: NotifyOutcome[] = [];
  let lookups = 0;
  const notifier = createNotifier({
    clock,
    chance: systemChance,
    send: (message, { host }) =>
      void sent.push({ atMs: clock.monotonicMs(), message: Buffer.from(message), host }),
    lookup: () => Promise.resolve(addresses[Math.min(lookups++, addresses.length - 1)]),
    onOutcome: (outcome) => void outcomes.push(outcome),
  });
  const tell = (serial?: number): void => {
    if (serial !== undefined) served.apply({ serial });
    notifier.tell(served.zones.all());
  };
  const reply = (index: number, code = 0, from = '192.0.2.2'): void => {
    const bytes = Buffer.from(sent[index]?.message ?? Buffer.alloc(12));
    bytes[2] = (bytes[2] ?? 0) | 0x80;
    bytes[3] = code;
    notifier.onResponse(bytes, from);
  };
  const kinds = () => outcomes.map(({ kind, serial }) => `${kind} ${serial}`);
  const serials = () =>
    sent.map(({ message }) => {
      const [soa] = packet.decode(message).answers ?? [];
      return (soa as { readonly data: packet.SoaData }).data.serial;
    });
  /** As a secondary with the zone's key would. */
  const replySigned = (index: number): void => {
    const bytes = Buffer.from(sent[index]?.message ?? Buffer.alloc(12));
    const signed = decodeMessage(bytes);
    if (signed === undefined) throw new Error('no message was sent');
    const plain = bytes.subarray(0, signed.lastRecordAt);
    plain.writeUInt16BE(0, 10);
    plain[2] = (plain[2] ?? 0) | 0x80;
    const atSeconds = Math.floor(clock.now() / 1000);
    const mac = bytes.subarray(bytes.length - 6 - 32, bytes.length - 6);
    const prior = { mac: Buffer.from(mac), form: 'reply' } as const;
    notifier.onResponse(signMessage(plain, { key: tsigKey, atSeconds, prior }).bytes, '192.0.2.2');
  };
  return { clock, served, notifier, sent, tell, reply, replySigned, kinds, serials };
}

test('a NOTIFY has the zone as its question and its new SOA as a hint', async (t) => {
  const { clock, sent, tell } = open();
  tell(9);
  await clock.advance(0);
  const decoded = packet.decode(sent[0]?.message ?? Buffer.alloc(0));
  t.like(decoded, { opcode: 'NOTIFY', flag_aa: true, type: 'query' });
  t.like(decoded.questions?.[0], { name: 'example.com', type: 'SOA' });
  t.is(sent[0]?.host, '192.0.2.2');
});

test('T1 changes within a second are one message, and the newest serial is told', async (t) => {
  const { clock, tell, reply, serials, kinds } = open();
  tell(9);
  await clock.advance(0);
  reply(0);
  for (let serial = 10; serial < 60; serial += 1) {
    tell(serial);
    await clock.advance(10);
  }
  await clock.advance(600);
  t.deepEqual(serials(), [9, 59]);
  reply(1);
  await clock.advance(600_000);
  t.deepEqual(serials(), [9, 59]);
  t.deepEqual(kinds(), ['confirmed 9', 'confirmed 59']);
});

test('T2 who does not answer is asked again, less and less often, then let be until a change', async (t) => {
  const { clock, tell, sent, kinds, reply } = open();
  tell(9);
  await clock.advance(1_000_000);
  t.deepEqual(
    sent.map(({ atMs }) => atMs / 1_000),
    [0, 1, 3, 7, 15, 31, 63],
  );
  t.deepEqual(kinds(), ['silent 9']);
  tell(10);
  await clock.advance(0);
  t.is(sent.length, 8);
  reply(7);
  t.deepEqual(kinds(), ['silent 9', 'confirmed 10']);
});

test('only the secondary’s own reply counts', async (t) => {
  const { clock, tell, reply, kinds, sent, notifier } = open();
  tell(9);
  await clock.advance(0);
  reply(0, 0, '203.0.113.1');
  notifier.onResponse(Buffer.alloc(3), '192.0.2.2');
  t.deepEqual(kinds(), []);
  reply(0, 5);
  t.deepEqual(kinds(), ['refused 9']);
  await clock.advance(600_000);
  t.is(sent.length, 1);
});

test('a secondary whose name has no address yet is told once it has one', async (t) => {
  const { clock, tell, sent, kinds } = open([undefined, '192.0.2.7']);
  tell(9);
  await clock.advance(500);
  t.deepEqual([sent.length, kinds()], [0, ['unknownHost 9']]);
  await clock.advance(1_000);
  t.is(sent[0]?.host, '192.0.2.7');
});

test('a secondary that is no longer named hears nothing more', async (t) => {
  const { clock, served, notifier, sent, tell } = open();
  tell(9);
  await clock.advance(0);
  notifier.tell(served.zones.all().map((one) => ({ ...one, zone: { ...one.zone, notify: [] } })));
  await clock.advance(600_000);
  t.is(sent.length, 1);
});

test('secondaries of a zone that is gone hear nothing more, and those of others go on', async (t) => {
  const { clock, notifier, sent, tell } = open();
  tell(9);
  await clock.advance(0);
  notifier.tell([], ['example.net']);
  await clock.advance(1_500);
  t.is(sent.length, 2); // asked again
  notifier.tell([], ['example.com']);
  await clock.advance(600_000);
  t.is(sent.length, 2);
});

test('X4 with a key only a signed reply confirms a NOTIFY; a refusal may be unsigned', async (t) => {
  const world = open(undefined, { transferKey });
  world.tell(9);
  await world.clock.advance(0);
  world.reply(0); // anybody who guessed the id
  await world.clock.advance(1_000);
  t.is(world.sent.length, 2);
  world.replySigned(1);
  t.deepEqual(world.kinds(), ['confirmed 9']);
  world.tell(10);
  await world.clock.advance(1_000);
  world.reply(2, 9);
  t.deepEqual(world.kinds(), ['confirmed 9', 'refused 10']);
});
