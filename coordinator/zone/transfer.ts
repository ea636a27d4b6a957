// Zone transfers (AXFR, RFC 5936; IXFR, RFC 1995, answered in full or with "up to date") to those
// who may have them. Input: a question and who asks. Output: a stream of messages.
//
//   X1. A transfer is the zone at one moment, whatever changes while it runs.
//   X2. It holds what the answers say, fall-back names included: a secondary answers the same.
//       Only weights are not in it, since DNS has no word for them.
//   X3. Each message is of bounded length and made when there is room for it: no turn grows long,
//       and who reads slowly costs no memory.
//   X4. Of a zone with a key nobody has anything without it; addresses are demanded beside it.

import {
  headerBytes,
  recordTypes,
  responseCodes,
  skipName,
  type DnsQuery,
  type ResponseCode,
  type WireName,
} from '../../common/pure/dns-wire.ts';
import { encodeTail, TailWriter, type ResourceRecord } from '../../common/pure/dns-wire-encode.ts';
import {
  refused,
  serverFailure,
  toReply,
  type Answer,
  type Transport,
} from '../../common/pure/dns-wire-reply.ts';
import type { Networks } from '../../common/pure/networks.ts';
import { isWithin } from '../../common/pure/dns-wire.ts';
import { addressRecord, glueRecords, serverRecords, soaRecord } from './apex.ts';
import { serviceRecord } from './chain.ts';
import { fallbacksOf } from './fold.ts';
import type { NameEntry } from './published-service.ts';
import { isSerialAbove } from './serial.ts';
import type { ServedZone, ServedZones } from './served-zones.ts';

/** What the sockets take: see DnsStream. */
export interface TransferStream {
  next(): Uint8Array | undefined;
  end(): void;
}

export interface TransferAnswer {
  readonly reply: Uint8Array | TransferStream;
  readonly code: ResponseCode | 'transfer';
}

// Names further in cannot be pointed to (RFC 1035 4.1.4); some 400 records, a millisecond's work.
const messageBytesMax = 14_000;
/** Secondaries of one zone all come at once after a NOTIFY; each holds a snapshot's references. */
const transfersMax = 32;

export function isTransfer({ type }: Pick<DnsQuery, 'type'>): boolean {
  return type === recordTypes.AXFR || type === recordTypes.IXFR;
}

export class TransferServer {
  readonly #zones: ServedZones;
  readonly #allowedOf: (zone: ServedZone) => Networks;
  #running = 0;

  constructor(zones: ServedZones, allowedOf: (zone: ServedZone) => Networks) {
    this.#zones = zones;
    this.#allowedOf = allowedOf;
  }

