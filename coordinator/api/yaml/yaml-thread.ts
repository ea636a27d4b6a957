// A worker thread that reads YAML (yaml-worker.ts), with little memory. Adapter.

import { Worker } from 'node:worker_threads';
import type { YamlAnswer } from './yaml-messages.ts';
import type { StartYamlThread, YamlThread } from './yaml-reader.ts';

// 256 KB of YAML take some 20 MB; what needs more is made to need it.
const heapMegabytes = 96;

export const startYamlThread: StartYamlThread = (to) =>
  startThread(new URL('./yaml-worker.js', import.meta.url), to);

/** Runs the file `code`. Keeps the process alive only while it reads. */
export function startThread(
  code: URL,
  { onAnswer, onLoss }: Parameters<StartYamlThread>[0],
): YamlThread {
  const worker = new Worker(code, {
    execArgv: [], // what this process was started with is not meant for it
    resourceLimits: { maxOldGenerationSizeMb: heapMegabytes },
  });
  worker.unref();
  let failure: unknown;
  worker.on('message', (answer: YamlAnswer) => {
    worker.unref();
    onAnswer(answer);
  });
  worker.on('error', (error) => {
    failure = error;
  });
  worker.on('exit', (exitCode) => {
    onLoss(isOutOfMemory(failure) ? 'memory' : 'fault', failure ?? new Error(`exit ${exitCode}`));
  });
  return {
    send: (text) => {
      worker.ref();
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
      worker.postMessage(text);
    },
    end: async () => {
      await worker.terminate();
    },
  };
}

function isOutOfMemory(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ERR_WORKER_OUT_OF_MEMORY';
}
