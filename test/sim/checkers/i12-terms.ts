// I12. What only the lease holder writes is written by the holder of the newest term: whoever was
// deposed is fenced.

import type { Written } from '../sim-store.ts';
import type { Blame, Checker } from './checker.ts';

const holdersOnly = new Set([
  'publications',
  'dnsapplied',
  'dnsbatches',
  'placements',
  'removalorders',
]);

export function createTermsChecker(blame: Blame): Checker {
  let holder = '';
  return {
    invariant: 'I12',
    onWritten: ({ resource, key, object, by }: Written) => {
      if (resource === 'terms') {
        holder = (object.spec as { readonly holder: string }).holder;
      } else if (holdersOnly.has(resource) && by !== holder) {
        blame(`${by} wrote ${key} while ${holder} holds the term`);
      }
    },
  };
}
