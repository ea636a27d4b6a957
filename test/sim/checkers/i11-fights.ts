// I11. A fight with another manager is bounded: the agent puts one content of a shard right a few
// times in a minute and less often after that, however fast it is written back.

import type { KubeObject } from '../../../common/model/kube-object.ts';
import { shardHashMark } from '../../../common/pure/shard-marks.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import type { AgentHost } from '../sim-agent.ts';
import type { Blame, Checker } from './checker.ts';

const windowMs = 60_000;
/** Five repairs begin a truce of 10 s, two more follow within the minute, and one is the first. */
const repairsMax = 8;

export interface FightsOptions {
  readonly clock: Clock;
  readonly agents: ReadonlyMap<string, Pick<AgentHost, 'startedMs'>>;
}

export function createFightsChecker({ clock, agents }: FightsOptions, blame: Blame): Checker {
  const fights = new Map<string, readonly number[]>();
  return {
    invariant: 'I11',
    // A new wish is no repair, also when it is an old one again.
    onMember: (cluster, { current, previous }) => {
      if (!current.key.startsWith('core/services/')) return;
      const isNew = previous === undefined || hashOf(current.object) !== hashOf(previous.object);
      if (isNew) fights.delete(`${cluster} ${current.object.metadata.name}`);
    },
    onWrittenBack: (cluster, name) => {
      const at = `${cluster} ${name}`;
      // An agent's life knows nothing of the fights of the last one.
      const sinceMs = Math.max(
        clock.monotonicMs() - windowMs,
        agents.get(cluster)?.startedMs() ?? 0,
      );
      const recent = [...(fights.get(at) ?? []), clock.monotonicMs()].filter((ms) => ms > sinceMs);
      fights.set(at, recent);
      if (recent.length > repairsMax) {
        blame(`${name} in ${cluster} was put right ${recent.length} times within a minute`);
      }
    },
  };
}

function hashOf({ metadata }: KubeObject): string | undefined {
  return metadata.annotations?.[shardHashMark];
}
