// I5, I7 at the provider: while it and the coordinator are well, each name that is published is
// there within a stated time, and each that is not any more is gone. Looked at as time passes, so
// that what never comes right is found while the run still changes other things.

import type { Clock } from '../../../common/runtime/clock.ts';
import { driftRoundMs } from '../../../coordinator/dns/apply/zone-drift.ts';
import type { SimCoordinator } from '../sim-coordinator.ts';
import { compareProvider, publicZone, type SimProvider } from '../sim-provider.ts';
import type { SimDisk } from '../sim-store.ts';
import type { Blame, Checker } from './checker.ts';

/**
 * A provider that denied is asked again after up to 40 s in a run, a name in quarantine later; a
 * take-over, a reading and the write itself come on top.
 */
const wellMs = 150_000;
/** Nobody tells of an edit by hand: it is found when its Service's names are compared. */
const editedMs = driftRoundMs + wellMs;

/** How far what stands at the provider may be behind what is published. */
export function lagMsOf(provider: SimProvider): number {
  return provider.isEdited ? editedMs : wellMs;
}

export interface LagOptions {
  readonly provider: SimProvider;
  readonly coordinator: SimCoordinator;
  readonly disk: SimDisk;
  readonly clock: Clock;
}

export function createLagChecker(
  { provider, coordinator, disk, clock }: LagOptions,
  blames: { readonly lacks: Blame; readonly keeps: Blame },
): Checker {
  const boundMs = lagMsOf(provider);
  // By line, and since when: of the time in which all was well.
  let lacking = new Map<string, number>();
  let surplus = new Map<string, number>();
  let isDue = true;
  const look = (): void => {
    isDue = true;
  };
  provider.onChange(look);
  provider.onEdit(look);

  const compare = (): void => {
    isDue = false;
    const nowMs = clock.monotonicMs();
    const found = compareProvider(disk, provider);
    const renew = (before: Map<string, number>, lines: readonly string[]): Map<string, number> =>
      new Map(lines.map((line) => [line, before.get(line) ?? nowMs]));
    lacking = renew(lacking, found.missing);
    surplus = renew(surplus, found.surplus);
  };

  const overdue = (since: Map<string, number>, fromMs: number): string | undefined => {
    const beforeMs = clock.monotonicMs() - boundMs;
    return [...since].find(([, atMs]) => Math.max(atMs, fromMs) < beforeMs)?.[0];
  };

  return {
    invariant: 'I7',
    onWritten: ({ resource, object }) => {
      const { dnsZone } = (object.spec ?? {}) as { readonly dnsZone?: string };
      if (resource === 'publications' && dnsZone === publicZone) isDue = true;
    },
    onStep: () => {
      if (!provider.isThere) return;
      if (isDue) compare();
      const fromMs = Math.max(
        provider.lastTroubleMs(),
        coordinator.lastTroubleMs(),
        disk.lastTroubleMs(),
      );
      const [missing, left] = [overdue(lacking, fromMs), overdue(surplus, fromMs)];
      const seconds = boundMs / 1000;
      if (missing !== undefined) blames.lacks(`the provider lacks ${missing} after ${seconds} s`);
      if (left !== undefined) blames.keeps(`the provider still has ${left} after ${seconds} s`);
    },
  };
}
