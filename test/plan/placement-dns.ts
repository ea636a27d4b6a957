// A stand-in for the dns stage: publishes what the placement view wants, of shards that are
// healthy, as coordinator/dns/publish/plan.ts decides it for one region.

import { toRevision } from '../../common/model/ids.ts';
import type { Publication } from '../../common/model/publication.ts';
import {
  readPublication,
  toPublicationKey,
  toPublicationObject,
} from '../../common/pure/publication-object.ts';
import { nginx, serviceAt, type PlacementWorld } from './placement-world.ts';

const zone = 'example.com';
const addressOf = (name: string): string => `192.0.2.${name.charCodeAt(0)}`;

/** Until nothing changes, or `isOnce`. `healthy`: clusters whose shards are. */
export async function publish(
  world: PlacementWorld,
  healthy: readonly string[],
  { isOnce = false }: { readonly isOnce?: boolean } = {},
): Promise<void> {
  const at = toPublicationKey(nginx, zone);
  for (;;) {
    await world.settle();
    const stored = world.desired().get(at);
    const isGone = world.desired().get(serviceAt('nginx')) === undefined;
    const next = isGone ? undefined : toPublicationObject(plan(world, healthy));
    if (JSON.stringify(next?.spec) === JSON.stringify(stored?.object.spec)) return;
    const expected = stored?.revision ?? toRevision(0);
    await world.desired().write({ key: at, object: next, expected });
    if (isOnce) return;
  }
}

function plan(world: PlacementWorld, healthy: readonly string[]): Publication {
  const placement = world.placement();
  const shards = placement.clustersOf(nginx).map((cluster) => {
    const { isDrained } = placement.traffic(cluster, nginx);
    const isHealthy = healthy.includes(cluster);
    return {
      cluster,
      zones: [],
      region: undefined,
      state: isHealthy ? ('healthy' as const) : ('notReady' as const),
      reason: '',
      sinceMs: 0,
      addresses: [addressOf(cluster)],
      hostnames: [],
      inDns: isHealthy && !isDrained,
      ...(isDrained ? { isDrained } : {}),
    };
  });
  const values = shards.filter(({ inDns }) => inDns).map(({ cluster }) => addressOf(cluster));
  const name = `nginx.web.myfederation.svc.${zone}`;
  const set = { name, type: 'A' as const, ttlSeconds: 60, values, level: 'global' as const };
  return {
    key: nginx,
    serviceUid: '',
    zone,
    recordSets: values.length === 0 ? [] : [set],
    shards,
    everHealthy: true,
    reason: 'Published',
    message: '',
  };
}

/** Clusters that DNS leads to. */
export function publishedFor(world: PlacementWorld): readonly string[] {
  const stored = world.desired().get(toPublicationKey(nginx, zone));
  return (readPublication(stored?.object)?.shards ?? [])
    .filter(({ inDns }) => inDns)
    .map(({ cluster }) => cluster);
}
