// What changed between two publications of one Service, for people: Events are recorded on
// transitions only. Input: before and after. Output: events in a fixed order.

import type { Publication, RecordSet } from '../../../common/model/publication.ts';

export interface Transition {
  readonly type: 'Normal' | 'Warning';
  readonly reason: 'DNSPublished' | 'DNSWithdrawn' | 'DNSFailedOver';
  readonly message: string;
}

// A region's loss moves all its names at once; an Event names a few of them.
const namesShown = 4;

export function transitionsBetween(
  before: Publication | undefined,
  after: Publication | undefined,
): readonly Transition[] {
  const old = before?.recordSets ?? [];
  const next = after?.recordSets ?? [];
  if (old.length === 0 && next.length === 0) return [];
  if (old.length === 0) {
    return [
      {
        type: 'Normal',
        reason: 'DNSPublished',
        message: `published ${list(next.map(({ name }) => name))}`,
      },
    ];
  }
  if (next.length === 0) {
    const why = after?.message ?? 'The Service is gone.';
    return [
      {
        type: 'Normal',
        reason: 'DNSWithdrawn',
        message: `withdrew ${list(old.map(({ name }) => name))}: ${why}`,
      },
    ];
  }
  return [...moves(old, next), ...failOpen(before, after)];
}

function moves(old: readonly RecordSet[], next: readonly RecordSet[]): readonly Transition[] {
  const before = upwardNames(old);
  const now = upwardNames(next);
  const known = new Set(old.map(({ name }) => name));
  const up = [...now].filter(([name]) => known.has(name) && !before.has(name));
  const still = new Set(next.map(({ name }) => name));
  const back = [...before.keys()].filter((name) => still.has(name) && !now.has(name));
  const transitions: Transition[] = [];
  if (up.length > 0) {
    const moved = up.map(([name, target]) => `${name} (now ${target})`);
    const message = `no healthy shard at ${list(moved)}`;
    transitions.push({ type: 'Warning', reason: 'DNSFailedOver', message });
  }
  if (back.length > 0) {
    transitions.push({
      type: 'Normal',
      reason: 'DNSPublished',
      message: `healthy shards at ${list(back)}`,
    });
  }
  return transitions;
}

/** Names that lead one level up, with their target. */
function upwardNames(sets: readonly RecordSet[]): ReadonlyMap<string, string> {
  const ours = new Set(sets.map(({ name }) => name));
  return new Map(
    sets.flatMap(({ name, type, level, values: [target] }) => {
      // Names of ports, single shards and the user's own move with these.
      const isLevel = (level === 'zone' || level === 'region') && !name.startsWith('_');
      const isUp = isLevel && type === 'CNAME' && target !== undefined && ours.has(target);
      return isUp ? [[name, target] as const] : [];
    }),
  );
}

function failOpen(
  before: Publication | undefined,
  after: Publication | undefined,
): readonly Transition[] {
  if (after?.reason === before?.reason) return [];
  if (after?.reason === 'FailOpen') {
    return [{ type: 'Warning', reason: 'DNSFailedOver', message: after.message }];
  }
  return before?.reason === 'FailOpen'
    ? [
        {
          type: 'Normal',
          reason: 'DNSPublished',
          message: `no longer failing open: ${after?.message ?? ''}`,
        },
      ]
    : [];
}

function list(names: readonly string[]): string {
  const distinct = [...new Set(names)];
  const more = distinct.length - namesShown;
  const shown = distinct.slice(0, namesShown).join(', ');
  return more > 0 ? `${shown} and ${more} more` : shown;
}
