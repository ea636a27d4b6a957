// JSON patch (RFC 6902), with the liberties of the library that kube-apiserver uses: negative
// indexes, `replace` and `copy` of members that are not there, pointers without a first slash.
//
//   J1. A patch reaches own members only: nothing that JavaScript objects inherit.
//   J2. A small patch never makes a huge object: operations and copied bytes are bounded.

import { setMember } from '../../../../common/pure/set-member.ts';
import type { Json, JsonObject } from '../../../../common/model/kube-object.ts';
import type { FieldValidation } from '../schema/decode.ts';
import { parseJsonBody, refuseWith, type ParsedAhead } from '../schema/parse-ahead.ts';
import { cloneJson, isList, isRecord, jsonEquals, own } from '../schema/json-value.ts';
import { jsonName } from '../schema/type-mismatch.ts';
import { badRequest, tooLargeBecause, unprocessable } from '../answer/status-error.ts';
import { printJson, type Patched, type Patcher } from './patched.ts';
import { runSteps, type Steps } from '../steps.ts';

// The limits of kube-apiserver (its body limit also bounds copies).
const operationsMax = 10_000;
const operationsPerStep = 250;
/** To see what is in one costs less than to do it. */
const operationsPerLook = 500;
const copiedBytesMax = 3 * 1024 * 1024;

/** Throws 400 for what is no patch, 413 for too many operations, 422 for what cannot be done. */
export const applyJsonPatch: Patcher = (request) => runSteps(patchInSteps(request));

/** The same, for thousands of operations. */
export function* patchInSteps(request: Parameters<Patcher>[0]): Steps<Patched> {
  const { object, bytes, ahead, validation } = request;
  const { operations, strict } = yield* parseOperations(bytes, ahead, validation);
  if (operations.length > operationsMax) {
    throw tooLargeBecause(
      `The allowed maximum operations in a JSON patch is ${operationsMax}, ` +
        `got ${operations.length}`,
    );
  }
  yield;
  const target = new Target(object);
  for (const [index, operation] of operations.entries()) {
    target.run(operation);
    if (index % operationsPerStep === operationsPerStep - 1) yield;
  }
  const { root, opened } = target;
  return { json: root, strict, printed: () => printJson(root, opened), isMap: false };
}

const textMembers: ReadonlySet<string> = new Set(['op', 'path', 'from']);

function* parseOperations(
  bytes: Uint8Array,
  ahead: ParsedAhead | undefined,
  validation: FieldValidation,
): Steps<{ readonly operations: readonly Json[]; readonly strict: readonly string[] }> {
  // Without validation another decoder reads, and names its own types.
  const isLax = validation === 'Ignore';
  const head = isLax ? '' : 'error decoding patch: ';
  const types = isLax
    ? { list: 'jsonpatch.Patch', item: 'jsonpatch.Operation' }
    : { list: '[]handlers.jsonPatchOp', item: 'handlers.jsonPatchOp' };
  const { value, duplicates } = parseJsonBody(bytes, refuseWith(head), ahead);
  const refuse = (found: Json, type: string): Error =>
    badRequest(`${head}json: cannot unmarshal ${jsonName(found)} into Go value of type ${type}`);
  if (value === null) return { operations: [], strict: [] };
  if (!isList(value)) throw refuse(value, types.list);
  const unknown: string[] = [];
  for (const [index, item] of value.entries()) {
    if (index % operationsPerLook === operationsPerLook - 1) yield;
    if (item === null) continue;
    if (!isRecord(item)) throw refuse(item, types.item);
    if (isLax) continue;
    for (const [key, member] of Object.entries(item)) {
      if (textMembers.has(key)) requireText(key, member ?? null);
      else if (key !== 'value') unknown.push(`json patch unknown field "[${index}].${key}"`);
    }
  }
  const doubled = duplicates.map((path) => `json patch duplicate field ${JSON.stringify(path)}`);
  return { operations: value, strict: isLax ? [] : [...doubled, ...unknown] };
}

function requireText(key: string, member: Json): void {
  if (member === null || typeof member === 'string') return;
  throw badRequest(
    `error decoding patch: json: cannot unmarshal ${jsonName(member)} into ` +
      `Go struct field jsonPatchOp.${key} of type string`,
  );
}

type Members = Record<string, Json | undefined>;
type Container = Members | Json[];

interface Place {
  readonly container: Container;
  readonly key: string;
}

