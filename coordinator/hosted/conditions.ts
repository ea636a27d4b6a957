// Writes the condition HostedAgent of Clusters, and the event that a change of it deserves.
// Input: marks of clusters, the state of their agents. Output: guarded status writes.
//
//   I12. A deposed lease holder writes nothing: the term is the guard of each write.

import { toLogKey, type ClusterName } from '../../common/model/ids.ts';
import { isthmusApiVersion, isthmusGroup, type Cluster } from '../../common/model/isthmus-kinds.ts';
import type { EventRecorder, TermGuard } from '../../common/model/views.ts';
import type { Chance } from '../../common/runtime/chance.ts';
import { toTimestamp, type Clock } from '../../common/runtime/clock.ts';
import type { Log } from '../../common/runtime/log.ts';
import { createLoop, type Loop } from '../../common/runtime/loop.ts';
import type { Desired } from '../desired/store.ts';
import { credentialsKey, ownerUid, serverOf } from './credentials.ts';
import { hostedConditionType, sayHosted, withHosted, type HostedState } from './plan-condition.ts';

export type HostedConditions = Pick<Loop<ClusterName>, 'mark' | 'idle' | 'stop'>;

const conflictRetryMs = 20;

export function createConditions(
  ports: {
    readonly desired: Desired;
    readonly term: TermGuard;
    readonly recorder: EventRecorder;
    readonly clock: Clock;
    readonly chance: Chance;
    readonly log: Log;
  },
  stateOf: (name: ClusterName, uid: string) => HostedState,
): HostedConditions {
  const { desired, term, clock, recorder } = ports;

  const say = (name: ClusterName, uid: string): ReturnType<typeof sayHosted> | undefined => {
    const stored = desired.get(credentialsKey(name));
    if (stored === undefined || ownerUid(stored.object) !== uid) return undefined;
    return sayHosted(name, serverOf(stored.object), stateOf(name, uid));
  };

  const run = async (name: ClusterName): Promise<{ readonly againAfterMs: number } | undefined> => {
    const stored = desired.get(toLogKey({ group: isthmusGroup, resource: 'clusters', name }));
    if (stored === undefined) return undefined;
    const cluster = stored.object as Cluster; // what stands under this key
    const before = cluster.status?.conditions ?? [];
    const said = say(name, cluster.metadata.uid ?? '');
    const conditions = withHosted(before, said, toTimestamp(clock.now()));
    if (conditions === before) return undefined;
    const outcome = await desired.write({
      key: stored.key,
      object: { ...cluster, status: { ...cluster.status, conditions } },
      expected: stored.revision,
      guard: term.guard(),
    });
    if (outcome.kind !== 'written') return { againAfterMs: conflictRetryMs };
    const was = before.find(({ type }) => type === hostedConditionType);
    if (said !== undefined && said.status !== 'Unknown' && was?.reason !== said.reason) {
      const { uid } = cluster.metadata;
      recorder.record({
        regarding: { apiVersion: isthmusApiVersion, kind: 'Cluster', name, uid },
        type: said.status === 'True' ? 'Normal' : 'Warning',
        reason: `HostedAgent${said.reason}`,
        message: said.message,
      });
    }
    return undefined;
  };

  return createLoop<ClusterName>({ ...ports, name: 'hosted-conditions', run });
}
