// A zone's thread that listens, answers its owner twice, and then is never done with one turn.

import { parentPort } from 'node:worker_threads';
import type { FromWorker } from '../../coordinator/zone/worker-messages.ts';

let pings = 0;
// oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
const say = (message: FromWorker): void => parentPort?.postMessage(message);

parentPort?.on('message', (message: { readonly kind: string }) => {
  if (message.kind === 'listen') say({ kind: 'listening', port: 5_353 });
  if (message.kind !== 'ping') return;
  pings += 1;
  say({ kind: 'pong' });
  if (pings < 2) return;
  const never = new Int32Array(new SharedArrayBuffer(4));
  Atomics.wait(never, 0, 0);
});
