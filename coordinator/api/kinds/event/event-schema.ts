// The fields of Events: one stored object, described once for v1 and once for events.k8s.io/v1.

import type { Schema } from '../../machinery/schema/schema.ts';
import { objectReference, objectSchema } from '../common-schema.ts';
import { always, int32, kept, microTime, struct, text, time } from '../schema-parts.ts';

export const eventDescription = 'Something that happened to an object. Kept for an hour.';

const source = struct(
  'EventSource',
  'Who saw it.',
  {
    component: text('The component that reports.'),
    host: text('The machine that it runs on.'),
  },
  { protobuf: { component: 1, host: 2 } },
);

const series = struct(
  'EventSeries',
  'The run of equal events that this one stands for.',
  {
    count: int32('How many there were.'),
    lastObservedTime: microTime('When the last one was seen.'),
  },
  { protobuf: { count: 1, lastObservedTime: 2 } },
);

const shared = {
  reason: text('Why, as one CamelCase word for programs.'),
  type: text('Normal or Warning.'),
  eventTime: microTime('When it happened, in microseconds.'),
  series,
  action: text('What was done about it.'),
  related: objectReference,
  reportingInstance: kept(text('Which instance of the reporting controller.')),
} as const;

export const coreEventSchema: Schema = objectSchema(
  'Event',
  eventDescription,
  {
    involvedObject: objectReference,
    reason: shared.reason,
    message: text('What happened, as a sentence for people.'),
    source,
    firstTimestamp: always(time('When it first happened.')),
    lastTimestamp: always(time('When it last happened.')),
    count: int32('How often it happened.'),
    type: shared.type,
    eventTime: always(shared.eventTime),
    series,
    action: shared.action,
    related: shared.related,
    reportingComponent: always(text('Name of the controller that reports.')),
    reportingInstance: always(shared.reportingInstance),
  },
  {
    required: ['involvedObject'],
    protobuf: {
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
    },
  },
);

export const newEventSchema: Schema = objectSchema(
  'Event',
  eventDescription,
  {
    eventTime: always(shared.eventTime),
    series,
    reportingController: text('Name of the controller that reports, such as example.com/agent.'),
    reportingInstance: text('Which instance of the reporting controller.'),
    action: shared.action,
    reason: shared.reason,
    regarding: objectReference,
    related: shared.related,
    note: text('What happened, as a sentence for people.'),
    type: shared.type,
    deprecatedSource: source,
    deprecatedFirstTimestamp: always(time('When it first happened, in Events of v1.')),
    deprecatedLastTimestamp: always(time('When it last happened, in Events of v1.')),
    deprecatedCount: int32('How often it happened, in Events of v1.'),
  },
  {
    required: ['eventTime'],
    protobuf: {
      metadata: 1,
      eventTime: 2,
      series: 3,
      reportingController: 4,
      reportingInstance: 5,
      action: 6,
      reason: 7,
      regarding: 8,
      related: 9,
      note: 10,
      type: 11,
      deprecatedSource: 12,
      deprecatedFirstTimestamp: 13,
      deprecatedLastTimestamp: 14,
      deprecatedCount: 15,
    },
  },
);
