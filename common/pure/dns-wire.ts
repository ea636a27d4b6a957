// DNS messages as bytes (RFC 1035, EDNS RFC 6891): names, and the strict reading of one question.
// Names are compared on their lower-cased wire form, never on text, since a label may hold any
// byte. Input: a datagram or TCP message. Output: a DnsQuery, or what to do instead.
//
//   W1. Nothing that arrives makes these functions throw; garbage is a value: drop or reject.
//   W2. The time taken is linear in the bytes read; counts in the header are never trusted.
//
// Next: dns-wire-encode.ts (answers), dns-wire-reply.ts (whole replies).

/** Lower-cased wire form of a name as latin1 text, length bytes and the root's zero included. */
export type WireName = string & { readonly __brand: 'WireName' };

export const recordTypes = {
  A: 1,
  NS: 2,
  CNAME: 5,
  SOA: 6,
  TXT: 16,
  AAAA: 28,
  SRV: 33,
  OPT: 41,
  IXFR: 251,
  AXFR: 252,
  MAILB: 253,
  MAILA: 254,
  ANY: 255,
} as const;

export const responseCodes = {
  noError: 0,
  formatError: 1,
  serverFailure: 2,
  nameError: 3,
  notImplemented: 4,
  refused: 5,
  /** RFC 8945 5.2: a signature that is none of ours. */
  notAuthoritative: 9,
  /** Extended (RFC 6891 6.1.3): the high bits go into OPT. */
  badVersion: 16,
} as const;

export type ResponseCode = (typeof responseCodes)[keyof typeof responseCodes];

export const classInternet = 1;
export const headerBytes = 12;
/** RFC 1035 2.3.4. */
export const nameBytesMax = 255;
export const labelBytesMax = 63;
/** Largest UDP answer without EDNS, and what an EDNS size below counts as (RFC 6891 6.2.3). */
export const udpBytesMin = 512;
/** Largest UDP answer that we send: no fragments on common paths (DNS flag day 2020). */
export const udpBytesMax = 1232;
export const tcpBytesMax = 65_535;

export interface Edns {
  /** What the asker can take over UDP. */
  readonly payloadBytes: number;
  readonly version: number;
  readonly isDnssecOk: boolean;
}

export interface DnsQuery {
  readonly bytes: Uint8Array;
  /** The question's name, as key. */
  readonly name: WireName;
  readonly type: number;
  readonly class: number;
  /** Offset just behind the question. */
  readonly questionEnd: number;
  readonly edns: Edns | undefined;
}

export type ParsedQuery =
  /** No answer at all: too short for a header, or itself an answer (a reflection loop). */
  | { readonly kind: 'drop' }
  /** Answer with this code; `questionEnd` is 12 when no question could be read. */
  | {
      readonly kind: 'reject';
      readonly code: ResponseCode;
      readonly questionEnd: number;
      readonly edns: Edns | undefined;
    }
  | { readonly kind: 'query'; readonly query: DnsQuery };

const reject = (code: ResponseCode): ParsedQuery => ({
  kind: 'reject',
  code,
  questionEnd: headerBytes,
  edns: undefined,
});

/** True for answers, which nobody may answer. */
export function isResponse(bytes: Uint8Array): boolean {
  return bytes.length >= headerBytes && (u8(bytes, 2) & 0x80) !== 0;
}

/** Reads one query. Bytes behind the counted records are tolerated. */
export function parseQuery(bytes: Uint8Array): ParsedQuery {
  if (bytes.length < headerBytes) return { kind: 'drop' };
  const flags = u8(bytes, 2);
  if ((flags & 0x80) !== 0) return { kind: 'drop' };
  if (((flags >> 3) & 0x0f) !== 0) return reject(responseCodes.notImplemented);
  // RFC 9619: exactly one question. A query carries no answers; of authorities only IXFR has one.
  if (u16(bytes, 4) !== 1 || u16(bytes, 6) !== 0) return reject(responseCodes.formatError);
  const nameEnd = endOfQuestionName(bytes);
  if (nameEnd === undefined || nameEnd + 4 > bytes.length) return reject(responseCodes.formatError);
  const questionEnd = nameEnd + 4;
  const extra = readExtraRecords(bytes, questionEnd);
  if (extra === 'malformed') return reject(responseCodes.formatError);
  if (extra !== undefined && extra.version !== 0) {
    return { kind: 'reject', code: responseCodes.badVersion, questionEnd, edns: extra };
  }
  const query: DnsQuery = {
    bytes,
    name: lowerWire(bytes, headerBytes, nameEnd),
    type: u16(bytes, nameEnd),
    class: u16(bytes, nameEnd + 2),
    questionEnd,
    edns: extra,
  };
  return { kind: 'query', query };
}

