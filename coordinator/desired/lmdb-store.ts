// The embedded store: one LMDB environment. Log and current state change in one transaction;
// concurrent writes share a commit; a write is acknowledged after its commit is flushed.
//
//   current  key       -> [revision, value]
//   log      revision  -> [key, isDelete, value], the newest `logRecordsMax`
//   meta     id, epoch, revision, holder (the process that has the store open)
//
//   S1. Conditions and effects of a write are in one transaction.
//   S2. overlappingSync is off: a commit's promise resolves after the flush, not before.
//   S3. An environment with records but without identity is damaged, never "new".
//   S4. No write is begun on a disk that is nearly full: LMDB's binding does not survive ENOSPC
//       (3.5.6: it hangs, or corrupts its heap). After any failed commit the store stays shut,
//       because what a failed flush left on the disk is known only after reopening.

import { mkdirSync } from 'node:fs';
import {
  open,
  type Database,
  type DatabaseOptions,
  type RootDatabase,
  type RootDatabaseOptionsWithPath,
  type Transaction,
} from 'lmdb';
import { toRevision, type LogKey, type Revision } from '../../common/model/ids.ts';
import { MeshError } from '../../common/pure/errors.ts';
import type { Chance } from '../../common/runtime/chance.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import type { Log } from '../../common/runtime/log.ts';
import { restOf, type Rest } from '../../common/runtime/rest.ts';
import { CommitGate } from './commit-gate.ts';
import { createCommitOrder, type CommitOrder } from './commit-order.ts';
import { DiskRoom } from './disk-room.ts';
import { isRunning, ownProcess } from './process-identity.ts';
import type { Store, StoreRecord, WriteOutcome, WriteRequest } from './store.ts';

export interface LmdbStoreOptions {
  /** Folder of the environment; made when missing. */
  readonly path: string;
  readonly chance: Chance;
  readonly log: Log;
  /** What came in one commit is told in the turns of this clock (I11); without it, at once. */
  readonly clock?: Clock;
  /** Records kept for followers that resume. Default 20,000. */
  readonly logRecordsMax?: number;
  /**
   * Space that writes leave free, in bytes. Deletes and the coordinator's own records may use
   * three quarters of it. Default 64 MiB.
   */
  readonly freeBytesMin?: number;
}

interface Current {
  readonly r: number;
  readonly v: Uint8Array;
}

interface Logged {
  readonly k: string;
  readonly d: boolean;
  readonly v: Uint8Array;
}

interface Tables {
  readonly root: RootDatabase;
  readonly current: Database<Current, string>;
  /** The same table, read in place: `v` holds only until the next read, and is nowhere else. */
  readonly glance: Pick<Database<Current, string>, 'get'>;
  readonly log: Database<Logged, number>;
  readonly meta: Database<string | number, string>;
}

const pageRecords = 500;
// Trimming in every transaction would double its work. A thousand at once are 6 ms of a slow machine (I11).
const trimStep = 32;

/**
 * Opens the environment in `path`, or makes it when the folder has none. Throws MeshError fatal
 * STORE_LOCKED (open elsewhere on this machine) and STORE_CORRUPT.
 */
export async function openLmdbStore(options: LmdbStoreOptions): Promise<Store> {
  const { path, chance, log } = options;
  mkdirSync(path, { recursive: true, mode: 0o700 });
  const tables = openTables(path);
  try {
    const isNew = isBlank(tables);
    if (isNew) initialize(tables, chance.uuid());
    hold(tables, path);
    const store = new LmdbStore(tables, options);
    const { id, epoch } = store.identity();
    const revision = await store.currentRevision();
    log.info(isNew ? 'store created' : 'store opened', { path, storeId: id, epoch, revision });
    return store;
  } catch (error) {
    await tables.root.close();
    throw error;
  }
}

type Follower = (records: readonly StoreRecord[]) => void;

class LmdbStore implements Store {
  readonly #tables: Tables;
  readonly #logRecordsMax: number;
  readonly #room: DiskRoom;
  readonly #rest: Rest;
  readonly #id: string;
  readonly #epoch: number;
  readonly #followers = new Set<Follower>();
  readonly #told: CommitOrder;
  readonly #gate = new CommitGate();
  #isBroken = false;

