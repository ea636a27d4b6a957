// Values of flags that several commands take.

import { UsageError, type FlagValues } from './command.ts';
import { parseDuration, type Format } from './output.ts';

export function readFormat(flags: FlagValues): Format | undefined {
  return flags.text('output') as Format | undefined; // one of the flag's choices
}

/** In seconds. Throws UsageError. */
export function readDuration(flags: FlagValues, name: string, fallback: number): number {
  const text = flags.text(name);
  if (text === undefined) return fallback;
  const seconds = parseDuration(text);
  if (seconds !== undefined) return seconds;
  throw new UsageError(`--${name}: "${text}" is not a duration, such as 90s, 30m, 1h or 7d`);
}
