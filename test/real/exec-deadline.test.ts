// Exec commands of a kubeconfig that do not end, and what is told of those that fail.

import { readFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { systemClock, type Clock } from '../../common/runtime/clock.ts';
import { createExecSource } from '../../common/runtime/exec-credential.ts';
import { eventually } from '../support/eventually.ts';

const cluster = {
  server: 'https://c.example',
  caPem: undefined,
  serverName: undefined,
  skipTlsVerify: false,
  config: undefined,
};
const env = { PATH: process.env['PATH'] };

function isAlive(pid: number): boolean {
  try {
    return !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

test('X3 a program that left another behind, which holds its output, is late and no more', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'isthmus-exec-'));
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  const due: (() => void)[] = [];
  const clock: Clock = {
    ...systemClock,
    after: (_ms, run) => {
      due.push(run);
      return { cancel: () => undefined };
    },
  };
  const pidFile = join(dir, 'pid');
  const script = `sleep 300 & echo $! >${pidFile}.new; mv ${pidFile}.new ${pidFile}; wait`;
  const entry = { command: 'sh', args: ['-c', script] };
  const source = createExecSource({ entry, cluster, env, isInteractive: false, clock });
  const asked = source.current();
  let pid = 0;
  await eventually(20_000, async () => {
    try {
      pid = Number(readFileSync(pidFile, 'utf8'));
    } catch {
      return ['not started'];
    }
    return [];
  });
  for (const run of due) run();
  await t.throwsAsync(asked, { code: 'KUBE_CREDENTIALS', message: /"sh": it did not end in time/ });
  await eventually(20_000, async () => (isAlive(pid) ? ['what it started is alive'] : []));
  t.pass();
});

test('X4 I9 what a failed program says is told without the secrets that it quotes', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'isthmus-exec-'));
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  const token = ['eyJhbGciOiJub25lIn0', 'eyJzdWIiOiJhbmEifQ', 'c2ln'].join('.');
  const path = join(dir, 'plugin.sh');
  writeFileSync(
    path,
    `#!/bin/sh\necho "region eu-1: $SECRET refused, ${token} too" >&2; exit 3\n`,
    {
      mode: 0o700,
    },
  );
  const secret = 'wJalrXUtnFEMI/K7MDENG';
  const entry = {
    command: path,
    env: [
      { name: 'SECRET', value: secret },
      { name: 'REGION', value: 'eu-1' },
    ],
  };
  const source = createExecSource({
    entry,
    cluster,
    env,
    isInteractive: false,
    clock: systemClock,
  });
  const error = await t.throwsAsync(source.current());
  t.regex(error?.message ?? '', /exit code 3: region eu-1: \*\*\* refused, \*\*\* too\./);
});
