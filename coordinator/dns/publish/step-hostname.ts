// The addresses of one load balancer that is a name, from look-ups one after another: what is
// published of them changes no faster than clients can follow. Input: what was known, what a look-up
// found. Output: what is known now. Pure.
//
//   F1. An address goes once two look-ups in a row lack it and others stand in its place: a balancer
//       that scales answers a part of its addresses at a time.
//   F2. A look-up that found nothing takes nothing away for ten minutes; then the name is published
//       as a name again.

export interface HostnameState {
  /** Sorted: what may be published. Empty: nothing is known (any more). */
  readonly addresses: readonly string[];
  /** Of those, the ones that the last look-up lacked. */
  readonly missing: readonly string[];
  /** Monotonic time of the last look-up that found any. */
  readonly foundMs: number;
}

export type Lookup =
  | {
      readonly kind: 'found';
      readonly addresses: readonly string[];
      readonly ttlSeconds: number;
      /** Nobody answered for the other family: what is known of it stands. */
      readonly isPartial?: boolean;
    }
  /** No such name, no address, or no answer. */
  | { readonly kind: 'nothing'; readonly message: string };

export const hostnameKeptMs = 600_000;

export function stepHostname(
  before: HostnameState | undefined,
  lookup: Lookup,
  nowMs: number,
): HostnameState {
  const known = before ?? { addresses: [], missing: [], foundMs: -Infinity };
  if (lookup.kind === 'nothing' || lookup.addresses.length === 0) {
    const isOld = nowMs - known.foundMs >= hostnameKeptMs;
    return isOld ? { ...known, addresses: [], missing: [] } : known; // F2
  }
  const now = new Set(lookup.addresses);
  const wereMissing = new Set(known.missing);
  const lacking = known.addresses.filter((it) => !now.has(it));
  if (lookup.isPartial === true) {
    const missing = lacking.filter((it) => wereMissing.has(it));
    return { addresses: [...new Set([...now, ...lacking])].sort(), missing, foundMs: nowMs };
  }
  const missing = lacking.filter((it) => !wereMissing.has(it)); // F1
  return { addresses: [...new Set([...now, ...missing])].sort(), missing, foundMs: nowMs };
}
