// nats-server as a process of the demo: the coordinator's child, which it starts again by itself
// under another pid. So whoever wants to act on it looks into the coordinator's pid file first.

import { readFileSync, watch } from 'node:fs';
import { basename, dirname } from 'node:path';
import { sleep, type Clock } from '../common/runtime/clock.ts';
import type { ControlAnswer } from './control-socket.ts';
import { isAlive, killAll, signalIfThere } from './leftovers.ts';

const natsAgainMs = 15_000;

/** What `ctl` can do to it. */
export async function actOnNats(
  verb: string,
  pidFile: string,
  clock: Clock,
): Promise<ControlAnswer> {
  const pid = natsPid(pidFile);
  const isRunning = pid !== undefined && isAlive(pid);
  if (verb === 'start') {
    const until = clock.monotonicMs() + natsAgainMs;
    for (let now = natsPid(pidFile); clock.monotonicMs() < until; now = natsPid(pidFile)) {
      if (now !== undefined && isAlive(now)) return { ok: true, message: `nats runs (pid ${now})` };
      await sleep(clock, 50);
    }
    return {
      ok: false,
      message: 'nats did not come back; the coordinator starts it: does that run?',
    };
  }
  if (!isRunning)
    return { ok: false, message: 'nats does not run; the coordinator starts it again by itself' };
  switch (verb) {
    case 'kill': {
      await killAll([pid], clock);
      return {
        ok: true,
        message: `killed nats (pid ${pid}); the coordinator starts it again by itself`,
      };
    }
    case 'stop':
      signalIfThere(pid, 'SIGSTOP');
      return { ok: true, message: `stopped nats (pid ${pid}); it goes on with: ctl cont nats` };
    case 'cont':
      signalIfThere(pid, 'SIGCONT');
      return { ok: true, message: `continued nats (pid ${pid})` };
    default:
      return { ok: false, message: `unknown verb ${verb}` };
  }
}

/** The pid that the coordinator wrote; the process may be gone. */
export function natsPid(pidFile: string): number | undefined {
  try {
    const pid = Number(readFileSync(pidFile, 'utf8').trim());
    return Number.isInteger(pid) && pid > 0 ? pid : undefined;
  } catch {
    return undefined; // not started yet
  }
}

/** Calls `onChange` when the coordinator has written another pid. The folder must exist. */
export function watchNatsPid(pidFile: string, onChange: () => void): { close(): void } {
  return watch(dirname(pidFile), { persistent: false }, (_event, name) => {
    if (name === basename(pidFile)) onChange();
  });
}
