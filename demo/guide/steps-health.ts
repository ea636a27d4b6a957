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

export const healthSteps: readonly Step[] = [
  {
    title: 'the Pod of one zone becomes unready: its name is a CNAME to the region',
    run: async (world) => {
      await annotateReady(world, f, 'false');
      return world.eventually(dnsMs, () => world.dnsShows([a, aws, openstack]));
    },
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
      return world.eventually(dnsMs, () => world.dnsShows(all));
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
  {
    title: 'a Pod of a cluster without a healthy shard gets the nearest one: same region first',
    run: (world) => withUnready(world, a, () => resolvesToCluster(world, a, f)),
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

/** Makes a cluster's Pod unready for the time of `look`, and waits until DNS is whole again. */
export async function withUnready(
  world: World,
  cluster: string,
  look: () => Promise<string>,
): Promise<string> {
  await annotateReady(world, cluster, 'false');
  try {
    return await look();
  } finally {
    await annotateReady(world, cluster, 'true');
    await world.eventually(dnsMs, () => world.dnsShows(all));
  }
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
