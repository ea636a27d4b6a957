// Loaded into each thread of the coordinator by lag.ts (node --import): writes down the long turns of its event
// loop, by the clock of perf, with the number that the kernel has for the thread.

import { subscribe } from 'node:diagnostics_channel';
import { appendFileSync, readlinkSync } from 'node:fs';
import { turnChannel, type ToldTurn } from '../../common/runtime/lag.ts';
import { systemClock } from '../../common/runtime/clock.ts';
import { sharedMs } from '../shared-clock.ts';
import { longTurnMs, type LongTurn } from './executed-time.ts';

const path = process.env['BENCH_TURNS_PATH'];
const originMs = sharedMs() - systemClock.monotonicMs(); // the same clock from another beginning

subscribe(turnChannel, (message) => {
  const { thread, startMs, endMs, cpuMs, ownMs } = message as ToldTurn; // of this channel
  if (cpuMs < longTurnMs || path === undefined) return;
  const tid = Number(readlinkSync('/proc/thread-self').split('/').at(-1));
  const [fromMs, untilMs] = [startMs + originMs, endMs + originMs];
  const turn: LongTurn = { thread, tid, fromMs, untilMs, cpuMs, ownMs };
  appendFileSync(path, `${JSON.stringify(turn)}\n`);
});
