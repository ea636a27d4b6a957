// The durable log of the simulated coordinator: a disk that outlives every process, and the store
// as one process opens it. A write takes time before and after it is durable, so a crash falls on
// either side; the store can be unavailable or lose answers. Several processes may hold it open,
// as replicas do, and each follows what the others write.

import { splitLogKey, type LogKey, type Revision } from '../../common/model/ids.ts';
import type { KubeObject } from '../../common/model/kube-object.ts';
import { MeshError } from '../../common/pure/errors.ts';
import { sleep, type Clock } from '../../common/runtime/clock.ts';
import {
  createMemoryDisk,
  createMemoryStore,
  type MemoryDisk,
} from '../../coordinator/desired/memory-store.ts';
import { parseStoreValue } from '../../coordinator/desired/stored-object.ts';
import type { Store, StoreRecord, WriteRequest } from '../../coordinator/desired/store.ts';
import type { SeededChance } from './seeded-chance.ts';
import type { SimProcess } from './sim-process.ts';

export interface StoreFaults {
  /** Parts of all writes, 0 to 1. */
  unavailable: number;
  lostAnswer: number;
}

/** A record as it became durable. */
export interface Written {
  readonly key: LogKey;
  readonly resource: string;
  readonly revision: Revision;
  readonly isDelete: boolean;
  /** As written; of a delete the last one. */
  readonly object: KubeObject;
  /** What stood there before. */
  readonly previous: KubeObject | undefined;
  /** Process that wrote it. */
  readonly by: string;
}

/** Bugs that a canary run plants. */
export interface StoreBugs {
  readonly ignoresGuards: boolean;
  readonly losesOnCrash: boolean;
}

type Follower = (records: readonly StoreRecord[]) => void;

export class SimDisk {
  readonly memory: MemoryDisk;
  readonly #faults: StoreFaults = { unavailable: 0, lostAnswer: 0 };
  readonly #chance: SeededChance;
  readonly #bugs: StoreBugs;
  readonly #followers = new Map<Follower, SimProcess>();
  readonly #latest = new Map<LogKey, KubeObject>();
  /** The same: checkers look after each step. */
  readonly #byResource = new Map<string, Map<LogKey, KubeObject>>();
  readonly #listeners: ((written: Written) => void)[] = [];
  readonly #clock: Clock;
  #delivered = 0;
  #lastTroubleMs = -Infinity;

  constructor(clock: Clock, chance: SeededChance, bugs: StoreBugs) {
    this.#clock = clock;
    this.#chance = chance;
    this.#bugs = bugs;
    this.memory = createMemoryDisk(chance.uuid());
  }

  setFaults(faults: StoreFaults): void {
    Object.assign(this.#faults, faults);
    this.#lastTroubleMs = this.#clock.monotonicMs();
  }

  /** Monotonic: now while writes fail, else when they last did. */
  lastTroubleMs(): number {
    const isFine = this.#faults.unavailable === 0 && this.#faults.lostAnswer === 0;
    return isFine ? this.#lastTroubleMs : this.#clock.monotonicMs();
  }

  get(key: LogKey): KubeObject | undefined {
    return this.#latest.get(key);
  }

  /** Every object that is there, by key. */
  objects(resource: string): readonly KubeObject[] {
    return [...this.#objectsOf(resource)]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([, object]) => object);
  }

  onWritten(listener: (written: Written) => void): void {
    this.#listeners.push(listener);
  }

  /** A planted bug: what was written last is not there after the crash. */
  crash(): void {
    const { log, current } = this.memory;
    if (!this.#bugs.losesOnCrash) return;
    for (const lost of log.splice(-12)) current.delete(lost.key);
    this.#delivered = log.length;
  }

  open(process: SimProcess): Store {
    const inner = createMemoryStore({
      disk: this.memory,
      flush: () => sleep(process.clock, 0.2 + 3 * this.#chance.fraction()),
      fault: () => {
        if (this.#chance.isTrue(this.#faults.unavailable)) return 'unavailable';
        return this.#chance.isTrue(this.#faults.lostAnswer) ? 'lost-answer' : 'none';
      },
    });
    const mine = new Set<Follower>();
    const write = async ({ guard, ...request }: WriteRequest) => {
      try {
        const isGuarded = guard !== undefined && !this.#bugs.ignoresGuards;
        return await inner.write(isGuarded ? { ...request, guard } : request);
      } finally {
        this.#deliver(process.name);
        await sleep(process.clock, 2 * this.#chance.fraction());
      }
    };
    return {
      ...inner,
      write,
      currentRevision: () =>
        this.#chance.isTrue(this.#faults.unavailable)
          ? Promise.reject(new MeshError('retryable', 'STORE_UNAVAILABLE', 'no answer'))
          : inner.currentRevision(),
      follow: (from, onRecords) => {
        const missed = this.memory.log.filter(({ revision }) => revision > from);
        if (missed.length > 0) onRecords(missed);
        const follower: Follower = (records) => onRecords(records);
        this.#followers.set(follower, process);
        mine.add(follower);
        return {
          cancel: () => {
            this.#followers.delete(follower);
            mine.delete(follower);
          },
        };
      },
      close: () => {
        for (const follower of mine) this.#followers.delete(follower);
        return inner.close();
      },
    };
  }

  #objectsOf(resource: string): Map<LogKey, KubeObject> {
    const objects = this.#byResource.get(resource) ?? new Map<LogKey, KubeObject>();
    this.#byResource.set(resource, objects);
    return objects;
  }

  #deliver(by: string): void {
    const fresh = this.memory.log.slice(this.#delivered);
    this.#delivered = this.memory.log.length;
    for (const record of fresh) {
      const { key, revision, isDelete } = record;
      const object = parseStoreValue(record.value);
      const previous = this.#latest.get(key);
      const { resource } = splitLogKey(key);
      for (const objects of [this.#latest, this.#objectsOf(resource)]) {
        if (isDelete) objects.delete(key);
        else objects.set(key, object);
      }
      const written = { key, resource, revision, isDelete, object, previous, by };
      for (const listener of this.#listeners) listener(written);
    }
    if (fresh.length === 0) return;
    for (const [follower, process] of this.#followers) process.run(() => follower(fresh));
  }
}
