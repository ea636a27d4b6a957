// The ranges of the federation's virtual addresses and ports, from settings.

import type { PoolRanges } from './service-pools.ts';
import { parseAddressRange, parsePortRange, type AddressRange } from './number-range.ts';

/**
 * Of the block that nobody routes (RFC 2544, RFC 6890): a virtual address that a person tries in
 * a pod reaches nothing, never a Service of that cluster with the same number.
 */
export const defaultAddressRange = '198.18.0.0/16';
/** Kubernetes' own. */
export const defaultPortRange = '30000-32767';

const none = 'none';

/** The ranges, or what is wrong with the texts: `<setting>: <reason>`. */
export function parsePoolRanges(texts: {
  /** One range, or two of different families with a comma; `none` for no addresses. */
  readonly addresses?: string | undefined;
  readonly ports?: string | undefined;
}): PoolRanges | string {
  const addresses = parseFamilies(texts.addresses ?? defaultAddressRange);
  if (typeof addresses === 'string') return `service-cluster-ip-range: ${addresses}`;
  const ports = parsePortRange(texts.ports ?? defaultPortRange);
  if (typeof ports === 'string') return `service-node-port-range: ${ports}`;
  return { addresses, ports };
}

function parseFamilies(text: string): readonly AddressRange[] | string {
  if (text === none) return [];
  const ranges: AddressRange[] = [];
  for (const part of text.split(',')) {
    const range = parseAddressRange(part.trim());
    if (typeof range === 'string') return range;
    if (ranges.some(({ family }) => family === range.family)) {
      return `"${text}" has two ranges of ${range.family}; give one of each family`;
    }
    ranges.push(range);
  }
  return ranges;
}
