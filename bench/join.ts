// Clusters that join at once, each with a token of its own: until each has its session, until all are
// Ready, and what that costs the coordinator.

import { join } from 'node:path';
import { systemClock } from '../common/runtime/clock.ts';
import { waitForClusters } from '../demo/federation-api.ts';
import type { BenchContext } from './context.ts';
import { readUsage, startCoordinator } from './coordinator-process.ts';
import { makeClusters } from './make-clusters.ts';
import { noteConditions, type Report } from './report.ts';
import { toNumberSetting, type BenchDefinition } from './settings.ts';
import { sharedMs } from './shared-clock.ts';
import { summarize } from './statistics.ts';
import { createWorkerPool } from './worker-pool.ts';

const workers = 4;
const joinMs = 300_000;
const readyMs = 120_000;

export const joinAtOnce: BenchDefinition = {
  name: 'join',
  summary: 'How long clusters take that join at once, until all are Ready.',
  settings: [toNumberSetting('agents', 100, [1, 2_000], 'Agents, which have no cluster here.')],
  measure: (values, context) => measureJoin(values.number('agents') ?? 0, context),
};

async function measureJoin(agents: number, context: BenchContext): Promise<Report> {
  const { say, lifecycle, dir } = context;
  const conditions = noteConditions(systemClock);
  say('starting the coordinator');
  const { kube, mesh, admin } = await startCoordinator(context);
  const dataDir = join(dir, 'agents');
  const pool = createWorkerPool({
    workers,
    dataDir,
    isLight: true,
    joinMs,
    clock: systemClock,
    say,
  });
  lifecycle.onClose({ name: 'workers', close: () => pool.end() });
  say(`making ${agents} join tokens`);
  const clusters = await makeClusters(kube, agents);
  const before = await readUsage(admin);
  say(`joining ${agents} clusters`);
  const startMs = sharedMs();
  await pool.start(mesh, clusters);
  const opened = await pool.opened({ ms: startMs, count: agents }, joinMs);
  const within = { clock: systemClock, withinMs: readyMs };
  const missing = await waitForClusters(
    kube,
    clusters.map(({ name }) => name),
    within,
  );
  if (missing.length > 0) throw new Error(`not Ready: ${missing.join(', ')}`);
  const readyAfterMs = sharedMs() - startMs;
  const after = await readUsage(admin);
  return {
    bench: joinAtOnce.name,
    settings: { agents, workers },
    conditions: conditions(),
    measures: [
      {
        name: 'start -> session open, each',
        summary: summarize(opened.map(({ atMs }) => atMs - startMs)),
      },
    ],
    facts: {
      'all clusters Ready, ms': Math.round(readyAfterMs),
      'clusters a second': Math.round((10_000 * agents) / readyAfterMs) / 10,
      'coordinator CPU per join, ms': Math.round((10 * (after.cpuMs - before.cpuMs)) / agents) / 10,
      'coordinator memory after, MiB': after.rssMiB,
    },
  };
}
