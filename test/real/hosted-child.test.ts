// The adapter of hosted agents over real processes: a child that hangs is ended, and its folder goes.

import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { toClusterName } from '../../common/model/ids.ts';
import { systemClock as clock } from '../../common/runtime/clock.ts';
import type { FromHosted } from '../../common/wire/hosted-lines.ts';
import { createChildProcesses } from '../../coordinator/hosted/child-process.ts';
import { eventually } from '../support/eventually.ts';

const uid = '00000000-0000-4000-8000-000000000001';

test('C4: a child that hangs is ended; one that answers is not; bad credentials end it with a reason', async (t) => {
  t.timeout(60_000);
  const folder = mkdtempSync(join(tmpdir(), 'isthmus-child-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const children = createChildProcesses({
    folder,
    coordinator: '127.0.0.1:1',
    flags: ['--log-level=error'],
    env: { PATH: process.env['PATH'], ISTHMUS_TOKEN: 'a setting of the coordinator' },
    clock,
    pingMs: 1000,
  });
  const heard: FromHosted[] = [];
  const ends: string[] = [];
  const start = (text: string) =>
    children.start({
      cluster: toClusterName('one'),
      uid,
      credentials: { kind: 'kubeconfig', revision: 1, text },
      onMessage: (message) => void heard.push(message),
      onEnd: (how) => void ends.push(how),
    });
  const until = (what: string, isSo: () => boolean): Promise<void> =>
    eventually(30_000, () => Promise.resolve(isSo() ? [] : [what, JSON.stringify([heard, ends])]));

  await start('{}');
  await until('a reason', () => ends.length === 1);
  t.is(ends[0], 'exit code 1');
  t.regex(JSON.stringify(heard), /"failed".*no current-context/);

  const kubeconfig = JSON.stringify({
    'current-context': 'c',
    clusters: [{ name: 'c', cluster: { server: 'https://127.0.0.1:1' } }],
    users: [{ name: 'u', user: { token: 't' } }],
    contexts: [{ name: 'c', context: { cluster: 'c', user: 'u' } }],
  });
  heard.length = 0;
  await start(kubeconfig);
  await until('pongs', () => heard.filter(({ kind }) => kind === 'pong').length >= 5);
  t.is(ends.length, 1);
  t.true(heard.some((message) => message.kind === 'api' && message.fault !== undefined));
  const pid = Number(readFileSync(join(folder, uid, 'agent.pid'), 'utf8'));
  t.true(pid > 1);
  t.deepEqual(await children.folders(), [uid]);
  process.kill(pid, 'SIGSTOP');
  await until('its end', () => ends.length === 2);
  t.is(ends[1], 'SIGKILL');

  const third = await start(kubeconfig);
  await until('another pong', () => heard.at(-1)?.kind === 'pong');
  await third.stop();
  t.is(ends.length, 3);
  await children.removeFolder(uid);
  t.false(existsSync(join(folder, uid)));
});
