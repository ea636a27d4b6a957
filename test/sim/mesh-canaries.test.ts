// Bugs that are planted, each of which a checker must find: one that finds nothing checks nothing.

import test from 'ava';
import type { FaultName } from './faults.ts';
import { runSeed } from './simulation.ts';
import type { Bug } from './world.ts';

/** Seeds after which a planted bug must have shown. */
const canarySeeds = 8;

interface Canary {
  readonly bug: Bug;
  readonly invariant: string;
  /** What it says, where another checker of the invariant must not be the one. */
  readonly says?: string;
  /** Where the bug shows most. */
  readonly only: readonly FaultName[];
  /** Default: 1. Where the seeds before take long with this bug and show nothing. */
  readonly from?: number;
}

const canaries: readonly Canary[] = [
  { bug: 'absence-deletes', invariant: 'I2', only: ['coordinator crash', 'API server down'] },
  { bug: 'silence-withdraws', invariant: 'I3/I6', only: ['agent crash'] },
  { bug: 'guards-ignored', invariant: 'I12', only: ['coordinator deposed'] },
  { bug: 'writes-lost', invariant: 'I1', only: ['coordinator crash'] },
  { bug: 'removals-unbounded', invariant: 'I13', only: ['agent moved to another node'] },
  { bug: 'removals-forgotten', invariant: 'I13', only: ['agent crash'] },
  { bug: 'unjoin-hasty', invariant: 'I7', only: ['agent crash'] },
  { bug: 'replicas-unfenced', invariant: 'I12', only: ['agent stopped'], from: 2 },
  { bug: 'revocations-unseen', invariant: 'I8', only: ['agent crash'] },
  { bug: 'moves-hasty', invariant: 'I5', only: ['agent crash'], from: 2 },
  { bug: 'drains-leak', invariant: 'I5', only: ['agent crash'] },
  { bug: 'policies-unheard', invariant: 'I5', only: ['agent crash'] },
  { bug: 'provider-overwrites', invariant: 'I4', only: ['agent crash'] },
  { bug: 'provider-splits', invariant: 'I5', only: ['cluster dead'] },
  { bug: 'provider-keeps', invariant: 'I7', only: ['agent crash'] },
  { bug: 'provider-loses', invariant: 'I5', says: 'the provider lacks', only: ['agent crash'] },
  { bug: 'provider-unfenced', invariant: 'I12', only: ['coordinator deposed'] },
  {
    bug: 'fights-unbounded',
    invariant: 'I11',
    only: ['another manager fights for a shard'],
  },
];

for (const { bug, invariant, says = '', only, from = 1 } of canaries) {
  test.serial(`${invariant}: the planted bug ${bug} is caught`, async (t) => {
    const findings: string[] = [];
    const finding = `${invariant}: ${says}`;
    for (let seed = from; seed < from + canarySeeds; seed += 1) {
      const { failure = 'all well' } = await runSeed({ seed, bug, only });
      findings.push(`seed ${seed}: ${failure}`);
      if (failure.startsWith(finding)) break;
    }
    t.true(findings.at(-1)?.includes(`: ${finding}`), findings.join('\n'));
  });
}
