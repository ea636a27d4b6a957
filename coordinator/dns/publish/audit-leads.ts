// Where a client that asks for a name may be led, through CNAMEs, members, items, aliases and SRV
// records of one publication. A walk of its own, so that it doubts the plan's. Pure.
//
// Each name is walked once, whatever leads to it: names that lead to one place share one answer.

import type { RecordSet } from '../../../common/model/publication.ts';

export interface Leads {
  /** Addresses, and names of load balancers: wherever an answer may end. */
  readonly ends: readonly string[];
  /** Why some client would get no answer; undefined: all do. */
  readonly fault: string | undefined;
}

export interface Walk {
  readonly zone: string;
  readonly byName: ReadonlyMap<string, readonly RecordSet[]>;
  /** Of names that were walked; 'now': on the way to it, which makes a circle. */
  readonly known: Map<string, Leads | 'now'>;
}

export function followName(walk: Walk, name: string): Leads {
  const known = walk.known.get(name);
  if (known === 'now') return { ends: [], fault: `circles at ${name}` };
  if (known !== undefined) return known;
  walk.known.set(name, 'now');
  const found = lookAt(walk, name);
  walk.known.set(name, found);
  return found;
}

function lookAt(walk: Walk, name: string): Leads {
  const sets = walk.byName.get(name);
  if (sets === undefined) return { ends: [], fault: `leads to ${name}, which is not there` };
  const [only] = sets;
  const targets = sets.flatMap(targetsOf);
  const [target] = targets;
  if (only?.type === 'CNAME' && targets.length === 1 && target !== undefined) {
    // The same object for all that lead there.
    return isOurs(walk, target) ? followName(walk, target) : { ends: [target], fault: undefined };
  }
  const ends = new Set<string>();
  for (const to of new Set(targets)) {
    if (!isOurs(walk, to)) {
      ends.add(to);
      continue;
    }
    if (only?.type === 'SRV' && hasAlias(walk.byName.get(to)))
      return { ends: [], fault: `has a SRV record that leads to the CNAME ${to}` };
    const beyond = followName(walk, to);
    if (beyond.fault !== undefined) return beyond;
    for (const end of beyond.ends) ends.add(end);
  }
  return { ends: [...ends], fault: ends.size === 0 ? 'leads nowhere' : undefined };
}

function isOurs({ zone }: Walk, to: string): boolean {
  return to.endsWith(`.${zone}`);
}

/** RFC 2782: the target must not be an alias. */
function hasAlias(sets: readonly RecordSet[] | undefined): boolean {
  return sets?.some(({ type }) => type === 'CNAME') === true;
}

function targetsOf({ type, values, items, alias }: RecordSet): readonly string[] {
  if (alias !== undefined) return [alias.target];
  if (type === 'SRV') return values.map((value) => value.slice(value.lastIndexOf(' ') + 1));
  return items === undefined ? values : items.flatMap((item) => item.values);
}
