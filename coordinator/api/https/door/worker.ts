// The door's thread.

import { parentPort, workerData } from 'node:worker_threads';
import { invariant } from '../../../../common/pure/errors.ts';
import { systemClock } from '../../../../common/runtime/clock.ts';
import { watchGcPauses } from '../../../../common/runtime/gc-pauses.ts';
import { startLagMeter } from '../../../../common/runtime/lag.ts';
import { watchTurns } from '../../../../common/runtime/loop-turns.ts';
import type { Metrics } from '../../../../common/runtime/metrics.ts';
import { Outbox } from '../door-mail.ts';
import type { DoorSettings, Observation, Report } from '../door-messages.ts';
import { openDoor } from './door.ts';

const tellAfterMs = 1_000;

/** What is observed is told once a second; nothing else is counted here. */
function relay(tell: (observations: readonly Observation[]) => void): Metrics {
  let observations: Observation[] = [];
  const add = (observation: Observation): void => {
    if (observations.length === 0) {
      systemClock.after(tellAfterMs, () => {
        tell(observations);
        observations = [];
      });
    }
    observations.push(observation);
  };
  return {
    count: () => undefined,
    gauge: (name, value, labels) => add(['gauge', name, value, labels, undefined]),
    observe: (name, value, labels, buckets) => add(['observe', name, value, labels, buckets]),
  };
}

const port = parentPort;
invariant(port !== null, 'the door runs in a worker thread');
const outbox = new Outbox<Report>(port, systemClock);
startLagMeter({
  thread: 'door',
  watchTurns,
  metrics: relay((observations) => outbox.push(['observed', observations])),
  watchGc: watchGcPauses,
});
await openDoor(workerData as DoorSettings, { port, outbox, clock: systemClock }); // of door-thread.ts
