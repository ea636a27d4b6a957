import test from 'ava';
import { findPortFaults, findSizeFaults } from './ports.ts';
import { listSources, parseSource } from './source-files.ts';

test('time and chance are touched only by their ports', (t) => {
  t.deepEqual(
    listSources().flatMap((path) => findPortFaults(parseSource(path))),
    [],
  );
});

test('files stay under 400 lines and functions under 70', (t) => {
  t.deepEqual(
    listSources().flatMap((path) => findSizeFaults(parseSource(path))),
    [],
  );
});

for (const planted of [
  'setTimeout(() => undefined, 5);',
  'const now = Date.now();',
  'const then = new Date(0);',
  'const x = Math.random();',
  'const t = process.hrtime.bigint();',
  "import { randomUUID } from 'node:crypto';",
  "import { setTimeout as wait } from 'node:timers/promises';",
]) {
  test(`the ports check catches: ${planted}`, (t) => {
    t.is(findPortFaults(parseSource('coordinator/dns/publish/loop.ts', planted)).length, 1);
  });
}

test('the size check catches a function of 71 lines', (t) => {
  const body = Array.from({ length: 69 }, () => '  void 0;').join('\n');
  const text = `function long() {\n${body}\n}\n`;
  t.is(findSizeFaults(parseSource('common/pure/long.ts', text)).length, 1);
});
