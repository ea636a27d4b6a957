// Records which CAs each agent trusts, in its Cluster's status, where whoever retires a CA looks: a
// former one goes only when all have confirmed the new one. An agent says it once in a session, so what the store does not
// take is written again until it does.

import type { ClusterName } from '../../common/model/ids.ts';
import type { SessionState } from '../../common/model/views.ts';
import type { Chance } from '../../common/runtime/chance.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import type { Log } from '../../common/runtime/log.ts';
import { createLoop, type Loop } from '../../common/runtime/loop.ts';
import type { Desired } from '../desired/store.ts';
import { changeCluster } from './cluster-objects.ts';

/** To be marked with each cluster whose agent has said what it trusts. Stopped by its owner. */
export function createTrustRecorder(options: {
  readonly desired: Desired;
  /** Of an agent that is connected: another coordinator may know better of others. */
  readonly stateOf: (cluster: ClusterName) => Pick<SessionState, 'trustDigest'> | undefined;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly log: Log;
}): Loop<ClusterName> {
  const { desired, stateOf } = options;
  return createLoop<ClusterName>({
    ...options,
    name: 'agents-trust',
    run: async (cluster) => {
      await changeCluster(desired, cluster, ({ status }) => {
        const digest = stateOf(cluster)?.trustDigest;
        const isSaid = digest === undefined || status?.trustDigest === digest;
        return isSaid ? undefined : { ...status, trustDigest: digest };
      });
      return undefined;
    },
  });
}
