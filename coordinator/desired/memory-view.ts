// The in-memory half of the log and of projections: objects by key, keys in order, and a window
// of recent events from which watches resume.
//
//   V1. A watcher sees each event after its start exactly once, in order.
//   V2. The window is bounded in events and in bytes; a start before it is 'expired'.

import { toRevision, type LogKey, type Revision } from '../../common/model/ids.ts';
import type { Clock, Timer } from '../../common/runtime/clock.ts';
import type { Log } from '../../common/runtime/log.ts';
import { describeError } from '../../common/runtime/log.ts';
import { SortedKeys } from './sorted-keys.ts';
import type { ObjectView, StoredObject, ViewEvent, WatchHandle } from './store.ts';

export interface MemoryViewOptions {
  /** Where the view starts: watches from before it are expired. */
  readonly start: Revision;
  readonly clock: Clock;
  readonly log: Log;
  readonly windowEvents: number;
  readonly windowBytes: number;
}

// Where the size is not known; the bound then holds on average.
const eventBytes = 1024;

interface Watcher {
  readonly prefix: string;
  readonly onEvents: (events: readonly ViewEvent[]) => void;
}

interface Waiter {
  readonly revision: Revision;
  readonly resolve: (reached: boolean) => void;
  readonly timer: Timer;
}

export class MemoryView implements ObjectView {
  readonly #options: MemoryViewOptions;
  readonly #objects = new Map<LogKey, StoredObject>();
  readonly #keys = new Map<string, SortedKeys>();
  /** By bucket, so that an event is shown only to those who may want it; '' for wider prefixes. */
  readonly #watchers = new Map<string, Set<Watcher>>();
  readonly #window: { readonly event: ViewEvent; readonly size: number }[] = [];
  #windowHead = 0;
  #windowBytes = 0;
  #revision: Revision;
  #oldest: Revision;
  #waiters: Waiter[] = [];

  constructor(options: MemoryViewOptions) {
    this.#options = options;
    this.#revision = options.start;
    this.#oldest = options.start;
  }

  revision(): Revision {
    return this.#revision;
  }

  oldestRevision(): Revision {
    return this.#oldest;
  }

  get(key: LogKey): StoredObject | undefined {
    return this.#objects.get(key);
  }

  *list(prefix: string, after?: string): Generator<StoredObject> {
    for (const keys of this.#bucketsOf(prefix)) {
      for (const key of keys.under(prefix, after)) {
        const stored = this.#objects.get(key as LogKey);
        if (stored !== undefined) yield stored;
      }
    }
  }

