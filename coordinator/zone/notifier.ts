// Tells secondaries that a zone has changed (NOTIFY, RFC 1996). Input: which zones have which
// serial. Output: messages from the port that we answer at, until each is confirmed.
//
//   T1. At most one message a second to each secondary of a zone, whatever the rate of changes.
//   T2. One that does not answer is asked again after 1 s, 2 s, 4 s ... 60 s, then let be until the
//       next change: it refreshes by its own timer (SOA) anyway.

import { headerBytes, recordTypes } from '../../common/pure/dns-wire.ts';
import { encodeTail } from '../../common/pure/dns-wire-encode.ts';
import { parseHostPort } from '../../common/pure/host-port.ts';
import { createTsigVerifier, signMessage, type TsigKey } from '../../common/pure/tsig.ts';
import type { Chance } from '../../common/runtime/chance.ts';
import type { Clock, Timer } from '../../common/runtime/clock.ts';
import { soaRecord, type ZoneApex } from './apex.ts';
import type { ServedZone } from './served-zones.ts';
import { toTsigKey } from './transfer-key.ts';

export interface NotifyOutcome {
  readonly domain: string;
  /** host:port as the DNSZone says it. */
  readonly target: string;
  readonly serial: number;
  readonly kind: 'confirmed' | 'refused' | 'silent' | 'unknownHost';
}

export interface NotifierPorts {
  readonly clock: Clock;
  readonly chance: Chance;
  readonly send: (
    message: Uint8Array,
    to: { readonly host: string; readonly port: number },
  ) => void;
  /** Address of a host's name, or undefined. */
  readonly lookup: (host: string) => Promise<string | undefined>;
  readonly onOutcome: (outcome: NotifyOutcome) => void;
}

export interface Notifier {
  /**
   * Looks at what the serial of each of these zones is now; sends where it is news. `gone`: domains
   * that are no longer served. Other zones are as they were.
   */
  tell(zones: readonly ServedZone[], gone?: readonly string[]): void;
  /** A reply that reached our port; any other one is ignored. */
  onResponse(message: Uint8Array, from: string): void;
  stop(): void;
}

const gapMs = 1_000;
const retriesMs = [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000];
const opcodeNotify = 4;

export function createNotifier(ports: NotifierPorts): Notifier {
  /** By domain, then as the DNSZone names them. */
  const secondaries = new Map<string, ReadonlyMap<string, Secondary>>();
  const set = (domain: string, next: ReadonlyMap<string, Secondary>): void => {
    for (const [target, secondary] of secondaries.get(domain) ?? [])
      if (!next.has(target)) secondary.stop();
    if (next.size === 0) secondaries.delete(domain);
    else secondaries.set(domain, next);
  };
  return {
    tell: (zones, gone = []) => {
      for (const domain of gone) set(domain, new Map());
      for (const { zone, apex, table } of zones) {
        const { domain, notify } = zone;
        const key = toTsigKey(zone);
        const known = secondaries.get(domain);
        const next = notify.map(
          (target) => [target, known?.get(target) ?? new Secondary(ports, domain, target)] as const,
        );
        set(domain, new Map(next));
        for (const [, secondary] of next) secondary.want({ apex, key }, table.serial);
      }
    },
    onResponse: (message, from) => {
      for (const of of secondaries.values())
        for (const secondary of of.values()) if (secondary.take(message, from)) return;
    },
    stop: () => {
      for (const domain of secondaries.keys()) set(domain, new Map());
    },
  };
}

interface Speaker {
  readonly apex: ZoneApex;
  /** NOTIFYs are signed with it, for secondaries that demand it. */
  readonly key: TsigKey | undefined;
}

class Secondary {
  readonly #ports: NotifierPorts;
  readonly #domain: string;
  readonly #target: string;
  #speaks: Speaker | undefined;
  #wanted: number | undefined;
  /** Newest serial that it confirmed, refused, or was given up for. */
  #settled: number | undefined;
  #sent:
    | {
        readonly id: number;
        readonly serial: number;
        readonly host: string;
        /** Whether a reply is signed as the NOTIFY was. */
        readonly isGenuine: (reply: Uint8Array) => boolean;
      }
    | undefined;
  #attempt = 0;
  #lastSendMs = -Infinity;
  #timer: Timer | undefined;
  #isStopped = false;

  constructor(ports: NotifierPorts, domain: string, target: string) {
    this.#ports = ports;
    this.#domain = domain;
    this.#target = target;
  }

  want(speaks: Speaker, serial: number): void {
    this.#speaks = speaks;
    if (serial === this.#wanted) return;
    this.#wanted = serial;
    this.#attempt = 0;
    this.#plan(0);
  }

  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
  }

