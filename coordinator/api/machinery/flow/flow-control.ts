// How many requests are served at once, and whose: a bounded number of seats for reads and for
// writes, a bounded share of them for each user, and a short queue from which the user with the
// fewest seats is served first. What finds neither a seat nor a place in the queue gets 429.
//
//   F1. One user never holds more than its share, so that the others always find a seat.
//   F2. A freed seat goes to the user who holds the fewest; among equals, to who waits longest.
//   F3. Queues are bounded in length and in time; a client that left is not served (I11).
//
// Input: who asks, and for what. Output: a seat, a wait for one, or none. The numbers are those
// of kube-apiserver's --max-requests-inflight and --max-mutating-requests-inflight.

import type { Clock, Timer } from '../../../../common/runtime/clock.ts';
import type { Metrics } from '../../../../common/runtime/metrics.ts';

export interface FlowLimits {
  /** Requests that only read: GET, HEAD and the starts of watches. */
  readonly readsMax: number;
  readonly writesMax: number;
  /** Of each of the two, what one user may hold: more than 0, at most 1. */
  readonly userShare: number;
  /** Requests of one user that wait for a seat. */
  readonly userQueueMax: number;
  /** Requests of all users that wait. */
  readonly queueMax: number;
  /** The longest wait; then 429. */
  readonly queueMs: number;
}

export const defaultFlowLimits: FlowLimits = {
  readsMax: 400, // kube-apiserver's default
  writesMax: 200, // kube-apiserver's default
  userShare: 0.5, // two users at their share leave nobody without: F2 serves the third first
  userQueueMax: 50, // kube-apiserver's queueLengthLimit
  queueMax: 500,
  queueMs: 2_000, // a client that is told to come back in 1 s loses little; a full queue drains
};

export type FlowKind = 'readOnly' | 'mutating';

export interface FlowRequest {
  readonly kind: FlowKind;
  readonly user: string;
  /** Counted, and never refused: members of system:masters. */
  readonly isExempt: boolean;
}

export interface Seat {
  /** Gives the seat back; safe to call twice. */
  leave(): void;
}

export interface FlowControl {
  /**
   * A seat at once; or a promise of one, undefined when none came free in time or `gone` fired;
   * or undefined at once, when the queue is full.
   */
  enter(
    request: FlowRequest,
    gone: () => AbortSignal,
  ): Seat | Promise<Seat | undefined> | undefined;
}

interface Waiter {
  readonly admit: () => void;
}

interface UserSeats {
  held: number;
  readonly waiting: Waiter[];
}

export interface FlowPorts {
  readonly clock: Clock;
  readonly metrics: Metrics;
}

export function createFlowControl(limits: FlowLimits, ports: FlowPorts): FlowControl {
  const pools: Readonly<Record<FlowKind, Pool>> = {
    readOnly: new Pool('readOnly', limits.readsMax, limits, ports),
    mutating: new Pool('mutating', limits.writesMax, limits, ports),
  };
  return { enter: (request, gone) => pools[request.kind].enter(request, gone) };
}

class Pool {
  readonly #kind: FlowKind;
  readonly #seats: number;
  readonly #seatsPerUser: number;
  readonly #limits: FlowLimits;
  readonly #ports: FlowPorts;
  readonly #users = new Map<string, UserSeats>();
  readonly #withQueue = new Set<UserSeats>();
  #held = 0;
  #queued = 0;
  readonly #inUse: HighWater;
  readonly #inQueue: HighWater;

  constructor(kind: FlowKind, seats: number, limits: FlowLimits, ports: FlowPorts) {
    this.#kind = kind;
    this.#seats = seats;
    this.#seatsPerUser = Math.max(1, Math.ceil(seats * limits.userShare));
    this.#limits = limits;
    this.#ports = ports;
    const labels = { request_kind: kind };
    this.#inUse = new HighWater('apiserver_current_inflight_requests', labels, ports);
    this.#inQueue = new HighWater('apiserver_current_inqueue_requests', labels, ports);
  }

