// Benchmarks of the whole mesh on one machine: `npm run bench -- NAME`. Results go to stdout,
// progress to stderr; everything that was started is ended, also on Ctrl-C.
//
// Next files to read: create-to-applied.ts, failover.ts.

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { keepProcessAlive, systemClock } from '../common/runtime/clock.ts';
import { createLifecycle, type Lifecycle } from '../common/runtime/lifecycle.ts';
import { createLog, describeError } from '../common/runtime/log.ts';
import { findProgram, thisMachine } from '../demo/nats-server.ts';
import { api } from './api/api.ts';
import { lag } from './api/lag.ts';
import { watchers } from './api/watchers.ts';
import { agentFootprint } from './agent-footprint.ts';
import { createToApplied } from './create-to-applied.ts';
import { dnsFailover } from './dns-failover.ts';
import { dnsQueries } from './dns-queries.ts';
import { dnsSweeps } from './dns-sweeps.ts';
import { failover } from './failover.ts';
import { joinAtOnce } from './join.ts';
import { reconnectStorm } from './reconnect-storm.ts';
import { resync } from './resync.ts';
import { toJson, toTable } from './report.ts';
import { parseBenchCommand, type BenchCommand } from './settings.ts';

const exitCodes = { ok: 0, failed: 1, usage: 2, natsMissing: 3, interrupted: 130 } as const;

const benches = [
  api,
  lag,
  watchers,
  createToApplied,
  failover,
  dnsFailover,
  dnsSweeps,
  joinAtOnce,
  reconnectStorm,
  resync,
  agentFootprint,
  dnsQueries,
];

type Run = Extract<BenchCommand, { readonly kind: 'run' }>;

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

async function main(): Promise<number> {
  const command = parseBenchCommand(process.argv.slice(2), readVersion(), benches);
  switch (command.kind) {
    case 'print':
      process.stdout.write(command.text);
      return exitCodes.ok;
    case 'error':
      say(command.message);
      return exitCodes.usage;
    default:
      return runBench(command);
  }
}

async function runBench(command: Run): Promise<number> {
  const natsServer = findProgram('nats-server', thisMachine());
  if (natsServer === undefined) {
    say('The bench needs nats-server, which is not on PATH. `npm run demo` says how to get it.');
    return exitCodes.natsMissing;
  }
  const alive = keepProcessAlive();
  const log = createLog({ level: 'warn', format: 'pretty', name: 'bench' });
  const lifecycle = createLifecycle({ clock: systemClock, log });
  const isInterrupted = endOnSignals(lifecycle);
  try {
    const dir = makeTemporaryDir(lifecycle);
    const context = { dir, natsServer, lifecycle, say };
    const report = await command.bench.measure(command.values, context);
    process.stdout.write(`${command.isJson ? toJson(report) : toTable(report)}\n`);
    return exitCodes.ok;
  } catch (error) {
    if (isInterrupted()) return exitCodes.interrupted; // what it measured is ended under it
    say(describeError(error));
    process.exitCode = exitCodes.failed; // already now: it decides whether logs are kept
    return exitCodes.failed;
  } finally {
    await lifecycle.close();
    alive.cancel();
  }
}

function makeTemporaryDir(lifecycle: Lifecycle): string {
  const dir = mkdtempSync(join(tmpdir(), 'isthmus-bench-'));
  // Closed last, since it was opened first. After a failure the logs are worth keeping.
  lifecycle.onClose({
    name: 'temporary folder',
    close: async () => {
      if (process.exitCode === exitCodes.failed) say(`what is left of it is in ${dir}`);
      else rmSync(dir, { recursive: true, force: true });
    },
  });
  return dir;
}

/**
 * A second signal ends the bench at once; its processes then end by themselves. The function tells
 * whether one has come.
 */
function endOnSignals(lifecycle: Lifecycle): () => boolean {
  let isEnding = false;
  const end = (): void => {
    if (isEnding) process.exit(exitCodes.interrupted);
    isEnding = true;
    say('stopping everything');
    void lifecycle.close().finally(() => process.exit(exitCodes.interrupted));
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, end);
  return () => isEnding;
}

function readVersion(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { readonly version: string }).version; // our own file
}

process.exitCode = await main();
