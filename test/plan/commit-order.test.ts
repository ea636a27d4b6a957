// Commits are told in order, and over many turns.

import test from 'ava';
import { toLogKey, toRevision } from '../../common/model/ids.ts';
import { createCommitOrder } from '../../coordinator/desired/commit-order.ts';
import type { StoreRecord } from '../../coordinator/desired/store.ts';

function toRecord(revision: number): StoreRecord {
  const key = toLogKey({ group: '', resource: 'services', name: `s${revision}` });
  return { key, revision: toRevision(revision), value: new Uint8Array(), isDelete: false };
}

/** A turn has room for `perTurn` records. */
function createOrder(perTurn: number) {
  let inTurn = 0;
  const resumes: (() => void)[] = [];
  const told: number[] = [];
  const order = createCommitOrder({
    after: toRevision(10),
    rest: () => {
      if (inTurn < perTurn) return undefined;
      return new Promise((resolve) => resumes.push(resolve));
    },
    tell: ({ revision }) => {
      inTurn += 1;
      told.push(revision);
    },
  });
  const turn = async (): Promise<void> => {
    inTurn = 0;
    for (const resume of resumes.splice(0)) resume();
    await Promise.resolve();
  };
  return { order, told, turn, resumes };
}

test('C1 a commit that is known before an earlier one waits for it', (t) => {
  const { order, told } = createOrder(100);
  order.add(toRecord(12));
  order.add(toRecord(13));
  t.deepEqual(told, []);
  t.is(order.revision(), toRevision(10));
  order.add(toRecord(11));
  t.deepEqual(told, [11, 12, 13]);
  t.is(order.revision(), toRevision(13));
});

test('C2 what waited for an earlier one, or came in one commit, is told over many turns', async (t) => {
  const { order, told, turn, resumes } = createOrder(4);
  for (let revision = 30; revision > 10; revision -= 1) order.add(toRecord(revision));
  t.deepEqual(told, [11, 12, 13, 14]);
  await turn();
  t.is(told.length, 8);
  order.add(toRecord(31)); // does not overtake, nor tells in a turn that is over
  t.is(told.length, 8);
  t.is(resumes.length, 1);
  while (resumes.length > 0) await turn();
  t.deepEqual(
    told,
    Array.from({ length: 21 }, (_, index) => 11 + index),
  );
});

test('C2 while there is time, each is told at once', (t) => {
  const { order, told } = createOrder(100);
  order.add(toRecord(11));
  t.deepEqual(told, [11]);
});
