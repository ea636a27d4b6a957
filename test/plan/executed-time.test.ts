// How much of a long turn was executed, by the samples of its thread; and what a phase of the lag bench is told as.

import test from 'ava';
import { toExecuted, type ExecutedTurn, type LongTurn } from '../../bench/api/executed-time.ts';
import { toTable, type Phase } from '../../bench/api/lag-table.ts';
import type { ThreadTurns } from '../../bench/api/lag-turns.ts';
import { summarize } from '../../bench/statistics.ts';

const turn = (tid: number, fromMs: number, untilMs: number): LongTurn => ({
  thread: tid === 1 ? 'main' : 'door',
  tid,
  fromMs,
  untilMs,
  cpuMs: untilMs - fromMs,
  ownMs: untilMs - fromMs,
});

/** Four in a millisecond. */
function* samplesOf(tid: number, fromMs: number, untilMs: number) {
  for (let atMs = fromMs + 0.125; atMs < untilMs; atMs += 0.25) yield { tid, atMs };
}

test('a turn executed as long as its own thread had samples in it', async (t) => {
  const turns = [turn(1, 30, 40), turn(1, 10, 22), turn(2, 10, 30)];
  const samples = [
    ...samplesOf(1, 0, 14), // then the machine stood still, until the turn was over
    ...samplesOf(1, 31, 60),
    ...samplesOf(2, 0, 100),
    ...samplesOf(3, 0, 100),
  ];
  const executed = await toExecuted(turns, samples);
  t.deepEqual(
    executed.map(({ executedMs }) => executedMs),
    [9, 4, 20],
  );
});

test('no turn executed more than it took by the kernel’s account', async (t) => {
  const [executed] = await toExecuted([{ ...turn(1, 0, 10), cpuMs: 7 }], samplesOf(1, 0, 10));
  t.is(executed?.executedMs, 7);
});

const none: ThreadTurns = {
  wall: undefined,
  cpu: undefined,
  own: undefined,
  minor: undefined,
  major: undefined,
};

function verdicts(turns: readonly ExecutedTurn[] | undefined, cpuMs: number, ownMs: number) {
  const main = { ...none, cpu: summarize([cpuMs]), own: summarize([ownMs]) };
  const phase: Phase = {
    name: 'create',
    fromMs: 0,
    untilMs: 100,
    main,
    door: none,
    idle: undefined,
  };
  const { grid, facts } = toTable([phase], turns);
  return { verdict: grid.rows[0]?.at(-1), facts };
}

test('a phase is over the bound by what was executed where that is known, else by CPU', (t) => {
  const long = (executedMs: number, ownMs: number): ExecutedTurn => ({
    ...turn(1, 10, 30),
    ownMs,
    executedMs,
  });
  t.is(verdicts([], 8, 8).verdict, 'met');
  t.is(verdicts([long(4, 20)], 20, 20).verdict, 'met, stood still');
  t.is(verdicts([long(12, 20)], 20, 20).verdict, 'MISSED');
  t.is(verdicts([long(12, 5)], 20, 5).verdict, 'missed by collecting');
  t.is(verdicts(undefined, 20, 20).verdict, 'MISSED');
  t.is(verdicts(undefined, 20, 5).verdict, 'missed by collecting');
  const executed = 'phases over 10 ms of what was executed';
  t.is(verdicts([long(12, 5)], 20, 5).facts[executed], 1);
  t.is(verdicts(undefined, 20, 5).facts[executed], undefined, 'nobody could look');
});
