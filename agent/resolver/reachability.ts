// The resolver's own view of other clusters' addresses: round trips, measured once in a while where
// several shards are equally near, and, while the coordinator is away, probes of the addresses that
// pods are being sent to and of the next candidates. All only for Services that are asked for.
//
//   B1. One failure is not two: an address is suspect after two failed probes in a row.
//   B2. With the coordinator back its verdicts count again and suspicion is dropped.
//   B3. Bounds: Services watched, targets per round, probes at once.

import type { ServiceKey } from '../../common/model/ids.ts';
import type { ProbeResult, ProbeTarget } from '../../common/model/telemetry.ts';
import type { Clock, Timer } from '../../common/runtime/clock.ts';
import type { Prober } from '../../common/runtime/prober.ts';

export interface ReachabilityOptions {
  readonly clock: Clock;
  readonly prober: Prober;
  readonly isAway: () => boolean;
  /** What to probe for a Service: what it is answered with, then the next candidates. */
  readonly targetsOf: (key: ServiceKey) => readonly ProbeTarget[];
  /** Answers may differ now. */
  readonly onChange: () => void;
}

const roundMs = 10_000;
const afterFailureMs = 2_000;
const probeMs = 2_000;
const askedWithinMs = 60_000;
const servicesMax = 256;
const targetsMax = 64;
const probesAtOnce = 8;
const failuresToSuspect = 2;
const addressesMax = 4_096;
const measureAgainMs = 600_000;

export class Reachability {
  readonly #options: ReachabilityOptions;
  readonly #asked = new Map<ServiceKey, number>();
  readonly #failures = new Map<string, number>();
  readonly #roundTrips = new Map<string, number>();
  readonly #measuredAt = new Map<string, number>();
  #measuring = 0;
  #timer: Timer | undefined;
  #isRunning = false;
  #isStopped = false;

  constructor(options: ReachabilityOptions) {
    this.#options = options;
  }

  isSuspect(address: string): boolean {
    return (this.#failures.get(address) ?? 0) >= failuresToSuspect;
  }

  roundTripMs(address: string): number | undefined {
    return this.#roundTrips.get(address);
  }

  /** Measures round trips that are not known or old; failures mean nothing here. */
  measure(targets: readonly ProbeTarget[]): void {
    const nowMs = this.#options.clock.monotonicMs();
    const due = targets.filter(
      ({ address }) => (this.#measuredAt.get(address) ?? -Infinity) < nowMs - measureAgainMs,
    );
    const room = targetsMax - this.#measuring;
    const taken = due.slice(0, Math.max(room, 0));
    if (taken.length === 0 || this.#isStopped) return;
    for (const { address } of taken) remember(this.#measuredAt, address, nowMs);
    this.#measuring += taken.length;
    void this.#probeAll(taken).then((results) => {
      this.#measuring -= taken.length;
      if (!this.#isStopped) for (const result of results) this.note(result);
    });
  }

  /** A pod was sent to another cluster for this Service while the coordinator was away. */
  noteAsked(key: ServiceKey): void {
    this.#asked.delete(key);
    this.#asked.set(key, this.#options.clock.monotonicMs());
    const [oldest] = this.#asked.keys();
    if (this.#asked.size > servicesMax && oldest !== undefined) this.#asked.delete(oldest);
    if (this.#timer === undefined && !this.#isRunning) this.#schedule(0);
  }

  /** A probe's result, from here or from the agent's other probes. */
  note(result: ProbeResult): void {
    const { address } = result.target;
    const before = this.#roundTrips.get(address);
    if (!result.ok) return;
    remember(this.#roundTrips, address, result.roundTripMs);
    if (before === undefined || isOtherClass(before, result.roundTripMs)) this.#options.onChange();
  }

  /** B2. */
  forgetSuspicion(): void {
    this.#failures.clear();
    this.#asked.clear();
  }

  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #schedule(delayMs: number): void {
    if (this.#isStopped) return;
    this.#timer = this.#options.clock.after(delayMs, () => {
      this.#timer = undefined;
      void this.#round();
    });
  }

  async #round(): Promise<void> {
    const { clock, isAway } = this.#options;
    const limit = clock.monotonicMs() - askedWithinMs;
    for (const [key, at] of this.#asked) if (at < limit) this.#asked.delete(key);
    if (!isAway() || this.#asked.size === 0) return;
    this.#isRunning = true;
    const results = await this.#probeAll(this.#targets());
    this.#isRunning = false;
    if (this.#isStopped || !isAway()) return;
    const hasDoubt = this.#judge(results);
    this.#schedule(hasDoubt ? afterFailureMs : roundMs);
  }

  /** The Services asked for last come first. */
  #targets(): readonly ProbeTarget[] {
    const targets = new Map<string, ProbeTarget>();
    for (const key of [...this.#asked.keys()].reverse()) {
      for (const target of this.#options.targetsOf(key)) targets.set(target.address, target);
      if (targets.size >= targetsMax) break;
    }
    return [...targets.values()].slice(0, targetsMax);
  }

  async #probeAll(targets: readonly ProbeTarget[]): Promise<readonly ProbeResult[]> {
    const results: ProbeResult[] = [];
    const queue = [...targets];
    const work = async (): Promise<void> => {
      for (let target = queue.shift(); target !== undefined; target = queue.shift()) {
        results.push(await this.#options.prober.probe(target, probeMs));
      }
    };
    await Promise.all(Array.from({ length: probesAtOnce }, work));
    return results;
  }

  /** True while an address has failed once and is not yet decided. */
  #judge(results: readonly ProbeResult[]): boolean {
    let hasDoubt = false;
    let isChanged = false;
    for (const result of results) {
      const { address } = result.target;
      const wasSuspect = this.isSuspect(address);
      if (result.ok) this.#failures.delete(address);
      else if (this.#failures.size < addressesMax)
        this.#failures.set(address, (this.#failures.get(address) ?? 0) + 1);
      this.note(result);
      isChanged ||= wasSuspect !== this.isSuspect(address);
      hasDoubt ||= !result.ok && !this.isSuspect(address);
    }
    if (isChanged) this.#options.onChange();
    return hasDoubt;
  }
}

/** Bounded: the address that was noted longest ago makes room. */
function remember(numbers: Map<string, number>, address: string, value: number): void {
  numbers.delete(address);
  numbers.set(address, value);
  const [oldest] = numbers.keys();
  if (numbers.size > addressesMax && oldest !== undefined) numbers.delete(oldest);
}

function isOtherClass(a: number, b: number): boolean {
  const ratio = Math.max(a, 0.125) / Math.max(b, 0.125);
  return ratio > 1.3 || ratio < 0.75;
}
