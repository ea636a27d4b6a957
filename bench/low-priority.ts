// Clients on a machine that in life they would not share with the server.

import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { constants, setPriority } from 'node:os';

/**
 * This process, with all its threads, runs on what the others leave from now on (Linux). What it has started does
 * not. Idle tasks (sched(7), SCHED_IDLE) leave a core at once, and one that has none but them counts as free where
 * a thread of the server wakes up; where there is no chrt they are niced, which is neither.
 */
export function giveWay(): void {
  try {
    execFileSync('chrt', ['--all-tasks', '--idle', '--pid', '0', String(process.pid)], {
      stdio: 'ignore',
    });
  } catch {
    for (const thread of readdirSync('/proc/self/task')) {
      setPriority(Number(thread), constants.priority.PRIORITY_LOW); // Linux has a priority for each thread
    }
  }
}
