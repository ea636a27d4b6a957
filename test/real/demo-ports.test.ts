// The ports that a demo draws, its members' etcd and tests too: each is a process, and none listens
// yet when the next one draws.

import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { temporaryDir } from './demo-process.ts';

const module = fileURLToPath(new URL('../../demo/ports.js', import.meta.url));
/** Draws from the same place each time, says what it got, and lives until its input ends. */
const program = `
  import { takePorts } from ${JSON.stringify(module)};
  const wishes = ['one', 'two'].map((name) => ({ name, what: name, port: 0, isUdpToo: true }));
  const chance = { fraction: () => 0.5 };
  const ports = await takePorts(wishes, { isAnyPort: true, chance, earlier: {} });
  process.stdout.write(JSON.stringify([...ports.values()]));
  process.stdin.resume();
`;

interface Drawer {
  readonly child: ChildProcess;
  readonly ports: readonly number[];
}

async function draw(dir: string): Promise<Drawer> {
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, TMPDIR: dir },
  });
  const [text] = (await once(child.stdout.setEncoding('utf8'), 'data')) as [string];
  return { child, ports: JSON.parse(text) as number[] };
}

test('a port that a process has drawn is drawn by no other until it ends, also by SIGKILL', async (t) => {
  const dir = temporaryDir(t);
  const [first, second] = await Promise.all([draw(dir), draw(dir)]);
  t.is(new Set([...first.ports, ...second.ports]).size, 4);

  first.child.kill('SIGKILL');
  await once(first.child, 'exit');
  const third = await draw(dir);
  t.true(third.ports.every((port) => !second.ports.includes(port)));
  t.true(
    third.ports.some((port) => first.ports.includes(port)),
    'a killed process keeps none',
  );

  second.child.stdin?.end();
  third.child.stdin?.end();
  await Promise.all([once(second.child, 'exit'), once(third.child, 'exit')]);
  t.deepEqual(readdirSync(dir), [], 'those that ended leave no file');
});