  take(message: Uint8Array, from: string): boolean {
    const [high = 0, low = 0, flags = 0, code = 0] = message;
    const sent = this.#sent;
    const isOurs = sent !== undefined && sent.id === ((high << 8) | low);
    if (!isOurs || ((flags >> 3) & 0x0f) !== opcodeNotify || !isSameHost(sent.host, from))
      return false;
    const isConfirmed = (code & 0x0f) === 0;
    // A forged one would end the repetitions; a refusal is often unsigned (RFC 8945 5.2).
    if (isConfirmed && !sent.isGenuine(message)) return true;
    this.#sent = undefined;
    this.#settle(sent.serial, isConfirmed ? 'confirmed' : 'refused');
    return true;
  }

  /** T1. */
  #plan(waitMs: number): void {
    this.#timer?.cancel();
    const sinceMs = this.#ports.clock.monotonicMs() - this.#lastSendMs;
    const delayMs = Math.max(waitMs, gapMs - sinceMs, 0);
    this.#timer = this.#ports.clock.after(delayMs, () => void this.#send());
  }

  async #send(): Promise<void> {
    const { clock, chance, lookup } = this.#ports;
    const [serial, speaks] = [this.#wanted, this.#speaks];
    const to = parseHostPort(this.#target);
    if (serial === undefined || speaks === undefined || to === undefined) return;
    this.#lastSendMs = clock.monotonicMs();
    this.#attempt += 1;
    // Planned first: a look-up that never ends holds up nothing.
    const waitMs = retriesMs[this.#attempt - 1];
    if (waitMs === undefined)
      return this.#settle(serial, this.#sent === undefined ? 'unknownHost' : 'silent');
    this.#plan(waitMs);
    const host = await lookup(to.host);
    if (this.#isStopped || serial !== this.#wanted || serial === this.#settled) return;
    if (host === undefined) return this.#tell(serial, 'unknownHost');
    const [high = 0, low = 0] = chance.bytes(2);
    const id = (high << 8) | low;
    const { apex, key } = speaks;
    const message = toNotify(apex, serial, id);
    const { bytes, isGenuine } = signNotify(message, key, () => Math.floor(clock.now() / 1000));
    this.#sent = { id, serial, host, isGenuine };
    this.#ports.send(bytes, { host, port: to.port });
  }

  #settle(serial: number, kind: NotifyOutcome['kind']): void {
    this.#settled = serial;
    if (serial === this.#wanted) this.#timer?.cancel();
    this.#tell(serial, kind);
  }

  #tell(serial: number, kind: NotifyOutcome['kind']): void {
    const [domain, target] = [this.#domain, this.#target];
    this.#ports.onOutcome({ domain, target, serial, kind });
  }
}

function signNotify(
  message: Uint8Array,
  key: TsigKey | undefined,
  nowSeconds: () => number,
): { readonly bytes: Uint8Array; readonly isGenuine: (reply: Uint8Array) => boolean } {
  if (key === undefined) return { bytes: message, isGenuine: () => true };
  const { bytes, mac } = signMessage(message, { key, atSeconds: nowSeconds() });
  const isGenuine = (reply: Uint8Array): boolean =>
    createTsigVerifier({ key, requestMac: mac }).next(reply, nowSeconds()).kind === 'verified';
  return { bytes, isGenuine };
}

/** RFC 1996 3.7: the SOA goes along as a hint. */
export function toNotify(apex: ZoneApex, serial: number, id: number): Uint8Array {
  const soa = soaRecord(apex, serial, apex.ttlSeconds);
  const tail = encodeTail(apex.name, { answers: [soa] });
  const name = Buffer.from(apex.name, 'latin1');
  const bytes = Buffer.alloc(headerBytes + name.length + 4 + tail.bytes.length);
  bytes.writeUInt16BE(id, 0);
  bytes.writeUInt16BE((opcodeNotify << 11) | 0x0400, 2); // AA
  bytes.writeUInt16BE(1, 4);
  bytes.writeUInt16BE(1, 6);
  name.copy(bytes, headerBytes);
  bytes.writeUInt16BE(recordTypes.SOA, headerBytes + name.length);
  bytes.writeUInt16BE(1, headerBytes + name.length + 2);
  bytes.set(tail.bytes, headerBytes + name.length + 4);
  return bytes;
}

function isSameHost(a: string, b: string): boolean {
  const plain = (host: string): string => host.replace(/^::ffff:/, '');
  return plain(a) === plain(b);
}
