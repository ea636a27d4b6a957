// TSIG: messages signed with a shared secret (RFC 8945), and streams of them such as a transfer.
// What is read is trusted only when its MAC was verified; a server that does not know our key can
// only say so unsigned, and that is told apart.
//
//   T1. MACs are compared in constant time, and before anything that they cover is looked at.
//   T2. Only MACs of full length; HMAC-MD5 and HMAC-SHA1 are not offered (RFC 8945 6).
//
// Both sides are here: `signMessage` also signs answers and the further messages of a stream.

import { createHmac, timingSafeEqual, type Hmac } from 'node:crypto';
import { decodeMessage, type DnsMessage, type ReadMessage } from './dns-message.ts';
import { toWireName, type WireName } from './dns-wire.ts';

export type TsigAlgorithm = 'hmac-sha256' | 'hmac-sha384' | 'hmac-sha512';

export interface TsigKey {
  readonly name: WireName;
  readonly algorithm: TsigAlgorithm;
  readonly secret: Uint8Array;
}

export const tsigErrors = { badSignature: 16, badKey: 17, badTime: 18, badTruncation: 22 } as const;

/** How far two clocks may be apart (RFC 8945 10). */
export const fudgeSeconds = 300;
/** RFC 8945 5.3.1: a stream is signed at least every 100 messages. */
export const unsignedMessagesMax = 99;

const typeTsig = 250;
const classAny = 255;

const hashes = {
  'hmac-sha256': { hash: 'sha256', name: wireOf('hmac-sha256'), macBytes: 32 },
  'hmac-sha384': { hash: 'sha384', name: wireOf('hmac-sha384'), macBytes: 48 },
  'hmac-sha512': { hash: 'sha512', name: wireOf('hmac-sha512'), macBytes: 64 },
} as const satisfies Record<TsigAlgorithm, unknown>;

function wireOf(text: string): WireName {
  return toWireName(text) ?? ('\0' as WireName); // constants: each has a wire form
}

/** Bytes that signing adds to a message. */
export function tsigLength(key: TsigKey): number {
  const { name, macBytes } = hashes[key.algorithm];
  return key.name.length + 10 + name.length + 16 + macBytes;
}

export interface SignedMessage {
  readonly bytes: Uint8Array;
  /** Covers the answer's signature too. */
  readonly mac: Uint8Array;
}

/** Of what came before in the same exchange. */
export interface TsigPrior {
  readonly mac: Uint8Array;
  /** reply: `mac` is the request's. further: it is that of the last signed message before. */
  readonly form: 'reply' | 'further';
  /** Messages of the stream since, that were sent unsigned. */
  readonly between?: readonly Uint8Array[];
}

/** Signs a whole message, which has no TSIG yet. */
export function signMessage(
  message: Uint8Array,
  options: {
    readonly key: TsigKey;
    readonly atSeconds: number;
    readonly prior?: TsigPrior;
    readonly error?: number;
    readonly other?: Uint8Array;
  },
): SignedMessage {
  const { key, atSeconds, prior, error = 0, other = new Uint8Array(0) } = options;
  const hmac = beginDigest(key, prior?.mac);
  for (const unsigned of prior?.between ?? []) hmac.update(unsigned);
  const id = Buffer.from(message).readUInt16BE(0);
  const stamp = { atSeconds, fudge: fudgeSeconds, error, other };
  hmac.update(message);
  hmac.update(prior?.form === 'further' ? timers(stamp) : variables(key, stamp));
  const mac = hmac.digest();
  const by = { keyName: key.name, algorithm: hashes[key.algorithm].name };
  return { bytes: append(message, toRecord(by, { ...stamp, mac, id })), mac };
}

interface Stamp {
  readonly atSeconds: number;
  readonly fudge: number;
  readonly error: number;
  readonly other: Uint8Array;
}

function beginDigest(key: TsigKey, priorMac: Uint8Array | undefined): Hmac {
  const hmac = createHmac(hashes[key.algorithm].hash, key.secret);
  if (priorMac !== undefined) hmac.update(words(priorMac.length)).update(priorMac);
  return hmac;
}

function timers({ atSeconds, fudge }: Stamp): Buffer {
  return words(Math.floor(atSeconds / 2 ** 32), (atSeconds / 2 ** 16) & 0xffff, atSeconds, fudge);
}

/** RFC 8945 4.3.3. */
function variables(key: TsigKey, stamp: Stamp): Buffer {
  return Buffer.concat([
    Buffer.from(key.name, 'latin1'),
    words(classAny, 0, 0), // class and TTL
    Buffer.from(hashes[key.algorithm].name, 'latin1'),
    timers(stamp),
    words(stamp.error, stamp.other.length),
    stamp.other,
  ]);
}

