// Clients on a machine that in life they would not share with the server.

import { readdirSync } from 'node:fs';
import { constants, setPriority } from 'node:os';

/** This process, with all its threads, runs on what the others leave from now on (Linux). What it has started does not. */
export function giveWay(): void {
  for (const thread of readdirSync('/proc/self/task')) {
    setPriority(Number(thread), constants.priority.PRIORITY_LOW); // Linux has a priority for each thread
  }
}
