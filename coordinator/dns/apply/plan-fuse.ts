// The mass-change fuse: decides whether what is about to go is too much at once, for what is known
// of why. Input: changes with what caused them, what went within the last minute, and what we own.
// Output: go on, or hold with a number to confirm.
//
//   What counts: record sets that go, or change their type, within a minute.
//   U1. A wish never counts: the Service or its DNSZone is deleted, the zone no longer selects it,
//       a cluster is no longer chosen for it or is drained.
//   U2. What a living agent says never counts: its shard is not ready, has no address or another
//       one.
//   U3. What nobody living says counts: a cluster judged dead, a shard of which nothing is known, a
//       publication that vanished while its Service stands.
//   U4. Deaths are believed while those judged dead are no more than the clusters that speak: half
//       of a federation may fail over by itself. More is more likely our own fault, and what is
//       published stays until a person confirms it.
//   U5. What nobody explains holds up no death that is believed: a region that fails while something
//       else is odd fails over.

import type { PublishedShard } from '../../../common/model/publication.ts';
import type { RecordGroup, ZoneRecordSet } from '../provider/provider.ts';
import { contentHash } from '../../../common/pure/digest.ts';
import { isOurType } from './ownership.ts';
import { targetsOf, textOf } from './zone-records.ts';

export interface Suspicion {
  /** Record sets that go or change their type. */
  readonly recordSets: number;
  /** Clusters judged dead, when deaths are the only reason; empty: there is none (U3, and no U4). */
  readonly dead: readonly string[];
  /** Clusters of the same Service that speak for themselves. */
  readonly living: readonly string[];
}

export interface Cause {
  /** undefined: no publication any more. */
  readonly shards: readonly PublishedShard[] | undefined;
  /** Why there is none, or why the zone is emptied, is a wish (U1). */
  readonly isWished: boolean;
}

/** What counts of one change; undefined: nothing. */
export function suspect(
  group: Pick<RecordGroup, 'deletes' | 'creates'>,
  cause: Cause,
): Suspicion | undefined {
  if (cause.isWished) return undefined;
  const stays = new Set(group.creates.map(({ name, type }) => `${name} ${type}`));
  const gone = group.deletes.filter(
    ({ name, type }) => isOurType(type) && !stays.has(`${name} ${type}`),
  );
  const recordSets = new Set(gone.map(({ name, type }) => `${name} ${type}`)).size;
  if (recordSets === 0) return undefined;
  if (cause.shards === undefined) return { recordSets, dead: [], living: [] };
  const left = new Set(group.creates.flatMap(endsOf));
  const lost = new Set(gone.flatMap(endsOf).filter((target) => !left.has(target)));
  const isLost = ({ addresses, hostnames, resolved = [] }: PublishedShard): boolean =>
    [...addresses, ...hostnames, ...resolved].some((end) =>
      lost.has(end.replace(/^dualstack\./, '')),
    );
  const blamed = cause.shards.filter(
    (shard) => isSilent(shard) && shard.isDrained !== true && isLost(shard),
  );
  if (blamed.length === 0) return undefined; // U1, U2
  const isUnknown = blamed.some(({ state }) => state === 'pending');
  const speaking = cause.shards.filter((shard) => !isSilent(shard));
  // Also those that went before: deaths a few seconds apart are one cut.
  const dead = cause.shards.filter((shard) => shard.state === 'dead' && shard.isDrained !== true);
  return {
    recordSets,
    dead: isUnknown ? [] : dead.map(({ cluster }) => cluster),
    living: speaking.map(({ cluster }) => cluster),
  };
}

/** An alias names a load balancer with a prefix of AWS's that the shard does not know. */
function endsOf(set: ZoneRecordSet): readonly string[] {
  return targetsOf(set).map((target) => target.replace(/^dualstack\./, ''));
}

function isSilent({ state }: PublishedShard): boolean {
  return state === 'dead' || state === 'pending';
}

export interface FuseLimits {
  readonly recordSets: number;
  readonly percent: number;
}

export const fuseDefaults: FuseLimits = { recordSets: 20, percent: 30 };
export const fuseWindowMs = 60_000;

export interface FuseInput {
  readonly limits: FuseLimits;
  /** Record sets that we own in the zone. */
  readonly owned: number;
  /** Counted within the last minute. */
  readonly recent: number;
  readonly due: Iterable<Suspicion>;
}

export type FuseDecision =
  | { readonly kind: 'pass' }
  | {
      readonly kind: 'hold';
      /** False: deaths are believed, and only what nobody explains is held (U5). */
      readonly holdsDeaths: boolean;
      readonly recordSets: number;
      readonly recordSetsMax: number;
      readonly why: string;
    };

/** How much may go within a minute without being asked about. */
export function fuseMax(limits: FuseLimits, owned: number): number {
  return Math.max(limits.recordSets, Math.floor((owned * limits.percent) / 100));
}

export function planFuse({ limits, owned, recent, due }: FuseInput): FuseDecision {
  const recordSetsMax = fuseMax(limits, owned);
  let [explained, unexplained] = [0, 0];
  const [dead, living] = [new Set<string>(), new Set<string>()];
  for (const suspicion of due) {
    if (isUnexplained(suspicion)) unexplained += suspicion.recordSets;
    else explained += suspicion.recordSets;
    for (const cluster of suspicion.dead) dead.add(cluster);
    for (const cluster of suspicion.living) living.add(cluster);
  }
  // A cluster that died a moment ago still speaks in what was published before.
  for (const cluster of dead) living.delete(cluster);
  const holdsDeaths = dead.size > living.size; // U4
  const recordSets = unexplained + (holdsDeaths ? explained : 0);
  if (recordSets === 0 || recordSets + recent <= recordSetsMax) return { kind: 'pass' };
  const why =
    unexplained > 0
      ? 'nobody asked for it and no agent that lives reports a reason'
      : `${dead.size} clusters are judged dead and only ${living.size} ${speak(living.size)}: ` +
        `${[...dead].sort().slice(0, clustersShown).join(', ')}`;
  return { kind: 'hold', holdsDeaths, recordSets, recordSetsMax, why };
}

/** U3: deaths are a reason, if not always one to believe. */
export function isUnexplained({ dead }: Suspicion): boolean {
  return dead.length === 0;
}

const clustersShown = 5;

function speak(clusters: number): string {
  return clusters === 1 ? 'speaks' : 'speak';
}

/** What a person does about a held plan of this DNSZone. */
export function toWayOut(zone: string, hash: string): string {
  return (
    `See it with: kubectl isthmus dns plan ${zone}; let it go ahead with: ` +
    `kubectl isthmus dns confirm ${zone} ${hash}`
  );
}

/**
 * Names exactly these changes: of what is recorded at `revision`, so that the same change at
 * another time is another plan. A person copies it, so it is short.
 */
export function hashPlan(
  changes: readonly { readonly revision: number; readonly group: RecordGroup }[],
): string {
  const lines = changes.map(({ revision, group }) =>
    JSON.stringify([group.id, revision, group.deletes.map(textOf), group.creates.map(textOf)]),
  );
  return contentHash(Buffer.from(lines.sort().join('\n'), 'utf8')).slice(0, 12);
}
