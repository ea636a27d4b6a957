// Networks as people write them (192.0.2.0/24, 2001:db8::/32), and whether an address is in one.

import ipaddr from 'ipaddr.js';

export interface Networks {
  /** Also of an IPv4 address in its IPv6 form (::ffff:192.0.2.1). False for what is no address. */
  has(address: string): boolean;
}

/** Texts that are no network are left out: they were refused where they were written. */
export function toNetworks(texts: readonly string[]): Networks {
  const networks = texts.flatMap((text) => (isNetwork(text) ? [parseNetwork(text)] : []));
  return {
    has: (text) => {
      if (!ipaddr.isValid(text)) return false;
      const address = ipaddr.process(text);
      return networks.some(
        ([base, bits]) => base.kind() === address.kind() && address.match(base, bits),
      );
    },
  };
}

type Network = ReturnType<typeof ipaddr.parseCIDR>;

/** Of IPv4 addresses in their IPv6 form (::ffff:192.0.2.0/120) those of IPv4: so askers are read. */
function parseNetwork(text: string): Network {
  const [base, bits] = ipaddr.parseCIDR(text);
  const mapped = bits >= mappedBits ? ipaddr.process(base.toString()) : base;
  return mapped.kind() === base.kind() ? [base, bits] : [mapped, bits - mappedBits];
}

const mappedBits = 96;

export function isNetwork(text: string): boolean {
  return ipaddr.isValidCIDR(text);
}
