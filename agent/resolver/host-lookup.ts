// Port: addresses of a load balancer that is a name, and a bounded cache in front of it. Such
// names are never resolved once and frozen: they are asked again when their TTL has passed.
// Adapter: ./node-host-lookup.ts.

import type { Clock } from '../../common/runtime/clock.ts';

export interface HostAddresses {
  /** IPv4 and IPv6 literals. */
  readonly addresses: readonly string[];
  readonly ttlSeconds: number;
}

export interface HostLookup {
  /** Throws MeshError retryable HOST_LOOKUP when neither family could be had in time. */
  lookup(hostname: string, deadlineMs: number): Promise<HostAddresses>;
}

const lookupMs = 1_500; // pods' own resolvers wait 5 s, cluster DNS 2 s
const keptMsMax = 30_000;
const keptMsMin = 1_000;
const hostsMax = 1_000;

interface Kept {
  readonly addresses: readonly string[];
  readonly freshUntilMs: number;
}

export class HostCache {
  readonly #lookup: HostLookup;
  readonly #clock: Clock;
  readonly #kept = new Map<string, Kept>();
  readonly #running = new Map<string, Promise<readonly string[]>>();

  constructor(lookup: HostLookup, clock: Clock) {
    this.#lookup = lookup;
    this.#clock = clock;
  }

  /** Fresh addresses, if any are at hand. */
  fresh(hostname: string): readonly string[] | undefined {
    const kept = this.#kept.get(hostname);
    return kept !== undefined && kept.freshUntilMs > this.#clock.monotonicMs()
      ? kept.addresses
      : undefined;
  }

  /** Fresh addresses, or old ones when asking fails; empty when there are none. Never throws. */
  addresses(hostname: string): Promise<readonly string[]> {
    const running = this.#running.get(hostname);
    if (running !== undefined) return running;
    const started = this.#ask(hostname).finally(() => this.#running.delete(hostname));
    this.#running.set(hostname, started);
    return started;
  }

  async #ask(hostname: string): Promise<readonly string[]> {
    try {
      const { addresses, ttlSeconds } = await this.#lookup.lookup(hostname, lookupMs);
      const keptMs = Math.min(Math.max(ttlSeconds * 1_000, keptMsMin), keptMsMax);
      this.#kept.delete(hostname);
      this.#kept.set(hostname, { addresses, freshUntilMs: this.#clock.monotonicMs() + keptMs });
      const [oldest] = this.#kept.keys();
      if (this.#kept.size > hostsMax && oldest !== undefined) this.#kept.delete(oldest);
      return addresses;
    } catch {
      return this.#kept.get(hostname)?.addresses ?? [];
    }
  }
}
