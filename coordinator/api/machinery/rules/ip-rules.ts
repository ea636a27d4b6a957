// IP addresses and ranges as Kubernetes reads them: with the leading zeros that old releases
// allowed, and a warning where a later release will refuse. Pure.

import ipaddr from 'ipaddr.js';
import type { FieldError } from '../kind.ts';
import { invalidValue } from './field-errors.ts';

export type IpFamily = 'IPv4' | 'IPv6';

export interface ParsedIp {
  /** An IPv4-mapped IPv6 address counts as IPv4. */
  readonly family: IpFamily;
  readonly value: bigint;
  /** Canonical: dotted decimal, or RFC 5952. */
  readonly text: string;
  /** Written as no later release will accept it: leading zeros, or mapped into IPv6. */
  readonly isOutdated: boolean;
}

const dotted = /^\d{1,9}(\.\d{1,9}){3}$/;

/** As the parser that Kubernetes keeps for values of old: `010.0.0.1` is 10.0.0.1. */
export function parseIp(text: string): ParsedIp | undefined {
  if (dotted.test(text)) return parseDotted(text);
  if (!text.includes(':') || text.includes('%') || !ipaddr.IPv6.isValid(text)) return undefined;
  const address = ipaddr.IPv6.parse(text);
  if (address.isIPv4MappedAddress()) {
    const mapped = parseDotted(address.toIPv4Address().toString());
    return mapped === undefined ? undefined : { ...mapped, isOutdated: true };
  }
  const value = toValue(address.toByteArray());
  return { family: 'IPv6', value, text: address.toRFC5952String(), isOutdated: false };
}

function parseDotted(text: string): ParsedIp | undefined {
  const parts = text.split('.');
  const bytes = parts.map(Number);
  if (bytes.some((byte) => byte > 255)) return undefined;
  const isOutdated = parts.some((part) => part.length > 1 && part.startsWith('0'));
  return { family: 'IPv4', value: toValue(bytes), text: bytes.join('.'), isOutdated };
}

function toValue(bytes: readonly number[]): bigint {
  return bytes.reduce((value, byte) => value * 256n + BigInt(byte), 0n);
}

/** Canonical text of an address. */
export function formatIp(family: IpFamily, value: bigint): string {
  const count = family === 'IPv4' ? 4 : 16;
  const bytes = Array.from({ length: count }, (_, index) =>
    Number((value >> BigInt(8 * (count - 1 - index))) & 255n),
  );
  if (family === 'IPv4') return bytes.join('.');
  return new ipaddr.IPv6(bytes).toRFC5952String();
}

export interface ParsedCidr {
  readonly address: ParsedIp;
  /** Bits of the family in which the address is written: 32, or 128 also for a mapped one. */
  readonly width: number;
  readonly prefix: number;
  /** The network's address and length, canonical. */
  readonly text: string;
  readonly isOutdated: boolean;
}

// Of ::ffff:0:0/96, before the IPv4 address.
const mappedBits = 96;

export function parseCidr(text: string): ParsedCidr | undefined {
  const slash = text.indexOf('/');
  const address = slash < 0 ? undefined : parseIp(text.slice(0, slash));
  const bits = text.slice(slash + 1);
  if (address === undefined || !/^\d{1,9}$/.test(bits)) return undefined;
  const width = text.slice(0, slash).includes(':') ? 128 : 32;
  const prefix = Number(bits);
  if (prefix > width) return undefined;
  const isMapped = address.family === 'IPv4' && width === 128 && prefix >= mappedBits;
  return {
    address,
    width,
    prefix,
    // A mapped network is an IPv4 network.
    text: `${networkOf(address, width, prefix)}/${isMapped ? prefix - mappedBits : prefix}`,
    isOutdated: address.isOutdated || (bits.length > 1 && bits.startsWith('0')),
  };
}

function networkOf({ family, value }: ParsedIp, width: number, prefix: number): string {
  const hostBits = BigInt(width - prefix);
  return formatIp(family, (value >> hostBits) << hostBits);
}

const notAnIp = 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)';
const notACidr = 'must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)';

/** `known`: what was stored before; rules were tightened over time, so it is not judged again. */
export function validateIp(
  field: string,
  value: string,
  known: readonly string[] = [],
): readonly FieldError[] {
  if (known.includes(value) || parseIp(value) !== undefined) return [];
  return [invalidValue(field, value, notAnIp)];
}

export function validateCidr(
  field: string,
  value: string,
  known: readonly string[] = [],
): readonly FieldError[] {
  if (known.includes(value) || parseCidr(value) !== undefined) return [];
  return [invalidValue(field, value, notACidr)];
}

/** What may not be an external address. */
export function validateReachableIp(field: string, value: string): readonly FieldError[] {
  const parsed = parseIp(value);
  if (parsed === undefined) return [invalidValue(field, value, 'must be a valid IP address')];
  const details = [
    parsed.value === 0n ? `may not be unspecified (${value})` : undefined,
    isLoopback(parsed) ? 'may not be in the loopback range (127.0.0.0/8, ::1/128)' : undefined,
    isLinkLocal(parsed)
      ? 'may not be in the link-local range (169.254.0.0/16, fe80::/10)'
      : undefined,
    isLinkLocalMulticast(parsed)
      ? 'may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)'
      : undefined,
  ];
  return details.flatMap((detail) =>
    detail === undefined ? [] : [invalidValue(field, value, detail)],
  );
}

function isLoopback({ family, value }: ParsedIp): boolean {
  return family === 'IPv4' ? value >> 24n === 127n : value === 1n;
}

function isLinkLocal({ family, value }: ParsedIp): boolean {
  return family === 'IPv4' ? value >> 16n === 0xa9fen : value >> 118n === 0xfe80n >> 6n;
}

function isLinkLocalMulticast({ family, value }: ParsedIp): boolean {
  return family === 'IPv4'
    ? value >> 8n === 0xe00000n
    : value >> 120n === 0xffn && ((value >> 112n) & 0xfn) === 2n;
}

/** Why `value` should be written otherwise; undefined when it is fine, or no address at all. */
export function warnOfIp(field: string, value: string): string | undefined {
  const parsed = parseIp(value);
  if (parsed === undefined) return undefined;
  if (parsed.isOutdated) {
    const when = 'will be considered invalid in a future Kubernetes release';
    return `${field}: non-standard IP address "${value}" ${when}: use "${parsed.text}"`;
  }
  if (parsed.family === 'IPv4' || parsed.text === value) return undefined;
  const form = 'should be in RFC 5952 canonical format';
  return `${field}: IPv6 address "${value}" ${form} ("${parsed.text}")`;
}

export function warnOfCidr(field: string, value: string): readonly string[] {
  const parsed = parseCidr(value);
  if (parsed === undefined) return [];
  const { address, width, prefix, text } = parsed;
  const warnings: string[] = [];
  if (networkOf(address, width, prefix) !== address.text) {
    const single = `${address.text}/${width}`;
    const choice = `should be "${text}" or "${single}"?`;
    warnings.push(`${field}: CIDR value "${value}" is ambiguous in this context (${choice})`);
  }
  if (parsed.isOutdated) {
    const when = 'will be considered invalid in a future Kubernetes release';
    warnings.push(`${field}: non-standard CIDR value "${value}" ${when}: use "${text}"`);
  }
  const canonical = `${address.text}/${prefix}`;
  if (warnings.length === 0 && address.family === 'IPv6' && canonical !== value) {
    const form = 'should be in RFC 5952 canonical format';
    warnings.push(`${field}: IPv6 CIDR value "${value}" ${form} ("${canonical}")`);
  }
  return warnings;
}
