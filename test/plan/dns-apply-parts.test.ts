import test from 'ava';
import { toServiceKey, type ServiceKey } from '../../common/model/ids.ts';
import { Budget } from '../../coordinator/dns/apply/budget.ts';
import { packBatch } from '../../coordinator/dns/apply/pack.ts';
import { ApplyQueue } from '../../coordinator/dns/apply/queue.ts';
import {
  parseFence,
  stepFence,
  toFenceSet,
  type FenceInput,
} from '../../coordinator/dns/apply/step-fence.ts';
import type { RecordGroup, ZoneRecordSet } from '../../coordinator/dns/provider/provider.ts';
import { createVirtualClock } from '../support/virtual-clock.ts';

const scope = { federation: 'fed', domain: 'example.com', ttlSecondsMin: 0 };
const ours = { id: 'me', term: 5 };

function fence(id: string, term: number, seq: number): ZoneRecordSet {
  return toFenceSet({ id, term, seq }, scope);
}

function step(more: Partial<FenceInput>): string {
  const next = stepFence({ ours, standing: [], sent: undefined, takeOverFrom: [], ...more });
  if (next.kind === 'stop') return next.reason;
  if (next.kind === 'held') return `held ${next.at.seq}`;
  return `take ${next.next.id} ${next.next.term} ${next.next.seq}`;
}

for (const [title, more, expected] of [
  ['nothing stands', {}, 'take me 5 1'],
  ['an earlier term of ours', { standing: [fence('me', 4, 9)] }, 'take me 5 1'],
  ['our own last batch', { standing: [fence('me', 5, 3)], sent: { ...ours, seq: 3 } }, 'held 3'],
  [
    'the batch before one without an answer',
    { standing: [fence('me', 5, 2)], sent: { ...ours, seq: 3 } },
    'held 2',
  ],
  [
    'a value of our term that we never wrote',
    { standing: [fence('me', 5, 4)], sent: { ...ours, seq: 3 } },
    'TwinOwner',
  ],
  ['a later term', { standing: [fence('me', 6, 1)] }, 'Deposed'],
  [
    'a later term, and a person says that no other runs',
    { standing: [fence('me', 6, 1)], takeOverFrom: ['me'] },
    'take me 5 1',
  ],
  ['another owner', { standing: [fence('you', 1, 1)] }, 'OtherOwner'],
  [
    'another owner that is taken over from',
    { standing: [fence('you', 9, 1)], takeOverFrom: ['you'] },
    'take me 5 1',
  ],
  ['text of somebody', { standing: [{ ...fence('me', 1, 1), values: ['hello'] }] }, 'ForeignFence'],
  [
    'another type',
    { standing: [{ ...fence('me', 1, 1), type: 'CNAME', values: ['a.b'] }] },
    'ForeignFence',
  ],
] as const) {
  test(`the fence: ${title}: ${expected}`, (t) => t.is(step(more), expected));
}

test('who is fenced out is told whose fence it is, and each cause with its way out', (t) => {
  const said = (standing: ReturnType<typeof fence>) => {
    const next = stepFence({ ours, standing: [standing], sent: undefined, takeOverFrom: [] });
    return next.kind === 'stop' ? next.message : next.kind;
  };
  t.regex(
    said(fence('me', 6, 1)),
    /term 6 of me, ours is 5.*--dns-owner-id.*add this id to spec\.tak/,
  );
  t.regex(said(fence('me', 5, 1)), /our owner id, me: .*one --dns-owner-id.*Stop one of the two/);
  t.regex(said(fence('you', 1, 1)), /another coordinator, you\..*add its id to spec\.takeOverFrom/);
});

test('a fence is read as it is written, and nothing else is one', (t) => {
  t.deepEqual(parseFence(fence('me', 5, 7).values[0] ?? ''), { id: 'me', term: 5, seq: 7 });
  for (const text of ['', 'v=1 id=me term=x seq=1', 'v=1 id=me term=1 seq=1 more', 'v=2 id=me']) {
    t.is(parseFence(text), undefined);
  }
});

function key(name: string): ServiceKey {
  return toServiceKey({ namespace: 'web', name });
}

test('the queue gives withdrawals alone, then additions, then clean-up, each in turn', (t) => {
  const queue = new ApplyQueue();
  queue.put(key('clean'), 2, 0);
  queue.put(key('add1'), 1, 1);
  queue.put(key('add2'), 1, 2);
  queue.put(key('gone'), 0, 3);
  t.deepEqual([...queue.next(10)], [key('gone')]);
  queue.remove(key('gone'));
  t.deepEqual([...queue.next(10)], [key('add1'), key('add2'), key('clean')]);
  queue.put(key('add2'), 0, 11);
  t.deepEqual([...queue.next(12)], [key('add2')]);
  t.is(queue.size, 3);
});

