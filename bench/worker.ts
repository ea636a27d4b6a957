// A worker process of the bench: runs its part of the agents, and tells the bench when each of
// their clusters has a Service. It ends when told to, or when the bench is gone.

import { systemChance } from '../common/runtime/chance.ts';
import { systemClock } from '../common/runtime/clock.ts';
import { describeError } from '../common/runtime/log.ts';
import { parseListenAddress } from '../common/runtime/settings.ts';
import { startLightAgent } from './light-agent.ts';
import { sharedMs } from './shared-clock.ts';
import { startBenchAgent, type BenchAgent } from './worker-agent.ts';
import type { Applied, FromWorker, Opened, ToWorker } from './worker-messages.ts';

const agents: BenchAgent[] = [];
let pending: Applied[] = [];
let opened: Opened[] = [];

function tell(message: FromWorker): void {
  process.send?.(message);
}

/** One message for all that came in one turn: telling must not disturb what is measured. */
function note(applied: Applied): void {
  if (pending.length === 0) {
    setImmediate(() => {
      tell({ kind: 'applied', applied: pending });
      pending = [];
    });
  }
  pending.push(applied);
}

function noteOpened(one: Opened): void {
  if (opened.length === 0) {
    setImmediate(() => {
      tell({ kind: 'opened', opened });
      opened = [];
    });
  }
  opened.push(one);
}

async function start({
  coordinator,
  dataDir,
  isLight,
  wave,
  clusters,
}: ToWorker & { readonly kind: 'start' }): Promise<void> {
  const address = parseListenAddress(coordinator);
  if (address === undefined) throw new Error(`no address: ${coordinator}`);
  for (const [index, cluster] of clusters.entries()) {
    if (wave !== undefined && index % wave === 0)
      await Promise.all(agents.map((agent) => agent.joined()));
    if (isLight) {
      const onOpen = (): void => noteOpened({ cluster: cluster.name, atMs: sharedMs() });
      const runtime = { clock: systemClock, chance: systemChance };
      agents.push(await startLightAgent({ cluster, coordinator: address, onOpen, ...runtime }));
      continue;
    }
    const assigned = new Map<string, number>();
    const agent = await startBenchAgent({
      cluster,
      coordinator: address,
      dataDir,
      onAssigned: (key) => {
        if (!assigned.has(key)) assigned.set(key, sharedMs());
      },
      onService: (key) => {
        const atMs = sharedMs();
        const assignedMs = assigned.get(key) ?? atMs;
        note({ cluster: cluster.name, service: key, assignedMs, atMs });
      },
      clock: systemClock,
      chance: systemChance,
    });
    agents.push(agent);
  }
  await Promise.all(agents.map((agent) => agent.joined()));
  tell({ kind: 'joined', clusters: clusters.map(({ name }) => name) });
}

function tellUsage(): void {
  const { user, system } = process.cpuUsage();
  const rssMiB = Math.round(process.memoryUsage.rss() / 2 ** 20);
  tell({ kind: 'usage', cpuMs: Math.round((user + system) / 1000), rssMiB });
}

async function stop(): Promise<void> {
  await Promise.all(agents.map((agent) => agent.stop()));
}

function fail(error: unknown): void {
  tell({ kind: 'failed', why: describeError(error) });
}

process.on('message', (message: ToWorker) => {
  switch (message.kind) {
    case 'start':
      return void start(message).catch(fail);
    case 'tell-usage':
      return tellUsage();
    case 'stop':
      return void stop()
        .catch(fail)
        .finally(() => process.exit(0));
  }
});
process.on('disconnect', () => process.exit(0)); // the bench is gone
process.on('SIGINT', () => undefined); // Ctrl-C reaches the whole group; the bench decides
