// Load balancers that are names, published as the addresses that look-ups find.

import test from 'ava';
import { toLogKey, toServiceKey, type ServiceKey } from '../../common/model/ids.ts';
import { silentLog } from '../../common/runtime/log.ts';
import { createHostnameLookup } from '../../coordinator/dns-hostnames.ts';
import type { Publication } from '../../common/model/publication.ts';
import type { Asked } from '../../common/runtime/dns-client.ts';
import {
  createHostnameTable,
  type LookUpHostname,
} from '../../coordinator/dns/publish/hostname-table.ts';
import { describeSets, elb, planRow, rfc2136 } from '../support/dns/level-rows.ts';
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
  const asking = { addresses: new Map(), asked: ['lb.example.net'] };
  t.deepEqual(table.resolve(at('one'), web, ['lb.example.net']), asking);
  t.deepEqual(table.resolve(at('two'), web, ['lb.example.net']), asking);
  await clock.advance(1_000);
  t.deepEqual(asked, ['lb.example.net']);
  t.deepEqual(due, [web]);
  t.deepEqual(table.resolve(at('one'), web, ['lb.example.net']), {
    addresses: new Map([['lb.example.net', ['8.8.0.1']]]),
    asked: [],
  });
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
  t.deepEqual(table.resolve(at('one'), web, ['lb.example.net']), asking, 'asked anew');
  await table.stop();
});

test('H2 of a name that was never found nothing is said for ten minutes, and then that it has none', async (t) => {
  const answers = new Map<string, Lookup>();
  const { clock, due, table } = createWorld(answers);
  const resolve = () => table.resolve(at('one'), web, ['lb.example.net']);
  resolve();
  await clock.advance(1_000);
  t.deepEqual(resolve(), { addresses: new Map(), asked: [] });
  t.is(due.length, 1, 'nobody waits any more');
  await clock.advance(605_000);
  t.deepEqual(resolve().addresses.get('lb.example.net'), []);
  t.is(due.length, 2);
  answers.set('lb.example.net', found('8.8.0.1'));
  await clock.advance(10_000);
  t.is(due.length, 3);
  await table.stop();
});

test('H2 a restart keeps the addresses that were recorded, until the name is looked up', (t) => {
  const shape = { ...rfc2136, hostnameMode: 'Flatten' as const };
  const aws = { cluster: 'aws', hostnames: [elb('nlb')] };
  const plan = (previous: Publication | undefined, addresses: readonly string[] | undefined) => {
    const resolved = new Map(addresses === undefined ? [] : [[elb('nlb'), addresses]]);
    const row = planRow({
      shards: [aws, { cluster: 'b', ips: ['8.8.0.2'] }],
      more: { shape, resolved, previous },
    });
    t.deepEqual(row.findings, []);
    return row.planned;
  };
  const before = plan(undefined, ['8.8.0.1']);
  t.deepEqual(
    before.shards.map(({ resolved }) => resolved),
    [['8.8.0.1'], undefined],
  );
  t.deepEqual(describeSets(before), ['GLOBAL A 8.8.0.1 8.8.0.2']);
  t.deepEqual(plan(before, undefined).recordSets, before.recordSets);
  t.deepEqual(describeSets(plan(before, ['8.8.0.9'])), ['GLOBAL A 8.8.0.2 8.8.0.9']);
  t.deepEqual(describeSets(plan(before, [])), ['GLOBAL A 8.8.0.2']);
  t.deepEqual(describeSets(plan(undefined, undefined)), ['GLOBAL A 8.8.0.2']);
});

test('a family for which nobody answered loses no address', async (t) => {
  const ask = (aaaa: Asked): ReturnType<LookUpHostname> =>
    createHostnameLookup({
      resolver: { host: '127.0.0.1', port: 53 },
      ask: ({ type }) => Promise.resolve(type === 'AAAA' ? aaaa : answerOf(0, 'A', '8.8.0.1')),
    })('lb');
  for (const aaaa of [{ kind: 'silent' as const, message: 'no answer' }, answerOf(2, 'A')]) {
    const lookup = await ask(aaaa);
    t.like(lookup, { kind: 'found', addresses: ['8.8.0.1'], isPartial: true });
    let state = stepHostname(undefined, found('8.8.0.1', '2a00:1450::1'), 0);
    for (const nowMs of [1, 2, 3]) state = stepHostname(state, lookup, nowMs);
    t.deepEqual(state.addresses, ['2a00:1450::1', '8.8.0.1']);
    for (const nowMs of [4, 5]) state = stepHostname(state, found('8.8.0.1'), nowMs);
    t.deepEqual(state.addresses, ['8.8.0.1']);
  }
  t.is('isPartial' in (await ask(answerOf(0, 'AAAA'))), false);
});

function answerOf(rcode: number, type: 'A' | 'AAAA', ...values: readonly string[]): Asked {
  const answers = values.map((value) => ({ name: 'lb', type, value, ttlSeconds: 60 }));
  const flags = { isAuthoritative: false, isTruncated: false };
  return {
    kind: 'answer',
    isOverTcp: false,
    answer: { rcode, ...flags, answers, authority: [], additional: [] },
  };
}

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
