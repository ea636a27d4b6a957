// A thread in the place of yaml-worker.ts that does with a text what no parser may do.

import { parentPort } from 'node:worker_threads';

const port = parentPort;
port?.on('message', (text: string) => {
  if (text === 'hang') for (;;);
  if (text === 'exit') process.exit(3);
  if (text === 'throw') throw new Error('thrown');
  if (text === 'memory') {
    const kept: number[][] = [];
    for (;;) kept.push(Array.from({ length: 1_000_000 }, () => kept.length));
  }
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
  port.postMessage({ kind: 'parsed', json: JSON.stringify(text), duplicates: [] });
});
