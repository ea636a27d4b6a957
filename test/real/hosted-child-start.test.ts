// A hosted agent as a process of its own, where its start goes wrong.

import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { toClusterName } from '../../common/model/ids.ts';
import { systemClock as clock } from '../../common/runtime/clock.ts';
import { createChildProcesses } from '../../coordinator/hosted/child-process.ts';

const uid = '00000000-0000-4000-8000-000000000001';

function processesOf(mark: string): readonly string[] {
  return readdirSync('/proc').filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').includes(mark);
    } catch {
      return false;
    }
  });
}

test('C5 a start that fails leaves no child behind', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'isthmus-child-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  mkdirSync(join(folder, uid, 'agent.pid'), { recursive: true }); // as on a full disk: no such file
  const children = createChildProcesses({
    folder,
    coordinator: '127.0.0.1:1',
    flags: [],
    env: process.env,
    clock,
  });
  const ends: string[] = [];
  const start = children.start({
    cluster: toClusterName('one'),
    uid,
    credentials: { kind: 'kubeconfig', revision: 1, text: '' },
    onMessage: () => undefined,
    onEnd: (how) => void ends.push(how),
  });
  await t.throwsAsync(start, { code: 'EISDIR' });
  t.deepEqual(processesOf(join(folder, uid, 'data')), []);
  t.deepEqual(ends, []); // whoever started it knows already
});
