// The client's side of DNS: one question as bytes, and what an answer to it says. Input: a name and
// a type, or the bytes of an answer. Output: bytes, or records. Pure.
//
//   Q1. Any bytes lead to an answer or to undefined, in time linear in their number: a pointer of a
//       compressed name leads back only, each nearer to the start.
//   Q2. What is no answer to this question (id, name, type) is none.

import { parseAddress } from './address-rules.ts';
import { fromWireName, toWireName, type WireName } from './dns-wire.ts';

export const recordTypes = {
  A: 1,
  NS: 2,
  CNAME: 5,
  SOA: 6,
  TXT: 16,
  AAAA: 28,
  SRV: 33,
} as const;

export type RecordType = keyof typeof recordTypes;

const typeNames = new Map<number, RecordType>(
  Object.entries(recordTypes).map(([name, number]) => [number, name as RecordType]), // its keys
);

export interface DnsQuestion {
  readonly name: string;
  readonly type: RecordType;
  readonly id: number;
  /** RD: asks a resolver to find it. Authoritative servers are asked without. */
  readonly isRecursive: boolean;
}

export interface AnsweredRecord {
  /** Lower-case, without the trailing dot. */
  readonly name: string;
  readonly type: RecordType;
  readonly ttlSeconds: number;
  /** As ZoneRecordSet has them: addresses canonical, names lower-case without the trailing dot. */
  readonly value: string;
}

export interface DnsAnswer {
  /** NOERROR 0, SERVFAIL 2, NXDOMAIN 3, REFUSED 5. */
  readonly rcode: number;
  /** AA: the server keeps the zone. */
  readonly isAuthoritative: boolean;
  /** TC: ask again by TCP. */
  readonly isTruncated: boolean;
  readonly answers: readonly AnsweredRecord[];
  readonly authority: readonly AnsweredRecord[];
  readonly additional: readonly AnsweredRecord[];
}

const headerBytes = 12;
const classInternet = 1;
// RFC 6891, and what answers without fragments everywhere (DNS flag day 2020).
const optType = 41;
const payloadBytes = 1232;

/** undefined: no name of DNS. */
export function encodeQuestion(question: DnsQuestion): Uint8Array | undefined {
  const name = toWireName(question.name);
  if (name === undefined) return undefined;
  const bytes = Buffer.alloc(headerBytes + name.length + 4 + 11);
  bytes.writeUInt16BE(question.id, 0);
  bytes.writeUInt16BE(question.isRecursive ? 0x0100 : 0, 2);
  bytes.writeUInt16BE(1, 4);
  bytes.writeUInt16BE(1, 10);
  let at = headerBytes + bytes.write(name, headerBytes, 'latin1');
  at = bytes.writeUInt16BE(recordTypes[question.type], at);
  at = bytes.writeUInt16BE(classInternet, at);
  at = bytes.writeUInt8(0, at); // the root's name
  at = bytes.writeUInt16BE(optType, at);
  bytes.writeUInt16BE(payloadBytes, at);
  return bytes;
}

/** undefined: no answer to `question`, or none that can be read. */
export function parseAnswer(message: Uint8Array, question: DnsQuestion): DnsAnswer | undefined {
  const bytes = Buffer.from(message.buffer, message.byteOffset, message.byteLength);
  if (bytes.length < headerBytes) return undefined;
  const flags = bytes.readUInt16BE(2);
  const isAnswer = (flags & 0x8000) !== 0 && bytes.readUInt16BE(0) === question.id;
  if (!isAnswer || bytes.readUInt16BE(4) !== 1) return undefined;
  const asked = readName(bytes, headerBytes);
  if (asked === undefined || asked.end + 4 > bytes.length) return undefined;
  const isSame =
    asked.name === toWireName(question.name) &&
    bytes.readUInt16BE(asked.end) === recordTypes[question.type];
  if (!isSame) return undefined;
  let at: number | undefined = asked.end + 4;
  const sections: AnsweredRecord[][] = [];
  for (const offset of [6, 8, 10]) {
    const records: AnsweredRecord[] = [];
    at = readSection(bytes, { at, count: bytes.readUInt16BE(offset) }, records);
    if (at === undefined) return undefined;
    sections.push(records);
  }
  const [answers = [], authority = [], additional = []] = sections;
  return {
    rcode: flags & 0x000f,
    isAuthoritative: (flags & 0x0400) !== 0,
    isTruncated: (flags & 0x0200) !== 0,
    answers,
    authority,
    additional,
  };
}

