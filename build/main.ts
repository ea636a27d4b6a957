// The second half of `npm run build`: what the compiler wrote since the last time is rewritten in
// place (literals.ts). It can run twice.

import { readdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beginLiteralsPlainly } from './literals.ts';

const dist = 'dist';
const stamp = join(dist, '.literals');

const lastMs = statSync(stamp, { throwIfNoEntry: false })?.mtimeMs ?? 0;
for (const name of readdirSync(dist, { recursive: true, encoding: 'utf8' })) {
  const path = join(dist, name);
  if (!name.endsWith('.js')) continue;
  const { mtimeMs, mode } = statSync(path); // npm makes programs executable
  if (mtimeMs < lastMs) continue;
  const text = readFileSync(path, 'utf8');
  const rewritten = beginLiteralsPlainly(path, text);
  if (rewritten === text) continue;
  // Whole or not at all: the compiler would not write a file again that a kill cut short.
  writeFileSync(`${path}.new`, rewritten, { mode });
  renameSync(`${path}.new`, path);
}
writeFileSync(stamp, '');
