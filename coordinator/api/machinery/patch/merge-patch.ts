// Merge patch (RFC 7386): null removes, objects merge, all else replaces.

import type { Json, JsonObject } from '../../../../common/model/kube-object.ts';
import { parseJsonBody } from '../schema/parse-ahead.ts';
import { isList, isRecord, own, setMember } from '../schema/json-value.ts';
import { jsonName } from '../schema/type-mismatch.ts';
import { badRequest } from '../answer/status-error.ts';
import { printJson, type Patcher } from './patched.ts';

/** Throws 400 for what is no patch. */
export const applyMergePatch: Patcher = ({ object, bytes, ahead, validation }) => {
  const isLax = validation === 'Ignore';
  const refuse = (problem: string): Error =>
    badRequest(isLax ? 'Invalid JSON Patch' : `error decoding patch: ${problem}`);
  const { value, duplicates } = parseJsonBody(bytes, refuse, ahead);
  const opened = new Set<object>();
  const strict = isLax ? [] : duplicates.map((path) => `duplicate field ${JSON.stringify(path)}`);
  if (!isRecord(value)) {
    // Without validation a list is what the object becomes; the decoder then says what it is not.
    if (isLax && isList(value)) {
      return { json: value, strict, printed: () => JSON.stringify(value), isMap: false };
    }
    if (isLax || value === null) throw badRequest('Invalid JSON Patch');
    throw badRequest(
      `error decoding patch: json: cannot unmarshal ${jsonName(value)} into ` +
        'Go value of type map[string]interface {}',
    );
  }
  const json = merge(object, value, opened);
  return { json, strict, printed: () => printJson(json, opened), isMap: false };
};

function merge(target: JsonObject, patch: JsonObject, opened: Set<object>): JsonObject {
  const merged: Record<string, Json | undefined> = { ...target };
  opened.add(merged);
  for (const key of Object.keys(patch)) {
    const value = patch[key];
    if (value === null || value === undefined) {
      delete merged[key];
      continue;
    }
    const before = own(target, key);
    if (isRecord(value) && isRecord(before)) setMember(merged, key, merge(before, value, opened));
    else setMember(merged, key, withoutNulls(value, opened));
  }
  return merged;
}

/** Nulls of what is new remove nothing; those in lists stay. */
function withoutNulls(value: Json, opened: Set<object>): Json {
  if (isList(value)) return value.map((item) => withoutNulls(item, opened));
  if (!isRecord(value)) return value;
  const members = Object.entries(value).filter(([, member]) => member !== null);
  const kept = Object.fromEntries(
    members.map(([key, member]) => [key, withoutNulls(member ?? null, opened)]),
  );
  opened.add(kept);
  return kept;
}
