// Times in bodies: RFC 3339 with any zone and any fraction in, UTC out, with the digits that the
// field has. What is no time is refused in the words of Go's time package.

import { parseTimestamp, toTimestamp } from '../../../../common/runtime/clock.ts';
import { TypeMismatch } from './type-mismatch.ts';

const pattern = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:[.,](\d+))?(Z|[+-]\d\d:\d\d)$/;

/** Seconds lose their fraction, as metav1.Time does; microseconds (MicroTime) have six digits. */
export function toTime(text: string, precision: 'seconds' | 'microseconds'): string {
  const match = pattern.exec(text);
  const [, whole = '', fraction = '', zone = ''] = match ?? [];
  const isReal = match !== null && isRealDay(whole);
  const ms = isReal ? parseTimestamp(`${whole}${zone}`) : undefined;
  if (ms === undefined) throw refuse(text);
  const utc = zone === 'Z' ? `${whole}Z` : toTimestamp(ms);
  if (precision === 'seconds') return utc;
  return utc.replace(/Z$/, `.${fraction.slice(0, 6).padEnd(6, '0')}Z`);
}

/** JavaScript takes 30 February for 2 March. */
function isRealDay(whole: string): boolean {
  const ms = parseTimestamp(`${whole}Z`);
  return ms !== undefined && toTimestamp(ms).startsWith(whole.slice(0, 10));
}

const layout = '2006-01-02T15:04:05Z07:00';
/** The parts of the layout, in order, with the pattern of each and what Go calls it. */
const parts: readonly (readonly [RegExp, string])[] = [
  [/^\d{4}/, '2006'],
  [/^-/, '-'],
  [/^\d\d/, '01'],
  [/^-/, '-'],
  [/^\d\d/, '02'],
  [/^T/, 'T'],
  [/^\d\d/, '15'],
  [/^:/, ':'],
  [/^\d\d/, '04'],
  [/^:/, ':'],
  [/^\d\d(?:[.,]\d+)?/, '05'],
  [/^(?:Z|[+-]\d\d:\d\d)/, 'Z07:00'],
];

function refuse(text: string): TypeMismatch {
  const head = `parsing time ${JSON.stringify(text)}`;
  let rest = text;
  for (const [part, name] of parts) {
    const match = part.exec(rest);
    if (match === null) {
      const quoted = JSON.stringify(rest);
      return new TypeMismatch(`${head} as "${layout}": cannot parse ${quoted} as "${name}"`);
    }
    rest = rest.slice(match[0].length);
  }
  if (rest !== '') return new TypeMismatch(`${head}: extra text: ${JSON.stringify(rest)}`);
  return new TypeMismatch(`${head}: ${outOfRange(text)} out of range`);
}

function outOfRange(text: string): string {
  const [month, hour, minute, second] = [
    [5, 7],
    [11, 13],
    [14, 16],
    [17, 19],
  ].map(([from, to]) => Number(text.slice(from, to)));
  if (month === undefined || month < 1 || month > 12) return 'month';
  if (hour === undefined || hour > 23) return 'hour';
  if (minute === undefined || minute > 59) return 'minute';
  return second === undefined || second > 59 ? 'second' : 'day';
}
