// Where the applier and the checks get the provider of a DNSZone: opened from its spec and Secret,
// and opened again when either changes, without a restart (coordinator/dns/zones).
//
//   - Ask for it before each call: who keeps one keeps former credentials.
//   - A provider that was replaced ends when its calls have; a later call on it is `unavailable`
//     (apply) or DNS_UNAVAILABLE, and nothing was sent.

import type { DnsProvider } from './provider.ts';

export interface ProviderSource {
  /** undefined: Embedded, unknown, or not to be opened; DnsZoneState.refusal says why. */
  provider(dnsZone: string): DnsProvider | undefined;
  /** Told when provider(dnsZone) is another one, or none. */
  subscribe(listener: (dnsZone: string) => void): () => void;
}
