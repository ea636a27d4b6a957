// Runs seeds by hand: node dist/test/sim/run.js --seed N [--count N] [--verbose] [--logs] [--bug B] [--edits]
// --edits: hands edit the zone at the provider in every run, instead of in some.
// Of many seeds it tells how far it is and what failed, at last once more; of one, how it ended.

import { parseArgs } from 'node:util';
import { silentLog, type Log } from '../../common/runtime/log.ts';
import { runSeed } from './simulation.ts';
import type { Bug } from './world.ts';

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    count: { type: 'string', default: '1' },
    safety: { type: 'string', default: '120' },
    bug: { type: 'string' },
    edits: { type: 'boolean', default: false },
    verbose: { type: 'boolean', default: false },
    logs: { type: 'boolean', default: false },
  },
});

const print = (text: string): void => void process.stdout.write(`${text}\n`);

function toLog(fields: object): Log {
  const say =
    (level: string) =>
    (message: string, more: object = {}): void =>
      print(`    ${level} ${message} ${JSON.stringify({ ...fields, ...more })}`);
  return {
    error: say('error'),
    warn: say('warn'),
    info: say('info'),
    debug: () => undefined,
    with: (more) => toLog({ ...fields, ...more }),
  };
}

/** From so many on a seed that is well has no line of its own. */
const manySeeds = 20;
/** Between two lines of progress. */
const progressEveryMs = 15_000;

const first = Number(values.seed);
const count = Number(values.count);
const failures: string[] = [];
const begunMs = performance.now();
let toldMs = begunMs;
for (let seed = first; seed < first + count; seed += 1) {
  const started = performance.now();
  const outcome = await runSeed({
    seed,
    safetyMs: Number(values.safety) * 1000,
    log: values.logs ? toLog({}) : silentLog,
    ...(values.bug === undefined ? {} : { bug: values.bug as Bug }),
    ...(values.edits ? { isEdited: true } : {}),
    ...(values.verbose ? { onLine: print } : {}),
  });
  const { failure, digest, virtualMs, convergedMs } = outcome;
  const seconds = ((performance.now() - started) / 1000).toFixed(2);
  const line =
    `seed ${seed}: ${failure ?? 'ok'} (${virtualMs / 1000} s virtual, ` +
    `converged in ${convergedMs / 1000} s, ${seconds} s real) ${digest}`;
  if (failure !== undefined) {
    failures.push(`seed ${seed}: ${failure}`);
    if (!values.verbose && count === 1) for (const each of outcome.tail) print(each);
  }
  if (failure !== undefined || count < manySeeds) print(line);
  if (count >= manySeeds && performance.now() - toldMs > progressEveryMs) {
    toldMs = performance.now();
    const done = seed - first + 1;
    const spent = ((toldMs - begunMs) / 1000).toFixed(0);
    print(`${done} of ${count} seeds in ${spent} s, ${failures.length} failed`);
  }
}
if (count > 1) {
  print(`${count} seeds from ${first}, ${failures.length} failed`);
  for (const failure of failures) print(`  ${failure}`);
}
process.exitCode = failures.length === 0 ? 0 : 1;
