// Which addresses may stand in public DNS and may be probed.

import ipaddr from 'ipaddr.js';

export interface AddressRules {
  /** Lifts the rules for loopback addresses: the demo and tests only. */
  readonly allowLoopback: boolean;
  /** Of a private zone: RFC 1918, shared (RFC 6598) and unique local (RFC 4193) addresses too. */
  readonly allowPrivate?: boolean;
}

/** IPv4 or IPv6 literal in canonical text form, or undefined. */
export function parseAddress(text: string): string | undefined {
  return parse(text)?.toString();
}

/**
 * Only what has one meaning everywhere: `010.0.0.1` is 8.0.0.1 to some and 10.0.0.1 to others
 * (RFC 6943 3.1.1), and an address with a zone (RFC 4007) means nothing to anybody else.
 */
function parse(text: string): ReturnType<typeof ipaddr.parse> | undefined {
  const isLiteral = text.includes(':')
    ? !text.includes('%') && ipaddr.IPv6.isValid(text)
    : ipaddr.IPv4.isValidFourPartDecimal(text);
  return isLiteral ? ipaddr.parse(text) : undefined;
}

export function addressFamily(address: string): 4 | 6 {
  return address.includes(':') ? 6 : 4;
}

const privateRanges: ReadonlySet<string> = new Set(['private', 'carrierGradeNat', 'uniqueLocal']);

/** True when clients out on the internet can be sent to `address`. */
export function isPublishable(address: string, rules: AddressRules): boolean {
  return toPublishable(address, rules) !== undefined;
}

/** Canonical text form of an address that clients can be sent to, or undefined. */
export function toPublishable(text: string, rules: AddressRules): string | undefined {
  const address = parse(text);
  if (address === undefined) return undefined;
  return isAllowed(address.range(), rules) ? address.toString() : undefined;
}

function isAllowed(range: string, rules: AddressRules): boolean {
  if (range === 'unicast') return true;
  if (range === 'loopback') return rules.allowLoopback;
  return rules.allowPrivate === true && privateRanges.has(range);
}
