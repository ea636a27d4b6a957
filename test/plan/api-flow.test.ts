// Flow control: seats, shares and queues (F1 to F3 of flow-control.ts), and what it reads of a
// request line.

import test from 'ava';
import { systemClock } from '../../common/runtime/clock.ts';
import { createMetrics } from '../../common/runtime/metrics.ts';
import {
  createFlowControl,
  defaultFlowLimits,
  type FlowControl,
  type FlowLimits,
  type Seat,
} from '../../coordinator/api/machinery/flow/flow-control.ts';
import {
  isExemptUser,
  isProbe,
  toDeadlineMs,
  toFlowKind,
} from '../../coordinator/api/machinery/flow/flow-request.ts';
import { parseGoDuration } from '../../coordinator/api/machinery/flow/go-duration.ts';
import { createManualClock, type ManualClock } from '../support/api-fixture.ts';

interface World {
  readonly flow: FlowControl;
  readonly clock: ManualClock;
  readonly metrics: () => Promise<string>;
}

function open(limits: Partial<FlowLimits> = {}): World {
  const clock = createManualClock();
  const metrics = createMetrics({ withProcess: false, clock: systemClock });
  const flow = createFlowControl({ ...defaultFlowLimits, ...limits }, { clock, metrics });
  return { flow, clock, metrics: metrics.expose };
}

const stays = (): AbortSignal => new AbortController().signal;

function enter({ flow }: World, user: string, isExempt = false) {
  return flow.enter({ kind: 'readOnly', user, isExempt }, stays);
}

function isSeat(entered: unknown): entered is Seat {
  return typeof entered === 'object' && entered !== null && 'leave' in entered;
}

/** What a promise has come to by now; 'pending' while it has not. */
async function now<T>(promise: Promise<T> | T): Promise<T | 'pending'> {
  await Promise.resolve();
  return Promise.race([promise, Promise.resolve().then(() => 'pending' as const)]);
}

test('[k8s 122] F1 one user never holds more than its share; another finds a seat at once', (t) => {
  const world = open({ readsMax: 4, userShare: 0.5, userQueueMax: 0 });
  t.true(isSeat(enter(world, 'greedy')));
  t.true(isSeat(enter(world, 'greedy')));
  t.is(enter(world, 'greedy'), undefined);
  t.true(isSeat(enter(world, 'modest')));
});

test('[k8s 122] reads and writes have seats of their own', (t) => {
  const world = open({ readsMax: 1, writesMax: 1, userShare: 1, userQueueMax: 0 });
  t.true(isSeat(enter(world, 'a')));
  t.is(enter(world, 'a'), undefined);
  t.true(isSeat(world.flow.enter({ kind: 'mutating', user: 'a', isExempt: false }, stays)));
});

test('[k8s 122] members of system:masters are counted and never refused', async (t) => {
  const world = open({ readsMax: 1, userShare: 1, userQueueMax: 0 });
  t.true(isSeat(enter(world, 'root', true)));
  t.true(isSeat(enter(world, 'root', true)));
  t.is(enter(world, 'a'), undefined);
  world.clock.advance(1_000);
  t.regex(
    await world.metrics(),
    /^apiserver_current_inflight_requests\{request_kind="readOnly"\} 2$/m,
  );
});

test('F2 a freed seat goes to the user who holds the fewest', async (t) => {
  const world = open({ readsMax: 3, userShare: 1 });
  const held = [enter(world, 'many'), enter(world, 'many'), enter(world, 'few')];
  const many = enter(world, 'many');
  const none = enter(world, 'new');
  const [first] = held;
  if (isSeat(first)) first.leave();
  t.true(isSeat(await now(none)));
  t.is(await now(many), 'pending');
});

test('F2 between equals the one that waits longest comes first, by turns', async (t) => {
  const world = open({ readsMax: 1, userShare: 1 });
  let held = enter(world, 'x');
  const order: string[] = [];
  const waiting = ['a1', 'a2', 'b1'].map(async (name) => {
    const seat = await enter(world, name.slice(0, 1));
    order.push(name);
    held = seat;
  });
  for (const _ of waiting) {
    if (isSeat(held)) held.leave();
    for (let turn = 0; turn < 5; turn += 1) await Promise.resolve();
  }
  await Promise.all(waiting);
  t.deepEqual(order, ['a1', 'b1', 'a2']);
});

