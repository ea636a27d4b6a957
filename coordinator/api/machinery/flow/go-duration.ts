// Durations as Go writes them (`1h15m30.918s`), since that is what clients of Kubernetes send.

const unitMs: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3, // U+00B5, micro sign
  μs: 1e-3, // U+03BC, Greek letter mu
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
};

// Longer is no duration that anybody meant; Go's own limit is 290 years.
const charactersMax = 64;

/** Milliseconds; or, as a text, what Go's time.ParseDuration says is wrong. */
export function parseGoDuration(text: string): number | string {
  const invalid = `time: invalid duration ${quote(text)}`;
  if (text.length > charactersMax) return invalid;
  const sign = text.startsWith('-') ? -1 : 1;
  let rest = text.replace(/^[+-]/, '');
  if (rest === '0') return 0;
  if (rest === '') return invalid;
  let total = 0;
  while (rest !== '') {
    const number = /^(?:\d+(?:\.\d*)?|\.\d+)/.exec(rest)?.[0];
    if (number === undefined) return invalid;
    rest = rest.slice(number.length);
    const unit = /^[^.\d]*/.exec(rest)?.[0] ?? '';
    if (unit === '') return `time: missing unit in duration ${quote(text)}`;
    const ms = Object.hasOwn(unitMs, unit) ? unitMs[unit] : undefined;
    if (ms === undefined) return `time: unknown unit ${quote(unit)} in duration ${quote(text)}`;
    total += Number(number) * ms;
    rest = rest.slice(unit.length);
  }
  return sign * total;
}

/** Go's %q for what can stand in a query. */
function quote(text: string): string {
  return JSON.stringify(text);
}