  constructor(tables: Tables, options: LmdbStoreOptions) {
    const [id, epoch] = [tables.meta.get('id'), tables.meta.get('epoch')];
    const revision = tables.meta.get('revision');
    if (typeof id !== 'string' || typeof epoch !== 'number' || typeof revision !== 'number') {
      throw new MeshError('fatal', 'STORE_CORRUPT', 'the store has lost its identity'); // S3
    }
    this.#tables = tables;
    this.#logRecordsMax = options.logRecordsMax ?? 20_000;
    this.#room = new DiskRoom(options.path, options.freeBytesMin ?? 64 * 2 ** 20);
    this.#rest = options.clock === undefined ? () => undefined : restOf(options.clock);
    this.#told = createCommitOrder({
      after: toRevision(revision),
      rest: this.#rest,
      tell: (record) => {
        // A copy: one that begins to follow meanwhile has this already.
        const followers = [...this.#followers];
        for (const follow of followers) follow([record]);
      },
    });
    this.#id = id;
    this.#epoch = epoch;
  }

  identity(): { readonly id: string; readonly epoch: number } {
    return { id: this.#id, epoch: this.#epoch };
  }

  currentRevision(): Promise<Revision> {
    return Promise.resolve(this.#told.revision());
  }

  async write(request: WriteRequest): Promise<WriteOutcome> {
    const entering = this.#gate.enter();
    if (entering !== undefined) await entering;
    let isJudged = false;
    const judged = (): void => {
      if (!isJudged) this.#gate.leave();
      isJudged = true;
    };
    try {
      return await this.#commit(request, judged);
    } finally {
      judged(); // also what was refused before
    }
  }

  async #commit(request: WriteRequest, judged: () => void): Promise<WriteOutcome> {
    if (this.#isBroken) throw unavailable('a commit failed earlier; the store must be reopened');
    if (!this.#room.allows(request)) {
      this.#room.forget();
      throw new MeshError('retryable', 'STORE_FULL', 'the disk of the store is nearly full');
    }
    const attempts: Attempt[] = [];
    try {
      await this.#tables.root.transaction(() => {
        attempts.push(attemptWrite(this.#tables, request, this.#logRecordsMax));
        judged();
      });
    } catch (error) {
      this.#isBroken = true; // S4
      throw unavailable('the store did not commit', error);
    } finally {
      this.#room.forget();
    }
    const attempt = attempts.at(-1); // a batch that the driver had to repeat ran it again
    if (attempt === undefined) throw unavailable('the store ran no transaction');
    if (attempt.record === undefined) return attempt.outcome;
    this.#told.add(attempt.record);
    await this.#rest(); // a large one is told in one turn and answered in the next
    return attempt.outcome;
  }

  snapshot(): ReturnType<Store['snapshot']> {
    // One read transaction for the revision and the records, or they would not belong together.
    const at = this.#tables.root.useReadTransaction();
    const revision = toRevision(Number(this.#tables.meta.get('revision', { transaction: at })));
    return Promise.resolve({ revision, pages: readPages(this.#tables, at) });
  }

  follow(from: Revision, onRecords: Follower): { cancel(): void } {
    const told = this.#told.revision();
    const missed = readLog(this.#tables, from, told);
    if (missed.length < told - from) {
      throw new MeshError('retryable', 'STORE_COMPACTED', `the log no longer reaches to ${from}`);
    }
    if (missed.length > 0) onRecords(missed);
    // A snapshot may be ahead of what was told to followers.
    const follower: Follower = (records) => {
      const later = records.filter(({ revision }) => revision > from);
      if (later.length > 0) onRecords(later);
    };
    this.#followers.add(follower);
    return { cancel: () => void this.#followers.delete(follower) };
  }

  async close(): Promise<void> {
    this.#followers.clear();
    await this.#tables.meta.remove('holder');
    await this.#tables.root.close();
  }
}

function openTables(path: string): Tables {
  const root = openRoot({
    path,
    noSubdir: false, // else a dot in the folder's name makes it a file
    overlappingSync: false, // S2
    maxDbs: 4,
    // 1.5 KiB objects: the map is virtual memory, the file grows only as it is used.
    mapSize: 16 * 2 ** 30,
    encoding: 'msgpack',
  });
  // A write looks at every key that it depends on; to copy their values would be most of what it
  // leaves to the collector of garbage. (lmdb hands this on to msgpackr, but has no type for it.)
  const inPlace: DatabaseOptions & { readonly copyBuffers: boolean } = {
    encoding: 'msgpack',
    copyBuffers: false,
  };
  return {
    root,
    current: root.openDB<Current, string>({ name: 'current', encoding: 'msgpack' }),
    glance: root.openDB<Current, string>({ name: 'current', ...inPlace }),
    log: root.openDB<Logged, number>({
      name: 'log',
      encoding: 'msgpack',
      keyEncoding: 'ordered-binary',
    }),
    meta: root.openDB<string | number, string>({ name: 'meta', encoding: 'msgpack' }),
  };
}

function openRoot(options: RootDatabaseOptionsWithPath): RootDatabase {
  try {
    return open(options);
  } catch (error) {
    throw new MeshError(
      'fatal',
      'STORE_CORRUPT',
      `cannot open the store in ${options.path}`,
      error,
    );
  }
}

/** Also true when the process ended between making the files and writing the identity. */
function isBlank({ meta, current, log }: Tables): boolean {
  return (
    meta.get('id') === undefined &&
    current.getKeysCount({ limit: 1 }) === 0 &&
    log.getKeysCount({ limit: 1 }) === 0
  );
}

function initialize({ root, meta }: Tables, id: string): void {
  root.transactionSync(() => {
    if (meta.get('id') !== undefined) return; // another process was faster
    void meta.put('epoch', 1);
    void meta.put('revision', 2 ** 40);
    void meta.put('id', id);
  });
}

/**
 * One process per environment: LMDB lets several write, and each would serve a stale copy. Two
 * that start at once are told apart because LMDB runs write transactions one after another.
 */
function hold({ root, meta }: Tables, path: string): void {
  const holder = root.transactionSync(() => {
    const known = meta.get('holder');
    if (typeof known === 'string' && isRunning(known)) return known;
    void meta.put('holder', ownProcess());
    return undefined;
  });
  if (holder === undefined) return;
  throw new MeshError('fatal', 'STORE_LOCKED', `${path} is open in process ${holder}`);
}

interface Attempt {
  readonly outcome: WriteOutcome;
  readonly record?: StoreRecord;
}

/** Runs inside the transaction: synchronous, sees its own earlier writes. */
function attemptWrite(tables: Tables, request: WriteRequest, logRecordsMax: number): Attempt {
  const { key, expected, guard, fence, guards = [], value } = request;
  for (const condition of [guard, fence, ...guards]) {
    if (condition === undefined) continue;
    const current = toRevision(tables.glance.get(condition.key)?.r ?? 0);
    if (current !== condition.revision) return { outcome: { kind: 'fenced', current } };
  }
  const previous = tables.glance.get(key);
  const current = toRevision(previous?.r ?? 0);
  if (current !== expected || (value === undefined && previous === undefined)) {
    return { outcome: { kind: 'conflict', current } };
  }
  const kept = value ?? Buffer.from(previous?.v ?? []); // a copy, before the next read
  const revision = toRevision(Number(tables.meta.get('revision')) + 1);
  const isDelete = value === undefined;
  if (isDelete) void tables.current.remove(key);
  else void tables.current.put(key, { r: revision, v: kept });
  void tables.log.put(revision, { k: key, d: isDelete, v: kept });
  void tables.meta.put('revision', revision);
  if (revision % trimStep === 0) trim(tables, toRevision(revision - logRecordsMax));
  return {
    outcome: { kind: 'written', revision },
    record: { key, revision, value: kept, isDelete },
  };
}

function trim(tables: Tables, before: Revision): void {
  for (const old of tables.log.getKeys({ end: before, limit: 4 * trimStep }))
    void tables.log.remove(old);
}

async function* readPages(
  { current }: Tables,
  transaction: Transaction,
): AsyncGenerator<readonly StoreRecord[]> {
  try {
    let page: StoreRecord[] = [];
    for (const { key, value } of current.getRange({ transaction })) {
      page.push({
        key: key as LogKey, // only attemptWrite writes keys
        revision: toRevision(value.r),
        value: value.v,
        isDelete: false,
      });
      if (page.length < pageRecords) continue;
      yield await Promise.resolve(page);
      page = [];
    }
    if (page.length > 0) yield page;
  } finally {
    transaction.done();
  }
}

function readLog(tables: Tables, from: Revision, to: Revision): readonly StoreRecord[] {
  const records: StoreRecord[] = [];
  for (const { key, value } of tables.log.getRange({ start: from + 1, end: to + 1 })) {
    records.push({
      key: value.k as LogKey,
      revision: toRevision(key),
      value: value.v,
      isDelete: value.d,
    });
  }
  return records;
}

function unavailable(message: string, cause?: unknown): MeshError {
  return new MeshError('retryable', 'STORE_UNAVAILABLE', message, cause);
}
