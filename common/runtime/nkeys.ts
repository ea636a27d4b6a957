// NATS' nkeys: Ed25519 keys whose text says what they are for. Their seeds, their public halves,
// and signatures, with Node's own Ed25519.
//
//   seed    base32(0x90 | kind >> 5, (kind & 31) << 3, 32 bytes, crc16)     "SU...", "SA...", "SO..."
//   public  base32(kind, 32 bytes, crc16)                                   "U...",  "A...",  "O..."
//
// Source: github.com/nats-io/nkeys, README and strkey.go. The package of that name signs in plain
// JavaScript: some milliseconds a signature, where a thousand agents may come back at once.

import { createPrivateKey, createPublicKey, sign, verify, type KeyObject } from 'node:crypto';
import { MeshError } from '../pure/errors.ts';

export type NkeyKind = 'operator' | 'account' | 'user';

export interface Nkey {
  readonly kind: NkeyKind;
  readonly publicKey: string;
  /** 64 bytes, Ed25519. */
  sign(bytes: Uint8Array): Uint8Array;
}

const kindBytes: Readonly<Record<NkeyKind, number>> = {
  operator: 14 << 3,
  account: 0,
  user: 20 << 3,
};
const seedByte = 18 << 3;
const rawBytes = 32;
const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
// RFC 8410 7: what stands before the 32 bytes of a key in PKCS #8 and in SubjectPublicKeyInfo.
const pkcs8Head = Buffer.from('302e020100300506032b657004220420', 'hex');
const spkiHead = Buffer.from('302a300506032b6570032100', 'hex');

/** The seed's text of 32 random bytes. */
export function encodeSeed(kind: NkeyKind, raw: Uint8Array): string {
  if (raw.length !== rawBytes) throw new MeshError('fatal', 'NKEY_INVALID', 'a seed is 32 bytes');
  const byte = kindBytes[kind];
  return encode([seedByte | (byte >> 5), (byte & 31) << 3], raw);
}

/** Throws MeshError fatal NKEY_INVALID, whose message never holds the seed. */
export function openSeed(seed: string): Nkey {
  const bytes = decode(seed, rawBytes + 2);
  const byte = bytes === undefined ? -1 : (((bytes[0] ?? 0) & 7) << 5) | ((bytes[1] ?? 0) >> 3);
  const kind = kindOf(byte);
  if (bytes === undefined || ((bytes[0] ?? 0) & 0xf8) !== seedByte || kind === undefined) {
    throw new MeshError('fatal', 'NKEY_INVALID', 'this is no nkey seed (SO..., SA... or SU...)');
  }
  const privateKey = createPrivateKey({
    key: Buffer.concat([pkcs8Head, bytes.subarray(2)]),
    format: 'der',
    type: 'pkcs8',
  });
  const spki = createPublicKey(privateKey).export({ format: 'der', type: 'spki' });
  return {
    kind,
    publicKey: encode([byte], spki.subarray(-rawBytes)),
    sign: (data) => sign(null, data, privateKey),
  };
}

/** What the public key is for; undefined when it is none. */
export function publicKeyKind(publicKey: string): NkeyKind | undefined {
  const bytes = decode(publicKey, rawBytes + 1);
  return bytes === undefined ? undefined : kindOf(bytes[0] ?? -1);
}

export function isSignedBy(publicKey: string, data: Uint8Array, signature: Uint8Array): boolean {
  const bytes = decode(publicKey, rawBytes + 1);
  if (bytes === undefined || kindOf(bytes[0] ?? -1) === undefined) return false;
  return verify(null, data, toPublicKey(bytes.subarray(1)), signature);
}

function toPublicKey(raw: Uint8Array): KeyObject {
  return createPublicKey({ key: Buffer.concat([spkiHead, raw]), format: 'der', type: 'spki' });
}

function kindOf(byte: number): NkeyKind | undefined {
  return (Object.keys(kindBytes) as NkeyKind[]).find((kind) => kindBytes[kind] === byte);
}

function encode(head: readonly number[], raw: Uint8Array): string {
  const body = Buffer.from([...head, ...raw]);
  const sum = crc16(body);
  return encodeBase32(Buffer.concat([body, Buffer.from([sum & 0xff, sum >> 8])]));
}

/** The bytes before the checksum; undefined when length, alphabet or checksum are wrong. */
function decode(text: string, length: number): Uint8Array | undefined {
  if (text.length !== Math.ceil(((length + 2) * 8) / 5)) return undefined;
  const all = decodeBase32(text);
  if (all === undefined || all.length !== length + 2) return undefined;
  const body = all.subarray(0, length);
  const sum = crc16(body);
  return all[length] === (sum & 0xff) && all[length + 1] === sum >> 8 ? body : undefined;
}

/** RFC 4648 6 without padding. */
export function encodeBase32(bytes: Uint8Array): string {
  let text = '';
  let held = 0;
  let bits = 0;
  for (const byte of bytes) {
    held = ((held << 8) | byte) & 0xfff;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      text += alphabet[(held >> bits) & 31] ?? '';
    }
  }
  return bits === 0 ? text : text + (alphabet[(held << (5 - bits)) & 31] ?? '');
}

function decodeBase32(text: string): Buffer | undefined {
  const bytes: number[] = [];
  let held = 0;
  let bits = 0;
  for (const letter of text) {
    const value = alphabet.indexOf(letter);
    if (value < 0) return undefined;
    held = ((held << 5) | value) & 0xfff;
    bits += 5;
    if (bits < 8) continue;
    bits -= 8;
    bytes.push((held >> bits) & 0xff);
  }
  return Buffer.from(bytes);
}

/** CRC-16/XMODEM. */
function crc16(bytes: Uint8Array): number {
  let crc = 0;
  for (const byte of bytes) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit += 1) {
      crc = (crc & 0x8000) === 0 ? (crc << 1) & 0xffff : ((crc << 1) ^ 0x1021) & 0xffff;
    }
  }
  return crc;
}
