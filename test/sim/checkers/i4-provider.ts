// I4 at the provider: what others keep in the zone is as it was in every state that the zone has,
// also at a name that one of our Services would have.

import type { SimProvider } from '../sim-provider.ts';
import type { Blame, Checker } from './checker.ts';

export function createStrangersChecker(
  { provider }: { readonly provider: SimProvider },
  blame: Blame,
): Checker {
  provider.onChange(() => {
    for (const set of provider.strangers) {
      const isThere = provider.zone.names.get(set.name)?.includes(set) === true;
      if (!isThere) blame(`${set.name} ${set.type} of others was changed at the provider`);
    }
  });
  return { invariant: 'I4' };
}
