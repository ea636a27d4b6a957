// The settings of the embedded DNS server's door: how much one network may ask.

import { isNetwork } from '../../common/pure/networks.ts';
import type { Setting, SettingValues } from '../../common/runtime/settings.ts';

// Behind an address translation every asker has a private address, and none can be told apart.
const exemptByDefault =
  '127.0.0.0/8,::1/128,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,100.64.0.0/10,fc00::/7';

export const dnsSettings: readonly Setting[] = [
  {
    name: 'dns-listen',
    kind: 'address',
    default: '127.0.0.1:8053',
    description: 'Embedded DNS zone, UDP and TCP.',
  },
  {
    name: 'dns-rate-limit',
    kind: 'number',
    default: '500',
    min: 0,
    max: 1_000_000,
    description:
      'Answers a second over UDP to one /24 or /56, so that nobody is flooded by way of us; beyond it, every second question is sent to TCP and the others get nothing. 0: no limit.',
  },
  {
    name: 'dns-rate-exempt',
    kind: 'list',
    default: exemptByDefault,
    description: 'Networks without that limit.',
  },
];

/** What is wrong with them, or undefined. */
export function checkDnsSettings(values: SettingValues): string | undefined {
  const wrong = values.list('dns-rate-exempt').find((text) => !isNetwork(text));
  return wrong === undefined
    ? undefined
    : `--dns-rate-exempt: "${wrong}" is not a network such as 192.0.2.0/24 or 2001:db8::/32`;
}

export function rateLimitOf(values: SettingValues) {
  return {
    perSecond: values.number('dns-rate-limit') ?? 0,
    exempt: values.list('dns-rate-exempt'),
  };
}
