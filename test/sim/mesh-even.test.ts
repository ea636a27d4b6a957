// The whole mesh under faults, in virtual time: even seeds, the others in a file of their own.

import { testSeeds } from './seed-tests.ts';

testSeeds(0, 2);
