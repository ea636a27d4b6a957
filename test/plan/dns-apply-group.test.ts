import test from 'ava';
import { toServiceKey } from '../../common/model/ids.ts';
import type { RecordSet } from '../../common/model/publication.ts';
import { auditGroup, type GroupAuditInput } from '../../coordinator/dns/apply/audit.ts';
import { parseMark, readClaim, toMark } from '../../coordinator/dns/apply/ownership.ts';
import {
  applyGroup,
  namesOf,
  planGroup,
  type GroupInput,
} from '../../coordinator/dns/apply/plan-group.ts';
import { toZoneRecordSets } from '../../coordinator/dns/apply/zone-records.ts';
import type { ZoneRecordSet } from '../../coordinator/dns/provider/provider.ts';

const key = toServiceKey({ namespace: 'web', name: 'shop' });
const scope = { federation: 'fed', domain: 'example.com' };
const mark = toMark(key, scope, { ownerId: 'me', ttlSecondsMin: 0 });
const top = 'shop.web.fed.svc.example.com';
const east = 'shop.web.fed.svc.east.example.com';

function set(name: string, type: string, values: readonly string[]): ZoneRecordSet {
  return { name, type, ttlSeconds: 60, values };
}

const topA = set(top, 'A', ['203.0.113.1']);
const eastA = set(east, 'A', ['203.0.113.1']);
const eastCname = set(east, 'CNAME', [top]);

function input(more: Partial<GroupInput>): GroupInput {
  return {
    key,
    wanted: [],
    mark,
    recorded: [],
    observed: undefined,
    takeOverFrom: [],
    isHandedBack: false,
    ...more,
  };
}

/** `-name type` and `+name type` of the change, or what it is instead. */
function plan(more: Partial<GroupInput>): readonly string[] {
  const planned = planGroup(input(more));
  const why = planned.obstacle === undefined ? [] : [planned.obstacle.reason];
  if (planned.kind === 'settled') return ['settled', ...why];
  const { group, priority } = planned;
  return [
    `class ${priority}`,
    ...group.deletes.map((it) => `-${it.name} ${it.type}`),
    ...group.creates.map((it) => `+${it.name} ${it.type}`),
    ...why,
  ];
}

test('a first claim creates the mark with the names, the shorter names first', (t) => {
  t.deepEqual(plan({ wanted: [eastCname, topA] }), [
    'class 1',
    `+${top} A`,
    `+${mark.name} TXT`,
    `+${east} CNAME`,
  ]);
});

test('what stands as recorded is settled', (t) => {
  t.deepEqual(plan({ wanted: [topA], recorded: [mark, topA] }), ['settled']);
});

test('a type swap deletes and creates in one group, and is urgent: an address goes', (t) => {
  t.deepEqual(plan({ wanted: [topA, eastCname], recorded: [mark, eastA, topA] }), [
    'class 0',
    `-${east} A`,
    `+${east} CNAME`,
  ]);
});

for (const [title, before, after, priority] of [
  ['an address goes', ['1', '2'], ['1'], 0],
  ['an address is replaced', ['1'], ['2'], 0],
  ['an address comes', ['1'], ['1', '2'], 1],
] as const) {
  test(`${title}: class ${priority}`, (t) => {
    const toSet = (last: readonly string[]): ZoneRecordSet =>
      set(
        top,
        'A',
        last.map((it) => `203.0.113.${it}`),
      );
    t.is(plan({ wanted: [toSet(after)], recorded: [mark, toSet(before)] })[0], `class ${priority}`);
  });
}

test('a TTL that changes is no withdrawal, a weight that becomes 0 is', (t) => {
  const member = (weight: number, ttlSeconds = 60): ZoneRecordSet => ({
    ...set(top, 'A', ['203.0.113.1']),
    ttlSeconds,
    member: { id: 'm0', weight },
  });
  const change = (after: ZoneRecordSet): string | undefined =>
    plan({ wanted: [after], recorded: [mark, member(10)] })[0];
  t.is(change(member(10, 30)), 'class 1');
  t.is(change(member(5)), 'class 1');
  t.is(change(member(0)), 'class 0');
});

test('a plain set becomes weighted members with every old one deleted', (t) => {
  const members = ['m0', 'm1'].map((id) => ({ ...topA, member: { id, weight: 1 } }));
  const planned = planGroup(input({ wanted: members, recorded: [mark, topA] }));
  t.is(planned.kind, 'change');
  if (planned.kind !== 'change') return;
  t.deepEqual(planned.group.deletes, [topA]);
  t.is(planned.group.creates.length, 2);
});

test('a Service that goes takes its names and its mark, deeper names first, as clean-up', (t) => {
  t.deepEqual(plan({ recorded: [mark, eastCname, topA] }), [
    'class 2',
    `-${mark.name} TXT`,
    `-${east} CNAME`,
    `-${top} A`,
  ]);
});

