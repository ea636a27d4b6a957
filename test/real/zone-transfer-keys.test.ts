// Transfers of the embedded zone that are signed (TSIG, RFC 8945): real secondaries with a key, and
// everybody who has none, another one, or a clock that is wrong.

import test, { type ExecutionContext } from 'ava';
import { randomBytes } from 'node:crypto';
import {
  decodeMessage,
  encodeMessage,
  recordClasses,
  responseCodeOf,
  type DnsMessage,
  type WireRecord,
} from '../../common/pure/dns-message.ts';
import { recordTypes, toWireName, type WireName } from '../../common/pure/dns-wire.ts';
import {
  createTsigVerifier,
  signMessage,
  tsigErrors,
  type TsigAlgorithm,
  type TsigKey,
} from '../../common/pure/tsig.ts';
import { systemClock } from '../../common/runtime/clock.ts';
import { eventually } from '../support/eventually.ts';
import { testWith } from '../support/programs.ts';
import { secondaryKinds, startSecondary } from '../support/dns/secondaries.ts';
import { takeTestPort } from '../support/test-ports.ts';
import {
  askTcp,
  askUdp,
  lookUp,
  nameOf,
  openZoneWorld,
  recordSet,
} from '../support/dns/zone-world.ts';

const secret = Buffer.alloc(32, 7).toString('base64');
const own: TsigKey = key('to-secondaries', secret);
const services = 1_500;

function key(name: string, of: string, algorithm: TsigAlgorithm = 'hmac-sha256'): TsigKey {
  return { name: wire(name), algorithm, secret: Buffer.from(of, 'base64') };
}

function wire(name: string): WireName {
  return toWireName(name) ?? ('\0' as WireName);
}

const nowSeconds = (): number => Math.floor(systemClock.now() / 1000);

async function openPrimary(
  t: ExecutionContext,
  embedded: object = {},
  { count = 3, algorithm = 'hmac-sha256' as TsigAlgorithm } = {},
) {
  const world = await openZoneWorld(t);
  await world.putTsigSecret('transfers', secret);
  const putZone = (more: object = {}) =>
    world.putZone('example.com', {
      secretRef: { namespace: 'dns', name: 'transfers' },
      embedded: { transferKey: { name: 'To-Secondaries', algorithm }, ...embedded, ...more },
    });
  await putZone();
  await world.putCluster('a', 'za', 'r1');
  for (let index = 0; index < count; index += 1) {
    await world.publish(`s${index}`, [recordSet(nameOf(`s${index}`), 'A', ['8.8.0.1'])]);
  }
  return { ...world, putPrimary: putZone, zone: await world.open() };
}

