// The telemetry bus on core NATS. Adapter of the package `nats`.
//
//   B1. Connecting never ends: a lost or refused connection is tried again until close().
//   B2. What is published while disconnected is dropped: the layer above tells it again.
//   B3. An error in a handler is counted and logged, and harms nobody else.
//
// Reconnecting is ours and not the package's, which gives up after two refused logins; ours is
// refused for a moment whenever our user is younger than the server's last reload.

import {
  connect,
  ErrorCode,
  NatsError,
  type Msg,
  type NatsConnection,
  type Subscription,
} from 'nats';
import { MeshError } from '../pure/errors.ts';
import type { Chance } from './chance.ts';
import type { Clock, Timer } from './clock.ts';
import { describeError, type Log } from './log.ts';
import type { Metrics } from './metrics.ts';
import type { BusMessage, TelemetryBus } from './telemetry-bus.ts';

export interface NatsBusOptions {
  readonly urls: readonly string[];
  /** Shown by the server. */
  readonly name: string;
  readonly tls: { readonly caPem: string; readonly certPem: string; readonly keyPem: string };
  /** Of reply subjects; see common/pure/inbox.ts. */
  readonly inboxPrefix: string;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly log: Log;
  readonly metrics: Metrics;
}

const connectTimeoutMs = 4_000;
// A frozen server is found out after two of these.
const pingIntervalMs = 2_000;
const retryMinMs = 200;
const retryMaxMs = 4_000;

interface Interest {
  readonly pattern: string;
  readonly onMessage: (message: Msg) => void;
  subscription: Subscription | undefined;
}

/** Returns at once; the connection is made behind it. */
export function connectNats(options: NatsBusOptions): TelemetryBus {
  return new NatsBus(options);
}

class NatsBus implements TelemetryBus {
  readonly #options: NatsBusOptions;
  readonly #interests = new Set<Interest>();
  readonly #listeners = new Set<(isConnected: boolean) => void>();
  #connection: NatsConnection | undefined;
  #retry: Timer | undefined;
  #failures = 0;
  #isClosed = false;

  constructor(options: NatsBusOptions) {
    this.#options = options;
    void this.#open();
  }

  isConnected(): boolean {
    return this.#connection !== undefined;
  }

  publish(subject: string, payload: Uint8Array): void {
    try {
      this.#connection?.publish(subject, payload);
    } catch (error) {
      this.#note('publish', error);
    }
  }

  subscribe(pattern: string, handle: (message: BusMessage) => void): { cancel(): void } {
    return this.#add(pattern, ({ subject, data }) => handle({ subject, payload: data }));
  }

  serve(pattern: string, answer: (message: BusMessage) => Promise<Uint8Array>): { cancel(): void } {
    return this.#add(pattern, (message) => {
      void this.#answer(message, answer);
    });
  }

  async #answer(message: Msg, answer: (message: BusMessage) => Promise<Uint8Array>): Promise<void> {
    try {
      const reply = await answer({ subject: message.subject, payload: message.data });
      message.respond(reply);
    } catch (error) {
      this.#note('serve', error);
    }
  }

  async request(subject: string, payload: Uint8Array, timeoutMs: number): Promise<Uint8Array> {
    const connection = this.#connection;
    if (connection === undefined) {
      throw new MeshError('retryable', 'BUS_DISCONNECTED', `request on ${subject}`);
    }
    try {
      const reply = await connection.request(subject, payload, {
        timeout: Math.max(1, Math.round(timeoutMs)),
      });
      return reply.data;
    } catch (error) {
      throw new MeshError('retryable', toCode(error), `request on ${subject}`, error);
    }
  }

  onConnection(listener: (isConnected: boolean) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#retry?.cancel();
    this.#interests.clear();
    this.#listeners.clear();
    const connection = this.#connection;
    this.#connection = undefined;
    await connection?.close().catch(() => undefined); // it is lost either way
  }

  #add(pattern: string, handle: (message: Msg) => void): { cancel(): void } {
    const onMessage = (message: Msg): void => {
      try {
        handle(message);
      } catch (error) {
        this.#note('handler', error);
      }
    };
    const interest: Interest = { pattern, onMessage, subscription: undefined };
    this.#interests.add(interest);
    if (this.#connection !== undefined) this.#listen(this.#connection, interest);
    return {
      cancel: () => {
        this.#interests.delete(interest);
        interest.subscription?.unsubscribe();
      },
    };
  }

  #listen(connection: NatsConnection, interest: Interest): void {
    interest.subscription = connection.subscribe(interest.pattern, {
      callback: (error, message) => {
        if (error === null) interest.onMessage(message);
        else this.#note('subscription', error);
      },
    });
  }

  async #open(): Promise<void> {
    const { urls, name, tls, inboxPrefix, log } = this.#options;
    let connection: NatsConnection;
    try {
      connection = await connect({
        servers: [...urls],
        name,
        tls: { ca: tls.caPem, cert: tls.certPem, key: tls.keyPem },
        inboxPrefix,
        timeout: connectTimeoutMs,
        pingInterval: pingIntervalMs,
        maxPingOut: 2,
        reconnect: false,
        ignoreClusterUpdates: true,
      });
    } catch (error) {
      if (this.#failures === 0) log.warn('telemetry bus unreachable', { urls, error });
      return this.#openLater();
    }
    if (this.#isClosed) return void connection.close().catch(() => undefined);
    this.#failures = 0;
    this.#connection = connection;
    void this.#watch(connection);
    void connection.closed().then((error) => this.#onLost(connection, error));
    for (const interest of this.#interests) this.#listen(connection, interest);
    log.info('telemetry bus connected', { server: connection.getServer() });
    this.#tell(true);
  }

  #onLost(connection: NatsConnection, error: unknown): void {
    if (this.#connection !== connection) return;
    this.#connection = undefined;
    this.#options.log.warn('telemetry bus lost', {
      error: error === undefined ? 'closed' : describeError(error),
    });
    this.#tell(false);
    this.#openLater();
  }

  /** Full jitter: a thousand agents come back over time, not at once. */
  #openLater(): void {
    if (this.#isClosed) return;
    const { clock, chance } = this.#options;
    const ceiling = Math.min(retryMaxMs, retryMinMs * 2 ** Math.min(this.#failures, 10));
    this.#failures += 1;
    this.#retry = clock.after(20 + Math.round(ceiling * chance.fraction()), () => {
      if (!this.#isClosed) void this.#open();
    });
  }

  /** Refused subjects and the like are told here only. */
  async #watch(connection: NatsConnection): Promise<void> {
    for await (const { type, data } of connection.status()) {
      if (type === 'error') this.#note('server', data);
    }
  }

  #note(where: 'publish' | 'serve' | 'handler' | 'subscription' | 'server', error: unknown): void {
    this.#options.metrics.count('mesh_bus_errors_total', { where });
    this.#options.log.warn('telemetry bus error', { where, error: describeError(error) });
  }

  #tell(isConnected: boolean): void {
    for (const listener of this.#listeners) listener(isConnected);
  }
}

function toCode(error: unknown): string {
  if (!(error instanceof NatsError)) return 'BUS_DISCONNECTED';
  if (error.code === ErrorCode.NoResponders) return 'BUS_NO_RESPONDER';
  return error.code === ErrorCode.Timeout ? 'BUS_TIMEOUT' : 'BUS_DISCONNECTED';
}