test('I4: what was read and is not recorded stays, unless it is in the way', (t) => {
  const mx = set(top, 'MX', ['10 mail.acme.com']);
  const aaaa = set(top, 'AAAA', ['2001:db8::1']);
  t.deepEqual(plan({ wanted: [topA], observed: [mx, aaaa] }), [
    'class 1',
    `+${top} A`,
    `+${mark.name} TXT`,
  ]);
  t.deepEqual(plan({ wanted: [topA], observed: [set(top, 'A', ['192.0.2.1'])] }), [
    'settled',
    'NameConflict',
  ]);
  t.deepEqual(plan({ wanted: [topA], observed: [set(top, 'CNAME', ['x.acme.com'])] }), [
    'settled',
    'NameConflict',
  ]);
  t.deepEqual(plan({ wanted: [eastCname, topA], observed: [set(east, 'MX', ['1 m.acme.com'])] }), [
    'settled',
    'NameConflict',
  ]);
});

test('I4: a set with settings that we never write is foreign, and blocks what it cannot stand beside', (t) => {
  const latency = { ...topA, member: { id: 'm0', weight: 1 }, foreign: 'Region=eu-west-1' };
  const planned = planGroup(
    input({ wanted: [topA, eastA], recorded: [mark, topA], observed: [mark, latency] }),
  );
  t.like(planned, { kind: 'change', obstacle: { reason: 'NameConflict', names: [top] } });
  t.deepEqual(plan({ wanted: [topA, eastA], recorded: [mark, topA], observed: [mark, latency] }), [
    'class 1',
    `+${east} A`,
    'NameConflict',
  ]);
});

test('a set of ours with another value is an edit, and is put back exactly', (t) => {
  const edited = set(top, 'A', ['192.0.2.66']);
  const planned = planGroup(
    input({ wanted: [topA], recorded: [mark, topA], observed: [mark, edited] }),
  );
  t.like(planned, { kind: 'change', group: { deletes: [edited], creates: [topA] } });
});

test('what stands as wanted under our mark, and is not recorded, is ours: an answer was lost', (t) => {
  const planned = planGroup(input({ wanted: [topA], observed: [mark, topA] }));
  t.deepEqual(planned, { kind: 'settled', after: [mark, topA], obstacle: undefined });
});

for (const [title, text, takeOverFrom, expected] of [
  ['our mark', 'v=1 fed=fed id=me', [], 'ours'],
  ['our id in another federation', 'v=1 fed=other id=me', [], 'other'],
  ['another id', 'v=1 fed=fed id=you', [], 'other'],
  ['another id that is taken over from', 'v=1 fed=fed id=you', ['you'], 'adopted'],
  ['a later form', 'v=2 fed=fed id=me', [], 'foreign'],
  ['text of somebody', 'hello', [], 'foreign'],
] as const) {
  test(`${title} at the mark's name is ${expected}`, (t) => {
    t.is(readClaim([{ ...mark, values: [text] }], mark, takeOverFrom).kind, expected);
  });
}

test('a mark is read as it is written', (t) => {
  t.deepEqual(parseMark(mark.values[0] ?? ''), { federation: 'fed', id: 'me' });
});

test('taking over replaces the mark and what stands at our names, and leaves other types', (t) => {
  const theirs = { ...mark, values: ['v=1 fed=fed id=you'] };
  const mx = set(top, 'MX', ['10 mail.acme.com']);
  t.deepEqual(
    plan({
      wanted: [topA],
      takeOverFrom: ['you'],
      observed: [theirs, set(top, 'A', ['192.0.2.1']), mx],
    }),
    ['class 0', `-${mark.name} TXT`, `-${top} A`, `+${top} A`, `+${mark.name} TXT`],
  );
});

test('names that somebody took over are forgotten, not deleted, when the Service goes', (t) => {
  const theirs = { ...mark, values: ['v=1 fed=fed id=you'] };
  t.deepEqual(planGroup(input({ recorded: [mark, topA], observed: [theirs, topA] })), {
    kind: 'settled',
    after: [],
    obstacle: undefined,
  });
});

test('handing back removes the mark and nothing else', (t) => {
  t.deepEqual(plan({ recorded: [mark, eastA, topA], isHandedBack: true }), [
    'class 2',
    `-${mark.name} TXT`,
  ]);
});

test('everything that is recorded or wanted is read, with the mark', (t) => {
  t.deepEqual(namesOf(input({ wanted: [topA], recorded: [eastA] })), [mark.name, east, top].sort());
});

test('a publication is written in canonical form, sorted, and without weights of single values', (t) => {
  const sets: readonly RecordSet[] = [
    {
      name: top,
      type: 'AAAA',
      ttlSeconds: 60,
      values: ['2001:DB8:0:0::2', '2001:db8::1'],
      weights: [1, 2],
      level: 'global',
    },
    {
      name: east,
      type: 'A',
      ttlSeconds: 60,
      values: ['203.0.113.9'],
      level: 'region',
      alias: { target: 'lb.elb.amazonaws.com', hostedZoneId: 'Z1', evaluateTargetHealth: true },
    },
  ];
  t.deepEqual(toZoneRecordSets({ recordSets: sets }), [
    {
      name: east,
      type: 'A',
      ttlSeconds: 0,
      values: [],
      alias: { target: 'lb.elb.amazonaws.com', hostedZoneId: 'Z1', evaluateTargetHealth: true },
    },
    { name: top, type: 'AAAA', ttlSeconds: 60, values: ['2001:db8::1', '2001:db8::2'] },
  ]);
});

