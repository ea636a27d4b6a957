// The DNS providers that this program has: each adapter, with what it needs of the process. None
// loads its SDK, or calls anybody, before it is asked something.

import type { Base } from './base.ts';
import { openCloudDns } from './dns/provider/cloud-dns.ts';
import { openRfc2136 } from './dns/provider/rfc2136.ts';
import { openRoute53 } from './dns/provider/route53.ts';
import type { OpenDnsProvider } from './dns/zones/options.ts';

export function createDnsProviders(ports: Pick<Base, 'clock' | 'chance' | 'log'>): OpenDnsProvider {
  const { clock, log } = ports;
  return (opening) => {
    switch (opening.kind) {
      case 'Route53':
        return Promise.resolve(openRoute53({ ...opening, clock, log }));
      case 'CloudDNS':
        return Promise.resolve(openCloudDns({ ...opening, clock, log }));
      case 'RFC2136':
        return Promise.resolve(openRfc2136({ ...opening, ...ports }));
    }
  };
}
