// One watch: from a revision, or from the present state, to the end of the client's patience.
//
//   I1. Each change after the start is sent once, in order: the initial state and the place in the
//       hub are taken in one turn, and what follows is told by the hub.
//   W1. A watcher that reads too slowly is cut off (watch-hub.ts); until then nothing is kept for
//       it but its place, and what the transport holds.
//   W2. A bookmark names a revision only after every event up to it has been sent.
//
// Next file to read: watch-hub.ts.

import { writeParts } from '../answer/write-parts.ts';
import type { Clock, Timer } from '../../../../common/runtime/clock.ts';
import type { Log } from '../../../../common/runtime/log.ts';
import { describeError } from '../../../../common/runtime/log.ts';
import type { Metrics } from '../../../../common/runtime/metrics.ts';
import type { Revision } from '../../../../common/model/ids.ts';
import type { ObjectView, StoredObject, ViewEvent } from '../../../desired/store.ts';
import type { BodySink } from '../api.ts';
import { expired, type ApiError } from '../answer/status-error.ts';
import { Snapshot } from '../verbs/snapshot.ts';
import { errorFrame, type FrameEncoder, type Matches } from './watch-frames.ts';
import type { HubMember, WatchHub } from './watch-hub.ts';
import type { BookmarkWheel, Turn, Turns } from './watch-turns.ts';

export interface WatchPlan {
  readonly view: ObjectView;
  readonly hub: WatchHub;
  readonly prefix: string;
  /**
   * Changes after this revision; 'present' begins with the present state as ADDED events, an
   * error is told as the one event there is.
   */
  readonly from: Revision | 'present' | ApiError;
  readonly matches: Matches;
  readonly encoder: FrameEncoder;
  readonly allowBookmarks: boolean;
  readonly timeoutMs: number;
}

export interface WatchPorts {
  readonly clock: Clock;
  readonly turns: Turns;
  readonly wheel: BookmarkWheel;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly signal: AbortSignal;
  readonly onEnd: () => void;
}

// The transport may hold this much before the watch waits for it.
const highWaterBytes = 1 << 16;
// What one turn sends, and how many objects it looks at; both take about a millisecond (I11).
const chunkBytesMax = 1 << 16;
const looksPerTurn = 100;

/** A projection's revisions are each replica's own: a later epoch is nothing to wait for. */
function isOfLaterEpoch(from: Revision, newest: Revision): boolean {
  return Math.floor(from / 2 ** 40) > Math.floor(newest / 2 ** 40);
}

export class Watch implements HubMember, Turn {
  readonly prefix: string;
  position: number | undefined;
  readonly #plan: WatchPlan;
  readonly #ports: WatchPorts;
  readonly #sink: BodySink;
  /** The present state at the start, as far as it is not sent yet. */
  #initial: Initial | undefined;
  /** What changed between the revision asked for and the start. */
  #backlog: Iterator<ViewEvent> | undefined;
  /** A start in the future: what lies before is not told. */
  #after = 0;
  #timeout: Timer | undefined;
  #leaveWheel: (() => void) | undefined;
  #wantsBookmark = false;
  #isBlocked = false;
  #isFinishing = false;
  #isEnded = false;

  constructor(plan: WatchPlan, ports: WatchPorts, sink: BodySink) {
    this.prefix = plan.prefix;
    this.#plan = plan;
    this.#ports = ports;
    this.#sink = sink;
  }

  start(): void {
    const { plan, ports } = { plan: this.#plan, ports: this.#ports };
    if (ports.signal.aborted) return this.#end();
    ports.signal.addEventListener('abort', this.#end, { once: true });
    const refusal = this.#begin(plan.from);
    if (refusal !== undefined) {
      this.#sink.write(errorFrame(refusal));
      return this.#end();
    }
    plan.hub.join(this);
    this.#timeout = ports.clock.after(plan.timeoutMs, () => this.finish());
    if (plan.allowBookmarks) this.#leaveWheel = ports.wheel.add(this);
    this.wake();
  }

  /** I1: synchronous up to and with hub.join(). */
  #begin(from: WatchPlan['from']): ApiError | undefined {
    const { view, prefix, allowBookmarks } = this.#plan;
    if (typeof from === 'object') return from;
    const newest = view.revision();
    if (from === 'present') {
      const snapshot = Snapshot.open(view, prefix, newest);
      if (snapshot === 'expired') return this.#expired(newest);
      this.#initial = { snapshot, slice: [], at: 0, after: '', endsWithBookmark: allowBookmarks };
      return undefined;
    }
    if (isOfLaterEpoch(from, newest)) return this.#expired(from);
    this.#after = from;
    if (from >= newest) return undefined;
    const missed: ViewEvent[] = [];
    const handle = view.watch(prefix, from, (events) => void missed.push(...events));
    if (handle === 'expired') return this.#expired(from);
    handle.cancel();
    this.#backlog = missed.values();
    return undefined;
  }

  #expired(from: Revision): ApiError {
    return expired(`too old resource version: ${from} (${this.#plan.view.oldestRevision()})`);
  }

