// One report stream (health or ingress) as a state machine: items in, deltas and full pages out.
// The coordinator holds the same items; sequence, previous sequence and digest tell it when not.
//
//   R1. Applying all deltas in order to the last full state gives the current state.
//   R2. The digest is that of the current state once nothing is dirty, at the current sequence.
//   R3. No message is larger than its bound, except for one single item that is.

import type { ServiceKey } from '../../common/model/ids.ts';
import type { ReportItems, ReportKind } from '../../common/model/telemetry.ts';
import { SumDigest } from '../../common/pure/digest.ts';
import { toReportItem } from '../../common/pure/report-digest.ts';

export const deltaBytesMax = 64 * 1024;
export const fullBytesMax = 256 * 1024;
// Field tags and the message around the items; the text form is never shorter than the wire form.
const itemOverheadBytes = 32;
const messageOverheadBytes = 512;

export interface DeltaBody<K extends ReportKind> {
  readonly sequence: number;
  readonly previousSequence: number;
  readonly changed: readonly ReportItems[K][];
  readonly removed: readonly ServiceKey[];
}

export interface FullBody<K extends ReportKind> {
  readonly sequence: number;
  readonly part: number;
  readonly parts: number;
  readonly items: readonly ReportItems[K][];
}

interface Held<K extends ReportKind> {
  readonly item: ReportItems[K];
  readonly text: string;
}

export class ReportStream<K extends ReportKind> {
  readonly #report: K;
  readonly #current = new Map<ServiceKey, Held<K>>();
  /** What the receiver has after all deltas so far; only of dirty keys. */
  readonly #dirty = new Map<ServiceKey, string | undefined>();
  readonly #sent = new SumDigest();
  #sequence = 0;

  constructor(report: K) {
    this.#report = report;
  }

  /** Undefined takes the item out. True when the receiver must hear of it. */
  set(key: ServiceKey, item: ReportItems[K] | undefined): boolean {
    const text = item === undefined ? undefined : toReportItem(this.#report, item);
    const held = this.#current.get(key);
    if (held?.text === text) return this.#dirty.size > 0;
    const sent = this.#dirty.has(key) ? this.#dirty.get(key) : held?.text;
    if (item === undefined || text === undefined) this.#current.delete(key);
    else this.#current.set(key, { item, text });
    if (sent === text) this.#dirty.delete(key);
    else this.#dirty.set(key, sent);
    return this.#dirty.size > 0;
  }

  /** Deltas for everything dirty; afterwards nothing is. */
  flush(): readonly DeltaBody<K>[] {
    const keys = [...this.#dirty.keys()].sort();
    const changed = keys.flatMap((key) => this.#current.get(key) ?? []);
    const removed = keys.filter((key) => !this.#current.has(key));
    this.#settle();
    const pages = paginate(changed, (held) => held.text.length, deltaBytesMax);
    const removals = paginate(removed, (key) => key.length, deltaBytesMax);
    return [
      ...pages.map((page) =>
        this.#next(
          page.map(({ item }) => item),
          [],
        ),
      ),
      ...removals.map((page) => this.#next([], page)),
    ];
  }

  /** The whole state, at least one page. What was dirty is told with it. */
  full(): readonly FullBody<K>[] {
    // Zero means that nothing was told yet.
    if (this.#dirty.size > 0 || this.#sequence === 0) this.#sequence += 1;
    this.#settle();
    const held = [...this.#current.values()].sort((a, b) => (a.item.key < b.item.key ? -1 : 1));
    const pages = paginate(held, ({ text }) => text.length, fullBytesMax);
    const parts = Math.max(1, pages.length);
    return Array.from({ length: parts }, (_page, index) => ({
      sequence: this.#sequence,
      part: index + 1,
      parts,
      items: (pages[index] ?? []).map(({ item }) => item),
    }));
  }

  /** A new life: numbers start again, so everything is told again by the next full state. */
  restart(): void {
    this.#sequence = 0;
  }

  sequence(): number {
    return this.#sequence;
  }

  /** Of what was sent, not of what is dirty: it belongs to sequence(). */
  digest(): string {
    return this.#sent.value();
  }

  #next(changed: readonly ReportItems[K][], removed: readonly ServiceKey[]): DeltaBody<K> {
    const previousSequence = this.#sequence;
    this.#sequence += 1;
    return { sequence: this.#sequence, previousSequence, changed, removed };
  }

  #settle(): void {
    for (const [key, sent] of this.#dirty) {
      if (sent !== undefined) this.#sent.subtract(sent);
      const held = this.#current.get(key);
      if (held !== undefined) this.#sent.add(held.text);
    }
    this.#dirty.clear();
  }
}

function paginate<T>(
  items: readonly T[],
  bytesOf: (item: T) => number,
  bytesMax: number,
): readonly T[][] {
  const pages: T[][] = [];
  let page: T[] = [];
  let bytes = messageOverheadBytes;
  for (const item of items) {
    const size = bytesOf(item) + itemOverheadBytes;
    if (page.length > 0 && bytes + size > bytesMax) {
      pages.push(page);
      page = [];
      bytes = messageOverheadBytes;
    }
    page.push(item);
    bytes += size;
  }
  if (page.length > 0) pages.push(page);
  return pages;
}
