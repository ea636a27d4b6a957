// Columns that many kinds share, and the server's way of writing an age.

import type { JsonObject, KubeObject } from '../../../common/model/kube-object.ts';
import { parseTimestamp } from '../../../common/runtime/clock.ts';
import { toJsonObject } from '../machinery/schema/json-value.ts';
import type { Column } from '../machinery/kind.ts';

type Cell = (object: JsonObject, nowMs: number) => string | number;

/** A column over the object's plain JSON. */
export function column(
  name: string,
  description: string,
  cell: Cell,
  options: { readonly priority?: 0 | 1; readonly type?: 'string' | 'integer' | 'date' } = {},
): Column {
  return {
    name,
    type: options.type ?? 'string',
    description,
    priority: options.priority ?? 0,
    cell: (object: KubeObject, nowMs: number) => cell(toJsonObject(object), nowMs),
  };
}

export const nameColumn: Column = {
  name: 'Name',
  type: 'string',
  format: 'name',
  description: 'Name of the object, unique within its namespace.',
  priority: 0,
  cell: (object) => object.metadata.name,
};

export const ageColumn: Column = {
  name: 'Age',
  type: 'string',
  description: 'Time since the object was created.',
  priority: 0,
  cell: (object, nowMs) => formatSince(object.metadata.creationTimestamp, nowMs),
};

/** How long ago an RFC 3339 time was, `<unknown>` without one. */
export function formatSince(timestamp: string | undefined, nowMs: number): string {
  const ms = parseTimestamp(timestamp);
  return ms === undefined ? '<unknown>' : formatAge(nowMs - ms);
}

const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;
const year = 365 * day;

/** kubectl's HumanDuration: two units while the second one still says something. */
export function formatAge(ms: number): string {
  // A client's clock may be a little ahead of ours.
  if (ms <= -2 * second) return '<invalid>';
  if (ms < 0) return '0s';
  if (ms < 2 * minute) return `${Math.floor(ms / second)}s`;
  if (ms < 10 * minute) return twoUnits(ms, minute, 'm', second, 's');
  if (ms < 3 * hour) return `${Math.floor(ms / minute)}m`;
  if (ms < 8 * hour) return twoUnits(ms, hour, 'h', minute, 'm');
  if (ms < 2 * day) return `${Math.floor(ms / hour)}h`;
  if (ms < 8 * day) return twoUnits(ms, day, 'd', hour, 'h');
  if (ms < 2 * year) return `${Math.floor(ms / day)}d`;
  if (ms < 8 * year) return twoUnits(ms, year, 'y', day, 'd');
  return `${Math.floor(ms / year)}y`;
}

function twoUnits(ms: number, big: number, bigName: string, small: number, smallName: string) {
  const rest = Math.floor((ms % big) / small);
  return `${Math.floor(ms / big)}${bigName}${rest === 0 ? '' : `${rest}${smallName}`}`;
}
