// What happened, in order: a hash over all of it, which two runs of one seed share, and the last
// lines for people.

import { createHash } from 'node:crypto';
import type { Clock } from '../../common/runtime/clock.ts';

export interface Trace {
  note(line: string): void;
  /** The last lines, oldest first. */
  tail(): readonly string[];
  /** SHA-256 over every line so far, and how many there were. */
  digest(): string;
}

const tailMax = 200;

export function createTrace(clock: Clock, onLine?: (line: string) => void): Trace {
  const hash = createHash('sha256');
  const lines: string[] = [];
  let count = 0;
  return {
    note: (line) => {
      const text = `${(clock.monotonicMs() / 1000).toFixed(3)} ${line}`;
      hash.update(text).update('\n');
      count += 1;
      lines.push(text);
      if (lines.length > 2 * tailMax) lines.splice(0, tailMax);
      onLine?.(text);
    },
    tail: () => lines.slice(-tailMax),
    digest: () => `${count} ${hash.copy().digest('hex')}`,
  };
}
