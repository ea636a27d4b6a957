// Answers a question from the served zones: the hot path of the embedded server. Input: a request's
// bytes. Output: the reply's bytes. Tails are encoded at the first question for a name and type,
// kept with the Service that they came from, and thrown away with it; each further question costs
// a parse, a look-up and a copy.
//
//   H1. Negative answers carry the SOA (RFC 2308); they are made from constant bytes, so that
//       questions for names that do not exist use no memory.
//
// Next: chain.ts (H2, H3), fold.ts (what stands at a name).

import {
  classInternet,
  headerBytes,
  recordTypes,
  responseCodes,
  type DnsQuery,
  type ResponseCode,
  type WireName,
} from '../../common/pure/dns-wire.ts';
import { encodeTail, type ResourceRecord } from '../../common/pure/dns-wire-encode.ts';
import {
  readRequest,
  refused,
  toReply,
  type Answer,
  type Transport,
} from '../../common/pure/dns-wire-reply.ts';
import { addressRecord, glueRecords, negativeTtl, serverRecords, soaRecord } from './apex.ts';
import {
  anyType,
  fallbackRecords,
  shownType,
  tellOf,
  type SaidOf,
  type Shown,
  type Standing,
} from './chain.ts';
import type { Fallback } from './fold.ts';
import type { NameEntry, PublishedService } from './published-service.ts';
import type { ServedZone, ServedZones } from './served-zones.ts';
import { WeightedTails } from './weighted-tails.ts';

export interface ZoneAnswer {
  readonly reply: Uint8Array | undefined;
  readonly code: ResponseCode | 'dropped';
}

const dropped: ZoneAnswer = { reply: undefined, code: 'dropped' };
const typeDs = 43;
const answerPlaces: Readonly<Record<Shown, number>> = { A: 0, AAAA: 1, CNAME: 2, SRV: 3, other: 4 };

export class ZoneResponder {
  readonly #zones: ServedZones;
  /** The SOA behind its owner name, by zone: the bytes of a negative answer. */
  readonly #soas = new WeakMap<
    ServedZone,
    { readonly serial: number; readonly bytes: Uint8Array }
  >();
  #turn = 0;

  constructor(zones: ServedZones) {
    this.#zones = zones;
  }

  /** Transfers are refused here: transfer.ts answers those that may have one. */
  answer(request: Uint8Array, transport: Transport): ZoneAnswer {
    const reading = readRequest(request, transport);
    if (reading.kind === 'drop') return dropped;
    if (reading.kind === 'reply') return { reply: reading.bytes, code: reading.code };
    const answer = this.resolve(reading.query);
    return { reply: toReply(reading.query, answer, transport), code: answer.code };
  }

