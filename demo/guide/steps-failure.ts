// The guide, third part: agents, API servers, whole clusters and our own processes die, hang and
// come back. Each step undoes its own damage, also when it fails.

import { annotateReady, recoveryMs, resolvesTo, resolvesToCluster } from './steps-health.ts';
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
    title: 'an API server hangs: the cluster is shown as stale, and DNS does not change',
    run: (world) =>
      between(
        world,
        () => world.ctl('stop', f),
        () => world.ctl('cont', f),
        async () => {
          const [dns, condition] = await Promise.all([
            world.steadily(watchMs, () => world.dnsShows(all)),
            world.eventually(verdictMs, () => readyConditionIs(world, f, 'Unknown')),
          ]);
          return `${condition}; ${dns}`;
        },
      ),
  },
  {
    title:
      'one hung cluster delays no other: an edit reaches the rest at once, and it when it wakes',
    run: async (world) => {
      const others = await between(
        world,
        () => world.ctl('stop', openstack),
        () => world.ctl('cont', openstack),
        async () => {
          await labelService(world, 'hung', 'one');
          return labelReaches(world, [a, f, aws], 'hung', 'one', 5_000);
        },
      );
      return `${others}; then ${await labelReaches(world, [openstack], 'hung', 'one', verdictMs)}`;
    },
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
      return world.eventually(recoveryMs, () => world.dnsShows(all));
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
    run: (world) => world.eventually(recoveryMs, () => world.dnsShows(all)),
  },
  {
    title: 'an acknowledged write survives kill -9 of the coordinator, and DNS does not change',
    run: async (world) => {
      await labelService(world, 'written-before', 'the-crash');
      await world.ctl('kill', 'coordinator');
      await world.ctl('start', 'coordinator');
      const dns = await world.steadily(3_000, () => world.dnsShows(all));
      const path = 'jsonpath={.metadata.labels}';
      const text = await world.federation('get', 'service', 'nginx', '-o', path);
      if (!text.includes('the-crash')) throw new StepFailure(`labels after the restart: ${text}`);
      const shard = await labelReaches(world, all, 'written-before', 'the-crash', dnsMs);
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
      await world.eventually(recoveryMs, () => world.dnsShows(all));
      return `${dns}; ${back}; ${gone}`;
    },
  },
  {
    title: 'every process is killed and started again in turn: the state is the same in the end',
    run: async (world) => {
      const before = await identities(world);
      const parts = [...all.flatMap((name) => [name, `${name}/agent`]), 'coordinator', 'nats'];
      for (const part of parts) {
        await world.ctl('kill', part);
        await world.ctl('start', part);
      }
      for (const name of all) {
        await world.eventually(verdictMs, () => readyConditionIs(world, name, 'True'));
      }
      const dns = await world.eventually(recoveryMs, () => world.dnsShows(all));
      const after = await identities(world);
      if (after !== before) throw new StepFailure(`shards before: ${before}, after: ${after}`);
      return `${parts.length} processes; ${dns}; the same shards`;
    },
  },
];

async function labelService(world: World, name: string, value: string): Promise<void> {
  await world.federation('label', '--overwrite', 'service', 'nginx', `${name}=${value}`);
}

async function labelReaches(
  world: World,
  clusters: readonly string[],
  name: string,
  value: string,
  withinMs: number,
): Promise<string> {
  await Promise.all(
    clusters.map((cluster) =>
      world.eventually(withinMs, async () => {
        const label = (await world.nginxIn(cluster))?.metadata.labels?.[name];
        return seen(label === value, `${cluster}: ${name}=${label ?? 'absent'}`);
      }),
    ),
  );
  return `${name}=${value} in ${clusters.join(', ')}`;
}

/** Which objects the shards are, and what they say. */
async function identities(world: World): Promise<string> {
  const shards = await Promise.all(
    all.map(async (name) => {
      const { metadata, spec } = (await world.nginxIn(name)) ?? {};
      return `${name} ${metadata?.uid ?? 'none'} ${JSON.stringify(spec)}`;
    }),
  );
  return shards.join('; ');
}

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
