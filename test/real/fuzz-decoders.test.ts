// The fuzz targets that need no server, each for its share of CI's time: together under two
// minutes. Longer runs: npm run fuzz.

import test from 'ava';
import { checkTarget } from '../fuzz/check-target.ts';
import { closeTargets, fuzzTargets } from '../fuzz/targets.ts';

const secondsEach = 9;

test.after.always(closeTargets);

for (const target of fuzzTargets) {
  // Whole exchanges have a file of their own.
  if (target.name === 'http') continue;
  test.serial(`fuzz: ${target.name}: a value or a declared refusal, quickly, whatever comes`, (t) =>
    checkTarget(t, target, secondsEach),
  );
}
