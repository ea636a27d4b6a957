// The embedded store: one LMDB environment. Log and current state change in one transaction;
// concurrent writes share a commit; a write is acknowledged after its commit is flushed.
//
//   current  key                -> [revision, value]
//   log      revision           -> [key, isDelete, value], the newest `logRecordsMax`
//   meta     identity, epoch, revision
//
//   S1. Conditions and effects of a write are in one transaction.
//   S2. overlappingSync is off: a commit's promise resolves after the flush, not before.

import { closeSync, mkdirSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { open, type Database, type RootDatabase } from 'lmdb';
import { toRevision, type LogKey, type Revision } from '../../common/model/ids.ts';
import { MeshError } from '../../common/pure/errors.ts';
import type { Chance } from '../../common/runtime/chance.ts';
import type { Log } from '../../common/runtime/log.ts';
import type { Store, StoreRecord, WriteOutcome, WriteRequest } from './store.ts';

export interface LmdbStoreOptions {
  /** Folder of the environment; made when missing. */
  readonly path: string;
  readonly chance: Chance;
  readonly log: Log;
  /** Records kept for followers that resume. Default 20,000. */
  readonly logRecordsMax?: number;
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
  readonly log: Database<Logged, number>;
  readonly meta: Database<string | number, string>;
}

const pageRecords = 500;
// Trimming in every transaction would double its work; in steps it is one range per step.
const trimStep = 1000;

/** Opens or creates. Throws MeshError fatal STORE_LOCKED, STORE_CORRUPT. */
export async function openLmdbStore(options: LmdbStoreOptions): Promise<Store> {
  mkdirSync(options.path, { recursive: true, mode: 0o700 });
  const unlock = lock(join(options.path, 'lock'));
  const tables = openTables(options.path);
  const id = await identify(tables, options.chance);
  const epoch = Number(tables.meta.get('epoch'));
  let revision = toRevision(Number(tables.meta.get('revision')));
  const followers = new Set<(records: readonly StoreRecord[]) => void>();
  const logRecordsMax = options.logRecordsMax ?? 20_000;
  options.log.info('store opened', { path: options.path, storeId: id, epoch, revision });

  // Commits resolve in order, and each resolution tells followers before the writer goes on.
  const write = async (request: WriteRequest): Promise<WriteOutcome> => {
    let attempt: Attempt | undefined;
    try {
      await tables.root.transaction(() => {
        attempt = attemptWrite(tables, request, logRecordsMax);
      });
    } catch (error) {
      throw translate(error);
    }
    if (attempt === undefined) throw new MeshError('retryable', 'STORE_UNAVAILABLE', 'no commit');
    if (attempt.record !== undefined) {
      pending.push(attempt.record);
      deliver();
    }
    return attempt.outcome;
  };

  const pending: StoreRecord[] = [];
  const deliver = (): void => {
    pending.sort((a, b) => a.revision - b.revision);
    const ready: StoreRecord[] = [];
    while (pending[0]?.revision === revision + 1 + ready.length) ready.push(pending.shift() as StoreRecord);
    const last = ready.at(-1);
    if (last === undefined) return;
    revision = last.revision;
    for (const follow of [...followers]) follow(ready);
  };

  return {
    identity: () => ({ id, epoch }),
    currentRevision: () => Promise.resolve(revision),
    write,
    snapshot: () => Promise.resolve({ revision, pages: readPages(tables) }),
    follow: (from, onRecords) => {
      const missed = readLog(tables, from, revision);
      if (missed.length > 0) onRecords(missed);
      followers.add(onRecords);
      return { cancel: () => void followers.delete(onRecords) };
    },
    close: async () => {
      followers.clear();
      await tables.root.close();
      unlock();
    },
  };
}

function openTables(path: string): Tables {
  const root = open({
    path,
    overlappingSync: false, // S2
    maxDbs: 4,
    // 1.5 KiB objects: the map is virtual memory, the file grows only as it is used.
    mapSize: 16 * 2 ** 30,
    encoding: 'msgpack',
  });
  return {
    root,
    current: root.openDB<Current, string>({ name: 'current', encoding: 'msgpack' }),
    log: root.openDB<Logged, number>({ name: 'log', encoding: 'msgpack', keyEncoding: 'ordered-binary' }),
    meta: root.openDB<string | number, string>({ name: 'meta', encoding: 'msgpack' }),
  };
}

/** The store's id; a folder that has none is new and gets one. */
async function identify(tables: Tables, chance: Chance): Promise<string> {
  const known = tables.meta.get('id');
  if (typeof known === 'string') return known;
  const id = chance.uuid();
  await tables.root.transaction(() => {
    void tables.meta.put('epoch', 1);
    void tables.meta.put('revision', 2 ** 40);
    void tables.meta.put('id', id);
  });
  return id;
}

interface Attempt {
  readonly outcome: WriteOutcome;
  readonly record?: StoreRecord;
}

/** Runs inside the transaction: synchronous, sees its own earlier writes. */
function attemptWrite(tables: Tables, request: WriteRequest, logRecordsMax: number): Attempt {
  const { key, expected, guard, value } = request;
  if (guard !== undefined) {
    const current = toRevision(tables.current.get(guard.key)?.r ?? 0);
    if (current !== guard.revision) return { outcome: { kind: 'fenced', current } };
  }
  const previous = tables.current.get(key);
  const current = toRevision(previous?.r ?? 0);
  if (current !== expected || (value === undefined && previous === undefined)) {
    return { outcome: { kind: 'conflict', current } };
  }
  const revision = toRevision(Number(tables.meta.get('revision')) + 1);
  const isDelete = value === undefined;
  const kept = value ?? previous?.v ?? new Uint8Array();
  if (isDelete) void tables.current.remove(key);
  else void tables.current.put(key, { r: revision, v: kept });
  void tables.log.put(revision, { k: key, d: isDelete, v: kept });
  void tables.meta.put('revision', revision);
  if (revision % trimStep === 0) trim(tables, toRevision(revision - logRecordsMax));
  return { outcome: { kind: 'written', revision }, record: { key, revision, value: kept, isDelete } };
}

function trim(tables: Tables, before: Revision): void {
  for (const old of tables.log.getKeys({ end: before, limit: 4 * trimStep })) void tables.log.remove(old);
}

async function* readPages(tables: Tables): AsyncGenerator<readonly StoreRecord[]> {
  let page: StoreRecord[] = [];
  for (const { key, value } of tables.current.getRange({ snapshot: true })) {
    page.push({ key: key as LogKey, revision: toRevision(value.r), value: value.v, isDelete: false });
    if (page.length < pageRecords) continue;
    yield await Promise.resolve(page);
    page = [];
  }
  if (page.length > 0) yield page;
}

function readLog(tables: Tables, from: Revision, to: Revision): readonly StoreRecord[] {
  const records: StoreRecord[] = [];
  for (const { key, value } of tables.log.getRange({ start: from + 1, end: to + 1 })) {
    records.push({ key: value.k as LogKey, revision: toRevision(key), value: value.v, isDelete: value.d });
  }
  return records;
}

function translate(error: unknown): MeshError {
  const text = error instanceof Error ? error.message : String(error);
  if (/MAP_FULL|ENOSPC|No space/i.test(text)) {
    return new MeshError('retryable', 'STORE_FULL', 'the disk or the map of the store is full', error);
  }
  return new MeshError('retryable', 'STORE_UNAVAILABLE', 'the store did not commit', error);
}

/** One process per folder: LMDB would let two write, and each would serve a stale copy. */
function lock(path: string): () => void {
  for (let attempt = 0; attempt < 2; attempt += 1) {
    try {
      const file = openSync(path, 'wx', 0o600);
      writeSync(file, String(process.pid));
      closeSync(file);
      return () => rmSync(path, { force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      const holder = Number(readFileSync(path, 'utf8'));
      if (holder !== process.pid && isAlive(holder)) {
        throw new MeshError('fatal', 'STORE_LOCKED', `${path} is held by process ${holder}`);
      }
      rmSync(path, { force: true }); // left by a process that was killed
    }
  }
  throw new MeshError('fatal', 'STORE_LOCKED', `${path} is being taken by another process`);
}

function isAlive(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
