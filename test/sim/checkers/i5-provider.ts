// I4, I5, I12 at the provider, in every state that the zone has: no CNAME leads nowhere or stands
// beside anything, what others keep there is as it was, and the fence never goes back.

import { parseFence } from '../../../coordinator/dns/apply/step-fence.ts';
import { publicDomain, strangers, type SimProvider } from '../sim-provider.ts';
import { federation } from '../sim-coordinator.ts';
import type { Blame, Checker } from './checker.ts';

export function createProviderChecker(
  options: { readonly provider: SimProvider },
  blame: Blame,
): Checker {
  const { zone, isThere } = options.provider;
  let newest = { term: 0, seq: 0 };

  const checkFence = (): void => {
    const [set] = zone.names.get(`_fedfence.${federation}.${publicDomain}`) ?? [];
    const fence = parseFence(set?.values[0] ?? '');
    if (fence === undefined) return;
    const isLater = fence.term > newest.term || fence.seq >= newest.seq;
    if (fence.term < newest.term || !isLater) {
      blame(`the fence went from term ${newest.term} back to ${fence.term}`);
    }
    newest = fence;
  };

  const checkNames = (): void => {
    for (const [name, sets] of zone.names) {
      const [alias] = sets.flatMap(({ type, values }) => (type === 'CNAME' ? values : []));
      if (alias === undefined) continue;
      if (sets.length > 1) blame(`${name} has a CNAME beside others at the provider`);
      if (alias.endsWith(`.${publicDomain}`) && !zone.names.has(alias)) {
        blame(`${name} leads to ${alias} at the provider, which is not there`);
      }
    }
  };

  const checkStrangers = (): void => {
    for (const set of strangers) {
      if (zone.names.get(set.name)?.[0] !== set) blame(`${set.name} of others was changed`);
    }
  };

  if (isThere) {
    zone.onChange = () => {
      checkFence();
      checkNames();
      checkStrangers();
    };
  }
  return { invariant: 'I5' };
}
