// Narrowing of decoded messages: each reader checks one member and its bound, and names the
// member when it is wrong. Nothing from the wire is believed without one of these.

import {
  isDnsLabel,
  toClusterName,
  toContentHash,
  toRevision,
  type ClusterName,
  type ContentHash,
  type Revision,
  type ServiceKey,
} from '../model/ids.ts';
import { MeshError } from '../pure/errors.ts';
import type { Plain } from './proto-types.ts';

// A name, a reason or a hash is short; a message may be a sentence or an error text.
const textMax = 4096;
const listMax = 100_000;

export function fail(field: string, expected: string): never {
  throw new MeshError('fatal', 'WIRE_INVALID', `${field}: expected ${expected}`);
}

export function readText(of: Plain, field: string, max = textMax): string {
  const value = of[field];
  if (typeof value !== 'string' || value.length > max) return fail(field, `text of at most ${max}`);
  return value;
}

/** Absent in proto3 is the empty text. */
export function readOptionalText(of: Plain, field: string): string | undefined {
  const text = readText(of, field);
  return text === '' ? undefined : text;
}

export function readNumber(of: Plain, field: string): number {
  const value = of[field];
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) {
    return fail(field, 'a whole number below 2^53');
  }
  return value;
}

export function readFlag(of: Plain, field: string): boolean {
  return of[field] === true;
}

export function readBytes(of: Plain, field: string, max: number): Uint8Array {
  const value = of[field];
  if (!(value instanceof Uint8Array) || value.length > max)
    return fail(field, `at most ${max} bytes`);
  return value;
}

export function readMessage(of: Plain, field: string): Plain {
  return readOptionalMessage(of, field) ?? fail(field, 'a message');
}

export function readOptionalMessage(of: Plain, field: string): Plain | undefined {
  const value = of[field];
  return typeof value === 'object' && value !== null ? (value as Plain) : undefined;
}

export function readList<T>(
  of: Plain,
  field: string,
  read: (item: Plain) => T,
  max = listMax,
): T[] {
  const value = of[field];
  if (!Array.isArray(value) || value.length > max) return fail(field, `a list of at most ${max}`);
  return value.map((item) => read(item as Plain));
}

export function readTexts(of: Plain, field: string): string[] {
  return readList({ items: wrap(of[field]) }, 'items', (item) => readText(item, 'value'));
}

function wrap(value: unknown): unknown {
  return Array.isArray(value) ? value.map((item: unknown) => ({ value: item })) : value;
}

export function readChoice<T extends string>(of: Plain, field: string, choices: readonly T[]): T {
  const text = readText(of, field);
  return choices.find((choice) => choice === text) ?? fail(field, choices.join(' or '));
}

export function readCluster(of: Plain, field: string): ClusterName {
  const text = readText(of, field);
  return isDnsLabel(text) ? toClusterName(text) : fail(field, 'a cluster name (a DNS label)');
}

export function readClusters(of: Plain, field: string, max: number): ClusterName[] {
  const texts = readTexts(of, field);
  if (texts.length > max) return fail(field, `a list of at most ${max}`);
  return texts.map((text) => readCluster({ [field]: text }, field));
}

const keyPattern = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\/[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;

export function toCheckedKey(text: string, field: string): ServiceKey {
  return keyPattern.test(text) ? (text as ServiceKey) : fail(field, '<namespace>/<name>');
}

export function readKey(of: Plain, field: string): ServiceKey {
  return toCheckedKey(readText(of, field), field);
}

export function readKeys(of: Plain, field: string): ServiceKey[] {
  return readTexts(of, field).map((text) => toCheckedKey(text, field));
}

export function readRevision(of: Plain, field: string): Revision {
  return toRevision(readNumber(of, field));
}

const hashPattern = /^[0-9a-f]{32}$/;

export function readHash(of: Plain, field: string): ContentHash {
  const text = readText(of, field);
  return hashPattern.test(text) ? toContentHash(text) : fail(field, '32 hex digits');
}