  wake(): void {
    if (!this.#isBlocked) this.#ports.turns.add(this);
  }

  bookmark(): void {
    this.#wantsBookmark = true;
    this.wake();
  }

  /** Sends what is due, then ends the stream cleanly; safe to call twice. */
  finish(): void {
    if (this.#isFinishing || this.#isEnded) return;
    if (this.#isBlocked) return this.#end(); // it would not be read
    this.#isFinishing = true;
    this.#wantsBookmark = this.#plan.allowBookmarks;
    this.wake();
  }

  catchUp(): void {
    while (this.run());
  }

  /** W1. */
  cutOff(behindBytes: number): void {
    this.#ports.metrics.count('mesh_api_watches_cut_off_total');
    this.#ports.log.info('slow watch cut off', { prefix: this.prefix, behindBytes });
    this.#end();
  }

  run(): boolean {
    if (this.#isEnded || this.#isBlocked) return false;
    if (this.#sink.bufferedBytes() >= highWaterBytes) return this.#block();
    try {
      return this.#send();
    } catch (error) {
      // One kind's printer at fault must not stop the watches of everybody else.
      this.#ports.log.error('watch event cannot be encoded', { error: describeError(error) });
      this.#end();
      return false;
    }
  }

  #block(): false {
    this.#isBlocked = true;
    void this.#sink.drained().then(() => {
      this.#isBlocked = false;
      if (!this.#isEnded) this.wake();
    });
    return false;
  }

  #send(): boolean {
    const parts: Uint8Array[] = [];
    let bytes = 0;
    let looks = 0;
    while (looks < looksPerTurn && bytes < chunkBytesMax) {
      const frame = this.#next();
      if (frame === 'nothing') break;
      looks += 1;
      if (frame === undefined) continue;
      for (const part of frame instanceof Uint8Array ? [frame] : frame) {
        parts.push(part);
        bytes += part.length;
      }
    }
    if (parts.length > 0) writeParts(this.#sink, parts);
    if (looks === looksPerTurn || bytes >= chunkBytesMax) return true;
    if (this.#isFinishing) this.#end();
    return false;
  }

  /** The next frame, or its parts; undefined when an object was passed over. */
  #next(): Uint8Array | readonly Uint8Array[] | undefined | 'nothing' {
    const { encoder, view } = this.#plan;
    if (this.#initial !== undefined) return this.#nextInitial(this.#initial);
    const event = this.#nextEvent();
    if (event !== undefined) {
      return event.current.revision > this.#after ? encoder.event(event) : undefined;
    }
    if (!this.#wantsBookmark) return 'nothing';
    this.#wantsBookmark = false;
    return encoder.bookmark(String(view.revision()), false); // W2
  }

  #nextEvent(): ViewEvent | undefined {
    const missed = this.#backlog?.next();
    if (missed !== undefined && missed.done !== true) return missed.value;
    this.#backlog = undefined;
    return this.#plan.hub.take(this);
  }

  #nextInitial(initial: Initial): Uint8Array | readonly Uint8Array[] | undefined {
    const { encoder, matches } = this.#plan;
    if (initial.at === initial.slice.length) {
      initial.slice = initial.snapshot.take(initial.after, looksPerTurn);
      initial.at = 0;
    }
    const stored = initial.slice[initial.at];
    if (stored !== undefined) {
      initial.at += 1;
      initial.after = stored.key;
      return matches === undefined || matches(stored.object) ? encoder.initial(stored) : undefined;
    }
    initial.snapshot.close();
    this.#initial = undefined;
    if (!initial.endsWithBookmark) return undefined;
    return encoder.bookmark(String(initial.snapshot.revision), true);
  }

  readonly #end = (): void => {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#plan.hub.leave(this);
    this.#initial?.snapshot.close();
    this.#initial = undefined;
    this.#backlog = undefined;
    this.#timeout?.cancel();
    this.#leaveWheel?.();
    this.#ports.signal.removeEventListener('abort', this.#end);
    this.#sink.end();
    this.#ports.onEnd();
  };
}

interface Initial {
  readonly snapshot: Snapshot;
  readonly endsWithBookmark: boolean;
  slice: readonly StoredObject[];
  at: number;
  after: string;
}
