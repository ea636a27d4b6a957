// Does the cluster's API server answer? Asked actively every second, since a half-open watch is
// silent. Stale after three seconds without a good answer; unknown until the first.

import type { Chance } from '../../common/runtime/chance.ts';
import type { Clock, Timer } from '../../common/runtime/clock.ts';
import type { KubeClient } from '../../common/runtime/kube-client.ts';
import type { Log } from '../../common/runtime/log.ts';

export interface ApiFreshness {
  /** A good answer came within the last three seconds. False before the first. */
  isFresh(): boolean;
  /** No good answer for three seconds, counted from the start too. */
  isStale(): boolean;
  /** Since the last good answer, or since the start. */
  ageMs(): number;
  /** `gitVersion` as last answered; empty before. */
  version(): string;
  /** Called when isStale changes, and when the version does. */
  subscribe(listener: (isFresh: boolean) => void): () => void;
  stop(): void;
}

const checkEveryMs = 1_000;
const answerDeadlineMs = 2_000;
const staleAfterMs = 3_000;

export function createApiFreshness(ports: {
  readonly kube: KubeClient;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly log: Log;
}): ApiFreshness {
  const { kube, clock, log } = ports;
  const listeners = new Set<(isFresh: boolean) => void>();
  let lastGoodMs = clock.monotonicMs();
  let version: string | undefined;
  let wasStale = false;
  let isStopped = false;
  let timer: Timer | undefined;

  const ageMs = (): number => clock.monotonicMs() - lastGoodMs;
  const isStale = (): boolean => ageMs() > staleAfterMs;

  const note = (): void => {
    if (isStale() === wasStale) return;
    wasStale = isStale();
    if (wasStale) log.warn('API server does not answer', { ageMs: Math.round(ageMs()) });
    else log.info('API server answers again');
    for (const listener of listeners) listener(!wasStale);
  };

  const check = async (): Promise<void> => {
    const answer = await withDeadline(clock, kube.version());
    if (isStopped) return;
    if (answer !== undefined) {
      // It may have grown stale since the last look: who asked then waits to be told of the end.
      note();
      lastGoodMs = clock.monotonicMs();
      const isNews = version !== answer;
      version = answer;
      if (isNews && !wasStale) for (const listener of listeners) listener(true);
    }
    note();
    timer = clock.after(checkEveryMs, () => void check());
  };
  // Spread over the second, so that many agents of one API server do not ask together.
  timer = clock.after(Math.round(ports.chance.fraction() * 200), () => void check());

  return {
    isFresh: () => version !== undefined && !isStale(),
    isStale,
    ageMs,
    version: () => version ?? '',
    subscribe: (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    stop: () => {
      isStopped = true;
      timer?.cancel();
    },
  };
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
