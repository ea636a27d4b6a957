// Ports of the desired state. `Store` is what a driver (LMDB, memory, later etcd) provides: an
// ordered log of whole objects. `Desired` is what every stage sees: the replica's own copy of
// that log in memory, followed in order. This is the one file that other stages import from here.
//
// Invariants kept by every driver and by Desired:
//   I1. An acknowledged write is durable and is seen once, in order, by each watcher.
//   S1. A write replaces the revision that it names, or nothing happens.
//   S2. A revision is never issued twice, also across restores (the epoch rises).

import type { LogKey, Revision } from '../../common/model/ids.ts';
import type { KubeObject } from '../../common/model/kube-object.ts';
import { invariant } from '../../common/pure/errors.ts';

export interface StoreIdentity {
  readonly id: string;
  readonly epoch: number;
}

export interface WriteRequest {
  readonly key: LogKey;
  /** JSON bytes of the object without resourceVersion; undefined deletes. */
  readonly value: Uint8Array | undefined;
  /** Revision that this replaces; 0 to create. */
  readonly expected: Revision;
  /** Another key that must stand at this revision, checked in the same transaction. */
  readonly guard?: { readonly key: LogKey; readonly revision: Revision } | undefined;
  /** A second such key: the lease holder's term, of a write that takes from its pools. */
  readonly fence?: { readonly key: LogKey; readonly revision: Revision } | undefined;
  /** More such keys, a few: all publications of one Service, say. */
  readonly guards?: readonly { readonly key: LogKey; readonly revision: Revision }[] | undefined;
}

export type WriteOutcome =
  | { readonly kind: 'written'; readonly revision: Revision }
  /** The key stands at `current` (0: absent); nothing was written. */
  | { readonly kind: 'conflict'; readonly current: Revision }
  /** A guard's or the fence's key stands elsewhere; nothing was written. */
  | { readonly kind: 'fenced'; readonly current: Revision };

export interface StoreRecord {
  readonly key: LogKey;
  readonly revision: Revision;
  /** For a delete: the last value. */
  readonly value: Uint8Array;
  readonly isDelete: boolean;
}

export interface Store {
  identity(): StoreIdentity;
  /** Revision of the newest durable write. */
  currentRevision(): Promise<Revision>;
  /** Resolves when durable. Throws MeshError (STORE_UNAVAILABLE, STORE_FULL) when unsettled. */
  write(request: WriteRequest): Promise<WriteOutcome>;
  /** Every live record at one revision, in key order, in pages. */
  snapshot(): Promise<{
    readonly revision: Revision;
    readonly pages: AsyncIterable<readonly StoreRecord[]>;
  }>;
  /** Durable records after `from`, in order, without gap, until cancelled. */
  follow(from: Revision, onRecords: (records: readonly StoreRecord[]) => void): { cancel(): void };
  close(): Promise<void>;
}

/** An object of the log, or of a projection, as readers see it. Immutable. */
export interface StoredObject {
  readonly key: LogKey;
  readonly revision: Revision;
  /** metadata.resourceVersion is set. */
  readonly object: KubeObject;
  /** UTF-8 JSON of `object`, encoded at most once. */
  bytes(): Uint8Array;
}

export interface ViewEvent {
  readonly kind: 'added' | 'modified' | 'deleted';
  /** After a delete: the last object, its resourceVersion being the delete's revision. */
  readonly current: StoredObject;
  readonly previous: StoredObject | undefined;
}

export interface WatchHandle {
  cancel(): void;
}

/** What a log and a projection have in common: reads and watches from memory. */
export interface ObjectView {
  /** Newest revision that this view has reached. */
  revision(): Revision;
  get(key: LogKey): StoredObject | undefined;
  /** In key order (bytes); with `after` only keys above it. The view must not change meanwhile. */
  list(prefix: string, after?: string): Iterable<StoredObject>;
  /** How many list() would give, without walking them. */
  count(prefix: string, after?: string): number;
  /**
   * Events of keys under `prefix` after `from`, in order, called synchronously in batches as
   * they are folded. 'expired' when the window no longer reaches back to `from`.
   */
  watch(
    prefix: string,
    from: Revision,
    onEvents: (events: readonly ViewEvent[]) => void,
  ): WatchHandle | 'expired';
  /** Oldest revision that a watch can start from. */
  oldestRevision(): Revision;
  /** Resolves true when the view has reached `revision`, false after `timeoutMs`. */
  reach(revision: Revision, timeoutMs: number): Promise<boolean>;
}

export interface DesiredWrite {
  readonly key: LogKey;
  /** undefined deletes. metadata.resourceVersion is ignored. */
  readonly object: KubeObject | undefined;
  readonly expected: Revision;
  readonly guard?: { readonly key: LogKey; readonly revision: Revision } | undefined;
  readonly fence?: { readonly key: LogKey; readonly revision: Revision } | undefined;
  readonly guards?: readonly { readonly key: LogKey; readonly revision: Revision }[] | undefined;
}

export type DesiredOutcome =
  | { readonly kind: 'written'; readonly stored: StoredObject }
  | { readonly kind: 'conflict'; readonly current: Revision }
  | { readonly kind: 'fenced'; readonly current: Revision };

export interface Desired extends ObjectView {
  identity(): StoreIdentity;
  /** Durable and folded into this view when it resolves. Throws MeshError when unsettled. */
  write(request: DesiredWrite): Promise<DesiredOutcome>;
  /** The store's own current revision, folded into this view: a consistent read. */
  barrier(): Promise<Revision>;
  /** No write is accepted any more (the store went backwards); `why` is shown to users. */
  refuseWrites(why: string): void;
  close(): Promise<void>;
}

/**
 * What is under `prefix` now, as `added`, then each change, without a gap. `onEvent` must only
 * note what is due. From its own newest revision a view can always be watched.
 */
export function follow(
  view: ObjectView,
  prefix: string,
  onEvent: (event: ViewEvent) => void,
): WatchHandle {
  for (const current of view.list(prefix)) onEvent({ kind: 'added', current, previous: undefined });
  return followNew(view, prefix, onEvent);
}

/** As `follow`, without what is there already. */
export function followNew(
  view: ObjectView,
  prefix: string,
  onEvent: (event: ViewEvent) => void,
): WatchHandle {
  const watch = view.watch(prefix, view.revision(), (events) => events.forEach(onEvent));
  invariant(watch !== 'expired', `a view cannot be watched from its newest revision: ${prefix}`);
  return watch;
}