function toRecord(
  by: { readonly keyName: WireName; readonly algorithm: string },
  tsig: Stamp & { readonly mac: Buffer; readonly id: number },
): Buffer {
  const data = Buffer.concat([
    Buffer.from(by.algorithm, 'latin1'),
    timers(tsig),
    words(tsig.mac.length),
    tsig.mac,
    words(tsig.id, tsig.error, tsig.other.length),
    tsig.other,
  ]);
  const head = words(typeTsig, classAny, 0, 0, data.length);
  return Buffer.concat([Buffer.from(by.keyName, 'latin1'), head, data]);
}

function append(message: Uint8Array, record: Uint8Array): Uint8Array {
  const bytes = Buffer.concat([message, record]);
  bytes.writeUInt16BE(bytes.readUInt16BE(10) + 1, 10);
  return bytes;
}

function words(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 2);
  for (const [index, value] of values.entries()) bytes.writeUInt16BE(value & 0xffff, index * 2);
  return bytes;
}

export type RequestVerdict =
  | { readonly kind: 'unsigned' }
  /** FORMERR: a TSIG that is not the last record, one of several, or broken (RFC 8945 5.1). */
  | { readonly kind: 'malformed' }
  /** Whatever answers it is signed with this MAC as its prior. */
  | { readonly kind: 'verified'; readonly mac: Uint8Array }
  /** NOTAUTH: `sign` puts the reason behind the reply, signed where the RFC lets it be (5.2). */
  | {
      readonly kind: 'refused';
      readonly error: number;
      readonly sign: (reply: Uint8Array) => Uint8Array;
    };

/** What a server makes of a request's signature. `key`: the one that may sign it, if there is one. */
export function verifyRequest(
  bytes: Uint8Array,
  key: TsigKey | undefined,
  nowSeconds: number,
): RequestVerdict {
  const message = decodeMessage(bytes);
  if (message === undefined) return { kind: 'malformed' };
  const tsig = readTsig(message);
  if (tsig === undefined) return { kind: 'unsigned' };
  if (tsig === 'malformed') return tsigMalformed;
  const isOurs = key !== undefined && tsig.keyName === key.name;
  if (!isOurs || tsig.algorithm !== hashes[key.algorithm].name)
    return refuseUnsigned(tsig, tsigErrors.badKey);
  const mac = beginDigest(key, undefined)
    .update(unsignedBytes(bytes, message, tsig.id))
    .update(variables(key, tsig))
    .digest();
  if (mac.length !== tsig.mac.length || !timingSafeEqual(mac, tsig.mac))
    return refuseUnsigned(tsig, tsigErrors.badSignature);
  if (Math.abs(nowSeconds - tsig.atSeconds) <= tsig.fudge) return { kind: 'verified', mac };
  const other = words(
    Math.floor(nowSeconds / 2 ** 32),
    (nowSeconds / 2 ** 16) & 0xffff,
    nowSeconds,
  );
  const error = tsigErrors.badTime;
  const prior = { mac, form: 'reply' } as const;
  // 5.2.3: with the asker's own time, so that it can verify what ours is.
  const options = { key, atSeconds: tsig.atSeconds, prior, error, other };
  return { kind: 'refused', error, sign: (reply) => signMessage(reply, options).bytes };
}

const tsigMalformed: RequestVerdict = { kind: 'malformed' };

/** Names and time are the asker's, who is owed no more (RFC 8945 5.2.1, 5.2.2). */
function refuseUnsigned(tsig: Tsig, error: number): RequestVerdict {
  const { keyName, algorithm, atSeconds, fudge, id } = tsig;
  const nothing = Buffer.alloc(0);
  const stamp = { atSeconds, fudge, error, other: nothing, mac: nothing, id };
  return {
    kind: 'refused',
    error,
    sign: (reply) => append(reply, toRecord({ keyName, algorithm }, stamp)),
  };
}

export type TsigVerdict =
  /** Ours to believe, with all unsigned messages before it. The TSIG is taken off. */
  | { readonly kind: 'verified'; readonly message: DnsMessage }
  /** Not signed: to believe once a later message of the stream is verified, or never. */
  | { readonly kind: 'unsigned'; readonly message: DnsMessage }
  /** The other side says what is wrong with our signature, and cannot sign that (16, 17, 22). */
  | { readonly kind: 'refused'; readonly error: number; readonly message: DnsMessage }
  /** Verified: our clock is this many seconds ahead of the other side's; negative: behind. */
  | { readonly kind: 'badTime'; readonly aheadSeconds: number }
  | { readonly kind: 'failed'; readonly reason: string };

export interface TsigVerifier {
  /** Messages in the order in which they came. */
  next(bytes: Uint8Array, nowSeconds: number): TsigVerdict;
}

