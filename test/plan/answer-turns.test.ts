// I11 of many TLS handshakes one is answered in a turn of the event loop.

import test from 'ava';
import { AnswerTurns } from '../../common/runtime/answer-turns.ts';
import { createLoopClock } from '../support/loop-clock.ts';

function begin(count: number) {
  const loop = createLoopClock();
  const turns = new AnswerTurns(loop.clock);
  const stopped = new Set<number>();
  const sockets = Array.from({ length: count }, (_, at) => ({
    at,
    _handle: {
      readStop: () => void stopped.add(at),
      readStart: () => void stopped.delete(at),
    },
  }));
  for (const socket of sockets) turns.add(socket);
  /** Node reads of these what is there, one after the other, but for those that are stopped meanwhile. */
  const poll = (speaking: Set<number>): number[] => {
    const read: number[] = [];
    for (const socket of sockets) {
      if (!speaking.has(socket.at) || stopped.has(socket.at)) continue;
      read.push(socket.at);
      speaking.delete(socket.at);
      turns.answered(socket);
    }
    return read;
  };
  return { ...loop, turns, stopped, sockets, poll };
}

test('A1 of those who answer in the same moment one is read in each turn, in their order', async (t) => {
  const { poll, turn } = begin(5);
  const speaking = new Set([0, 1, 2, 3, 4]);
  const read: number[][] = [];
  for (let each = 0; each < 5; each += 1) {
    read.push(poll(speaking));
    await turn();
  }
  t.deepEqual(read, [[0], [1], [2], [3], [4]]);
});

test('A2 who is silent keeps nobody, and is read again as well', async (t) => {
  const { poll, turn, stopped, isIdle } = begin(4);
  const speaking = new Set([0, 3]);
  t.deepEqual(poll(speaking), [0]);
  t.deepEqual([...stopped], [1, 2, 3]);
  const read: number[] = [];
  for (let each = 0; each < 3; each += 1) {
    await turn();
    read.push(...poll(speaking));
  }
  t.deepEqual(read, [3]);
  while (!isIdle()) await turn();
  t.is(stopped.size, 0);
});

test('who is read again has been heard when Node has polled since, and not before', async (t) => {
  const { turns, sockets, turn, isIdle } = begin(2);
  const [first, second] = sockets;
  t.true(turns.isHeard(second ?? {}));
  turns.answered(first ?? {});
  t.false(turns.isHeard(second ?? {}));
  await turn();
  t.false(turns.isHeard(second ?? {}));
  await turn();
  t.true(turns.isHeard(second ?? {}));
  t.true(isIdle());
});

test('who is done although he was kept is read from then on, and kept no more', async (t) => {
  const { turns, sockets, turn, stopped, isIdle } = begin(3);
  const [first, second, third] = sockets;
  turns.answered(first ?? {});
  turns.answered(second ?? {}); // what it had said was read before
  t.deepEqual([...stopped], [2]);
  while (!isIdle()) await turn();
  turns.answered(third ?? {});
  t.is(stopped.size, 0);
});

test('who leaves is not read again', async (t) => {
  const { turns, sockets, turn, stopped, isIdle } = begin(3);
  const [first, second] = sockets;
  turns.answered(first ?? {});
  turns.leave(second ?? {});
  while (!isIdle()) await turn();
  t.deepEqual([...stopped], [1]);
});

test('a socket whose handle cannot be stopped is read as Node reads it', async (t) => {
  const { clock, turn, isIdle } = createLoopClock();
  const turns = new AnswerTurns(clock);
  const [first, second, third] = [{ _handle: {} }, { _handle: null }, {}];
  for (const socket of [first, second, third]) turns.add(socket);
  turns.answered(third);
  while (!isIdle()) await turn();
  t.true(turns.isHeard(first) && turns.isHeard(second));
});
