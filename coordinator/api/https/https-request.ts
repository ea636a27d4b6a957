// One request from its headers to the end of its answer: who asks, a seat in flow control, the
// body, the API, the answer, and what becomes of each when time is up or the client leaves.
//
//   R1. A seat is held until the work is done AND the exchange is over: a client that resets its
//       streams (RFC 9113 10.5) or reads slowly makes room for nobody.
//   R2. Nobody waits longer than the deadline: not for a body, not for an answer, not for a
//       client that does not take it, be it a refusal. Watches have a limit of their own: what
//       is a watch is what the API answers as one, whatever the request line looks like.
//   R3. A refused body is not read; nor is a stranger's, who may not do what he asks.
//   R4. What only waits to be taken (probes, refusals) keeps nobody out.
//   R5. Watches that end together, as those of a client that dies, are ended over many turns of
//       the event loop (I11). Those of one connection are counted out at once.

import { isIssuedBy, splitPem } from '../../../common/runtime/certificates.ts';
import type { Carrier } from './door-messages.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import { describeError, type Log } from '../../../common/runtime/log.ts';
import { openList, openWatch, sendAndRefuseBody, sendWhole } from './https-answer.ts';
import { toClientCertificate, type ClientCertificate } from './https-certificate.ts';
import { createTurns } from '../../../common/runtime/turn-pace.ts';
import { emptyBody, Presence, readBody, type Exchange } from './https-exchange.ts';
import type { Authenticate, Credentials } from '../machinery/access/authenticate.ts';
import {
  type ApiError,
  badRequest,
  timeout,
  tooLarge,
  tooManyRequests,
  unauthorized,
} from '../machinery/answer/status-error.ts';
import type { Api, ApiRequest, ApiResponse } from '../machinery/api.ts';
import type { UserInfo } from '../machinery/kind.ts';
import type { FlowControl, Seat } from '../machinery/flow/flow-control.ts';
import { isExemptUser, isProbe, toDeadlineMs, toFlowKind } from '../machinery/flow/flow-request.ts';

export interface RequestLimits {
  readonly bodyBytesMax: number;
  /** Requests read or answered at once, watches not counted; more get 429, whoever asks. */
  readonly requestsMax: number;
  /** Whole request but a watch: reading it, and answering it. */
  readonly requestMs: number;
}

export interface RequestOptions {
  readonly api: Api;
  readonly authenticate: Authenticate;
  readonly flow: FlowControl;
  readonly limits: RequestLimits;
  readonly clock: Clock;
  readonly log: Log;
  /** Calls it in a turn that has time for what is over. */
  readonly soon: (act: () => void) => void;
}

/** Of a request that was let in. */
interface Head {
  readonly user: UserInfo | undefined;
  readonly presence: Presence;
  readonly deadlineMs: number;
}

interface Deadline {
  readonly isOver: boolean;
  cancel(): void;
}

/** `trust`: how often the issuers had been told when it was verified. */
type KnownCertificate = ClientCertificate & { readonly trust: number };

// A refusal is some hundred bytes: whoever does not take them within this will not.
const refusalMs = 10_000;
const lateText = 'request did not complete within the allotted timeout'; // kube-apiserver's

export interface Open {
  readonly requests: number;
  readonly watches: number;
}

export class RequestServer {
  readonly #options: RequestOptions;
  readonly #certificates = new WeakMap<Carrier, KnownCertificate>();
  #clientCaPem = '';
  #trust = 0;
  readonly #watches = new Set<Presence>();
  readonly #ownTurn: () => Promise<void>;
  /** Let in and not over, watches not counted: what requestsMax is about (R4). */
  #admitted = 0;
  #requests = 0;
  #isClosing = false;
  #onIdle: (() => void) | undefined;

  constructor(options: RequestOptions) {
    this.#options = options;
    this.#ownTurn = createTurns(options.clock);
  }