/** For the answer, or the stream of answers, to one request. */
export function createTsigVerifier(options: {
  readonly key: TsigKey;
  readonly requestMac: Uint8Array;
}): TsigVerifier {
  const { key } = options;
  let hmac = beginDigest(key, options.requestMac);
  let isFirst = true;
  let unsigned = 0;
  return {
    next: (bytes, nowSeconds) => {
      const message = decodeMessage(bytes);
      if (message === undefined) return failed('it is no DNS message');
      const tsig = readTsig(message);
      if (tsig === undefined) {
        unsigned += 1;
        if (unsigned > unsignedMessagesMax) return failed('too many messages without a signature');
        hmac.update(bytes);
        return { kind: 'unsigned', message };
      }
      if (tsig === 'malformed') return failed('its TSIG record is broken');
      if (tsig.mac.length === 0 && tsig.error !== 0) {
        return { kind: 'refused', error: tsig.error, message: withoutTsig(message) };
      }
      if (tsig.keyName !== key.name || tsig.algorithm !== hashes[key.algorithm].name)
        return failed('it is signed with another key or algorithm');
      const mac = hmac
        .update(unsignedBytes(bytes, message, tsig.id))
        .update(isFirst ? variables(key, tsig) : timers(tsig))
        .digest();
      hmac = beginDigest(key, mac);
      isFirst = false;
      unsigned = 0;
      if (mac.length !== tsig.mac.length || !timingSafeEqual(mac, tsig.mac))
        return failed('its signature is wrong');
      return judge(withoutTsig(message), tsig, nowSeconds);
    },
  };
}

function failed(reason: string): TsigVerdict {
  return { kind: 'failed', reason };
}

function judge(message: DnsMessage, tsig: Tsig, nowSeconds: number): TsigVerdict {
  if (tsig.error === tsigErrors.badTime) {
    const other = Buffer.from(tsig.other);
    const theirs = other.length === 6 ? other.readUIntBE(0, 6) : tsig.atSeconds;
    return { kind: 'badTime', aheadSeconds: nowSeconds - theirs };
  }
  if (tsig.error !== 0) return { kind: 'refused', error: tsig.error, message };
  if (Math.abs(nowSeconds - tsig.atSeconds) > tsig.fudge)
    return { kind: 'badTime', aheadSeconds: nowSeconds - tsig.atSeconds };
  return { kind: 'verified', message };
}

interface Tsig extends Stamp {
  readonly keyName: WireName;
  readonly algorithm: string;
  readonly mac: Uint8Array;
  readonly id: number;
}

/** undefined: there is none. It is the last record, and the only one of its type. */
function readTsig(message: ReadMessage): Tsig | 'malformed' | undefined {
  const all = [...message.answers, ...message.authorities, ...message.additionals];
  const count = all.filter(({ type }) => type === typeTsig).length;
  if (count === 0) return undefined;
  const record = message.additionals.at(-1);
  if (count > 1 || record?.type !== typeTsig) return 'malformed';
  // The MAC covers what these have to be, not what they are.
  if (record.class !== classAny || record.ttlSeconds !== 0) return 'malformed';
  const data = Buffer.from(record.data.buffer, record.data.byteOffset, record.data.length);
  const algorithmEnd = endOfName(data);
  const at = algorithmEnd + 10;
  if (at > data.length) return 'malformed';
  const macEnd = at + data.readUInt16BE(at - 2);
  if (macEnd + 6 > data.length) return 'malformed';
  if (macEnd + 6 + data.readUInt16BE(macEnd + 4) !== data.length) return 'malformed';
  return {
    keyName: record.name,
    algorithm: data.toString('latin1', 0, algorithmEnd).toLowerCase(),
    atSeconds: data.readUIntBE(algorithmEnd, 6),
    fudge: data.readUInt16BE(algorithmEnd + 6),
    mac: data.subarray(at, macEnd),
    id: data.readUInt16BE(macEnd),
    error: data.readUInt16BE(macEnd + 2),
    other: data.subarray(macEnd + 6),
  };
}

/** Beyond the data where there is no end. */
function endOfName(data: Uint8Array): number {
  let at = 0;
  while (at < data.length) {
    const length = data[at] ?? 0;
    at += 1 + length;
    if (length === 0) return at;
  }
  return data.length + 1;
}

/** As it was before it was signed: without the record, uncounted, with its first id. */
function unsignedBytes(bytes: Uint8Array, message: ReadMessage, id: number): Buffer {
  const unsigned = Buffer.from(bytes.subarray(0, message.lastRecordAt));
  unsigned.writeUInt16BE(message.additionals.length - 1, 10);
  unsigned.writeUInt16BE(id, 0);
  return unsigned;
}

function withoutTsig(message: ReadMessage): DnsMessage {
  const { id, flags, questions, answers, authorities, additionals } = message;
  return { id, flags, questions, answers, authorities, additionals: additionals.slice(0, -1) };
}
