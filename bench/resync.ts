// What a reconnect costs: bytes and time of an agent's new session when nothing changed while it was
// away, when a part did, and when it holds nothing at all. The agent runs in this process, against a
// coordinator of its own process.

import { createNatsLoginKeeper, type NatsLoginKeeper } from '../agent/session/nats-login.ts';
import { toServiceKey, type ServiceKey } from '../common/model/ids.ts';
import type { KubeObject } from '../common/model/kube-object.ts';
import { systemChance } from '../common/runtime/chance.ts';
import { sleep, systemClock } from '../common/runtime/clock.ts';
import { silentLog } from '../common/runtime/log.ts';
import { parseListenAddress, type Address } from '../common/runtime/settings.ts';
import type { BenchContext } from './context.ts';
import { startCoordinator } from './coordinator-process.ts';
import { createMemoryTables, startLightAgent, type LightAgent } from './light-agent.ts';
import { makeClusters } from './make-clusters.ts';
import { noteConditions, type Report } from './report.ts';
import { toNumberSetting, type BenchDefinition } from './settings.ts';
import { sharedMs } from './shared-clock.ts';
import { countSockets } from './socket-counting.ts';
import { summarize } from './statistics.ts';
import type { WorkerCluster } from './worker-messages.ts';

interface Command {
  readonly services: number;
  readonly percent: number;
  readonly rounds: number;
}

export const resync: BenchDefinition = {
  name: 'resync',
  summary: 'Bytes and time of a reconnect on which nothing, a little or everything changed.',
  settings: [
    toNumberSetting('services', 1_000, [1, 20_000], 'Services that the cluster has shards of.'),
    toNumberSetting('percent', 1, [1, 100], 'Of them that change while the agent is away.'),
    toNumberSetting('rounds', 10, [1, 100], 'Reconnects of each kind.'),
  ],
  measure: (values, context) => {
    const of = (name: string): number => values.number(name) ?? 0; // all have defaults
    const command = { services: of('services'), percent: of('percent'), rounds: of('rounds') };
    return measureResync(command, context);
  },
};

const atOnce = 16;
const withinMs = 300_000;
const lookMs = 5;
// Afterwards nothing but pings: what belongs to the return has come by then.
const quietMs = 500;
const namespace = 'default';
const services = { apiVersion: 'v1', plural: 'services', namespace } as const;

interface Return {
  readonly tookMs: number;
  readonly written: number;
  readonly read: number;
}

async function measureResync(command: Command, context: BenchContext): Promise<Report> {
  const { say } = context;
  const conditions = noteConditions(systemClock);
  say('starting the coordinator');
  const { kube, mesh } = await startCoordinator(context);
  const world = new World(mesh, (await makeClusters(kube, 1))[0]);
  context.lifecycle.onClose({ name: 'agent', close: () => world.leave() });
  await world.comeBack(() => true);
  const changing = Math.max(1, Math.round((command.services * command.percent) / 100));
  say(`creating ${command.services} Services`);
  await inBatches(command.services, (index) => kube.create(services, toService(index)));
  await world.until(({ record }) => count(record.keys()) >= command.services);
  const rounds = async (title: string, run: () => Promise<Return>): Promise<readonly Return[]> => {
    say(`${command.rounds} returns: ${title}`);
    const all: Return[] = [];
    for (let round = 0; round < command.rounds; round += 1) all.push(await run());
    return all;
  };
  const same = await rounds('nothing changed', async () => {
    await world.leave();
    return world.comeBack(() => true);
  });
  let version = 0;
  const few = await rounds(`${changing} changed`, async () => {
    await world.leave();
    version += 1;
    await inBatches(changing, (index) =>
      kube.mergePatch(
        services,
        nameOf(index),
        { metadata: { labels: { version: `v${version}` } } },
        'bench',
      ),
    );
    return world.comeBack((agent) => holdsVersion(agent, changing, `v${version}`));
  });
  const all = await rounds('holding nothing', async () => {
    await world.leave();
    await world.forgetShards();
    return world.comeBack(({ record }) => count(record.keys()) >= command.services);
  });
  return toReport(command, conditions(), { same, few, all });
}

