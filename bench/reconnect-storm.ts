// The coordinator and its nats-server are killed and started again: how soon all agents have their
// sessions back, and whether DNS says the same as before.

import { join } from 'node:path';
import type { KubeObject } from '../common/model/kube-object.ts';
import { sleep, systemClock } from '../common/runtime/clock.ts';
import type { KubeClient } from '../common/runtime/kube-client.ts';
import { waitForClusters } from '../demo/federation-api.ts';
import type { BenchContext } from './context.ts';
import { readSessions, readUsage, startCoordinator } from './coordinator-process.ts';
import { makeClusters } from './make-clusters.ts';
import { noteConditions, type Report } from './report.ts';
import { toNumberSetting, type BenchDefinition } from './settings.ts';
import { summarize } from './statistics.ts';
import { createWorkerPool } from './worker-pool.ts';

interface Command {
  readonly agents: number;
  readonly services: number;
}

const workers = 4;
// How they came is the bench join's business.
const wave = 10;
const joinMs = 600_000;
const readyMs = 180_000;
const backMs = 120_000;
// What the return of all agents might still set off has happened by then.
const quietMs = 10_000;
// Agents that hear nothing for eight seconds leave their session.
const calmLooks = 5;
const calmLookMs = 2_000;
const goal = { of: 'max', ms: 10_000 } as const;

export const reconnectStorm: BenchDefinition = {
  name: 'reconnect-storm',
  summary: 'How soon all agents are back after a restart of the coordinator, with DNS unchanged.',
  settings: [
    toNumberSetting('agents', 1_000, [1, 2_000], 'Agents, which have no cluster here.'),
    toNumberSetting('services', 2, [1, 100], 'Services, each in all clusters.'),
  ],
  measure: (values, context) =>
    measureStorm(
      { agents: values.number('agents') ?? 0, services: values.number('services') ?? 0 },
      context,
    ),
};

const changesShown = 5;

async function measureStorm(command: Command, context: BenchContext): Promise<Report> {
  const { agents, services } = command;
  const { say, lifecycle, dir } = context;
  const conditions = noteConditions(systemClock);
  say('starting the coordinator');
  const { kube, mesh, admin, restart } = await startCoordinator(context);
  const dataDir = join(dir, 'agents');
  const pool = createWorkerPool({
    workers,
    dataDir,
    isLight: true,
    wave,
    joinMs,
    clock: systemClock,
    say,
  });
  lifecycle.onClose({ name: 'workers', close: () => pool.end() });
  say(`joining ${agents} clusters`);
  const clusters = await makeClusters(kube, agents);
  await pool.start(mesh, clusters);
  const names = clusters.map(({ name }) => name);
  const within = { clock: systemClock, withinMs: readyMs };
  const missing = await waitForClusters(kube, names, within);
  if (missing.length > 0) throw new Error(`not Ready: ${missing.join(', ')}`);
  say(`creating ${services} Services in all clusters`);
  for (let index = 0; index < services; index += 1) {
    await kube.create(
      { apiVersion: 'v1', plural: 'services', namespace: 'default' },
      toService(index),
    );
  }
  say('waiting until all agents have told what they were told');
  await settledDns(kube);
  await allConnected({ admin, agents });
  // Again: while workers stood still, equal looks said nothing.
  const saidBefore = await settledDns(kube);
  say(`DNS has ${saidBefore.size} record sets; killing coordinator and nats-server`);
  const { killedMs, readyMs: upMs } = await restart();
  const [started, workersBefore] = await Promise.all([readUsage(admin), pool.usage()]);
  const opened = await pool.opened({ ms: killedMs, count: agents }, backMs);
  const [usage, workersThen] = await Promise.all([readUsage(admin), pool.usage()]);
  const perReturn = (cpuMs: number): number => Math.round((cpuMs / agents) * 10) / 10;
  say('all are back; waiting for what that might set off');
  await sleep(systemClock, quietMs);
  const after = await readDns(kube);
  const changed = tellChanges(saidBefore, after, say);
  const since = (fromMs: number) => summarize(opened.map(({ atMs }) => atMs - fromMs));
  return {
    bench: reconnectStorm.name,
    settings: { agents, services, workers },
    conditions: conditions(),
    measures: [
      { name: 'coordinator ready -> session open, each', summary: since(upMs), goal },
      { name: 'kill -> session open, each', summary: since(killedMs) },
    ],
    facts: {
      'kill -> coordinator ready, ms': Math.round(upMs - killedMs),
      'DNS record sets': after.size,
      'DNS record sets that changed (goal 0)': changed,
      'coordinator CPU until it is ready, ms': started.cpuMs,
      'coordinator CPU until all are back, ms': usage.cpuMs,
      'coordinator CPU per return, ms': perReturn(usage.cpuMs - started.cpuMs),
      'workers CPU per return, ms': perReturn(workersThen.cpuMs - workersBefore.cpuMs),
      'coordinator memory then, MiB': usage.rssMiB,
    },
  };
}

/** How many record sets are not what they were; says of a few what they are. */
function tellChanges(
  before: ReadonlyMap<string, string>,
  after: ReadonlyMap<string, string>,
  say: (text: string) => void,
): number {
  const changed = [...new Set([...before.keys(), ...after.keys()])].filter(
    (name) => before.get(name) !== after.get(name),
  );
  for (const name of changed.slice(0, changesShown))
    say(`${name} was ${before.get(name) ?? 'absent'} and is ${after.get(name) ?? 'absent'}`);
  return changed.length;
}

/**
 * Sessions of all agents, at several looks in a row: workers that have a thousand tables of peers to
 * read fall silent, and then it is not the restart that takes their sessions.
 */
async function allConnected(of: {
  readonly admin: string;
  readonly agents: number;
}): Promise<void> {
  const until = systemClock.monotonicMs() + readyMs;
  for (let looks = 0; looks < calmLooks; ) {
    if (systemClock.monotonicMs() > until)
      throw new Error('agents lose their sessions by themselves');
    await sleep(systemClock, calmLookMs);
    looks = (await readSessions(of.admin)) === of.agents ? looks + 1 : 0;
  }
}

/** Record sets by name, without what changes by itself. */
async function readDns(kube: KubeClient): Promise<ReadonlyMap<string, string>> {
  const sets = await kube.list({ apiVersion: 'isthmus.dev/v1alpha1', plural: 'dnsrecordsets' });
  return new Map(
    sets.map(({ metadata, spec }) => [
      `${metadata.namespace ?? ''}/${metadata.name}`,
      JSON.stringify(spec),
    ]),
  );
}

/** When two looks, a while apart, are equal. */
async function settledDns(kube: KubeClient): Promise<ReadonlyMap<string, string>> {
  const until = systemClock.monotonicMs() + readyMs;
  for (let last = await readDns(kube); ; ) {
    await sleep(systemClock, quietMs);
    const next = await readDns(kube);
    if (next.size > 0 && JSON.stringify([...next]) === JSON.stringify([...last])) return next;
    if (systemClock.monotonicMs() > until) throw new Error('DNS does not settle');
    last = next;
  }
}

function toService(index: number): KubeObject {
  const name = `storm-${index}`;
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
