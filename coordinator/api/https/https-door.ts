// The door as the API's thread has it: started, told, and started again when it ends by itself.
//
//   N1. A door that ends takes its connections with it and nothing else: what was asked through it is
//       over, and another one opens on the same port.
//   N2. Requests are taken up for a few milliseconds of a turn of the event loop (I11).
//
// Next files to read: door-messages.ts, remote-exchange.ts, door/door.ts.

import { assertNever } from '../../../common/pure/errors.ts';
import type { Clock, Timer } from '../../../common/runtime/clock.ts';
import { describeError, type Log } from '../../../common/runtime/log.ts';
import type { Metrics } from '../../../common/runtime/metrics.ts';
import { paceTurns, type TurnShare } from '../../../common/runtime/turn-pace.ts';
import { Outbox, type Mail, type MailPort } from './door-mail.ts';
import {
  requestsAheadMax,
  type Carrier,
  type DoorSettings,
  type Observation,
  type Order,
  type Report,
  type RequestReport,
  type TlsFiles,
} from './door-messages.ts';
import { Slots } from './exchange-slots.ts';
import type { Exchange } from './https-exchange.ts';
import { MailQueue } from './mail-queue.ts';
import { RemoteExchange } from './remote-exchange.ts';

export interface RunningDoor extends MailPort {
  /** Ends it, whatever it does. */
  end(): Promise<void>;
}

export type StartDoor = (
  settings: DoorSettings,
  to: {
    readonly onMail: (mail: Mail<Report>) => void;
    /** Once, also after end(); `error` is for the log. */
    readonly onExit: (error: unknown) => void;
  },
) => RunningDoor;

export interface DoorOptions {
  readonly settings: DoorSettings;
  readonly start: StartDoor;
  /** Of a turn of the event loop, for what comes through the door. */
  readonly share: TurnShare;
  readonly serve: (exchange: Exchange) => void;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
}

const restartMs = 1_000;
/** The door learns of so many at once: a quarter of those it may send ahead. */
const takenAtOnce = requestsAheadMax / 4;

export class Door {
  readonly #options: DoorOptions;
  #settings: DoorSettings;
  #life: DoorLife | undefined;
  #restart: Timer | undefined;
  #isClosing = false;

  constructor(options: DoorOptions) {
    this.#options = options;
    this.#settings = options.settings;
  }

  /** The port; rejects with the system's error (EADDRINUSE, EACCES) when it cannot listen. */
  async open(): Promise<number> {
    const life = new DoorLife(this.#options, this.#settings);
    this.#life = life;
    const port = await life.listening.catch(async (error: unknown) => {
      await life.end();
      throw error;
    });
    this.#settings = { ...this.#settings, port };
    void life.exit.then((error) => this.#onExit(life, error));
    return port;
  }

  connections(): number {
    return this.#life?.connections ?? 0;
  }

  /** Resolves when new connections get these. */
  async setTls(tls: TlsFiles): Promise<void> {
    this.#settings = { ...this.#settings, tls };
    await this.#life?.setTls(tls);
  }

  /** No new connections; resolves when there are none any more. */
  async drain(): Promise<void> {
    this.#isClosing = true;
    this.#restart?.cancel();
    await this.#life?.drain();
  }

  /** Closes those that are left. */
  destroy(): void {
    this.#life?.order(['destroy']);
  }

  async end(): Promise<void> {
    await this.#life?.end();
  }

  /** N1. */
  #onExit(life: DoorLife, error: unknown): void {
    life.closeAll();
    if (this.#isClosing) return;
    const { log, metrics } = this.#options;
    log.error('API door ended; opening another', { error: describeError(error) });
    metrics.count('mesh_api_door_restarts_total');
    this.#reopenSoon();
  }

  #reopenSoon(): void {
    const { clock, log } = this.#options;
    this.#restart = clock.after(restartMs, () => {
      this.open().catch(async (error: unknown) => {
        log.error('API door did not open', { error: describeError(error) });
        if (!this.#isClosing) this.#reopenSoon();
      });
    });
  }
}

/** A door from its start to its end. */
class DoorLife {
  readonly listening: Promise<number>;
  readonly exit: Promise<unknown>;
  connections = 0;
  readonly #options: DoorOptions;
  readonly #running: RunningDoor;
  readonly #outbox: Outbox<Order>;
  readonly #carriers = new Map<number, Carrier>();
  readonly #exchanges = new Slots<RemoteExchange>();
  readonly #serve: (exchange: RemoteExchange) => void;
  readonly #ended: Promise<void>;
  #taken = 0;
  #onListening: (port: number) => void = () => undefined;
  #onFailed: (error: Error) => void = () => undefined;
  #onEnded: () => void = () => undefined;
  #onTlsSet: (() => void)[] = [];

