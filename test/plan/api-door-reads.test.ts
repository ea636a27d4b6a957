// I11 of what has arrived, so much is read in a turn as it has time for; nobody is forgotten.

import { EventEmitter } from 'node:events';
import test from 'ava';
import { TurnTime } from '../../common/runtime/turn-time.ts';
import { createReadTurns } from '../../coordinator/api/https/door/read-turns.ts';
import type { Clock } from '../../common/runtime/clock.ts';

/** Turns by hand; what is read takes the time that it is said to take. */
function begin(connections: number) {
  let nowMs = 0;
  let planned: (() => void)[] = [];
  const clock: Pick<Clock, 'monotonicMs' | 'soon'> = {
    monotonicMs: () => nowMs,
    soon: (run) => {
      planned.push(run);
      return { cancel: () => undefined };
    },
  };
  const reads = createReadTurns(clock, { time: new TurnTime(clock), untilMs: 3 });
  const stopped = new Set<number>();
  const sessions = Array.from({ length: connections }, (_, at) => {
    const handle = {
      readStop: () => void stopped.add(at),
      readStart: () => void stopped.delete(at),
    };
    const session = Object.assign(new EventEmitter(), { socket: { _handle: handle } });
    reads.add(session);
    return session;
  });
  const read = (ms: number): void => {
    reads.onRead();
    nowMs += ms;
    reads.onRead();
  };
  const turn = (): void => {
    const due = planned;
    planned = [];
    for (const run of due) run();
  };
  const toNext = (): void => {
    nowMs += 1;
    turn();
  };
  return { read, turn: toNext, stopped, sessions, isIdle: () => planned.length === 0 };
}

test('T2 while there is time nobody waits', (t) => {
  const { read, turn, stopped, isIdle } = begin(10);
  read(2);
  t.is(stopped.size, 0);
  turn();
  t.true(isIdle());
});

test('T1 past its time the others wait, and all are read again in the turns that follow', (t) => {
  const { read, turn, stopped, isIdle } = begin(10);
  read(4);
  t.is(stopped.size, 10);
  const left: number[] = [];
  while (!isIdle()) {
    turn();
    left.push(stopped.size);
  }
  t.deepEqual(left.slice(0, 3), [8, 4, 0], 'two, then four, then the rest');
});

test('T3 streams that took no time that anybody saw make the others wait as well, by their number', (t) => {
  const { read, turn, stopped } = begin(5);
  for (let stream = 0; stream < 3; stream += 1) read(0); // two looks each
  t.is(stopped.size, 0);
  read(0);
  t.is(stopped.size, 5);
  turn();
  t.is(stopped.size, 3);
  read(0);
  t.is(stopped.size, 3, 'it is another turn');
});

test('T1 who was read waits behind those who were not', (t) => {
  const { read, turn, stopped } = begin(6);
  read(4);
  turn();
  t.deepEqual([...stopped], [2, 3, 4, 5]);
  read(4); // the first two speak again
  t.deepEqual([...stopped], [2, 3, 4, 5, 0, 1]);
  turn();
  turn();
  t.false(stopped.has(2) || stopped.has(3));
});

test('a connection that closes while it waits is forgotten', (t) => {
  const { read, turn, stopped, sessions, isIdle } = begin(4);
  read(4);
  for (const session of sessions) session.emit('close');
  while (!isIdle()) turn();
  t.is(stopped.size, 4, 'nothing is done with its handle');
});

test('a connection alone has nobody to wait for', (t) => {
  const { read, stopped } = begin(1);
  read(50);
  t.is(stopped.size, 0);
});
