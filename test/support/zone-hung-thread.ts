// A zone's thread that listens, answers its owner twice, and then is never done with one turn.

import { parentPort } from 'node:worker_threads';

let pings = 0;
parentPort?.on('message', (message: { readonly kind: string }) => {
  if (message.kind === 'listen') parentPort?.postMessage({ kind: 'listening', port: 5_353 });
  if (message.kind !== 'ping') return;
  pings += 1;
  parentPort?.postMessage({ kind: 'pong' });
  if (pings < 2) return;
  const never = new Int32Array(new SharedArrayBuffer(4));
  Atomics.wait(never, 0, 0);
});
