// Sets of field paths, the currency of field ownership, and their FieldsV1 form.
//
// A set is a tree of steps (field-element.ts); a node is a member when the path to it is in the set.
//
//   S1. No node leads nowhere: each leaf is a member.

import type { Json, JsonObject } from '../../../../common/model/kube-object.ts';
import { Pace } from '../../../../common/pure/steps.ts';
import { isRecord } from '../schema/json-value.ts';
import { fieldsPerStep, runSteps, type Steps } from '../steps.ts';
import { compareElements, formatElement, parseElement } from './field-element.ts';

export interface FieldSet {
  readonly isMember: boolean;
  readonly children: ReadonlyMap<string, FieldSet>;
}

export type Path = readonly string[];

const noChildren: ReadonlyMap<string, FieldSet> = new Map();
export const emptySet: FieldSet = { isMember: false, children: noChildren };
const leaf: FieldSet = { isMember: true, children: noChildren };

export function isEmptySet(set: FieldSet): boolean {
  return !set.isMember && set.children.size === 0;
}

/** Most nodes are: not worth a generator. S1 says that it is a member. */
function isLeaf(set: FieldSet): boolean {
  return set.children.size === 0 && set.isMember;
}

function toNode(isMember: boolean, children: ReadonlyMap<string, FieldSet>): FieldSet {
  if (children.size > 0) return { isMember, children };
  return isMember ? leaf : emptySet;
}

export function union(a: FieldSet, b: FieldSet): FieldSet {
  if (isEmptySet(a) || a === b) return b;
  if (isEmptySet(b)) return a;
  const children = new Map(a.children);
  for (const [element, child] of b.children) {
    const here = children.get(element);
    children.set(element, here === undefined ? child : union(here, child));
  }
  return toNode(a.isMember || b.isMember, children);
}

/** `set` with each child replaced; a child that becomes empty is gone. */
function mapChildren(
  set: FieldSet,
  isMember: boolean,
  map: (element: string, child: FieldSet) => FieldSet,
): FieldSet {
  const children = new Map<string, FieldSet>();
  let isSame = isMember === set.isMember;
  for (const [element, child] of set.children) {
    const mapped = map(element, child);
    if (!isEmptySet(mapped)) children.set(element, mapped);
    if (mapped !== child) isSame = false;
  }
  return isSame ? set : toNode(isMember, children);
}

/** What of two sets is left, node by node. */
interface Operation {
  readonly isMember: (a: FieldSet, b: FieldSet) => boolean;
  /** What is left of a child that the other set does not have. */
  readonly alone: (child: FieldSet) => FieldSet;
}

const differing: Operation = {
  isMember: (a, b) => a.isMember && !b.isMember,
  alone: (child) => child,
};
const common: Operation = { isMember: (a, b) => a.isMember && b.isMember, alone: () => emptySet };

function* combine(a: FieldSet, b: FieldSet, by: Operation, pace: Pace): Steps<FieldSet> {
  const isMember = by.isMember(a, b);
  const children = new Map<string, FieldSet>();
  let isSame = isMember === a.isMember;
  for (const [element, child] of a.children) {
    const other = b.children.get(element);
    if (pace.isOver(1)) yield;
    let left: FieldSet;
    if (other === undefined) left = by.alone(child);
    else if (isLeaf(child)) left = by.isMember(child, other) ? child : emptySet;
    else left = yield* combine(child, other, by, pace);
    if (!isEmptySet(left)) children.set(element, left);
    if (left !== child) isSame = false;
  }
  return isSame ? a : toNode(isMember, children);
}

/** The paths of `a` that are not in `b`. */
export function difference(a: FieldSet, b: FieldSet): FieldSet {
  return runSteps(differenceInSteps(a, b));
}

export function* differenceInSteps(a: FieldSet, b: FieldSet): Steps<FieldSet> {
  return isEmptySet(b) ? a : yield* combine(a, b, differing, new Pace(fieldsPerStep));
}

/** The paths of `a` that neither are in `b` nor lie below one of its paths. */
export function differenceBelow(a: FieldSet, b: FieldSet): FieldSet {
  if (b.isMember) return emptySet;
  if (isEmptySet(b)) return a;
  return mapChildren(a, a.isMember, (element, child) => {
    const other = b.children.get(element);
    return other === undefined ? child : differenceBelow(child, other);
  });
}

export function intersection(a: FieldSet, b: FieldSet): FieldSet {
  return runSteps(intersectionInSteps(a, b));
}

export function intersectionInSteps(a: FieldSet, b: FieldSet): Steps<FieldSet> {
  return combine(a, b, common, new Pace(fieldsPerStep));
}

