// Reads a DNS reply as a client does (RFC 1035 4.1): just enough to show what a name answers.
// Pure. Input: the message's bytes. Output: code and answers in order, or undefined for garbage.

import { recordTypes } from '../../common/pure/dns-wire.ts';

export interface DnsRecord {
  readonly name: string;
  readonly type: 'A' | 'AAAA' | 'CNAME' | 'other';
  readonly ttlSeconds: number;
  /** An address, or a name without the trailing dot. */
  readonly value: string;
}

export interface DnsReply {
  /** NOERROR, NXDOMAIN, SERVFAIL, REFUSED or the number. */
  readonly code: string;
  readonly answers: readonly DnsRecord[];
  readonly isTruncated: boolean;
}

const codes = ['NOERROR', 'FORMERR', 'SERVFAIL', 'NXDOMAIN', 'NOTIMP', 'REFUSED'];
// Names are at most 128 labels; a chain of pointers that is longer is a loop.
const jumpsMax = 128;

/** Undefined when it is no reply to the query `id`. */
export function parseReply(bytes: Buffer, id: number): DnsReply | undefined {
  try {
    if (bytes.length < 12 || bytes.readUInt16BE(0) !== id || (bytes.readUInt8(2) & 0x80) === 0)
      return undefined;
    const code = bytes.readUInt8(3) & 0x0f;
    let at = 12;
    for (let index = 0; index < bytes.readUInt16BE(4); index += 1) at = readName(bytes, at).end + 4;
    const answers: DnsRecord[] = [];
    for (let index = 0; index < bytes.readUInt16BE(6); index += 1) {
      const { record, end } = readRecord(bytes, at);
      answers.push(record);
      at = end;
    }
    return {
      code: codes[code] ?? String(code),
      answers,
      isTruncated: (bytes.readUInt8(2) & 0x02) !== 0,
    };
  } catch (error) {
    if (error instanceof RangeError) return undefined; // reading past the end
    throw error;
  }
}

function readRecord(
  bytes: Buffer,
  from: number,
): { readonly record: DnsRecord; readonly end: number } {
  const name = readName(bytes, from);
  const type = bytes.readUInt16BE(name.end);
  const ttlSeconds = bytes.readUInt32BE(name.end + 4);
  const start = name.end + 10;
  const end = start + bytes.readUInt16BE(name.end + 8);
  return { record: { name: name.text, ttlSeconds, ...readData(bytes, type, start) }, end };
}

function readData(bytes: Buffer, type: number, at: number): Pick<DnsRecord, 'type' | 'value'> {
  switch (type) {
    case recordTypes.A:
      return {
        type: 'A',
        value: [0, 1, 2, 3].map((index) => bytes.readUInt8(at + index)).join('.'),
      };
    case recordTypes.AAAA: {
      const groups = [0, 2, 4, 6, 8, 10, 12, 14].map((index) =>
        bytes.readUInt16BE(at + index).toString(16),
      );
      return { type: 'AAAA', value: groups.join(':') };
    }
    case recordTypes.CNAME:
      return { type: 'CNAME', value: readName(bytes, at).text };
    default:
      return { type: 'other', value: `type ${type}` };
  }
}

function readName(bytes: Buffer, from: number): { readonly text: string; readonly end: number } {
  const labels: string[] = [];
  let at = from;
  let end: number | undefined;
  for (let jumps = 0; jumps <= jumpsMax; ) {
    const length = bytes.readUInt8(at);
    if (length === 0) return { text: labels.join('.'), end: end ?? at + 1 };
    if (length >= 0xc0) {
      end ??= at + 2;
      at = bytes.readUInt16BE(at) & 0x3fff;
      jumps += 1;
      continue;
    }
    labels.push(bytes.subarray(at + 1, at + 1 + length).toString('latin1'));
    at += 1 + length;
  }
  throw new RangeError('a loop of pointers');
}
