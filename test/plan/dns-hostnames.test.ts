// Load balancers that are names, published as the addresses that look-ups find.

import test from 'ava';
import { toLogKey, toServiceKey, type ServiceKey } from '../../common/model/ids.ts';
import { silentLog } from '../../common/runtime/log.ts';
import { createHostnameLookup } from '../../coordinator/dns-hostnames.ts';
import { createHostnameTable } from '../../coordinator/dns/publish/hostname-table.ts';
import { stepHostname, type Lookup } from '../../coordinator/dns/publish/step-hostname.ts';
import { createSeededChance } from '../sim/seeded-chance.ts';
import { createVirtualClock } from '../support/virtual-clock.ts';

function found(...addresses: readonly string[]): Lookup {
  return { kind: 'found', addresses, ttlSeconds: 60 };
}
const nothing: Lookup = { kind: 'nothing', message: 'no answer' };

const histories: readonly (readonly [string, readonly (readonly [number, Lookup])[], string])[] = [
  ['one look-up', [[0, found('8.8.0.1')]], '8.8.0.1'],
  [
    'an address that is lacked once stays',
    [
      [0, found('8.8.0.1', '8.8.0.2')],
      [1, found('8.8.0.1')],
    ],
    '8.8.0.1,8.8.0.2',
  ],
  [
    'one that is lacked twice goes',
    [
      [0, found('8.8.0.1', '8.8.0.2')],
      [1, found('8.8.0.1')],
      [2, found('8.8.0.1')],
    ],
    '8.8.0.1',
  ],
  [
    'one that comes back meanwhile stays',
    [
      [0, found('8.8.0.1')],
      [1, found('8.8.0.2')],
      [2, found('8.8.0.1')],
      [3, found('8.8.0.1')],
    ],
    '8.8.0.1',
  ],
  [
    'silence takes nothing away',
    [
      [0, found('8.8.0.1')],
      [599_999, nothing],
    ],
    '8.8.0.1',
  ],
  [
    'silence for ten minutes does',
    [
      [0, found('8.8.0.1')],
      [600_000, nothing],
    ],
    '',
  ],
  [
    'nothing was ever found',
    [
      [0, nothing],
      [1, nothing],
    ],
    '',
  ],
];

for (const [what, lookups, addresses] of histories) {
  test(`F1 F2 ${what}`, (t) => {
    let state: ReturnType<typeof stepHostname> | undefined;
    for (const [nowMs, lookup] of lookups) state = stepHostname(state, lookup, nowMs);
    t.is(state?.addresses.join(), addresses);
  });
}

const at = (zone: string) =>
  toLogKey({
    group: 'isthmus.dev',
    resource: 'publications',
    namespace: 'shop',
    name: `web.${zone}`,
  });
const web = toServiceKey({ namespace: 'shop', name: 'web' });

function createWorld(answers: Map<string, Lookup>) {
  const clock = createVirtualClock();
  const asked: string[] = [];
  const due: ServiceKey[] = [];
  const table = createHostnameTable({
    lookUp: (name) => {
      asked.push(name);
      return Promise.resolve(answers.get(name) ?? nothing);
    },
    onChange: (key) => void due.push(key),
    clock,
    chance: createSeededChance('hostnames'),
    log: silentLog,
  });
  return { clock, asked, due, table };
}

test('a name is looked up once for all who want it, and no more when nobody does', async (t) => {
  const answers = new Map([['lb.example.net', found('8.8.0.1')]]);
  const { clock, asked, due, table } = createWorld(answers);
  t.is(table.resolve(at('one'), web, ['lb.example.net']), undefined);
  t.is(table.resolve(at('two'), web, ['lb.example.net']), undefined);
  await clock.advance(1_000);
  t.deepEqual(asked, ['lb.example.net']);
  t.deepEqual(due, [web]);
  t.deepEqual(table.resolve(at('one'), web, ['lb.example.net'])?.get('lb.example.net'), [
    '8.8.0.1',
  ]);
  await clock.advance(40_000);
  t.is(asked.length, 2, 'no more often than every 30 s');
  t.is(due.length, 1, 'nothing changed');
  answers.set('lb.example.net', found('8.8.0.9'));
  await clock.advance(35_000);
  t.is(due.length, 2);
  table.forget(at('one'));
  table.resolve(at('two'), web, []);
  await clock.advance(120_000);
  t.true(asked.length <= 4);
  t.is(table.resolve(at('one'), web, ['lb.example.net']), undefined, 'asked anew');
  await table.stop();
});

test('a name without an address is known to have none, and told once it has', async (t) => {
  const answers = new Map<string, Lookup>();
  const { clock, due, table } = createWorld(answers);
  table.resolve(at('one'), web, ['lb.example.net']);
  await clock.advance(1_000);
  t.deepEqual(table.resolve(at('one'), web, ['lb.example.net'])?.get('lb.example.net'), []);
  answers.set('lb.example.net', found('8.8.0.1'));
  await clock.advance(10_000);
  t.is(due.length, 2);
  await table.stop();
});

test('addresses of both families are taken from the ends of the aliases', async (t) => {
  const record = (
    name: string,
    type: 'A' | 'AAAA' | 'CNAME',
    value: string,
    ttlSeconds: number,
  ) => ({
    name,
    type,
    value,
    ttlSeconds,
  });
  const lookUp = createHostnameLookup({
    resolver: { host: '127.0.0.1', port: 53 },
    ask: ({ type }) =>
      Promise.resolve({
        kind: 'answer',
        isOverTcp: false,
        answer: {
          rcode: 0,
          isAuthoritative: false,
          isTruncated: false,
          answers:
            type === 'A'
              ? [record('lb', 'CNAME', 'x', 300), record('x', 'A', '8.8.0.1', 20)]
              : [record('lb', 'CNAME', 'x', 300), record('x', 'AAAA', '2001:db8::1', 60)],
          authority: [],
          additional: [],
        },
      }),
  });
  t.deepEqual(await lookUp('lb'), {
    kind: 'found',
    addresses: ['8.8.0.1', '2001:db8::1'],
    ttlSeconds: 20,
  });
});