/** A question is the first name of its message: nothing precedes it that a pointer could mean. */
function endOfQuestionName(bytes: Uint8Array): number | undefined {
  let at = headerBytes;
  while (at < bytes.length) {
    const length = u8(bytes, at);
    if (length === 0) return at + 1 - headerBytes > nameBytesMax ? undefined : at + 1;
    if (length > labelBytesMax) return undefined;
    at += 1 + length;
    if (at - headerBytes >= nameBytesMax) return undefined;
  }
  return undefined;
}

/** Walks authority and additional records, of which only one OPT in the latter has a meaning. */
function readExtraRecords(bytes: Uint8Array, from: number): Edns | undefined | 'malformed' {
  const authorities = u16(bytes, 8);
  const records = authorities + u16(bytes, 10);
  let at = from;
  let edns: Edns | undefined;
  for (let index = 0; index < records; index += 1) {
    const nameAt = at;
    const nameEnd = skipName(bytes, at);
    if (nameEnd === undefined || nameEnd + 10 > bytes.length) return 'malformed';
    const end = nameEnd + 10 + u16(bytes, nameEnd + 8);
    if (end > bytes.length) return 'malformed';
    if (u16(bytes, nameEnd) === recordTypes.OPT) {
      const isRoot = nameEnd === nameAt + 1;
      if (!isRoot || edns !== undefined || index < authorities) return 'malformed';
      edns = {
        payloadBytes: u16(bytes, nameEnd + 2),
        version: u8(bytes, nameEnd + 5),
        isDnssecOk: (u8(bytes, nameEnd + 6) & 0x80) !== 0,
      };
    }
    at = end;
  }
  return edns;
}

/** Steps over a name without following its pointer: what it names is of no interest here. */
export function skipName(bytes: Uint8Array, from: number): number | undefined {
  let at = from;
  while (at < bytes.length && at - from < nameBytesMax) {
    const length = u8(bytes, at);
    if (length === 0) return at + 1;
    if (length >= 0xc0) return at + 2 <= bytes.length ? at + 2 : undefined;
    if (length > labelBytesMax) return undefined;
    at += 1 + length;
  }
  return undefined;
}

function lowerWire(bytes: Uint8Array, from: number, to: number): WireName {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset + from, to - from).toString('latin1');
  // ASCII letters only. Length bytes are at most 63 and so never fall into A to Z (65 to 90).
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code >= 65 && code <= 90) {
      return text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase()) as WireName;
    }
  }
  return text as WireName;
}

/** Wire form of `a.b.c` (no escapes; a trailing dot is allowed; '' is the root), or undefined. */
export function toWireName(text: string): WireName | undefined {
  const plain = text.endsWith('.') ? text.slice(0, -1) : text;
  if (plain === '') return '\0' as WireName;
  let wire = '';
  for (const label of plain.toLowerCase().split('.')) {
    // eslint-disable-next-line no-control-regex -- a byte outside latin1 has no wire form
    if (label === '' || label.length > labelBytesMax || /[^\u0000-\u00ff]/.test(label))
      return undefined;
    wire += String.fromCharCode(label.length) + label;
  }
  return wire.length + 1 > nameBytesMax ? undefined : (`${wire}\0` as WireName);
}

/** `a.b.c` without the trailing dot; bytes that are no letter, digit, - or _ as \DDD. */
export function fromWireName(name: WireName): string {
  return wireLabels(name)
    .map((label) =>
      label.replace(/[^a-z0-9_-]/g, (c) => `\\${String(c.charCodeAt(0)).padStart(3, '0')}`),
    )
    .join('.');
}

/** Labels from the left, as latin1 text. */
export function wireLabels(name: WireName): readonly string[] {
  const labels: string[] = [];
  for (let at = 0; at < name.length - 1; ) {
    const length = name.charCodeAt(at);
    labels.push(name.slice(at + 1, at + 1 + length));
    at += 1 + length;
  }
  return labels;
}

/** The name one label up; the root is its own parent. */
export function wireParent(name: WireName): WireName {
  return name.length <= 1 ? name : (name.slice(1 + name.charCodeAt(0)) as WireName);
}

/** True when `name` is `zone` or below it. */
export function isWithin(name: WireName, zone: WireName): boolean {
  if (!name.endsWith(zone)) return false;
  let at = 0;
  while (at < name.length - zone.length) at += 1 + name.charCodeAt(at);
  return at === name.length - zone.length;
}

/** `prefix` (a text such as `nginx.web.fed.svc`) in front of `suffix`; undefined if too long. */
export function prependLabels(prefix: string, suffix: WireName): WireName | undefined {
  const head = toWireName(prefix);
  if (head === undefined) return undefined;
  const joined = head.slice(0, -1) + suffix;
  return joined.length > nameBytesMax ? undefined : (joined as WireName);
}

function u8(bytes: Uint8Array, at: number): number {
  return bytes[at] ?? 0;
}

function u16(bytes: Uint8Array, at: number): number {
  return (u8(bytes, at) << 8) | u8(bytes, at + 1);
}