/** The offset behind it; undefined where it is broken. */
function readSection(
  bytes: Buffer,
  { at, count }: { readonly at: number; readonly count: number },
  records: AnsweredRecord[],
): number | undefined {
  let offset = at;
  for (let nth = 0; nth < count; nth += 1) {
    const owner = readName(bytes, offset);
    if (owner === undefined || owner.end + 10 > bytes.length) return undefined;
    const type = typeNames.get(bytes.readUInt16BE(owner.end));
    const isInternet = bytes.readUInt16BE(owner.end + 2) === classInternet;
    const ttlSeconds = bytes.readUInt32BE(owner.end + 4);
    const start = owner.end + 10;
    const end = start + bytes.readUInt16BE(owner.end + 8);
    if (end > bytes.length) return undefined;
    if (type !== undefined && isInternet) {
      const value = readData(bytes, { type, start, end });
      if (value === undefined) return undefined;
      records.push({ name: fromWireName(owner.name), type, ttlSeconds, value });
    }
    offset = end;
  }
  return offset;
}

interface DataPlace {
  readonly type: RecordType;
  readonly start: number;
  readonly end: number;
}

function readData(bytes: Buffer, { type, start, end }: DataPlace): string | undefined {
  const name = (at: number): string | undefined => {
    const read = readName(bytes, at);
    return read === undefined ? undefined : fromWireName(read.name);
  };
  switch (type) {
    case 'A':
      return end - start === 4 ? bytes.subarray(start, end).join('.') : undefined;
    case 'AAAA':
      return end - start === 16 ? toAddress6(bytes.subarray(start, end)) : undefined;
    case 'NS':
    case 'CNAME':
    case 'SOA':
      return name(start);
    case 'SRV': {
      if (end - start < 7) return undefined;
      const numbers = [0, 2, 4].map((offset) => bytes.readUInt16BE(start + offset));
      const target = name(start + 6);
      return target === undefined ? undefined : `${numbers.join(' ')} ${target}`;
    }
    case 'TXT':
      return readText(bytes.subarray(start, end));
  }
}

function toAddress6(bytes: Buffer): string | undefined {
  const groups = Array.from({ length: 8 }, (_, nth) => bytes.readUInt16BE(2 * nth).toString(16));
  return parseAddress(groups.join(':'));
}

function readText(bytes: Buffer): string | undefined {
  let text = '';
  for (let at = 0; at < bytes.length; ) {
    const length = bytes[at] ?? 0;
    if (at + 1 + length > bytes.length) return undefined;
    text += bytes.toString('utf8', at + 1, at + 1 + length);
    at += 1 + length;
  }
  return text;
}

const nameBytesMax = 255;

/** Q1. `end`: behind the name where it stands, not where its pointer leads. */
function readName(
  bytes: Buffer,
  start: number,
): { readonly name: WireName; readonly end: number } | undefined {
  let name = '';
  let end: number | undefined;
  let limit = start;
  for (let at = start; ; ) {
    const length = bytes[at];
    if (length === undefined) return undefined;
    if (length >= 0xc0) {
      const low = bytes[at + 1];
      if (low === undefined) return undefined;
      end ??= at + 2;
      const target = ((length & 0x3f) << 8) | low;
      if (target >= limit) return undefined;
      limit = target;
      at = target;
    } else if (length > 63 || name.length + 1 + length > nameBytesMax) return undefined;
    else if (length === 0)
      return { name: `${name}\0` as WireName, end: end ?? at + 1 }; // by its form
    else {
      if (at + 1 + length > bytes.length) return undefined;
      const label = bytes.toString('latin1', at + 1, at + 1 + length);
      name += String.fromCharCode(length) + label.replace(/[A-Z]/g, (it) => it.toLowerCase());
      at += 1 + length;
    }
  }
}

const rcodes = ['NOERROR', 'FORMERR', 'SERVFAIL', 'NXDOMAIN', 'NOTIMP', 'REFUSED'];

/** As dig prints it. */
export function nameRcode(rcode: number): string {
  return rcodes[rcode] ?? `RCODE${rcode}`;
}