export function equalSets(a: FieldSet, b: FieldSet): boolean {
  if (a === b) return true;
  if (a.isMember !== b.isMember || a.children.size !== b.children.size) return false;
  for (const [element, child] of a.children) {
    const other = b.children.get(element);
    if (other === undefined || !equalSets(child, other)) return false;
  }
  return true;
}

export function hasPath(set: FieldSet, path: Path): boolean {
  let node: FieldSet | undefined = set;
  for (const element of path) node = node?.children.get(element);
  return node?.isMember === true;
}

function sortedChildren(set: FieldSet): readonly (readonly [string, FieldSet])[] {
  const { children } = set;
  if (children.size < 2) return [...children];
  const elements = [...children.keys()];
  // Fields are in the order of their texts, and thousands of labels are fields.
  if (elements.every((element) => element.startsWith('f:'))) elements.sort();
  else elements.sort(compareElements);
  return elements.map((element) => [element, children.get(element) ?? emptySet]);
}

/** Every member path: of each level the members first, then what lies below, both in order. */
export function pathsOf(set: FieldSet): readonly Path[] {
  const paths: Path[] = set.isMember ? [[]] : [];
  collect(set, [], paths);
  return paths;
}

function collect(set: FieldSet, prefix: Path, paths: Path[]): void {
  const children = sortedChildren(set);
  for (const [element, child] of children) if (child.isMember) paths.push([...prefix, element]);
  for (const [element, child] of children) collect(child, [...prefix, element], paths);
}

export function setOf(paths: Iterable<Path>): FieldSet {
  const builder = new FieldSetBuilder();
  for (const path of paths) builder.insert(path);
  return builder.build();
}

interface Node {
  isMember: boolean;
  children: ReadonlyMap<string, Node>;
}

/** Collects paths one by one, in time proportional to their length. */
export class FieldSetBuilder {
  readonly #root: Node = { isMember: false, children: noNodes };

  insert(path: Path): void {
    let node = this.#root;
    for (const element of path) node = node.children.get(element) ?? addChild(node, element);
    node.isMember = true;
  }

  build(): FieldSet {
    return this.#root;
  }
}

const noNodes: ReadonlyMap<string, Node> = new Map();

// Most nodes are leaves, and need no map of their own.
function addChild(node: Node, element: string): Node {
  const child: Node = { isMember: false, children: noNodes };
  const children = node.children === noNodes ? new Map<string, Node>() : node.children;
  (children as Map<string, Node>).set(element, child);
  node.children = children;
  return child;
}

export function toFieldsV1(set: FieldSet): JsonObject {
  return runSteps(fieldsInSteps(set));
}

/** The same, of a set that may have thousands of members. */
export function* fieldsInSteps(set: FieldSet): Steps<JsonObject> {
  const fields: Record<string, Json> = {};
  const children = sortedChildren(set);
  let done = 0;
  for (const [element, child] of children) {
    if (done % fieldsPerStep === 0 && children.length > fieldsPerStep) yield;
    done += 1;
    const below = child.children.size > 0 ? yield* fieldsInSteps(child) : {};
    fields[element] = child.isMember && child.children.size > 0 ? { '.': {}, ...below } : below;
  }
  return fields;
}

// As deep as any object may be nested; a client may send any tree.
const depthMax = 100;

/** Undefined when it is no FieldsV1: a broken step, or no object where one belongs. */
export function fromFieldsV1(fields: Json | undefined): FieldSet | undefined {
  return runSteps(readInSteps(fields));
}

/** The same, of thousands of fields. */
export function* readInSteps(fields: Json | undefined): Steps<FieldSet | undefined> {
  const root = yield* readFields(fields ?? {}, 0, new Pace(fieldsPerStep));
  return root === undefined ? undefined : toNode(false, root.children);
}

function isHollow(value: Json | undefined): boolean {
  if (!isRecord(value)) return false;
  for (const _name in value) return false;
  return true;
}

function* readFields(
  fields: Json | undefined,
  depth: number,
  pace: Pace,
): Steps<FieldSet | undefined> {
  if (!isRecord(fields) || depth > depthMax) return undefined;
  const names = Object.keys(fields);
  if (names.length === 0) return leaf;
  const children = new Map<string, FieldSet>();
  let isMember = false;
  for (const name of names) {
    if (name === '.') {
      isMember = true;
      continue;
    }
    const element = parseElement(name);
    if (element === undefined) return undefined;
    if (element === 'foreign') continue;
    if (pace.isOver(1)) yield;
    const below = fields[name];
    const isLast = depth < depthMax && isHollow(below);
    const child = isLast ? leaf : yield* readFields(below, depth + 1, pace);
    if (child === undefined) return undefined;
    children.set(element, child);
  }
  return toNode(isMember || children.size === 0, children);
}

/** Such as `.spec.ports[port=80,protocol="TCP"].name`. */
export function formatPath(path: Path): string {
  return path.map(formatElement).join('');
}
