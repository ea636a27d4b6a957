// The federation's virtual addresses and ports: what clients of the API expect every Service to
// have. No member cluster ever hears of them (placement strips them).
//
// Input: the ranges, and Services of the log. Output: claims, each for one write.
//
//   A3. The log is the only truth of what is taken: it is folded at start, and with every record
//       that comes. A crash leaves nothing behind, a delete frees what it had.
//   A4. One replica gives out at a time: a write that takes something names the term as its
//       fence, and a replica that takes the term has folded all that was given out before.

import { toLogPrefix } from '../../../common/model/ids.ts';
import type { KubeObject } from '../../../common/model/kube-object.ts';
import type { Chance } from '../../../common/runtime/chance.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import { follow, type Desired } from '../../desired/store.ts';
import type { Fence } from '../machinery/allocated.ts';
import { parseIp, type IpFamily } from '../machinery/rules/ip-rules.ts';
import { isRecord, own, ownList, ownRecord, toJsonObject } from '../machinery/schema/json-value.ts';
import type { AddressRange, PortRange } from './number-range.ts';
import { OffsetPool } from './offset-pool.ts';

export interface PoolRanges {
  /** One for each family, the primary first; none: Services get no address. */
  readonly addresses: readonly AddressRange[];
  readonly ports: PortRange;
}

/** Why a value cannot be had, in the words of Kubernetes' allocators. */
export interface Refusal {
  readonly why: string;
}

/** What one write takes. Every value is held for it until it is settled. */
export interface Claim {
  /** The address asked for, or any of the family. */
  takeAddress(family: IpFamily, asked: string): string | Refusal;
  /** The port asked for; 0 for any. */
  takePort(asked: number): number | Refusal;
  /** Once, at the end of the write; `isKnown` is false when the store gave no answer. */
  settle(isKnown: boolean): void;
  /** The term (A4), once something was taken. */
  fence(): Fence | undefined;
}

export interface ServicePools {
  /** Families in which Services get addresses, the primary first. Never empty. */
  readonly families: readonly IpFamily[];
  /** False: Services get no address, only ports. */
  readonly hasAddresses: boolean;
  /** A dry run takes nothing and sees Kubernetes' previews: the network's own address. */
  claim(options: { readonly isDryRun: boolean }): Claim;
  close(): void;
}

export interface ServicePoolsOptions {
  readonly ranges: PoolRanges;
  readonly desired: Desired;
  readonly clock: Clock;
  readonly chance: Chance;
  /** The lease holder's term; undefined where there can be no second replica. */
  readonly term?: { guard(): Fence };
}

const taken = 'provided port is already allocated';

interface Pools {
  readonly options: ServicePoolsOptions;
  readonly addresses: ReadonlyMap<IpFamily, { range: AddressRange; pool: OffsetPool }>;
  readonly ports: OffsetPool;
}

/** Folds the log, once over all Services, then with each change. The caller closes it. */
export function createServicePools(options: ServicePoolsOptions): ServicePools {
  const { ranges, desired, chance, clock } = options;
  const toPool = ({ size, reserved }: { readonly size: number; readonly reserved: number }) =>
    new OffsetPool({ size, reserved, chance, nowMs: () => clock.now() });
  const pools: Pools = {
    options,
    addresses: new Map(
      ranges.addresses.map((range) => [range.family, { range, pool: toPool(range) }]),
    ),
    ports: toPool(ranges.ports),
  };
  const following = follow(desired, toLogPrefix('', 'services'), (event) => {
    if (event.previous !== undefined) count(pools, event.previous.object, 'disown');
    if (event.kind !== 'deleted') count(pools, event.current.object, 'own');
  });
  const [primary = 'IPv4', ...others] = ranges.addresses.map(({ family }) => family);
  return {
    families: [primary, ...others],
    hasAddresses: ranges.addresses.length > 0,
    claim: ({ isDryRun }) => (isDryRun ? toPreview(pools) : toClaim(pools)),
    close: () => following.cancel(),
  };
}

