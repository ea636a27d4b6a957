// Servers of tests are not left behind, also by a test run that is killed.

import { spawn } from 'node:child_process';
import anyTest from 'ava';
import { isAlive } from '../../demo/leftovers.ts';
import { eventually } from '../support/eventually.ts';
import { startServerProcess } from '../support/server-process.ts';

const isLinux = process.platform === 'linux';
const testOnLinux = isLinux ? anyTest : anyTest.skip;
const sayId = `echo "id $$"; exec sleep 600`;

testOnLinux('a server ends with the test process that was killed', async (t) => {
  const script = `
    import { startServerProcess } from './dist/test/support/server-process.js';
    const server = startServerProcess({
      name: 'sleep', path: '/bin/sh', flags: ['-c', ${JSON.stringify(sayId)}],
    });
    setInterval(() => process.stdout.write(server.logs()), 20);`;
  const runner = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.teardown(() => runner.kill('SIGKILL'));
  const id = await new Promise<number>((resolve) => {
    let text = '';
    runner.stdout.on('data', (chunk: Buffer) => {
      text += chunk.toString('utf8');
      const said = /id (\d+)\n/.exec(text)?.[1];
      if (said !== undefined) resolve(Number(said));
    });
  });
  t.true(isAlive(id));
  runner.kill('SIGKILL');
  await eventually(10_000, () => Promise.resolve(isAlive(id) ? [`${id} is still there`] : []));
});

anyTest('stop() ends a server that does not listen to SIGTERM', async (t) => {
  const flags = ['-c', `trap '' TERM; echo "id $$"; exec sleep 600`];
  const server = startServerProcess({ name: 'deaf', path: '/bin/sh', flags });
  await eventually(10_000, () => Promise.resolve(/id \d+\n/.test(server.logs()) ? [] : ['silent']));
  const id = Number(/id (\d+)/.exec(server.logs())?.[1]);
  await server.stop();
  t.false(isAlive(id));
});

anyTest('the end of a server before its time is told', async (t) => {
  const flags = ['-c', 'echo no such flag >&2; exit 3'];
  const server = startServerProcess({ name: 'broken', path: '/bin/sh', flags });
  await t.throwsAsync(server.ended, { message: 'broken ended: exit 3' });
  t.is(server.logs(), 'no such flag\n');
});
