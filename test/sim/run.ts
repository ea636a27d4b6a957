// Runs seeds by hand: node dist/test/sim/run.js --seed N [--count N] [--verbose] [--logs] [--bug B]

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

process.exitCode = 0;
const first = Number(values.seed);
for (let seed = first; seed < first + Number(values.count); seed += 1) {
  const started = performance.now();
  const outcome = await runSeed({
    seed,
    safetyMs: Number(values.safety) * 1000,
    log: values.logs ? toLog({}) : silentLog,
    ...(values.bug === undefined ? {} : { bug: values.bug as Bug }),
    ...(values.verbose ? { onLine: print } : {}),
  });
  const { failure, digest, virtualMs, convergedMs } = outcome;
  if (failure !== undefined && !values.verbose) for (const line of outcome.tail) print(line);
  const seconds = ((performance.now() - started) / 1000).toFixed(2);
  print(
    `seed ${seed}: ${failure ?? 'ok'} (${virtualMs / 1000} s virtual, converged in ${convergedMs / 1000} s, ${seconds} s real) ${digest}`,
  );
  if (failure !== undefined) process.exitCode = 1;
}
