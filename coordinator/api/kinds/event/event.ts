// v1 and events.k8s.io/v1 Event: what happened to an object, told once or counted. One stored
// object, in the form of v1, is served under both.

import type { JsonObject, KubeObject } from '../../../../common/model/kube-object.ts';
import { own, ownRecord, ownText, toJsonObject } from '../../machinery/schema/json-value.ts';
import type { Column, FieldError, KindDefinition } from '../../machinery/kind.ts';
import { column, formatSince, nameColumn } from '../columns.ts';
import { loggedKind } from '../definition.ts';
import { completeCoreEvent, completeNewEvent, toCoreEvent, toNewEvent } from './event-forms.ts';
import { validateEvent, validateNewEvent, validateNewEventUpdate } from './event-rules.ts';
import { coreEventSchema, eventDescription, newEventSchema } from './event-schema.ts';

const columns: readonly Column[] = [
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
    (event, nowMs) => formatSince(firstSeenOf(event), nowMs),
    { priority: 1 },
  ),
  column('Count', 'How often it happened.', countOf, { priority: 1 }),
  { ...nameColumn, priority: 1 },
];

const referenceFields = [
  'kind',
  'namespace',
  'name',
  'uid',
  'apiVersion',
  'resourceVersion',
  'fieldPath',
] as const;

const common = {
  kind: 'Event',
  version: 'v1',
  plural: 'events',
  shortNames: ['ev'],
  allowsCreateOnUpdate: true,
  hasDependents: false,
  description: eventDescription,
} as const;

export const eventKind: KindDefinition = loggedKind({
  ...common,
  schema: coreEventSchema,
  columns,
  fieldSelectors: {
    ...selectReference('involvedObject'),
    reason: textOf('reason'),
    reportingComponent: textOf('reportingComponent'),
    source: (event) =>
      ownText(ownRecord(toJsonObject(event), 'source'), 'component') ||
      ownText(toJsonObject(event), 'reportingComponent'),
    type: textOf('type'),
  },
  setDefaults: completeCoreEvent,
  validate: (event) => validateEvent(event, 'reportingComponent'),
});

/** The newer face, for clients that tell events with series: strict on what they create. */
export const newEventKind: KindDefinition = loggedKind({
  ...common,
  group: 'events.k8s.io',
  schema: newEventSchema,
  storedAs: { group: '', plural: 'events', toServed: toNewEvent, toStored: toCoreEvent },
  columns: columns.map((each) => ({
    ...each,
    cell: (event: KubeObject, nowMs: number) => each.cell(toCoreEvent(event), nowMs),
  })),
  fieldSelectors: {
    ...selectReference('regarding'),
    reason: textOf('reason'),
    reportingController: textOf('reportingController'),
    type: textOf('type'),
  },
  setDefaults: completeNewEvent,
  validate: (event) => [...validateLax(event), ...validateNewEvent(toCoreEvent(event))],
  validateChange: (next, old) => [
    ...validateLax(next),
    ...validateNewEventUpdate(toCoreEvent(next), toCoreEvent(old)),
  ],
});

function validateLax(event: KubeObject): readonly FieldError[] {
  return validateEvent(toCoreEvent(event), 'reportingController');
}

function selectReference(field: string): KindDefinition['fieldSelectors'] {
  return Object.fromEntries(
    referenceFields.map((name) => [
      `${field}.${name}`,
      (event: KubeObject) => ownText(ownRecord(toJsonObject(event), field), name),
    ]),
  );
}

function textOf(field: string): (event: KubeObject) => string {
  return (event) => ownText(toJsonObject(event), field);
}

// printers.go: a series says when it was last seen, then the old times, then the new one.
function lastSeenOf(event: JsonObject): string {
  return (
    ownText(ownRecord(event, 'series'), 'lastObservedTime') ||
    ownText(event, 'lastTimestamp') ||
    firstSeenOf(event)
  );
}

function firstSeenOf(event: JsonObject): string {
  return ownText(event, 'firstTimestamp') || ownText(event, 'eventTime');
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
