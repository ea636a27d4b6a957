// Which of many connections may begin its TLS handshake, and when.

import test from 'ava';
import { HandshakeGate } from '../../common/runtime/handshake-gate.ts';

/** Turns of the event loop and timers, each moved by hand. */
function createTurnClock() {
  let nowMs = 0;
  let turns: (() => void)[] = [];
  let timers: { readonly atMs: number; readonly run: () => void }[] = [];
  return {
    now: () => nowMs,
    monotonicMs: () => nowMs,
    soon: (run: () => void) => {
      turns = [...turns, run];
      return { cancel: () => undefined };
    },
    after: (delayMs: number, run: () => void) => {
      timers = [...timers, { atMs: nowMs + delayMs, run }];
      return { cancel: () => undefined };
    },
    turn: () => {
      const due = turns;
      turns = [];
      for (const run of due) run();
    },
    advance: (ms: number) => {
      nowMs += ms;
      const due = timers.filter(({ atMs }) => atMs <= nowMs);
      timers = timers.filter(({ atMs }) => atMs > nowMs);
      for (const { run } of due) run();
    },
  };
}

const patience = { patienceMs: 1_000, ownPatienceMs: 5_000 };

function createWorld(bounds = { perTurn: 2, atOnce: 4, ...patience }) {
  const clock = createTurnClock();
  const begun: string[] = [];
  const closed: string[] = [];
  const gone = new Set<string>();
  const unheard = new Set<string>();
  const turn = { isLate: false };
  const gate = new HandshakeGate<string>(bounds, clock, {
    isLate: () => turn.isLate,
    isHeard: (name) => !unheard.has(name),
    begin: (name) => {
      if (gone.has(name)) return false;
      begun.push(name);
      return true;
    },
    close: (name) => {
      closed.push(name);
      gate.end(name);
    },
  });
  const add = (address: string, count: number): void => {
    for (let index = 0; index < count; index += 1) gate.add(address, `${address}${index}`);
  };
  return { clock, gate, begun, closed, gone, unheard, turn, add };
}

test('D2 a few begin in each turn, and no more than may run at once', (t) => {
  const { clock, gate, begun, add } = createWorld();
  add('a', 10);
  t.deepEqual(begun, []);
  clock.turn();
  t.deepEqual(begun, ['a0', 'a1']);
  clock.turn();
  clock.turn();
  t.deepEqual(begun, ['a0', 'a1', 'a2', 'a3']);
  gate.end('a2');
  gate.end('a2');
  clock.turn();
  clock.turn();
  t.deepEqual(begun.slice(4), ['a4']);
});

test('D2 a turn whose time is used up begins one, and the others follow without being asked', (t) => {
  const { clock, begun, turn, add } = createWorld();
  add('a', 10);
  turn.isLate = true;
  clock.turn();
  t.deepEqual(begun, ['a0']);
  clock.turn();
  t.deepEqual(begun, ['a0', 'a1']);
  turn.isLate = false;
  clock.turn();
  t.deepEqual(begun, ['a0', 'a1', 'a2', 'a3']);
});

test('D3 an address that has opened one waits for one of each other address', (t) => {
  const { clock, begun, add } = createWorld();
  add('greedy', 100);
  add('b', 1);
  add('c', 1);
  clock.turn();
  clock.turn();
  t.deepEqual(begun, ['greedy0', 'b0', 'c0', 'greedy1']);
});

test('D5 who left has no turn, and nobody is closed to make room for him', (t) => {
  const { clock, gate, begun, closed, add } = createWorld({ perTurn: 2, atOnce: 2, ...patience });
  add('slow', 2);
  clock.turn();
  add('b', 3);
  gate.leave('b', 'b1');
  gate.leave('b', 'b1');
  gate.leave('nobody', 'b2');
  clock.advance(100);
  gate.end('slow0');
  clock.turn();
  t.deepEqual(begun, ['slow0', 'slow1', 'b0']);
  gate.leave('b', 'b2');
  gate.end('b0');
  clock.turn();
  clock.advance(10_000);
  clock.turn();
  t.deepEqual([begun, closed], [['slow0', 'slow1', 'b0'], []]);
});

test('D4 who is slow is closed when others wait, and only then', (t) => {
  const { clock, begun, closed, add } = createWorld();
  add('slow', 4);
  clock.turn();
  clock.turn();
  clock.advance(5_000);
  t.deepEqual(closed, []);
  add('b', 3);
  clock.turn();
  clock.advance(0);
  clock.turn();
  t.deepEqual(closed, ['slow0', 'slow1', 'slow2', 'slow3']);
  clock.turn();
  clock.turn();
  t.deepEqual(begun.slice(4), ['b0', 'b1', 'b2']);
});

test('D4 nobody is closed before his time, and those in it go on', (t) => {
  const { clock, begun, closed, add } = createWorld({ perTurn: 2, atOnce: 2, ...patience });
  add('a', 2);
  clock.turn();
  add('b', 1);
  clock.turn();
  clock.advance(999);
  clock.turn();
  t.deepEqual(closed, []);
  clock.advance(1);
  clock.turn();
  t.deepEqual(closed, ['a0', 'a1']);
  clock.turn();
  t.deepEqual(begun, ['a0', 'a1', 'b0']);
  clock.advance(10_000);
  clock.turn();
  t.deepEqual(closed, ['a0', 'a1']);
});

test('D4 who keeps only connections of his own address waiting has longer, until another comes', (t) => {
  const { clock, begun, closed, add } = createWorld({ perTurn: 2, atOnce: 2, ...patience });
  add('busy', 6);
  clock.turn();
  clock.turn();
  clock.advance(4_999);
  clock.turn();
  t.deepEqual(closed, []);
  clock.advance(1);
  clock.turn();
  t.deepEqual(closed, ['busy0', 'busy1']);
  clock.turn();
  clock.turn();
  t.deepEqual(begun.slice(2), ['busy2', 'busy3']);
  clock.advance(2_000);
  add('b', 1);
  clock.turn();
  clock.advance(0);
  clock.turn();
  t.deepEqual(closed.slice(2), ['busy2', 'busy3']);
});

test('D4 who answered while the server was late is not closed', (t) => {
  const { clock, gate, closed, add } = createWorld({ perTurn: 2, atOnce: 2, ...patience });
  add('a', 2);
  add('b', 1);
  clock.turn();
  clock.turn();
  clock.advance(1_500);
  gate.end('a0'); // read in the turn in which the timer was late
  clock.turn();
  t.deepEqual(closed, []);
});

test('D4 who may have said something that was not read is closed when it was, and it was nothing', (t) => {
  const { clock, closed, unheard, add } = createWorld({ perTurn: 2, atOnce: 2, ...patience });
  add('a', 2);
  clock.turn();
  add('b', 1);
  clock.turn();
  unheard.add('a0');
  clock.advance(1_500);
  clock.turn();
  t.deepEqual(closed, ['a1']);
  unheard.delete('a0');
  add('c', 2);
  for (let turn = 0; turn < 3; turn += 1) {
    clock.turn();
    clock.advance(0);
  }
  t.deepEqual(closed, ['a1', 'a0']);
});

test('who left while he waited takes no place', (t) => {
  const { clock, begun, gone, add } = createWorld();
  add('a', 5);
  for (const name of ['a0', 'a1', 'a2']) gone.add(name);
  clock.turn();
  t.deepEqual(begun, ['a3', 'a4']);
});
