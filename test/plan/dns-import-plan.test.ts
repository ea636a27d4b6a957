import test from 'ava';
import { planImport, type StandingRecord } from '../../common/pure/dns-import-plan.ts';
import { importText } from '../../plugin/commands/dns-import.ts';

const top = 'shop.web.fed.svc.example.com';
const east = 'shop.web.fed.svc.east.example.com';
const gone = 'gone.web.fed.svc.example.com';
const heritage = 'heritage=external-dns,external-dns/owner=default,external-dns/resource=x';

function at(name: string, type: string, ...data: readonly string[]): StandingRecord {
  return { name, type, ttlSeconds: 60, data };
}

const wanted = [
  { ...at(top, 'A', '203.0.113.1', '203.0.113.2'), service: 'web/shop' },
  { ...at(east, 'CNAME', top), service: 'web/shop' },
];

function plan(...standing: readonly StandingRecord[]): readonly string[] {
  return planImport({ standing, wanted, ownerId: 'us' }).map(
    ({ action, owner, name, type, becomes, why }) =>
      `${action} ${owner || '-'} ${type} ${name}${becomes === undefined ? '' : ` -> ${becomes}`}: ${why}`,
  );
}

test('names without a mark are Federation v1’s: kept, changed, replaced or left', (t) => {
  t.deepEqual(plan(at(top, 'A', '203.0.113.2', '203.0.113.1')), [
    `keep federation-v1 A ${top}: of Service web/shop`,
  ]);
  t.deepEqual(plan({ ...at(top, 'A', '203.0.113.2', '203.0.113.1'), ttlSeconds: 180 }), [
    `change federation-v1 A ${top}: of Service web/shop, TTL 180 -> 60`,
  ]);
  t.deepEqual(
    plan(at(gone, 'A', '192.0.2.1'), at(east, 'A', '192.0.2.1'), at(top, 'A', '192.0.2.1')),
    [
      `change federation-v1 A ${top} -> 203.0.113.1 203.0.113.2: of Service web/shop`,
      `remove federation-v1 A ${east} -> CNAME ${top}: of Service web/shop, by another type`,
      `leave federation-v1 A ${gone}: no Service publishes this name here`,
    ],
  );
});

test('records of external-dns go by its marks, of the old and the new form', (t) => {
  for (const mark of [top, `a-${top}`]) {
    t.deepEqual(plan(at(top, 'A', '192.0.2.1'), at(mark, 'TXT', heritage)), [
      `change external-dns/default A ${top} -> 203.0.113.1 203.0.113.2: of Service web/shop`,
      `remove external-dns/default TXT ${mark}: external-dns' own mark of the name`,
    ]);
  }
  t.deepEqual(plan(at(`a-${gone}`, 'TXT', heritage), at(gone, 'A', '192.0.2.1')), [
    `leave external-dns/default TXT a-${gone}: no Service publishes the name that it marks`,
    `leave external-dns/default A ${gone}: no Service publishes this name here`,
  ]);
});

test('I4 types that are never ours, and names under the mark of an Isthmus, are left', (t) => {
  t.deepEqual(plan(at(top, 'MX', '1 mail.example.net'), at(top, 'TXT', 'hello')), [
    `leave - MX ${top}: MX records are never ours`,
    `leave - TXT ${top}: TXT records are never ours`,
  ]);
  const mark = at('_fedowner.shop.web.fed.svc.example.com', 'TXT', 'v=1 fed=fed id=other');
  t.deepEqual(plan(mark, at(east, 'A', '192.0.2.1')), [
    `leave - A ${east}: the mark beside it names other`,
  ]);
});

test('what stands under our own mark is ours already, and what hands put beside it is not', (t) => {
  const mark = at('_fedowner.shop.web.fed.svc.example.com', 'TXT', 'v=1 fed=fed id=us');
  t.deepEqual(plan(mark, at(top, 'A', '203.0.113.1'), at(top, 'AAAA', '2001:db8::1')), [
    `leave - AAAA ${top}: somebody put it beside ours`,
  ]);
});

test('marks of external-dns with a prefix or suffix of its own are told, and whose they are', (t) => {
  for (const mark of [`extdns-a-${top}`, `txt.${top}`, `shop-owner.${top.slice(5)}`]) {
    const lines = plan(at(top, 'A', '192.0.2.1'), at(mark, 'TXT', heritage));
    t.deepEqual(lines, [
      `change federation-v1 A ${top} -> 203.0.113.1 203.0.113.2: of Service web/shop, and ` +
        `external-dns', by ${mark}`,
      `leave external-dns/default TXT ${mark}: external-dns' mark of ${top}, by a prefix or suffix ` +
        'of its own: remove it by hand',
    ]);
  }
  const other = at(`extdns-workshop.${top.slice(5)}`, 'TXT', heritage);
  t.deepEqual(plan(at(top, 'A', '192.0.2.1'), other), [
    `change federation-v1 A ${top} -> 203.0.113.1 203.0.113.2: of Service web/shop`,
    `leave external-dns/default TXT ${other.name}: no Service publishes the name that it marks`,
  ]);
  const standing = [at(top, 'A', '192.0.2.1'), at(`extdns-${top}`, 'TXT', heritage)];
  t.regex(
    importText('public', planImport({ standing, wanted, ownerId: 'us' }), []),
    /--txt-prefix or --txt-suffix of its own\. Stop it first; .*\nTake over with:\n.*--from federation-v1\n$/,
  );
});

test('the preview ends with the command that does it, for all owners at once', (t) => {
  const standing = [
    at(top, 'A', '192.0.2.1'),
    at(`a-${top}`, 'TXT', heritage),
    at(east, 'A', '192.0.2.1'),
  ];
  const text = importText('public', planImport({ standing, wanted, ownerId: 'us' }), []);
  t.regex(text, /^ACTION +OWNER +NAME +TYPE +DATA +WHY\n/);
  t.regex(text, /\n1 to change, 2 to remove\.\n/);
  t.regex(text, /--from external-dns\/default,federation-v1\n$/);
  t.regex(importText('public', [], []), /^Nothing of others stands in the zone/);
});
