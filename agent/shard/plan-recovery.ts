// What an agent held, read from the shards themselves: for a start with an empty data folder (on
// another node), while the coordinator may be away. Pure.
//
//   R1. Only what bears a federation's mark and a content that fits its hash and its own name: a
//       copy of a shard under another name is nobody's shard.
//   R2. A shard whose removal was ordered and waits is ordered away still, not wished for.
//   R3. What the agent holds already stays as it is: the data folder is newer than the marks.

import {
  toClusterName,
  toContentHash,
  toRevision,
  toServiceKey,
  type ServiceKey,
} from '../../common/model/ids.ts';
import type { Service } from '../../common/model/kube-object.ts';
import type { RemovalOrder, Shard } from '../../common/model/shard.ts';
import {
  federationOf,
  removalOrderMark,
  shardContentMark,
  shardHashMark,
} from '../../common/pure/shard-marks.ts';
import { decodeShard } from './decode.ts';

export interface Recovered {
  readonly shards: readonly Shard[];
  readonly orders: readonly RemovalOrder[];
}

/** Sorted by key. */
export function planRecovery(
  services: Iterable<Service>,
  options: {
    readonly federation: string;
    readonly isHeld: (key: ServiceKey) => boolean;
  },
): Recovered {
  const shards: Shard[] = [];
  const orders: RemovalOrder[] = [];
  for (const service of services) {
    const { namespace = '', name, annotations = {} } = service.metadata;
    const key = toServiceKey({ namespace, name });
    if (federationOf(service) !== options.federation || options.isHeld(key)) continue; // R3
    const order = toOrder(key, annotations[removalOrderMark]);
    const shard = order === undefined ? toShard(key, annotations) : undefined; // R2
    if (order !== undefined) orders.push(order);
    if (shard !== undefined) shards.push(shard);
  }
  return { shards: shards.sort(byKey), orders: orders.sort(byKey) };
}

/** The federation that most shards here are of; undefined when there is none. */
export function findFederation(services: Iterable<Service>): string | undefined {
  const counts = new Map<string, number>();
  for (const service of services) {
    const federation = federationOf(service);
    if (federation !== undefined) counts.set(federation, (counts.get(federation) ?? 0) + 1);
  }
  const [most] = [...counts].sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1));
  return most?.[0];
}

function toShard(
  key: ServiceKey,
  annotations: Readonly<Record<string, string>>,
): Shard | undefined {
  const content = annotations[shardContentMark];
  const hash = annotations[shardHashMark];
  if (content === undefined || hash === undefined) return undefined;
  const shard = { key, bytes: Buffer.from(content, 'utf8'), hash: toContentHash(hash) };
  return decodeShard(shard).kind === 'wish' ? shard : undefined; // R1
}

/** Whose orders they are needs no name: they stand in the cluster that they are for. */
const here = toClusterName('here');

function toOrder(key: ServiceKey, text: string | undefined): RemovalOrder | undefined {
  const revision = Number(/^delete (\d{1,16})$/.exec(text ?? '')?.[1] ?? Number.NaN);
  if (!Number.isSafeInteger(revision)) return undefined;
  return { key, cluster: here, mode: 'delete', revision: toRevision(revision) };
}

function byKey(a: { readonly key: ServiceKey }, b: { readonly key: ServiceKey }): number {
  return a.key < b.key ? -1 : 1;
}
