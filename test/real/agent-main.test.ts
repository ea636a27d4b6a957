// The agent as a program: what it says on stdout and stderr, and how it ends.

import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import test from 'ava';

const program = fileURLToPath(new URL('../../agent/main.js', import.meta.url));

interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

function run(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [program, ...args], {
      env: { PATH: process.env['PATH'], ...env },
    });
    let out = '';
    let err = '';
    child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, out, err }));
  });
}

test('--help explains every setting on stdout and ends well', async (t) => {
  const { code, out, err } = await run(['--help']);
  t.is(code, 0);
  t.is(err, '');
  for (const flag of [
    '--kubeconfig',
    '--coordinator',
    '--token-file',
    '--resolver-listen',
    '--allow-loopback',
  ]) {
    t.true(out.includes(flag), flag);
  }
});

test('an unknown setting is refused with exit code 2, a hint, and nothing on stdout', async (t) => {
  const { code, out, err } = await run(['--cluste', 'a']);
  t.is(code, 2);
  t.is(out, '');
  t.regex(err, /unknown setting --cluste; did you mean cluster/);
});

test('a kubeconfig that is not there ends the start with its reason', async (t) => {
  const { code, out, err } = await run(
    ['--kubeconfig', '/nonexistent', '--cluster', 'a', '--coordinator', 'h:1'],
    {
      ISTHMUS_DATA_DIR: '/tmp/isthmus-agent-main-test',
    },
  );
  t.is(code, 1);
  t.is(out, '');
  t.regex(err, /cannot read \/nonexistent/);
});
