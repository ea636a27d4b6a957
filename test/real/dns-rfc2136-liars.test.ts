// Servers that lie, break off or say garbage: nothing of it is believed, and every call ends.

import { createServer, type AddressInfo, type Socket } from 'node:net';
import test, { type ExecutionContext } from 'ava';
import {
  decodeMessage,
  encodeMessage,
  type DnsMessage,
  type ReadMessage,
} from '../../common/pure/dns-message.ts';
import { parseNameText, toRecordData } from '../../common/pure/dns-text.ts';
import { MeshError } from '../../common/pure/errors.ts';
import { signMessage, type TsigKey } from '../../common/pure/tsig.ts';
import { systemClock } from '../../common/runtime/clock.ts';
import type { DnsProvider } from '../../coordinator/dns/provider/provider.ts';
import { group, patience, recordSet } from '../contract/dns-provider-cases.ts';
import { openAt } from '../support/dns/dns-server.ts';

const zone = 'example.test';
const secret = Buffer.alloc(32, 7);
const own = { name: 'fedkey', secret };
const key: TsigKey = { name: nameOf('fedkey'), algorithm: 'hmac-sha256', secret };

/** Frames to send for one request, without their length. */
type Lie = (request: Buffer, read: ReadMessage) => readonly Uint8Array[] | 'end' | 'cut';

const noError = (read: ReadMessage, more: Partial<DnsMessage> = {}): DnsMessage => ({
  id: read.id,
  flags: 0x8400 | (read.flags & 0x7800),
  questions: read.questions,
  answers: [],
  authorities: [],
  additionals: [],
  ...more,
});

const lies: readonly (readonly [string, Lie])[] = [
  ['an unsigned yes', (_, read) => [encodeMessage(noError(read))]],
  ['a yes to another question', (_, read) => [encodeMessage(noError(read, { id: read.id ^ 1 }))]],
  ['our own request', (request) => [request]],
  ['garbage', () => [Buffer.from('HTTP/1.1 400 Bad Request')]],
  ['an empty message', () => [new Uint8Array(0)]],
  ['a header alone', (request) => [request.subarray(0, 12)]],
  ['an end', () => 'end'],
  ['half a message', () => 'cut'],
  [
    'a yes signed with another key',
    (_, read) => signedBy(read, { ...key, secret: Buffer.alloc(32) }),
  ],
  ['a yes signed for another request', (_, read) => signedBy(read, key, Buffer.alloc(32))],
];

for (const [what, lie] of lies) {
  test(`${what} is not believed`, async (t) => {
    const provider = await openLiar(t, lie);
    const set = recordSet(`a.${zone}`, 'A', ['192.0.2.1']);
    const outcomes = await provider.apply({ groups: [group('g', { creates: [set] })] }, patience);
    t.is(outcomes.get('g')?.kind, 'unknown', JSON.stringify(outcomes.get('g')));
    t.is(await codeOf(provider.read([set.name], patience)), 'DNS_UNAVAILABLE');
    t.is(await codeOf(provider.describe(patience)), 'DNS_UNAVAILABLE');
    // Of a transfer an unsigned part is waited for, as long as it may yet be signed.
    t.regex(await codeOf(provider.list({ timeoutMs: 300 })), /^DNS_(UNAVAILABLE|TIMEOUT)$/);
  });
}

test('an unsigned refusal is denied, and its reason not believed', async (t) => {
  const provider = await openLiar(t, (_, read) => [
    encodeMessage(noError(read, { flags: 0x8405 })),
  ]);
  const set = recordSet(`a.${zone}`, 'A', ['192.0.2.1']);
  const outcome = (
    await provider.apply({ groups: [group('g', { creates: [set] })] }, patience)
  ).get('g');
  t.is(outcome?.kind, 'denied');
  if (outcome?.kind === 'denied')
    t.regex(outcome.message, /without a signature.*cannot be trusted/);
});

test('an answer that was cut short is no word of what stands at a name', async (t) => {
  const provider = await openLiar(t, (request, read) =>
    signedBy(read, key, macOf(request), { flags: 0x8600 | (read.flags & 0x7800) }),
  );
  const error = await t.throwsAsync(provider.read([`a.${zone}`], patience));
  t.regex(error?.message ?? '', /cut an answer short/);
});

test('a wrong clock is named also where the server signs nothing of it', async (t) => {
  const provider = await openLiar(t, (_, read) => {
    const message = encodeMessage(noError(read, { flags: 0x8409 }));
    const { bytes } = signMessage(message, { key, atSeconds: nowSeconds(), error: 18 });
    // The same record without its MAC, as of a server that cannot sign.
    return [withoutMac(bytes, 32)];
  });
  const error = await t.throwsAsync(provider.read([`a.${zone}`], patience));
  t.regex(error?.message ?? '', /BADTIME.*set both clocks by NTP/);
});

test('a transfer that is never signed ends, however long it is', async (t) => {
  const answer = { name: nameOf(`n.${zone}`), type: 1, class: 1, ttlSeconds: 60 };
  const data = toRecordData(1, '192.0.2.1') ?? Buffer.alloc(4);
  const answers = Array.from({ length: 500 }, () => ({ ...answer, data }));
  const provider = await openLiar(t, (_, read) =>
    Array.from({ length: 300 }, () => encodeMessage(noError(read, { answers }))),
  );
  const error = await t.throwsAsync(provider.list(patience));
  t.regex(error?.message ?? '', /too many messages without a signature/);
});

