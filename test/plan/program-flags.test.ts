// The flags of node in a program's first line.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { nodeFlagsOf } from '../../common/runtime/program-flags.ts';

const rows: readonly (readonly [string, string, readonly string[]])[] = [
  [
    'flags',
    '#!/usr/bin/env -S node --optimize-for-size --max-semi-space-size=1\ncode\n',
    ['--optimize-for-size', '--max-semi-space-size=1'],
  ],
  ['a digit in a flag', '#!/usr/bin/env -S node --v8-pool-size=2\n', ['--v8-pool-size=2']],
  ['no flags', '#!/usr/bin/env node\ncode\n', []],
  ['no first line of that kind', 'console.log(1)\n', []],
  ['an empty file', '', []],
];
for (const [title, text, flags] of rows) {
  test(`a program with ${title} is started so`, (t) => {
    t.deepEqual(nodeFlagsOf(programOf(t, text)), flags);
  });
}

test('what is no flag is told, not left out with all the others', (t) => {
  for (const line of ['--one  --two', '--one ', '--One', '--one=a b', '--one; rm']) {
    const script = programOf(t, `#!/usr/bin/env -S node ${line}\n`);
    t.throws(() => nodeFlagsOf(script), { message: /in its first line is no flag of node/ });
  }
});

function programOf(t: ExecutionContext, text: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'isthmus-flags-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const script = join(folder, 'main.js');
  writeFileSync(script, text);
  return script;
}

test('the agent asks for a small heap, the coordinator for short pauses', (t) => {
  t.deepEqual(nodeFlagsOf('dist/agent/main.js'), [
    '--optimize-for-size',
    '--max-semi-space-size=1',
  ]);
  t.deepEqual(nodeFlagsOf('dist/coordinator/main.js'), [
    '--no-memory-reducer',
    '--no-parallel-scavenge',
    '--no-allocation-site-pretenuring',
    '--max-semi-space-size=4',
    '--heap-growing-percent=100',
    '--no-compact',
    '--no-lazy',
    '--no-flush-bytecode',
  ]);
});