/** The document under change: a copy that is written to in place. */
class Target {
  root: Json;
  /** The maps on the way to what was changed. */
  readonly opened = new Set<object>();
  #copiedBytes = 0;

  constructor(object: JsonObject) {
    this.root = cloneJson(object);
    this.opened.add(this.root as object);
  }

  run(operation: Json): void {
    if (!isRecord(operation)) throw unprocessable();
    switch (own(operation, 'op')) {
      case 'add':
        return this.#add(textOf(operation, 'path'), valueOf(operation) ?? null);
      case 'remove':
        return removeAt(this.#find(textOf(operation, 'path')));
      case 'replace':
        return this.#replace(textOf(operation, 'path'), valueOf(operation) ?? null);
      case 'move':
        return this.#move(textOf(operation, 'from'), textOf(operation, 'path'));
      case 'copy':
        return this.#copy(textOf(operation, 'from'), textOf(operation, 'path'));
      case 'test':
        return this.#test(textOf(operation, 'path'), valueOf(operation));
      default:
        throw unprocessable();
    }
  }

  #add(path: string, value: Json): void {
    addAt(this.#find(path), cloneJson(value));
  }

  #replace(path: string, value: Json): void {
    if (path === '') {
      // The library passes over a value that is neither object nor list.
      if (isList(value) || isRecord(value)) this.root = cloneJson(value);
      return;
    }
    const { container, key } = this.#find(path);
    if (Array.isArray(container)) container[indexIn(container, key)] = cloneJson(value);
    else setMember(container, key, cloneJson(value));
  }

  #move(from: string, path: string): void {
    const source = this.#find(from);
    const value = getAt(source);
    removeAt(source);
    addAt(this.#find(path), value ?? null);
  }

  #copy(from: string, path: string): void {
    const value = getAt(this.#find(from)) ?? null;
    const place = this.#find(path);
    this.#copiedBytes += JSON.stringify(value).length;
    if (this.#copiedBytes > copiedBytesMax) throw unprocessable();
    addAt(place, cloneJson(value));
  }

  #test(path: string, value: Json | undefined): void {
    const found = path === '' ? this.root : (getAt(this.#find(path)) ?? null);
    const isMissing = found === null && (value ?? null) === null;
    if (!isMissing && (value === undefined || !jsonEquals(found, value))) throw unprocessable();
  }

  /** J1. The container that the pointer leads into; 422 when there is none. */
  #find(path: string): Place {
    const tokens = path.split('/');
    const key = tokens.at(-1);
    if (tokens.length < 2 || key === undefined) throw unprocessable();
    let container = toContainer(this.root);
    for (const token of tokens.slice(1, -1)) {
      const next = container === undefined ? undefined : getAt({ container, key: decode(token) });
      container = toContainer(next);
      if (container !== undefined) this.opened.add(container);
    }
    if (container === undefined) throw unprocessable();
    return { container, key: decode(key) };
  }
}

// The clone is ours to write into.
function toContainer(value: Json | undefined): Container | undefined {
  if (isList(value)) return value as Json[];
  return isRecord(value) ? (value as Members) : undefined;
}

function decode(token: string): string {
  return token.replace(/~[01]/g, (escape) => (escape === '~1' ? '/' : '~'));
}

function textOf(operation: JsonObject, name: string): string {
  const value = own(operation, name);
  if (typeof value !== 'string') throw unprocessable();
  return value;
}

function valueOf(operation: JsonObject): Json | undefined {
  return own(operation, 'value');
}

function getAt({ container, key }: Place): Json | undefined {
  if (Array.isArray(container)) return container[indexIn(container, key)];
  return Object.hasOwn(container, key) ? container[key] : undefined;
}

function addAt({ container, key }: Place, value: Json): void {
  if (!Array.isArray(container)) setMember(container, key, value);
  else if (key === '-') container.push(value);
  else container.splice(toIndex(key, container.length + 1), 0, value);
}

function removeAt({ container, key }: Place): void {
  if (Array.isArray(container)) container.splice(indexIn(container, key), 1);
  else if (Object.hasOwn(container, key)) delete container[key];
  else throw unprocessable();
}

function indexIn(list: readonly Json[], key: string): number {
  return toIndex(key, list.length);
}

/** Counted from the end when negative. */
function toIndex(key: string, length: number): number {
  const number = /^[+-]?\d{1,9}$/.test(key) ? Number(key) : Number.NaN;
  const index = number < 0 ? number + length : number;
  if (!(index >= 0 && index < length)) throw unprocessable();
  return index;
}
