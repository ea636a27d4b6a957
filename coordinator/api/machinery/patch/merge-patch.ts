// Merge patch (RFC 7386): null removes, objects merge, all else replaces.

import { setMember } from '../../../../common/pure/set-member.ts';
import type { Json, JsonObject } from '../../../../common/model/kube-object.ts';
import { parseJsonBody } from '../schema/parse-ahead.ts';
import { isList, isRecord, own } from '../schema/json-value.ts';
import { jsonName } from '../schema/type-mismatch.ts';
import { badRequest } from '../answer/status-error.ts';
import { runSteps, type Steps } from '../steps.ts';
import { printJson, type Patched, type Patcher } from './patched.ts';

/** Throws 400 for what is no patch. */
export const applyMergePatch: Patcher = (request) => runSteps(mergeInSteps(request));

/** The same, for thousands of members. */
export function* mergeInSteps(request: Parameters<Patcher>[0]): Steps<Patched> {
  const { object, bytes, ahead, validation } = request;
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
  const json = yield* merge(object, value, opened);
  return { json, strict, printed: () => printJson(json, opened), isMap: false };
}

// Half a millisecond or so.
const membersPerStep = 500;

function* merge(target: JsonObject, patch: JsonObject, opened: Set<object>): Steps<JsonObject> {
  const merged: Record<string, Json | undefined> = { ...target };
  opened.add(merged);
  for (const [index, key] of Object.keys(patch).entries()) {
    if (index % membersPerStep === membersPerStep - 1) yield;
    const value = patch[key];
    if (value === null || value === undefined) {
      delete merged[key];
      continue;
    }
    const before = own(target, key);
    if (isRecord(value) && isRecord(before))
      setMember(merged, key, yield* merge(before, value, opened));
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
