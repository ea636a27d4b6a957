// The replica's own copy of the log: loads a snapshot, follows the store in order, and serves
// lists, gets and watches from memory.
//
//   D1. A write answers only when this copy has folded it: a reader then sees it. So does one that
//       lost, when the copy has what it lost to: who reads and tries again does so on the newest.
//   D2. A write whose answer was lost is settled by reading back, never by guessing.
//   D3. A large write is made text, and what it will be folded as, before it is committed, in turns of its own (I11).

import { toRevision, type LogKey, type Revision } from '../../common/model/ids.ts';
import { MeshError, invariant } from '../../common/pure/errors.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import { describeError, type Log } from '../../common/runtime/log.ts';
import type { Metrics } from '../../common/runtime/metrics.ts';
import { restOf } from '../../common/runtime/rest.ts';
import { MemoryView } from './memory-view.ts';
import { ParsedValues } from './parsed-values.ts';
import { SharedParts } from './shared-parts.ts';
import { shareEqual } from './shared-values.ts';
import { toStoredObject } from './stored-object.ts';
import type {
  Desired,
  DesiredOutcome,
  DesiredWrite,
  Store,
  StoreRecord,
  StoredObject,
  ViewEvent,
  WriteOutcome,
  WriteRequest,
} from './store.ts';

export interface DesiredOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  /** How far back a watch can start. Defaults 10,000 events and 16 MiB. */
  readonly windowEvents?: number;
  readonly windowBytes?: number;
}

// In bytes of JSON; as objects in memory they are about five times that, and large publications
// would fill it first.
const windowEventsMax = 10_000;
const windowBytesMax = 16 * 2 ** 20;
const sharedBytesMax = 64 << 10;
// A commit takes milliseconds; a store that has not delivered its own commit by then is broken.
const foldTimeoutMs = 10_000;

export async function createDesired(options: DesiredOptions): Promise<Desired> {
  const { store, clock, log, metrics } = options;
  const snapshot = await store.snapshot();
  const view = new MemoryView({
    start: snapshot.revision,
    clock,
    log,
    windowEvents: options.windowEvents ?? windowEventsMax,
    windowBytes: options.windowBytes ?? windowBytesMax,
  });
  const reading = { values: new ParsedValues(restOf(clock)), parts: new SharedParts() };
  for await (const page of snapshot.pages) {
    for (const record of page) view.seed(toStored(record, undefined, reading));
  }
  const following = store.follow(snapshot.revision, (records) => {
    fold(view, records, reading);
    metrics.count('mesh_desired_events_total', {}, records.length);
  });
  let refusal: string | undefined;

  const write = async (request: DesiredWrite): Promise<DesiredOutcome> => {
    if (refusal !== undefined) throw new MeshError('fatal', 'STORE_REGRESSED', refusal);
    const before = view.get(request.key);
    const made = request.object && reading.values.toValue(request.object, before?.object); // D3
    const value = made instanceof Promise ? await made : made;
    const outcome = await settle(store, { ...request, value }, view.revision(), log);
    if (outcome.kind !== 'written') {
      await view.reach(outcome.current, foldTimeoutMs);
      return outcome;
    }
    if (!(await view.reach(outcome.revision, foldTimeoutMs))) {
      throw new MeshError(
        'retryable',
        'STORE_UNAVAILABLE',
        'the write is durable but was not delivered',
      );
    }
    return { kind: 'written', stored: toWritten(view, request, before, outcome.revision) };
  };

  return {
    identity: () => store.identity(),
    revision: () => view.revision(),
    oldestRevision: () => view.oldestRevision(),
    get: (key) => view.get(key),
    list: (prefix, after) => view.list(prefix, after),
    count: (prefix, after) => view.count(prefix, after),
    watch: (prefix, from, onEvents) => view.watch(prefix, from, onEvents),
    reach: (revision, timeoutMs) => view.reach(revision, timeoutMs),
    write,
    barrier: async () => {
      const revision = await store.currentRevision();
      if (await view.reach(revision, foldTimeoutMs)) return revision;
      throw new MeshError(
        'retryable',
        'STORE_UNAVAILABLE',
        'this replica does not follow the store',
      );
    },
    refuseWrites: (why) => {
      refusal ??= why;
      log.error('writes are refused', { why });
    },
    close: async () => {
      following.cancel();
      view.close();
      await store.close();
    },
  };
}

/** The object as written, also when a later write has replaced it; the last one if deleted. */
function toWritten(
  view: MemoryView,
  request: DesiredWrite,
  before: StoredObject | undefined,
  revision: Revision,
): StoredObject {
  const current = view.get(request.key);
  if (current?.revision === revision) return current;
  const object = request.object ?? before?.object;
  invariant(object !== undefined, `a delete of ${request.key} was accepted, but nothing was there`);
  return toStoredObject(request.key, revision, object);
}

async function settle(
  store: Store,
  request: WriteRequest,
  seenBefore: Revision,
  log: Log,
): Promise<WriteOutcome> {
  const { key, value, expected, guard, fence, guards } = request;
  try {
    return await store.write({ key, value, expected, guard, fence, guards });
  } catch (error) {
    if (!(error instanceof MeshError) || error.code !== 'STORE_UNAVAILABLE') throw error;
    log.warn('a write was not answered; reading back', { key, error: describeError(error) });
    const settled = readBack(store, {
      key,
      value,
      after: toRevision(Math.max(expected, seenBefore)),
    });
    if (settled === undefined) throw error;
    return settled;
  }
}

/**
 * D2. The first record of `key` after `after` settles it, because a write succeeds only on the
 * revision that it names: ours means written, another's means conflict, none leaves it open.
 */
function readBack(
  store: Store,
  sought: {
    readonly key: LogKey;
    readonly value: Uint8Array | undefined;
    readonly after: Revision;
  },
): WriteOutcome | undefined {
  const { key, value, after } = sought;
  const found: StoreRecord[] = [];
  store.follow(after, (records) => found.push(...records.filter((it) => it.key === key))).cancel();
  const [first, last] = [found[0], found.at(-1)];
  if (first === undefined || last === undefined) return undefined;
  const isOurs =
    value === undefined
      ? first.isDelete
      : !first.isDelete && Buffer.compare(first.value, value) === 0;
  return isOurs
    ? { kind: 'written', revision: first.revision }
    : { kind: 'conflict', current: last.isDelete ? toRevision(0) : last.revision };
}

/** What records are read with. */
interface Reading {
  readonly values: ParsedValues;
  readonly parts: SharedParts;
}

function fold(view: MemoryView, records: readonly StoreRecord[], reading: Reading): void {
  // One at a time: the previous object of a key may be in the same batch.
  for (const record of records) {
    if (record.revision <= view.revision()) continue;
    view.fold([toEvent(record, view.get(record.key), reading)], [record.value.length]);
  }
}

function toEvent(
  record: StoreRecord,
  previous: StoredObject | undefined,
  reading: Reading,
): ViewEvent {
  const current = toStored(record, previous, reading);
  if (record.isDelete) return { kind: 'deleted', current, previous };
  return { kind: previous === undefined ? 'added' : 'modified', current, previous };
}

function toStored(
  { key, revision, value }: StoreRecord,
  previous: StoredObject | undefined,
  { values, parts }: Reading,
): StoredObject {
  const object = values.take(value);
  // Most writes change a status, and most objects were written by the same few tools.
  if (!Object.isFrozen(object)) {
    if (previous !== undefined) shareEqual(object, previous.object);
    if (value.length < sharedBytesMax) parts.share(object); // what is large in others is of one object
  }
  return toStoredObject(key, revision, object);
}
