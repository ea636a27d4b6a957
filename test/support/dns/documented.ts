// The configurations and commands of docs/dns.md, as they stand there.

import { readFileSync } from 'node:fs';

/** Fenced blocks of the section below this heading, with the last line of prose before each. */
export function readBlocks(
  heading: string,
): readonly { readonly lead: string; readonly text: string }[] {
  const text = readFileSync('docs/dns.md', 'utf8');
  const start = text.indexOf(`\n${heading}\n`);
  if (start < 0) throw new Error(`docs/dns.md has no heading "${heading}"`);
  const end = text.indexOf('\n#', start + heading.length + 1);
  const section = text.slice(start, end < 0 ? undefined : end);
  return [...section.matchAll(/([^\n]*)\n\n```\w*\n([^]*?)```/g)].map(
    ([, lead = '', block = '']) => ({
      lead,
      text: block,
    }),
  );
}

/** The one block whose line before it, or whose text, says this. */
export function readBlock(heading: string, says: RegExp): string {
  const found = readBlocks(heading).filter(({ lead, text }) => says.test(lead) || says.test(text));
  const [only] = found;
  if (only === undefined || found.length > 1)
    throw new Error(`${found.length} blocks of "${heading}" say ${String(says)}`);
  return only.text;
}
