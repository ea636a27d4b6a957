// Names of single shards: where a CNAME has to lead to addresses, a SRV record needs a host, or the
// user wants to reach one cluster's shard (hostname mode PerShard). Pure.
//
//   M1. A shard's name stands below the global name and begins with `s-` and a hash of its
//       cluster: it is no level's, whatever zones and regions are called, and of one length.
//   M2. A shard that is not healthy has its name only in mode PerShard, and then it leads to the
//       global name.

import { hash } from 'node:crypto';
import type { RecordSet } from '../../../common/model/publication.ts';
import { isNameable } from './levels.ts';
import { isHealthy, type Candidate } from './plan-candidates.ts';
import { alias, planShardName, type At } from './plan-level.ts';
import type { ZoneShape } from './zone-shape.ts';

const hashCharacters = 8;

/** M1. undefined: DNS cannot carry it; then it carries no shard's. */
export function toShardName(globalName: string, cluster: string): string | undefined {
  const name = `s-${toLabel(cluster)}.${globalName}`;
  return isNameable(name) ? name : undefined;
}

/** 40 bits as base 32 in DNS letters: of 5,000 clusters two are alike once in 80,000 Services. */
function toLabel(cluster: string): string {
  const bits = BigInt(`0x${hash('sha256', cluster, 'hex').slice(0, 10)}`);
  return bits.toString(32).padStart(hashCharacters, '0');
}

/** Every shard has a name of its own, not only those that a level leads to. */
export function isPerShard({ hostnameMode, weights }: ZoneShape): boolean {
  return hostnameMode === 'PerShard' && (weights === 'values' || weights === 'none');
}

export function planShardNames(
  at: Omit<At, 'name' | 'level'>,
  of: {
    readonly globalName: string;
    readonly candidates: readonly Candidate[];
    /** To which levels lead, and which answer there. */
    readonly named: ReadonlySet<Candidate>;
  },
): readonly RecordSet[] {
  const wanted = isPerShard(at.shape)
    ? of.candidates.filter(({ way }) => way.kind !== 'none')
    : of.candidates.filter((shard) => of.named.has(shard));
  return wanted.flatMap((shard) => {
    const name = at.shardName(shard);
    if (name === undefined) return [];
    const here: At = { ...at, name, level: 'shard' };
    const answers = of.named.has(shard) || isHealthy(shard);
    return answers ? planShardName(here, shard) : [alias(here, of.globalName)]; // M2
  });
}
