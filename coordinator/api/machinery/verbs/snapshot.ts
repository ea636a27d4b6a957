// A view as it stood at one revision, read in slices while it goes on changing: the present, with
// what changed since undone. So the pages of a list agree with page one while nothing is held in
// memory between them, and a long list can be read over many turns of the event loop.
//
//   N1. Every slice shows the revision of the snapshot, whatever happened between two of them.
//
// Work: a slice costs its own length, plus what changed since the revision.

import type { Revision } from '../../../../common/model/ids.ts';
import type { ObjectView, StoredObject, WatchHandle } from '../../../desired/store.ts';

export class Snapshot {
  readonly revision: Revision;
  readonly #view: ObjectView;
  readonly #prefix: string;
  readonly #handle: WatchHandle;
  /** By key, what changed since the revision, as it was then; undefined was not there. */
  readonly #before: Map<string, StoredObject | undefined>;
  #sorted: readonly StoredObject[] = [];
  #sortedOf = 0;

  /** 'expired' when the view no longer knows what changed since. The caller closes it. */
  static open(view: ObjectView, prefix: string, revision: Revision): Snapshot | 'expired' {
    const before = new Map<string, StoredObject | undefined>();
    const handle = view.watch(prefix, revision, (events) => {
      for (const { current, previous } of events) {
        if (!before.has(current.key)) before.set(current.key, previous);
      }
    });
    if (handle === 'expired') return 'expired';
    return new Snapshot({ view, prefix, revision, handle, before });
  }

  private constructor(of: {
    readonly view: ObjectView;
    readonly prefix: string;
    readonly revision: Revision;
    readonly handle: WatchHandle;
    readonly before: Map<string, StoredObject | undefined>;
  }) {
    this.revision = of.revision;
    this.#view = of.view;
    this.#prefix = of.prefix;
    this.#handle = of.handle;
    this.#before = of.before;
  }

  /** Up to `limit` objects above the key `after`, in key order. */
  take(after: string, limit: number): readonly StoredObject[] {
    const earlier = this.#earlier();
    const taken: StoredObject[] = [];
    let next = firstAbove(earlier, after);
    for (const stored of this.#view.list(this.#prefix, after)) {
      for (
        let old = earlier[next];
        old !== undefined && old.key < stored.key;
        old = earlier[next]
      ) {
        if (taken.length === limit) return taken;
        taken.push(old);
        next += 1;
      }
      if (taken.length === limit) return taken;
      if (!this.#before.has(stored.key)) taken.push(stored);
    }
    return [...taken, ...earlier.slice(next, next + limit - taken.length)];
  }

  /** How many objects there are above the key `after`. */
  count(after: string): number {
    let count = this.#view.count(this.#prefix, after);
    for (const [key, old] of this.#before) {
      if (key <= after) continue;
      const isThere = this.#view.get(key as StoredObject['key']) !== undefined; // from an event
      count += Number(old !== undefined) - Number(isThere);
    }
    return count;
  }

  /** Lets the view forget it; safe to call twice. */
  close(): void {
    this.#handle.cancel();
  }

  /** What was there and changed, in key order; sorted again only when more has changed. */
  #earlier(): readonly StoredObject[] {
    if (this.#sortedOf !== this.#before.size) {
      this.#sortedOf = this.#before.size;
      this.#sorted = [...this.#before.values()].filter((old) => old !== undefined).sort(byKey);
    }
    return this.#sorted;
  }
}

/** Keys are ASCII (names are validated), so text order is byte order. */
function byKey(a: StoredObject, b: StoredObject): number {
  return a.key < b.key ? -1 : a.key > b.key ? 1 : 0;
}

function firstAbove(sorted: readonly StoredObject[], after: string): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle]?.key ?? '') <= after) low = middle + 1;
    else high = middle;
  }
  return low;
}
