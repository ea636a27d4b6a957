// What the coordinator's Welcome shows that a person should know: clocks that differ, versions that
// are too far apart. The coordinator says the same in the Cluster's conditions.

import { describeClockSkew, describeVersionSkew } from '../../common/pure/skew.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import type { Log } from '../../common/runtime/log.ts';
import type { Welcome } from './record.ts';

export function tellWelcome(
  of: { readonly agentVersion: string; readonly clock: Clock; readonly log: Log },
  welcome: Welcome,
): void {
  const { clock, log, agentVersion } = of;
  const { clockUnixMs, coordinatorVersion } = welcome;
  if (clockUnixMs !== undefined) {
    const skew = describeClockSkew({ agentMs: clock.now(), coordinatorMs: clockUnixMs });
    if (skew !== undefined) log.warn('clock skew', { detail: skew });
  }
  if (coordinatorVersion === undefined) return;
  const skew = describeVersionSkew({ agentVersion, coordinatorVersion });
  if (skew !== undefined) log.warn('version skew', { detail: skew.message });
}
