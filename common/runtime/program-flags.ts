// The flags of node with which a program of ours wants to run: those of its first line, so that who
// starts it by node's own path starts it as its users' shells do.

import { closeSync, openSync, readSync } from 'node:fs';
import { invariant } from '../pure/errors.ts';

const lineBytesMax = 256;

const words = '#!/usr/bin/env -S node ';

/** Of `#!/usr/bin/env -S node --flag`. None when there is no such line; throws for one that a shell would read otherwise. */
export function nodeFlagsOf(script: string): readonly string[] {
  const bytes = Buffer.alloc(lineBytesMax);
  const file = openSync(script, 'r');
  try {
    const text = bytes.toString('latin1', 0, readSync(file, bytes, 0, lineBytesMax, 0));
    if (!text.startsWith(words)) return [];
    const flags = text.slice(words.length, text.indexOf('\n')).split(' ');
    const strange = flags.find((flag) => !/^--[a-z][a-z0-9-]*(?:=[\w.]+)?$/.test(flag));
    invariant(
      strange === undefined,
      `${script}: '${strange ?? ''}' in its first line is no flag of node`,
    );
    return flags;
  } finally {
    closeSync(file);
  }
}
