// Room for open files. The kernel doubles a process's table of them when it is full, and holds the
// thread that opens one more for 5 to 20 ms, until nobody looks at the former table (synchronize_rcu
// in expand_files, fs/file.c): in the middle of a burst of connections (I11). A table never shrinks.

import { closeSync, openSync } from 'node:fs';

/** Makes the table as large as `files`, a power of 2, or as the process may; at start, while nobody waits. */
export function makeRoomForFiles(files: number): void {
  const opened: number[] = [];
  try {
    do {
      opened.push(openSync('/dev/null', 'r'));
    } while ((opened.at(-1) ?? files) < files / 2);
  } catch {
    // As many as the process may have; or no such system.
  } finally {
    for (const file of opened) closeSync(file);
  }
}
