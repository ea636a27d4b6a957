// What the federation answers otherwise than a kube-apiserver on purpose. A decided difference
// that no longer happens fails the suite, so the list says what is true.

import type { Difference } from './compare.ts';

export interface Decided {
  /** What differs, for the page. */
  readonly what: string;
  readonly reason: string;
  /**
   * `<area>: <title>` of the steps in which it shows, `*` for any text. None: it shows nearly
   * everywhere, and normalise.ts sets it aside.
   */
  readonly steps: readonly string[];
  /** Places of the answer, such as `body.status` or `header.warning`; `*` as above. */
  readonly places: readonly string[];
  /** When given, what we answer there, as JSON; `*` as above. */
  readonly ours?: string;
}

export const decided: readonly Decided[] = [
  {
    what: 'A Service carries the finalizer isthmus.dev/shards from its creation on.',
    reason:
      'It keeps the Service until its names are gone and the removal of its shards is ordered, as ' +
      'service.kubernetes.io/load-balancer-cleanup does in a cluster with a cloud.',
    steps: [],
    places: [],
  },
  {
    what: 'Descriptions of the columns of tables are in our own words.',
    reason: 'Nobody parses them, and the texts are not copied.',
    steps: ['*'],
    places: ['*columnDefinitions[*].description'],
  },
  {
    what: 'A deleted Service is answered with a deletionTimestamp, and is gone a moment later.',
    reason: 'The finalizer isthmus.dev/shards holds it until the removal of its shards is ordered.',
    steps: ['deletes: *', 'watches: *'],
    places: ['*metadata.deletionTimestamp', '*metadata.deletionGracePeriodSeconds'],
    ours: '*',
  },
];

export function explains(
  { steps, places, ours }: Decided,
  { area, step, place, ours: answered }: Difference,
): boolean {
  return (
    steps.some((pattern) => matches(pattern, `${area}: ${step}`)) &&
    places.some((pattern) => matches(pattern, place)) &&
    (ours === undefined || matches(ours, JSON.stringify(answered) ?? ''))
  );
}

function matches(pattern: string, text: string): boolean {
  const parts = pattern.split('*').map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`, 's').test(text);
}
