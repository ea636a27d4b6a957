// From the acknowledged creation of a Service at the coordinator to the Service in every cluster's
// store: one after another, then a burst. Each cluster's own process says when its store had it.

import { join } from 'node:path';
import type { KubeObject } from '../common/model/kube-object.ts';
import { sleep, systemClock } from '../common/runtime/clock.ts';
import type { KubeClient } from '../common/runtime/kube-client.ts';
import { waitForClusters } from '../demo/federation-api.ts';
import { readUsage, startCoordinator, type Usage } from './coordinator-process.ts';
import type { BenchContext } from './context.ts';
import { noteConditions, type Conditions, type Report } from './report.ts';
import { toNumberSetting, type BenchDefinition } from './settings.ts';
import { sharedMs } from './shared-clock.ts';
import { summarize } from './statistics.ts';
import { makeClusters } from './make-clusters.ts';
import type { Applied } from './worker-messages.ts';
import { createWorkerPool, type WorkerPool } from './worker-pool.ts';

interface Creation {
  readonly sentMs: number;
  readonly acknowledgedMs: number;
  readonly applied: readonly Applied[];
}

const workers = 4;
// Code that runs for the first time is compiled first: the very first one is told as a fact.
const warmUps = 5;
// What follows an applied Service (addresses, reports, status) mostly ends within this time, so
// that one after another measures how long it takes, and the burst how many there can be.
const restMs = 900;
const readyMs = 60_000;
const appliedMs = 30_000;
// Create acknowledged -> applied in 100 clusters, p99.
const goal = { of: 'p99', ms: 500 } as const;

export const createToApplied: BenchDefinition = {
  name: 'create-to-applied',
  summary: 'How long a Service takes from its acknowledged creation until all clusters have it.',
  // A simulated cluster has 250 load-balancer addresses; 127.11 to 127.250 leave 240 prefixes.
  settings: [
    toNumberSetting('agents', 100, [1, 240], 'Agents, each with a cluster of its own.'),
    toNumberSetting(
      'services',
      50,
      [1, 150],
      'Services created one after another, with a rest of 0.9 s.',
    ),
    toNumberSetting('burst', 10, [0, 100], 'Services then created at once.'),
  ],
  measure: (values, context) =>
    measureCreateToApplied(
      {
        agents: values.number('agents') ?? 0, // all have defaults
        services: values.number('services') ?? 0,
        burst: values.number('burst') ?? 0,
      },
      context,
    ),
};

interface Command {
  readonly agents: number;
  readonly services: number;
  readonly burst: number;
}

async function measureCreateToApplied(command: Command, context: BenchContext): Promise<Report> {
  const { agents, services, burst } = command;
  const { say, lifecycle, dir } = context;
  const conditions = noteConditions(systemClock);
  say('starting the coordinator');
  const { kube, mesh, admin } = await startCoordinator(context);
  const pool = createWorkerPool({
    workers,
    dataDir: join(dir, 'agents'),
    clock: systemClock,
    say,
  });
  lifecycle.onClose({ name: 'workers', close: () => pool.end() });
  say(`joining ${agents} clusters`);
  const joinStart = sharedMs();
  const clusters = await makeClusters(kube, agents);
  await pool.start(mesh, clusters);
  const names = clusters.map(({ name }) => name);
  const missing = await waitForClusters(kube, names, { clock: systemClock, withinMs: readyMs });
  if (missing.length > 0) throw new Error(`not Ready: ${missing.join(', ')}`);
  const joinedMs = sharedMs() - joinStart;

  say(`creating ${warmUps} Services that do not count`);
  const warmUp: Creation[] = [];
  for (let index = 0; index < warmUps; index += 1)
    warmUp.push(await create(kube, pool, `warm-up-${index}`));
  const usage = (): Promise<Usages> => Promise.all([readUsage(admin), pool.usage()]);
  const before = await usage();
  say(`creating ${services} Services one after another`);
  const single: Creation[] = [];
  for (let index = 0; index < services; index += 1) {
    await sleep(systemClock, restMs);
    single.push(await create(kube, pool, `single-${index}`));
  }
  const between = await usage();
  say(`creating ${burst} Services at once`);
  const together = await Promise.all(
    Array.from({ length: burst }, (_, index) => create(kube, pool, `burst-${index}`)),
  );
  const after = await usage();
  return toReport(command, conditions(), {
    joinedMs,
    warmUp,
    single,
    together,
    before,
    between,
    after,
  });
}