  enter(
    request: FlowRequest,
    gone: () => AbortSignal,
  ): Seat | Promise<Seat | undefined> | undefined {
    const user = this.#userOf(request.user);
    if (request.isExempt || this.#hasSeatFor(user)) return this.#seat(request.user, user);
    const { userQueueMax, queueMax } = this.#limits;
    if (user.waiting.length >= userQueueMax || this.#queued >= queueMax) {
      this.#refuse('queue-full');
      this.#forgetIdle(request.user, user);
      return undefined;
    }
    return this.#wait(request.user, user, gone());
  }

  #userOf(name: string): UserSeats {
    let user = this.#users.get(name);
    if (user === undefined) {
      user = { held: 0, waiting: [] };
      this.#users.set(name, user);
    }
    return user;
  }

  #hasSeatFor(user: UserSeats): boolean {
    return this.#held < this.#seats && user.held < this.#seatsPerUser; // F1
  }

  #seat(name: string, user: UserSeats): Seat {
    user.held += 1;
    this.#held += 1;
    this.#inUse.tell(this.#held);
    let isHeld = true;
    return {
      leave: () => {
        if (!isHeld) return;
        isHeld = false;
        user.held -= 1;
        this.#held -= 1;
        this.#inUse.tell(this.#held);
        if (this.#queued > 0) this.#admitNext();
        this.#forgetIdle(name, user);
      },
    };
  }

  #wait(name: string, user: UserSeats, gone: AbortSignal): Promise<Seat | undefined> {
    return new Promise((resolve) => {
      const settle = (seat: Seat | undefined): void => {
        timer.cancel();
        gone.removeEventListener('abort', onGone);
        this.#leaveQueue(user, waiter);
        this.#forgetIdle(name, user);
        resolve(seat);
      };
      const waiter: Waiter = { admit: () => settle(this.#seat(name, user)) };
      const onGone = (): void => settle(undefined);
      const timer = this.#ports.clock.after(this.#limits.queueMs, () => {
        this.#refuse('time-out');
        settle(undefined);
      });
      gone.addEventListener('abort', onGone, { once: true });
      user.waiting.push(waiter);
      this.#withQueue.add(user);
      this.#queued += 1;
      this.#inQueue.tell(this.#queued);
      if (gone.aborted) onGone();
    });
  }

  #leaveQueue(user: UserSeats, waiter: Waiter): void {
    const at = user.waiting.indexOf(waiter);
    if (at < 0) return;
    user.waiting.splice(at, 1);
    this.#queued -= 1;
    this.#inQueue.tell(this.#queued);
    this.#withQueue.delete(user);
    // At the end again: F2's "waits longest" is by turns between equals.
    if (user.waiting.length > 0) this.#withQueue.add(user);
  }

  /** Names of users are not bounded, so that who is idle costs nothing. */
  #forgetIdle(name: string, user: UserSeats): void {
    if (user.held === 0 && user.waiting.length === 0) this.#users.delete(name);
  }

  /** F2. */
  #admitNext(): void {
    let next: UserSeats | undefined;
    for (const user of this.#withQueue) {
      if (this.#hasSeatFor(user) && (next === undefined || user.held < next.held)) next = user;
    }
    next?.waiting[0]?.admit();
  }

  #refuse(reason: 'queue-full' | 'time-out'): void {
    this.#ports.metrics.count('mesh_api_rejected_requests_total', {
      request_kind: this.#kind,
      reason,
    });
  }
}

const highWaterMs = 1_000;

/** A gauge of the highest value in the last second, written once in it: as kube-apiserver does. */
class HighWater {
  readonly #name: string;
  readonly #labels: Readonly<Record<string, string>>;
  readonly #ports: FlowPorts;
  #value = 0;
  #highest = 0;
  #timer: Timer | undefined;

  constructor(name: string, labels: Readonly<Record<string, string>>, ports: FlowPorts) {
    this.#name = name;
    this.#labels = labels;
    this.#ports = ports;
    ports.metrics.gauge(name, 0, labels);
  }

  tell(value: number): void {
    this.#value = value;
    if (value > this.#highest) this.#highest = value;
    if (this.#timer === undefined) this.#schedule();
  }

  #schedule(): void {
    this.#timer = this.#ports.clock.after(highWaterMs, () => this.#write());
  }

  #write(): void {
    const peak = this.#highest;
    this.#ports.metrics.gauge(this.#name, peak, this.#labels);
    this.#highest = this.#value;
    this.#timer = undefined;
    // A peak that has passed is followed by the value of now; an idle server writes nothing.
    if (peak !== this.#value) this.#schedule();
  }
}
