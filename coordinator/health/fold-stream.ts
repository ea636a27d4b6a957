// One report stream (health or ingress) of one cluster, folded from deltas and full pages.
// Input: messages of the cluster's current life, in any order, some twice, some never.
// Output: the last known item of each shard, and whether that is known to be complete.
//
//   F1. A message older than what is known changes nothing.
//   F2. isSynced is true only when every item is as the agent had it at `sequence`: a full state
//       was assembled and each delta since followed it, or a heartbeat's digest said so.
//   F3. A delta behind a gap is still the newest word on its items: applied at once, and the
//       full state is asked for.
//   F4. Memory is bounded: `itemsMax` items, as many in one assembly, and `recentMax` deltas.
//       What an agent reports beyond is left out, so its digest differs and says so.
// Next: fold.ts.

import type { ServiceKey } from '../../common/model/ids.ts';
import type {
  ReportDelta,
  ReportFull,
  ReportItems,
  ReportKind,
} from '../../common/model/telemetry.ts';
import { SumDigest } from '../../common/pure/digest.ts';
import { toReportItem } from '../../common/pure/report-digest.ts';

/** Deltas kept while a full state is awaited; more, and the next full state is asked for again. */
const recentMax = 64;
/** A page is 256 KB, so this is far above any cluster; more is garbage. */
const partsMax = 4096;

/** Far above the shards of any cluster: only a broken agent reports more. */
const itemsMax = 50_000;

interface Known<K extends ReportKind> {
  readonly item: ReportItems[K];
  readonly text: string;
}

interface Assembly<K extends ReportKind> {
  readonly sequence: number;
  readonly parts: number;
  readonly pages: Map<number, readonly ReportItems[K][]>;
  items: number;
}

export class ReportStream<K extends ReportKind> {
  readonly #report: K;
  #known = new Map<ServiceKey, Known<K>>();
  #digest = new SumDigest();
  #sequence = -1;
  #fullSequence = -1;
  #isSynced = false;
  #hasReported = false;
  #recent: ReportDelta<K>[] = [];
  #assembly: Assembly<K> | undefined;

  constructor(report: K) {
    this.#report = report;
  }

  item(key: ServiceKey): ReportItems[K] | undefined {
    return this.#known.get(key)?.item;
  }

  keys(): Iterable<ServiceKey> {
    return this.#known.keys();
  }

  sequence(): number {
    return this.#sequence;
  }

  digest(): string {
    return this.#digest.value();
  }

  isSynced(): boolean {
    return this.#isSynced;
  }

  /** True when this life of the agent has told its complete state at least once. */
  hasReported(): boolean {
    return this.#hasReported;
  }

  /** A new life of the agent: what is known stays as last known, until it is told anew. */
  restart(): void {
    this.#sequence = -1;
    this.#fullSequence = -1;
    this.#isSynced = false;
    this.#hasReported = false;
    this.#recent = [];
    this.#assembly = undefined;
  }

  /** Keys whose item changed. */
  foldDelta(delta: ReportDelta<K>): readonly ServiceKey[] {
    if (delta.sequence <= this.#sequence) return []; // F1
    if (!this.#isSynced || delta.previousSequence !== this.#sequence) {
      this.#isSynced = false;
      this.#recent.push(delta);
      if (this.#recent.length > recentMax) this.#recent.shift();
    }
    return this.#apply(delta);
  }

  /** Keys whose item changed; nothing changes before the last page has come. */
  foldFull(page: ReportFull<K>): readonly ServiceKey[] {
    const isOld = page.sequence < this.#fullSequence;
    if (isOld || (this.#isSynced && page.sequence < this.#sequence)) return []; // F1
    const isCounted = page.parts >= 1 && page.parts <= partsMax;
    if (!isCounted || page.part < 1 || page.part > page.parts) return [];
    const assembly = this.#assemblyFor(page);
    if (assembly === undefined) return [];
    if (assembly.pages.has(page.part)) return [];
    assembly.pages.set(page.part, page.items);
    assembly.items += page.items.length;
    if (assembly.items > itemsMax) this.#assembly = undefined; // F4
    if (this.#assembly === undefined || assembly.pages.size < assembly.parts) return [];
    this.#assembly = undefined;
    const changed = this.#replace([...assembly.pages.values()].flat());
    this.#sequence = page.sequence;
    this.#fullSequence = page.sequence;
    this.#isSynced = true;
    this.#hasReported = true;
    for (const key of this.#replay()) changed.add(key);
    return [...changed];
  }

  /** What a heartbeat says of this stream; true when that made the stream known complete. */
  confirm(said: { readonly sequence: number; readonly digest: string }): boolean {
    if (said.sequence < this.#sequence) return false; // a heartbeat overtaken by a delta
    // Sequence 0: nothing told in this life yet. No digest: the agent has not seen all itself.
    if (said.sequence === 0 || said.digest === '') return false;
    if (said.digest !== this.#digest.value()) {
      this.#isSynced = false;
      return false;
    }
    const isNews = !this.#isSynced || !this.#hasReported;
    this.#sequence = said.sequence;
    this.#isSynced = true;
    this.#hasReported = true;
    this.#recent = [];
    return isNews;
  }

  #assemblyFor(page: ReportFull<K>): Assembly<K> | undefined {
    const open = this.#assembly;
    if (open !== undefined && open.sequence > page.sequence) return undefined;
    if (open?.sequence === page.sequence && open.parts === page.parts) return open;
    this.#assembly = { sequence: page.sequence, parts: page.parts, pages: new Map(), items: 0 };
    return this.#assembly;
  }

  /** Applies the deltas that came while the full state was on its way. */
  #replay(): readonly ServiceKey[] {
    const later = this.#recent
      .filter((delta) => delta.sequence > this.#sequence)
      .sort((a, b) => a.sequence - b.sequence);
    const changed: ServiceKey[] = [];
    for (const delta of later) {
      if (delta.previousSequence !== this.#sequence) this.#isSynced = false;
      changed.push(...this.#apply(delta));
    }
    this.#recent = this.#isSynced ? [] : later;
    return changed;
  }

  #apply(delta: ReportDelta<K>): readonly ServiceKey[] {
    const changed: ServiceKey[] = [];
    for (const item of delta.changed) if (this.#set(item)) changed.push(item.key);
    for (const key of delta.removed) if (this.#remove(key)) changed.push(key);
    this.#sequence = delta.sequence;
    return changed;
  }

  #replace(items: readonly ReportItems[K][]): Set<ServiceKey> {
    const changed = new Set<ServiceKey>();
    const kept = new Set(items.map((item) => item.key));
    for (const key of this.#known.keys()) {
      if (!kept.has(key) && this.#remove(key)) changed.add(key);
    }
    for (const item of items) if (this.#set(item)) changed.add(item.key);
    return changed;
  }

  #set(item: ReportItems[K]): boolean {
    const old = this.#known.get(item.key);
    if (old === undefined && this.#known.size >= itemsMax) return false; // F4
    const text = toReportItem(this.#report, item);
    if (old?.text === text) return false;
    if (old !== undefined) this.#digest.subtract(old.text);
    this.#digest.add(text);
    this.#known.set(item.key, { item, text });
    return true;
  }

  #remove(key: ServiceKey): boolean {
    const old = this.#known.get(key);
    if (old === undefined) return false;
    this.#digest.subtract(old.text);
    return this.#known.delete(key);
  }
}
