// What the applier knows of one zone while it leads: each Service's names, what waits, what the
// provider said last. Parts of the zone's work read and change it between two awaits; none keeps a
// copy.

import type { AppliedState } from '../../../common/model/dns-zone.ts';
import type { ServiceKey } from '../../../common/model/ids.ts';
import type { AppliedZone, DnsZoneState } from '../../../common/model/views.ts';
import type { RecordGroup, ZoneRecordSet } from '../provider/provider.ts';
import type { Suspicion } from './plan-fuse.ts';
import type { Obstacle, Priority } from './plan-group.ts';
import { ApplyQueue } from './queue.ts';

/** A change that passed its audit. */
export interface Planned {
  readonly group: RecordGroup;
  /** What is ours there afterwards. */
  readonly after: readonly ZoneRecordSet[];
  readonly priority: Priority;
  readonly suspicion: Suspicion | undefined;
  /** What it was planned from: the recorded object, the DNSZone, and what was read. */
  readonly revision: number;
  readonly zone: DnsZoneState;
  readonly observed: readonly ZoneRecordSet[] | undefined;
}

/** One Service's names. */
export interface Group {
  readonly key: ServiceKey;
  planned: Planned | undefined;
  /** Foreign records or another's mark (G3). */
  obstacle: Obstacle | undefined;
  /** Why the provider, or our own audit, will not have it. */
  refusal: { readonly reason: string; readonly message: string } | undefined;
  /** What stood there when it was read, until something of it is written. */
  observed: readonly ZoneRecordSet[] | undefined;
  /** Its names are being read before it is decided again. */
  isReading: boolean;
  isInFlight: boolean;
  isHeld: boolean;
  /** Counts writes: a reading from before one says nothing any more. */
  writes: number;
  /** Record sets recorded as ours. */
  owned: number;
  /** Revision of the publication that was looked at last; 0: none. */
  publication: number;
  /** Failures in a row, and when it may be tried again (monotonic). */
  failures: number;
  notBeforeMs: number;
  /** When what stands in the way is looked at again (monotonic). */
  recheckMs: number;
  /** Since when it is not as wanted (monotonic). */
  dueMs: number | undefined;
  /** Number of the batch that it went with, until that is served everywhere. */
  batch: number | undefined;
  /** Last state that others were told, and since when (epoch). */
  told: AppliedState['state'] | undefined;
  sinceMs: number;
}

export interface ZoneTrouble {
  readonly reason: NonNullable<AppliedZone['lastError']>['reason'];
  readonly message: string;
  readonly sinceMs: number;
}

export class ZoneState {
  readonly name: string;
  readonly groups = new Map<ServiceKey, Group>();
  readonly queue = new ApplyQueue();
  /** Services whose names are not yet as wanted, for whatever reason. */
  readonly unsettled = new Set<ServiceKey>();
  /** Record sets recorded as ours, of all groups. */
  owned = 0;
  trouble: ZoneTrouble | undefined;
  fenced: AppliedZone['fence'];
  /** Nothing is sent before (monotonic). */
  blockedUntilMs = 0;
  failures = 0;
  /** Batches without an answer in a row. */
  unanswered = 0;
  /** Most groups of one request, while the one is sought that spoils it. */
  groupsMax = Infinity;
  /** The fence was removed, or never was: a deleted DNSZone may go. */
  hasNoFence = false;

  constructor(name: string) {
    this.name = name;
  }

  group(key: ServiceKey, nowMs: number): Group {
    let group = this.groups.get(key);
    if (group === undefined) {
      group = toGroup(key, nowMs);
      this.groups.set(key, group);
    }
    return group;
  }

  /** After each change of what it waits for. */
  track(group: Group): void {
    if (isSettled(group)) this.unsettled.delete(group.key);
    else this.unsettled.add(group.key);
  }

  forget(group: Group): void {
    this.own(group, 0);
    this.unsettled.delete(group.key);
    this.groups.delete(group.key);
  }

  own(group: Group, recordSets: number): void {
    this.owned += recordSets - group.owned;
    group.owned = recordSets;
  }
}

/** As wanted, as far as we know. */
export function isSettled({ dueMs, obstacle, refusal }: Group): boolean {
  return dueMs === undefined && obstacle === undefined && refusal === undefined;
}

function toGroup(key: ServiceKey, nowMs: number): Group {
  return {
    key,
    planned: undefined,
    obstacle: undefined,
    refusal: undefined,
    observed: undefined,
    isReading: false,
    isInFlight: false,
    isHeld: false,
    writes: 0,
    owned: 0,
    publication: 0,
    failures: 0,
    notBeforeMs: 0,
    recheckMs: 0,
    dueMs: undefined,
    batch: undefined,
    told: undefined,
    sinceMs: nowMs,
  };
}
