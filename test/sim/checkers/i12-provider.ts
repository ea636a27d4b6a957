// I12 at the provider: once a holder of the term has changed the zone, no request of one before it
// changes it any more, however late it arrives; and the fence never goes back.

import { parseFence } from '../../../coordinator/dns/apply/step-fence.ts';
import { federation } from '../sim-coordinator.ts';
import { publicDomain, type SimProvider } from '../sim-provider.ts';
import type { Blame, Checker } from './checker.ts';

export function createFenceChecker(
  { provider }: { readonly provider: SimProvider },
  blame: Blame,
): Checker {
  // Holders in the order in which they took the term.
  const holders: string[] = [];
  let newest = { term: 0, seq: 0 };
  let latest = { rank: -1, by: '' };

  const checkFence = (): void => {
    const [set] = provider.zone.names.get(`_fedfence.${federation}.${publicDomain}`) ?? [];
    const fence = parseFence(set?.values[0] ?? '');
    if (fence === undefined) return;
    const isBack = fence.term < newest.term;
    if (isBack || (fence.term === newest.term && fence.seq < newest.seq)) {
      blame(
        `the fence went from term ${newest.term} seq ${newest.seq} back to ` +
          `term ${fence.term} seq ${fence.seq}`,
      );
    }
    newest = fence;
  };

  provider.onChange((by) => {
    const rank = holders.lastIndexOf(by);
    if (rank < latest.rank) blame(`a request of ${by} changed the zone after ${latest.by} had`);
    else latest = { rank, by };
    checkFence();
  });
  return {
    invariant: 'I12',
    onWritten: ({ resource, object }) => {
      if (resource !== 'terms') return;
      const { holder } = object.spec as { readonly holder: string };
      if (holders.at(-1) !== holder) holders.push(holder);
    },
  };
}
