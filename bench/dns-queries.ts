// What one question costs the embedded zone, Knot and BIND: the same zone, transferred from ours,
// and the same questions from dnsperf, in turn. CPU counts, not questions a second: whoever asks
// shares the cores.

import { execFile, fork, type ChildProcess } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { systemClock } from '../common/runtime/clock.ts';
import { findProgram, thisMachine } from '../demo/nats-server.ts';
import { secondaryKinds, startSecondary } from '../test/support/dns/secondaries.ts';
import { takeTestPort } from '../test/support/test-ports.ts';
import { eventually } from '../test/support/eventually.ts';
import { cpuMsOf, rssMiBOf } from './api/process-usage.ts';
import type { BenchContext } from './context.ts';
import { noteConditions, type Report } from './report.ts';
import { toNumberSetting, type BenchDefinition } from './settings.ts';
import { askedNames, benchDomain } from './zone-content.ts';

const run = promisify(execFile);
const transferMs = 60_000;
const clients = 8;
const outstanding = 100;

export const dnsQueries: BenchDefinition = {
  name: 'dns-queries',
  summary: 'What a question costs the embedded zone, Knot and BIND.',
  settings: [
    toNumberSetting('services', 1_000, [1, 100_000], 'Services, each with names at ten levels.'),
    toNumberSetting('seconds', 5, [1, 600], 'How long each server is asked in a round.'),
    toNumberSetting('rounds', 3, [1, 100], 'Rounds; medians are told.'),
  ],
  measure: (values, context) =>
    measureQueries(
      {
        services: values.number('services') ?? 0,
        seconds: values.number('seconds') ?? 0,
        rounds: values.number('rounds') ?? 0,
      },
      context,
    ),
};

interface Settings {
  readonly services: number;
  readonly seconds: number;
  readonly rounds: number;
}

interface Server {
  readonly name: string;
  readonly pid: number;
  readonly port: number;
}

interface Round {
  readonly cpuMicrosPerQuery: number;
  readonly queriesPerSecond: number;
  readonly lost: number;
}

async function measureQueries(settings: Settings, context: BenchContext): Promise<Report> {
  const { services, seconds, rounds } = settings;
  const { dir, say } = context;
  const dnsperf = findProgram('dnsperf', thisMachine());
  if (dnsperf === undefined)
    throw new Error('The bench needs dnsperf, which is not on PATH: apt-get install dnsperf.');
  const conditions = noteConditions(systemClock);
  say(`serving ${services} Services`);
  const servers = await startServers(services, context);
  const questions = join(dir, 'questions');
  writeFileSync(questions, askedNames(services).join('\n'));
  const results = new Map<string, Round[]>(servers.map(({ name }) => [name, []]));
  for (let round = 1; round <= rounds; round += 1) {
    for (const server of servers) {
      say(`round ${round}: asking ${server.name}`);
      results.get(server.name)?.push(await askFor(seconds, { dnsperf, questions, server }));
    }
  }
  const rows = servers.map(({ name, pid }): [string, ...number[]] => {
    const all = results.get(name) ?? [];
    const micros = median(all.map(({ cpuMicrosPerQuery }) => cpuMicrosPerQuery));
    const perSecond = median(all.map(({ queriesPerSecond }) => queriesPerSecond));
    const lost = all.reduce((sum, each) => sum + each.lost, 0);
    return [name, Math.round(micros * 10) / 10, Math.round(perSecond), lost, rssMiBOf([pid])];
  });
  return {
    bench: dnsQueries.name,
    settings: { ...settings, clients, outstanding },
    conditions: conditions(),
    measures: [],
    grid: {
      head: ['server', 'CPU us a question', 'questions a second', 'lost', 'RSS MiB'],
      rows,
    },
    facts: {},
  };
}

async function startServers(
  services: number,
  { lifecycle, say }: BenchContext,
): Promise<readonly Server[]> {
  const kinds = secondaryKinds.filter(({ path }) => {
    const isThere = findProgram(path.slice(path.lastIndexOf('/') + 1), thisMachine()) === path;
    if (!isThere) say(`${path} is not there: it is left out`);
    return isThere;
  });
  const ports = await Promise.all(kinds.map(() => takeTestPort()));
  const child = fork(fileURLToPath(new URL('./zone-process.js', import.meta.url)), [
    String(services),
  ]);
  lifecycle.onClose({ name: 'zone', close: () => endChild(child) });
  const primaryPort = await firstMessage(child);
  const servers: Server[] = [{ name: 'embedded zone', pid: child.pid ?? 0, port: primaryPort }];
  for (const [index, kind] of kinds.entries()) {
    const at = { port: ports[index] ?? 0, zone: benchDomain, primaryPort };
    const secondary = startSecondary(kind, at);
    lifecycle.onClose({ name: kind.name, close: () => secondary.stop() });
    say(`${kind.name} transfers the zone`);
    await eventually(transferMs, () => hasZone(at.port));
    servers.push({ name: kind.name, pid: secondary.pid, port: at.port });
  }
  return servers;
}

function firstMessage(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once('message', (port) => resolve(Number(port)));
    child.once('exit', (code) => reject(new Error(`the zone's process ended with ${code}`)));
  });
}

function endChild(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) return resolve();
    child.once('exit', () => resolve());
    child.kill('SIGKILL');
  });
}

async function hasZone(port: number): Promise<readonly string[]> {
  const { stdout } = await run('dig', [
    '@127.0.0.1',
    '-p',
    String(port),
    '+short',
    '+time=1',
    '+tries=1',
    benchDomain,
    'SOA',
  ]);
  return stdout.includes('hostmaster') ? [] : ['no SOA'];
}

async function askFor(
  seconds: number,
  at: { readonly dnsperf: string; readonly questions: string; readonly server: Server },
): Promise<Round> {
  const { pid, port } = at.server;
  const before = cpuMsOf([pid]);
  const args = ['-s', '127.0.0.1', '-p', String(port), '-d', at.questions, '-e'];
  const load = ['-l', String(seconds), '-c', String(clients), '-q', String(outstanding)];
  const { stdout } = await run(at.dnsperf, [...args, ...load]);
  const cpuMs = cpuMsOf([pid]) - before;
  const read = (pattern: RegExp): number => Number(pattern.exec(stdout)?.[1] ?? Number.NaN);
  const completed = read(/Queries completed:\s+(\d+)/);
  return {
    cpuMicrosPerQuery: (1_000 * cpuMs) / completed,
    queriesPerSecond: read(/Queries per second:\s+([\d.]+)/),
    lost: read(/Queries lost:\s+(\d+)/),
  };
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
