// The telemetry bus on core NATS. Adapter of the package `nats`.
//
//   B1. Connecting never ends: a lost or refused connection is tried again until close().
//   B2. What is published while disconnected is dropped: the layer above tells it again.
//   B3. An error in a handler is counted and logged, and harms nobody else.
//   B4. A new login is taken without a gap: the new connection listens before the old one stops,
//       and publishes once the server has all that the old one published, in order. What
//       subscribe() hears while both live it may hear twice; a request is answered once.
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
import { toAuthenticator, type BusLogin, type BusTls } from './nats-bus-login.ts';
import { routeAny, type BusRoute } from './nats-bus-route.ts';
import type { BusMessage, TelemetryBus } from './telemetry-bus.ts';

export interface NatsBusOptions {
  readonly urls: readonly string[];
  /** Shown by the server. */
  readonly name: string;
  /** The way to a server. */
  readonly route?: ((url: string) => Promise<BusRoute>) | undefined;
  /** Asked at each connect, so that a renewed certificate is used from then on. */
  readonly tls: () => BusTls;
  /**
   * Asked at each connect. Absent, or answering undefined: the certificate is the login. `over`:
   * no server would let it in; onLogin will tell of another.
   */
  readonly login?: (() => BusLogin | 'over' | undefined) | undefined;
  /** Where to listen for a new login; what it returns ends the listening. */
  readonly onLogin?: ((listener: () => void) => () => void) | undefined;
  /** The server does not let this login in, or no more. Tried again all the same. */
  readonly onRefused?: (() => void) | undefined;
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
// A server answers a flush in a round trip. Beyond this the old connection is as good as lost.
const flushMs = 2_000;
const drainMs = 5_000;
const renewRetryMs = 5_000;
// A round trip's worth of reports; more are published at once, out of order if it must be.
const heldMax = 4_096;

interface Interest {
  readonly pattern: string;
  readonly onMessage: (message: Msg) => void;
  /** One that serves requests: of two connections only one is asked. */
  readonly queue: string | undefined;
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
  /** Said last of why there is no connection: once each, not at each attempt. */
  #trouble: string | undefined;
  readonly #stopLogins: (() => void) | undefined;
  #isClosed = false;
  #isRenewing = false;
  #held: { readonly subject: string; readonly payload: Uint8Array }[] | undefined;

  constructor(options: NatsBusOptions) {
    this.#options = options;
    this.#stopLogins = options.onLogin?.(() => this.#onLogin());
    void this.#open();
  }

  isConnected(): boolean {
    return this.#connection !== undefined;
  }

  publish(subject: string, payload: Uint8Array): void {
    if (this.#held !== undefined && this.#held.length < heldMax) {
      this.#held.push({ subject, payload });
      return;
    }
    try {
      this.#connection?.publish(subject, payload);
    } catch (error) {
      this.#note('publish', error);
    }
  }

  subscribe(pattern: string, handle: (message: BusMessage) => void): { cancel(): void } {
    return this.#add(pattern, undefined, ({ subject, data }) => handle({ subject, payload: data }));
  }

  serve(pattern: string, answer: (message: BusMessage) => Promise<Uint8Array>): { cancel(): void } {
    return this.#add(pattern, 'served', (message) => {
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
    this.#stopLogins?.();
    this.#retry?.cancel();
    this.#interests.clear();
    this.#listeners.clear();
    const connection = this.#connection;
    this.#connection = undefined;
    await connection?.close().catch(() => undefined); // it is lost either way
  }

  #add(
    pattern: string,
    queue: string | undefined,
    handle: (message: Msg) => void,
  ): { cancel(): void } {
    const onMessage = (message: Msg): void => {
      try {
        handle(message);
      } catch (error) {
        this.#note('handler', error);
      }
    };
    const interest: Interest = { pattern, queue, onMessage, subscription: undefined };
    this.#interests.add(interest);
    if (this.#connection !== undefined) {
      interest.subscription = this.#listen(this.#connection, interest);
    }
    return {
      cancel: () => {
        this.#interests.delete(interest);
        interest.subscription?.unsubscribe();
      },
    };
  }

