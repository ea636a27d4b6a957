// SRV records (RFC 2782) of a Service whose shards answer at node ports: an address alone says not
// at which port. `_<port>._<protocol>.<level name>`, one value for each shard in DNS at that level.
// Input: the levels with the shards that answer there. Output: record sets. Pure.
//
//   W1. Only while a shard in DNS is at node ports; load balancers beside it answer at the Service's
//       own port.
//   W2. The target is a shard's own name or its load balancer's, never a CNAME of ours (RFC 2782).
//   W3. A level without a shard leads one level up, as its address records do.

import type { ServicePort } from '../../../common/model/kube-object.ts';
import type { RecordSet } from '../../../common/model/publication.ts';
import { chooseStable } from '../../../common/pure/stable-choice.ts';
import { isNameable, type LevelName } from './levels.ts';
import { balancerOf, type Candidate } from './plan-candidates.ts';
import { alias, type At } from './plan-level.ts';

export interface AnsweringLevel {
  readonly level: LevelName<unknown>;
  readonly ttlSeconds: number;
  /** Empty: it leads one level up. */
  readonly shards: readonly Candidate[];
}

export interface SrvPlan {
  readonly sets: readonly RecordSet[];
  readonly named: readonly Candidate[];
  readonly tooLong: readonly string[];
  /** Ports that cannot have a name. */
  readonly hasUnnamed: boolean;
}

const nothing: SrvPlan = { sets: [], named: [], tooLong: [], hasUnnamed: false };

/** `levels`: the global one first, every other after its parent. */
export function planSrv(
  at: Pick<At, 'shape' | 'shardName'>,
  ports: readonly ServicePort[],
  levels: readonly AnsweringLevel[],
): SrvPlan {
  const [global] = levels;
  if (global?.shards.some(({ nodePorts }) => nodePorts !== undefined) !== true) return nothing; // W1
  const named = global.shards.filter((shard) => balancerOf(shard) === undefined);
  if (named.some((shard) => at.shardName(shard) === undefined)) {
    return { ...nothing, tooLong: [`s-xxxxxxxx.${global.level.name}`] };
  }
  const offered = ports.filter(({ name = '' }) => name !== '');
  const hasUnnamed = offered.length < ports.length;
  const planned = offered.map((port) => planPort(at, port, levels));
  const sets = planned.flatMap((each) => each.sets);
  const tooLong = planned.flatMap((each) => each.tooLong);
  return { sets, named: sets.length === 0 ? [] : named, tooLong, hasUnnamed };
}

function planPort(
  at: Pick<At, 'shape' | 'shardName'>,
  port: ServicePort,
  levels: readonly AnsweringLevel[],
): Pick<SrvPlan, 'sets' | 'tooLong'> {
  const { name = '', protocol = 'TCP' } = port;
  const prefix = `_${name}._${protocol.toLowerCase()}`;
  const sets: RecordSet[] = [];
  const tooLong: string[] = [];
  const stands = new Set<string>();
  for (const { level, ttlSeconds, shards } of levels) {
    const owner = `${prefix}.${level.name}`;
    const here = { name: owner, ttlSeconds, level: level.level };
    const values = chooseStable(
      owner,
      [...new Set(shards.flatMap((shard) => toValue(at, port, shard)))].sort(),
      at.shape.valuesPerSetMax,
    );
    const parent = `${prefix}.${level.parent ?? ''}`;
    if (!isNameable(owner)) {
      tooLong.push(owner);
    } else if (values.length > 0) {
      sets.push({ ...here, type: 'SRV', values });
      stands.add(owner);
    } else if (stands.has(parent)) {
      sets.push(alias(here, parent)); // W3
      stands.add(owner);
    }
  }
  return { sets, tooLong };
}

/** `priority weight port target`. None: the shard has not this port. */
function toValue(
  at: Pick<At, 'shardName'>,
  { name, protocol = 'TCP', port }: ServicePort,
  shard: Candidate,
): readonly string[] {
  const { nodePorts, weight } = shard;
  const found = nodePorts?.find((one) => one.name === name && one.protocol === protocol)?.nodePort;
  const number = nodePorts === undefined ? port : found;
  const target = balancerOf(shard) ?? at.shardName(shard);
  return number === undefined || target === undefined ? [] : [`0 ${weight} ${number} ${target}`];
}
