// What a patch makes of an object, and how it is decoded: types checked, unknown fields found,
// defaults set. What a create refuses with 400 is 422 here.

import type { Json, JsonObject } from '../../../../common/model/kube-object.ts';
import { check, toApiVersion, withTypeMeta } from '../schema/decode.ts';
import type { Decoded, FieldValidation } from '../schema/decode.ts';
import type { ParsedAhead } from '../schema/parse-ahead.ts';
import { isRecord } from '../schema/json-value.ts';
import type { KindDefinition } from '../kind.ts';
import { invalidValue } from '../rules/field-errors.ts';
import { invalid } from '../answer/status-error.ts';

export interface Patched {
  readonly json: Json;
  /** What strict validation finds in the patch itself, such as duplicate keys. */
  readonly strict: readonly string[];
  /** The value that errors print: the patched object, or the patch. */
  readonly printed: () => string;
  /** Made as an untyped map, not as JSON: Kubernetes' converter then finds other words. */
  readonly isMap: boolean;
}

/** Throws 422 for what is no object of the kind. */
export function decodePatched(
  kind: KindDefinition,
  patched: Patched,
  validation: FieldValidation,
): Decoded {
  const checked = check(kind, toWhole(kind, patched));
  if ('problem' in checked) {
    throw refuse(patched, patched.isMap ? (checked.fromMap ?? checked.problem) : checked.problem);
  }
  const { object } = checked;
  const unknown = patched.isMap ? checked.strict.toSorted() : checked.strict;
  const strict = [...patched.strict, ...unknown];
  if (validation === 'Strict' && strict.length > 0) {
    throw refuse(patched, `strict decoding error: ${strict.join(', ')}`);
  }
  return { object, warnings: validation === 'Warn' ? strict : [] };
}

/** A map is put into a struct whose type is known; JSON says itself what it is. */
function toWhole(kind: KindDefinition, { json, isMap }: Patched): Json {
  if (!isRecord(json)) return json;
  const whole = withTypeMeta(kind, json);
  if (!isMap || !isRecord(whole)) return whole;
  return { ...whole, kind: kind.kind, apiVersion: toApiVersion(kind) };
}

function refuse({ printed }: Patched, problem: string): Error {
  const errors = [invalidValue('patch', printed(), problem)];
  return invalid({ group: '', kind: '', name: '', errors });
}

/** JSON as Go prints it after patching: the maps that were opened have their keys sorted. */
export function printJson(value: Json, opened: ReadonlySet<object>): string {
  return JSON.stringify(sortOpened(value, opened));
}

function sortOpened(value: Json, opened: ReadonlySet<object>): Json {
  if (Array.isArray(value)) return value.map((item: Json) => sortOpened(item, opened));
  if (!isRecord(value)) return value;
  const members = Object.entries(value).map(
    ([key, member]) => [key, sortOpened(member ?? null, opened)] as const,
  );
  if (opened.has(value)) members.sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(members);
}

export type Patcher = (request: {
  readonly kind: KindDefinition;
  readonly object: JsonObject;
  readonly bytes: Uint8Array;
  /** What was read of the bytes before (parseAhead). */
  readonly ahead?: ParsedAhead | undefined;
  readonly validation: FieldValidation;
}) => Patched;
