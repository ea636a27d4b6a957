// Events under both of their groups: one stored object, two faces, two sets of rules.

import fc from 'fast-check';
import test from 'ava';
import type { KubeObject } from '../../common/model/kube-object.ts';
import { eventKind, newEventKind } from '../../coordinator/api/kinds/event/event.ts';
import {
  completeCoreEvent,
  completeNewEvent,
  toCoreEvent,
  toNewEvent,
} from '../../coordinator/api/kinds/event/event-forms.ts';
import { memberKinds } from '../../coordinator/api/kinds/member/member.ts';
import { createApiFixture, type ApiFixture } from '../support/api-fixture.ts';

const core = '/api/v1/namespaces/default/events';
const newer = '/apis/events.k8s.io/v1/namespaces/default/events';

function serve(): Promise<ApiFixture> {
  return createApiFixture({ kinds: [...memberKinds(), newEventKind] });
}

const about = { apiVersion: 'v1', kind: 'Service', namespace: 'default', name: 'web' };
const legal = {
  metadata: { name: 'e' },
  eventTime: '2026-01-02T03:04:05.000006Z',
  reportingController: 'example.com/agent',
  reportingInstance: 'agent-1',
  action: 'Look',
  reason: 'Seen',
  regarding: about,
  note: 'It is there.',
  type: 'Normal',
};

test('[k8s 112] an Event of events.k8s.io is the same object in v1, by other names', async (t) => {
  const api = await serve();
  const made = await api.call('POST', newer, legal);
  t.is(made.status, 201, made.text);
  const seen = await api.call('GET', `${core}/e`);
  t.like(seen.json, {
    kind: 'Event',
    apiVersion: 'v1',
    involvedObject: about,
    message: 'It is there.',
    reportingComponent: 'example.com/agent',
    source: {},
    firstTimestamp: null,
    lastTimestamp: null,
  });
  const metadata = (json: object): KubeObject['metadata'] => (json as KubeObject).metadata;
  t.is(metadata(seen.json).resourceVersion, metadata(made.json).resourceVersion);
  t.deepEqual((await api.call('GET', `${newer}/e`)).json, made.json);
});

test('[k8s 112] an Event of v1 shows what is deprecated in events.k8s.io', async (t) => {
  const api = await serve();
  await api.call('POST', core, {
    metadata: { name: 'e' },
    involvedObject: about,
    message: 'old',
    source: { component: 'kubelet', host: 'n1' },
    firstTimestamp: '2026-01-02T03:04:05Z',
    count: 3,
  });
  t.like((await api.call('GET', `${newer}/e`)).json, {
    apiVersion: 'events.k8s.io/v1',
    regarding: about,
    note: 'old',
    deprecatedSource: { component: 'kubelet', host: 'n1' },
    deprecatedFirstTimestamp: '2026-01-02T03:04:05Z',
    deprecatedLastTimestamp: null,
    deprecatedCount: 3,
    eventTime: null,
  });
});

test('[k8s 112] lists, watches, selectors and tables work in each group by its own names', async (t) => {
  const api = await serve();
  const from = api.desired.revision();
  const taps = [
    await api.watch(`${core}?watch=1&resourceVersion=${from}`),
    await api.watch(`${newer}?watch=1&resourceVersion=${from}`),
  ];
  await api.call('POST', newer, legal);
  const [old, young] = await Promise.all(taps.map(async (tap) => (await tap.events())[0]));
  t.like(old, { type: 'ADDED', object: { apiVersion: 'v1', message: 'It is there.' } });
  t.like(young, {
    type: 'ADDED',
    object: { apiVersion: 'events.k8s.io/v1', note: 'It is there.' },
  });
  for (const tap of taps) tap.abort();
  const counts = async (target: string): Promise<unknown> => {
    const { status, json } = await api.call('GET', target);
    return status === 200 ? (json['items'] as readonly unknown[]).length : json['message'];
  };
  t.is(await counts(`${core}?fieldSelector=involvedObject.name%3Dweb`), 1);
  t.is(await counts(`${newer}?fieldSelector=regarding.name%3Dweb`), 1);
  t.is(await counts(`${newer}?fieldSelector=reportingController%3Dexample.com/agent`), 1);
  t.is(await counts(`${core}?fieldSelector=reportingComponent%3Dother`), 0);
  t.is(
    await counts(`${newer}?fieldSelector=involvedObject.name%3Dweb`),
    'field label not supported: involvedObject.name',
  );
  const accept = { accept: 'application/json;as=Table;g=meta.k8s.io;v=v1' };
  const rows = async (path: string): Promise<unknown> =>
    (
      (await api.call('GET', path, undefined, accept)).json['rows'] as readonly { cells: unknown }[]
    )[0]?.cells;
  t.deepEqual(await rows(newer), await rows(core));
  t.deepEqual((await rows(core)) as unknown[], [
    '0s',
    'Normal',
    'Seen',
    'service/web',
    '',
    'example.com/agent, agent-1',
    'It is there.',
    '0s',
    1,
    'e',
  ]);
});

