// Everything that one message may meet: the rate limit, signatures, transfers, answers, and replies to our own
// NOTIFYs. Input: bytes, transport, address. Output: what to send; what happened, for counting.

import {
  isResponse,
  responseCodes,
  udpBytesMax,
  udpBytesMin,
  type DnsQuery,
  type ResponseCode,
} from '../../common/pure/dns-wire.ts';
import { emptyTail } from '../../common/pure/dns-wire-encode.ts';
import { readRequest, refused, toReply, type Transport } from '../../common/pure/dns-wire-reply.ts';
import { toNetworks, type Networks } from '../../common/pure/networks.ts';
import { tsigErrors, tsigLength, verifyRequest, type TsigKey } from '../../common/pure/tsig.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import { ZoneResponder } from './answer.ts';
import type { RateLimiter } from './rate-limit.ts';
import type { ServedZone, ServedZones } from './served-zones.ts';
import { createAnswerSigner, toTsigKey } from './transfer-key.ts';
import { isTransfer, TransferServer, type TransferStream } from './transfer.ts';

export interface ZoneServerOptions {
  readonly zones: ServedZones;
  readonly limiter: RateLimiter;
  readonly clock: Clock;
  /** `<udp|tcp> <code>` of an answer, or `incident <what>`. */
  readonly count: (what: string) => void;
  /** A reply that reached our port. */
  readonly onResponse: (message: Uint8Array, from: string) => void;
}

const codeNames = new Map<number, string>(
  Object.entries(responseCodes).map(([name, code]) => [code, name]),
);

export class ZoneServer {
  readonly #options: ZoneServerOptions;
  readonly #responder: ZoneResponder;
  readonly #transfers: TransferServer;
  readonly #allowed = new WeakMap<ServedZone, Networks>();
  readonly #keys = new WeakMap<ServedZone, { readonly key: TsigKey | undefined }>();

  constructor(options: ZoneServerOptions) {
    this.#options = options;
    this.#responder = new ZoneResponder(options.zones);
    this.#transfers = new TransferServer(options.zones, (zone) => this.#allowedOf(zone));
  }

  answer(
    request: Uint8Array,
    transport: Transport,
    from: string,
  ): Uint8Array | TransferStream | undefined {
    if (isResponse(request)) {
      if (transport === 'udp') this.#options.onResponse(request, from);
      return undefined;
    }
    if (transport === 'udp') {
      const { limiter, clock } = this.#options;
      const allowance = limiter.check(from, clock.monotonicMs());
      if (allowance !== 'answer') return this.#withhold(request, allowance);
    }
    const reading = readRequest(request, transport);
    if (reading.kind === 'drop') return this.#count(transport, 'dropped', undefined);
    if (reading.kind === 'reply') return this.#count(transport, reading.code, reading.bytes);
    const { query } = reading;
    return mayBeSigned(query)
      ? this.#answerSigned(query, transport, from)
      : this.#answerPlain(query, transport, { from, isSigned: false });
  }

  #answerPlain(query: DnsQuery, transport: Transport, by: Asker): Uint8Array | TransferStream {
    if (isTransfer(query)) {
      const { reply, code } = this.#transfers.answer(query, transport, by);
      return this.#count(transport, code, reply);
    }
    const answer = this.#responder.resolve(query);
    return this.#count(transport, answer.code, toReply(query, answer, transport));
  }

  /** RFC 8945 5.2: a signature is looked at before anything else. */
  #answerSigned(
    query: DnsQuery,
    transport: Transport,
    from: string,
  ): Uint8Array | TransferStream | undefined {
    const zone = this.#options.zones.find(query.name);
    const key = zone === undefined ? undefined : this.#keyOf(zone);
    const verdict = verifyRequest(query.bytes, key, this.#nowSeconds());
    if (verdict.kind === 'unsigned')
      return this.#answerPlain(query, transport, { from, isSigned: false });
    const say = (code: ResponseCode): Uint8Array =>
      this.#count(transport, code, toReply(query, { ...refused, code }, transport));
    if (verdict.kind === 'malformed') return say(responseCodes.formatError);
    if (verdict.kind === 'refused') {
      this.#options.count(`incident ${tsigIncidents.get(verdict.error) ?? 'tsigRefused'}`);
      return verdict.sign(say(responseCodes.notAuthoritative));
    }
    if (key === undefined) return undefined; // nothing is verified without one
    const sign = createAnswerSigner({
      key,
      requestMac: verdict.mac,
      nowSeconds: () => this.#nowSeconds(),
    });
    const reply = this.#answerPlain(query, transport, { from, isSigned: true });
    if (!(reply instanceof Uint8Array)) return signStream(reply, sign);
    return sign(withRoom(reply, query, transport, tsigLength(key)));
  }

  #nowSeconds(): number {
    return Math.floor(this.#options.clock.now() / 1000);
  }

  #keyOf(zone: ServedZone): TsigKey | undefined {
    const known = this.#keys.get(zone);
    if (known !== undefined) return known.key;
    const key = toTsigKey(zone.zone);
    this.#keys.set(zone, { key });
    return key;
  }

  #withhold(request: Uint8Array, allowance: 'drop' | 'truncate'): Uint8Array | undefined {
    if (allowance === 'drop') {
      this.#options.count('incident rateDropped');
      return undefined;
    }
    const reading = readRequest(request, 'udp');
    if (reading.kind !== 'query') return this.#withhold(request, 'drop');
    this.#options.count('incident rateTruncated');
    return toReply(reading.query, truncated, 'udp');
  }

  #count<R>(transport: Transport, code: number | string, reply: R): R {
    const name = typeof code === 'string' ? code : (codeNames.get(code) ?? 'other');
    this.#options.count(`${transport} ${name}`);
    return reply;
  }

  #allowedOf(zone: ServedZone): Networks {
    const known = this.#allowed.get(zone);
    if (known !== undefined) return known;
    const networks = toNetworks(zone.zone.allowTransfer);
    this.#allowed.set(zone, networks);
    return networks;
  }
}

interface Asker {
  readonly from: string;
  readonly isSigned: boolean;
}

const tsigIncidents = new Map<number, string>([
  [tsigErrors.badKey, 'tsigBadKey'],
  [tsigErrors.badSignature, 'tsigBadSignature'],
  [tsigErrors.badTime, 'tsigBadTime'],
]);

/** Resolvers send an OPT record at most: their questions are not read twice. */
function mayBeSigned({ bytes, edns }: DnsQuery): boolean {
  const additionals = ((bytes[10] ?? 0) << 8) | (bytes[11] ?? 0);
  return additionals > (edns === undefined ? 0 : 1);
}

/** RFC 8945 5.3: what leaves no room for its signature is cut; the asker comes back over TCP. */
function withRoom(
  reply: Uint8Array,
  query: DnsQuery,
  transport: Transport,
  bytes: number,
): Uint8Array {
  if (transport === 'tcp') return reply;
  const taken = Math.max(query.edns?.payloadBytes ?? 0, udpBytesMin);
  if (reply.length + bytes <= Math.min(taken, udpBytesMax)) return reply;
  return toReply(query, truncated, transport);
}

function signStream(
  stream: TransferStream,
  sign: (message: Uint8Array) => Uint8Array,
): TransferStream {
  return {
    next: () => {
      const message = stream.next();
      return message === undefined ? undefined : sign(message);
    },
    end: () => stream.end(),
  };
}

const truncated = { code: responseCodes.noError, tail: emptyTail, isTruncated: true } as const;
