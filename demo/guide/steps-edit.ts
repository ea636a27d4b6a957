// The guide, fourth part: edits reach every shard, hand-made changes are repaired, the state is
// shown at a glance, and deletion leaves what it should: nothing, or the shards alone.

import { federationContext } from '../clusters.ts';
import { everyNameIs, fetchText, oneLine, portsOf } from './steps-create.ts';
import { recoveryMs } from './steps-health.ts';
import { seen, StepFailure, type Step } from './step.ts';
import { publicAddressOf, type ServiceView, type World } from './world.ts';

const handEdited = 'gce-us-central1-f';
const unplaced = 'openstack-regionone';
const absent = 'aws-us-east-1a';
const editMs = 20_000;
// The records' TTL of 60 s, and what it takes to notice.
const leaveMs = 80_000;
const manifest = 'examples/services/nginx.yaml';

export const editSteps: readonly Step[] = [
  {
    title: 'a label edit reaches every shard',
    run: async (world) => {
      await world.federation('label', '--overwrite', 'service', 'nginx', 'tier=web');
      return everyShard(world, (shard) => {
        const tier = shard?.metadata.labels?.['tier'];
        return seen(tier === 'web', `tier=${tier ?? 'absent'}`);
      });
    },
  },
  {
    title: 'a port edit reaches every shard and its load balancer',
    run: async (world) => {
      await patchPort(world, 8080);
      const shards = await everyShard(world, (shard) =>
        seen(portsOf(shard) === '8080', `ports ${portsOf(shard)}`),
      );
      const [address = '?'] = (await world.addresses()).values();
      const answer = await world.eventually(editMs, () => answers(`http://${address}:8080/`));
      await patchPort(world, 80);
      await everyShard(world, (shard) => seen(portsOf(shard) === '80', `ports ${portsOf(shard)}`));
      await world.eventually(recoveryMs, () => world.dnsShows(namesOf(world)));
      return `${shards}; ${answer}`;
    },
  },
  {
    title: 'a hand edit of a shard is repaired',
    run: async (world) => {
      const edit = JSON.stringify({ spec: { selector: { run: 'edited-by-hand' } } });
      await world.member(handEdited, ['patch', 'service', 'nginx', '--type=merge', '-p', edit]);
      return world.eventually(editMs, async () => {
        const run = (await world.nginxIn(handEdited))?.spec.selector?.['run'];
        return seen(run === 'nginx', `selector run=${run ?? 'absent'} in ${handEdited}`);
      });
    },
  },
  {
    title: 'a shard deleted by hand is made again, and DNS is whole again',
    run: async (world) => {
      const old = (await world.nginxIn(handEdited))?.metadata.uid;
      await world.member(handEdited, ['delete', 'service', 'nginx', '--timeout=10s']);
      const made = await world.eventually(editMs, async () => {
        const shard = await world.nginxIn(handEdited);
        const isNew =
          shard !== undefined && shard.metadata.uid !== old && publicAddressOf(shard) !== undefined;
        return seen(isNew, `uid ${old ?? '?'} -> ${shard?.metadata.uid ?? 'none'}`);
      });
      return `${made}; ${await world.eventually(recoveryMs, () => world.dnsShows(namesOf(world)))}`;
    },
  },
  {
    title: 'a policy takes one cluster out: it leaves DNS at once, and no name leads nowhere',
    run: async (world) => {
      const rest = namesOf(world).filter((name) => name !== unplaced);
      await world.member(federationContext, ['create', '-f', '-'], policyFor(rest));
      const dns = await world.eventually(editMs, () => world.dnsShows(rest));
      const shard = await world.nginxIn(unplaced);
      if (shard === undefined) throw new StepFailure(`${dns}, but its shard went before the TTL`);
      return `${dns}; its shard stays for those who still know its address`;
    },
  },
  {
    title: 'get clusters, serviceshards and dnsrecordsets show the state at a glance',
    run: async ({ federation, clusters, demo }) => {
      const tables = await Promise.all(
        ['clusters', 'serviceshards', 'dnsrecordsets'].map((kind) => federation('get', kind)),
      );
      const [inClusters = '', inShards = '', inRecords = ''] = tables;
      const missing = clusters.filter(
        ({ name }) => !inClusters.includes(name) || !inShards.includes(name),
      );
      if (missing.length > 0 || !inRecords.includes(`svc.${demo.domain}`))
        throw new StepFailure(tables.map(oneLine).join(' || '));
      return tables
        .map((table) => `${rowsOf(table)} rows under ${oneLine(table.split('\n', 1)[0] ?? '')}`)
        .join('; ');
    },
  },
  {
    title: 'events say what happened',
    run: async (world) =>
      world.eventually(editMs, async () => {
        const text = await world.federation(
          'get',
          'events',
          '-o',
          'jsonpath={range .items[*]}{.reason}{"\\n"}{end}',
        );
        const reasons = [
          ...new Set(
            text
              .trim()
              .split('\n')
              .filter((reason) => reason !== ''),
          ),
        ].sort();
        return seen(reasons.length > 0, reasons.length === 0 ? 'no event' : reasons.join(', '));
      }),
  },
  {
    title: 'one TTL later its shard goes, and its Pods get the nearest other',
    run: async (world) => {
      const rest = namesOf(world).filter((name) => name !== unplaced);
      const addresses = await world.addresses();
      const gone = await world.eventually(leaveMs, () => shardIsGone(world, unplaced));
      const pods = await world.eventually(editMs, async () => {
        const answer = await world.resolve(unplaced, `nginx.default.${world.demo.federation}`);
        const isRemote = rest.some((name) => answer.includes(addresses.get(name) ?? '?'));
        return seen(isRemote, `a Pod of ${unplaced} gets ${answer}`);
      });
      await world.federation('delete', 'servicepolicy', 'nginx');
      await world.eventually(recoveryMs, () => world.dnsShows(namesOf(world)));
      return `${gone}; ${pods}`;
    },
  },
  {
    title: 'delete --cascade=orphan keeps the shards and removes every record',
    run: async (world) => {
      await world.federation('delete', 'service', 'nginx', '--cascade=orphan', '--timeout=20s');
      const dns = await world.eventually(editMs, () => everyNameIs(world, 'NXDOMAIN'));
      await world.eventually(editMs, () => noneLeft(world));
      const kept = await everyShard(world, (shard) =>
        seen(shard !== undefined, shard === undefined ? 'gone' : 'kept'),
      );
      return `${kept}; ${dns}`;
    },
  },
  {
    title: 'create again: the orphans are adopted and every record is back',
    run: async (world) => {
      await world.federation('create', '-f', manifest);
      return world.eventually(recoveryMs, () => world.dnsShows(namesOf(world)));
    },
  },
  {
    title: 'delete removes every shard and every record, at an absent cluster when it returns',
    run: async (world) => {
      await world.ctl('kill', `${absent}/agent`);
      try {
        await world.federation('delete', 'service', 'nginx', '--timeout=20s');
        const dns = await world.eventually(editMs, () => everyNameIs(world, 'NXDOMAIN'));
        const present = namesOf(world).filter((name) => name !== absent);
        for (const name of present) await world.eventually(editMs, () => shardIsGone(world, name));
        await world.ctl('start', `${absent}/agent`);
        const late = await world.eventually(editMs, () => shardIsGone(world, absent));
        return `${dns}; gone in ${present.join(', ')}; ${late}`;
      } finally {
        // It runs already unless something above went wrong.
        await world.ctl('start', `${absent}/agent`).catch(() => undefined);
      }
    },
  },
  {
    title: 'nothing is left',
    run: async (world) => world.eventually(editMs, () => noneLeft(world)),
  },
];

