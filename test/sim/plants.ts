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

/** Each wish is taken for a new one again and again, and applied at once. */
export function plantEndlessFights(clock: Clock): (session: AgentSession) => AgentSession {
  return (session) => {
    const { assignment } = session;
    const subscribe: typeof assignment.subscribe = (listener) => {
      const tell = (): void => {
        for (const key of assignment.keys()) listener(key);
        clock.after(1_000, tell);
      };
      tell();
      return assignment.subscribe(listener);
    };
    return { ...session, assignment: { ...assignment, subscribe } };
  };
}
