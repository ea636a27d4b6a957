// One simulated process: it can be stopped and continued (as by SIGSTOP) and killed. What it has
// begun and not finished when it is killed never goes on: its timers do not fire, its awaits on
// the outside never settle. Everything that reaches it from outside passes through `run`.

import type { Clock } from '../../common/runtime/clock.ts';

export class SimProcess {
  readonly name: string;
  readonly clock: Clock;
  #isAlive = true;
  #isPaused = false;
  #backlog: (() => void)[] = [];
  readonly #world: Clock;

  /** `skewMs` sets its wall clock off the world's. */
  constructor(name: string, world: Clock, skewMs = 0) {
    this.name = name;
    this.#world = world;
    const after = (delayMs: number, act: () => void): { cancel(): void } => {
      let isCancelled = false;
      const timer = world.after(delayMs, () =>
        this.run(() => {
          if (!isCancelled) act();
        }),
      );
      return {
        cancel: () => {
          isCancelled = true;
          timer.cancel();
        },
      };
    };
    this.clock = {
      now: () => world.now() + skewMs,
      monotonicMs: () => world.monotonicMs(),
      after,
      soon: (act) => after(0, act),
    };
  }

  get isAlive(): boolean {
    return this.#isAlive;
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** Now, or when it is continued, or never. */
  run(act: () => void): void {
    if (!this.#isAlive) return;
    if (this.#isPaused) this.#backlog.push(act);
    else act();
  }

  /** The outside's promise as this process may see it. */
  guard<T>(promise: Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      promise.then(
        (value) => this.run(() => resolve(value)),
        (error: unknown) => this.run(() => reject(error as Error)),
      );
    });
  }

  pause(): void {
    this.#isPaused = true;
  }

  /** What came meanwhile is worked off in order, each in a turn of its own. */
  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    for (const act of this.#backlog.splice(0)) this.#world.soon(() => this.run(act));
  }

  kill(): void {
    this.#isAlive = false;
    this.#backlog = [];
  }
}
