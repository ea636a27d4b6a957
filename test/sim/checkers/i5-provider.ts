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
      if (alias.endsWith(`.${publicDomain}`) && !names.has(alias)) {
        blame(`${name} leads to ${alias} at the provider, which is not there`);
      }
    }
  });
  return { invariant: 'I5' };
}
