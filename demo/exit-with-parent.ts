// Preloaded into every process of the demo: when the demo itself goes away, also by SIGKILL, its
// end of our standard input closes, and we end as on SIGTERM.

import { isMainThread } from 'node:worker_threads';

if (isMainThread) {
  const end = (): void => {
    process.kill(process.pid, 'SIGTERM');
  };
  process.stdin.once('end', end);
  process.stdin.once('error', end);
  process.stdin.resume();
  // Waiting for the end must not keep a program alive that has nothing else to do.
  if ('unref' in process.stdin && typeof process.stdin.unref === 'function') process.stdin.unref();
}
