// Whole replies: the request's header and question copied, flags and counts patched, a tail of
// records put behind, OPT last. The letters of the question keep their case (a check that some
// resolvers make). Input: a request and what to say. Output: the reply's bytes.
//
//   W3. A reply is never longer than its transport and the asker allow; what does not fit is left
//       out by whole records, with TC set, so that the asker comes back over TCP.

import {
  headerBytes,
  parseQuery,
  responseCodes,
  tcpBytesMax,
  udpBytesMax,
  udpBytesMin,
  classInternet,
  type DnsQuery,
  type Edns,
  type ResponseCode,
} from './dns-wire.ts';
import { emptyTail, type Tail } from './dns-wire-encode.ts';

export type Transport = 'udp' | 'tcp';

export interface Answer {
  readonly code: ResponseCode;
  readonly tail: Tail;
  /** Absent: true. False for questions outside what we are authoritative for. */
  readonly isAuthoritative?: boolean;
  /** Says "come over TCP" whatever fits. */
  readonly isTruncated?: boolean;
}

export const refused: Answer = {
  code: responseCodes.refused,
  tail: emptyTail,
  isAuthoritative: false,
};
export const serverFailure: Answer = {
  code: responseCodes.serverFailure,
  tail: emptyTail,
  isAuthoritative: false,
};

export type Reading =
  | { readonly kind: 'drop' }
  /** Send this as it is. */
  | { readonly kind: 'reply'; readonly bytes: Uint8Array; readonly code: ResponseCode }
  | { readonly kind: 'query'; readonly query: DnsQuery };

/** What any server of ours does with a message before it looks at its names. */
export function readRequest(bytes: Uint8Array, transport: Transport): Reading {
  const parsed = parseQuery(bytes);
  if (parsed.kind === 'drop') return parsed;
  if (parsed.kind === 'reject') {
    const { code, questionEnd, edns } = parsed;
    const answer = { code, tail: emptyTail, isAuthoritative: false };
    return { kind: 'reply', code, bytes: toReply({ bytes, questionEnd, edns }, answer, transport) };
  }
  if (parsed.query.class !== classInternet) {
    return { kind: 'reply', code: refused.code, bytes: toReply(parsed.query, refused, transport) };
  }
  return parsed;
}

const optBytes = 11;

/** The reply to `request` (its question ends at `questionEnd`; 12 for none). */
export function toReply(
  request: {
    readonly bytes: Uint8Array;
    readonly questionEnd: number;
    readonly edns: Edns | undefined;
  },
  answer: Answer,
  transport: Transport,
): Uint8Array {
  const { bytes, questionEnd, edns } = request;
  const limit = transport === 'tcp' ? tcpBytesMax : udpLimit(edns);
  const room = limit - questionEnd - (edns === undefined ? 0 : optBytes);
  const kept = keepWhole(answer.tail, room);
  const end = questionEnd + kept.length;
  // From Buffer's pool: every byte of it is written below.
  const reply = Buffer.allocUnsafe(end + (edns === undefined ? 0 : optBytes));
  copyInto(reply, 0, bytes, questionEnd);
  copyInto(reply, questionEnd, answer.tail.bytes, kept.length);
  patchHeader(reply, kept, answer);
  setU16(reply, 4, questionEnd > headerBytes ? 1 : 0);
  setU16(reply, 10, kept.additionals + (edns === undefined ? 0 : 1));
  if (edns !== undefined) writeOpt(reply, end, answer.code, edns);
  return reply;
}

// Below this a plain loop is faster than a call into the runtime.
const loopBytesMax = 128;

function copyInto(to: Uint8Array, at: number, from: Uint8Array, length: number): void {
  if (length > loopBytesMax) return to.set(from.subarray(0, length), at);
  for (let index = 0; index < length; index += 1) to[at + index] = from[index] ?? 0;
}

function udpLimit(edns: Edns | undefined): number {
  if (edns === undefined) return udpBytesMin;
  return Math.min(Math.max(edns.payloadBytes, udpBytesMin), udpBytesMax);
}

interface Kept {
  readonly length: number;
  readonly answers: number;
  readonly authorities: number;
  readonly additionals: number;
  readonly isTruncated: boolean;
}

function keepWhole(tail: Tail, room: number): Kept {
  const { answers, authorities, additionals } = tail;
  if (tail.bytes.length <= room) {
    return { length: tail.bytes.length, answers, authorities, additionals, isTruncated: false };
  }
  let records = 0;
  while ((tail.ends[records] ?? Infinity) <= room) records += 1;
  return {
    length: records === 0 ? 0 : (tail.ends[records - 1] ?? 0),
    answers: Math.min(records, answers),
    authorities: Math.min(Math.max(records - answers, 0), authorities),
    additionals: Math.max(records - answers - authorities, 0),
    // Additional records are a courtesy: without them nothing is missing (RFC 2181 9).
    isTruncated: records < answers + authorities,
  };
}

function patchHeader(reply: Uint8Array, kept: Kept, answer: Answer): void {
  const copied = (reply[2] ?? 0) & 0x79; // opcode and RD
  const authoritative = answer.isAuthoritative === false ? 0 : 0x04;
  const truncated = kept.isTruncated || answer.isTruncated === true ? 0x02 : 0;
  reply[2] = 0x80 | copied | authoritative | truncated;
  reply[3] = answer.code & 0x0f; // RA, Z, AD and CD are clear
  setU16(reply, 6, kept.answers);
  setU16(reply, 8, kept.authorities);
}

function writeOpt(reply: Uint8Array, at: number, code: ResponseCode, edns: Edns): void {
  reply[at] = 0;
  setU16(reply, at + 1, 41);
  setU16(reply, at + 3, udpBytesMax);
  reply[at + 5] = code >> 4;
  reply[at + 6] = 0;
  setU16(reply, at + 7, edns.isDnssecOk ? 0x8000 : 0);
  setU16(reply, at + 9, 0);
}

function setU16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >> 8;
  bytes[at + 1] = value & 0xff;
}