test('clean-up that has waited a minute goes before additions', (t) => {
  const queue = new ApplyQueue();
  queue.put(key('clean'), 2, 0);
  for (let at = 0; at < 5; at += 1) queue.put(key(`add${at}`), 1, 50_000);
  t.is([...queue.next(59_000)].at(-1), key('clean'));
  const late = [...queue.next(61_000)];
  t.is(late[0], key('clean'));
  t.is(late.length, 6);
});

function group(id: string): RecordGroup {
  return { id, deletes: [], creates: [] };
}

test('a batch is filled with whole groups to the limits, beside what the fence costs', (t) => {
  let asked = 0;
  const candidates = function* () {
    for (let at = 0; at < 100; at += 1) {
      asked += 1;
      yield group(`g${at}`);
    }
  };
  const packed = packBatch({
    candidates: candidates(),
    measure: () => ({ changes: 3, bytes: 10 }),
    limits: { changes: 11, bytes: 1000 },
    fence: { changes: 2, bytes: 10 },
    groupsMax: Infinity,
  });
  t.deepEqual(
    packed.groups.map(({ id }) => id),
    ['g0', 'g1', 'g2'],
  );
  t.is(asked, 4, 'no more are planned than go in, and the first that does not');
});

test('what no request can hold is set aside and the others go', (t) => {
  const packed = packBatch({
    candidates: [group('a'), group('huge'), group('b')],
    measure: ({ id }) => ({ changes: id === 'huge' ? 50 : 1, bytes: 1 }),
    limits: { changes: 10, bytes: 100 },
    fence: { changes: 2, bytes: 2 },
    groupsMax: Infinity,
  });
  t.deepEqual(
    packed.groups.map(({ id }) => id),
    ['a', 'b'],
  );
  t.deepEqual(
    packed.oversize.map(({ group: { id } }) => id),
    ['huge'],
  );
});

test('the budget keeps a token for withdrawals, and half of them from audits', async (t) => {
  const clock = createVirtualClock();
  const budget = new Budget({ perSecond: 1, burst: 4, clock });
  const order: string[] = [];
  const never = new AbortController().signal;
  const ask = (name: string, urgency: 0 | 1 | 2): void =>
    void budget.acquire(urgency, 1, never).then(() => order.push(name));
  for (const name of ['edit1', 'edit2', 'edit3', 'edit4']) ask(name, 1);
  ask('audit', 2);
  ask('withdrawal', 0);
  await clock.settle();
  t.deepEqual(order, ['edit1', 'edit2', 'edit3', 'withdrawal']);
  await clock.advance(1900);
  t.deepEqual(order.slice(4), []);
  await clock.advance(200);
  t.deepEqual(order.slice(4), ['edit4']);
  await clock.advance(3000);
  t.deepEqual(order.slice(5), ['audit']);
});

test('throttling halves the rate once a second, waits as told, and is unlearned by success', async (t) => {
  const clock = createVirtualClock();
  const budget = new Budget({ perSecond: 10, burst: 50, clock });
  for (let at = 0; at < 5; at += 1) budget.throttled(3000);
  t.is(budget.perSecond(), 5);
  let isAdmitted = false;
  void budget.acquire(0, 1, new AbortController().signal).then(() => (isAdmitted = true));
  await clock.advance(2900);
  t.false(isAdmitted);
  await clock.advance(200);
  t.true(isAdmitted);
  for (let at = 0; at < 100; at += 1) {
    await clock.advance(1000);
    budget.succeeded();
  }
  t.is(budget.perSecond(), 10);
});

test('who no longer waits takes no token', async (t) => {
  const clock = createVirtualClock();
  const budget = new Budget({ perSecond: 1, burst: 1, clock });
  const never = new AbortController().signal;
  t.true(await budget.acquire(1, 1, never));
  const leaving = new AbortController();
  const left = budget.acquire(1, 1, leaving.signal);
  const other = budget.acquire(1, 1, never);
  leaving.abort();
  t.false(await left);
  await clock.advance(1001);
  t.true(await other);
});

test('a reading that costs more than there is room for leaves no debt to who is urgent', async (t) => {
  const clock = createVirtualClock();
  const budget = new Budget({ perSecond: 1, burst: 2, clock });
  const never = new AbortController().signal;
  t.true(await budget.acquire(2, 50, never));
  const urgent = budget.acquire(0, 1, never);
  await clock.advance(1001);
  t.true(await urgent);
});
