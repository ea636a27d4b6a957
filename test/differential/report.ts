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
const sharedMax = 60;

function format({ place, theirs, ours }: Difference): string {
  const [one, other] = [show(theirs), show(ours)];
  const from = Math.max(0, sharedLength(one, other) - sharedMax);
  return `- ${place}\n    theirs: ${cut(one, from)}\n    ours:   ${cut(other, from)}`;
}

function show(value: JsonLike | undefined): string {
  if (value === undefined) return '(absent)';
  return typeof value === 'string' ? value.replace(/\n/g, '\\n') : JSON.stringify(value);
}

function sharedLength(a: string, b: string): number {
  let length = 0;
  while (length < a.length && a[length] === b[length]) length += 1;
  return length;
}

/** Long texts begin shortly before they differ. */
function cut(text: string, from: number): string {
  if (text.length <= shownMax) return text;
  return `${from > 0 ? '...' : ''}${text.slice(from, from + shownMax)}...`;
}
