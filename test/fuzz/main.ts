// The fuzz targets by hand: npm run fuzz -- [--seconds N] [--target NAME] [--seed S] [--path P]
//
// N is per target. A failing case is written to fuzz-failures/, with the seed that repeats it.

import { mkdirSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { keepProcessAlive, systemClock } from '../../common/runtime/clock.ts';
import { formatFailure, runTarget, type FuzzFailure } from './run-target.ts';
import { closeTargets, fuzzTargets } from './targets.ts';

const failuresFolder = 'fuzz-failures';

const alive = keepProcessAlive();
process.exitCode = await main(process.argv.slice(2)).finally(() => alive.cancel());

async function main(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      seconds: { type: 'string', default: '30' },
      target: { type: 'string' },
      seed: { type: 'string' },
      path: { type: 'string' },
    },
  });
  const seed = Number(values.seed ?? Math.floor(systemClock.now() % 2 ** 31));
  const seconds = Number(values.seconds);
  const named = fuzzTargets.filter(
    ({ name }) => values.target === undefined || name === values.target,
  );
  if (named.length === 0 || !Number.isInteger(seed) || !(seconds > 0)) {
    print(`usage: npm run fuzz -- [--seconds N] [--seed S] [--target NAME] [--path P]`);
    print(`targets: ${fuzzTargets.map(({ name }) => name).join(', ')}`);
    return 2;
  }
  print(`seed ${seed}, ${seconds} s each of ${named.map(({ name }) => name).join(', ')}`);
  const failures: FuzzFailure[] = [];
  for (const target of named) {
    const request = { seconds, seed, path: values.path, onProgress: print };
    failures.push(...(await runTarget(target, request)).failures);
  }
  await closeTargets();
  for (const failure of failures) save(failure);
  print(
    `${named.length - new Set(failures.map(({ target }) => target)).size} targets passed, ` +
      `${failures.length} laws failed`,
  );
  return failures.length === 0 ? 0 : 1;
}

function save(failure: FuzzFailure): void {
  mkdirSync(failuresFolder, { recursive: true });
  const place = failure.path.replaceAll(/[:/]/g, '_').slice(0, 40);
  const path = `${failuresFolder}/${failure.target}-${failure.seed}-${place}.txt`;
  writeFileSync(path, `${formatFailure(failure)}\n`);
  print(`FAILED, saved as ${path}\n${formatFailure(failure)}`);
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
