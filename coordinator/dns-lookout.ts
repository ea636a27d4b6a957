// Who the coordinator asks to look at the delegation of its zones: the resolver of the settings,
// else the first one of the system.

import { getServers } from 'node:dns';
import { isIPv6 } from 'node:net';
import { parseHostPort, type HostPort } from '../common/pure/host-port.ts';
import type { Chance } from '../common/runtime/chance.ts';
import type { Clock } from '../common/runtime/clock.ts';
import { createDnsClient } from '../common/runtime/dns-client.ts';
import type { SettingValues } from '../common/runtime/settings.ts';
import type { DnsLookout } from './dns/check/loop.ts';

const dnsPort = 53;

export function createDnsLookout(options: {
  readonly settings: SettingValues;
  readonly clock: Clock;
  readonly chance: Chance;
}): DnsLookout {
  const resolver = options.settings.address('dns-resolver') ?? systemResolver();
  return { ask: createDnsClient(options), resolver };
}

/** As resolv.conf names it: an address, with a port only where it is another one. */
function systemResolver(): HostPort {
  const [first = '127.0.0.1'] = getServers();
  const withPort = parseHostPort(first);
  return withPort !== undefined && !isIPv6(first) ? withPort : { host: first, port: dnsPort };
}