test('F3 who waits too long gets nothing, and the queue has room again', async (t) => {
  const world = open({ readsMax: 1, userShare: 1, userQueueMax: 1, queueMs: 500 });
  enter(world, 'a');
  const waits = enter(world, 'a');
  t.is(enter(world, 'a'), undefined);
  world.clock.advance(499);
  t.is(await now(waits), 'pending');
  world.clock.advance(1);
  t.is(await now(waits), undefined);
  t.true(enter(world, 'a') instanceof Promise);
  t.regex(
    await world.metrics(),
    /^mesh_api_rejected_requests_total\{request_kind="readOnly",reason="time-out"\} 1$/m,
  );
});

test('F3 a client that left is not served, and holds no place', async (t) => {
  const world = open({ readsMax: 1, userShare: 1, userQueueMax: 1 });
  const seat = enter(world, 'a');
  const gone = new AbortController();
  const left = world.flow.enter(
    { kind: 'readOnly', user: 'b', isExempt: false },
    () => gone.signal,
  );
  gone.abort();
  t.is(await now(left), undefined);
  if (isSeat(seat)) seat.leave();
  t.true(isSeat(enter(world, 'b')));
});

test('F3 the queue of all is bounded beside that of each', (t) => {
  const world = open({ readsMax: 1, userShare: 1, userQueueMax: 2, queueMax: 2 });
  enter(world, 'a');
  t.true(enter(world, 'a') instanceof Promise);
  t.true(enter(world, 'b') instanceof Promise);
  t.is(enter(world, 'c'), undefined);
});

test('a seat given back twice is one seat', (t) => {
  const world = open({ readsMax: 1, userShare: 1, userQueueMax: 0 });
  const seat = enter(world, 'a');
  if (isSeat(seat)) {
    seat.leave();
    seat.leave();
  }
  t.true(isSeat(enter(world, 'a')));
  t.is(enter(world, 'a'), undefined);
});

test('the gauge shows the peak of a second, and nothing once all is quiet', async (t) => {
  const world = open();
  const gauge = /^apiserver_current_inflight_requests\{request_kind="readOnly"\} (\d+)$/m;
  const seats = [enter(world, 'a'), enter(world, 'b')];
  for (const seat of seats) if (isSeat(seat)) seat.leave();
  world.clock.advance(1_000);
  t.is(gauge.exec(await world.metrics())?.[1], '2');
  world.clock.advance(1_000);
  t.is(gauge.exec(await world.metrics())?.[1], '0');
});

test('what only reads, who is exempt, and what is a probe', (t) => {
  const kindOf = (method: string) => toFlowKind({ method, target: '/' });
  t.deepEqual(['GET', 'HEAD', 'OPTIONS'].map(kindOf), ['readOnly', 'readOnly', 'readOnly']);
  t.deepEqual(['POST', 'PUT', 'PATCH', 'DELETE'].map(kindOf), Array(4).fill('mutating'));
  t.true(isExemptUser({ groups: ['system:masters'] }));
  t.false(isExemptUser({ groups: ['system:authenticated'] }));
  t.false(isExemptUser(undefined));
  const probed = ['/healthz', '/readyz?verbose', '/livez/ping', '/healthzy', '/api/healthz'];
  t.deepEqual(
    probed.map((target) => isProbe({ method: 'GET', target })),
    [true, true, true, false, false],
  );
});

const invalidTimeout = 'invalid timeout specified in the request URL - time: ';

for (const [query, expected] of [
  ['', 60_000],
  ['?timeout=32s', 32_000],
  ['?timeout=1h', 60_000],
  ['?timeout=0s', 60_000],
  ['?timeout=-1s', 60_000],
  ['?timeout=', 60_000],
  ['?timeout=abc', `${invalidTimeout}invalid duration "abc"`],
  ['?timeout=5', `${invalidTimeout}missing unit in duration "5"`],
  ['?timeout=5q', `${invalidTimeout}unknown unit "q" in duration "5q"`],
] as const) {
  test(`the time limit of a request with "${query}" is ${expected}`, (t) => {
    t.is(toDeadlineMs({ method: 'GET', target: `/api/v1/services${query}` }, 60_000), expected);
  });
}

test('durations are read as Go reads them', (t) => {
  t.is(parseGoDuration('1h15m30.5s'), 4_530_500);
  t.is(parseGoDuration('1.5h'), 5_400_000);
  t.is(parseGoDuration('100ms'), 100);
  t.is(parseGoDuration('.5s'), 500);
  t.is(parseGoDuration('-2m'), -120_000);
  t.is(parseGoDuration('0'), 0);
  t.is(parseGoDuration('constructor'), 'time: invalid duration "constructor"');
  t.is(
    parseGoDuration('1constructor'),
    'time: unknown unit "constructor" in duration "1constructor"',
  );
});
