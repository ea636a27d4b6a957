// Which addresses a simulated cluster's controllers give to Pods and load balancers. Pure: from what is taken to what is next.
//
//   A1. An address that an object has stays with it; nothing here ever takes one away.
//   A2. No two Services share a load-balancer address, no two Pods an address.

import type { LoadBalancerIngress, Service } from '../../common/model/kube-object.ts';

export interface AddressRanges {
  /** Second octet of everything inside the cluster: 10.<octet>.0.0/16. */
  readonly octet: number;
  /** First three octets of its load balancers, such as `127.11.0`. */
  readonly loadBalancers: string;
  /** OpenStack's way: each load balancer has a private address beside the floating one. */
  readonly hasPrivateAddresses: boolean;
}

// Small ranges: a demo has a handful of Services, and a full range is then an error soon seen.
const hostsMax = 250;

/** The first free Pod address, or undefined when the range is used up. */
export function planPodIp(ranges: AddressRanges, taken: ReadonlySet<string>): string | undefined {
  return firstFree(`10.${ranges.octet}.128`, taken);
}

/** What a load balancer of this Service should say, or undefined when it is right already. */
export function planIngress(
  service: Service,
  ranges: AddressRanges,
  taken: ReadonlySet<string>,
): readonly LoadBalancerIngress[] | undefined {
  const current = service.status?.loadBalancer?.ingress ?? [];
  if (service.spec.type !== 'LoadBalancer') return current.length === 0 ? undefined : [];
  if (current.some(({ ip }) => ip?.startsWith(`${ranges.loadBalancers}.`) === true))
    return undefined;
  const ip = firstFree(ranges.loadBalancers, taken);
  if (ip === undefined) return undefined;
  const outside: LoadBalancerIngress = { ip, ipMode: 'VIP' };
  if (!ranges.hasPrivateAddresses) return [outside];
  const host = ip.slice(ip.lastIndexOf('.') + 1);
  return [{ ip: `10.${ranges.octet}.96.${host}`, ipMode: 'VIP' }, outside];
}

/** Every load-balancer address that Services have. */
export function addressesOf(services: readonly Service[]): ReadonlySet<string> {
  return new Set(
    services.flatMap(({ status }) =>
      (status?.loadBalancer?.ingress ?? []).flatMap(({ ip }) => ip ?? []),
    ),
  );
}

function firstFree(prefix: string, taken: ReadonlySet<string>): string | undefined {
  for (let host = 1; host <= hostsMax; host += 1) {
    const address = `${prefix}.${host}`;
    if (!taken.has(address)) return address;
  }
  return undefined;
}
