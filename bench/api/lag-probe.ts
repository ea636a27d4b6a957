// A process that has nothing to do but a timer: how late that is says how busy the machine is,
// whatever the coordinator does. Asked by lag.ts, it answers with what it has seen since.

import { systemClock } from '../../common/runtime/clock.ts';

const everyMs = 10;
let lateMs: number[] = [];

function wait(): void {
  const dueMs = systemClock.monotonicMs() + everyMs;
  systemClock.after(everyMs, () => {
    lateMs.push(Math.max(0, systemClock.monotonicMs() - dueMs));
    wait();
  });
}

wait();

process.on('message', () => {
  process.send?.(lateMs);
  lateMs = [];
});
