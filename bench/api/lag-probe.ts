// A process that has nothing to do but a timer: how late that is says how busy the machine is,
// whatever the coordinator does. Asked by lag.ts, it answers with what it has seen since.

import { systemClock } from '../../common/runtime/clock.ts';
import { startLagMeter } from '../../common/runtime/lag.ts';

let lateMs: number[] = [];

// The metric is fed with seconds, as the coordinator's own.
startLagMeter({
  thread: 'main',
  clock: systemClock,
  metrics: {
    count: () => undefined,
    gauge: () => undefined,
    observe: (_name, seconds) => void lateMs.push(seconds * 1000),
  },
});

process.on('message', () => {
  process.send?.(lateMs);
  lateMs = [];
});
