// Seeds that once found something, and that a seed is all that decides.

import { readFileSync } from 'node:fs';
import test from 'ava';
import { expectWell, firstSeed } from './seed-tests.ts';
import { runSeed } from './simulation.ts';

const known = JSON.parse(readFileSync('test/sim/seeds.json', 'utf8')) as readonly {
  readonly seed: number;
  /** Hands edit the zone at the provider, which the seed alone does not say. */
  readonly isEdited?: boolean;
  readonly found: string;
}[];

for (const { found, ...run } of known) {
  const { seed } = run;
  test.serial(`seed ${seed}, which once found that ${found}, is well`, async (t) => {
    expectWell(t, await runSeed(run));
  });
}

test.serial('one seed gives one trace', async (t) => {
  const once = await runSeed({ seed: firstSeed + 7 });
  const again = await runSeed({ seed: firstSeed + 7 });
  const other = await runSeed({ seed: firstSeed + 8, safetyMs: 1_000 });
  t.is(
    once.digest,
    again.digest,
    'something hidden decides too: time, chance or an outside promise',
  );
  t.not(once.digest, other.digest);
});
