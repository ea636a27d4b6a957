// JSON patch (RFC 6902), merge patch (RFC 7386) and strategic merge patch: an object and a
// patch's bytes in, plain JSON out. The caller decodes and validates what comes out.
//
//   P1. A patch reaches own members only: nothing that JavaScript objects inherit.
//   P2. A small patch never makes a huge object: operations and copied bytes are bounded.

import { applyPatch, type Operation } from 'rfc6902';
import type { Json, JsonObject, KubeObject } from '../../../../common/model/kube-object.ts';
import { check, type Decoded, type FieldValidation } from '../schema/decode.ts';
import { invalidValue } from '../rules/field-errors.ts';
import { JsonSyntaxError, parseJsonStrict } from '../schema/json-strict.ts';
import { cloneJson, isList, isRecord, own, toJsonObject } from '../schema/json-value.ts';
import type { KindDefinition } from '../kind.ts';
import { badRequest, invalid, tooLargeBecause, unprocessable } from '../answer/status-error.ts';
import { mergeStrategically } from './strategic-merge.ts';

// The limits of kube-apiserver (its body limit also bounds copies).
const operationsMax = 10_000;
const copiedBytesMax = 3 * 1024 * 1024;

export function applyJsonPatch(_kind: KindDefinition, object: KubeObject, bytes: Uint8Array): Json {
  const operations = parsePatch(bytes);
  if (!isList(operations)) {
    const found = isRecord(operations) ? 'object' : typeof operations;
    throw badRequest(
      `error decoding patch: json: cannot unmarshal ${found} into Go value of type ` +
        '[]handlers.jsonPatchOp',
    );
  }
  if (operations.length > operationsMax) {
    throw tooLargeBecause(
      `The allowed maximum operations in a JSON patch is ${operationsMax}, ` +
        `got ${operations.length}`,
    );
  }
  const target = cloneJson(toJsonObject(object));
  let copiedBytes = 0;
  for (const operation of operations) {
    if (!isOperation(operation)) throw unprocessable();
    if (operation.op === 'copy') copiedBytes += sizeAt(target, operation.from);
    if (copiedBytes > copiedBytesMax) throw tooLargeBecause('the patch copies too much');
    guardPointers(target, operation);
    if (!isApplied(target, operation)) throw unprocessable();
  }
  return target;
}

function isOperation(value: Json): value is Json & Operation {
  if (!isRecord(value)) return false;
  const op = own(value, 'op');
  if (typeof own(value, 'path') !== 'string') return false;
  switch (op) {
    case 'add':
    case 'replace':
    case 'test':
      return own(value, 'value') !== undefined;
    case 'remove':
      return true;
    case 'move':
    case 'copy':
      return typeof own(value, 'from') === 'string';
    default:
      return false;
  }
}

function isApplied(target: Json, operation: Operation): boolean {
  try {
    return applyPatch(target, [operation]).every((outcome) => outcome === null);
  } catch {
    return false; // the library throws on malformed pointers
  }
}

/** P1. The library looks members up with [], which also finds what is inherited. */
function guardPointers(target: Json, operation: Operation): void {
  const isNew = operation.op === 'add' || operation.op === 'copy' || operation.op === 'move';
  if (!isReachable(target, operation.path, isNew)) throw unprocessable();
  if ('from' in operation && !isReachable(target, operation.from, false)) throw unprocessable();
}

function isReachable(target: Json, pointer: string, mayBeNew: boolean): boolean {
  const tokens = toTokens(pointer);
  // The whole document may be tested, never replaced.
  if (tokens === undefined || tokens.length === 0) return false;
  const last = tokens.at(-1) ?? '';
  const parent = walk(target, tokens.slice(0, -1));
  if (isList(parent)) return (mayBeNew && last === '-') || isIndex(last);
  if (!isRecord(parent) || foreignNames.has(last)) return false;
  return mayBeNew || Object.hasOwn(parent, last);
}

// The library skips these tokens wherever they stand, so what they point at would be another place.
const foreignNames: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype']);

function toTokens(pointer: string): readonly string[] | undefined {
  if (pointer === '') return [];
  if (!pointer.startsWith('/')) return undefined;
  return pointer
    .slice(1)
    .split('/')
    .map((token) => token.replaceAll('~1', '/').replaceAll('~0', '~'));
}

function walk(target: Json, tokens: readonly string[]): Json | undefined {
  let value: Json | undefined = target;
  for (const token of tokens) {
    if (foreignNames.has(token)) return undefined;
    if (isList(value)) value = isIndex(token) ? value[Number(token)] : undefined;
    else value = isRecord(value) ? own(value, token) : undefined;
  }
  return value;
}

function isIndex(token: string): boolean {
  return /^(?:0|[1-9]\d{0,8})$/.test(token);
}

function sizeAt(target: Json, pointer: string): number {
  const value = walk(target, toTokens(pointer) ?? []);
  return value === undefined ? 0 : JSON.stringify(value).length;
}

export function applyMergePatch(
  _kind: KindDefinition,
  object: KubeObject,
  bytes: Uint8Array,
): Json {
  return mergeJson(toJsonObject(object), parseObjectPatch(bytes));
}

/** RFC 7386: null removes, objects merge, all else replaces. */
function mergeJson(target: Json | undefined, patch: JsonObject): JsonObject {
  const merged = new Map(isRecord(target) ? Object.entries(target) : []);
  for (const [key, value] of Object.entries(patch)) {
    if (value === null || value === undefined) merged.delete(key);
    else merged.set(key, isRecord(value) ? mergeJson(merged.get(key), value) : value);
  }
  return Object.fromEntries(merged);
}

export function applyStrategicMergePatch(
  kind: KindDefinition,
  object: KubeObject,
  bytes: Uint8Array,
): Json {
  return mergeStrategically(kind.schema, toJsonObject(object), parseObjectPatch(bytes));
}

function parseObjectPatch(bytes: Uint8Array): JsonObject {
  const patch = parsePatch(bytes);
  if (isRecord(patch)) return patch;
  const found = isList(patch) ? 'array' : typeof patch;
  throw badRequest(
    `error decoding patch: json: cannot unmarshal ${found} into Go value of type ` +
      'map[string]interface {}',
  );
}

function parsePatch(bytes: Uint8Array): Json {
  try {
    return parseJsonStrict(new TextDecoder().decode(bytes)).value;
  } catch (error) {
    if (!(error instanceof JsonSyntaxError)) throw error;
    throw badRequest(`error decoding patch: ${error.message}`);
  }
}

/** Patched JSON as an object, defaults set. What a create refuses with 400 is 422 here. */
export function decodePatched(
  kind: KindDefinition,
  json: Json,
  validation: FieldValidation,
): Decoded {
  const checked = check(kind, json);
  if ('problem' in checked) throw refusePatched(json, checked.problem);
  const { object, strict } = checked;
  if (validation === 'Strict' && strict.length > 0) {
    throw refusePatched(json, `strict decoding error: ${strict.join(', ')}`);
  }
  return { object, warnings: validation === 'Warn' ? strict : [] };
}

function refusePatched(json: Json, problem: string): Error {
  const errors = [invalidValue('patch', JSON.stringify(json), problem)];
  return invalid({ group: '', kind: '', name: '', errors });
}
