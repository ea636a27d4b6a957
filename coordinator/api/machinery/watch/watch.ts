// One watch: from a revision, or from the present state, to the end of the client's patience.
//
//   I1. Each change after the start is sent once, in order: the subscription and the initial state
//       are taken in one turn, and everything passes through one queue.
//   W1. A watcher that reads too slowly is cut off at a bound in bytes; nothing is dropped in
//       between, so it resumes from the last revision that it saw. Others are not delayed.
//   W2. A bookmark names a revision only after every event up to it has been queued.

import type { Clock, Timer } from '../../../../common/runtime/clock.ts';
import type { Log } from '../../../../common/runtime/log.ts';
import { describeError } from '../../../../common/runtime/log.ts';
import type { Metrics } from '../../../../common/runtime/metrics.ts';
import type { Revision } from '../../../../common/model/ids.ts';
import type { KubeObject } from '../../../../common/model/kube-object.ts';
import type { ObjectView, StoredObject, ViewEvent, WatchHandle } from '../../../desired/store.ts';
import type { BodySink } from '../api.ts';
import type { FrameEncoder } from './watch-frames.ts';
import { errorFrame } from './watch-frames.ts';
import { expired } from '../answer/status-error.ts';

export interface WatchPlan {
  readonly view: ObjectView;
  readonly prefix: string;
  /** Changes after this revision; undefined starts with the present state as ADDED events. */
  readonly from: Revision | undefined;
  readonly matches: (object: KubeObject) => boolean;
  readonly encoder: FrameEncoder;
  readonly allowBookmarks: boolean;
  /** Marks the end of the initial state with an annotated bookmark. */
  readonly marksInitialEnd: boolean;
  readonly timeoutMs: number;
}

export interface WatchPorts {
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly signal: AbortSignal;
}

// The transport may hold this much before the watch waits for it.
const highWaterBytes = 1 << 18;
// Events waiting behind a full transport: a client this far behind re-lists faster than it reads.
export const watchQueueBytesMax = 4 << 20;
const bookmarkMs = 60_000;
// A long initial state is encoded in slices, so that no turn takes longer than 10 ms (I11).
const framesPerTurn = 500;

/** Ends the watch after what is queued; safe to call twice. */
export type EndWatch = () => void;

/** Starts a watch; it stands in `running` until it has ended. */
export function startWatch(
  plan: WatchPlan,
  ports: WatchPorts,
  sink: BodySink,
  running: Set<EndWatch>,
): void {
  const tell = (): void => ports.metrics.gauge('mesh_api_watches', running.size);
  const watch = new Watch(plan, ports, sink, () => {
    running.delete(end);
    tell();
  });
  const end: EndWatch = () => watch.finish();
  running.add(end);
  tell();
  watch.start();
}

/** A projection's revisions are each replica's own: a later epoch is nothing to wait for. */
function isOfLaterEpoch(from: Revision, newest: Revision): boolean {
  return Math.floor(from / 2 ** 40) > Math.floor(newest / 2 ** 40);
}

class Watch {
  readonly #plan: WatchPlan;
  readonly #ports: WatchPorts;
  readonly #sink: BodySink;
  readonly #timers: Timer[] = [];
  #initial: Iterator<StoredObject> | undefined;
  #queue: Uint8Array[] = [];
  #queuedBytes = 0;
  #handle: WatchHandle | undefined;
  #isPumping = false;
  #isFinishing = false;
  #isEnded = false;

  readonly #onEnd: () => void;

  constructor(plan: WatchPlan, ports: WatchPorts, sink: BodySink, onEnd: () => void) {
    this.#onEnd = onEnd;
    this.#plan = plan;
    this.#ports = ports;
    this.#sink = sink;
  }

