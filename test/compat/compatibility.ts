// The compatibility page: each checklist item with its state and the tests that show it, then
// what differs from a kube-apiserver on purpose. All of it is read from the sources.

import { listSources, parseSource } from '../repo/source-files.ts';
import { decided, type Decided } from '../differential/decided.ts';
import { decisions, notShownYet } from './decisions.ts';
import { items, type Item } from './items.ts';
import { shownBy, type Shown } from './titles.ts';

export const pagePath = 'docs/kubernetes-compatibility.md';

export interface Compatibility {
  readonly page: string;
  /** Items without test or decision, titles with numbers that are none, stale lists. */
  readonly faults: readonly string[];
}

export function readCompatibility(): Compatibility {
  const shown = listSources()
    .filter((path) => path.endsWith('.test.ts') || path.startsWith('test/differential/cases/'))
    .flatMap((path) => shownBy(parseSource(path)));
  return { page: formatPage(shown), faults: findFaults(shown) };
}

type State = 'proved' | 'decided' | 'not shown';

function stateOf({ number }: Item, shown: readonly Shown[]): State {
  if (shown.some((test) => test.number === number)) return 'proved';
  return decisions.has(number) ? 'decided' : 'not shown';
}

export function findFaults(shown: readonly Shown[]): readonly string[] {
  const known = new Set(items.map(({ number }) => number));
  const unknown = shown
    .filter(({ number }) => !known.has(number))
    .map(({ file, title, number }) => `${file}: "${title}" names item ${number}, which is none`);
  const open = items.flatMap((item) => {
    const state = stateOf(item, shown);
    const isListed = notShownYet.has(item.number);
    if (state !== 'not shown') {
      return isListed ? [`item ${item.number} is ${state}: take it out of notShownYet`] : [];
    }
    return isListed ? [] : [`item ${item.number} is neither proved nor decided: ${item.text}`];
  });
  return [...unknown, ...open];
}

function formatPage(shown: readonly Shown[]): string {
  const areas = [...new Set(items.map(({ area }) => area))];
  const count = (state: State): number =>
    items.filter((item) => stateOf(item, shown) === state).length;
  return [
    '# Compatibility with Kubernetes',
    '',
    'The federation endpoint behaves as a kube-apiserver of Kubernetes 1.34 for every kind that it',
    'serves. This page is generated from the titles of the tests by `npm run compat`; do not edit it.',
    '',
    `Of ${items.length} items ${count('proved')} are proved by a test, ${count('decided')} do not ` +
      `apply for a stated reason, and ${count('not shown')} are not shown.`,
    '',
    ...areas.flatMap((area) => formatArea(area, shown)),
    ...formatDecided(decided),
  ].join('\n');
}

function formatArea(area: string, shown: readonly Shown[]): readonly string[] {
  const rows = items
    .filter((item) => item.area === area)
    .map((item) => {
      const state = stateOf(item, shown);
      const by = state === 'proved' ? formatTests(item, shown) : (decisions.get(item.number) ?? '');
      return `| ${item.number} | ${escapeCell(item.text)} | ${state} | ${by} |`;
    });
  return [`## ${area}`, '', '| # | Item | State | By |', '|---|---|---|---|', ...rows, ''];
}

function formatTests({ number }: Item, shown: readonly Shown[]): string {
  const lines = shown
    .filter((test) => test.number === number)
    .map(({ file, title }) => `\`${file}\`: ${escapeCell(title)}`);
  return [...new Set(lines)].sort().join('<br>');
}

function formatDecided(differences: readonly Decided[]): readonly string[] {
  const rows = differences.map(
    ({ what, reason }) => `| ${escapeCell(what)} | ${escapeCell(reason)} |`,
  );
  return [
    '## Decided differences',
    '',
    'The differential suite (`npm run differential`) sends one script of requests and kubectl',
    'commands to a kube-apiserver 1.34 with etcd and to the federation, and compares the answers.',
    'Every difference that is left is one of these.',
    '',
    '| Difference | Reason |',
    '|---|---|',
    ...rows,
    '',
  ];
}

function escapeCell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('<', '&lt;').replaceAll('\n', ' ');
}
