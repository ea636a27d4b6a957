// Services whose names wait to be written in one zone. What withdraws something goes before what
// adds, and that before what cleans up; within a class, who waits longest.
//
//   Q1. Work is proportional to what is taken, never to what waits.
//   Q2. Clean-up that has waited for long enough goes with the additions: it is never starved.

import type { ServiceKey } from '../../../common/model/ids.ts';
import type { Priority } from './plan-group.ts';

const cleanUpWaitMaxMs = 60_000;

interface Waiting {
  readonly priority: Priority;
  readonly sinceMs: number;
}

export class ApplyQueue {
  readonly #waiting = new Map<ServiceKey, Waiting>();
  readonly #classes: readonly Map<ServiceKey, number>[] = [new Map(), new Map(), new Map()];

  get size(): number {
    return this.#waiting.size;
  }

  holds(key: ServiceKey): boolean {
    return this.#waiting.has(key);
  }

  /** Something of this class. */
  has(priority: Priority): boolean {
    return (this.#classes[priority]?.size ?? 0) > 0;
  }

  /** Keeps its place, if it waits in this class already. */
  put(key: ServiceKey, priority: Priority, nowMs: number): void {
    const known = this.#waiting.get(key);
    if (known?.priority === priority) return;
    if (known !== undefined) this.#classes[known.priority]?.delete(key);
    const sinceMs = known?.sinceMs ?? nowMs;
    this.#waiting.set(key, { priority, sinceMs });
    this.#classes[priority]?.set(key, sinceMs);
  }

  remove(key: ServiceKey): void {
    const known = this.#waiting.get(key);
    if (known === undefined) return;
    this.#waiting.delete(key);
    this.#classes[known.priority]?.delete(key);
  }

  /** When the first of the most urgent class that waits came; undefined when nothing waits. */
  firstMs(): number | undefined {
    for (const keys of this.#classes) {
      for (const sinceMs of keys.values()) return sinceMs;
    }
    return undefined;
  }

  /** In the order in which they shall go. Withdrawals go alone: what adds may hold them up. */
  *next(nowMs: number): Generator<ServiceKey> {
    const [withdrawals, additions, cleanUps] = this.#classes;
    if (withdrawals !== undefined && withdrawals.size > 0) {
      yield* withdrawals.keys();
      return;
    }
    const late: ServiceKey[] = [];
    for (const [key, sinceMs] of cleanUps ?? []) {
      if (nowMs - sinceMs < cleanUpWaitMaxMs) break;
      late.push(key);
      if (late.length >= lateAtOnceMax) break;
    }
    yield* late;
    yield* additions?.keys() ?? [];
    const isLate = new Set(late);
    for (const key of cleanUps?.keys() ?? []) if (!isLate.has(key)) yield key;
  }

  clear(): void {
    this.#waiting.clear();
    for (const keys of this.#classes) keys.clear();
  }
}

// A part of one request: additions go on beside them.
const lateAtOnceMax = 50;
