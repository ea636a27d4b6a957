// The thread of the door (door/worker.ts). Adapter.

import { Worker } from 'node:worker_threads';
import type { StartDoor } from './door-life.ts';

export const startDoorThread: StartDoor = (settings, to) =>
  startThread(new URL('./door/worker.js', import.meta.url), settings, to);

/** Sixty thousand watches. A door that is over it is opened again, before it takes the memory of the whole process. */
const heapMegabytes = 1_024;

/** Runs the file `code`. */
export function startThread(
  code: URL,
  workerData: Parameters<StartDoor>[0],
  { onMail, onExit }: Parameters<StartDoor>[1],
): ReturnType<StartDoor> {
  const worker = new Worker(code, {
    workerData,
    resourceLimits: { maxOldGenerationSizeMb: heapMegabytes },
  });
  let failure: unknown;
  worker.on('message', onMail);
  worker.on('error', (error) => {
    failure = error;
  });
  worker.on('exit', (exitCode) => onExit(failure ?? new Error(`exit ${exitCode}`)));
  return {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
    postMessage: (mail, transfer) => worker.postMessage(mail, transfer),
    end: async () => {
      await worker.terminate();
    },
  };
}
