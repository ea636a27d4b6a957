// Keys in byte order, per bucket `<group>/<resource>/`, with insertion and removal proportional
// to one chunk instead of the whole: lists are frequent, and a bucket may hold 100,000 keys.

const chunkMax = 512;
// Keys are printable ASCII: the least text above a key, and one above all that a prefix begins.
const keyAbove = '\u0000';
const aboveAll = '\uffff';

/** A sorted set of strings as a list of sorted chunks. */
export class SortedKeys {
  #chunks: string[][] = [];

  add(key: string): void {
    const at = this.#chunkFor(key);
    const chunk = this.#chunks[at];
    if (chunk === undefined) {
      this.#chunks.push([key]);
      return;
    }
    const index = lowerBound(chunk, key);
    if (chunk[index] === key) return;
    chunk.splice(index, 0, key);
    if (chunk.length > chunkMax) this.#chunks.splice(at + 1, 0, chunk.splice(chunkMax / 2));
  }

  delete(key: string): void {
    const at = this.#chunkFor(key);
    const chunk = this.#chunks[at];
    if (chunk === undefined) return;
    const index = lowerBound(chunk, key);
    if (chunk[index] !== key) return;
    chunk.splice(index, 1);
    if (chunk.length === 0) this.#chunks.splice(at, 1);
  }

  /**
   * Keys that begin with `prefix`, and are above `after` when it is given, in order. The set must
   * not change during the walk.
   */
  *under(prefix: string, after = ''): Generator<string> {
    const start = after < prefix ? prefix : `${after}${keyAbove}`;
    for (let at = this.#chunkFor(start); at < this.#chunks.length; at += 1) {
      const chunk = this.#chunks[at] ?? [];
      for (let index = lowerBound(chunk, start); index < chunk.length; index += 1) {
        const key = chunk[index] ?? '';
        if (!key.startsWith(prefix)) return;
        yield key;
      }
    }
  }

  /** How many keys under() would give; the work is that of counting chunks. */
  count(prefix: string, after = ''): number {
    const start = after < prefix ? prefix : `${after}${keyAbove}`;
    return Math.max(0, this.#rank(`${prefix}${aboveAll}`) - this.#rank(start));
  }

  /** How many keys are below `key`. */
  #rank(key: string): number {
    const at = this.#chunkFor(key);
    let below = 0;
    for (let index = 0; index < at; index += 1) below += this.#chunks[index]?.length ?? 0;
    return below + lowerBound(this.#chunks[at] ?? [], key);
  }

  /** The last chunk whose first key is not above `key`, else the first. */
  #chunkFor(key: string): number {
    let [low, high] = [0, this.#chunks.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#chunks[middle]?.[0] ?? '') <= key) low = middle + 1;
      else high = middle;
    }
    return Math.max(0, low - 1);
  }
}

function lowerBound(sorted: readonly string[], key: string): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle] ?? '') < key) low = middle + 1;
    else high = middle;
  }
  return low;
}
