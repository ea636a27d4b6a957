// What every DnsProvider must do, whatever is behind it. Each provider's test file runs it on
// subjects of its own; a subject is one provider on one zone that holds nothing but its apex.
//
//   - The zone is written and read by a second hand too (`foreign`), which is not the adapter.
//   - Faults that a subject cannot make are not listed, and their tests not declared.
//
// Next: dns-provider-cases.ts (values and expectations).

import type { ExecutionContext } from 'ava';
import { declareChanges } from './dns-provider-changes.ts';
import { declareFaults } from './dns-provider-faults.ts';
import { declareReads } from './dns-provider-reads.ts';
import type { DnsProvider, ZoneRecordSet } from '../../coordinator/dns/provider/provider.ts';

export interface ProviderSubject {
  readonly provider: DnsProvider;
  /** Of the zone, lower-case without the trailing dot. Empty but for SOA and NS. */
  readonly apex: string;
  /** Resolves when what was applied can be read; the change of an `applied` outcome, if any. */
  settle(change: string | undefined): Promise<void>;
  readonly foreign: ForeignHand;
  readonly faults?: ProviderFaults;
  /** Ends the provider too, if the test did not. */
  dispose(): Promise<void>;
}

/** Another writer of the same zone, by other code than the adapter's. */
export interface ForeignHand {
  /**
   * Makes or replaces these sets. Form as in ZoneRecordSet, but letters may be upper-case and IPv6
   * text long: it is written as given, as a person would.
   */
  put(sets: readonly ZoneRecordSet[]): Promise<void>;
  remove(sets: readonly ZoneRecordSet[]): Promise<void>;
}

export interface ProviderFaults {
  /** The next `apply` is answered with the provider's word for too many requests. */
  throttle?(): void;
  /** From now on nothing is answered, to the end of the test. */
  hang?(): void;
  /** The next `apply` is done and its answer lost. */
  dropAnswerAfterApply?(): void;
  /** The next `apply` is lost before it is done. */
  dropBeforeApply?(): void;
  /** From now on the credentials are refused, to the end of the test. */
  denied?(): void;
}

export type ProviderFault = keyof ProviderFaults;

/** The few assertions that the suite uses. */
export interface Checks {
  is<T>(actual: T, expected: T, message?: string): unknown;
  deepEqual<T>(actual: T, expected: T, message?: string): unknown;
  true(actual: boolean, message?: string): unknown;
  teardown(run: () => Promise<void>): void;
}

export type OpenSubject = (t: Checks) => Promise<ProviderSubject>;
export type DeclareCase = (
  title: string,
  run: (t: Checks, subject: ProviderSubject) => Promise<void>,
) => void;

/** Ava's test, or test.serial where a server cannot do two things at once. */
export type DeclareTest = (title: string, run: (t: ExecutionContext) => Promise<void>) => void;

/** Declares the suite for one provider. `faults`: those that its subjects can make. */
export function declareProviderContract(
  test: DeclareTest,
  driver: string,
  options: {
    readonly openSubject: OpenSubject;
    readonly faults: readonly ProviderFault[];
    /** Weights and aliases that the provider has; their tests are declared for these only. */
    readonly weights: 'members' | 'items' | 'none';
    readonly hasAlias: boolean;
  },
): void {
  const declare: DeclareCase = (title, run) =>
    test(`${driver}: ${title}`, async (t) => {
      const subject = await options.openSubject(t);
      t.teardown(() => subject.dispose());
      await run(t, subject);
    });
  declareReads(declare);
  declareChanges(declare, options);
  declareFaults(declare, options.faults);
}
