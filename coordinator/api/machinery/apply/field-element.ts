// One step of a field path, written as in FieldsV1: `f:<field>`, `k:<json of the keys>` for an item
// of a keyed list, `v:<json>` for an item of a set, `i:<index>`. Equal steps are equal texts.

import type { Json } from '../../../../common/model/kube-object.ts';
import { isList, isRecord } from '../schema/json-value.ts';

/** `k:` of key members that are sorted by name; at least one. */
export function toKeyElement(pairs: readonly (readonly [string, Json])[]): string {
  let text = 'k:{';
  for (const [name, value] of pairs) {
    const member = typeof value === 'number' ? String(value) : toGoJson(value);
    text += `${text.length > 3 ? ',' : ''}"${name}":${member}`;
  }
  return `${text}}`;
}

export function toValueElement(item: Json): string {
  return `v:${toGoJson(item)}`;
}

/** JSON as Go's encoder writes it: what HTML could mistake is escaped. */
function toGoJson(value: Json): string {
  const text = JSON.stringify(value);
  if (!/[<>&\u2028\u2029]/.test(text)) return text;
  return text.replace(/[<>&\u2028\u2029]/g, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}

/**
 * A step that a client wrote, in the one form that equal steps have. `foreign` when its letter is
 * unknown: such steps are passed over, a later version may know them. Undefined when it is broken.
 */
export function parseElement(text: string): string | 'foreign' | undefined {
  if (text.length < 2 || text[1] !== ':') return undefined;
  const content = text.slice(2);
  switch (text[0]) {
    case 'f':
      return text;
    case 'i':
      return /^[+-]?\d+$/.test(content) ? `i:${Number(content)}` : undefined;
    case 'k': {
      if (isCanonical(text)) return text;
      const keys = parseJson(content);
      if (!isRecord(keys)) return undefined;
      const pairs = Object.entries(keys).map(([key, value]) => [key, value ?? null] as const);
      return toKeyElement(pairs.sort(([a], [b]) => compareText(a, b)));
    }
    case 'v': {
      const value = parseJson(content);
      return value === undefined ? undefined : toValueElement(value);
    }
    default:
      return 'foreign';
  }
}

// One or two keys, as we and Kubernetes write them: nearly all there are.
const plainKeys =
  /^k:\{"(\w+)":(?:0|[1-9]\d{0,8}|"[\w./-]*")(?:,"(\w+)":(?:0|[1-9]\d{0,8}|"[\w./-]*"))?\}$/;

function isCanonical(element: string): boolean {
  const [, first = '', second] = plainKeys.exec(element) ?? [];
  return first !== '' && (second === undefined || first < second);
}

function parseJson(text: string): Json | undefined {
  try {
    return JSON.parse(text) as Json; // what JSON.parse gives is JSON
  } catch {
    return undefined;
  }
}

const ranks: Readonly<Record<string, number>> = { f: 0, k: 1, v: 2, i: 3 };

/** The order of structured-merge-diff: fields, keyed items, values, indexes; numbers by size. */
export function compareElements(a: string, b: string): number {
  const [kindA = '', kindB = ''] = [a[0], b[0]];
  if (kindA !== kindB) return (ranks[kindA] ?? 4) - (ranks[kindB] ?? 4);
  if (kindA === 'f') return compareText(a, b);
  const [textA, textB] = [a.slice(2), b.slice(2)];
  return compareJson(parseJson(textA) ?? null, parseJson(textB) ?? null);
}

export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Of the same type by value; numbers before texts before booleans before the rest. */
function compareJson(a: Json, b: Json): number {
  const [typeA, typeB] = [typeRank(a), typeRank(b)];
  if (typeA !== typeB) return typeA - typeB;
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  if (isRecord(a) && isRecord(b)) return compareMembers(Object.entries(a), Object.entries(b));
  return compareText(toText(a), toText(b));
}

/** An object in a list may have a member toString of its own. */
function toText(value: Json): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function compareMembers(
  a: readonly (readonly [string, Json | undefined])[],
  b: readonly (readonly [string, Json | undefined])[],
): number {
  for (const [index, [name, value]] of a.entries()) {
    const other = b[index];
    if (other === undefined) return 1;
    const order = compareText(name, other[0]) || compareJson(value ?? null, other[1] ?? null);
    if (order !== 0) return order;
  }
  return a.length - b.length;
}

function typeRank(value: Json): number {
  if (typeof value === 'number') return 0;
  if (typeof value === 'string') return 1;
  if (typeof value === 'boolean') return 2;
  if (isList(value)) return 3;
  return value === null ? 5 : 4;
}

/** As errors print a step: `.name`, `[port=80,protocol="TCP"]`, `[="x.io/a"]`, `[3]`. */
export function formatElement(element: string): string {
  const content = element.slice(2);
  switch (element[0]) {
    case 'f':
      return `.${content}`;
    case 'k': {
      const keys = parseJson(content) ?? null;
      const pairs = isRecord(keys) ? Object.entries(keys) : [];
      return `[${pairs.map(([key, value]) => `${key}=${JSON.stringify(value)}`).join(',')}]`;
    }
    case 'v':
      return `[=${content}]`;
    default:
      return `[${content}]`;
  }
}
