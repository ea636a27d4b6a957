// TelemetryBus over the simulated network, with a simulated NATS server between: messages are
// lost, late, doubled and overtake each other; the server can be down.

import { MeshError } from '../../common/pure/errors.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import type { BusMessage, TelemetryBus } from '../../common/runtime/telemetry-bus.ts';
import { sites, type Network } from './network.ts';
import type { SeededChance } from './seeded-chance.ts';
import type { SimProcess } from './sim-process.ts';
import type { Trace } from './trace.ts';

export interface BusFaults {
  /** Parts of all deliveries, 0 to 1. */
  loss: number;
  duplication: number;
  delay: number;
}

type Handler = (message: BusMessage, reply: ((payload: Uint8Array) => void) | undefined) => void;

interface Interest {
  readonly pattern: readonly string[];
  readonly isServer: boolean;
  readonly handle: Handler;
}

// NATS notices a dead path by two unanswered pings.
const keepaliveMs = 6_000;
const retryMs = 500;
const delayMaxMs = 1_500;

interface BusOptions {
  readonly network: Network;
  readonly clock: Clock;
  readonly chance: SeededChance;
  readonly trace: Trace;
}

export class SimBus {
  readonly faults: BusFaults = { loss: 0, duplication: 0, delay: 0 };
  readonly #clients = new Set<Client>();
  readonly options: BusOptions;
  #isUp = true;
  #lastDownMs = -Infinity;

