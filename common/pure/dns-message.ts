// Whole DNS messages of any kind (RFC 1035 4): what an UPDATE, a transfer or an answer to our own
// question is made of. Names are compressed in what we read, never in what we write, so that the
// size of a message is the sum of its records. Output of reading: records with every name written
// out and in lower case, or undefined for anything that is no message (W1, W2 of dns-wire.ts).
//
// Next: dns-text.ts (names and record data as text), tsig.ts (signatures).

import { headerBytes, labelBytesMax, nameBytesMax, recordTypes } from './dns-wire.ts';
import type { WireName } from './dns-wire.ts';

export const opcodes = { query: 0, update: 5 } as const;

/** Header bits (RFC 1035 4.1.1). */
export const messageFlags = { isReply: 0x8000, isAuthoritative: 0x0400, isTruncated: 0x0200 };

export const recordClasses = { internet: 1, none: 254, any: 255 } as const;

export interface WireQuestion {
  readonly name: WireName;
  readonly type: number;
  readonly class: number;
}

export interface WireRecord {
  readonly name: WireName;
  readonly type: number;
  readonly class: number;
  readonly ttlSeconds: number;
  /** Without compression. */
  readonly data: Uint8Array;
}

export interface DnsMessage {
  readonly id: number;
  /** The header's second word: QR, opcode, AA, TC, RD, RA, Z, RCODE. */
  readonly flags: number;
  readonly questions: readonly WireQuestion[];
  /** In an UPDATE: the prerequisites, then the updates (RFC 2136 2). */
  readonly answers: readonly WireRecord[];
  readonly authorities: readonly WireRecord[];
  readonly additionals: readonly WireRecord[];
}

export interface ReadMessage extends DnsMessage {
  /** Offset of the last record, where a TSIG stands; the message's end without any record. */
  readonly lastRecordAt: number;
}

export function responseCodeOf(message: DnsMessage): number {
  return message.flags & 0x0f;
}

/** Bytes of one record as `encodeMessage` writes it. */
export function recordLength(record: WireRecord): number {
  return record.name.length + 10 + record.data.length;
}

/** Throws nothing; the caller sees to it that the whole has at most 65,535 bytes. */
export function encodeMessage(message: DnsMessage): Uint8Array {
  const { questions, answers, authorities, additionals } = message;
  const records = [...answers, ...authorities, ...additionals];
  const length =
    headerBytes +
    questions.reduce((sum, { name }) => sum + name.length + 4, 0) +
    records.reduce((sum, record) => sum + recordLength(record), 0);
  const bytes = Buffer.alloc(length);
  const header = [
    message.id,
    message.flags,
    questions.length,
    answers.length,
    authorities.length,
    additionals.length,
  ];
  let at = 0;
  for (const word of header) at = bytes.writeUInt16BE(word & 0xffff, at);
  for (const question of questions) {
    at += bytes.write(question.name, at, 'latin1');
    at = bytes.writeUInt16BE(question.type, at);
    at = bytes.writeUInt16BE(question.class, at);
  }
  for (const record of records) at = writeRecord(bytes, at, record);
  return bytes;
}

function writeRecord(bytes: Buffer, from: number, record: WireRecord): number {
  let at = from + bytes.write(record.name, from, 'latin1');
  at = bytes.writeUInt16BE(record.type, at);
  at = bytes.writeUInt16BE(record.class, at);
  at = bytes.writeUInt32BE(record.ttlSeconds, at);
  at = bytes.writeUInt16BE(record.data.length, at);
  bytes.set(record.data, at);
  return at + record.data.length;
}

/** Reads a whole message; undefined when any counted record is not there as it should be. */
export function decodeMessage(bytes: Uint8Array): ReadMessage | undefined {
  if (bytes.length < headerBytes) return undefined;
  const suffixes = new Map<number, string>();
  const reader = { bytes, at: headerBytes, lastRecordAt: bytes.length, suffixes };
  const questions: WireQuestion[] = [];
  for (let left = u16(bytes, 4); left > 0; left -= 1) {
    const question = readQuestion(reader);
    if (question === undefined) return undefined;
    questions.push(question);
  }
  const sections: WireRecord[][] = [];
  for (const countAt of [6, 8, 10]) {
    const section = readSection(reader, u16(bytes, countAt));
    if (section === undefined) return undefined;
    sections.push(section);
  }
  const [answers = [], authorities = [], additionals = []] = sections;
  const { lastRecordAt } = reader;
  return {
    id: u16(bytes, 0),
    flags: u16(bytes, 2),
    questions,
    answers,
    authorities,
    additionals,
    lastRecordAt,
  };
}

interface Reader {
  readonly bytes: Uint8Array;
  at: number;
  lastRecordAt: number;
  /** Names that pointers led to, by their offset: a message has few, and points to them often. */
  readonly suffixes: Map<number, string>;
}

