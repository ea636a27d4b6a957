import { spawn } from 'node:child_process';
import test from 'ava';

const program = `
import { createLifecycle, endOnSignals } from './dist/common/runtime/lifecycle.js';
import { systemClock as clock } from './dist/common/runtime/clock.js';
import { silentLog as log } from './dist/common/runtime/log.js';
const lifecycle = createLifecycle({ clock, log });
lifecycle.onClose({ name: 'slow', close: () => new Promise((resolve) => {
  process.stdout.write('closing\\n');
  clock.after(300, () => { process.stdout.write('closed\\n'); resolve(); });
}) });
endOnSignals(lifecycle, log);
process.stdout.write('ready\\n');
`;

test('a signal that comes twice at once, as npm and timeout send it, still closes everything', async (t) => {
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.teardown(() => child.kill('SIGKILL'));
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString();
    // The second comes when the first is being obeyed: signals sent together may be one.
    if (chunk.includes('ready') || chunk.includes('closing')) child.kill('SIGTERM');
  });
  const code = await new Promise((resolve) => child.on('exit', resolve));
  t.is(code, 0);
  t.true(output.includes('closed'), output);
});
