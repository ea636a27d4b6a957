// I5 at the provider, in every state that the zone has: no CNAME leads nowhere or stands beside
// anything.

import { publicDomain, type SimProvider } from '../sim-provider.ts';
import type { Blame, Checker } from './checker.ts';

export function createProviderChecker(
  { provider }: { readonly provider: SimProvider },
  blame: Blame,
): Checker {
  const { names } = provider.zone;
  provider.onChange(() => {
    for (const [name, sets] of names) {
      const [alias] = sets.flatMap(({ type, values }) => (type === 'CNAME' ? values : []));
      if (alias === undefined) continue;
      if (sets.length > 1) blame(`${name} has a CNAME beside others at the provider`);
      // What a hand took away until we put it back is not our doing.
      const isLeading = names.get(alias)?.some(({ type }) => type !== 'TXT') === true;
      if (isLeading || provider.hand.isGone(alias)) continue;
      if (alias.endsWith(`.${publicDomain}`)) {
        blame(`${name} leads to ${alias} at the provider, which is not there`);
      }
    }
  });
  return { invariant: 'I5' };
}
