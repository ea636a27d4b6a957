// A store in memory, for tests, the simulation and anything that may forget. It keeps every rule
// of the port, on a `MemoryDisk` that outlives the store object as a disk outlives a process.

import { toRevision, type LogKey, type Revision } from '../../common/model/ids.ts';
import { MeshError } from '../../common/pure/errors.ts';
import type { Store, StoreRecord, WriteOutcome, WriteRequest } from './store.ts';

export interface MemoryDisk {
  readonly id: string;
  epoch: number;
  revision: Revision;
  readonly current: Map<LogKey, StoreRecord>;
  readonly log: StoreRecord[];
}

export interface MemoryStoreOptions {
  readonly disk: MemoryDisk;
  /** Fault to inject into the next write: the answer is lost after or before it took effect. */
  readonly fault?: () => 'none' | 'lost-answer' | 'unavailable';
  /** Waits until the write is "flushed"; the default is one promise turn. */
  readonly flush?: () => Promise<void>;
}

const pageRecords = 500;

export function createMemoryDisk(id: string, epoch = 1): MemoryDisk {
  return { id, epoch, revision: toRevision(epoch * 2 ** 40), current: new Map(), log: [] };
}

export function createMemoryStore(options: MemoryStoreOptions): Store {
  const { disk } = options;
  const followers = new Set<(records: readonly StoreRecord[]) => void>();
  let isClosed = false;
  const refuse = (): MeshError =>
    new MeshError('retryable', 'STORE_UNAVAILABLE', 'the store is not available');

  const write = async (request: WriteRequest): Promise<WriteOutcome> => {
    const fault = options.fault?.() ?? 'none';
    if (isClosed || fault === 'unavailable') throw refuse();
    await (options.flush?.() ?? Promise.resolve());
    if (isClosed) throw refuse();
    const { outcome, record } = writeTo(disk, request);
    const told = record === undefined ? [] : [...followers];
    if (record !== undefined) for (const follow of told) follow([record]);
    if (fault === 'lost-answer') throw refuse();
    return outcome;
  };

  return {
    identity: () => ({ id: disk.id, epoch: disk.epoch }),
    currentRevision: () => (isClosed ? Promise.reject(refuse()) : Promise.resolve(disk.revision)),
    write,
    snapshot: () =>
      Promise.resolve({ revision: disk.revision, pages: pagesOf([...disk.current.values()]) }),
    follow: (from, onRecords) => {
      const missed = disk.log.filter(({ revision }) => revision > from);
      if (missed.length > 0) onRecords(missed);
      followers.add(onRecords);
      return { cancel: () => void followers.delete(onRecords) };
    },
    close: () => {
      isClosed = true;
      followers.clear();
      return Promise.resolve();
    },
  };
}

function writeTo(
  disk: MemoryDisk,
  request: WriteRequest,
): { readonly outcome: WriteOutcome; readonly record?: StoreRecord } {
  const { key, expected, guard, fence, guards = [], value } = request;
  const previous = disk.current.get(key);
  const current = previous?.revision ?? toRevision(0);
  for (const condition of [guard, fence, ...guards]) {
    if (condition === undefined) continue;
    const found = disk.current.get(condition.key)?.revision ?? toRevision(0);
    if (found !== condition.revision) return { outcome: { kind: 'fenced', current: found } };
  }
  if (current !== expected || (value === undefined && previous === undefined)) {
    return { outcome: { kind: 'conflict', current } };
  }
  const revision = toRevision(disk.revision + 1);
  const record: StoreRecord = {
    key,
    revision,
    value: value ?? previous?.value ?? new Uint8Array(),
    isDelete: value === undefined,
  };
  disk.revision = revision;
  disk.log.push(record);
  if (record.isDelete) disk.current.delete(key);
  else disk.current.set(key, record);
  return { outcome: { kind: 'written', revision }, record };
}

async function* pagesOf(records: StoreRecord[]): AsyncGenerator<readonly StoreRecord[]> {
  records.sort((a, b) => (a.key < b.key ? -1 : 1));
  for (let start = 0; start < records.length; start += pageRecords) {
    yield await Promise.resolve(records.slice(start, start + pageRecords));
  }
}