  /** `isSigned`: with the key of the zone. */
  answer(
    query: DnsQuery,
    transport: Transport,
    { from, isSigned }: { readonly from: string; readonly isSigned: boolean },
  ): TransferAnswer {
    const say = (answer: Answer): TransferAnswer => {
      return { reply: toReply(query, answer, transport), code: answer.code };
    };
    const zone = this.#zones.at(query.name);
    if (zone === undefined || !this.#mayHave(zone, from, isSigned)) return say(refused);
    if (query.type === recordTypes.IXFR) {
      const serial = readKnownSerial(query);
      if (serial === undefined) return say(formatError);
      // Over UDP the newest SOA alone says: come over TCP (RFC 1995 2).
      if (transport === 'udp' || !isSerialAbove(zone.table.serial, serial)) {
        return say(toAnswer(query.name, [soaOf(zone)]));
      }
    }
    if (transport === 'udp') return say(refused); // RFC 5936 4.2
    if (this.#running >= transfersMax) return say(serverFailure);
    this.#running += 1;
    const stream = streamZone(this.#zones, zone, query);
    const end = (): void => {
      this.#running -= 1;
    };
    return { reply: { next: () => stream.next().value, end: once(end) }, code: 'transfer' };
  }

  /** X4. */
  #mayHave(zone: ServedZone, from: string, isSigned: boolean): boolean {
    const { transferKey, allowTransfer } = zone.zone;
    if (transferKey === undefined) return this.#allowedOf(zone).has(from);
    return isSigned && (allowTransfer.length === 0 || this.#allowedOf(zone).has(from));
  }
}

function* streamZone(
  zones: ServedZones,
  zone: ServedZone,
  query: DnsQuery,
): Generator<Uint8Array, undefined> {
  // Every request's bytes may be reused by their owner once this turn is over.
  const request = { ...query, bytes: query.bytes.slice() };
  const header = { bytes: request.bytes, questionEnd: headerBytes, edns: undefined };
  let writer = new TailWriter(query.name);
  let isFirst = true;
  const flush = (): Uint8Array => {
    const answer = { code: responseCodes.noError, tail: writer.take() };
    const message = toReply(isFirst ? request : header, answer, 'tcp');
    isFirst = false;
    writer = new TailWriter();
    return message;
  };
  for (const record of recordsOf(zones, zone)) {
    writer.add(record);
    if (writer.length >= messageBytesMax) yield flush();
  }
  if (writer.length > 0) yield flush();
  return undefined;
}

/** Every record of the zone at this moment (X1), the SOA first and last. */
export function recordsOf(zones: ServedZones, zone: ServedZone): Iterable<ResourceRecord> {
  const { apex, table } = zone;
  const soa = soaOf(zone);
  const children = zones.childrenOf(zone).map((child) => child.apex);
  const { services, aliases, levels } = table.snapshot();
  const isHidden = (name: WireName): boolean =>
    apex.glue.has(name) || children.some((child) => isWithin(name, child.name));
  return (function* all(): Generator<ResourceRecord> {
    yield soa;
    yield* serverRecords(apex);
    yield* glueRecords(apex);
    for (const child of children) yield* [...serverRecords(child), ...glueRecords(child)];
    for (const service of services) {
      for (const entry of service.names) if (!isHidden(entry.name)) yield* recordsAt(entry);
      for (const { name, parent, ttlSeconds } of fallbacksOf(service, levels, apex.name)) {
        if (isHidden(name)) continue;
        yield { name, ttlSeconds, data: { type: 'CNAME', target: parent } };
      }
    }
    for (const entry of aliases) if (!isHidden(entry.name)) yield* recordsAt(entry);
    yield soa;
  })();
}

function* recordsAt({ name, records }: NameEntry): Generator<ResourceRecord> {
  const { ttlSeconds, cname, a, aaaa, srv } = records;
  if (cname !== undefined) return void (yield cnameRecord(name, ttlSeconds, cname));
  for (const address of [...a, ...aaaa]) yield addressRecord(name, ttlSeconds, address);
  for (const value of srv) yield serviceRecord(name, ttlSeconds, value);
}

function cnameRecord(name: WireName, ttlSeconds: number, target: WireName): ResourceRecord {
  return { name, ttlSeconds, data: { type: 'CNAME', target } };
}

function soaOf({ apex, table }: ServedZone): ResourceRecord {
  return soaRecord(apex, table.serial, apex.ttlSeconds);
}

/** Serial of the SOA in the authority section: what the asker has (RFC 1995 3). */
function readKnownSerial({ bytes, questionEnd }: DnsQuery): number | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint16(8) !== 1) return undefined;
  const nameEnd = skipName(bytes, questionEnd);
  if (nameEnd === undefined || nameEnd + 10 > bytes.length) return undefined;
  const end = nameEnd + 10 + view.getUint16(nameEnd + 8);
  const isSoa = view.getUint16(nameEnd) === recordTypes.SOA;
  // Two names of a byte at least, then five numbers of which the serial is the first.
  if (!isSoa || end > bytes.length || end - nameEnd - 10 < 22) return undefined;
  return view.getUint32(end - 20);
}

const formatError: Answer = {
  code: responseCodes.formatError,
  tail: refused.tail,
  isAuthoritative: false,
};

function toAnswer(name: WireName, answers: readonly ResourceRecord[]): Answer {
  return { code: responseCodes.noError, tail: encodeTail(name, { answers }) };
}

function once(run: () => void): () => void {
  let isDone = false;
  return () => {
    if (!isDone) run();
    isDone = true;
  };
}
