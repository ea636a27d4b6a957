// The two faces of an Event: v1, in which it is stored, and events.k8s.io/v1. Pure.
//
//   B1. There and back again is the same object: each field has exactly one counterpart.

import type { Json, JsonObject, KubeObject } from '../../../../common/model/kube-object.ts';
import { own, toJsonObject, toKubeObject } from '../../machinery/schema/json-value.ts';

/** Field of v1, field of events.k8s.io/v1, in the order in which v1 prints them. */
const counterparts = [
  ['involvedObject', 'regarding'],
  ['reason', 'reason'],
  ['message', 'note'],
  ['source', 'deprecatedSource'],
  ['firstTimestamp', 'deprecatedFirstTimestamp'],
  ['lastTimestamp', 'deprecatedLastTimestamp'],
  ['count', 'deprecatedCount'],
  ['type', 'type'],
  ['eventTime', 'eventTime'],
  ['series', 'series'],
  ['action', 'action'],
  ['related', 'related'],
  ['reportingComponent', 'reportingController'],
  ['reportingInstance', 'reportingInstance'],
] as const;

const newOrder = [
  'eventTime',
  'series',
  'reportingController',
  'reportingInstance',
  'action',
  'reason',
  'regarding',
  'related',
  'note',
  'type',
  'deprecatedSource',
  'deprecatedFirstTimestamp',
  'deprecatedLastTimestamp',
  'deprecatedCount',
] as const;

/** Printed by v1 whether they are set or not, as Go prints them. */
const coreDefaults: JsonObject = {
  involvedObject: {},
  source: {},
  firstTimestamp: null,
  lastTimestamp: null,
  eventTime: null,
  reportingComponent: '',
  reportingInstance: '',
};

/** The same for events.k8s.io/v1. */
const newDefaults: JsonObject = {
  eventTime: null,
  regarding: {},
  deprecatedSource: {},
  deprecatedFirstTimestamp: null,
  deprecatedLastTimestamp: null,
};

/** A v1 Event with what v1 always prints, in its order. */
export function completeCoreEvent(event: KubeObject): KubeObject {
  const given = { ...coreDefaults, ...toJsonObject(event) };
  const order = counterparts.map(([field]) => field);
  return toKubeObject(assemble(event, 'v1', pick(given, order)));
}

/** An events.k8s.io/v1 Event with what it always prints, in its order. */
export function completeNewEvent(event: KubeObject): KubeObject {
  const given = { ...newDefaults, ...toJsonObject(event) };
  return toKubeObject(assemble(event, 'events.k8s.io/v1', pick(given, newOrder)));
}

export function toCoreEvent(event: KubeObject): KubeObject {
  const given = toJsonObject(event);
  const fields = counterparts.map(([core, other]) => [core, own(given, other)] as const);
  return completeCoreEvent(toKubeObject(assemble(event, 'v1', defined(fields))));
}

export function toNewEvent(event: KubeObject): KubeObject {
  const given = toJsonObject(event);
  const fields = counterparts
    .map(([core, other]) => [other, own(given, core)] as const)
    // Only v1 prints these when they are empty.
    .filter(([name, value]) => value !== '' || !isReporter(name));
  return completeNewEvent(toKubeObject(assemble(event, 'events.k8s.io/v1', defined(fields))));
}

function isReporter(name: string): boolean {
  return name === 'reportingController' || name === 'reportingInstance';
}

function pick(given: JsonObject, order: readonly string[]): JsonObject {
  return defined(order.map((name) => [name, own(given, name)] as const));
}

function defined(fields: readonly (readonly [string, Json | undefined])[]): JsonObject {
  return Object.fromEntries(fields.filter(([, value]) => value !== undefined));
}

function assemble(event: KubeObject, apiVersion: string, fields: JsonObject): JsonObject {
  const { metadata } = toJsonObject(event);
  return { kind: 'Event', apiVersion, ...(metadata === undefined ? {} : { metadata }), ...fields };
}
