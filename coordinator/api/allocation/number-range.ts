// The two kinds of ranges that Services take from, each as offsets 0..size-1: addresses of a
// network, and ports. Input: a setting's text. Output: a range, or what is wrong with the text.

import { formatIp, parseCidr, type IpFamily, type ParsedIp } from '../machinery/rules/ip-rules.ts';

export interface AddressRange {
  readonly family: IpFamily;
  /** As configured, canonical: `198.18.0.0/16`. */
  readonly text: string;
  /** The network's own address, which is never given out. */
  readonly network: string;
  /** Addresses that may be given out. */
  readonly size: number;
  /** Of the front part that is given out last, left to people who choose an address. */
  readonly reserved: number;
  /** Undefined for an address outside of what may be given out. */
  offsetOf(ip: ParsedIp): number | undefined;
  addressAt(offset: number): string;
}

export interface PortRange {
  readonly text: string;
  readonly first: number;
  readonly size: number;
  readonly reserved: number;
}

// Smaller prefixes would need offsets beyond what a number holds; 2^24 addresses are enough.
const prefixes = { IPv4: { min: 8, max: 30 }, IPv6: { min: 80, max: 126 } } as const;

/** The range, or what is wrong with the text. */
export function parseAddressRange(text: string): AddressRange | string {
  const cidr = parseCidr(text);
  if (cidr === undefined || cidr.isOutdated) return `"${text}" is not a range such as 10.96.0.0/16`;
  const { family } = cidr.address;
  const { min, max } = prefixes[family];
  if (cidr.prefix < min || cidr.prefix > max) {
    return `"${text}": an ${family} range has a prefix from /${min} to /${max}`;
  }
  const hosts = 2 ** (cidr.width - cidr.prefix);
  // Without the network's address, and for IPv4 without that of the broadcast.
  const size = hosts - (family === 'IPv4' ? 2 : 1);
  const network = (cidr.address.value >> BigInt(cidr.width - cidr.prefix)) * BigInt(hosts);
  return {
    family,
    text: cidr.text,
    network: formatIp(family, network),
    size,
    reserved: reservedOf(hosts, { step: 16, max: 256 }),
    offsetOf: (ip) => {
      if (ip.family !== family) return undefined;
      const offset = ip.value - network - 1n;
      return offset >= 0n && offset < BigInt(size) ? Number(offset) : undefined;
    },
    addressAt: (offset) => formatIp(family, network + 1n + BigInt(offset)),
  };
}

const portMax = 65_535;

export function parsePortRange(text: string): PortRange | string {
  const [, low = '', high = ''] = /^(\d{1,5})-(\d{1,5})$/.exec(text) ?? [];
  const [first, last] = [Number(low), Number(high)];
  if (low === '' || first < 1 || last > portMax || last < first) {
    return `"${text}" is not a range of ports such as 30000-32767`;
  }
  const size = last - first + 1;
  return { text, first, size, reserved: reservedOf(size, { step: 32, max: 128 }) };
}

/** KEP-3070: never less than 16, never more than `max`, a step of the size between. */
function reservedOf(size: number, { step, max }: { readonly step: number; readonly max: number }) {
  const least = 16;
  return size <= least ? 0 : Math.min(Math.max(least, Math.floor(size / step)), max);
}