  resolve(query: Pick<DnsQuery, 'name' | 'type'>): Answer {
    const { name, type } = query;
    const isTransfer = type >= recordTypes.IXFR && type <= recordTypes.MAILA;
    const zone = this.#zones.find(name);
    if (zone === undefined || isTransfer) return refused;
    if (name === zone.apex.name) return this.#answerApex(zone, type);
    const server = zone.apex.serverNames.get(name);
    if (server !== undefined && server !== 'above')
      return this.#answerServer(zone, name, server, type);
    const found = zone.table.find(name);
    switch (found.kind) {
      case 'absent': {
        const isAbove = server === 'above' || this.#zones.hasBelow(name);
        return this.#negative(
          zone,
          name,
          isAbove ? responseCodes.noError : responseCodes.nameError,
        );
      }
      case 'empty':
        return this.#negative(zone, name, responseCodes.noError);
      case 'records':
        return this.#answerEntry(zone, found.entry, type);
      case 'fallback':
        return this.#answerFallback(zone, name, found, type);
    }
  }

  #answerEntry(zone: ServedZone, entry: NameEntry, type: number): Answer {
    const { name, records, owner, answers } = entry;
    const shown = type === recordTypes.ANY ? anyType(records) : shownType(type);
    const place = answerPlaces[shown];
    const known = answers[place] as SaidOf | undefined;
    if (known !== undefined && isFresh(known)) return this.#give(zone, name, known);
    const said = tellOf(this.#zones, { name, records, owner, zone }, shown);
    if (said.isOwn) answers[place] = said;
    return this.#give(zone, name, said);
  }

  #answerFallback(
    zone: ServedZone,
    name: WireName,
    found: Fallback & { readonly owner: PublishedService },
    type: number,
  ): Answer {
    const shown = type === recordTypes.ANY ? 'CNAME' : shownType(type);
    const { fallbackAnswers } = found.owner;
    const key = `${answerPlaces[shown]}${name}`;
    const known = fallbackAnswers.get(key) as SaidOf | undefined;
    if (known !== undefined && isFresh(known)) return this.#give(zone, name, known);
    const { owner } = found;
    const from: Standing = { name, records: fallbackRecords(found), owner, zone };
    const said = tellOf(this.#zones, from, shown);
    if (said.isOwn) fallbackAnswers.set(key, said);
    return this.#give(zone, name, said);
  }

  #give(zone: ServedZone, name: WireName, { tails, code }: SaidOf): Answer {
    if (tails instanceof WeightedTails) return { code, tail: tails.next() };
    this.#turn = (this.#turn + 1) >>> 0;
    const tail = tails.length < 2 ? tails[0] : tails[this.#turn % tails.length];
    return tail === undefined ? this.#negative(zone, name, code) : { code, tail };
  }

  #answerApex(zone: ServedZone, type: number): Answer {
    const { apex, table } = zone;
    if (type === recordTypes.SOA || type === recordTypes.ANY)
      return toAnswer(apex.name, [soaRecord(apex, table.serial, apex.ttlSeconds)]);
    if (type === recordTypes.NS) return toAnswer(apex.name, serverRecords(apex), glueRecords(apex));
    if (type === typeDs) return this.#answerDs(zone);
    return this.#answerServer(zone, apex.name, apex.glue.get(apex.name) ?? [], type);
  }

  /** RFC 4035 3.1.4.1: whether a delegation is signed is the parent's to say. */
  #answerDs(zone: ServedZone): Answer {
    const parent = this.#zones.parentOf(zone) ?? zone;
    return this.#negative(parent, zone.apex.name, responseCodes.noError);
  }

  #answerServer(
    zone: ServedZone,
    name: WireName,
    addresses: readonly string[],
    type: number,
  ): Answer {
    const records = addresses
      .map((address) => addressRecord(name, zone.apex.ttlSeconds, address))
      .filter(({ data }) => type === recordTypes.ANY || recordTypes[data.type] === type);
    return records.length === 0
      ? this.#negative(zone, name, responseCodes.noError)
      : toAnswer(name, records);
  }

  /** NODATA or NXDOMAIN: a pointer to the apex within the question, then constant bytes (H1). */
  #negative(zone: ServedZone, name: WireName, code: ResponseCode): Answer {
    const constant = this.#soaBytes(zone);
    const bytes = new Uint8Array(2 + constant.length);
    const apexAt = headerBytes + name.length - zone.apex.name.length;
    bytes[0] = 0xc0 | (apexAt >> 8);
    bytes[1] = apexAt & 0xff;
    bytes.set(constant, 2);
    const tail = { bytes, answers: 0, authorities: 1, additionals: 0, ends: [bytes.length] };
    return { code, tail };
  }

  /** The SOA behind its owner name, with names in full. */
  #soaBytes(zone: ServedZone): Uint8Array {
    const known = this.#soas.get(zone);
    const { serial } = zone.table;
    if (known?.serial === serial) return known.bytes;
    const bytes = plainSoa(soaRecord(zone.apex, serial, negativeTtl(zone.apex)));
    this.#soas.set(zone, { serial, bytes });
    return bytes;
  }
}

/** An answer that carries an SOA is stale as soon as that zone has another serial. */
function isFresh({ soa }: SaidOf): boolean {
  return soa === undefined || soa.zone.table.serial === soa.serial;
}

function toAnswer(
  name: WireName,
  answers: readonly ResourceRecord[],
  additionals: readonly ResourceRecord[] = [],
): Answer {
  return { code: responseCodes.noError, tail: encodeTail(name, { answers, additionals }) };
}

function plainSoa(record: ResourceRecord): Uint8Array {
  if (record.data.type !== 'SOA') return new Uint8Array(0);
  const { primary, mailbox, serial, refreshSeconds, retrySeconds, expireSeconds, minimumSeconds } =
    record.data;
  const names = Buffer.from(primary + mailbox, 'latin1');
  const bytes = Buffer.alloc(10 + names.length + 20);
  bytes.writeUInt16BE(recordTypes.SOA, 0);
  bytes.writeUInt16BE(classInternet, 2);
  bytes.writeUInt32BE(record.ttlSeconds, 4);
  bytes.writeUInt16BE(names.length + 20, 8);
  names.copy(bytes, 10);
  const numbers = [serial, refreshSeconds, retrySeconds, expireSeconds, minimumSeconds];
  numbers.forEach((value, index) =>
    bytes.writeUInt32BE(value >>> 0, 10 + names.length + index * 4),
  );
  return bytes;
}