test('a transfer that ends before its last SOA is not a whole zone', async (t) => {
  const provider = await openLiar(t, (request, read) => {
    const mac = macOf(request);
    const answers = [{ ...soa(), ttlSeconds: 60 }];
    const message = encodeMessage(noError(read, { answers }));
    const prior = { mac, form: 'reply' } as const;
    return [signMessage(message, { key, atSeconds: nowSeconds(), prior }).bytes, new Uint8Array(0)];
  });
  t.is(await codeOf(provider.list(patience)), 'DNS_UNAVAILABLE');
});

test('a server that is busy for a moment is asked again before a change is called bad', async (t) => {
  for (const [busyTimes, wanted] of [
    [2, 'applied'],
    [3, 'rejected'],
  ] as const) {
    const set = recordSet(`a.${zone}`, 'A', ['192.0.2.1']);
    let changes = 0;
    const provider = await openLiar(t, (request, read) => {
      const isChange = read.authorities.length > 0 && read.answers.length > 0; // it demands something
      if (isChange) changes += 1;
      const flags = 0x8400 | (read.flags & 0x7800) | (isChange && changes <= busyTimes ? 2 : 0);
      return signedBy(read, key, macOf(request), { flags, answers: addressOf(read) });
    });
    const batch = { groups: [group('g', { creates: [set] })] };
    const outcome = (await provider.apply(batch, patience)).get('g');
    t.is(outcome?.kind, wanted, JSON.stringify(outcome));
    t.is(changes, 3);
  }
});

/** 192.0.2.1 at a.example.test, for questions of type A. */
function addressOf(read: ReadMessage) {
  const data = toRecordData(1, '192.0.2.1') ?? Buffer.alloc(4);
  return read.questions
    .filter(({ name, type }) => type === 1 && name === nameOf(`a.${zone}`))
    .map(({ name }) => ({ name, type: 1, class: 1, ttlSeconds: 60, data }));
}

function soa() {
  const name = nameOf(zone);
  const data = Buffer.concat([Buffer.from(`${name}${name}`, 'latin1'), Buffer.alloc(20)]);
  return { name, type: 6, class: 1, data };
}

function signedBy(
  read: ReadMessage,
  by: TsigKey,
  mac: Uint8Array = Buffer.alloc(32),
  more: Partial<DnsMessage> = {},
): readonly Uint8Array[] {
  const prior = { mac, form: 'reply' } as const;
  const message = encodeMessage(noError(read, more));
  return [signMessage(message, { key: by, atSeconds: nowSeconds(), prior }).bytes];
}

/** A SHA-256 MAC stands before id, error and other length. */
function macOf(request: Buffer): Uint8Array {
  return request.subarray(request.length - 6 - 32, request.length - 6);
}

function nowSeconds(): number {
  return Math.floor(systemClock.now() / 1000);
}

async function openLiar(t: ExecutionContext, lie: Lie): Promise<DnsProvider> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('data', (bytes) => answer(socket, bytes, lie));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const provider = openAt(server.address() as AddressInfo, { zone, key: own });
  t.teardown(async () => {
    await provider.close();
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  return provider;
}

/** Several requests may come in one piece. */
function answer(socket: Socket, bytes: Buffer, lie: Lie): void {
  for (let at = 0; at + 2 <= bytes.length; at += 2 + bytes.readUInt16BE(at)) {
    const request = bytes.subarray(at + 2, at + 2 + bytes.readUInt16BE(at));
    const read = decodeMessage(request);
    const frames = read === undefined ? 'end' : lie(request, read);
    if (frames === 'end') return void socket.end();
    if (frames === 'cut') return void socket.end(Buffer.from([0, 100, 1, 2, 3]));
    for (const frame of frames) {
      const length = Buffer.alloc(2);
      length.writeUInt16BE(frame.length);
      socket.write(Buffer.concat([length, frame]));
    }
  }
}

function nameOf(text: string) {
  const name = parseNameText(text);
  if (name === undefined) throw new Error(`not a name: ${text}`);
  return name;
}

async function codeOf(call: Promise<unknown>): Promise<string> {
  const error = await call.then(
    () => undefined,
    (caught: unknown) => caught,
  );
  return error instanceof MeshError ? error.code : String(error);
}

/** A signed message with an empty MAC: the record's tail is MAC, id, error and empty other data. */
function withoutMac(bytes: Uint8Array, macBytes: number): Buffer {
  const signed = Buffer.from(bytes);
  const macAt = signed.length - 6 - macBytes;
  const cut = Buffer.concat([signed.subarray(0, macAt), signed.subarray(macAt + macBytes)]);
  cut.writeUInt16BE(0, macAt - 2);
  const algorithmBytes = 13; // hmac-sha256.
  const dataAt = macAt - 2 - 8 - algorithmBytes;
  cut.writeUInt16BE(cut.length - dataAt, dataAt - 2);
  return cut;
}