interface Measured {
  readonly joinedMs: number;
  readonly warmUp: readonly Creation[];
  readonly single: readonly Creation[];
  readonly together: readonly Creation[];
  /** Of coordinator and workers: before the single ones, between them and the burst, at the end. */
  readonly before: Usages;
  readonly between: Usages;
  readonly after: Usages;
}

type Usages = readonly [Usage, Usage];

function toReport(command: Command, conditions: Conditions, measured: Measured): Report {
  const { agents, services, burst } = command;
  const { joinedMs, warmUp, single, together, before, between, after } = measured;
  const [coordinatorAfter, workersAfter] = after;
  return {
    bench: createToApplied.name,
    settings: { agents, workers, warmUps, services, burst },
    conditions,
    measures: [
      { name: 'create sent -> acknowledged', summary: summarize(single.map(answerMs)) },
      { name: 'acknowledged -> last agent has it', summary: summarize(single.map(lastAssignedMs)) },
      { name: 'acknowledged -> applied, each', summary: summarize(single.flatMap(eachMs)) },
      { name: 'acknowledged -> applied, last', summary: summarize(single.map(lastMs)), goal },
      { name: 'burst: sent -> acknowledged', summary: summarize(together.map(answerMs)) },
      {
        name: 'burst: acknowledged -> applied, each',
        summary: summarize(together.flatMap(eachMs)),
      },
      { name: 'burst: acknowledged -> applied, last', summary: summarize(together.map(lastMs)) },
    ],
    facts: {
      'all clusters joined and Ready, ms': Math.round(joinedMs),
      'acknowledged -> applied, last, first Service ever, ms': Math.round(
        Math.max(...warmUp.slice(0, 1).map(lastMs)),
      ),
      'coordinator CPU per Service one by one, ms': Math.round(
        (between[0].cpuMs - before[0].cpuMs) / services,
      ),
      'CPU of a cluster and its agent per Service, ms':
        Math.round((10 * (between[1].cpuMs - before[1].cpuMs)) / services / agents) / 10,
      'coordinator memory after, MiB': coordinatorAfter.rssMiB,
      'workers memory together, MiB': workersAfter.rssMiB,
    },
  };
}

async function create(kube: KubeClient, pool: WorkerPool, name: string): Promise<Creation> {
  const sentMs = sharedMs();
  await kube.create({ apiVersion: 'v1', plural: 'services', namespace }, toService(name));
  const acknowledgedMs = sharedMs();
  return {
    sentMs,
    acknowledgedMs,
    applied: await pool.applied(`${namespace}/${name}`, appliedMs),
  };
}

const namespace = 'default';

/** The guide's nginx. */
function toService(name: string): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, labels: { run: name } },
    spec: {
      type: 'LoadBalancer',
      selector: { run: name },
      ports: [{ name: 'http', port: 80, protocol: 'TCP', targetPort: 80 }],
    },
  };
}

function answerMs({ sentMs, acknowledgedMs }: Creation): number {
  return acknowledgedMs - sentMs;
}

/** Below zero where a cluster had it before the user had his answer. */
function eachMs({ acknowledgedMs, applied }: Creation): readonly number[] {
  return applied.map(({ atMs }) => atMs - acknowledgedMs);
}

function lastAssignedMs({ acknowledgedMs, applied }: Creation): number {
  return Math.max(...applied.map(({ assignedMs }) => assignedMs - acknowledgedMs));
}

function lastMs(creation: Creation): number {
  return Math.max(...eachMs(creation));
}
