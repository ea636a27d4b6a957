// Tables as kubectl prints them, lists as JSON, YAML or names, times as ages. Pure.

import { stringify } from 'yaml';
import type { JsonObject, KubeObject } from '../common/model/kube-object.ts';

// C0 and C1 but for tab and line feed, and what turns the direction of text or ends a line.
// oxlint-disable-next-line no-control-regex -- these are what is looked for
const unprintable = /[\0-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/**
 * Servers, providers and clusters say much of what is shown: none of it may steer the terminal. As
 * \uXXXX, so that JSON stays what it was.
 */
export function toPrintable(text: string): string {
  return text.replace(
    unprintable,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** Columns divided by three spaces, as wide as what is in them; a cell is one line. */
export function toTable(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [header, ...rows].map((row) => row.map((cell) => cell.replace(/\s*\n\s*/g, ' ')));
  const widths = header.map((_name, column) =>
    Math.max(...all.map((row) => (row[column] ?? '').length)),
  );
  return all
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('   ')
        .trimEnd(),
    )
    .map((line) => `${line}\n`)
    .join('');
}

export type Format = 'json' | 'yaml' | 'name';

/** A v1 List of the objects, or a name each. */
export function formatObjects(objects: readonly KubeObject[], format: Format): string {
  if (format === 'name') return objects.map((object) => `${toName(object)}\n`).join('');
  return formatValue({ apiVersion: 'v1', kind: 'List', metadata: {}, items: objects }, format);
}

export function formatValue(value: object, format: 'json' | 'yaml'): string {
  return format === 'json' ? `${JSON.stringify(value, null, 4)}\n` : stringify(value);
}

/** `cluster.isthmus.dev/one`, as kubectl names it. */
export function toName({ apiVersion, kind, metadata }: KubeObject): string {
  const group = apiVersion.includes('/') ? `.${apiVersion.split('/', 1)[0] ?? ''}` : '';
  return `${kind.toLowerCase()}${group}/${metadata.name}`;
}

const minute = 60;
const hour = 60 * minute;
const day = 24 * hour;

/** duration.HumanDuration of apimachinery, in short. */
export function formatAge(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 2 * minute) return `${seconds}s`;
  if (seconds < 3 * hour) return `${Math.floor(seconds / minute)}m`;
  if (seconds < 2 * day) return `${Math.floor(seconds / hour)}h`;
  return `${Math.floor(seconds / day)}d`;
}

const units: Readonly<Record<string, number>> = { s: 1, m: minute, h: hour, d: day };

/** Seconds of `90s`, `1h30m`, `7d`; undefined when it is no duration. */
export function parseDuration(text: string): number | undefined {
  if (!/^(\d+[smhd])+$/.test(text)) return undefined;
  const parts = [...text.matchAll(/(\d+)([smhd])/g)];
  return parts.reduce((sum, [, count, unit]) => sum + Number(count) * (units[unit ?? ''] ?? 0), 0);
}

/** In quotes where a POSIX shell would read it otherwise. */
export function quoteShell(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

/** The text at this path, or empty. */
export function textAt(object: object | undefined, ...path: readonly string[]): string {
  const value = valueAt(object, ...path);
  if (typeof value === 'string') return value;
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : '';
}

export function valueAt(object: object | undefined, ...path: readonly string[]): unknown {
  let value: unknown = object;
  for (const step of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step))
      return undefined;
    value = (value as JsonObject)[step]; // an object that has it
  }
  return value;
}

export function listAt(object: object | undefined, ...path: readonly string[]): readonly unknown[] {
  const value = valueAt(object, ...path);
  return Array.isArray(value) ? (value as readonly unknown[]) : [];
}

export interface ShownCondition {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly message: string;
}

export function conditionsOf(object: object | undefined): readonly ShownCondition[] {
  return listAt(object, 'status', 'conditions').map((each) => {
    const condition = typeof each === 'object' && each !== null ? each : {};
    return {
      type: textAt(condition, 'type'),
      status: textAt(condition, 'status'),
      reason: textAt(condition, 'reason'),
      message: textAt(condition, 'message'),
    };
  });
}

export function conditionOf(object: object | undefined, type: string): ShownCondition | undefined {
  return conditionsOf(object).find((each) => each.type === type);
}
