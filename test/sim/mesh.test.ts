// The whole mesh under faults, in virtual time. A seed that fails prints itself and the end of its
// trace; `node dist/test/sim/run.js --seed N --verbose` shows all of it.

import { readFileSync } from 'node:fs';
import test, { type ExecutionContext } from 'ava';
import type { FaultName } from './faults.ts';
import { runSeed, type Outcome } from './simulation.ts';
import type { Bug } from './world.ts';

/** More by SIM_SEEDS; SIM_FIRST moves the start. */
const count = Number(process.env['SIM_SEEDS'] ?? 20);
const first = Number(process.env['SIM_FIRST'] ?? 1000);
/** Seeds after which a planted bug must have shown. */
const canarySeeds = 8;

const known = JSON.parse(readFileSync('test/sim/seeds.json', 'utf8')) as readonly {
  readonly seed: number;
  readonly found: string;
}[];

for (let seed = first; seed < first + count; seed += 1) {
  test.serial(`I1-I8, I12, I13: seed ${seed} keeps every invariant and converges`, async (t) => {
    expectWell(t, await runSeed({ seed }));
  });
}

for (const { seed, found } of known) {
  test.serial(`seed ${seed}, which once found that ${found}, is well`, async (t) => {
    expectWell(t, await runSeed({ seed }));
  });
}

test.serial('one seed gives one trace', async (t) => {
  const once = await runSeed({ seed: first + 7 });
  const again = await runSeed({ seed: first + 7 });
  const other = await runSeed({ seed: first + 8, safetyMs: 1_000 });
  t.is(
    once.digest,
    again.digest,
    'something hidden decides too: time, chance or an outside promise',
  );
  t.not(once.digest, other.digest);
});

interface Canary {
  readonly bug: Bug;
  readonly invariant: string;
  /** Where the bug shows most. */
  readonly only: readonly FaultName[];
}

const canaries: readonly Canary[] = [
  { bug: 'absence-deletes', invariant: 'I2', only: ['coordinator crash', 'API server down'] },
  { bug: 'silence-withdraws', invariant: 'I3/I6', only: ['agent crash'] },
  { bug: 'guards-ignored', invariant: 'I12', only: ['coordinator deposed'] },
  { bug: 'writes-lost', invariant: 'I1', only: ['coordinator crash'] },
  { bug: 'removals-unbounded', invariant: 'I13', only: ['agent moved to another node'] },
];

for (const { bug, invariant, only } of canaries) {
  test.serial(`${invariant}: the planted bug ${bug} is caught`, async (t) => {
    const findings: string[] = [];
    for (let seed = 1; seed <= canarySeeds; seed += 1) {
      const { failure = 'all well' } = await runSeed({ seed, bug, only });
      findings.push(`seed ${seed}: ${failure}`);
      if (failure.startsWith(`${invariant}:`)) break;
    }
    t.true(findings.at(-1)?.includes(` ${invariant}:`), findings.join('\n'));
  });
}

function expectWell(t: ExecutionContext, { seed, failure, tail }: Outcome): void {
  if (failure !== undefined) {
    t.log([...tail, `seed ${seed}: ${failure}`].join('\n'));
  }
  t.is(failure, undefined);
}
