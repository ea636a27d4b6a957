// Looks up the addresses of a load balancer that is a name, at the resolver that the coordinator
// asks.

import type { Asked } from '../common/runtime/dns-client.ts';
import type { DnsLookout } from './dns/check/loop.ts';
import type { LookUpHostname } from './dns/publish/hostname-table.ts';

const noError = 0;

export function createHostnameLookup({ ask, resolver }: DnsLookout): LookUpHostname {
  return async (name) => {
    const asked = await Promise.all(
      (['A', 'AAAA'] as const).map((type) =>
        ask({ server: resolver, name, type, isRecursive: true }).then((one) => ({ type, one })),
      ),
    );
    // Aliases on the way come with the answer; only their ends are addresses.
    const found = asked.flatMap(({ type, one }) =>
      one.kind === 'answer' ? one.answer.answers.filter((record) => record.type === type) : [],
    );
    if (found.length === 0) return { kind: 'nothing', message: whyNot(asked.map((it) => it.one)) };
    const ttlSeconds = Math.min(...found.map((record) => record.ttlSeconds));
    const addresses = found.map(({ value }) => value);
    const isPartial = asked.some(
      ({ one }) => one.kind === 'silent' || one.answer.rcode !== noError,
    );
    return { kind: 'found', addresses, ttlSeconds, ...(isPartial ? { isPartial } : {}) };
  };
}

function whyNot(asked: readonly Asked[]): string {
  const silent = asked.find((one) => one.kind === 'silent');
  return silent?.message ?? 'it has neither A nor AAAA records';
}