  #listen(connection: NatsConnection, interest: Interest): Subscription {
    return connection.subscribe(interest.pattern, {
      ...(interest.queue === undefined ? {} : { queue: interest.queue }),
      callback: (error, message) => {
        if (error === null) interest.onMessage(message);
        else this.#note('subscription', error);
      },
    });
  }

  async #open(): Promise<void> {
    const { log, login } = this.#options;
    this.#retry = undefined;
    if (login?.() === 'over') return this.#openLater();
    let connection: NatsConnection;
    try {
      connection = await this.#connect();
    } catch (error) {
      this.#noteUnreachable(error);
      this.#noteRefusal(error);
      return this.#openLater();
    }
    if (this.#isClosed) return void connection.close().catch(() => undefined);
    this.#failures = 0;
    this.#trouble = undefined;
    for (const interest of this.#interests) {
      interest.subscription = this.#listen(connection, interest);
    }
    this.#use(connection);
    log.info('telemetry bus connected', { server: connection.getServer() });
    this.#tell(true);
  }

  async #connect(): Promise<NatsConnection> {
    const { name, login, inboxPrefix } = this.#options;
    const { servers, tls } = await routeAny(this.#options);
    const user = login?.();
    if (user === 'over') throw new MeshError('retryable', 'BUS_DISCONNECTED', 'the login is over');
    const connection = await connect({
      servers: [...servers],
      name,
      tls,
      ...(user === undefined ? {} : { authenticator: toAuthenticator(user) }),
      inboxPrefix,
      timeout: connectTimeoutMs,
      pingInterval: pingIntervalMs,
      maxPingOut: 2,
      reconnect: false,
      ignoreClusterUpdates: true,
    });
    if (user === undefined || connection.info?.auth_required === true) return connection;
    await connection.close();
    throw new MeshError(
      'retryable',
      'BUS_OPEN_TO_ALL',
      `NATS at ${connection.getServer()} lets anybody in, who could then report for any cluster: it has to be in operator mode`,
    );
  }

  #use(connection: NatsConnection): void {
    this.#connection = connection;
    void this.#watch(connection);
    void connection.closed().then((error) => this.#onLost(connection, error));
  }

  #onLogin(): void {
    if (this.#connection !== undefined) return void this.#renew();
    if (this.#retry === undefined) return; // an attempt is being made
    this.#retry.cancel();
    this.#failures = 0;
    this.#openLater();
  }

  /** Connects anew with what `login` and `tls` say now; on a failure the former goes on. */
  async #renew(): Promise<void> {
    const former = this.#connection;
    if (this.#isRenewing || former === undefined || this.#isClosed) return; // #open takes it
    this.#isRenewing = true;
    let next: NatsConnection | undefined;
    try {
      next = await this.#connect();
      const subscriptions = new Map<Interest, Subscription>();
      for (const interest of this.#interests) {
        subscriptions.set(interest, this.#listen(next, interest));
      }
      await this.#within(flushMs, next.flush());
      this.#held = [];
      await this.#within(flushMs, former.flush()).catch(() => undefined); // it was lost: go on
      this.#hand(former, next, subscriptions);
    } catch (error) {
      this.#onNotRenewed(next, error);
    } finally {
      this.#isRenewing = false;
      this.#letGo();
    }
  }

  #onNotRenewed(next: NatsConnection | undefined, error: unknown): void {
    const { clock, log } = this.#options;
    log.warn('telemetry bus login not renewed: the former connection goes on', {
      error: describeError(error),
    });
    void next?.close().catch(() => undefined); // never used
    this.#noteRefusal(error);
    if (!this.#isClosed) clock.after(renewRetryMs, () => void this.#renew());
  }

  /** From here on `next` is the connection, also when `former` was lost meanwhile. */
  #hand(
    former: NatsConnection,
    next: NatsConnection,
    subscriptions: ReadonlyMap<Interest, Subscription>,
  ): void {
    if (this.#isClosed) return void next.close().catch(() => undefined);
    const isBack = this.#connection === undefined;
    const isOther = this.#connection !== undefined && this.#connection !== former;
    if (isOther) return void next.close().catch(() => undefined); // lost, and found again
    this.#retry?.cancel();
    for (const [interest, subscription] of subscriptions) {
      if (!this.#interests.has(interest)) subscription.unsubscribe(); // cancelled meanwhile
    }
    for (const interest of this.#interests) {
      interest.subscription = subscriptions.get(interest) ?? this.#listen(next, interest);
    }
    this.#use(next);
    this.#letGo();
    this.#options.log.info('telemetry bus login renewed', { server: next.getServer() });
    if (isBack) this.#tell(true);
    // Answers that are being made still go out on the old one.
    void this.#within(drainMs, former.drain())
      .catch(() => undefined)
      .then(() => former.close())
      .catch(() => undefined); // it is over either way
  }

  #letGo(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const { subject, payload } of held) this.publish(subject, payload);
  }

  #within(ms: number, work: Promise<void>): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = this.#options.clock.after(ms, () => resolve());
      work.then(resolve, reject).finally(() => timer.cancel());
    });
  }

  #onLost(connection: NatsConnection, error: unknown): void {
    if (this.#connection !== connection) return;
    this.#connection = undefined;
    this.#options.log.warn('telemetry bus lost', {
      error: error === undefined ? 'closed' : describeError(error),
    });
    this.#noteRefusal(error);
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

  #noteUnreachable(error: unknown): void {
    const { urls, log } = this.#options;
    const trouble = describeError(error);
    if (trouble !== this.#trouble) log.warn('telemetry bus unreachable', { urls, error: trouble });
    this.#trouble = trouble;
  }

  #noteRefusal(error: unknown): void {
    if (error instanceof NatsError && isRefusal(error)) this.#options.onRefused?.();
  }

  #tell(isConnected: boolean): void {
    for (const listener of this.#listeners) listener(isConnected);
  }
}

/** Wrong, over, or revoked; the package has no code for the last. */
function isRefusal(error: NatsError): boolean {
  return error.isAuthError() || /authentication revoked/i.test(error.message);
}

function toCode(error: unknown): string {
  if (!(error instanceof NatsError)) return 'BUS_DISCONNECTED';
  if (error.code === ErrorCode.NoResponders) return 'BUS_NO_RESPONDER';
  return error.code === ErrorCode.Timeout ? 'BUS_TIMEOUT' : 'BUS_DISCONNECTED';
}
