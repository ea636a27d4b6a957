// Everything that takes longer than CI has: every peer, all tests in full, upstream's own suites,
// long fuzz runs. A line as each part begins and ends; one that fails does not end the others.
//
//   npm run test:full

import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { systemClock } from '../common/runtime/clock.ts';
import { peersOnAsk, peers } from './peers/catalog.ts';
import { linkNewerKubernetes } from './peers/newer-kubernetes.ts';

interface FullPart {
  readonly name: string;
  readonly args: readonly string[];
  /** More of the environment; undefined leaves the part out, as failed. */
  readonly env?: () => NodeJS.ProcessEnv | undefined;
}

const fuzzSeconds = 300;
const onRealMembers = ['kills', 'pauses', 'partition', 'losses'].map(
  (what) => `dist/test/real/end-to-end-${what}.test.js`,
);
const agentsOfPeers = readdirSync('dist/test/real')
  .filter((name) => /^peer-agent.*\.test\.js$/.test(name))
  .map((name) => `dist/test/real/${name}`);
const everyPeer = [...peers, ...peersOnAsk].map(({ name }) => name).join(',');

const parts: readonly FullPart[] = [
  { name: 'peers', args: ['dist/test/peers/build.js', '--only', everyPeer] },
  { name: 'tests', args: ['dist/test/run.js', 'all'] },
  {
    name: 'faults on members with a real API server',
    args: ['dist/test/run.js', ...onRealMembers],
    env: () => ({ TEST_MEMBERS: 'real' }),
  },
  {
    name: 'members of Kubernetes 1.36',
    args: ['dist/test/run.js', 'dist/test/real/demo-real.test.js', ...agentsOfPeers],
    env: () => {
      const assets = linkNewerKubernetes(process.env);
      return assets === undefined ? undefined : { KUBEBUILDER_ASSETS: assets };
    },
  },
  { name: 'upstream suites', args: ['dist/test/upstream/main.js'] },
  { name: 'fuzz', args: ['dist/test/fuzz/main.js', '--seconds', String(fuzzSeconds)] },
];

const failed: string[] = [];
for (const { name, args, env } of parts) {
  const startMs = systemClock.monotonicMs();
  print(`begins: ${name}`);
  const more = env === undefined ? {} : env();
  if (more === undefined) print('its programs are not there');
  const code = more === undefined ? 1 : await run(args, more);
  if (code !== 0) failed.push(name);
  const seconds = Math.round((systemClock.monotonicMs() - startMs) / 1000);
  print(`${code === 0 ? 'ok' : `FAILED with ${code}`}: ${name}, ${seconds} s`);
}
print(failed.length === 0 ? 'all parts passed' : `failed: ${failed.join(', ')}`);
process.exitCode = failed.length === 0 ? 0 : 1;

function run(args: readonly string[], more: NodeJS.ProcessEnv): Promise<number> {
  return new Promise((resolve, reject) => {
    const env = { ...process.env, TEST_FULL: 'true', ...more };
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'inherit', 'inherit'], env });
    child.on('error', reject);
    child.on('close', (code) => resolve(code ?? 1));
  });
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