  /** Requests and watches that are not over. */
  open(): Open {
    return { requests: this.#requests, watches: this.#watches.size };
  }

  /**
   * Whose certificates count from now on, also on connections that stand. Where one counts no more,
   * watches end: their clients come back, those who may.
   */
  trust(clientCaPem: string): void {
    const isLess = splitPem(this.#clientCaPem).some((pem) => !clientCaPem.includes(pem.trim()));
    this.#clientCaPem = clientCaPem;
    this.#trust += 1;
    if (isLess) for (const watch of this.#watches) this.#endSoon(watch);
  }

  /** R5. */
  #endSoon(watch: Presence): void {
    this.#options.soon(() => watch.end());
  }

  serve(exchange: Exchange): void {
    const presence = new Presence();
    this.#requests += 1;
    exchange.answer.once('close', () => {
      this.#leaveAdmitted(presence);
      if (this.#watches.delete(presence)) this.#endSoon(presence);
      else {
        this.#requests -= 1;
        presence.end();
      }
      if (this.#requests === 0 && this.#watches.size === 0) this.#onIdle?.();
    });
    this.#take(exchange, presence).catch((error: unknown) => {
      this.#options.log.error('API answer failed', { error: describeError(error) });
      exchange.abandon();
    });
  }

  /** Ends watches cleanly; resolves when everything is answered, or after `graceMs`. */
  async close(graceMs: number): Promise<void> {
    this.#isClosing = true;
    for (const watch of this.#watches) watch.end();
    if (this.#requests === 0 && this.#watches.size === 0) return;
    await new Promise<void>((resolve) => {
      const timer = this.#options.clock.after(graceMs, () => resolve());
      this.#onIdle = () => {
        timer.cancel();
        resolve();
      };
    });
  }

  async #take(exchange: Exchange, presence: Presence): Promise<void> {
    const { limits, authenticate } = this.#options;
    const deadlineMs = toDeadlineMs(exchange, limits.requestMs);
    if (typeof deadlineMs === 'string') return this.#refuse(exchange, badRequest(deadlineMs));
    const asked = authenticate({
      certificate: this.#certificateOf(exchange),
      authorization: exchange.headers['authorization'],
    });
    const user = asked instanceof Promise ? await asked : asked;
    if (user === 'invalid') return this.#refuse(exchange, unauthorized());
    const head = { user, presence, deadlineMs };
    // A probe has no body: one that has is held back as any other.
    const isFree = isProbe(exchange) && exchange.body === undefined;
    if (isFree) return this.#work(exchange, head, undefined);
    if (presence.isOver) return undefined;
    if (this.#admitted >= limits.requestsMax) return this.#refuse(exchange, tooManyRequests());
    this.#admit(presence);
    const entered = this.#options.flow.enter(
      {
        kind: toFlowKind(exchange),
        user: user?.name ?? '',
        isExempt: isExemptUser(user),
      },
      () => presence.signal(),
    );
    const seat = entered instanceof Promise ? await entered : entered;
    if (seat === undefined) {
      this.#leaveAdmitted(presence);
      return this.#refuse(exchange, tooManyRequests());
    }
    return this.#work(exchange, head, seat);
  }

  // A number and a flag, no set: the tables that a set outgrows keep every request that was in them
  // until the next full collection, once V8 has taken the set for old.
  #admit(presence: Presence): void {
    presence.isAdmitted = true;
    this.#admitted += 1;
  }

  #leaveAdmitted(presence: Presence): void {
    if (presence.isAdmitted) this.#admitted -= 1;
    presence.isAdmitted = false;
  }

