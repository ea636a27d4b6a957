// Does the cluster's API server answer? Asked actively, since a half-open watch is silent: rarely
// while all is well - each question is a kilobyte, and many agents may share an API server - at once
// when something looks wrong or the server is about to be leant on, and every second until it
// answers again. Stale after three seconds without a good answer to such questions.

import type { Chance } from '../../common/runtime/chance.ts';
import type { Clock, Timer } from '../../common/runtime/clock.ts';
import type { KubeClient } from '../../common/runtime/kube-client.ts';
import type { Log } from '../../common/runtime/log.ts';

export interface ApiFreshness {
  /** The API server answered and was not found silent since. False before the first answer. */
  isFresh(): boolean;
  /** No good answer for three seconds in which it was asked, counted from the start too. */
  isStale(): boolean;
  /** Since the last good answer, or since the start. */
  ageMs(): number;
  /** `gitVersion` as last answered; empty before. */
  version(): string;
  /** Something looks wrong, or matters now: ask at once, unless an answer is a moment old. */
  look(): void;
  /** Called when isStale changes, and when the version does. */
  subscribe(listener: (isFresh: boolean) => void): () => void;
  stop(): void;
}

/** At rest. A silent death is noticed after this and five seconds more. */
export const restMsDefault = 20_000;
const againMs = 1_000;
const answerDeadlineMs = 2_000;
const staleAfterMs = 3_000;

export interface FreshnessPorts {
  readonly kube: Pick<KubeClient, 'version'>;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly log: Log;
}

export function createApiFreshness(ports: FreshnessPorts, restMs = restMsDefault): ApiFreshness {
  return new Freshness(ports, restMs);
}

class Freshness implements ApiFreshness {
  readonly #ports: FreshnessPorts;
  readonly #restMs: number;
  readonly #listeners = new Set<(isFresh: boolean) => void>();
  #lastGoodMs: number;
  /** When the first question without a good answer was asked. */
  #silentSinceMs: number | undefined;
  #askedMs = -Infinity;
  #isAsking = false;
  #version: string | undefined;
  #wasStale = false;
  #isStopped = false;
  #next: Timer | undefined;
  #staleAt: Timer | undefined;

  constructor(ports: FreshnessPorts, restMs: number) {
    this.#ports = ports;
    this.#restMs = restMs;
    this.#lastGoodMs = ports.clock.monotonicMs();
    this.#noteSilence(this.#lastGoodMs);
    // Spread, so that many agents of one API server do not ask together.
    this.#askIn(Math.round(ports.chance.fraction() * 200));
  }

  // Fields, because they are handed on by themselves.
  readonly isFresh = (): boolean => this.#version !== undefined && !this.isStale();
  readonly version = (): string => this.#version ?? '';
  readonly ageMs = (): number => this.#ports.clock.monotonicMs() - this.#lastGoodMs;

  readonly isStale = (): boolean => {
    const since = this.#silentSinceMs;
    return since !== undefined && this.#ports.clock.monotonicMs() - since > staleAfterMs;
  };

  readonly look = (): void => {
    if (this.#isStopped || this.#isAsking) return;
    const nowMs = this.#ports.clock.monotonicMs();
    this.#askIn(Math.max(0, this.#askedMs + againMs - nowMs));
  };

  readonly subscribe = (listener: (isFresh: boolean) => void): (() => void) => {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  };

  readonly stop = (): void => {
    this.#isStopped = true;
    this.#next?.cancel();
    this.#staleAt?.cancel();
  };

  #askIn(delayMs: number): void {
    this.#next?.cancel();
    this.#next = this.#ports.clock.after(delayMs, () => void this.#ask());
  }

  async #ask(): Promise<void> {
    const { clock, chance, kube } = this.#ports;
    this.#askedMs = clock.monotonicMs();
    this.#isAsking = true;
    const answer = await withDeadline(clock, kube.version());
    this.#isAsking = false;
    if (this.#isStopped) return;
    if (answer === undefined) {
      this.#noteSilence(this.#askedMs);
      this.#note();
      this.#askIn(againMs);
      return;
    }
    this.#noteGood(answer);
    this.#askIn(Math.round(this.#restMs * (0.9 + chance.fraction() / 5)));
  }

  #noteGood(answer: string): void {
    // It may have grown stale since the last look: who asked then waits to be told of the end.
    this.#note();
    this.#lastGoodMs = this.#ports.clock.monotonicMs();
    this.#silentSinceMs = undefined;
    this.#staleAt?.cancel();
    const isNews = this.#version !== answer;
    this.#version = answer;
    if (isNews && !this.#wasStale) this.#tell();
    this.#note();
  }

  #noteSilence(sinceMs: number): void {
    if (this.#silentSinceMs !== undefined) return;
    const { clock } = this.#ports;
    this.#silentSinceMs = sinceMs;
    const leftMs = sinceMs + staleAfterMs + 1 - clock.monotonicMs();
    this.#staleAt = clock.after(Math.max(0, leftMs), () => this.#note());
  }

  #note(): void {
    if (this.isStale() === this.#wasStale) return;
    this.#wasStale = this.isStale();
    const { log } = this.#ports;
    if (this.#wasStale) log.warn('API server does not answer', { ageMs: Math.round(this.ageMs()) });
    else log.info('API server answers again');
    this.#tell();
  }

  #tell(): void {
    for (const listener of this.#listeners) listener(!this.isStale());
  }
}

function withDeadline(clock: Clock, asked: Promise<string>): Promise<string | undefined> {
  return new Promise((resolve) => {
    const timer = clock.after(answerDeadlineMs, () => resolve(undefined));
    asked.then(
      (answer) => {
        timer.cancel();
        resolve(answer);
      },
      () => {
        timer.cancel();
        resolve(undefined); // why it failed does not matter: no good answer
      },
    );
  });
}
