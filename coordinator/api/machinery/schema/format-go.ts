// Decoded JSON as Go's fmt package prints it, for messages that quote a patch or a configuration.

import type { Json } from '../../../../common/model/kube-object.ts';
import { isList, isRecord } from './json-value.ts';

/** %v: `map[name:zz]`. */
export function formatGo(value: Json | undefined): string {
  if (value === null || value === undefined) return '<nil>';
  if (isList(value)) return `[${value.map(formatGo).join(' ')}]`;
  if (!isRecord(value)) return String(value);
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `map[${members.map(([key, member]) => `${key}:${formatGo(member)}`).join(' ')}]`;
}

/** %T. */
export function goTypeName(value: Json): string {
  if (value === null) return '%!s(<nil>)';
  if (isList(value)) return '[]interface {}';
  if (isRecord(value)) return 'map[string]interface {}';
  if (typeof value === 'number') return Number.isInteger(value) ? 'int64' : 'float64';
  return typeof value === 'boolean' ? 'bool' : typeof value;
}