  count(prefix: string, after?: string): number {
    let count = 0;
    for (const keys of this.#bucketsOf(prefix)) count += keys.count(prefix, after);
    return count;
  }

  watch(
    prefix: string,
    from: Revision,
    onEvents: (events: readonly ViewEvent[]) => void,
  ): WatchHandle | 'expired' {
    if (from < this.#oldest) return 'expired';
    const missed = this.#eventsAfter(from, prefix);
    const watcher = { prefix, onEvents };
    this.#addWatcher(watcher);
    if (missed.length > 0) onEvents(missed);
    return { cancel: () => this.#deleteWatcher(watcher) };
  }

  reach(revision: Revision, timeoutMs: number): Promise<boolean> {
    if (this.#revision >= revision) return Promise.resolve(true);
    return new Promise((resolve) => {
      const timer = this.#options.clock.after(timeoutMs, () => {
        this.#waiters = this.#waiters.filter((waiter) => waiter.timer !== timer);
        resolve(false);
      });
      this.#waiters.push({ revision, resolve, timer });
    });
  }

  /** Puts an object that was there at the start: no event. */
  seed(stored: StoredObject): void {
    this.#objects.set(stored.key, stored);
    this.#bucket(stored.key).add(stored.key);
  }

  /** Folds events in revision order, then tells watchers and waiters. `sizes`: bytes of each. */
  fold(events: readonly ViewEvent[], sizes: readonly number[] = []): void {
    events.forEach((event, index) => this.#foldOne(event, sizes[index] ?? eventBytes));
    const last = events.at(-1);
    if (last === undefined) return;
    this.#revision = last.current.revision;
    this.#tellWatchers(events);
    this.#wakeWaiters();
  }

  /** The store moved on without an object that this view holds. */
  advance(revision: Revision): void {
    if (revision <= this.#revision) return;
    this.#revision = revision;
    this.#wakeWaiters();
  }

  /** Answers every waiter; nothing will be folded any more. */
  close(): void {
    for (const waiter of this.#waiters.splice(0)) {
      waiter.timer.cancel();
      waiter.resolve(false);
    }
    this.#watchers.clear();
  }

  #foldOne(event: ViewEvent, size: number): void {
    const { key } = event.current;
    if (event.kind === 'deleted') {
      this.#objects.delete(key);
      this.#bucket(key).delete(key);
    } else {
      this.#objects.set(key, event.current);
      if (event.kind === 'added') this.#bucket(key).add(key);
    }
    this.#window.push({ event, size });
    this.#windowBytes += size;
    this.#trimWindow();
  }

  #trimWindow(): void {
    const { windowEvents, windowBytes } = this.#options;
    while (
      this.#window.length - this.#windowHead > windowEvents ||
      (this.#windowBytes > windowBytes && this.#window.length > this.#windowHead)
    ) {
      const dropped = this.#window[this.#windowHead];
      if (dropped === undefined) break;
      this.#windowHead += 1;
      this.#windowBytes -= dropped.size;
      this.#oldest = dropped.event.current.revision;
    }
    // Shifting an array one by one is quadratic; drop the dead head now and then.
    if (this.#windowHead > 1024 && this.#windowHead * 2 > this.#window.length) {
      this.#window.splice(0, this.#windowHead);
      this.#windowHead = 0;
    }
  }

  #eventsAfter(from: Revision, prefix: string): readonly ViewEvent[] {
    let [low, high] = [this.#windowHead, this.#window.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#window[middle]?.event.current.revision ?? toRevision(0)) <= from) low = middle + 1;
      else high = middle;
    }
    return this.#window
      .slice(low)
      .map(({ event }) => event)
      .filter(({ current }) => current.key.startsWith(prefix));
  }

  #addWatcher(watcher: Watcher): void {
    const name = bucketName(watcher.prefix) ?? '';
    const known = this.#watchers.get(name);
    if (known === undefined) this.#watchers.set(name, new Set([watcher]));
    else known.add(watcher);
  }

  #deleteWatcher(watcher: Watcher): void {
    const name = bucketName(watcher.prefix) ?? '';
    const known = this.#watchers.get(name);
    known?.delete(watcher);
    if (known?.size === 0) this.#watchers.delete(name);
  }

  #tellWatchers(events: readonly ViewEvent[]): void {
    const names = new Set(['', ...events.map(({ current }) => bucketName(current.key) ?? '')]);
    for (const name of names) {
      const watchers = this.#watchers.get(name);
      if (watchers === undefined) continue;
      // A copy: one that begins now was given these already. One that ends now gets no more.
      const now = [...watchers];
      for (const watcher of now) if (watchers.has(watcher)) this.#tellOne(watcher, events);
    }
  }

  #tellOne(watcher: Watcher, events: readonly ViewEvent[]): void {
    const concerned = events.filter(({ current }) => current.key.startsWith(watcher.prefix));
    if (concerned.length === 0) return;
    try {
      watcher.onEvents(concerned);
    } catch (error) {
      // One watcher's fault must not keep the others from their events.
      this.#deleteWatcher(watcher);
      this.#options.log.error('watcher failed and was dropped', {
        prefix: watcher.prefix,
        error: describeError(error),
      });
    }
  }

  #wakeWaiters(): void {
    const reached = this.#waiters.filter(({ revision }) => revision <= this.#revision);
    if (reached.length === 0) return;
    this.#waiters = this.#waiters.filter(({ revision }) => revision > this.#revision);
    for (const waiter of reached) {
      waiter.timer.cancel();
      waiter.resolve(true);
    }
  }

  #bucket(key: string): SortedKeys {
    const name = bucketName(key) ?? key;
    let keys = this.#keys.get(name);
    if (keys === undefined) {
      keys = new SortedKeys();
      this.#keys.set(name, keys);
    }
    return keys;
  }

  #bucketsOf(prefix: string): readonly SortedKeys[] {
    const name = bucketName(prefix);
    if (name !== undefined) {
      const keys = this.#keys.get(name);
      return keys === undefined ? [] : [keys];
    }
    return [...this.#keys.entries()]
      .filter(([bucket]) => bucket.startsWith(prefix))
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([, keys]) => keys);
  }
}

/** `<group>/<resource>/` of a key or of a prefix that is at least that long. */
function bucketName(key: string): string | undefined {
  const second = key.indexOf('/', key.indexOf('/') + 1);
  return second < 0 ? undefined : key.slice(0, second + 1);
}