function toReport(
  command: Command,
  conditions: Report['conditions'],
  { same, few, all }: Readonly<Record<'same' | 'few' | 'all', readonly Return[]>>,
): Report {
  const titles = ['nothing changed', `${command.percent} % changed`, 'holding nothing'] as const;
  const kinds = [same, few, all].map((returns, index) => ({ title: titles[index] ?? '', returns }));
  const median = (of: keyof Return, returns: readonly Return[]): number =>
    Math.round(summarize(returns.map((one) => one[of]))?.p50 ?? Number.NaN);
  return {
    bench: resync.name,
    settings: { ...command },
    conditions,
    measures: kinds.map(({ title, returns }) => ({
      name: `dial -> in sync, ${title}`,
      summary: summarize(returns.map(({ tookMs }) => tookMs)),
    })),
    facts: Object.fromEntries(
      kinds.flatMap(({ title, returns }) => [
        [`${title}: bytes from the coordinator, median`, median('read', returns)],
        [`${title}: bytes to the coordinator, median`, median('written', returns)],
      ]),
    ),
  };
}

class World {
  readonly #cluster: WorkerCluster;
  readonly #coordinator: Address;
  readonly #port: string;
  readonly #counts = countSockets();
  /** As long as the agent's process lives: only its sessions end. */
  readonly #natsLogin: NatsLoginKeeper;
  #tables = createMemoryTables();
  #agent: LightAgent | undefined;

  constructor(mesh: string, cluster: WorkerCluster | undefined) {
    const address = parseListenAddress(mesh);
    if (address === undefined || cluster === undefined) throw new Error(`no address: ${mesh}`);
    this.#coordinator = address;
    this.#port = String(address.port);
    this.#cluster = cluster;
    this.#natsLogin = createNatsLoginKeeper({
      cluster: cluster.name,
      clock: systemClock,
      chance: systemChance,
      log: silentLog,
    });
  }

  async leave(): Promise<void> {
    await this.#agent?.stop();
    this.#agent = undefined;
  }

  /** Identity and welcome stay: the agent lost its shards only. */
  async forgetShards(): Promise<void> {
    const former = this.#tables;
    this.#tables = createMemoryTables();
    const kept = [...former.load('facts')].filter(
      ([name]) => name !== 'viewRevision' && name !== 'receipt',
    );
    await this.#tables.commit(kept.map(([key, value]) => ({ table: 'facts', key, value })));
  }

  async comeBack(isInSync: (agent: LightAgent) => boolean): Promise<Return> {
    const before = this.#now();
    const startMs = sharedMs();
    let openedMs = 0;
    const agent = await startLightAgent({
      cluster: this.#cluster,
      coordinator: this.#coordinator,
      tables: this.#tables,
      natsLogin: this.#natsLogin,
      onOpen: () => void (openedMs ||= sharedMs()),
      clock: systemClock,
      chance: systemChance,
    });
    this.#agent = agent;
    await agent.joined();
    await this.until(isInSync);
    const syncedMs = isInSync(agent) ? Math.max(openedMs, sharedMs()) : 0;
    await sleep(systemClock, quietMs);
    const after = this.#now();
    return {
      tookMs: syncedMs - startMs,
      written: after.written - before.written,
      read: after.read - before.read,
    };
  }

  async until(isSo: (agent: LightAgent) => boolean): Promise<void> {
    const until = systemClock.monotonicMs() + withinMs;
    while (this.#agent === undefined || !isSo(this.#agent)) {
      if (systemClock.monotonicMs() > until) throw new Error('the agent does not come in sync');
      await sleep(systemClock, lookMs);
    }
  }

  #now(): { readonly written: number; readonly read: number } {
    return this.#counts()[this.#port] ?? { written: 0, read: 0 };
  }
}

function holdsVersion({ record }: LightAgent, changing: number, version: string): boolean {
  const label = `"version":"${version}"`;
  for (let index = 0; index < changing; index += 1) {
    const key = toKey(index);
    const bytes = record.shard(key)?.bytes;
    if (bytes === undefined || !Buffer.from(bytes).toString('utf8').includes(label)) return false;
  }
  return true;
}

async function inBatches(total: number, run: (index: number) => Promise<unknown>): Promise<void> {
  const indexes = Array.from({ length: total }, (_, index) => index).values();
  const work = async (): Promise<void> => {
    for (const index of indexes) await run(index);
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, total) }, work));
}

function count(items: Iterable<unknown>): number {
  let found = 0;
  for (const _item of items) found += 1;
  return found;
}

function nameOf(index: number): string {
  return `resync-${index}`;
}

function toKey(index: number): ServiceKey {
  return toServiceKey({ namespace, name: nameOf(index) });
}

function toService(index: number): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: nameOf(index), labels: { run: nameOf(index) } },
    spec: {
      type: 'LoadBalancer',
      selector: { run: nameOf(index) },
      ports: [{ name: 'http', port: 80, protocol: 'TCP', targetPort: 80 }],
    },
  };
}
