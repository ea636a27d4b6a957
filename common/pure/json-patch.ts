// JSON patch (RFC 6902), strictly, on values that are never changed: what cannot be done leaves
// everything as it was. The API's own patches go by kube-apiserver's liberties instead
// (coordinator/api/machinery/patch); what is written down for later is held to the RFC.
//
//   J1. Only own members are reached: nothing that JavaScript objects inherit.
//   J2. All copies of one patch have a bound, as kube-apiserver's have: each can double what is
//       there, and 64 operations of a few bytes would make a value that no machine can write.

import type { Json, JsonObject } from '../model/kube-object.ts';
import type { JsonPatchOperation } from '../model/isthmus-kinds.ts';
import { isSameJson } from './canonical-json.ts';
import { roomBeside } from './json-size.ts';

export type JsonPatched =
  | { readonly kind: 'patched'; readonly value: Json }
  /** `index`: which operation cannot be done. */
  | { readonly kind: 'failed'; readonly index: number; readonly message: string };

const copiedBytesMax = 2 ** 20;

export function patchJson(value: Json, operations: readonly JsonPatchOperation[]): JsonPatched {
  let at = value;
  let room = copiedBytesMax;
  for (const [index, operation] of operations.entries()) {
    if (operation.op === 'copy') room = roomBeside(copiedBy(at, operation), room); // J2
    const message = `the copies of the patch are more than ${copiedBytesMax} bytes, or too deep`;
    if (room < 0) return { kind: 'failed', index, message };
    const next = perform(at, operation);
    if (typeof next === 'string') return { kind: 'failed', index, message: next };
    at = next.value;
  }
  return { kind: 'patched', value: at };
}

function copiedBy(at: Json, { from = '' }: JsonPatchOperation): Json | undefined {
  const steps = parsePointer(from);
  return steps === undefined ? undefined : find(at, steps);
}

type Done = { readonly value: Json } | string;

function perform(root: Json, operation: JsonPatchOperation): Done {
  const { op, path } = operation;
  const steps = parsePointer(path);
  if (steps === undefined) return `path ${JSON.stringify(path)} is no JSON pointer`;
  const { value } = operation;
  switch (op) {
    case 'add':
      return value === undefined ? `${op} needs a value` : put(root, steps, value, path, 'add');
    case 'replace':
      return value === undefined ? `${op} needs a value` : put(root, steps, value, path, 'replace');
    case 'remove':
      return put(root, steps, undefined, path, 'replace');
    case 'test': {
      const found = find(root, steps);
      if (found === undefined) return `nothing stands at ${path}`;
      return isSameJson(found, value) ? { value: root } : `${path} has another value`;
    }
    case 'copy':
    case 'move':
      return transfer(root, steps, operation);
    default:
      return `op ${JSON.stringify(op)} is not one of add, remove, replace, move, copy, test`;
  }
}

function transfer(root: Json, to: readonly string[], operation: JsonPatchOperation): Done {
  const { op, path, from = '' } = operation;
  const steps = operation.from === undefined ? undefined : parsePointer(from);
  if (steps === undefined) return `${op} needs from, a JSON pointer`;
  const found = find(root, steps);
  if (found === undefined) return `nothing stands at ${from}`;
  if (op === 'copy') return put(root, to, found, path, 'add');
  if (path.startsWith(`${from}/`)) return `${from} cannot be moved into itself`;
  const without = put(root, steps, undefined, from, 'replace');
  return typeof without === 'string' ? without : put(without.value, to, found, path, 'add');
}

/** RFC 6901; undefined when it is none. */
export function parsePointer(text: string): readonly string[] | undefined {
  if (text === '') return [];
  if (!text.startsWith('/') || /~(?![01])/.test(text)) return undefined;
  return text
    .slice(1)
    .split('/')
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'));
}

/** Puts `value` there; undefined removes. `replace` needs that something stands there. */
function put(
  at: Json,
  steps: readonly string[],
  value: Json | undefined,
  path: string,
  mode: 'add' | 'replace',
): Done {
  const [step, ...rest] = steps;
  if (step === undefined) return value === undefined ? 'the whole cannot be removed' : { value };
  if (Array.isArray(at)) return putItem(at as readonly Json[], step, { rest, value, path, mode });
  if (typeof at !== 'object' || at === null) return `nothing stands at ${path}`;
  const object = at as JsonObject;
  const known = Object.hasOwn(object, step) ? object[step] : undefined;
  const isMissing = known === undefined;
  if (isMissing && (rest.length > 0 || mode === 'replace')) return `nothing stands at ${path}`;
  if (rest.length > 0 && known !== undefined) {
    const inner = put(known, rest, value, path, mode);
    return typeof inner === 'string' ? inner : { value: withOwn(object, step, inner.value) };
  }
  return { value: withOwn(object, step, value) };
}

function putItem(
  list: readonly Json[],
  step: string,
  change: {
    readonly rest: readonly string[];
    readonly value: Json | undefined;
    readonly path: string;
    readonly mode: 'add' | 'replace';
  },
): Done {
  const { rest, value, path, mode } = change;
  const isAdding = mode === 'add' && rest.length === 0;
  const index = step === '-' && isAdding ? list.length : toIndex(step);
  const last = isAdding ? list.length : list.length - 1;
  if (index === undefined || index > last) return `nothing stands at ${path}`;
  if (rest.length > 0) {
    const inner = put(list[index] ?? null, rest, value, path, mode);
    if (typeof inner === 'string') return inner;
    return { value: list.toSpliced(index, 1, inner.value) };
  }
  if (isAdding) return { value: list.toSpliced(index, 0, value ?? null) };
  return { value: value === undefined ? list.toSpliced(index, 1) : list.with(index, value) };
}

function find(at: Json, steps: readonly string[]): Json | undefined {
  const [step, ...rest] = steps;
  if (step === undefined) return at;
  if (Array.isArray(at)) {
    const index = toIndex(step);
    const item = index === undefined ? undefined : (at as readonly Json[])[index];
    return item === undefined ? undefined : find(item, rest);
  }
  if (typeof at !== 'object' || at === null || !Object.hasOwn(at, step)) return undefined;
  const member = (at as JsonObject)[step];
  return member === undefined ? undefined : find(member, rest);
}

function toIndex(step: string): number | undefined {
  return /^(0|[1-9]\d{0,8})$/.test(step) ? Number(step) : undefined;
}

/** By a computed member, or by entries: an assignment to `__proto__` would not make a member. */
function withOwn(object: JsonObject, name: string, value: Json | undefined): JsonObject {
  if (value !== undefined) return { ...object, [name]: value };
  return Object.fromEntries(Object.entries(object).filter(([key]) => key !== name));
}
