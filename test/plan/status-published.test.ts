// Whether the world sees a Service's names, and what each name is in each zone: from what zones
// publish and what became of it.

import test from 'ava';
import type { Publication, RecordSet } from '../../common/model/publication.ts';
import { toServiceKey } from '../../common/model/ids.ts';
import { sayPublished } from '../../coordinator/status/plan-published.ts';
import { planRecordSets } from '../../coordinator/status/plan-record-sets.ts';
import type { PublishedFacts } from '../../coordinator/status/published.ts';

const name = 'web.shop.fed.svc.example.com';
const plain: RecordSet = { name, type: 'A', ttlSeconds: 60, values: ['8.8.0.1'], level: 'global' };

function facts(
  dnsZone: string,
  applied: Partial<PublishedFacts['applied']> = {},
  more: Partial<Publication> = {},
): PublishedFacts {
  return {
    dnsZone,
    publication: {
      key: toServiceKey({ namespace: 'shop', name: 'web' }),
      serviceUid: 'u',
      zone: 'example.com',
      recordSets: [plain],
      shards: [],
      everHealthy: true,
      reason: 'Published',
      message: '1 of 1 shards are healthy.',
      ...more,
    },
    applied: {
      state: 'live',
      reason: 'Live',
      message: '',
      sinceMs: undefined,
      hasRecords: true,
      ...applied,
    },
  };
}

function said(...published: readonly PublishedFacts[]): string {
  const { status, reason, message } = sayPublished(published);
  return `${status} ${reason}: ${message}`;
}

test('one zone says what its publication says', (t) => {
  t.is(said(), 'False NoPublication: No DNS names yet.');
  t.is(said(facts('public')), 'True Published: 1 of 1 shards are healthy.');
  const none = { recordSets: [], reason: 'NeverHealthy', message: 'Not yet.' };
  t.is(said(facts('public', {}, none)), 'False NeverHealthy: Not yet.');
});

test('a zone that others stand in, or that cannot be written, is named before those that are well', (t) => {
  const message = 'Records of others stand there.';
  const foreign = facts('corp', { state: 'foreign', reason: 'Foreign', message, names: [name] });
  t.is(said(facts('public'), foreign), `False NameConflict: corp: ${message} (${name})`);
  const failing = facts('lab', { state: 'failing', reason: 'Denied', message: 'AccessDenied.' });
  t.is(said(failing), 'False ProviderFailing: lab: AccessDenied.');
  t.regex(said(facts('a', { state: 'held', message: 'Frozen.' })), /^False Held: a: Frozen\.$/);
});

test('names that were never there are not published; an update of names that are is no fault', (t) => {
  const pending = { state: 'pending', message: 'It waits its turn.' } as const;
  t.is(
    said(facts('public', { ...pending, hasRecords: false })),
    'False Pending: public: It waits its turn.',
  );
  t.is(
    said(facts('public', pending)),
    'True Published: 1 of 1 shards are healthy. It waits its turn.',
  );
});

test('several zones that are well are told in one sentence each, with their notes', (t) => {
  const notes = [
    { reason: 'WeightsIgnored', message: 'corp cannot weigh.', count: 1, names: [] },
  ] as const;
  t.is(
    said(facts('corp', {}, { notes }), facts('public')),
    'True Published: corp: 1 of 1 shards are healthy. corp cannot weigh. public: 1 of 1 shards are healthy.',
  );
});

test('a name is one object in each zone, and weighted members are one answer', (t) => {
  const member = (id: string, weight: number, value: string): RecordSet => ({
    ...plain,
    values: [value],
    member: { id, weight },
  });
  const alias = {
    target: 'lb.eu.elb.amazonaws.com',
    hostedZoneId: 'Z9',
    evaluateTargetHealth: true,
  };
  const aliased: RecordSet = { ...plain, values: [], alias, member: { id: 'c', weight: 5 } };
  const recordSets = [member('a', 30, '8.8.0.1'), member('b', 70, '8.8.0.2'), aliased];
  const sinceMs = 1_000;
  const planned = planRecordSets(
    [
      facts('example.com'),
      facts(
        'public',
        { state: 'submitted', reason: 'Submitted', message: 'On its way.', sinceMs },
        { recordSets },
      ),
    ],
    (epochMs) => `at ${epochMs}`,
  );
  t.deepEqual(
    planned.map((one) => one.name),
    [`${name}-a`, `${name}-a.public`],
  );
  t.like(planned[0], {
    spec: { dnsZone: 'example.com', targets: ['8.8.0.1'] },
    status: { state: 'live', published: true },
  });
  t.like(planned[1]?.spec, {
    targets: ['8.8.0.1', '8.8.0.2', 'lb.eu.elb.amazonaws.com'],
    members: [
      { id: 'a', weight: 30, targets: ['8.8.0.1'] },
      { id: 'b', weight: 70, targets: ['8.8.0.2'] },
      { id: 'c', weight: 5, targets: ['lb.eu.elb.amazonaws.com'], alias },
    ],
  });
  t.deepEqual(planned[1]?.status, {
    published: false,
    state: 'submitted',
    reason: 'Submitted',
    message: 'On its way.',
    since: 'at 1000',
  });
});

test('items of one set show each with its weight', (t) => {
  const items = [
    { weight: 1, values: ['8.8.0.1'] },
    { weight: 3, values: ['8.8.0.2'] },
  ];
  const [planned] = planRecordSets(
    [facts('g', {}, { recordSets: [{ ...plain, values: [], items }] })],
    String,
  );
  t.deepEqual(planned?.spec.members, [
    { weight: 1, targets: ['8.8.0.1'] },
    { weight: 3, targets: ['8.8.0.2'] },
  ]);
});