  constructor(options: DoorOptions, settings: DoorSettings) {
    const { clock, share, start } = options;
    this.#options = options;
    const reports = new MailQueue<Report>(clock, share, (...said) => this.#hear(...said));
    this.listening = new Promise((resolve, reject) => {
      [this.#onListening, this.#onFailed] = [resolve, reject];
    });
    this.#ended = new Promise((resolve) => {
      this.#onEnded = resolve;
    });
    let onExit: (error: unknown) => void = () => undefined;
    this.exit = new Promise((resolve) => {
      onExit = resolve;
    });
    this.#running = start(settings, {
      onMail: (mail) => reports.add(mail),
      onExit: (error) => {
        this.#onFailed(error instanceof Error ? error : new Error(String(error)));
        this.#onEnded();
        for (const done of this.#onTlsSet.splice(0)) done();
        onExit(error);
      },
    });
    // Requests that come together are taken up one after the other until the end of the turn.
    this.#outbox = new Outbox(this.#running, clock, 2);
    this.#serve = paceTurns(clock, (exchange) => this.#take(exchange), share);
  }

  order(order: Order): void {
    this.#outbox.push(order);
  }

  setTls(tls: TlsFiles): Promise<void> {
    return new Promise((resolve) => {
      this.#onTlsSet.push(resolve);
      this.order(['tls', tls]);
    });
  }

  async drain(): Promise<void> {
    this.order(['drain']);
    await this.#ended;
  }

  async end(): Promise<void> {
    await this.#running.end();
    this.closeAll();
  }

  /** N1. */
  closeAll(): void {
    this.connections = 0;
    for (const exchange of this.#exchanges.values()) exchange.close();
  }

  /** N2. */
  #take(exchange: RemoteExchange): void {
    this.#taken += 1;
    if (this.#taken === takenAtOnce) {
      this.#outbox.pushLazily(['taken', this.#taken]);
      this.#taken = 0;
    }
    // Who left while he waited is not served.
    if (!exchange.isLeft()) this.#options.serve(exchange);
  }

  #hear(report: Report, bytes: Buffer | undefined): void {
    switch (report[0]) {
      case 'request':
        return this.#open(report);
      case 'body':
        return this.#exchanges.get(report[1])?.body?.receive(bytes ?? Buffer.alloc(0));
      case 'bodyEnd':
        return void this.#exchanges.get(report[1])?.body?.push(null);
      case 'sent':
        return this.#exchanges.get(report[1])?.answer.sent(report[2]);
      case 'closed':
        return this.#close(report[1]);
      case 'carrier':
        return void this.#carriers.set(report[1], report[2]);
      case 'carrierGone':
        return void this.#carriers.delete(report[1]);
      default:
        return this.#hearOfDoor(report);
    }
  }

  #hearOfDoor(report: DoorReport): void {
    switch (report[0]) {
      case 'opened':
        this.connections += 1;
        return;
      case 'left':
        this.connections -= 1;
        return;
      case 'fault':
        return this.#count(report[1], report[2]);
      case 'observed':
        return report[1].forEach((observation) => tell(this.#options.metrics, observation));
      case 'listening':
        return this.#onListening(report[1]);
      case 'failed':
        return this.#onFailed(Object.assign(new Error(report[1]), { code: report[2] }));
      case 'tlsSet':
        return this.#onTlsSet.shift()?.();
      case 'ended':
        return this.#onEnded();
      default:
        return assertNever(report);
    }
  }

  #open(report: RequestReport): void {
    const facts = this.#carriers.get(report[2]) ?? unknownCarrier;
    const exchange = new RemoteExchange(report, facts, this.#outbox);
    this.#exchanges.put(report[1], exchange);
    this.#serve(exchange);
  }

  #close(id: number): void {
    const exchange = this.#exchanges.get(id);
    this.#exchanges.delete(id);
    exchange?.close();
  }

  #count(kind: string, error: string | undefined): void {
    const { log, metrics } = this.#options;
    metrics.count('mesh_api_connection_errors_total', { kind });
    log.debug('API connection failed', { kind, error });
  }
}

type DoorReport = Exclude<
  Report,
  readonly [
    'request' | 'body' | 'bodyEnd' | 'sent' | 'closed' | 'carrier' | 'carrierGone',
    ...unknown[],
  ]
>;

/** Nobody: of a connection whose end came before its request. */
const unknownCarrier: Carrier = { remoteAddress: undefined, peer: undefined, trust: 0 };

function tell(metrics: Metrics, [kind, name, value, labels, buckets]: Observation): void {
  if (kind === 'gauge') metrics.gauge(name, value, labels);
  else metrics.observe(name, value, labels, buckets);
}