  async #work(exchange: Exchange, head: Head, seat: Seat | undefined): Promise<void> {
    const { presence } = head;
    const deadline = this.#startDeadline(exchange, head.deadlineMs);
    let [isWorking, isWatching] = [true, false];
    const leave = (): void => {
      if (!isWorking && (isWatching || presence.isOver)) seat?.leave(); // R1
    };
    presence.onEnd = () => {
      deadline.cancel();
      leave();
    };
    try {
      const response = await this.#respond(exchange, head);
      if (response === undefined || presence.isOver || deadline.isOver) return;
      isWatching = isWatch(response);
      if (isWatching) deadline.cancel();
      await this.#send(exchange, response, presence);
    } finally {
      isWorking = false;
      leave();
    }
  }

  /** Undefined when the client went away before it had asked. */
  async #respond(exchange: Exchange, head: Head): Promise<ApiResponse | undefined> {
    const { api, limits } = this.#options;
    const { user, presence } = head;
    const isStranger = user === undefined && exchange.body !== undefined;
    const isUnread = isStranger && !api.admits(exchange, user); // R3
    const read = isUnread ? emptyBody : readBody(exchange, limits.bodyBytesMax, this.#ownTurn);
    const body = read instanceof Promise ? await read : read;
    if (body === 'large') return api.refuse(exchange, tooLarge(limits.bodyBytesMax));
    if (body === 'gone') return undefined;
    return api.handle(new ExchangeRequest(exchange, { body, user, presence }));
  }

  /** R2: 504 when no answer has begun; else the exchange is broken off. */
  #startDeadline(exchange: Exchange, deadlineMs: number): Deadline {
    const deadline = { isOver: false, cancel: () => timer.cancel() };
    const timer = this.#options.clock.after(deadlineMs, () => {
      deadline.isOver = true;
      if (exchange.isAnswered()) return exchange.abandon();
      this.#refuse(exchange, timeout(lateText)).catch(() => exchange.abandon());
    });
    return deadline;
  }

  #refuse(exchange: Exchange, error: ApiError): Promise<void> {
    const { clock, limits } = this.#options;
    const timer = clock.after(Math.min(refusalMs, limits.requestMs), () => exchange.abandon());
    exchange.answer.once('close', () => timer.cancel());
    return this.#send(exchange, this.#options.api.refuse(exchange, error), undefined);
  }

  async #send(
    exchange: Exchange,
    response: ApiResponse,
    presence: Presence | undefined,
  ): Promise<void> {
    const { body } = response;
    if (body instanceof Uint8Array) {
      const isRead = exchange.body === undefined || exchange.body.readableEnded;
      const whole = { ...response, body };
      if (isRead) return sendWhole(exchange, whole);
      return sendAndRefuseBody(exchange, whole, this.#options.clock); // R3
    }
    if (body.isList === true) return body.start(openList(exchange, response));
    if (presence !== undefined) {
      this.#watches.add(presence);
      this.#leaveAdmitted(presence);
      this.#requests -= 1;
    }
    body.start(openWatch(exchange, response));
    if (this.#isClosing) presence?.end();
  }

  /** Read once per connection, and verified again when the CAs are others; good until its end. */
  #certificateOf({ carrier }: Exchange): Credentials['certificate'] {
    const nowMs = this.#options.clock.now();
    let known = this.#certificates.get(carrier);
    if (known?.trust !== this.#trust) {
      const { trust, ...read } = known ?? {
        ...toClientCertificate(carrier.peer),
        trust: carrier.trust,
      };
      const caPem = this.#clientCaPem;
      const der = trust === this.#trust ? undefined : read.raw;
      const isGood = der === undefined || isIssuedBy({ der, caPem, nowMs });
      const subject = isGood ? read.subject : 'invalid';
      known = { ...read, subject, trust: this.#trust };
      this.#certificates.set(carrier, known);
    }
    return nowMs < known.notAfterMs ? known.subject : 'invalid';
  }
}

// A class for its getters: an object literal that has some gets a hidden class of its own, in V8's old
// space, which kept the whole request until the next full collection.
class ExchangeRequest implements ApiRequest {
  readonly method: string;
  readonly target: string;
  readonly headers: Exchange['headers'];
  readonly rawHeaders: readonly string[] | undefined;
  readonly body: Uint8Array;
  readonly user: UserInfo | undefined;
  readonly #exchange: Exchange;
  readonly #presence: Presence;

  constructor(
    exchange: Exchange,
    read: Pick<Head, 'user' | 'presence'> & { readonly body: Uint8Array },
  ) {
    this.method = exchange.method;
    this.target = exchange.target;
    this.headers = exchange.headers;
    this.rawHeaders = exchange.rawHeaders;
    this.body = read.body;
    this.user = read.user;
    this.#exchange = exchange;
    this.#presence = read.presence;
  }

  get remoteAddress(): string | undefined {
    return this.#exchange.carrier.remoteAddress;
  }

  get signal(): AbortSignal {
    return this.#presence.signal();
  }
}

function isWatch({ body }: ApiResponse): boolean {
  return !(body instanceof Uint8Array) && body.isList !== true;
}
