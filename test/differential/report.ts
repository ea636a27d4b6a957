// A report as text, one block for each step that differs.

import type { Difference } from './compare.ts';
import type { JsonLike } from './normalise.ts';
import type { Report } from './suite.ts';

export function formatReport({ compared, unexplained, explained, stale }: Report): string {
  const bySteps = new Map<string, Difference[]>();
  for (const difference of unexplained) {
    const key = `${difference.area}: ${difference.step}`;
    const known = bySteps.get(key) ?? [];
    // The same one through another kubectl is not told twice.
    const isNew = known.every((other) => format(other) !== format(difference));
    if (isNew) bySteps.set(key, [...known, difference]);
  }
  const blocks = [...bySteps].map(([step, found]) =>
    [`\n## ${step}`, ...found.map(format)].join('\n'),
  );
  const old = stale.map(({ what }) => `\nno longer happens: ${what}`);
  const counts =
    `${compared} answers compared, ${unexplained.length} unexplained differences in ` +
    `${bySteps.size} steps, ${explained.length} decided`;
  return [...blocks, ...old, `\n${counts}\n`].join('\n');
}

const shownMax = 600;

function format({ place, theirs, ours }: Difference): string {
  return `- ${place}\n    theirs: ${show(theirs)}\n    ours:   ${show(ours)}`;
}

function show(value: JsonLike | undefined): string {
  if (value === undefined) return '(absent)';
  const text = typeof value === 'string' ? value.replace(/\n/g, '\\n') : JSON.stringify(value);
  return text.length > shownMax ? `${text.slice(0, shownMax)}...` : text;
}
