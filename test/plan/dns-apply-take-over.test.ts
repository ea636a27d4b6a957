import test from 'ava';
import { toServiceKey } from '../../common/model/ids.ts';
import { formerOwnerOf, readExternalDnsOwner } from '../../common/pure/dns-former-owners.ts';
import { auditGroup } from '../../coordinator/dns/apply/audit.ts';
import { toMark } from '../../coordinator/dns/apply/ownership.ts';
import { namesOf, planGroup, type GroupInput } from '../../coordinator/dns/apply/plan-group.ts';
import type { ZoneRecordSet } from '../../coordinator/dns/provider/provider.ts';

const key = toServiceKey({ namespace: 'web', name: 'shop' });
const scope = { federation: 'fed', domain: 'example.com' };
const mark = toMark(key, scope, { ownerId: 'me', ttlSecondsMin: 0 });
const top = 'shop.web.fed.svc.example.com';
const east = 'shop.web.fed.svc.east.example.com';

function set(name: string, type: string, values: readonly string[]): ZoneRecordSet {
  return { name, type, ttlSeconds: 60, values };
}

const wanted = [set(top, 'A', ['203.0.113.1']), set(east, 'CNAME', [top])];
const heritage = (owner: string): string =>
  `heritage=external-dns,external-dns/owner=${owner},external-dns/resource=service/web/shop`;
const theirA = set(top, 'A', ['198.51.100.9']);
const theirEast = set(east, 'A', ['198.51.100.9']);

function plan(more: Partial<GroupInput>): readonly string[] {
  const input: GroupInput = {
    key,
    wanted,
    mark,
    recorded: [],
    observed: undefined,
    takeOverFrom: [],
    isHandedBack: false,
    ...more,
  };
  const planned = planGroup(input);
  const why = planned.obstacle === undefined ? [] : [planned.obstacle.reason];
  if (planned.kind === 'settled') return ['settled', ...why];
  const { group } = planned;
  const doubts = auditGroup({ ...input, scope, group, shortNames: new Set() });
  return [
    ...group.deletes.map((it) => `-${it.name} ${it.type}`).sort(),
    ...group.creates.map((it) => `+${it.name} ${it.type}`).sort(),
    ...why,
    ...doubts.map(({ invariant }) => invariant),
  ];
}

const all = [`+${mark.name} TXT`, `+${east} CNAME`, `+${top} A`].sort();

test('I4 names without a mark are left alone until a person names Federation v1', (t) => {
  const observed = [theirA, theirEast];
  t.deepEqual(plan({ observed }), ['settled', 'NameConflict']);
  t.deepEqual(plan({ observed, takeOverFrom: ['external-dns/default'] }), [
    'settled',
    'NameConflict',
  ]);
  t.deepEqual(plan({ observed, takeOverFrom: ['federation-v1'] }), [
    `-${east} A`,
    `-${top} A`,
    ...all,
  ]);
});

test('I4 what somebody adds under our mark is not taken for a leftover', (t) => {
  const observed = [wanted[0] ?? theirA, mark, theirEast];
  const planned = plan({ observed, takeOverFrom: ['federation-v1'] });
  t.deepEqual(planned, ['settled', 'NameConflict']);
});

test('I4 types that v1 never wrote are left where they stand', (t) => {
  const observed = [theirA, set(east, 'TXT', ['hello'])];
  t.deepEqual(plan({ observed, takeOverFrom: ['federation-v1'] }), [
    `-${top} A`,
    `+${mark.name} TXT`,
    `+${top} A`,
    'NameConflict',
  ]);
});

test('I4 what stands at a short name is nobody that v1 was', (t) => {
  const short = 'eu.shop.acme.example.com';
  const observed = [set(short, 'A', ['198.51.100.9'])];
  const names = [...wanted, set(short, 'CNAME', [top])];
  const planned = plan({ wanted: names, observed, takeOverFrom: ['federation-v1'] });
  t.deepEqual(planned, ['settled', 'NameConflict']);
});

test('records of external-dns become ours with its marks, for the owner that was named only', (t) => {
  for (const at of [top, `a-${top}`]) {
    const theirMark = set(at, 'TXT', [heritage('default')]);
    const observed = [theirA, theirMark];
    t.deepEqual(plan({ observed, takeOverFrom: ['external-dns/default'] }), [
      ...[`-${top} A`, `-${at} TXT`].sort(),
      ...all,
    ]);
    for (const takeOverFrom of [[], ['federation-v1'], ['external-dns/other'], ['default']])
      t.deepEqual(
        plan({ observed, takeOverFrom }),
        ['settled', 'NameConflict'],
        takeOverFrom.join(),
      );
  }
});

test('names are read where external-dns keeps its marks, when it may be taken over', (t) => {
  const input = { wanted, mark, recorded: [] };
  t.false(namesOf({ ...input, takeOverFrom: [] }).includes(`a-${top}`));
  for (const takeOverFrom of [['external-dns/default'], ['federation-v1']]) {
    const names = namesOf({ ...input, takeOverFrom });
    for (const prefix of ['', 'a-', 'aaaa-', 'cname-']) t.true(names.includes(`${prefix}${top}`));
  }
});

test("external-dns' marks are read with and without quotes, and nothing else is one", (t) => {
  const owner = (...values: readonly string[]): string | undefined =>
    readExternalDnsOwner(set(top, 'TXT', values));
  t.is(owner(heritage('default')), 'default');
  t.is(owner(`"${heritage('a-b')}"`), 'a-b');
  t.is(owner('heritage=external-dns'), undefined);
  t.is(owner('heritage=other,external-dns/owner=default'), undefined);
  t.is(owner(heritage('default'), 'another'), undefined);
  t.is(readExternalDnsOwner(set(top, 'A', ['192.0.2.1'])), undefined);
});

test('the mark of its own type counts more than another of the same name', (t) => {
  const marks = [
    set(`a-${top}`, 'TXT', [heritage('one')]),
    set(`aaaa-${top}`, 'TXT', [heritage('two')]),
  ];
  t.is(formerOwnerOf(theirA, marks), 'external-dns/one');
  t.is(formerOwnerOf(set(top, 'AAAA', ['2001:db8::1']), marks), 'external-dns/two');
  t.is(formerOwnerOf(theirA, []), 'federation-v1');
  t.is(formerOwnerOf(set(top, 'MX', ['1 mail.example.net']), marks), undefined);
});