  start(): void {
    const plan = this.#plan;
    const ports = this.#ports;
    if (ports.signal.aborted) return this.#end();
    ports.signal.addEventListener('abort', this.#end, { once: true });
    this.#timers.push(ports.clock.after(plan.timeoutMs, () => this.finish()));
    const newest = plan.view.revision();
    const from = plan.from ?? newest;
    if (plan.from === undefined) {
      const present = [...plan.view.list(plan.prefix)].filter(({ object }) => plan.matches(object));
      this.#initial = present.values();
      if (plan.marksInitialEnd) this.#push(plan.encoder.bookmark(String(from), true));
    }
    // A start in the future is legal: it waits, and onEvents skips what lies before it.
    const start = from < newest ? from : newest;
    const handle = plan.view.watch(plan.prefix, start, (events) => this.#onEvents(events, from));
    if (handle !== 'expired') this.#handle = handle;
    if (handle === 'expired' || isOfLaterEpoch(from, newest)) return this.#expire(from);
    if (this.#isEnded) return handle.cancel(); // the backlog alone was over the bound
    if (plan.allowBookmarks) this.#scheduleBookmark();
    this.#pump();
  }

  /** Sends what is queued, then ends the stream cleanly. */
  finish(): void {
    if (this.#isFinishing || this.#isEnded) return;
    if (this.#plan.allowBookmarks && this.#handle !== undefined) this.#bookmark();
    this.#isFinishing = true;
    this.#handle?.cancel();
    this.#pump();
  }

  #onEvents(events: readonly ViewEvent[], from: Revision): void {
    if (this.#isEnded || this.#isFinishing) return;
    try {
      for (const event of events) {
        if (event.current.revision <= from) continue;
        const frame = this.#plan.encoder.event(event);
        if (frame !== undefined) this.#push(frame);
      }
    } catch (error) {
      // One kind's printer at fault must not stop the log for everybody else.
      this.#ports.log.error('watch event cannot be encoded', { error: describeError(error) });
      return this.#end();
    }
    if (this.#queuedBytes > watchQueueBytesMax) return this.#cutOff();
    if (this.#handle !== undefined) this.#pump();
  }

  #push(frame: Uint8Array): void {
    this.#queue.push(frame);
    this.#queuedBytes += frame.length;
  }

  #expire(from: Revision): void {
    this.#handle?.cancel();
    const oldest = this.#plan.view.oldestRevision();
    this.#push(errorFrame(expired(`too old resource version: ${from} (${oldest})`)));
    this.#isFinishing = true;
    this.#pump();
  }

  /** W1. */
  #cutOff(): void {
    this.#ports.metrics.count('mesh_api_watches_cut_off_total');
    this.#ports.log.info('slow watch cut off', {
      prefix: this.#plan.prefix,
      queuedBytes: this.#queuedBytes,
    });
    this.#end();
  }

  #scheduleBookmark(): void {
    const timer = this.#ports.clock.after(bookmarkMs, () => {
      if (this.#isEnded || this.#isFinishing) return;
      this.#timers.splice(this.#timers.indexOf(timer), 1);
      if (this.#initial === undefined) this.#bookmark();
      this.#scheduleBookmark();
      this.#pump();
    });
    this.#timers.push(timer);
  }

  /** W2: events are queued synchronously, so the view's revision is covered by the queue. */
  #bookmark(): void {
    this.#push(this.#plan.encoder.bookmark(String(this.#plan.view.revision()), false));
  }

  #pump(): void {
    if (this.#isPumping || this.#isEnded) return;
    this.#isPumping = true;
    void this.#drain()
      .catch((error: unknown) => {
        this.#ports.log.error('watch failed', { error: describeError(error) });
        this.#end();
      })
      .finally(() => {
        this.#isPumping = false;
        // What was asked for between the last look and this turn.
        if (this.#queue.length > 0 || this.#isFinishing) this.#pump();
      });
  }

  async #drain(): Promise<void> {
    let sinceTurn = 0;
    while (!this.#isEnded) {
      if (this.#sink.bufferedBytes() >= highWaterBytes) {
        await this.#sink.drained();
        continue;
      }
      const frame = this.#nextFrame();
      if (frame === undefined) break;
      this.#sink.write(frame);
      sinceTurn += 1;
      if (sinceTurn % framesPerTurn === 0) {
        await new Promise<void>((resolve) => this.#ports.clock.soon(resolve));
      }
    }
    if (this.#isFinishing) this.#end();
  }

  #nextFrame(): Uint8Array | undefined {
    const next = this.#initial?.next();
    if (next !== undefined && next.done !== true) return this.#plan.encoder.initial(next.value);
    this.#initial = undefined;
    const frame = this.#queue.shift();
    if (frame !== undefined) this.#queuedBytes -= frame.length;
    return frame;
  }

  readonly #end = (): void => {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#handle?.cancel();
    this.#initial = undefined;
    this.#queue = [];
    for (const timer of this.#timers.splice(0)) timer.cancel();
    this.#ports.signal.removeEventListener('abort', this.#end);
    this.#sink.end();
    this.#onEnd();
  };
}
