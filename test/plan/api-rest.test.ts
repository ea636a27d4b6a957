// Writes rest when a turn of the event loop has been long enough, and only then.

import test from 'ava';
import { systemClock } from '../../common/runtime/clock.ts';
import { restOf, restAfterMs } from '../../common/runtime/rest.ts';
import { createApiFixture, createManualClock } from '../support/api-fixture.ts';
import { createLoopClock } from '../support/loop-clock.ts';

test('R1 writes that come together share turns, none of them long', async (t) => {
  const { clock, work, turn, settle, isIdle } = createLoopClock();
  const rest = restOf(clock);
  const ended: number[] = [];
  const write = async (one: number): Promise<void> => {
    for (let step = 0; step < 5; step += 1) {
      await rest();
      work(1);
    }
    ended.push(one);
  };
  const writes = Array.from({ length: 16 }, (_, one) => write(one));
  await settle();
  const turns: number[] = [];
  while (!isIdle()) turns.push(await turn());
  await Promise.all(writes);
  t.deepEqual(
    ended.toSorted((a, b) => a - b),
    Array.from({ length: 16 }, (_, one) => one),
  );
  t.true(Math.max(...turns) <= restAfterMs + 1, String(turns));
  t.true(turns.length >= 16, String(turns));
});

test('R1 a large step that came in leaves the rest of its turn to others', async (t) => {
  const { clock, work, turn, settle, isIdle } = createLoopClock();
  const rest = restOf(clock);
  const ended: string[] = [];
  await rest();
  work(8); // one large step
  const write = async (name: string): Promise<void> => {
    await rest();
    work(restAfterMs / 2);
    ended.push(name);
  };
  const writes = ['a', 'b'].map(write);
  await settle();
  t.is(await turn(), 0, 'the second half of the long turn');
  t.deepEqual(ended, []);
  t.is(await turn(), restAfterMs);
  await Promise.all(writes);
  t.deepEqual(ended, ['a', 'b']);
  while (!isIdle()) await turn();
  t.is(rest(), undefined);
});

test('R2 a short write never rests, and the time of one turn is not that of the next', async (t) => {
  const { clock, work, turn, isIdle } = createLoopClock();
  const rest = restOf(clock);
  for (let time = 0; time < 5; time += 1) {
    t.is(rest(), undefined);
    work(restAfterMs / 2);
    t.is(rest(), undefined);
    work(restAfterMs);
    await turn();
    await turn(); // it was long: there is no second half of it
    t.true(isIdle());
  }
  t.is(rest(), undefined);
  work(restAfterMs);
  t.true(rest() instanceof Promise);
});

test('R1 a small patch of a large object rests between its steps, whatever its kind', async (t) => {
  let nowMs = 0;
  let turns = 0;
  const clock = {
    ...createManualClock(),
    // Each look at the clock finds the turn to have been long enough.
    monotonicMs: () => (nowMs += restAfterMs),
    soon: (run: () => void) => {
      turns += 1;
      return systemClock.soon(run);
    },
  };
  const { call } = await createApiFixture({ clock });
  const path = '/apis/test.dev/v1/namespaces/default/widgets';
  const labels = Object.fromEntries(Array.from({ length: 1_000 }, (_, i) => [`l${i}`, 'x']));
  const body = { apiVersion: 'test.dev/v1', kind: 'Widget', metadata: { name: 'a', labels } };
  t.is((await call('POST', path, body)).status, 201);
  for (const [type, query] of [
    ['application/merge-patch+json', ''],
    ['application/apply-patch+yaml', '?fieldManager=m&force=true'],
  ]) {
    turns = 0;
    const metadata = { name: 'a', annotations: { changed: type } };
    const change = { apiVersion: 'test.dev/v1', kind: 'Widget', metadata };
    const answer = await call('PATCH', `${path}/a${query}`, change, { 'content-type': type ?? '' });
    t.is(answer.status, 200, answer.text);
    t.true(turns >= 10, `${type}: ${turns}`);
  }
  turns = 0;
  t.is((await call('PUT', `${path}/a`, body)).status, 200);
  t.true(turns >= 10, String(turns));
});