/** What a stored Service has, counted in or out. */
function count(pools: Pools, service: KubeObject, how: 'own' | 'disown'): void {
  const spec = ownRecord(toJsonObject(service), 'spec');
  for (const address of new Set(ownList(spec, 'clusterIPs').map(String))) {
    const ip = parseIp(address);
    const found = ip === undefined ? undefined : pools.addresses.get(ip.family);
    const offset = ip === undefined ? undefined : found?.range.offsetOf(ip);
    if (offset !== undefined) found?.pool[how](offset);
  }
  const ports = [
    ...ownList(spec, 'ports').map((port) => (isRecord(port) ? own(port, 'nodePort') : undefined)),
    own(spec, 'healthCheckNodePort'),
  ];
  for (const port of new Set(ports)) {
    const offset = typeof port === 'number' ? toPortOffset(pools, port) : undefined;
    if (offset !== undefined) pools.ports[how](offset);
  }
}

function toPortOffset({ options }: Pools, port: number): number | undefined {
  const { first, size } = options.ranges.ports;
  return port >= first && port < first + size ? port - first : undefined;
}

function toClaim(pools: Pools): Claim {
  const held: { readonly pool: OffsetPool; readonly offset: number }[] = [];
  const hold = (pool: OffsetPool, offset: number): boolean => {
    if (!pool.hold(offset)) return false;
    held.push({ pool, offset });
    return true;
  };
  const holdAny = (pool: OffsetPool): number | undefined => {
    const offset = pool.holdAny();
    if (offset !== undefined) held.push({ pool, offset });
    return offset;
  };
  return {
    takeAddress: (family, asked) => {
      const found = pools.addresses.get(family);
      if (found === undefined) return asked === '' ? noRange(family) : asked;
      const { range, pool } = found;
      if (asked === '') {
        const offset = holdAny(pool);
        return offset === undefined ? { why: 'range is full' } : range.addressAt(offset);
      }
      const offset = findOffset(range, asked);
      if (typeof offset !== 'number') return offset;
      return hold(pool, offset) ? asked : { why: 'provided IP is already allocated' };
    },
    takePort: (asked) => {
      const { first } = pools.options.ranges.ports;
      if (asked === 0) {
        const offset = holdAny(pools.ports);
        return offset === undefined ? { why: 'range is full' } : first + offset;
      }
      const offset = toPortOffset(pools, asked);
      if (offset === undefined) return { why: outOfRange(pools) };
      return hold(pools.ports, offset) ? asked : { why: taken };
    },
    settle: (isKnown) => {
      for (const { pool, offset } of held.splice(0)) pool.release(offset, isKnown);
    },
    fence: () => (held.length === 0 ? undefined : pools.options.term?.guard()),
  };
}

function noRange(family: IpFamily): Refusal {
  return { why: `no range of ${family} addresses is configured` };
}

function findOffset(range: AddressRange, asked: string): number | Refusal {
  const ip = parseIp(asked);
  const offset = ip === undefined ? undefined : range.offsetOf(ip);
  // Kubernetes 1.34, which has several ranges, says no more than this.
  return offset ?? { why: 'the provided network does not match the current range' };
}

function outOfRange({ options }: Pools): string {
  const why = 'provided port is not in the valid range. The range of valid ports is';
  return `${why} ${options.ranges.ports.text}`;
}

// Just above the range that most servers have: the preview that Kubernetes shows.
const previewPort = 32_769;

function toPreview(pools: Pools): Claim {
  const ports: number[] = [];
  return {
    takeAddress: (family, asked) => {
      const range = pools.addresses.get(family)?.range;
      if (range === undefined) return asked === '' ? noRange(family) : asked;
      if (asked === '') return range.network;
      if (typeof findOffset(range, asked) === 'number') return asked;
      // In a dry run Kubernetes 1.34 asks one range, and so can name it.
      const why = `the provided IP (${asked}) is not in the valid range`;
      return { why: `${why}. The range of valid IPs is ${range.text}` };
    },
    takePort: (asked) => {
      const port = asked === 0 ? Math.max(previewPort - 1, ...ports) + 1 : asked;
      const offset = toPortOffset(pools, port);
      const isTaken = offset !== undefined && pools.ports.isTaken(offset);
      if (asked !== 0 && (isTaken || ports.includes(port))) return { why: taken };
      ports.push(port);
      return port;
    },
    settle: () => undefined,
    fence: () => undefined,
  };
}
