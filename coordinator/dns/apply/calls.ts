// Calls of a provider as the applier makes them: paid for from the account's budget, ended by a
// deadline whatever the adapter does, counted, and answered as outcomes instead of errors.

import type { Clock } from '../../../common/runtime/clock.ts';
import { describeError } from '../../../common/runtime/log.ts';
import type { Metrics } from '../../../common/runtime/metrics.ts';
import { MeshError } from '../../../common/pure/errors.ts';
import type {
  DnsProvider,
  GroupOutcome,
  RecordBatch,
  ZoneRecordSet,
} from '../provider/provider.ts';
import { Budget, type Urgency } from './budget.ts';

export const writeTimeoutMs = 20_000;
export const readTimeoutMs = 10_000;
const readTimeoutPerNameMs = 250;
// An adapter ends its call by the deadline; one that does not is given up this much later.
const graceMs = 1000;

export type Failure =
  | { readonly kind: 'throttled'; readonly message: string }
  | { readonly kind: 'denied'; readonly message: string }
  | { readonly kind: 'unavailable'; readonly message: string }
  | { readonly kind: 'stopped'; readonly message: string };

export type Answer<T> = { readonly kind: 'answer'; readonly value: T } | Failure;

export interface CallsOptions {
  readonly dnsZone: string;
  readonly provider: () => DnsProvider | undefined;
  readonly budgets: Budgets;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly signal: AbortSignal;
}

/** One bucket per account: zones of one account share what the provider takes. */
export class Budgets {
  readonly #clock: Clock;
  readonly #byAccount = new Map<string, Budget>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  of(provider: DnsProvider): Budget {
    const { account, perSecond, burst } = provider.capabilities.rate;
    let budget = this.#byAccount.get(account);
    if (budget === undefined) {
      budget = new Budget({ perSecond, burst, clock: this.#clock });
      this.#byAccount.set(account, budget);
    }
    return budget;
  }
}

export class Calls {
  readonly #options: CallsOptions;

  constructor(options: CallsOptions) {
    this.#options = options;
  }

  /** Resolves true when one request may be sent; false when `signal` was first. */
  async admit(urgency: Urgency, signal: AbortSignal): Promise<boolean> {
    const provider = this.#options.provider();
    if (provider === undefined) return false;
    return this.#options.budgets.of(provider).acquire(urgency, 1, signal);
  }

  /**
   * One request that was admitted. Where no answer came by the deadline, every group's outcome is
   * `unknown`.
   */
  async apply(batch: RecordBatch): Promise<ReadonlyMap<string, GroupOutcome>> {
    const all = (outcome: GroupOutcome): ReadonlyMap<string, GroupOutcome> =>
      new Map(batch.groups.map(({ id }) => [id, outcome]));
    const provider = this.#options.provider();
    if (provider === undefined) {
      return all({ kind: 'unavailable', message: 'the zone is no longer written here' });
    }
    const answer = await this.#within(writeTimeoutMs, () =>
      provider.apply(batch, { timeoutMs: writeTimeoutMs }),
    );
    // What an adapter throws is no certain answer: settle it by reading.
    const outcomes =
      answer.kind === 'value'
        ? answer.value
        : all({ kind: 'unknown', message: describeError(answer.error) });
    const first = outcomes.values().next().value;
    this.#note('apply', first?.kind ?? 'unknown', provider);
    if (first?.kind === 'throttled') {
      this.#options.budgets.of(provider).throttled(first.retryAfterMs);
    }
    return outcomes;
  }

  read(names: readonly string[], urgency: Urgency): Promise<Answer<readonly ZoneRecordSet[]>> {
    // Some providers take a request for each name.
    const timeoutMs = readTimeoutMs + readTimeoutPerNameMs * names.length;
    return this.#ask('read', { urgency, cost: names.length, timeoutMs }, (provider) =>
      provider.read(names, { timeoutMs }),
    );
  }

  observe(change: string): Promise<Answer<'pending' | 'live'>> {
    const asked = { urgency: 1, cost: 1, timeoutMs: readTimeoutMs } as const;
    return this.#ask('observe', asked, (provider) =>
      provider.observe(change, { timeoutMs: readTimeoutMs }),
    );
  }

  async #ask<T>(
    call: string,
    asked: { readonly urgency: Urgency; readonly cost: number; readonly timeoutMs: number },
    run: (provider: DnsProvider) => Promise<T>,
  ): Promise<Answer<T>> {
    const provider = await this.#admit(asked.urgency, asked.cost);
    if (provider === undefined) {
      return { kind: 'stopped', message: 'the zone is no longer written here' };
    }
    const answer = await this.#within(asked.timeoutMs, () => run(provider));
    if (answer.kind === 'value') {
      this.#note(call, 'answered', provider);
      return { kind: 'answer', value: answer.value };
    }
    const failure = toFailure(answer.error);
    this.#note(call, failure.kind, provider);
    if (failure.kind === 'throttled') this.#options.budgets.of(provider).throttled(undefined);
    return failure;
  }

  /** The provider of now, asked for after the wait: credentials may have been replaced. */
  async #admit(urgency: Urgency, cost: number): Promise<DnsProvider | undefined> {
    const before = this.#options.provider();
    if (before === undefined) return undefined;
    const { budgets, signal } = this.#options;
    const isAdmitted = await budgets.of(before).acquire(urgency, cost, signal);
    return isAdmitted ? this.#options.provider() : undefined;
  }

  #note(call: string, outcome: string, provider: DnsProvider): void {
    const { metrics, dnsZone, budgets } = this.#options;
    metrics.count('mesh_dns_provider_calls_total', { zone: dnsZone, call, outcome });
    const budget = budgets.of(provider);
    if (outcome === 'throttled') metrics.count('mesh_dns_throttled_total', { zone: dnsZone });
    else if (outcome === 'applied' || outcome === 'answered') budget.succeeded();
    metrics.gauge('mesh_dns_requests_per_second', budget.perSecond(), { zone: dnsZone });
  }

  /** Ends by the deadline, or when we stop: what was sent is settled by who leads next. */
  #within<T>(timeoutMs: number, run: () => Promise<T>): Promise<Settled<T>> {
    const { clock, signal } = this.#options;
    return new Promise((resolve) => {
      const end = (settled: Settled<T>): void => {
        timer.cancel();
        signal.removeEventListener('abort', giveUp);
        resolve(settled);
      };
      const fail = (message: string): void =>
        end({ kind: 'error', error: new MeshError('retryable', 'DNS_TIMEOUT', message) });
      const giveUp = (): void => fail('given up: we no longer write');
      const timer = clock.after(timeoutMs + graceMs, () =>
        fail(`no answer within ${timeoutMs / 1000} s`),
      );
      signal.addEventListener('abort', giveUp, { once: true });
      run().then(
        (value) => end({ kind: 'value', value }),
        (error: unknown) => end({ kind: 'error', error }),
      );
    });
  }
}

type Settled<T> =
  | { readonly kind: 'value'; readonly value: T }
  | { readonly kind: 'error'; readonly error: unknown };

function toFailure(error: unknown): Failure {
  const message = describeError(error);
  const code = error instanceof MeshError ? error.code : '';
  if (code === 'DNS_THROTTLED') return { kind: 'throttled', message };
  if (code === 'DNS_DENIED' || code === 'DNS_NO_ZONE') return { kind: 'denied', message };
  return { kind: 'unavailable', message };
}