for (const kind of secondaryKinds) {
  const withKind = testWith(kind.path.slice(kind.path.lastIndexOf('/') + 1));
  for (const algorithm of ['hmac-sha256', 'hmac-sha384', 'hmac-sha512'] as const) {
    withKind(`X4 ${kind.name} transfers with ${algorithm}, and hears of changes`, async (t) => {
      const port = await takeTestPort();
      const notify = [`127.0.0.1:${port}`];
      const world = await openPrimary(t, { notify }, { count: services, algorithm });
      const secondary = startSecondary(kind, {
        port,
        zone: 'example.com',
        primaryPort: world.zone.port,
        key: { name: 'to-secondaries', algorithm, secret },
      });
      t.teardown(() => secondary.stop());
      const has = (name: string, what: RegExp) =>
        eventually(30_000, async () => {
          const said = await lookUp(port, nameOf(name), 'A');
          return what.test(said) ? [] : [`${name}: ${said}\n${secondary.logs()}`];
        });
      await has('s0', /8\.8\.0\.1"/);
      await has(`s${services - 1}`, /8\.8\.0\.1"/);
      await world.publish('new', [recordSet(nameOf('new'), 'A', ['8.8.0.2'])]);
      await has('new', /8\.8\.0\.2"/);
      await eventually(5_000, async () =>
        /mesh_zone_notifies_total\{outcome="confirmed"\}/.test(await world.metrics.expose())
          ? []
          : ['no NOTIFY was confirmed'],
      );
      t.pass();
    });
  }
}

test('X4 a whole transfer is signed message by message, and each is of the one before', async (t) => {
  const world = await openPrimary(t, {}, { count: 900 });
  const { records, messages } = await transfer(world.zone.port, own);
  t.true(messages > 2, `${messages} messages`);
  t.is(records.filter(({ type }) => type === recordTypes.SOA).length, 2);
  t.is(records.filter(({ type }) => type === recordTypes.A).length, 901); // and ns1's
});

test('X4 nobody transfers a zone with a key without it, whatever his address', async (t) => {
  const world = await openPrimary(t, { allowTransfer: ['127.0.0.1/32'] });
  t.is(await refusal(world.zone.port, undefined), '5');
  t.is(await refusal(world.zone.port, own), 'verified 0');
  await world.putPrimary({ allowTransfer: ['192.0.2.0/24'] });
  t.is(await refusal(world.zone.port, own), 'verified 5');
});

test('X4 other keys are told what is wrong with them, and are given nothing', async (t) => {
  const { zone } = await openPrimary(t);
  const other = randomBytes(32).toString('base64');
  t.is(await refusal(zone.port, key('other', secret)), `9 ${tsigErrors.badKey}`);
  t.is(await refusal(zone.port, key('to-secondaries', secret, 'hmac-sha512')), '9 17');
  t.is(await refusal(zone.port, key('to-secondaries', other)), `9 ${tsigErrors.badSignature}`);
});

test('X4 a wrong clock is told ours, signed', async (t) => {
  const { zone } = await openPrimary(t);
  const verdict = await judge(zone.port, { by: own, atSeconds: nowSeconds() - 1_000 });
  if (verdict.kind !== 'badTime') return t.fail(JSON.stringify(verdict));
  // Their own clock is right here: it was the signature's time that was not.
  t.true(Math.abs(verdict.aheadSeconds) < 5, String(verdict.aheadSeconds));
});

test('X4 a signature that is not the last record, and one of two, are no message', async (t) => {
  const { zone } = await openPrimary(t);
  const { bytes } = signMessage(question(recordTypes.AXFR), { key: own, atSeconds: nowSeconds() });
  const twice = signMessage(bytes, { key: own, atSeconds: nowSeconds() }).bytes;
  const [reply] = await askTcp(zone.port, twice);
  t.is((reply?.[3] ?? 0) & 0x0f, 1);
});

test('X4 a question that is signed is answered signed, over UDP too', async (t) => {
  const { zone } = await openPrimary(t);
  const { bytes, mac } = signMessage(question(recordTypes.SOA), {
    key: own,
    atSeconds: nowSeconds(),
  });
  const reply = (await askUdp(zone.port, bytes)) ?? Buffer.alloc(0);
  const verdict = createTsigVerifier({ key: own, requestMac: mac }).next(reply, nowSeconds());
  if (verdict.kind !== 'verified') return t.fail(JSON.stringify(verdict));
  t.is(verdict.message.answers[0]?.type, recordTypes.SOA);
});

test('X4 a zone that shall have a key is transferred by nobody until its Secret is there', async (t) => {
  const world = await openPrimary(t, { allowTransfer: ['127.0.0.1/32'] });
  const is = (wanted: string, by?: TsigKey) =>
    eventually(5_000, async () => {
      const said = await refusal(world.zone.port, by);
      return said === wanted ? [] : [`${said} in place of ${wanted}`];
    });
  await is('verified 0', own);
  await world.putTsigSecret('transfers', undefined);
  await is('9 17', own);
  await is('5');
  const next = randomBytes(32).toString('base64');
  await world.putTsigSecret('transfers', next);
  await is('verified 0', key('to-secondaries', next));
  await world.putTsigSecret('transfers', 'no key at all');
  await is('9 17', key('to-secondaries', next));
  t.pass();
});

function question(type: number): Uint8Array {
  const questions = [{ name: wire('example.com'), type, class: recordClasses.internet }];
  const empty = { answers: [], authorities: [], additionals: [] };
  return encodeMessage({ id: 9, flags: 0, questions, ...empty });
}

/** What the first message of a transfer says. */
async function judge(
  port: number,
  { by, atSeconds = nowSeconds() }: { readonly by: TsigKey; readonly atSeconds?: number },
) {
  const { bytes, mac } = signMessage(question(recordTypes.AXFR), { key: by, atSeconds });
  const [reply = Buffer.alloc(0)] = await askTcp(port, bytes);
  return createTsigVerifier({ key: by, requestMac: mac }).next(reply, nowSeconds());
}

/** Response code, after it the TSIG error; `verified` before it where the answer is signed. */
async function refusal(port: number, by: TsigKey | undefined): Promise<string> {
  if (by === undefined) {
    const [reply] = await askTcp(port, question(recordTypes.AXFR));
    return String((reply?.[3] ?? 0) & 0x0f);
  }
  const verdict = await judge(port, { by });
  switch (verdict.kind) {
    case 'verified':
      return `verified ${responseCodeOf(verdict.message)}`;
    case 'refused':
      return `${responseCodeOf(verdict.message)} ${verdict.error}`;
    default:
      return verdict.kind;
  }
}

async function transfer(
  port: number,
  by: TsigKey,
): Promise<{ readonly records: readonly WireRecord[]; readonly messages: number }> {
  const { bytes, mac } = signMessage(question(recordTypes.AXFR), {
    key: by,
    atSeconds: nowSeconds(),
  });
  let soas = 0;
  const replies = await askTcp(port, bytes, (reply) => {
    const read: DnsMessage | undefined = decodeMessage(reply);
    soas += (read?.answers ?? []).filter(({ type }) => type === recordTypes.SOA).length;
    return read === undefined || soas >= 2;
  });
  const verifier = createTsigVerifier({ key: by, requestMac: mac });
  const records = replies.flatMap((reply) => {
    const verdict = verifier.next(reply, nowSeconds());
    if (verdict.kind !== 'verified') throw new Error(JSON.stringify(verdict));
    return verdict.message.answers;
  });
  return { records, messages: replies.length };
}
