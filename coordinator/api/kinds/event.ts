// v1 Event: what happened to an object, told once or counted.

import type { JsonObject } from '../../../common/model/kube-object.ts';
import { invalidValue } from '../machinery/rules/field-errors.ts';
import { own, ownRecord, ownText, toJsonObject } from '../machinery/schema/json-value.ts';
import type { KindDefinition } from '../machinery/kind.ts';
import { objectReference, objectSchema } from './common-schema.ts';
import { column, formatSince } from './columns.ts';
import { loggedKind } from './definition.ts';
import { int32, kept, microTime, struct, text, time } from './schema-parts.ts';

const fields = {
  involvedObject: objectReference,
  reason: text('Why, as one CamelCase word for programs.'),
  message: text('What happened, as a sentence for people.'),
  source: struct(
    'EventSource',
    'Who saw it.',
    {
      component: text('The component that reports.'),
      host: text('The machine that it runs on.'),
    },
    { protobuf: { component: 1, host: 2 } },
  ),
  firstTimestamp: time('When it first happened.'),
  lastTimestamp: time('When it last happened.'),
  count: int32('How often it happened.'),
  type: text('Normal or Warning.'),
  eventTime: microTime('When it happened, in microseconds.'),
  series: struct(
    'EventSeries',
    'The run of equal events that this one stands for.',
    {
      count: int32('How many there were.'),
      lastObservedTime: microTime('When the last one was seen.'),
    },
    { protobuf: { count: 1, lastObservedTime: 2 } },
  ),
  action: text('What was done about it.'),
  related: objectReference,
  reportingComponent: kept(text('Name of the controller that reports.')),
  reportingInstance: kept(text('Which instance of that controller.')),
};

const protobuf = {
  metadata: 1,
  involvedObject: 2,
  reason: 3,
  message: 4,
  source: 5,
  firstTimestamp: 6,
  lastTimestamp: 7,
  count: 8,
  type: 9,
  eventTime: 10,
  series: 11,
  action: 12,
  related: 13,
  reportingComponent: 14,
  reportingInstance: 15,
};

const description = 'Something that happened to an object. Kept for an hour.';

export const eventKind: KindDefinition = loggedKind({
  version: 'v1',
  kind: 'Event',
  plural: 'events',
  shortNames: ['ev'],
  allowsCreateOnUpdate: true,
  hasDependents: false,
  description,
  schema: objectSchema('Event', description, fields, { required: ['involvedObject'], protobuf }),
  columns: [
    column('Last Seen', 'Time since it last happened.', (event, nowMs) =>
      formatSince(lastSeenOf(event), nowMs),
    ),
    column('Type', 'Normal or Warning.', (event) => ownText(event, 'type')),
    column('Reason', 'Why, in one word.', (event) => ownText(event, 'reason')),
    column('Object', 'The object it happened to.', formatObject),
    column(
      'Subobject',
      'The part of the object that is meant.',
      (event) => ownText(ownRecord(event, 'involvedObject'), 'fieldPath'),
      { priority: 1 },
    ),
    column('Source', 'Who reports it.', formatSource, { priority: 1 }),
    column('Message', 'What happened.', (event) => ownText(event, 'message').trim()),
    column(
      'First Seen',
      'Time since it first happened.',
      (event, nowMs) =>
        formatSince(ownText(event, 'firstTimestamp') || ownText(event, 'eventTime'), nowMs),
      { priority: 1 },
    ),
    column('Count', 'How often it happened.', countOf, { priority: 1 }),
    column('Name', 'Name of the event.', (event) => ownText(ownRecord(event, 'metadata'), 'name'), {
      priority: 1,
    }),
  ],
  fieldSelectors: {
    ...Object.fromEntries(
      ['kind', 'namespace', 'name', 'uid', 'apiVersion', 'resourceVersion', 'fieldPath'].map(
        (name) => [
          `involvedObject.${name}`,
          (event) => ownText(ownRecord(toJsonObject(event), 'involvedObject'), name),
        ],
      ),
    ),
    reason: (event) => ownText(toJsonObject(event), 'reason'),
    reportingComponent: (event) => ownText(toJsonObject(event), 'reportingComponent'),
    source: (event) =>
      ownText(ownRecord(toJsonObject(event), 'source'), 'component') ||
      ownText(toJsonObject(event), 'reportingComponent'),
    type: (event) => ownText(toJsonObject(event), 'type'),
  },
  setDefaults: (event) => ({ source: {}, reportingComponent: '', reportingInstance: '', ...event }),
  validate: (event) => {
    const about = ownText(ownRecord(toJsonObject(event), 'involvedObject'), 'namespace');
    const { namespace = '' } = event.metadata;
    // Events about cluster-scoped objects live in `default`.
    if (about === namespace || (about === '' && namespace === 'default')) return [];
    const detail = 'does not match event.namespace';
    return [invalidValue('involvedObject.namespace', about, detail)];
  },
});

function lastSeenOf(event: JsonObject): string {
  return (
    ownText(ownRecord(event, 'series'), 'lastObservedTime') ||
    ownText(event, 'lastTimestamp') ||
    ownText(event, 'firstTimestamp') ||
    ownText(event, 'eventTime')
  );
}

function formatObject(event: JsonObject): string {
  const about = ownRecord(event, 'involvedObject');
  const kind = ownText(about, 'kind').toLowerCase();
  const name = ownText(about, 'name');
  return name === '' ? kind : `${kind}/${name}`;
}

function formatSource(event: JsonObject): string {
  const source = ownRecord(event, 'source');
  const component = ownText(source, 'component');
  if (component !== '') return [component, ownText(source, 'host')].filter(Boolean).join(', ');
  return [ownText(event, 'reportingComponent'), ownText(event, 'reportingInstance')]
    .filter(Boolean)
    .join(', ');
}

function countOf(event: JsonObject): number {
  const count = own(ownRecord(event, 'series'), 'count') ?? own(event, 'count');
  return typeof count === 'number' && count > 0 ? count : 1;
}