const strict: readonly (readonly [string, object, string])[] = [
  ['no time', { eventTime: undefined }, 'eventTime: Required value'],
  ['no controller', { reportingController: '' }, 'reportingController: Required value'],
  ['no instance', { reportingInstance: '' }, 'reportingInstance: Required value'],
  ['no action', { action: '' }, 'action: Required value'],
  ['no reason', { reason: '' }, 'reason: Required value'],
  ['a type', { type: 'Odd' }, 'type: Invalid value: "": has invalid value: Odd'],
  [
    'a long note',
    { note: 'x'.repeat(1025) },
    'message: Invalid value: "": can have at most 1024 characters',
  ],
  ['an old count', { deprecatedCount: 2 }, 'count: Invalid value: "": needs to be unset'],
  [
    'a series of one',
    { series: { count: 1, lastObservedTime: '2026-01-02T03:04:05.000000Z' } },
    'series.count: Invalid value: "": should be at least 2',
  ],
  [
    'another namespace than what it is about',
    { eventTime: undefined, regarding: { ...about, namespace: 'other' } },
    'involvedObject.namespace: Invalid value: "other": does not match event.namespace',
  ],
];

for (const [title, change, line] of strict) {
  test(`[k8s 112] events.k8s.io refuses on create: ${title}`, async (t) => {
    const api = await serve();
    const { status, json } = await api.call('POST', newer, { ...legal, ...change });
    t.is(status, 422);
    t.true(String(json['message']).startsWith('Event "e" is invalid: '), String(json['message']));
    t.true(String(json['message']).includes(line), String(json['message']));
  });
}

test('[k8s 112] v1 is lax, but for the namespace', async (t) => {
  const api = await serve();
  t.is(
    (await api.call('POST', core, { metadata: { name: 'a' }, involvedObject: about })).status,
    201,
  );
  const other = { ...about, namespace: 'other' };
  const wrong = await api.call('POST', core, { metadata: { name: 'b' }, involvedObject: other });
  t.is(
    wrong.json['message'],
    'Event "b" is invalid: involvedObject.namespace: Invalid value: "other": does not match event.namespace',
  );
});

test('[k8s 112] clients count repeats by patching: count in v1, series in events.k8s.io', async (t) => {
  const api = await serve();
  await api.call('POST', core, { metadata: { name: 'a' }, involvedObject: about, count: 1 });
  const counted = await api.call(
    'PATCH',
    `${core}/a`,
    { count: 2, lastTimestamp: '2026-01-02T03:05:05Z' },
    { 'content-type': 'application/strategic-merge-patch+json' },
  );
  t.like(counted.json, { count: 2, lastTimestamp: '2026-01-02T03:05:05Z' });
  await api.call('POST', newer, legal);
  const series = { count: 2, lastObservedTime: '2026-01-02T03:05:05.000000Z' };
  const merge = { 'content-type': 'application/merge-patch+json' };
  t.like((await api.call('PATCH', `${newer}/e`, { series }, merge)).json, { series });
  const told = await api.call('PATCH', `${newer}/e`, { note: 'other' }, merge);
  t.is(
    told.json['message'],
    'Event "e" is invalid: message: Invalid value: "other": field is immutable',
  );
});

test('[k8s 75, 112] a write that changes nothing writes nothing, in both groups', async (t) => {
  const api = await serve();
  await api.call('POST', newer, legal);
  for (const path of [`${newer}/e`, `${core}/e`]) {
    const before = api.desired.revision();
    const { json } = await api.call('GET', path);
    t.is((await api.call('PUT', path, json)).status, 200);
    t.is(api.desired.revision(), before);
  }
});

test('[k8s 108, 112] either group deletes them, by name and all at once', async (t) => {
  const api = await serve();
  await api.call('POST', newer, legal);
  const { json } = await api.call('DELETE', `${newer}/e`);
  t.like(json, { kind: 'Status', details: { name: 'e', group: 'events.k8s.io', kind: 'events' } });
  t.is((await api.call('GET', `${core}/e`)).status, 404);
  await api.call('POST', newer, legal);
  t.is((await api.call('DELETE', newer)).json['kind'], 'EventList');
  t.is((await api.call('GET', `${core}/e`)).status, 404);
});

test('B1. from one face to the other and back is the same Event', (t) => {
  const event = fc.record(
    {
      involvedObject: fc.record({ kind: fc.string(), name: fc.string() }),
      reason: fc.string({ minLength: 1 }),
      message: fc.string({ minLength: 1 }),
      source: fc.record({ component: fc.string() }),
      count: fc.integer({ min: 1 }),
      type: fc.constantFrom('Normal', 'Warning'),
      series: fc.record({ count: fc.integer({ min: 2 }) }),
      action: fc.string({ minLength: 1 }),
      reportingComponent: fc.string(),
    },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(event, (fields) => {
      const object: KubeObject = {
        apiVersion: 'v1',
        kind: 'Event',
        metadata: { name: 'e' },
        ...fields,
      };
      const whole = completeCoreEvent(object);
      t.deepEqual(toCoreEvent(toNewEvent(whole)), whole);
      t.deepEqual(completeNewEvent(toNewEvent(whole)), toNewEvent(whole));
    }),
    { numRuns: 100 },
  );
  t.is(eventKind.shortNames[0], newEventKind.shortNames[0]);
});
