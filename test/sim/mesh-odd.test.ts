// The whole mesh under faults, in virtual time: odd seeds, the others in a file of their own.

import { testSeeds } from './seed-tests.ts';

testSeeds(1, 2);