function readQuestion(reader: Reader): WireQuestion | undefined {
  const { bytes } = reader;
  const name = readName(reader, reader.at, bytes.length);
  if (name === undefined || name.end + 4 > bytes.length) return undefined;
  reader.at = name.end + 4;
  return { name: name.name, type: u16(bytes, name.end), class: u16(bytes, name.end + 2) };
}

function readSection(reader: Reader, count: number): WireRecord[] | undefined {
  const records: WireRecord[] = [];
  for (let left = count; left > 0; left -= 1) {
    reader.lastRecordAt = reader.at;
    const record = readRecord(reader);
    if (record === undefined) return undefined;
    records.push(record);
  }
  return records;
}

function readRecord(reader: Reader): WireRecord | undefined {
  const { bytes } = reader;
  const owner = readName(reader, reader.at, bytes.length);
  if (owner === undefined) return undefined;
  const at = owner.end;
  if (at + 10 > bytes.length) return undefined;
  const end = at + 10 + u16(bytes, at + 8);
  if (end > bytes.length) return undefined;
  const type = u16(bytes, at);
  const data = readData(reader, { type, from: at + 10, to: end });
  if (data === undefined) return undefined;
  reader.at = end;
  const ttlSeconds = u16(bytes, at + 4) * 0x10000 + u16(bytes, at + 6);
  return { name: owner.name, type, class: u16(bytes, at + 2), ttlSeconds, data };
}

// Where names stand in the data of the types that may be compressed (RFC 3597 4), and of SRV,
// which some servers compress against RFC 2782: bytes before them, names, bytes behind them.
const namesIn: ReadonlyMap<number, readonly [before: number, names: number, behind: number]> =
  new Map([
    [recordTypes.NS, [0, 1, 0]],
    [recordTypes.CNAME, [0, 1, 0]],
    [recordTypes.SOA, [0, 2, 20]],
    [recordTypes.SRV, [6, 1, 0]],
    [12, [0, 1, 0]], // PTR
    [15, [2, 1, 0]], // MX
    [39, [0, 1, 0]], // DNAME
  ]);

function readData(
  reader: Reader,
  of: { readonly type: number; readonly from: number; readonly to: number },
): Uint8Array | undefined {
  const { bytes } = reader;
  const layout = namesIn.get(of.type);
  // An UPDATE deletes by empty data.
  if (layout === undefined || of.from === of.to)
    return new Uint8Array(bytes.subarray(of.from, of.to)); // a copy: a view would keep all alive
  const [before, names, behind] = layout;
  const parts: Uint8Array[] = [bytes.subarray(of.from, of.from + before)];
  let at = of.from + before;
  for (let left = names; left > 0; left -= 1) {
    const name = readName(reader, at, of.to);
    if (name === undefined) return undefined;
    parts.push(Buffer.from(name.name, 'latin1'));
    at = name.end;
  }
  if (at + behind !== of.to) return undefined;
  parts.push(bytes.subarray(at, of.to));
  return new Uint8Array(Buffer.concat(parts));
}

// A name has 127 labels at most, each behind a pointer of its own if need be. What a name's first
// pointer led to is remembered, so that a chain is not followed again by each that joins it (W2).
const pointersMax = 127;

/** A pointer must lead to before where it stands, and so to an end. */
function readName(
  { bytes, suffixes }: Reader,
  from: number,
  to: number,
): { readonly name: WireName; readonly end: number } | undefined {
  let at = from;
  let limit = to;
  let pointers = 0;
  let first: { readonly target: number; readonly end: number; readonly length: number } | undefined;
  let wire = '';
  while (at < limit) {
    const length = bytes[at] ?? 0;
    if (length === 0) {
      wire += '\0';
      if (first !== undefined) suffixes.set(first.target, wire.slice(first.length));
      return { name: wire as WireName, end: first?.end ?? at + 1 }; // of labels of checked lengths
    }
    if (length >= 0xc0) {
      if (at + 2 > limit) return undefined;
      const target = u16(bytes, at) & 0x3fff;
      pointers += 1;
      if (target >= at || pointers > pointersMax) return undefined;
      first ??= { target, end: at + 2, length: wire.length };
      const known = suffixes.get(target);
      if (known !== undefined) {
        const name = wire + known;
        suffixes.set(first.target, name.slice(first.length));
        return name.length > nameBytesMax ? undefined : { name: name as WireName, end: first.end };
      }
      limit = at;
      at = target;
      continue;
    }
    if (length > labelBytesMax || at + 1 + length > limit) return undefined;
    wire += lowerText(bytes, at, at + 1 + length);
    if (wire.length >= nameBytesMax) return undefined;
    at += 1 + length;
  }
  return undefined;
}

/** ASCII letters only (RFC 4343). A length byte is at most 63, and so none. */
function lowerText(bytes: Uint8Array, from: number, to: number): string {
  let text = '';
  for (let at = from; at < to; at += 1) {
    const code = bytes[at] ?? 0;
    text += String.fromCharCode(code >= 65 && code <= 90 ? code + 32 : code);
  }
  return text;
}

function u16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}
