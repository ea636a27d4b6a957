// A door from its start to its end: what it reports comes in here, what it is ordered goes out.
//
//   N2. Requests are taken up for a few milliseconds of a turn of the event loop (I11).
//
// Next files to read: door-messages.ts, remote-exchange.ts, door/door.ts.

import { assertNever } from '../../../common/pure/errors.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import type { Log } from '../../../common/runtime/log.ts';
import type { Metrics } from '../../../common/runtime/metrics.ts';
import { watchHeart, type ThreadHeart } from '../../../common/runtime/thread-heart.ts';
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
  readonly start: StartDoor;
  /** Of a turn of the event loop, for what comes through the door. */
  readonly share: TurnShare;
  readonly serve: (exchange: Exchange) => void;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
}

/** The door learns of so many at once: a quarter of those it may send ahead. */
const takenAtOnce = requestsAheadMax / 4;

/** A promise and what settles it. */
class Deferred<T> {
  readonly promise: Promise<T>;
  resolve: (value: T) => void = () => undefined;
  reject: (error: Error) => void = () => undefined;

  constructor() {
    this.promise = new Promise((resolve, reject) => {
      [this.resolve, this.reject] = [resolve, reject];
    });
    this.promise.catch(() => undefined); // whoever waits hears of it
  }
}

export class DoorLife {
  connections = 0;
  readonly #options: DoorOptions;
  readonly #running: RunningDoor;
  readonly #outbox: Outbox<Order>;
  readonly #heart: ThreadHeart;
  readonly #carriers = new Map<number, Carrier>();
  readonly #exchanges = new Slots<RemoteExchange>();
  readonly #serve: (exchange: RemoteExchange) => void;
  readonly #listening = new Deferred<number>();
  readonly #ended = new Deferred<void>();
  readonly #exit = new Deferred<unknown>();
  readonly #tlsSet: Deferred<void>[] = [];
  #taken = 0;
  #isOver = false;

  constructor(options: DoorOptions, settings: DoorSettings) {
    const { clock, share, start, log } = options;
    this.#options = options;
    const reports = new MailQueue<Report>(clock, share, (...said) => this.#hear(...said));
    this.#running = start(settings, {
      onMail: (mail) => reports.add(mail),
      onExit: (error) => this.#onExit(error),
    });
    // Requests that come together are taken up one after the other until the end of the turn.
    this.#outbox = new Outbox(this.#running, clock, 2);
    this.#serve = paceTurns(clock, (exchange) => this.#take(exchange), share);
    this.#heart = watchHeart({
      clock,
      ping: () => this.order(['ping']),
      onSilent: (silentMs) => {
        log.error('API door does not answer; ending it', { silentMs });
        void this.#running.end();
      },
    });
  }

  /** The port; rejects with the system's error when the door cannot listen. */
  listening(): Promise<number> {
    return this.#listening.promise;
  }

  /** Resolves, with the reason for the log, when the door is gone. */
  exit(): Promise<unknown> {
    return this.#exit.promise;
  }

  order(order: Order): void {
    this.#outbox.push(order);
  }

  /** Resolves when new connections get these. */
  setTls(tls: TlsFiles): Promise<void> {
    if (this.#isOver) return Promise.resolve();
    const set = new Deferred<void>();
    this.#tlsSet.push(set);
    this.order(['tls', tls]);
    return set.promise;
  }

  /** No new connections; resolves when there are none any more. */
  async drain(): Promise<void> {
    this.order(['drain']);
    await this.#ended.promise;
  }

  end(): Promise<void> {
    return this.#running.end();
  }

  #onExit(error: unknown): void {
    this.#isOver = true;
    this.#heart.stop();
    this.connections = 0;
    for (const exchange of this.#exchanges.values()) exchange.close();
    this.#listening.reject(error instanceof Error ? error : new Error(String(error)));
    this.#ended.resolve();
    for (const set of this.#tlsSet.splice(0)) set.resolve();
    this.#exit.resolve(error);
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
        return this.#listening.resolve(report[1]);
      case 'failed':
        return this.#listening.reject(Object.assign(new Error(report[1]), { code: report[2] }));
      case 'pong':
        return this.#heart.heard();
      case 'tlsSet':
        return this.#tlsSet.shift()?.resolve();
      case 'ended':
        return this.#ended.resolve();
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
    if (kind === 'exchange') log.error('API request or answer failed at the door', { error });
    else log.debug('API connection failed', { kind, error });
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
