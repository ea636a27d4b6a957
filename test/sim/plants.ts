// Bugs that canary runs plant into agents, between session and applier or as a guard.

import { toRevision, type ClusterName } from '../../common/model/ids.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import type { AgentSession } from '../../agent/agent-ports.ts';
import { simGuard } from './sim-agent.ts';

/** The guard counts no removals. */
export const unbounded = { ...simGuard, removalsPerMinute: 1_000 };

/** What the coordinator cannot be asked about is taken for unwanted. */
export function plantAbsenceDeletes(session: AgentSession): AgentSession {
  const { assignment } = session;
  return {
    ...session,
    assignment: {
      ...assignment,
      shard: (key) => (session.isOpen() ? assignment.shard(key) : undefined),
      order: (key) =>
        session.isOpen()
          ? assignment.order(key)
          : { cluster: 'none' as ClusterName, key, mode: 'delete', revision: toRevision(1) },
    },
  };
}

/** A minute is over in a second or two: no fight lasts long enough to be one. */
export function plantHaste(clock: Clock): Clock {
  return { ...clock, monotonicMs: () => clock.monotonicMs() * 50 };
}
