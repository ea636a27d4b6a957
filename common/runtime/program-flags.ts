// The flags of node with which a program of ours wants to run: those of its first line, so that who
// starts it by node's own path starts it as its users' shells do.

import { closeSync, openSync, readSync } from 'node:fs';

const lineBytesMax = 256;

/** Of `#!/usr/bin/env -S node --flag`. None when there is no such line. */
export function nodeFlagsOf(script: string): readonly string[] {
  const bytes = Buffer.alloc(lineBytesMax);
  const file = openSync(script, 'r');
  try {
    const text = bytes.toString('latin1', 0, readSync(file, bytes, 0, lineBytesMax, 0));
    const flags = /^#!\/usr\/bin\/env -S node((?: --[a-z-]+(?:=[\w.]+)?)+)\n/.exec(text)?.[1];
    return flags?.trim().split(' ') ?? [];
  } finally {
    closeSync(file);
  }
}