function namesOf(world: World): readonly string[] {
  return world.clusters.map(({ name }) => name);
}

async function shardIsGone(world: World, cluster: string): Promise<ReturnType<typeof seen>> {
  const isGone = (await world.nginxIn(cluster)) === undefined;
  return seen(isGone, `shard in ${cluster}: ${isGone ? 'gone' : 'still there'}`);
}

function policyFor(clusters: readonly string[]): string {
  return JSON.stringify({
    apiVersion: 'isthmus.dev/v1alpha1',
    kind: 'ServicePolicy',
    metadata: { name: 'nginx' },
    spec: { serviceName: 'nginx', placement: { clusters } },
  });
}

async function everyShard(
  world: World,
  check: (shard: ServiceView | undefined) => ReturnType<typeof seen>,
): Promise<string> {
  const found = await Promise.all(
    namesOf(world).map((name) =>
      world.eventually(editMs, async () => {
        const { ok, saw } = check(await world.nginxIn(name));
        return seen(ok, `${name}: ${saw}`);
      }),
    ),
  );
  return found.join('; ');
}

async function patchPort(world: World, port: number): Promise<void> {
  const patch = JSON.stringify([{ op: 'replace', path: '/spec/ports/0/port', value: port }]);
  await world.federation('patch', 'service', 'nginx', '--type=json', '-p', patch);
}

async function answers(url: string): Promise<ReturnType<typeof seen>> {
  try {
    return seen(true, `${url} says "${await fetchText(url)}"`);
  } catch (error) {
    return seen(false, String(error));
  }
}

async function noneLeft(world: World): Promise<ReturnType<typeof seen>> {
  const texts = await Promise.all(
    ['serviceshards', 'dnsrecordsets'].map((kind) =>
      world.federation('get', kind, '--no-headers', '--ignore-not-found'),
    ),
  );
  const rows = texts.map((text) => rowsOf(text, 0));
  return seen(
    rows.every((count) => count === 0),
    `${rows[0] ?? 0} serviceshards, ${rows[1] ?? 0} dnsrecordsets left`,
  );
}

function rowsOf(table: string, headers = 1): number {
  return (
    table.split('\n').filter((row) => row.trim() !== '').length -
    (table.trim() === '' ? 0 : headers)
  );
}
