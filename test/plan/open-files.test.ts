// The table of open files has room before anybody connects.

import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import test from 'ava';

const unit = fileURLToPath(new URL('../../common/runtime/open-files.js', import.meta.url));
const code = `
  import { readdirSync, readFileSync } from 'node:fs';
  import { makeRoomForFiles } from ${JSON.stringify(unit)};
  const look = () => [
    Number(/^FDSize:\\s*(\\d+)/m.exec(readFileSync('/proc/self/status', 'utf8'))[1]),
    readdirSync('/proc/self/fd').length,
  ];
  const before = look();
  makeRoomForFiles(2048);
  console.log(JSON.stringify([before, look()]));
`;

function run(filesMax: number): readonly (readonly [number, number])[] {
  const script = `ulimit -n ${filesMax}; exec "$0" --input-type=module -e "$1"`;
  return JSON.parse(String(execFileSync('sh', ['-c', script, process.execPath, code])));
}

test('I11 the table of open files is made large at once, and nothing is left open', (t) => {
  const [before, after] = run(4_096);
  t.true((before?.[0] ?? 0) < 2_048);
  t.is(after?.[0], 2_048);
  t.is(after?.[1], before?.[1]);
});

test('a process that may have fewer has what it may', (t) => {
  const [before, after] = run(300);
  t.true((after?.[0] ?? 0) >= 300 && (after?.[0] ?? 0) < 2_048);
  t.is(after?.[1], before?.[1]);
});
