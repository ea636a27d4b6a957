// Everything that takes longer than CI has: every peer, all tests in full, upstream's own suites,
// long fuzz runs. A line as each part begins and ends; one that fails does not end the others.
//
//   npm run test:full

import { spawn } from 'node:child_process';
import { systemClock } from '../common/runtime/clock.ts';
import { peersOnAsk, peers } from './peers/catalog.ts';

interface FullPart {
  readonly name: string;
  readonly args: readonly string[];
}

const fuzzSeconds = 300;
const everyPeer = [...peers, ...peersOnAsk].map(({ name }) => name).join(',');

const parts: readonly FullPart[] = [
  { name: 'peers', args: ['dist/test/peers/build.js', '--only', everyPeer] },
  { name: 'tests', args: ['dist/test/run.js', 'all'] },
  { name: 'upstream suites', args: ['dist/test/upstream/main.js'] },
  { name: 'fuzz', args: ['dist/test/fuzz/main.js', '--seconds', String(fuzzSeconds)] },
];

const failed: string[] = [];
for (const { name, args } of parts) {
  const startMs = systemClock.monotonicMs();
  print(`begins: ${name}`);
  const code = await run(args);
  if (code !== 0) failed.push(name);
  const seconds = Math.round((systemClock.monotonicMs() - startMs) / 1000);
  print(`${code === 0 ? 'ok' : `FAILED with ${code}`}: ${name}, ${seconds} s`);
}
print(failed.length === 0 ? 'all parts passed' : `failed: ${failed.join(', ')}`);
process.exitCode = failed.length === 0 ? 0 : 1;

function run(args: readonly string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const env = { ...process.env, ISTHMUS_TEST_FULL: 'true' };
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'inherit', 'inherit'], env });
    child.on('error', reject);
    child.on('close', (code) => resolve(code ?? 1));
  });
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
