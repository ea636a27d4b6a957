// Answers a question from the name table: the hot path of the embedded zone. Input: a request's
// bytes. Output: the reply's bytes. Tails are encoded at the first question for a name and type,
// kept with the Service that they came from, and thrown away with it; each further question costs
// a parse, a look-up and a copy.
//
//   H1. Negative answers carry the SOA (RFC 2308); they are made from constant bytes, so that
//       questions for names that do not exist use no memory.
//   H2. CNAMEs are followed within the zone, to the end, in the answer section.
//   H3. Where the addresses of a name have weights, an answer carries one address: resolvers keep
//       and shuffle what they get, so only whole answers can be given out in proportion.

import {
  classInternet,
  headerBytes,
  isWithin,
  recordTypes,
  responseCodes,
  type DnsQuery,
  type ResponseCode,
  type WireName,
} from '../../common/pure/dns-wire.ts';
import { encodeTail, type ResourceRecord, type Tail } from '../../common/pure/dns-wire-encode.ts';
import {
  readRequest,
  refused,
  toReply,
  type Answer,
  type Transport,
} from '../../common/pure/dns-wire-reply.ts';
import type { NameRecords, NameTable } from './fold.ts';
import { WeightedTails } from './weighted-tails.ts';

export interface NameServer {
  readonly name: WireName;
  /** Literal addresses, when the name is within the zone. */
  readonly addresses: readonly string[];
}

export interface ZoneApex {
  /** At least one; the first is the primary of the SOA. */
  readonly nameServers: readonly NameServer[];
  readonly mailbox: WireName;
  /** TTL of SOA and NS. */
  readonly ttlSeconds: number;
  /** How long resolvers may keep a negative answer. */
  readonly negativeTtlSeconds: number;
}

export interface ZoneAnswer {
  readonly reply: Uint8Array | undefined;
  readonly code: ResponseCode | 'dropped';
}

// Zone, region, global and a load balancer's name; more would be a circle.
const chainMax = 8;
// Variants of one answer that differ in which address comes first.
const rotationsMax = 16;

export class ZoneResponder {
  readonly #table: NameTable;
  readonly #apex: ZoneApex;
  #soa: { readonly serial: number; readonly bytes: Uint8Array } | undefined;
  #turn = 0;

  constructor(table: NameTable, apex: ZoneApex) {
    this.#table = table;
    this.#apex = apex;
  }

  answer(request: Uint8Array, transport: Transport): ZoneAnswer {
    const reading = readRequest(request, transport);
    if (reading.kind === 'drop') return { reply: undefined, code: 'dropped' };
    if (reading.kind === 'reply') return { reply: reading.bytes, code: reading.code };
    const answer = this.resolve(reading.query);
    return { reply: toReply(reading.query, answer, transport), code: answer.code };
  }

