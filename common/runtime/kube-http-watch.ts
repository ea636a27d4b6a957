// List, then watch, for ever. Decides what follows each end of a watch:
//   in good order      -> watch on from the last resourceVersion
//   410 Expired        -> list again, soon: who says so is there
//   a failure          -> wait with backoff, then watch on
//   silence            -> the connection may be half open: watch on over a new one
//   a revival (stir)   -> the server was away: watch on at once over a new connection
//
//   W1. A sink sees a list first, and a list after each gap.
//   W2. At most one connection per watch; attempts that bring nothing are spaced by backoff.

import type { JsonObject, KubeObject } from '../model/kube-object.ts';
import { MeshError } from '../pure/errors.ts';
import type { Chance } from './chance.ts';
import type { Clock, Timer } from './clock.ts';
import type { WatchSink } from './kube-client.ts';
import { toStatusError } from './kube-http-errors.ts';
import type { Exchange, KubeStream } from './kube-http-exchange.ts';

export interface KubeList {
  readonly objects: readonly KubeObject[];
  readonly resourceVersion: string;
}

export interface RunningWatch {
  cancel(): void;
  /** Drops the connection, or the wait for the next, and goes on from where it was. */
  stir(): void;
}

// kube-apiserver ends a watch by itself after 5 to 10 minutes; ours ends sooner, spread by chance.
const watchSecondsMin = 240;
const watchSecondsSpread = 60;
// Bookmarks come about once a minute: a longer silence is a connection that nobody holds.
const idleMs = 100_000;
const backoffMinMs = 250;
const backoffMaxMs = 15_000;
// A watch that lived this long did not fail at once: no backoff after it.
const steadyMs = 5_000;

type End =
  | { readonly kind: 'ended' | 'expired' | 'stirred' }
  | { readonly kind: 'failed'; readonly error: Error };

export function startWatch(options: {
  readonly exchange: Exchange;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly list: () => Promise<KubeList>;
  /** Path and query of the watch from one resourceVersion. */
  readonly toPath: (resourceVersion: string, timeoutSeconds: number) => string;
  readonly sink: WatchSink;
}): RunningWatch {
  const { clock, chance, sink } = options;
  let isCancelled = false;
  let interrupt: (() => void) | undefined;
  let resourceVersion: string | undefined;
  let failures = 0;
  let hasBrought = false;
  let wasExpired = false;

  const followOnce = async (): Promise<End> => {
    try {
      if (resourceVersion === undefined) {
        const listed = await options.list();
        if (isCancelled) return { kind: 'ended' };
        resourceVersion = listed.resourceVersion;
        sink.onList(listed.objects);
      }
      return await follow(resourceVersion);
    } catch (error) {
      return { kind: 'failed', error: error as Error }; // list throws MeshError
    }
  };

  const follow = (from: string): Promise<End> =>
    new Promise((resolve) => {
      const seconds = watchSecondsMin + Math.floor(chance.fraction() * watchSecondsSpread);
      let idle: Timer | undefined;
      const running: { stream?: KubeStream } = {}; // an exchange may end it before it is returned
      const end = (result: End): void => {
        idle?.cancel();
        running.stream?.cancel();
        interrupt = undefined;
        resolve(result);
      };
      const rearm = (): void => {
        idle?.cancel();
        idle = clock.after(idleMs, () => end({ kind: 'ended' }));
      };
      interrupt = () => end({ kind: 'stirred' });
      rearm();
      running.stream = options.exchange.stream(options.toPath(from, seconds), {
        onBytes: rearm,
        onLine: (line) => {
          const result = takeLine(line);
          if (result !== undefined) end(result);
        },
        onEnd: (error) =>
          end(
            error === undefined
              ? { kind: 'ended' }
              : error.code === 'KUBE_EXPIRED'
                ? { kind: 'expired' }
                : { kind: 'failed', error },
          ),
      });
    });

  const takeLine = (line: string): End | undefined => {
    if (isCancelled) return undefined;
    const event = parseEvent(line);
    if (event === undefined) return { kind: 'failed', error: toGarbage(line) };
    if (event.type === 'ERROR') {
      const error = toStatusError('WATCH', 500, JSON.stringify(event.object));
      return error.code === 'KUBE_EXPIRED' ? { kind: 'expired' } : { kind: 'failed', error };
    }
    hasBrought = true;
    resourceVersion = event.object.metadata.resourceVersion ?? resourceVersion;
    if (event.type !== 'BOOKMARK') sink.onEvent(event.type, event.object);
    return undefined;
  };

  const pause = (delayMs: number): Promise<void> =>
    new Promise((resolve) => {
      const wake = (): void => {
        timer.cancel();
        interrupt = undefined;
        resolve();
      };
      const timer = clock.after(delayMs, wake);
      interrupt = wake;
    });

  const run = async (): Promise<void> => {
    for (;;) {
      const startedMs = clock.monotonicMs();
      hasBrought = false;
      const end = await followOnce();
      if (isCancelled) return;
      if (end.kind === 'failed') sink.onError(end.error);
      if (end.kind === 'expired') resourceVersion = undefined;
      const wasSteady = end.kind !== 'failed' && clock.monotonicMs() - startedMs >= steadyMs;
      if (end.kind === 'stirred' || wasSteady) {
        [failures, wasExpired] = [0, false];
        continue;
      }
      const isNewlyExpired = end.kind === 'expired' && !wasExpired;
      wasExpired = end.kind === 'expired';
      failures = hasBrought || isNewlyExpired ? 1 : failures + 1; // W2
      const ceiling = Math.min(backoffMaxMs, backoffMinMs * 2 ** Math.min(failures - 1, 10));
      await pause(Math.round(ceiling * (0.5 + chance.fraction() / 2)));
    }
  };
  void run();

  return {
    cancel: () => {
      isCancelled = true;
      interrupt?.();
    },
    stir: () => interrupt?.(),
  };
}

type WatchEvent =
  | { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK'; readonly object: KubeObject }
  | { readonly type: 'ERROR'; readonly object: JsonObject };

function parseEvent(line: string): WatchEvent | undefined {
  try {
    const event = JSON.parse(line) as Partial<WatchEvent> | null; // checked below
    if (event?.type === 'ERROR') return event as WatchEvent;
    const isObject = typeof (event?.object as KubeObject | undefined)?.metadata === 'object';
    const isKnown = ['ADDED', 'MODIFIED', 'DELETED', 'BOOKMARK'].includes(event?.type ?? '');
    return isObject && isKnown ? (event as WatchEvent) : undefined;
  } catch {
    return undefined;
  }
}

function toGarbage(line: string): MeshError {
  return new MeshError(
    'retryable',
    'KUBE_SERVER_ERROR',
    `WATCH: not a watch event: ${line.slice(0, 60)}`,
  );
}
