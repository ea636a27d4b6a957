// A provider whose calls are counted: for what its zone's condition says, and so that one that was
// replaced is closed once its calls have ended. Input: a provider. Output: the same,
// and a way to retire it.
//
//   K1. After retire() no new call reaches it; calls in flight go on to their end.

import { MeshError } from '../../../common/pure/errors.ts';
import { describeError, type Log } from '../../../common/runtime/log.ts';
import type { DnsProvider, GroupOutcome, RecordBatch } from '../provider/provider.ts';

/** How a call ended, from best to worst. */
export type CallOutcome = 'ok' | 'throttled' | 'unknown' | 'unavailable' | 'noZone' | 'denied';

export interface CountedProvider {
  readonly provider: DnsProvider;
  /** Closed at once, or when the last call ends. */
  retire(): void;
}

export interface CountingOptions {
  /** Name of the DNSZone. */
  readonly dnsZone: string;
  readonly onOutcome: (
    call: string,
    answer: { readonly outcome: CallOutcome; readonly message: string },
  ) => void;
  readonly log: Log;
}

const replaced = 'the provider of the zone was replaced: its settings or its Secret changed';

export function countCalls(inner: DnsProvider, options: CountingOptions): CountedProvider {
  const { dnsZone, onOutcome, log } = options;
  let calls = 0;
  let isRetired = false;

  const close = (): void => {
    void inner.close().catch((error: unknown) => {
      log.warn('a replaced DNS provider did not close', { dnsZone, error: describeError(error) });
    });
  };

  const call = async <T>(
    name: string,
    run: () => Promise<T>,
    judge: (result: T) => readonly [CallOutcome, string],
  ): Promise<T> => {
    const end = (outcome: CallOutcome, message: string): void => {
      if (!isRetired) onOutcome(name, { outcome, message });
    };
    calls += 1;
    try {
      const result = await run();
      end(...judge(result));
      return result;
    } catch (error) {
      end(outcomeOf(error), messageOf(error));
      throw error;
    } finally {
      calls -= 1;
      if (isRetired && calls === 0) close();
    }
  };

  const ask = <T>(name: string, run: () => Promise<T>): Promise<T> =>
    isRetired
      ? Promise.reject(new MeshError('retryable', 'DNS_UNAVAILABLE', replaced))
      : call(name, run, () => ['ok', '']);

  const provider: DnsProvider = {
    capabilities: inner.capabilities,
    measure: (group) => inner.measure(group),
    describe: (given) => ask('describe', () => inner.describe(given)),
    read: (names, given) => ask('read', () => inner.read(names, given)),
    list: (given) => ask('list', () => inner.list(given)),
    observe: (change, given) => ask('observe', () => inner.observe(change, given)),
    apply: (batch, given) =>
      isRetired
        ? Promise.resolve(refuseAll(batch))
        : call('apply', () => inner.apply(batch, given), judgeOutcomes),
    close: () => inner.close(),
  };
  return {
    provider,
    retire: () => {
      if (isRetired) return;
      isRetired = true;
      if (calls === 0) close();
    },
  };
}

function refuseAll({ groups, fence }: RecordBatch): ReadonlyMap<string, GroupOutcome> {
  const all = fence === undefined ? groups : [...groups, fence];
  return new Map(all.map(({ id }) => [id, { kind: 'unavailable', message: replaced } as const]));
}

const worst: readonly CallOutcome[] = ['denied', 'unavailable', 'unknown', 'throttled'];

/** A conflict or a rejected group is an answer of a provider that is well. */
function judgeOutcomes(
  outcomes: ReadonlyMap<string, GroupOutcome>,
): readonly [CallOutcome, string] {
  for (const kind of worst) {
    for (const outcome of outcomes.values()) {
      if (outcome.kind === kind && 'message' in outcome) return [kind, outcome.message];
    }
  }
  return ['ok', ''];
}

const byCode: Readonly<Record<string, CallOutcome>> = {
  DNS_DENIED: 'denied',
  DNS_NO_ZONE: 'noZone',
  DNS_THROTTLED: 'throttled',
};

function outcomeOf(error: unknown): CallOutcome {
  const code = error instanceof MeshError ? error.code : '';
  return byCode[code] ?? 'unavailable';
}

/** Adapters put the way out into the message; the cause stays in the log. */
function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
