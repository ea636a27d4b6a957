// Seeds as tests. A seed that fails prints itself and the end of its trace;
// `node dist/test/sim/run.js --seed N --verbose` shows all of it.

import test, { type ExecutionContext } from 'ava';
import { runSeed, type Outcome } from './simulation.ts';

/** More by SIM_SEEDS; SIM_FIRST moves the start. */
const count = Number(process.env['SIM_SEEDS'] ?? 100);
export const firstSeed = Number(process.env['SIM_FIRST'] ?? 1000);

/** Every `of`th seed, so that a file of tests each keeps a processor busy. */
export function testSeeds(part: number, of: number): void {
  for (let seed = firstSeed + part; seed < firstSeed + count; seed += of) {
    test.serial(`I1-I8, I11-I13: seed ${seed} keeps every invariant and converges`, async (t) => {
      expectWell(t, await runSeed({ seed }));
    });
  }
}

export function expectWell(t: ExecutionContext, { seed, failure, tail }: Outcome): void {
  if (failure !== undefined) {
    t.log([...tail, `seed ${seed}: ${failure}`].join('\n'));
  }
  t.is(failure, undefined);
}
