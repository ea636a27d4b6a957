// The guide, second part: Pods come and go, and names lead to the nearest healthy shard, for
// clients outside and for Pods.

import { runPod } from './steps-create.ts';
import { seen, type Step } from './step.ts';
import type { World } from './world.ts';

const [a, f, aws, openstack] = [
  'gce-us-central1-a',
  'gce-us-central1-f',
  'aws-us-east-1a',
  'openstack-regionone',
];
const all = [a, f, aws, openstack];
const dnsMs = 20_000;
// A shard that was away more than once is held out for a while: each time twice as long.
export const recoveryMs = 45_000;

export const healthSteps: readonly Step[] = [
  {
    title: 'the Pod of one zone becomes unready: its name is a CNAME to the region',
    run: async (world) => {
      await annotateReady(world, f, 'false');
      return world.eventually(dnsMs, () => world.dnsShows([a, aws, openstack]));
    },
  },
  {
    title: 'a Pod of that zone gets the nearest healthy shard: same region first',
    run: (world) => resolvesToCluster(world, f, a),
  },
  {
    title: 'the other zone of the region loses its Pod: the region is a CNAME to the global name',
    run: async (world) => {
      await world.member(a, ['delete', 'pod', 'nginx', '--timeout=10s']);
      return world.eventually(dnsMs, () => world.dnsShows([aws, openstack]));
    },
  },
  {
    title: 'the Pods recover: A records again',
    run: async (world) => {
      await Promise.all([annotateReady(world, f, 'true'), runPod(world, a)]);
      return world.eventually(recoveryMs, () => world.dnsShows(all));
    },
  },
  {
    title: 'no Pod is ready anywhere: the global name keeps every address (fail open)',
    run: async (world) => {
      await Promise.all(all.map((cluster) => annotateReady(world, cluster, 'false')));
      try {
        return await world.eventually(dnsMs, () => world.dnsShows([]));
      } finally {
        await Promise.all(all.map((cluster) => annotateReady(world, cluster, 'true')));
        await world.eventually(recoveryMs, () => world.dnsShows(all));
      }
    },
  },
  {
    title: 'a Pod of a cluster with a healthy shard gets its local cluster IP',
    run: async (world) => {
      const local = (await world.nginxIn(a))?.spec.clusterIP ?? '?';
      const found = await Promise.all(
        ['nginx.default.myfederation', 'nginx.default.myfederation.svc.cluster.local'].map((name) =>
          world.eventually(dnsMs, () => resolvesTo(world, a, name, `A ${local}`)),
        ),
      );
      return found.join('; ');
    },
  },
];

export async function annotateReady(
  world: World,
  cluster: string,
  ready: 'true' | 'false',
): Promise<void> {
  const annotation = `demo.isthmus.dev/ready=${ready}`;
  await world.member(cluster, ['annotate', '--overwrite', 'pod', 'nginx', annotation]);
}

/** In `asker`, the federated name leads to the load balancer of `target`. */
export async function resolvesToCluster(
  world: World,
  asker: string,
  target: string,
): Promise<string> {
  const address = (await world.addresses()).get(target) ?? '?';
  const name = 'nginx.default.myfederation';
  return world.eventually(dnsMs, () => resolvesTo(world, asker, name, `A ${address}`));
}

export async function resolvesTo(
  world: World,
  asker: string,
  name: string,
  wanted: string,
): Promise<ReturnType<typeof seen>> {
  const answer = await world.resolve(asker, name);
  return seen(
    answer === wanted,
    `${asker} asks ${name} -> ${answer}${answer === wanted ? '' : `, wanted ${wanted}`}`,
  );
}
