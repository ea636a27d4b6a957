// The coordinator as a process of the bench, on free ports, with its own nats-server, and what it
// uses of the machine. Adapter (child process, HTTP).

import { join } from 'node:path';
import type { JsonObject } from '../common/model/kube-object.ts';
import { systemChance } from '../common/runtime/chance.ts';
import { systemClock } from '../common/runtime/clock.ts';
import type { KubeClient } from '../common/runtime/kube-client.ts';
import { connectFederation } from '../demo/federation-api.ts';
import { isAlive, signalIfThere } from '../demo/leftovers.ts';
import { natsPid } from '../demo/nats-process.ts';
import { createPart, type PartProgram } from '../demo/part.ts';
import { takePorts } from '../demo/ports.ts';
import type { BenchContext } from './context.ts';
import { sharedMs } from './shared-clock.ts';

export interface CoordinatorProcess {
  /** host:port for agents. */
  readonly mesh: string;
  /** URL of its metrics and health. */
  readonly admin: string;
  readonly kube: KubeClient;
  readonly kubeconfig: string;
  /** Coordinator and nats-server. */
  readonly pids: readonly number[];
  /** kill -9 of both, then a start on the same data and ports; resolves with sharedMs() of each. */
  restart(): Promise<{ readonly killedMs: number; readonly readyMs: number }>;
}

export interface Usage {
  readonly cpuMs: number;
  readonly rssMiB: number;
}

const endMs = 4_000;

/** Ends with the lifecycle of `context`. `started`: what else its process is given. */
export async function startCoordinator(
  context: BenchContext,
  started: Pick<PartProgram, 'nodeArgs' | 'env'> = {},
): Promise<CoordinatorProcess> {
  const { dir, natsServer, lifecycle, say } = context;
  const dataDir = join(dir, 'coordinator');
  const listens = await takeListens();
  const natsPidPath = join(dataDir, 'nats', 'nats.pid');
  const part = createPart(
    {
      ...started,
      name: 'coordinator',
      script: 'coordinator/main.js',
      logPath: join(dir, 'coordinator.log'),
      args: ['--data-dir', dataDir, '--nats-server', natsServer, '--allow-loopback', ...listens],
    },
    { clock: systemClock, onUnexpectedEnd: (how) => say(`the coordinator ended (${how})`) },
  );
  lifecycle.onClose({
    name: 'coordinator',
    close: async () => {
      const nats = natsPid(natsPidPath);
      await part.end(endMs);
      // The coordinator ends its nats-server itself, unless it was killed and could not.
      if (nats !== undefined && isAlive(nats)) signalIfThere(nats, 'SIGKILL');
    },
  });
  const ready = await part.start();
  const kube = await connectFederation({
    kubeconfig: textOf(ready, 'kubeconfig'),
    clock: systemClock,
    chance: systemChance,
  });
  lifecycle.onClose({ name: 'client', close: async () => kube.close() });
  const pids = [part.pid(), natsPid(natsPidPath)].flatMap((pid) => pid ?? []);
  const restart = async (): Promise<{ readonly killedMs: number; readonly readyMs: number }> => {
    const nats = natsPid(natsPidPath);
    const killedMs = sharedMs();
    part.signal('SIGKILL');
    if (nats !== undefined) signalIfThere(nats, 'SIGKILL');
    await part.gone();
    await part.start();
    return { killedMs, readyMs: sharedMs() };
  };
  return {
    mesh: textOf(ready, 'mesh'),
    admin: textOf(ready, 'admin'),
    kube,
    kubeconfig: textOf(ready, 'kubeconfig'),
    pids,
    restart,
  };
}

/** The same ports after a restart: agents dial where they did. */
async function takeListens(): Promise<readonly string[]> {
  const names = ['api', 'mesh', 'nats', 'dns', 'admin'];
  const wishes = names.map((name) => ({ name, what: name, port: 0, isUdpToo: name === 'dns' }));
  const ports = await takePorts(wishes, { isAnyPort: true, chance: systemChance, earlier: {} });
  return names.flatMap((name) => [`--${name}-listen`, `127.0.0.1:${ports.get(name) ?? 0}`]);
}

const usageMs = 5_000;

/** CPU time since its start and resident memory, as its metrics say. */
export async function readUsage(admin: string): Promise<Usage> {
  const valueOf = await readMetrics(admin);
  return {
    cpuMs: Math.round(valueOf('process_cpu_seconds_total') * 1000),
    rssMiB: Math.round(valueOf('process_resident_memory_bytes') / 2 ** 20),
  };
}

/** Agents that are connected. */
export async function readSessions(admin: string): Promise<number> {
  return (await readMetrics(admin))('mesh_session_agents');
}

async function readMetrics(admin: string): Promise<(metric: string) => number> {
  const response = await fetch(`${admin}/metrics`, { signal: AbortSignal.timeout(usageMs) });
  const text = await response.text();
  return (metric) => Number(new RegExp(`^${metric} (\\S+)`, 'm').exec(text)?.[1] ?? Number.NaN);
}

function textOf(object: JsonObject, field: string): string {
  const value = object[field];
  return typeof value === 'string' ? value : '';
}
