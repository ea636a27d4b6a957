// What one zone's state means to others: one Service's names in a word and a sentence, the zone's
// numbers, and what the next writes would do. Pure.

import type { AppliedState } from '../../../common/model/dns-zone.ts';
import type { AppliedZone, DnsZoneState, PlannedChange } from '../../../common/model/views.ts';
import type { DnsProvider } from '../provider/provider.ts';
import type { HeldPlan } from './zone-fuse.ts';
import { toAppliedRecord } from './zone-records.ts';
import type { Group, ZoneState } from './zone-state.ts';

export interface Summarised {
  readonly state: ZoneState;
  readonly zone: DnsZoneState | undefined;
  readonly provider: DnsProvider | undefined;
  readonly held: HeldPlan | undefined;
  readonly heldSinceMs: number;
  readonly requestsPerSecond: number;
}

export function summarise(of: Summarised): AppliedZone {
  const { state, zone, provider, held } = of;
  const { owned, groups, trouble, fenced, hasNoFence } = state;
  const canHaveFence = provider?.capabilities.hasCompareAndSet === true;
  const hasFence = canHaveFence && !hasNoFence && zone?.refusal === undefined;
  return {
    recordSets: owned,
    pending: state.unsettled.size,
    isEmpty: groups.size === 0 && !hasFence,
    ...(held === undefined ? {} : { heldPlan: { ...held, sinceMs: of.heldSinceMs } }),
    ...(fenced === undefined ? {} : { fence: fenced }),
    ...(trouble === undefined ? {} : { lastError: trouble }),
    requestsPerSecond: of.requestsPerSecond,
  };
}

/**
 * Changes that wait, for whatever reason, and Services of which nothing can be written; sorted by
 * Service.
 */
export function listPlanned(
  state: ZoneState,
  zone: DnsZoneState | undefined,
  limit: number,
): readonly PlannedChange[] {
  const due = [...state.unsettled].sort().flatMap((key) => state.groups.get(key) ?? []);
  const told = due.filter(
    ({ planned, obstacle, refusal }) => (planned ?? obstacle ?? refusal) !== undefined,
  );
  return told.slice(0, limit).map((group): PlannedChange => {
    const { deletes, creates } = group.planned?.group ?? { deletes: [], creates: [] };
    const said = describeGroup(state, zone, group);
    const { reason, message } = said;
    const waits = said.state === 'pending' ? {} : { waits: { reason, message } };
    const [gone, made] = [deletes.map(toAppliedRecord), creates.map(toAppliedRecord)];
    return { key: group.key, deletes: gone, creates: made, ...waits };
  });
}

type Said = Pick<AppliedState, 'state' | 'reason' | 'message' | 'names'>;

/** What became of one Service's names, in one word and a sentence. */
export function describeGroup(zone: ZoneState, spec: DnsZoneState | undefined, group: Group): Said {
  const { obstacle, refusal } = group;
  if (obstacle !== undefined) return { state: 'foreign', ...obstacle };
  if (refusal !== undefined) {
    return { state: 'rejected', ...refusal };
  }
  const isDue = group.dueMs !== undefined;
  if (isDue) return describeDue(zone, spec, group);
  return group.batch === undefined
    ? { state: 'live', reason: 'Served', message: 'The names stand as published.' }
    : {
        state: 'submitted',
        reason: 'Accepted',
        message: 'Written; the provider has not served it everywhere yet.',
      };
}

function describeDue(zone: ZoneState, spec: DnsZoneState | undefined, group: Group): Said {
  const { fenced, trouble } = zone;
  if (spec?.refusal !== undefined) return { state: 'failing', ...spec.refusal };
  if (fenced !== undefined) {
    return { state: 'failing', reason: fenced.reason, message: fenced.message };
  }
  if (spec?.spec.frozen === true) {
    return {
      state: 'held',
      reason: 'Frozen',
      message: `The DNSZone is frozen. To go on: kubectl isthmus dns unfreeze ${zone.name}`,
    };
  }
  if (group.isHeld) {
    return {
      state: 'held',
      reason: 'PlanHeld',
      message: `A mass change waits to be confirmed: kubectl isthmus dns plan ${zone.name}`,
    };
  }
  if (trouble !== undefined) {
    return { state: 'failing', reason: trouble.reason, message: trouble.message };
  }
  return { state: 'pending', reason: 'Waiting', message: 'Waits to be written.' };
}
