// The room that writes of the embedded store leave on its disk.

import { statfsSync } from 'node:fs';
import { toLogPrefix } from '../../common/model/ids.ts';
import { isthmusGroup } from '../../common/model/isthmus-kinds.ts';
import type { WriteRequest } from './store.ts';

/**
 * What the coordinator itself keeps in the log: who leads, what DNS says, what is to be removed.
 * Small, bounded by what users have written, and needed most when a disk is full: without its
 * term a coordinator cannot even start and answer reads.
 */
const ownRecords = [
  'terms',
  'publications',
  'dnsapplied',
  'dnsbatches',
  'placements',
  'removalorders',
  'sessions',
].map((resource) => toLogPrefix(isthmusGroup, resource));

// What LMDB copies on a write besides the value: the branch pages of two trees.
const pageBytes = 64 << 10;

/**
 * Asks the disk before each commit, since others fill it too. Writes that come while one is under
 * way share its answer: a commit takes milliseconds and few writes wait for it, but with a hundred
 * clients each question costs as much as a write.
 */
export class DiskRoom {
  readonly #path: string;
  readonly #reserve: number;
  #freeBytes: number | undefined;

  constructor(path: string, reserve: number) {
    this.#path = path;
    this.#reserve = reserve;
  }

  allows({ key, value }: WriteRequest): boolean {
    const isVital = value === undefined || ownRecords.some((prefix) => key.startsWith(prefix));
    this.#freeBytes ??= this.#ask();
    const isAllowed = this.#freeBytes >= (isVital ? this.#reserve / 4 : this.#reserve);
    // In both tables, and the pages around it.
    this.#freeBytes -= 2 * (value?.length ?? 0) + pageBytes;
    return isAllowed;
  }

  /** Something was committed: what was known of the disk is old. */
  forget(): void {
    this.#freeBytes = undefined;
  }

  #ask(): number {
    const { bavail, bsize } = statfsSync(this.#path);
    return bavail * bsize;
  }
}