  resolve(query: Pick<DnsQuery, 'name' | 'type'>): Answer {
    const { name, type } = query;
    const isTransfer = type >= recordTypes.IXFR && type <= recordTypes.MAILA;
    if (!isWithin(name, this.#table.apex) || isTransfer) return refused;
    if (name === this.#table.apex) return this.#answerApex(type);
    const server = this.#apex.nameServers.find((known) => known.name === name);
    if (server !== undefined && server.addresses.length > 0) {
      return this.#answerOrEmpty(
        name,
        addressRecords(name, this.#apex.ttlSeconds, server.addresses, type),
      );
    }
    const found = this.#table.find(name);
    if (found.kind === 'absent') return this.#negative(name, responseCodes.nameError);
    if (found.kind === 'empty') return this.#negative(name, responseCodes.noError);
    const tails = this.#tailsFor(name, type, found.records, found.owner.cache);
    if (tails instanceof WeightedTails) return { code: responseCodes.noError, tail: tails.next() };
    if (tails.length === 0) return this.#negative(name, responseCodes.noError);
    this.#turn = (this.#turn + 1) >>> 0;
    const tail = tails[this.#turn % tails.length];
    return tail === undefined
      ? this.#negative(name, responseCodes.noError)
      : { code: responseCodes.noError, tail };
  }

  #tailsFor(
    name: WireName,
    type: number,
    records: NameRecords,
    cache: Map<string, unknown>,
  ): readonly Tail[] | WeightedTails {
    const shown = shownType(type);
    if (shown === undefined && records.cname === undefined) return [];
    const key = `${shown ?? 'other'} ${name}`;
    const known = cache.get(key) as readonly Tail[] | WeightedTails | undefined;
    if (known !== undefined) return known;
    const chain = this.#follow(name, shown, records);
    const isEmpty = chain.addresses.length === 0;
    // RFC 2308 2.2: aliases that end in our zone without data carry the SOA, as any NODATA does.
    const soa = isEmpty && chain.endsHere ? [this.#soaRecord(this.#negativeTtl())] : [];
    const weighted = toWeighted(name, chain);
    const tails = isEmpty && chain.aliases.length === 0 ? [] : rotate(name, chain, soa);
    cache.set(key, weighted ?? tails);
    if (weighted !== undefined) return weighted;
    return tails;
  }

  /** The aliases from `name` on, and the addresses at their end. */
  #follow(name: WireName, type: Shown | undefined, first: NameRecords): Chain {
    const aliases: ResourceRecord[] = [];
    let at = name;
    let records: NameRecords | undefined = first;
    for (let step = 0; step < chainMax && records?.cname !== undefined; step += 1) {
      const { cname, ttlSeconds } = records as NameRecords & { readonly cname: WireName };
      aliases.push({ name: at, ttlSeconds, data: { type: 'CNAME', target: cname } });
      if (type === 'CNAME') return { aliases, addresses: [], endsHere: false };
      at = cname;
      records = this.#recordsAt(at);
    }
    if (records === undefined) return { aliases, addresses: [], endsHere: false };
    if (type === undefined || type === 'CNAME') return { aliases, addresses: [], endsHere: true };
    const values = [...(type === 'AAAA' ? [] : records.a), ...(type === 'A' ? [] : records.aaaa)];
    const addresses = values.map((address) => addressRecord(at, records.ttlSeconds, address));
    const weights =
      type === 'A' ? records.aWeights : type === 'AAAA' ? records.aaaaWeights : undefined;
    return { aliases, addresses, endsHere: true, weights };
  }

  #recordsAt(name: WireName): NameRecords | undefined {
    if (!isWithin(name, this.#table.apex)) return undefined;
    const found = this.#table.find(name);
    return found.kind === 'records' ? found.records : undefined;
  }

  #answerApex(type: number): Answer {
    const apex = this.#table.apex;
    const { ttlSeconds, nameServers } = this.#apex;
    if (type === recordTypes.SOA || type === recordTypes.ANY) {
      return toAnswer(apex, { answers: [this.#soaRecord(ttlSeconds)] });
    }
    if (type !== recordTypes.NS) return this.#negative(apex, responseCodes.noError);
    const answers = nameServers.map(({ name }): ResourceRecord => {
      return { name: apex, ttlSeconds, data: { type: 'NS', target: name } };
    });
    const additionals = nameServers.flatMap(({ name, addresses }) =>
      addresses.map((address) => addressRecord(name, ttlSeconds, address)),
    );
    return toAnswer(apex, { answers, additionals });
  }

  #answerOrEmpty(name: WireName, answers: readonly ResourceRecord[]): Answer {
    return answers.length === 0
      ? this.#negative(name, responseCodes.noError)
      : toAnswer(name, { answers });
  }

  /** NODATA or NXDOMAIN: a pointer to the apex within the question, then constant bytes (H1). */
  #negative(name: WireName, code: ResponseCode): Answer {
    const constant = this.#soaBytes();
    const bytes = new Uint8Array(2 + constant.length);
    const apexAt = headerBytes + name.length - this.#table.apex.length;
    bytes[0] = 0xc0 | (apexAt >> 8);
    bytes[1] = apexAt & 0xff;
    bytes.set(constant, 2);
    const tail = { bytes, answers: 0, authorities: 1, additionals: 0, ends: [bytes.length] };
    return { code, tail };
  }

  /** The SOA behind its owner name, with names in full. */
  #soaBytes(): Uint8Array {
    if (this.#soa?.serial === this.#table.serial) return this.#soa.bytes;
    const bytes = plainSoa(this.#soaRecord(this.#negativeTtl()));
    this.#soa = { serial: this.#table.serial, bytes };
    return bytes;
  }

  /** RFC 2308 3: the smaller of the SOA's own TTL and its MINIMUM. */
  #negativeTtl(): number {
    return Math.min(this.#apex.negativeTtlSeconds, this.#apex.ttlSeconds);
  }

  #soaRecord(ttlSeconds: number): ResourceRecord {
    const { nameServers, mailbox, negativeTtlSeconds } = this.#apex;
    return {
      name: this.#table.apex,
      ttlSeconds,
      data: {
        type: 'SOA',
        primary: nameServers[0]?.name ?? this.#table.apex,
        mailbox,
        serial: this.#table.serial,
        refreshSeconds: 3_600,
        retrySeconds: 600,
        expireSeconds: 604_800,
        minimumSeconds: negativeTtlSeconds,
      },
    };
  }
}

type Shown = 'A' | 'AAAA' | 'CNAME' | 'ANY';

interface Chain {
  readonly aliases: readonly ResourceRecord[];
  readonly addresses: readonly ResourceRecord[];
  /** The last name is ours; its data is all that there is. */
  readonly endsHere: boolean;
  /** Of the addresses, in their order. */
  readonly weights?: readonly number[] | undefined;
}

/** Types that a Service's name can have; any other is answered by its CNAME or by NODATA. */
function shownType(type: number): Shown | undefined {
  if (type === recordTypes.A) return 'A';
  if (type === recordTypes.AAAA) return 'AAAA';
  if (type === recordTypes.CNAME) return 'CNAME';
  return type === recordTypes.ANY ? 'ANY' : undefined;
}

/** H3. */
function toWeighted(
  name: WireName,
  { aliases, addresses, weights }: Chain,
): WeightedTails | undefined {
  if (weights === undefined || weights.length !== addresses.length || addresses.length < 2)
    return undefined;
  const tails = addresses.map((address) => encodeTail(name, { answers: [...aliases, address] }));
  return new WeightedTails(tails, weights);
}

/** The same answer with each address first in turn, since many clients take the first. */
function rotate(
  name: WireName,
  { aliases, addresses }: Chain,
  authorities: readonly ResourceRecord[],
): readonly Tail[] {
  const turns = Math.min(Math.max(addresses.length, 1), rotationsMax);
  return Array.from({ length: turns }, (_, turn) =>
    encodeTail(name, {
      answers: [...aliases, ...addresses.slice(turn), ...addresses.slice(0, turn)],
      authorities,
    }),
  );
}

function toAnswer(
  name: WireName,
  sections: {
    readonly answers: readonly ResourceRecord[];
    readonly additionals?: readonly ResourceRecord[];
  },
): Answer {
  return { code: responseCodes.noError, tail: encodeTail(name, sections) };
}

function addressRecord(name: WireName, ttlSeconds: number, address: string): ResourceRecord {
  return { name, ttlSeconds, data: { type: address.includes(':') ? 'AAAA' : 'A', address } };
}

function addressRecords(
  name: WireName,
  ttlSeconds: number,
  addresses: readonly string[],
  type: number,
): readonly ResourceRecord[] {
  return addresses
    .map((address) => addressRecord(name, ttlSeconds, address))
    .filter(({ data }) => type === recordTypes.ANY || recordTypes[data.type] === type);
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
