// How many names each Service may have, as Services come and go.

import test from 'ava';
import { toLogKey, toRevision } from '../../common/model/ids.ts';
import { toPublicationObject } from '../../common/pure/publication-object.ts';
import { createZoneBudgets } from '../../coordinator/dns/publish/zone-budgets.ts';
import { nginx } from '../support/dns-fixtures.ts';

const none = new Uint8Array(0);

const zone = {
  name: 'public',
  uid: 'uid',
  generation: 1,
  spec: { domain: 'example.com', provider: 'Route53' as const, nameBudget: 1_000 },
  isDeleting: false,
  isPublishing: true,
};

function createBudgets() {
  const budgets = createZoneBudgets();
  const object = toPublicationObject({
    key: nginx,
    serviceUid: '',
    zone: 'example.com',
    dnsZone: 'public',
    recordSets: [],
    shards: [],
    everHealthy: false,
    reason: '',
    message: '',
  });
  const key = toLogKey({ group: 'isthmus.dev', resource: 'publications', name: 'x' });
  const current = { key, object, revision: toRevision(1), bytes: () => none };
  let changes = 0;
  return {
    add: (count: number): void => {
      for (let at = 0; at < Math.abs(count); at += 1) {
        const kind = count > 0 ? ('added' as const) : ('deleted' as const);
        changes += budgets.fold({ kind, current, previous: undefined }).length;
      }
    },
    changes: () => changes,
    namesMax: () => budgets.levelNamesMax(zone),
  };
}

test('a share halves with each power of two of Services', (t) => {
  const { add, namesMax } = createBudgets();
  t.is(namesMax(), 200);
  add(10);
  t.is(namesMax(), 60); // 1,000 for 16, without a mark and a global name each
  add(7);
  t.is(namesMax(), 29);
});

test('a Service that comes and goes at the border changes the names of no other one', (t) => {
  const { add, changes, namesMax } = createBudgets();
  add(17);
  const before = changes();
  for (let round = 0; round < 10; round += 1) {
    add(-1);
    add(1);
  }
  t.is(changes(), before);
  add(-4); // 13 of 16 that had room before
  t.deepEqual([changes(), namesMax()], [before, 29]);
  add(-2);
  t.deepEqual([changes(), namesMax()], [before + 1, 60]);
});

test('the last Service of a zone leaves nothing behind', (t) => {
  const { add, namesMax } = createBudgets();
  add(100);
  add(-100);
  t.is(namesMax(), 200);
});
