// Sets of field paths, the currency of field ownership, and their FieldsV1 form.
//
// A path's elements are written as in FieldsV1: `f:<field>`, `k:<json of the keys>` for an item of
// a keyed list, `v:<json>` for an item of a set, `i:<index>`. A set is a tree; a node is a member
// when the path to it is in the set.

import type { Json, JsonObject } from '../../../../common/model/kube-object.ts';
import { isRecord } from '../schema/json-value.ts';

export interface FieldSet {
  readonly isMember: boolean;
  readonly children: ReadonlyMap<string, FieldSet>;
}

export type Path = readonly string[];

export const emptySet: FieldSet = { isMember: false, children: new Map() };

export function isEmptySet(set: FieldSet): boolean {
  return !set.isMember && set.children.size === 0;
}

/** Without nodes that lead nowhere. */
function toSet(isMember: boolean, children: Iterable<readonly [string, FieldSet]>): FieldSet {
  const full = [...children].filter(([, child]) => !isEmptySet(child));
  return isMember || full.length > 0 ? { isMember, children: new Map(full) } : emptySet;
}

export function union(a: FieldSet, b: FieldSet): FieldSet {
  if (isEmptySet(a)) return b;
  if (isEmptySet(b)) return a;
  const children = new Map(a.children);
  for (const [element, child] of b.children) {
    const here = children.get(element);
    children.set(element, here === undefined ? child : union(here, child));
  }
  return { isMember: a.isMember || b.isMember, children };
}

/** The paths of `a` that are not in `b`. */
export function difference(a: FieldSet, b: FieldSet): FieldSet {
  if (isEmptySet(b)) return a;
  return toSet(
    a.isMember && !b.isMember,
    [...a.children].map(([element, child]) => {
      const other = b.children.get(element);
      return [element, other === undefined ? child : difference(child, other)];
    }),
  );
}

/** The paths of `a` that neither are in `b` nor lie below one of its paths. */
export function differenceBelow(a: FieldSet, b: FieldSet): FieldSet {
  if (b.isMember) return emptySet;
  return toSet(
    a.isMember,
    [...a.children].map(([element, child]) => {
      const other = b.children.get(element);
      return [element, other === undefined ? child : differenceBelow(child, other)];
    }),
  );
}

export function intersection(a: FieldSet, b: FieldSet): FieldSet {
  return toSet(
    a.isMember && b.isMember,
    [...a.children].map(([element, child]) => {
      const other = b.children.get(element);
      return [element, other === undefined ? emptySet : intersection(child, other)];
    }),
  );
}

export function equalSets(a: FieldSet, b: FieldSet): boolean {
  return isEmptySet(difference(a, b)) && isEmptySet(difference(b, a));
}

/** Every member path, parents first, elements in order. */
export function pathsOf(set: FieldSet, prefix: Path = []): readonly Path[] {
  const below = [...set.children]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([element, child]) => pathsOf(child, [...prefix, element]));
  return set.isMember ? [prefix, ...below] : below;
}

export function setOf(paths: Iterable<Path>): FieldSet {
  const builder = new FieldSetBuilder();
  for (const path of paths) builder.insert(path);
  return builder.build();
}

interface Node {
  isMember: boolean;
  readonly children: Map<string, Node>;
}

/** Collects paths one by one, in time proportional to their length. */
export class FieldSetBuilder {
  readonly #root: Node = { isMember: false, children: new Map() };

  insert(path: Path): void {
    let node = this.#root;
    for (const element of path) {
      const next = node.children.get(element) ?? { isMember: false, children: new Map() };
      node.children.set(element, next);
      node = next;
    }
    node.isMember = true;
  }

  build(): FieldSet {
    return this.#root;
  }
}

export function toFieldsV1(set: FieldSet): JsonObject {
  const members = [...set.children].sort(([a], [b]) => (a < b ? -1 : 1));
  const entries = members.map(([element, child]): [string, Json] => {
    const below = toFieldsV1(child);
    return [element, child.isMember && child.children.size > 0 ? { '.': {}, ...below } : below];
  });
  return Object.fromEntries(entries);
}

// As deep as any object may be nested; a client may send any tree.
const depthMax = 100;

/** Anything unreadable is left out: ownership is then lost, the object is not. */
export function fromFieldsV1(fields: Json | undefined, depth = 0): FieldSet {
  if (!isRecord(fields) || depth > depthMax) return emptySet;
  const children = new Map<string, FieldSet>();
  for (const [element, below] of Object.entries(fields)) {
    if (element === '.' || !/^[fkvi]:/.test(element) || !isRecord(below)) continue;
    const child = fromFieldsV1(below, depth + 1);
    const isMember = Object.hasOwn(below, '.') || Object.keys(below).length === 0;
    children.set(element, { isMember, children: child.children });
  }
  return toSet(false, children);
}

/** Such as `.spec.ports[port=80,protocol="TCP"].name`. */
export function formatPath(path: Path): string {
  return path.map(formatElement).join('');
}

function formatElement(element: string): string {
  const content = element.slice(2);
  switch (element[0]) {
    case 'f':
      return `.${content}`;
    case 'k': {
      const keys: unknown = JSON.parse(content);
      const pairs = isRecord(keys) ? Object.entries(keys) : [];
      return `[${pairs.map(([key, value]) => `${key}=${JSON.stringify(value)}`).join(',')}]`;
    }
    case 'v':
      return `[=${content}]`;
    default:
      return `[${content}]`;
  }
}
