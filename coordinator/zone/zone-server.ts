// Everything that one message may meet: the rate limit, transfers, answers, and replies to our own
// NOTIFYs. Input: bytes, transport, address. Output: what to send; what happened, for counting.

import { isResponse, responseCodes } from '../../common/pure/dns-wire.ts';
import { emptyTail } from '../../common/pure/dns-wire-encode.ts';
import { readRequest, toReply, type Transport } from '../../common/pure/dns-wire-reply.ts';
import { toNetworks, type Networks } from '../../common/pure/networks.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import { ZoneResponder } from './answer.ts';
import type { RateLimiter } from './rate-limit.ts';
import type { ServedZone, ServedZones } from './served-zones.ts';
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
    if (isTransfer(query)) {
      const { reply, code } = this.#transfers.answer(query, transport, from);
      return this.#count(transport, code, reply);
    }
    const answer = this.#responder.resolve(query);
    return this.#count(transport, answer.code, toReply(query, answer, transport));
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

const truncated = { code: responseCodes.noError, tail: emptyTail, isTruncated: true } as const;
