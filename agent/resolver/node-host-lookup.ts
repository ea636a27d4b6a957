// HostLookup over the system's DNS servers (c-ares): A and AAAA with their TTL.

import { Resolver } from 'node:dns/promises';
import { MeshError } from '../../common/pure/errors.ts';
import type { HostAddresses, HostLookup } from './host-lookup.ts';

export function createNodeHostLookup(): HostLookup {
  return { lookup };
}

async function lookup(hostname: string, deadlineMs: number): Promise<HostAddresses> {
  const resolver = new Resolver({ timeout: deadlineMs, tries: 1 });
  const [v4, v6] = await Promise.allSettled([
    resolver.resolve4(hostname, { ttl: true }),
    resolver.resolve6(hostname, { ttl: true }),
  ]);
  const records = [v4, v6].flatMap((result) => (result.status === 'fulfilled' ? result.value : []));
  if (records.length === 0) {
    const cause: unknown = v4.status === 'rejected' ? v4.reason : undefined;
    throw new MeshError('retryable', 'HOST_LOOKUP', `looking up ${hostname}`, cause);
  }
  return {
    addresses: records.map(({ address }) => address).sort(),
    ttlSeconds: Math.min(...records.map(({ ttl }) => ttl)),
  };
}
