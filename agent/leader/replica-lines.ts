// The lines between replicas as JSON: bytes as base64, everything else as it is. What a line does
// not say right is refused whole; the other replica may be of another version.

import type { FollowerLine, LeaderLine, Row } from './replica-port.ts';

const bytesMark = '$bytes';

export function encodeLine(line: LeaderLine | FollowerLine): string {
  return `${encodeValue(line)}\n`;
}

/** undefined when it is none. */
export function decodeLeaderLine(text: string): LeaderLine | undefined {
  const line = parse(text);
  switch (line['kind']) {
    case 'rows': {
      const rows = toRows(line['rows']);
      return rows === undefined ? undefined : { kind: 'rows', rows };
    }
    case 'commit': {
      const rows = toRows(line['rows']);
      const number = line['number'];
      return rows === undefined || typeof number !== 'number'
        ? undefined
        : { kind: 'commit', number, rows };
    }
    case 'current':
      return typeof line['number'] === 'number'
        ? { kind: 'current', number: line['number'] }
        : undefined;
    case 'state':
      return { kind: 'state', isSessionOpen: line['isSessionOpen'] === true };
    default:
      return undefined;
  }
}

export function decodeFollowerLine(text: string): FollowerLine | undefined {
  const { kind, number } = parse(text);
  return kind === 'durable' && typeof number === 'number' ? { kind, number } : undefined;
}

/** Rows as the record keeps them, such as those of a Secret. */
export function encodeValue(value: unknown): string {
  return JSON.stringify(value, function replace(this: unknown, key: string, part: unknown) {
    // A Buffer has made itself an object by now: look at what it was.
    const own = (this as Readonly<Record<string, unknown>>)[key];
    return own instanceof Uint8Array ? { [bytesMark]: Buffer.from(own).toString('base64') } : part;
  });
}

/** Throws SyntaxError. */
export function decodeValue(text: string): unknown {
  return JSON.parse(text, reviveBytes) as unknown;
}

function parse(text: string): Readonly<Record<string, unknown>> {
  try {
    const value = decodeValue(text);
    return typeof value === 'object' && value !== null ? { ...value } : {};
  } catch {
    return {};
  }
}

function reviveBytes(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || !(bytesMark in value)) return value;
  const text = value[bytesMark];
  return typeof text === 'string' ? new Uint8Array(Buffer.from(text, 'base64')) : value;
}

function toRows(rows: unknown): readonly Row[] | undefined {
  if (!Array.isArray(rows)) return undefined;
  const read = rows.map((row: unknown) => {
    const { table, key, value } = (row ?? {}) as Partial<Row>; // checked here
    return typeof table === 'string' && typeof key === 'string' ? { table, key, value } : undefined;
  });
  return read.every((row) => row !== undefined) ? read : undefined;
}
