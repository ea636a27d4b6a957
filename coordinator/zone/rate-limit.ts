// Response-rate limiting for UDP: how many answers one network gets in a second. A forged sender
// address makes us somebody's flood; over TCP nobody can forge one. Input: an address and the
// time. Output: answer, say nothing, or say "come over TCP".
//
//   R1. Memory is fixed: networks share a table of buckets by a keyed hash.
//   R2. Every second answer that is withheld is a truncated one (slip 2): a resolver behind a
//       flooded network still gets its answer, over TCP, and no flood gets more than it sent.

import type { Networks } from '../../common/pure/networks.ts';

export type Allowance = 'answer' | 'drop' | 'truncate';

export interface RateLimitOptions {
  /** Answers a second for each /24 (IPv4) and /56 (IPv6), and as many at once. 0: no limit. */
  readonly perSecond: number;
  readonly exempt: Networks;
  /** Keys the hash, so that nobody can choose whom to share a bucket with. */
  readonly seed: number;
}

const bucketBits = 16;
const slip = 2;
const knownMax = 1_024;

export class RateLimiter {
  readonly #options: RateLimitOptions;
  readonly #credits: Float32Array;
  readonly #seenMs: Float64Array;
  /** Of addresses that were looked at last: a forwarder that is exempt asks all the time. */
  readonly #known = new Map<string, boolean>();
  #withheld = 0;

  constructor(options: RateLimitOptions) {
    this.#options = options;
    this.#credits = new Float32Array(2 ** bucketBits).fill(options.perSecond);
    this.#seenMs = new Float64Array(2 ** bucketBits);
  }

  /** `nowMs` never goes back. */
  check(address: string, nowMs: number): Allowance {
    const { perSecond, exempt, seed } = this.#options;
    if (perSecond === 0) return 'answer';
    const at = hashOfNetwork(address, seed) & (2 ** bucketBits - 1);
    const gained = ((nowMs - (this.#seenMs[at] ?? 0)) * perSecond) / 1_000;
    const credit = Math.min(perSecond, (this.#credits[at] ?? 0) + gained);
    this.#seenMs[at] = nowMs;
    const isLeft = credit >= 1;
    this.#credits[at] = isLeft ? credit - 1 : credit;
    // Looked at only of who ran out: most never do.
    if (isLeft || this.#isExempt(address, exempt)) return 'answer';
    this.#withheld += 1;
    return this.#withheld % slip === 0 ? 'truncate' : 'drop';
  }

  #isExempt(address: string, exempt: Networks): boolean {
    const known = this.#known.get(address);
    if (known !== undefined) return known;
    const isExempt = exempt.has(address);
    if (this.#known.size >= knownMax) this.#known.clear();
    this.#known.set(address, isExempt);
    return isExempt;
  }
}

/** FNV-1a of the first 24 bits of an IPv4 address or the first 56 of an IPv6 one. */
export function hashOfNetwork(address: string, seed: number): number {
  const network = address.includes(':') ? toNetwork6(address) : address;
  const end = network.lastIndexOf('.');
  let hash = 0x811c9dc5 ^ seed;
  for (let at = 0; at < end; at += 1) hash = Math.imul(hash ^ network.charCodeAt(at), 0x01000193);
  return (hash ^ (hash >>> bucketBits)) >>> 0;
}

/** A text that ends in a dot and what does not count; IPv4 in IPv6 form is IPv4. */
function toNetwork6(address: string): string {
  if (address.startsWith('::ffff:') && address.includes('.')) return address.slice(7);
  const [head = '', tail] = address.split('::');
  const front = head === '' ? [] : head.split(':');
  const back = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? 0 : Math.max(8 - front.length - back.length, 0);
  const groups = [...front, ...Array.from({ length: zeros }, () => '0'), ...back];
  const fourth = Number.parseInt(groups[3] ?? '0', 16) >>> 8;
  return `${groups[0]}:${groups[1]}:${groups[2]}:${fourth}.`;
}
