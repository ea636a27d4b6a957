// Up to which revision the placement view has looked. Each Service that an event concerns is
// pending from that event's revision until a run that began after it has ended.
//
//   G1. What happened while a run went on stays pending: that run may not have seen it.

import { toRevision, type Revision } from '../../common/model/ids.ts';

interface Entry {
  /** Lowest revision that the run in progress takes in. */
  running: Revision | undefined;
  /** Lowest revision since that run began. */
  waiting: Revision | undefined;
}

interface Item {
  readonly revision: Revision;
  readonly key: string;
}

export class PendingRevisions {
  readonly #entries = new Map<string, Entry>();
  /** Binary heap by revision; items that no entry names any more are dropped when on top. */
  readonly #heap: Item[] = [];

  expect(key: string, revision: Revision): void {
    const entry = this.#entries.get(key) ?? { running: undefined, waiting: undefined };
    this.#entries.set(key, entry);
    if (entry.waiting !== undefined && entry.waiting <= revision) return;
    entry.waiting = revision;
    this.#push({ revision, key });
  }

  /** A run of `key` begins to read. A run that did not end goes on in it. */
  begin(key: string): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    entry.running = lower(entry.running, entry.waiting);
    entry.waiting = undefined;
  }

  /** The run of `key` ended. */
  settle(key: string): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    entry.running = undefined;
    if (entry.waiting === undefined) this.#entries.delete(key);
  }

  lowest(): Revision | undefined {
    for (let top = this.#heap[0]; top !== undefined; top = this.#heap[0]) {
      const entry = this.#entries.get(top.key);
      if (entry?.running === top.revision || entry?.waiting === top.revision) return top.revision;
      this.#pop();
    }
    return undefined;
  }

  #push(item: Item): void {
    const heap = this.#heap;
    let at = heap.push(item) - 1;
    while (at > 0) {
      const parent = (at - 1) >>> 1;
      const above = heap[parent];
      if (above === undefined || above.revision <= item.revision) break;
      heap[at] = above;
      at = parent;
    }
    heap[at] = item;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let at = 0;
    for (;;) {
      const [left, right] = [2 * at + 1, 2 * at + 2];
      const child = revisionAt(heap, right) < revisionAt(heap, left) ? right : left;
      const below = heap[child];
      if (below === undefined || below.revision >= last.revision) break;
      heap[at] = below;
      at = child;
    }
    heap[at] = last;
  }
}

function revisionAt(heap: readonly Item[], at: number): number {
  return heap[at]?.revision ?? Infinity;
}

function lower(a: Revision | undefined, b: Revision | undefined): Revision | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return toRevision(Math.min(a, b));
}
