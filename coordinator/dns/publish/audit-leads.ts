// Where a client that asks for a name may be led, through CNAMEs, members, items, aliases and SRV
// records of one publication. A walk of its own, so that it doubts the plan's. Pure.

import type { RecordSet } from '../../../common/model/publication.ts';

/** Short name, zone, region, global, shard: a longer chain is a circle. */
const chainMax = 5;

export interface Leads {
  /** Addresses, and names of load balancers; each name and address that an answer may end at. */
  readonly ends: readonly string[];
  /** Why some client would get no answer; undefined: all do. */
  readonly fault: string | undefined;
}

export function followName(
  zone: string,
  name: string,
  byName: ReadonlyMap<string, readonly RecordSet[]>,
): Leads {
  const ends = new Set<string>();
  let front = [name];
  for (let step = 0; front.length > 0; step += 1) {
    if (step > chainMax) return { ends: [...ends], fault: 'circles' };
    const next: string[] = [];
    for (const at of front) {
      const sets = byName.get(at);
      if (sets === undefined)
        return { ends: [...ends], fault: `leads to ${at}, which is not there` };
      for (const to of sets.flatMap(targetsOf)) {
        if (!isOurs(zone, to)) ends.add(to);
        else if (sets.some(({ type }) => type === 'SRV') && hasAlias(byName.get(to)))
          return { ends: [...ends], fault: `a SRV record leads to the CNAME ${to}` };
        else next.push(to);
      }
    }
    front = [...new Set(next)];
  }
  return { ends: [...ends], fault: ends.size === 0 ? 'leads nowhere' : undefined };
}

function isOurs(zone: string, to: string): boolean {
  return to.endsWith(`.${zone}`);
}

/** RFC 2782: the target must not be an alias. */
function hasAlias(sets: readonly RecordSet[] | undefined): boolean {
  return sets?.some(({ type }) => type === 'CNAME') === true;
}

function targetsOf({ type, values, items, alias }: RecordSet): readonly string[] {
  if (alias !== undefined) return [alias.target];
  if (type === 'SRV') return values.map((value) => value.split(' ').at(-1) ?? '');
  return [...values, ...(items ?? []).flatMap((item) => item.values)];
}