  constructor(options: BusOptions) {
    this.options = options;
    options.network.onCut(() => {
      options.clock.after(keepaliveMs, () => {
        for (const client of this.#clients) client.checkPath();
      });
    });
  }

  get isUp(): boolean {
    return this.#isUp;
  }

  /** Monotonic: now while it is down, else when it last was. */
  lastDownMs(): number {
    return this.#isUp ? this.#lastDownMs : this.options.clock.monotonicMs();
  }

  set(isUp: boolean): void {
    this.#isUp = isUp;
    this.options.trace.note(isUp ? 'bus up' : 'bus down');
    this.#lastDownMs = this.options.clock.monotonicMs();
    if (!isUp) for (const client of this.#clients) client.lose();
  }

  client(process: SimProcess, site: string): TelemetryBus {
    const client = new Client(this, process, site);
    this.#clients.add(client);
    client.open();
    return client;
  }

  forget(client: Client): void {
    this.#clients.delete(client);
  }

  killed(process: SimProcess): void {
    for (const client of this.#clients) if (client.process === process) this.forget(client);
  }

  /** From the server to whoever listens; returns how many servers of requests there are. */
  carry(
    message: BusMessage,
    from: Client,
    reply: ((payload: Uint8Array) => void) | undefined,
  ): number {
    const subject = message.subject.split('.');
    let servers = 0;
    for (const client of this.#clients) {
      for (const interest of client.interests) {
        if (client === from || !client.isConnected() || !matches(interest.pattern, subject))
          continue;
        if (interest.isServer) servers += 1;
        this.hop(sites.bus, client, message.subject, () =>
          interest.handle(message, interest.isServer ? reply : undefined),
        );
      }
    }
    return servers;
  }

  /** One way between the server and a client, with all that may become of a message. */
  hop(from: string, client: Client, what: string, act: () => void): void {
    const { network, clock, chance, trace } = this.options;
    const { loss, duplication, delay } = this.faults;
    const [start, end] = from === sites.bus ? [sites.bus, client.site] : [client.site, sites.bus];
    const copies = chance.isTrue(duplication) ? 2 : 1;
    for (let copy = 0; copy < copies; copy += 1) {
      if (chance.isTrue(loss) || network.isCut(start, end)) {
        trace.note(`bus ${start} -> ${end} ${what} lost`);
        continue;
      }
      const lateMs = chance.isTrue(delay) ? chance.between(1, delayMaxMs) : 0;
      clock.after(network.latencyMs(start, end) + lateMs, () => {
        if (!this.#isUp || network.isCut(start, end)) return;
        trace.note(`bus ${start} -> ${end} ${what}`);
        if (from === sites.bus) client.process.run(act);
        else act();
      });
    }
  }
}

class Client implements TelemetryBus {
  readonly process: SimProcess;
  readonly site: string;
  readonly interests = new Set<Interest>();
  readonly #bus: SimBus;
  readonly #listeners = new Set<(isConnected: boolean) => void>();
  #isConnected = false;
  #isClosed = false;
  #isOpening = false;

  constructor(bus: SimBus, process: SimProcess, site: string) {
    this.#bus = bus;
    this.process = process;
    this.site = site;
  }

  isConnected(): boolean {
    return this.#isConnected;
  }

  open(): void {
    if (this.#isOpening || this.#isClosed) return;
    this.#isOpening = true;
    const { network, chance } = this.#bus.options;
    const { clock } = this.process;
    clock.after(2 * network.latencyMs(this.site, sites.bus), () => {
      this.#isOpening = false;
      if (this.#isClosed || this.#isConnected) return;
      if (!this.#bus.isUp || network.isBroken(this.site, sites.bus)) {
        clock.after(retryMs * (1 + chance.fraction()), () => this.open());
        return;
      }
      this.#isConnected = true;
      this.#tell();
    });
  }

  checkPath(): void {
    if (this.#bus.options.network.isBroken(this.site, sites.bus)) this.lose();
  }

  lose(): void {
    if (!this.#isConnected) return;
    this.#isConnected = false;
    this.process.run(() => {
      this.#tell();
      this.open();
    });
  }

  publish(subject: string, payload: Uint8Array): void {
    if (!this.#isConnected) return;
    const message = { subject, payload: Uint8Array.from(payload) };
    this.#bus.hop(this.site, this, subject, () => void this.#bus.carry(message, this, undefined));
  }

  subscribe(pattern: string, handle: (message: BusMessage) => void): { cancel(): void } {
    return this.#add(pattern, false, (message) => handle(message));
  }

  serve(pattern: string, answer: (message: BusMessage) => Promise<Uint8Array>): { cancel(): void } {
    return this.#add(pattern, true, (message, reply) => {
      answer(message).then(
        (payload) =>
          this.#bus.hop(this.site, this, `reply ${message.subject}`, () => reply?.(payload)),
        () => undefined, // no answer: the asker's time runs out
      );
    });
  }

  request(subject: string, payload: Uint8Array, timeoutMs: number): Promise<Uint8Array> {
    const { clock } = this.process;
    const fail = (code: string): MeshError =>
      new MeshError('retryable', code, `request on ${subject}`);
    if (!this.#isConnected) return Promise.reject(fail('BUS_DISCONNECTED'));
    return new Promise<Uint8Array>((resolve, reject) => {
      const timer = clock.after(timeoutMs, () => reject(fail('BUS_TIMEOUT')));
      const back = (what: string, act: () => void): void =>
        this.#bus.hop(sites.bus, this, what, () => {
          timer.cancel();
          act();
        });
      const message = { subject, payload: Uint8Array.from(payload) };
      this.#bus.hop(this.site, this, subject, () => {
        const servers = this.#bus.carry(message, this, (reply) =>
          back(`answer ${subject}`, () => resolve(reply)),
        );
        if (servers === 0) back(`nobody ${subject}`, () => reject(fail('BUS_NO_RESPONDER')));
      });
    });
  }

  onConnection(listener: (isConnected: boolean) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  close(): Promise<void> {
    this.#isClosed = true;
    this.#isConnected = false;
    this.interests.clear();
    this.#listeners.clear();
    this.#bus.forget(this);
    return Promise.resolve();
  }

  #add(pattern: string, isServer: boolean, handle: Handler): { cancel(): void } {
    const interest = { pattern: pattern.split('.'), isServer, handle };
    this.interests.add(interest);
    return { cancel: () => void this.interests.delete(interest) };
  }

  #tell(): void {
    for (const listener of this.#listeners) listener(this.#isConnected);
  }
}

/** NATS wildcards: `*` one token, `>` the rest. */
function matches(pattern: readonly string[], subject: readonly string[]): boolean {
  for (const [index, token] of pattern.entries()) {
    if (token === '>') return subject.length > index;
    if (subject[index] === undefined || (token !== '*' && token !== subject[index])) return false;
  }
  return pattern.length === subject.length;
}