function audit(more: Partial<GroupAuditInput>): readonly string[] {
  return auditGroup({
    key,
    scope,
    group: { id: key, deletes: [], creates: [] },
    mark,
    recorded: [],
    observed: undefined,
    takeOverFrom: [],
    shortNames: new Set(),
    isHandedBack: false,
    ...more,
  }).map(({ invariant }) => invariant);
}

function change(deletes: readonly ZoneRecordSet[], creates: readonly ZoneRecordSet[]) {
  return { group: { id: key, deletes, creates } };
}

for (const [title, more, expected] of [
  ['nothing wrong', change([], [mark, topA, eastCname]), []],
  ['a delete that is not recorded', { ...change([eastA], []), recorded: [mark, topA] }, ['B1']],
  [
    'a name outside the domain',
    change([], [mark, set('shop.web.fed.svc.acme.com', 'A', ['1'])]),
    ['B2'],
  ],
  [
    "another Service's name",
    change([], [mark, set('cart.web.fed.svc.example.com', 'A', ['1'])]),
    ['B2'],
  ],
  ['a type that we never write', change([], [mark, set(top, 'MX', ['10 m'])]), ['B2']],
  [
    'a short name of the publication',
    {
      ...change([], [mark, topA, set('shop.example.com', 'CNAME', [top])]),
      shortNames: new Set(['shop.example.com']),
    },
    [],
  ],
  [
    'a port and a shard of the Service',
    change(
      [],
      [
        mark,
        topA,
        set(`_http._tcp.${top}`, 'SRV', [`0 5 80 ${top}`]),
        set(`s-1.${east}`, 'A', ['1']),
      ],
    ),
    [],
  ],
  ['a CNAME beside an address', change([], [mark, topA, eastA, eastCname]), ['B3']],
  ['a set that says nothing', change([], [mark, set(top, 'A', [])]), ['B3']],
  [
    'a plain set beside members',
    change([], [mark, topA, { ...topA, member: { id: 'a', weight: 1 } }]),
    ['B3'],
  ],
  ['a CNAME that dangles', change([], [mark, eastCname]), ['B4']],
  ['a target that goes', { ...change([topA], []), recorded: [mark, topA, eastCname] }, ['B4']],
  [
    'an SRV that dangles',
    change([], [mark, set(`_http._tcp.${top}`, 'SRV', [`0 5 80 ${top}`])]),
    ['B4'],
  ],
  ['names without their mark', change([], [topA]), ['B5']],
  [
    'a hand-back that deletes a name',
    { ...change([topA], []), recorded: [mark, topA], isHandedBack: true },
    ['B1'],
  ],
] as const) {
  test(`the audit of a change: ${title}: ${expected.join(' ') || 'passes'}`, (t) => {
    t.deepEqual(audit(more), expected);
  });
}

test('applying a change to what stood gives what is recorded afterwards', (t) => {
  const planned = planGroup(input({ wanted: [topA, eastCname], recorded: [mark, eastA, topA] }));
  t.is(planned.kind, 'change');
  if (planned.kind !== 'change') return;
  t.deepEqual(applyGroup([mark, eastA, topA], planned.group), planned.after);
});

test('I5 a name above which a stranger stands leads past it', (t) => {
  const zone = 'shop.web.fed.svc.a.east.example.com';
  const standing = [topA, eastA, set(zone, 'A', ['203.0.113.1']), mark];
  const theirs = set(east, 'TXT', ['theirs']);
  const moved = set(top, 'A', ['203.0.113.2']);
  const observed = [...standing, theirs];
  const wanted = [moved, eastCname, set(zone, 'CNAME', [east])];
  const planned = planGroup(input({ wanted, recorded: standing, observed }));
  if (planned.kind !== 'change') return t.fail(planned.kind);
  const after = applyGroup(observed, planned.group).filter(({ name }) => name !== mark.name);
  t.deepEqual(
    after.map(({ name, type, values }) => `${name} ${type} ${values.join(' ')}`).sort(),
    [`${east} TXT theirs`, `${top} A 203.0.113.2`, `${zone} CNAME ${top}`].sort(),
  );
  t.is(planned.obstacle?.reason, 'NameConflict');
  const doubts = auditGroup({
    key,
    scope,
    mark,
    group: planned.group,
    recorded: standing,
    observed,
    takeOverFrom: [],
    shortNames: new Set(),
    isHandedBack: false,
  });
  t.deepEqual(doubts, []);
});
