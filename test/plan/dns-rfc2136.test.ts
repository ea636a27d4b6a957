import test from 'ava';
import { toNameText, toTypeText, parseNameText } from '../../common/pure/dns-text.ts';
import type { WireRecord } from '../../common/pure/dns-message.ts';
import type { WireName } from '../../common/pure/dns-wire.ts';
import {
  measureUpdate,
  planUpdate,
  updateLimits,
} from '../../coordinator/dns/provider/plan-rfc2136.ts';
import type { RecordGroup, ZoneRecordSet } from '../../coordinator/dns/provider/provider.ts';
import { group, recordSet } from '../contract/dns-provider-cases.ts';

const apex = parseNameText('example.test') ?? ('\0' as WireName);
const a = (...values: readonly string[]): ZoneRecordSet => recordSet('a.example.test', 'A', values);
const alias = recordSet('a.example.test', 'CNAME', ['b.example.test']);

/** `class type name`, as RFC 2136 2.4 and 2.5 write them. */
function shown(records: readonly WireRecord[]): readonly string[] {
  const classes = new Map([
    [1, 'IN'],
    [254, 'NONE'],
    [255, 'ANY'],
  ]);
  return records.map(({ name, type, class: of, data }) => {
    const typeText = type === 255 ? 'ANY' : toTypeText(type);
    return `${classes.get(of) ?? of} ${typeText} ${toNameText(name)} ${data.length}`;
  });
}

function planned(
  ...groups: readonly RecordGroup[]
): { readonly prerequisites: readonly string[]; readonly updates: readonly string[] } | string {
  const update = planUpdate({ groups }, apex);
  if (update.kind === 'impossible') return [...update.reasons.values()].join('; ');
  const { prerequisites, updates } = update.records;
  return { prerequisites: shown(prerequisites), updates: shown(updates) };
}

test('U1 a replaced set is demanded as it stands and deleted by its type alone', (t) => {
  const change = group('g', { deletes: [a('192.0.2.1', '192.0.2.2')], creates: [a('192.0.2.3')] });
  t.deepEqual(planned(change), {
    prerequisites: [
      'IN A a.example.test 4',
      'IN A a.example.test 4',
      'NONE CNAME a.example.test 0',
    ],
    updates: ['ANY A a.example.test 0', 'IN A a.example.test 4'],
  });
});

test('U2 a new alias demands that nothing stands at its name', (t) => {
  t.deepEqual(planned(group('g', { creates: [alias] })), {
    prerequisites: ['NONE ANY a.example.test 0'],
    updates: ['IN CNAME a.example.test 16'],
  });
});

test('U2 an alias in the place of addresses demands that no other type stands there', (t) => {
  const change = planned(group('g', { deletes: [a('192.0.2.1')], creates: [alias] }));
  if (typeof change === 'string') return t.fail(change);
  t.is(change.prerequisites[0], 'IN A a.example.test 4');
  for (const type of ['AAAA', 'TXT', 'SRV', 'MX', 'NS', 'CNAME'])
    t.true(change.prerequisites.includes(`NONE ${type} a.example.test 0`), type);
  t.false(change.prerequisites.includes('NONE A a.example.test 0'));
  t.deepEqual(change.updates, ['ANY A a.example.test 0', 'IN CNAME a.example.test 16']);
});

test('no update deletes a whole name: restricted keys may not', (t) => {
  const change = planned(
    group('g', { deletes: [a('192.0.2.1'), recordSet('a.example.test', 'AAAA', ['2001:db8::1'])] }),
  );
  if (typeof change === 'string') return t.fail(change);
  t.false(change.updates.some((update) => update.startsWith('ANY ANY')));
});

const impossible: readonly (readonly [string, RecordGroup, RegExp])[] = [
  ['outside', group('g', { creates: [recordSet('a.other.test', 'A', ['192.0.2.1'])] }), /outside/],
  [
    'a suffix that is no parent',
    group('g', { creates: [recordSet('aexample.test', 'A', ['192.0.2.1'])] }),
    /outside/,
  ],
  [
    'a long label',
    group('g', { creates: [recordSet(`${'x'.repeat(64)}.example.test`, 'A', ['192.0.2.1'])] }),
    /labels of 63/,
  ],
  ['no address', group('g', { creates: [a('300.0.2.1')] }), /300\.0\.2\.1 is no A data/],
  ['an address of the other family', group('g', { creates: [a('2001:db8::1')] }), /is no A data/],
  ['no value', group('g', { creates: [a()] }), /has no value/],
  [
    'a CNAME with two targets',
    group('g', { creates: [recordSet('a.example.test', 'CNAME', ['b.test', 'c.test'])] }),
    /several targets/,
  ],
  ['a CNAME beside an address', group('g', { creates: [a('192.0.2.1'), alias] }), /beside a CNAME/],
  [
    'weights',
    group('g', { creates: [{ ...a('192.0.2.1'), member: { id: 'c1', weight: 1 } }] }),
    /does not know/,
  ],
  [
    'a TTL below nothing',
    group('g', { creates: [recordSet('a.example.test', 'A', ['192.0.2.1'], -1)] }),
    /TTL/,
  ],
];

for (const [what, change, reason] of impossible) {
  test(`${what} is refused before anything is sent, and the message names the record`, (t) => {
    const told = planned(change);
    t.is(typeof told, 'string');
    t.regex(String(told), reason);
    t.regex(String(told), /(A|CNAME) \S*example\.test|other\.test/);
  });
}

test('two groups that change one set are told apart', (t) => {
  const told = planned(
    group('one', { creates: [a('192.0.2.1')] }),
    group('two', { creates: [a('192.0.2.2')] }),
  );
  t.regex(String(told), /changed by one in the same request/);
});

test('what a group costs is what it takes, and the limits leave room for the rest', (t) => {
  const set = recordSet('a.example.test', 'TXT', ['x'.repeat(500)]);
  const small = measureUpdate(group('g', { creates: [a('192.0.2.1')] }), apex);
  t.deepEqual(small, { changes: 1, bytes: 3 * (16 + 10) + 4 });
  t.true(measureUpdate(group('g', { creates: [set] }), apex).bytes > 500);
  t.true(updateLimits.bytes < 65_535 - 512 - 300);
});
