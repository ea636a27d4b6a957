// The DNS providers that this program has: each adapter, with what it needs of the process. None
// calls anybody before it is asked something.
//
// SDKs are large: loading one holds a thread for 150 ms and more. So what the log's DNSZones need is
// loaded before the API answers, and what nobody needs is not loaded; the first DNSZone of a kind
// that is made later costs that once.

import type { DnsZone } from '../common/model/dns-zone.ts';
import type { Base } from './base.ts';
import type { ObjectView } from './desired/store.ts';
import { loadCloudDnsLibrary } from './dns/provider/cloud-dns-auth.ts';
import { openCloudDns } from './dns/provider/cloud-dns.ts';
import { openRfc2136 } from './dns/provider/rfc2136.ts';
import { loadRoute53Sdk } from './dns/provider/route53-client.ts';
import { openRoute53 } from './dns/provider/route53.ts';
import type { OpenDnsProvider } from './dns/zones/options.ts';
import { zonesPrefix } from './dns/zones/zones.ts';

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

/** Call it before anybody is answered: each SDK is one long turn. */
export async function loadDnsSdks(desired: Pick<ObjectView, 'list'>): Promise<void> {
  const zones = [...desired.list(zonesPrefix)].map(({ object }) => object as DnsZone); // by prefix
  const providers = new Set(zones.map(({ spec }) => spec.provider));
  if (providers.has('Route53')) await loadRoute53Sdk();
  if (providers.has('CloudDNS')) await loadCloudDnsLibrary();
}
