// What makes an Event legal: lax for v1, whose clients are many and old, strict for
// events.k8s.io/v1. Input: Events in the form of v1, in which they are stored. Output: field errors
// in the words and order of pkg/apis/core/validation/events.go. Pure.

import type { JsonObject, KubeObject } from '../../../../common/model/kube-object.ts';
import { invalidValue, required } from '../../machinery/rules/field-errors.ts';
import type { FieldError } from '../../machinery/kind.ts';
import { checkSubdomain1123, listQualifiedNameFaults } from '../../machinery/rules/name-rules.ts';
import {
  isRecord,
  jsonEquals,
  own,
  ownRecord,
  ownText,
  toJsonObject,
} from '../../machinery/schema/json-value.ts';

const shortTextMax = 128;
const noteMax = 1024;

/** Rules of both versions; `controller` is the name that the version has for that field. */
export function validateEvent(
  object: KubeObject,
  controller: 'reportingComponent' | 'reportingController',
): readonly FieldError[] {
  const event = toJsonObject(object);
  const namespace = object.metadata.namespace ?? '';
  const wrong = checkSubdomain1123(namespace);
  return [
    ...(isTimed(event)
      ? validateTimed(event, namespace, controller)
      : validateUntimed(event, namespace)),
    ...(wrong === undefined ? [] : [invalidValue('namespace', namespace, wrong)]),
  ];
}

function isTimed(event: JsonObject): boolean {
  return ownText(event, 'eventTime') !== '';
}

const elsewhere = 'does not match event.namespace';

/** Events about cluster-scoped objects live in `default`. */
function validateUntimed(event: JsonObject, namespace: string): readonly FieldError[] {
  const about = ownText(ownRecord(event, 'involvedObject'), 'namespace');
  if (about === namespace || (about === '' && namespace === 'default')) return [];
  return [invalidValue('involvedObject.namespace', about, elsewhere)];
}

function validateTimed(
  event: JsonObject,
  namespace: string,
  controllerField: string,
): readonly FieldError[] {
  const errors: FieldError[] = [];
  const about = ownText(ownRecord(event, 'involvedObject'), 'namespace');
  if (about === '' && namespace !== 'default' && namespace !== 'kube-system') {
    errors.push(invalidValue('involvedObject.namespace', about, elsewhere));
  }
  const controller = ownText(event, 'reportingComponent');
  if (controller === '') errors.push(required(controllerField));
  for (const fault of listQualifiedNameFaults(controller)) {
    errors.push(invalidValue(controllerField, controller, fault));
  }
  for (const field of ['reportingInstance', 'action', 'reason']) {
    const value = ownText(event, field);
    if (value === '') errors.push(required(field));
    if (Buffer.byteLength(value) > shortTextMax) errors.push(tooLong(field, shortTextMax));
  }
  if (Buffer.byteLength(ownText(event, 'message')) > noteMax)
    errors.push(tooLong('message', noteMax));
  return errors;
}

function tooLong(field: string, max: number): FieldError {
  return invalidValue(field, '', `can have at most ${max} characters`);
}

/** What events.k8s.io/v1 asks for beside that, on create. */
export function validateNewEvent(object: KubeObject): readonly FieldError[] {
  const event = toJsonObject(object);
  const errors: FieldError[] = [...validateSeries(event)];
  if (!isTimed(event)) errors.push(required('eventTime'));
  const type = ownText(event, 'type');
  if (type !== 'Normal' && type !== 'Warning') {
    errors.push(invalidValue('type', '', `has invalid value: ${type}`));
  }
  const source = ownRecord(event, 'source');
  const isSet: Readonly<Record<string, boolean>> = {
    firstTimestamp: ownText(event, 'firstTimestamp') !== '',
    lastTimestamp: ownText(event, 'lastTimestamp') !== '',
    count: (own(event, 'count') ?? 0) !== 0,
    source: ownText(source, 'component') !== '' || ownText(source, 'host') !== '',
  };
  for (const [field, set] of Object.entries(isSet)) {
    if (set) errors.push(invalidValue(field, '', 'needs to be unset'));
  }
  return errors;
}

function validateSeries(event: JsonObject): readonly FieldError[] {
  const series = own(event, 'series');
  if (!isRecord(series)) return [];
  const errors: FieldError[] = [];
  const count = own(series, 'count');
  if (typeof count !== 'number' || count < 2) {
    errors.push(invalidValue('series.count', '', 'should be at least 2'));
  }
  if (ownText(series, 'lastObservedTime') === '') {
    errors.push(required('series.lastObservedTime'));
  }
  return errors;
}

/** An Event of events.k8s.io/v1 is told once; only its series goes on. */
const fixedFields = [
  ['involvedObject', 'involvedObject'],
  ['reason', 'reason'],
  ['message', 'message'],
  ['source', 'source'],
  ['firstTimestamp', 'firstTimestamp'],
  ['lastTimestamp', 'lastTimestamp'],
  ['count', 'count'],
  ['type', 'type'],
  ['eventTime', 'eventTime'],
  ['action', 'action'],
  ['related', 'related'],
  ['reportingComponent', 'reportingController'],
  ['reportingInstance', 'reportingInstance'],
] as const;

export function validateNewEventUpdate(next: KubeObject, old: KubeObject): readonly FieldError[] {
  const [now, before] = [toJsonObject(next), toJsonObject(old)];
  const series = jsonEquals(own(now, 'series'), own(before, 'series')) ? [] : validateSeries(now);
  return [
    ...series,
    ...fixedFields
      .filter(([field]) => !jsonEquals(own(now, field), own(before, field)))
      .map(([field, shown]) => invalidValue(shown, own(now, field), 'field is immutable')),
  ];
}
