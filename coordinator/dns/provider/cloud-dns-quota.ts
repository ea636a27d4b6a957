// What Cloud DNS lets one project have, and what follows for our changes.
//
//   Q1. `capabilities` is one object for ever, whose numbers are the last that the project told:
//       whoever holds it sees them.

import { memberOf } from './cloud-dns-records.ts';
import type { ProviderCapabilities } from './provider.ts';

// What a project has that asked for nothing else ("Quotas and limits" of Cloud DNS).
const usual = {
  rrsetAdditionsPerChange: 1000,
  rrsetDeletionsPerChange: 1000,
  totalRrdataSizePerChange: 100_000,
  resourceRecordsPerRrset: 100,
  rrsetsPerManagedZone: 10_000,
};

// Requests are limited by the minute and region, in a number that no call tells. The applier goes
// slower by itself when it is told to.
const perSecond = 10;
const burst = 30;

export class CloudDnsQuota {
  readonly capabilities: ProviderCapabilities;
  #values: Readonly<Record<keyof typeof usual, number>> = usual;

  constructor(project: string) {
    const value = (name: keyof typeof usual): number => this.#values[name];
    const changes = (): number =>
      Math.min(value('rrsetAdditionsPerChange'), value('rrsetDeletionsPerChange'));
    this.capabilities = {
      hasCompareAndSet: true,
      weights: 'items',
      hasAlias: false,
      hasChangeStatus: true,
      ttlSecondsMin: 0,
      get valuesPerSetMax() {
        return value('resourceRecordsPerRrset');
      },
      limits: {
        get changes() {
          return changes();
        },
        get bytes() {
          return value('totalRrdataSizePerChange');
        },
      },
      rate: { account: `cloud-dns/${project}`, perSecond, burst },
    };
  }

  get recordSetsMax(): number {
    return this.#values.rrsetsPerManagedZone;
  }

  /** `quota` of projects.get. Numbers that it does not have stay as they were. */
  learn(quota: unknown): void {
    const told = Object.keys(usual).flatMap((name) => {
      const number = memberOf(quota, name);
      return typeof number === 'number' && number > 0 ? [[name, number] as const] : [];
    });
    this.#values = { ...this.#values, ...Object.fromEntries(told) };
  }
}
