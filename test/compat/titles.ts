// Finds the checklist numbers in the titles of tests, by reading the sources and running nothing.

import { Visitor } from 'oxc-parser';
import type { SourceFile } from '../repo/source-files.ts';

export interface Shown {
  readonly number: number;
  readonly file: string;
  readonly title: string;
}

const tag = /\[k8s ([^\]]*)\]/g;

/**
 * Every number in a `[k8s N, M]` of a string of this file, with the string that holds it. A
 * template's placeholders read as `…`. Any string counts, since a title may reach ava through a
 * table of cases.
 */
export function shownBy(source: SourceFile): readonly Shown[] {
  if (!source.text.includes('[k8s ')) return [];
  const found: Shown[] = [];
  const add = (text: string): void => {
    for (const [, numbers = ''] of text.matchAll(tag)) {
      for (const number of toNumbers(numbers)) {
        found.push({ number, file: source.path, title: text.replace(tag, '').trim() });
      }
    }
  };
  new Visitor({
    Literal: (node) => {
      if (typeof node.value === 'string') add(node.value);
    },
    TemplateLiteral: (node) => add(node.quasis.map(({ value }) => value.cooked ?? '').join('…')),
  }).visit(source.program);
  return found;
}

/** `16, 30-32` as numbers; what is no number is NaN, which no item has. */
function toNumbers(text: string): readonly number[] {
  return text.split(',').flatMap((part) => {
    const range = /^\s*(\d+)-(\d+)\s*$/.exec(part);
    if (range === null) return [/^\s*\d+\s*$/.test(part) ? Number(part) : Number.NaN];
    const [from, to] = [Number(range[1]), Number(range[2])];
    return Array.from({ length: Math.max(0, to - from + 1) }, (_, index) => from + index);
  });
}
