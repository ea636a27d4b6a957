// How requests are spread over the turns of the event loop, and how large an object may be.

import test from 'ava';
import { paceTurns } from '../../common/runtime/turn-pace.ts';
import { TurnTime } from '../../common/runtime/turn-time.ts';
import { ApiError } from '../../coordinator/api/machinery/answer/status-error.ts';
import { parseYamlBody } from '../../coordinator/api/machinery/schema/yaml-body.ts';
import { objectValuesMax, refuseHuge } from '../../coordinator/api/machinery/rules/object-size.ts';

/** A clock that only work moves; `turn` runs what was due in the next turn. */
function createTurnClock() {
  let nowMs = 0;
  let due: (() => void)[] = [];
  return {
    work: (ms: number) => {
      nowMs += ms;
    },
    turn: () => {
      for (const run of due.splice(0)) run();
    },
    /** As node does: promises run between two callbacks. */
    turnWithPromises: async () => {
      for (const run of due.splice(0)) {
        run();
        await Promise.resolve();
      }
    },
    isIdle: () => due.length === 0,
    clock: {
      now: () => nowMs,
      monotonicMs: () => nowMs,
      after: () => ({ cancel: () => undefined }),
      soon: (run: () => void) => {
        due = [...due, run];
        return { cancel: () => undefined };
      },
    },
  };
}

test('P1 many requests that come together are taken up over many turns, in order', (t) => {
  const { clock, work, turn, isIdle } = createTurnClock();
  const taken: number[] = [];
  const serve = paceTurns<number>(clock, (one) => {
    taken.push(one);
    work(1);
  });
  for (let one = 0; one < 10; one += 1) serve(one);
  t.deepEqual(taken, [0, 1, 2, 3]);
  turn();
  serve(10);
  t.is(taken.length, 8);
  turn();
  t.deepEqual(taken, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  turn();
  t.true(isIdle());
});

test('P3 the promises that follow one are in the time of the turn', async (t) => {
  const { clock, work, isIdle, turnWithPromises } = createTurnClock();
  const begun: number[] = [];
  const serve = paceTurns<number>(clock, (one) => {
    begun.push(one);
    void Promise.resolve().then(() => work(2)); // the half of it that begins at once costs nothing
  });
  for (let one = 0; one < 20; one += 1) serve(one);
  const inPlace = begun.length;
  t.true(inPlace <= 4, 'of one callback the promises cannot be counted, so few are taken up in it');
  await Promise.resolve();
  await turnWithPromises();
  t.is(begun.length, inPlace + 2);
  while (!isIdle()) await turnWithPromises();
  t.deepEqual(
    begun,
    Array.from({ length: 20 }, (_, index) => index),
  );
});

test('P4 two paces share a turn, and each takes up one in it at least', (t) => {
  const { clock, work, turn, isIdle } = createTurnClock();
  const taken: string[] = [];
  const time = new TurnTime(clock);
  const paceUntil = (untilMs: number) =>
    paceTurns<string>(
      clock,
      (one) => {
        taken.push(one);
        work(1);
      },
      { time, untilMs },
    );
  const [read, serve] = [paceUntil(2), paceUntil(4)];
  for (let one = 0; one < 20; one += 1) read(`r${one}`);
  for (let one = 0; one < 20; one += 1) serve(`s${one}`);
  t.deepEqual(taken, ['r0', 'r1', 's0', 's1']);
  const perTurn: number[] = [];
  while (!isIdle()) {
    const before = taken.length;
    turn();
    const inTurn = taken.slice(before);
    perTurn.push(inTurn.length);
    if (taken.length < 38)
      t.true(inTurn.some((one) => one.startsWith('r')) || taken.includes('r19'));
  }
  t.true(Math.max(...perTurn) <= 5, perTurn.join());
  t.is(taken.length, 40);
  const inOrder = (kind: string) => taken.filter((one) => one.startsWith(kind));
  t.deepEqual(
    inOrder('r'),
    Array.from({ length: 20 }, (_, one) => `r${one}`),
  );
  t.deepEqual(
    inOrder('s'),
    Array.from({ length: 20 }, (_, one) => `s${one}`),
  );
});

test('P2 a lone request is taken up where it arrives', (t) => {
  const { clock, turn, isIdle } = createTurnClock();
  const taken: number[] = [];
  const serve = paceTurns<number>(clock, (one) => void taken.push(one));
  serve(1);
  t.deepEqual(taken, [1]);
  turn();
  t.true(isIdle());
  serve(2);
  t.deepEqual(taken, [1, 2]);
});

test('Z1 an object of too many values is 413; the owners of its fields do not count', (t) => {
  const labels = (count: number): Record<string, string> =>
    Object.fromEntries(Array.from({ length: count }, (_, index) => [`l${index}`, 'x']));
  const owned = (count: number) => ({
    metadata: { name: 'a', labels: labels(count), managedFields: [labels(20_000)] },
  });
  t.notThrows(() => refuseHuge(owned(objectValuesMax - 10)));
  const error = t.throws(() => refuseHuge(owned(objectValuesMax)), { instanceOf: ApiError });
  t.is(error?.code, 413);
});

test('YAML of too many keys and values is 413, and a long text in it is one value', (t) => {
  const pairs = (count: number): string =>
    Array.from({ length: count }, (_, index) => `k${index}: v\n`).join('');
  t.notThrows(() => parseYamlBody(pairs(1_000)));
  const error = t.throws(() => parseYamlBody(pairs(2_000)), { instanceOf: ApiError });
  t.is(error?.code, 413);
  t.regex(error?.message ?? '', /limit of YAML is 2500 keys and values; send JSON/);
  t.notThrows(() => parseYamlBody(`a: |\n${'  some: text, and [more]\n'.repeat(9_000)}`));
});
