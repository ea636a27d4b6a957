// What the plugin reads and writes beside the API: the terminal, the environment, files.

import { readFileSync } from 'node:fs';
import { toPrintable } from './output.ts';

export interface Io {
  /** What the user asked for: pipes take it. */
  out(text: string): void;
  /** What is said beside it, a whole line or more. */
  say(text: string): void;
  /** What a person at a terminal sees until it changes; elsewhere a line at each change. */
  progress(text: string): void;
  /** undefined when there is none. Other faults are thrown. */
  readFile(path: string): string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly home: string;
  /** A person can be asked. */
  readonly isInteractive: boolean;
}

export function systemIo(options: { readonly home: string }): Io {
  const isTerminal = process.stderr.isTTY === true;
  let shown = '';
  const wipe = (): void => {
    if (isTerminal && shown !== '') process.stderr.write('\r\u001b[K');
    if (isTerminal) shown = '';
  };
  return {
    out: (text) => {
      wipe();
      process.stdout.write(toPrintable(text));
    },
    say: (text) => {
      wipe();
      process.stderr.write(`${toPrintable(text)}\n`);
    },
    progress: (said) => {
      const text = toPrintable(said);
      if (text === shown) return;
      wipe();
      shown = text;
      process.stderr.write(isTerminal ? text : `${text}\n`);
    },
    readFile: (path) => {
      try {
        return readFileSync(path, 'utf8');
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
        throw error;
      }
    },
    env: process.env,
    home: options.home,
    isInteractive: process.stdin.isTTY === true && isTerminal,
  };
}
