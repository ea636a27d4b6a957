// The guide, third part: agents, API servers, whole clusters and our own processes die, hang and
// come back. Each step undoes its own damage, also when it fails.

import { annotateReady, resolvesTo, resolvesToCluster } from './steps-health.ts';
import { seen, StepFailure, type Step } from './step.ts';
import type { World } from './world.ts';

const [a, f, aws, openstack] = [
  'gce-us-central1-a',
  'gce-us-central1-f',
  'aws-us-east-1a',
  'openstack-regionone',
];
const all = [a, f, aws, openstack];
const dnsMs = 20_000;
const verdictMs = 30_000;
// Longer than a dead cluster stays in DNS (goal: 5 s), so that unchanged means something.
const watchMs = 8_000;

export const failureSteps: readonly Step[] = [
  {
    title: 'an agent is killed: Ready=Unknown, and DNS does not change',
    run: (world) =>
      between(
        world,
        () => world.ctl('kill', `${aws}/agent`),
        () => world.ctl('start', `${aws}/agent`),
        async () => {
          const [dns, condition] = await Promise.all([
            world.steadily(watchMs, () => world.dnsShows(all)),
            world.eventually(verdictMs, () => readyConditionIs(world, aws, 'Unknown')),
          ]);
          return `${condition}; ${dns}`;
        },
      ),
  },
  {
    title: 'the agent starts again: Ready=True',
    run: (world) => world.eventually(verdictMs, () => readyConditionIs(world, aws, 'True')),
  },
  {
    title: 'an API server hangs: DNS does not change',
    run: (world) =>
      between(
        world,
        () => world.ctl('stop', f),
        () => world.ctl('cont', f),
        () => world.steadily(watchMs, () => world.dnsShows(all)),
      ),
  },
  {
    title: 'a whole cluster dies: withdrawn from DNS',
    run: async (world) => {
      await world.ctl('kill', aws);
      await world.ctl('kill', `${aws}/agent`);
      return world.eventually(verdictMs, () => world.dnsShows([a, f, openstack]));
    },
  },
  {
    title: 'the cluster returns: back in DNS',
    run: async (world) => {
      await world.ctl('start', aws);
      await world.ctl('start', `${aws}/agent`);
      return world.eventually(verdictMs, () => world.dnsShows(all));
    },
  },
  {
    title: 'the coordinator is killed: Pods still find local shards, and remote ones',
    run: (world) =>
      between(
        world,
        () => world.ctl('kill', 'coordinator'),
        () => world.ctl('start', 'coordinator'),
        async () => {
          const local = await localAnswer(world, openstack);
          await annotateReady(world, f, 'false');
          try {
            return `${local}; ${await resolvesToCluster(world, f, a)}`;
          } finally {
            await annotateReady(world, f, 'true');
          }
        },
      ),
  },
  {
    title: 'the coordinator is back: DNS answers for all that is healthy',
    run: (world) => world.eventually(dnsMs, () => world.dnsShows(all)),
  },
  {
    title: 'an acknowledged write survives kill -9 of the coordinator, and DNS does not change',
    run: async (world) => {
      await world.federation(
        'label',
        '--overwrite',
        'service',
        'nginx',
        'written-before=the-crash',
      );
      await world.ctl('kill', 'coordinator');
      await world.ctl('start', 'coordinator');
      const dns = await world.steadily(3_000, () => world.dnsShows(all));
      const text = await world.federation(
        'get',
        'service',
        'nginx',
        '-o',
        'jsonpath={.metadata.labels}',
      );
      if (!text.includes('the-crash')) throw new StepFailure(`labels after the restart: ${text}`);
      const shard = await world.eventually(dnsMs, async () => {
        const label = (await world.nginxIn(f))?.metadata.labels?.['written-before'];
        return seen(label === 'the-crash', `shard in ${f}: written-before=${label ?? 'absent'}`);
      });
      return `${shard}; ${dns}`;
    },
  },
  {
    title: 'nats-server is killed: DNS does not change, and news flow again when it is back',
    run: async (world) => {
      await world.ctl('kill', 'nats');
      const dns = await world.steadily(watchMs, () => world.dnsShows(all));
      const back = await world.ctl('start', 'nats');
      await annotateReady(world, openstack, 'false');
      const gone = await world
        .eventually(dnsMs, () => world.dnsShows([a, f, aws]))
        .finally(() => annotateReady(world, openstack, 'true'));
      await world.eventually(dnsMs, () => world.dnsShows(all));
      return `${dns}; ${back}; ${gone}`;
    },
  },
];

async function between(
  world: World,
  damage: () => Promise<string>,
  repair: () => Promise<string>,
  look: () => Promise<string>,
): Promise<string> {
  await world.addresses(); // asked while everybody can answer
  await damage();
  try {
    return await look();
  } finally {
    await repair();
  }
}

async function localAnswer(world: World, cluster: string): Promise<string> {
  const clusterIp = (await world.nginxIn(cluster))?.spec.clusterIP ?? '?';
  const name = 'nginx.default.myfederation';
  return world.eventually(dnsMs, () => resolvesTo(world, cluster, name, `A ${clusterIp}`));
}

async function readyConditionIs(
  world: World,
  cluster: string,
  wanted: string,
): Promise<ReturnType<typeof seen>> {
  const path = 'jsonpath={.status.conditions[?(@.type=="Ready")]}';
  const text = await world.federation('get', 'cluster', cluster, '-o', path);
  const ready =
    text === '' ? {} : (JSON.parse(text) as { status?: string; reason?: string; message?: string });
  const saw = `${cluster} Ready=${ready.status ?? 'absent'} (${ready.reason ?? ''}: ${ready.message ?? ''})`;
  return seen(ready.status === wanted, saw);
}
