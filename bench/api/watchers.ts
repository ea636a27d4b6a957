// `npm run bench -- watchers`: what many idle watches cost a coordinator, over HTTP/2 and TLS as
// informers hold them, with bookmarks; and how soon all of them hear of one write.
//
// Memory is the growth of the coordinator's resident set, so it counts what its heap has not given
// back yet, too. The client is one process; its own work is in the times of the fan-out.

import { sleep, systemClock } from '../../common/runtime/clock.ts';
import type { BenchContext } from '../context.ts';
import { noteConditions, type Report } from '../report.ts';
import { toNumberSetting, type BenchDefinition } from '../settings.ts';
import { summarize } from '../statistics.ts';
import { openHttp2Pool, type Credentials, type Http2Pool } from './http2-pool.ts';
import { cpuMsOf, rssKibOf } from './process-usage.ts';
import { startOurs } from './target.ts';

export const watchers: BenchDefinition = {
  name: 'watchers',
  summary: 'What many idle watches cost: memory of each, CPU of all, and one write told to all.',
  settings: [
    toNumberSetting('watchers', 10_000, [100, 10_000], 'Watches, 100 on each connection.'),
    toNumberSetting('seconds', 120, [1, 3_600], 'How long they are idle.'),
    toNumberSetting('writes', 5, [1, 100], 'Writes that are told to all.'),
  ],
  measure: (values, context) =>
    measureWatchers(
      {
        watchers: values.number('watchers') ?? 0, // all have defaults
        seconds: values.number('seconds') ?? 0,
        writes: values.number('writes') ?? 0,
      },
      context,
    ),
};

interface Command {
  readonly watchers: number;
  readonly seconds: number;
  readonly writes: number;
}

const perConnection = 100;
const atOnce = 50;
const settleMs = 5_000;
const collection = '/api/v1/namespaces/default/configmaps';

async function measureWatchers(command: Command, context: BenchContext): Promise<Report> {
  const { say, lifecycle } = context;
  const conditions = noteConditions(systemClock);
  const { credentials, pids } = await startOurs(context);
  const coordinator = pids.slice(0, 1);
  const connections = Math.ceil(command.watchers / perConnection);
  await writeFirst(credentials);
  await sleep(systemClock, settleMs);
  say(`without watches for ${command.seconds} s`);
  const cpuWithout = await measureCpu(coordinator, command.seconds);
  const before = rssKibOf(coordinator);
  say(`opening ${command.watchers} watches on ${connections} connections`);
  const pool = await openHttp2Pool(credentials, connections + 1);
  lifecycle.onClose({ name: 'connections', close: () => pool.close() });
  let lines = 0;
  let onLine = (): void => undefined;
  await openAll(pool, command.watchers, (count) => {
    lines += count;
    onLine();
  });
  await sleep(systemClock, settleMs);
  const after = rssKibOf(coordinator);
  const linesBefore = lines;
  say(`idle for ${command.seconds} s`);
  const cpuWith = await measureCpu(coordinator, command.seconds);
  const bookmarks = lines - linesBefore;
  const times: number[] = [];
  for (let round = 1; round <= command.writes; round += 1) {
    const wanted = lines + command.watchers;
    const startMs = systemClock.monotonicMs();
    const told = new Promise<void>((resolve) => {
      onLine = () => (lines >= wanted ? resolve() : undefined);
    });
    await write(pool, round);
    await told;
    times.push(systemClock.monotonicMs() - startMs);
  }
  return {
    bench: watchers.name,
    settings: { ...command },
    conditions: conditions(),
    measures: [{ name: 'write -> told to all', summary: summarize(times) }],
    facts: {
      'memory of one watch and its part of a connection, KiB': round1(
        (after - before) / command.watchers,
      ),
      'goal for it, KiB': 80,
      'CPU of all while idle, % of a core': round1(cpuWith - cpuWithout),
      'goal for it, %': 2,
      'CPU without them, % of a core': round1(cpuWithout),
      'bookmarks while idle': bookmarks,
      'coordinator without them, MiB': Math.round(before / 1024),
    },
  };
}

/** On a connection of its own: one that rests as long as is measured then is closed by the server. */
async function writeFirst(credentials: Credentials): Promise<void> {
  const pool = await openHttp2Pool(credentials, 1);
  await write(pool, 0);
  await pool.close();
}

/** Percent of one core. */
async function measureCpu(pids: readonly number[], seconds: number): Promise<number> {
  const before = cpuMsOf(pids);
  await sleep(systemClock, seconds * 1000);
  return ((cpuMsOf(pids) - before) / (seconds * 1000)) * 100;
}

async function openAll(
  pool: Http2Pool,
  count: number,
  onLines: (count: number) => void,
): Promise<void> {
  const { body } = await pool.request({ method: 'GET', path: collection });
  const list = JSON.parse(body.toString('utf8')) as {
    readonly metadata: { readonly resourceVersion: string };
  };
  const query = `watch=1&allowWatchBookmarks=true&resourceVersion=${list.metadata.resourceVersion}`;
  for (let opened = 0; opened < count; opened += atOnce) {
    const batch = Array.from({ length: Math.min(atOnce, count - opened) }, () =>
      pool.watch(`${collection}?${query}`, onLines),
    );
    await Promise.all(batch);
  }
}

async function write(pool: Http2Pool, round: number): Promise<void> {
  const body = JSON.stringify({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: `told-${round}`, namespace: 'default' },
    data: { round: String(round) },
  });
  const { status } = await pool.request({ method: 'POST', path: collection, body });
  if (status !== 201) throw new Error(`a ConfigMap could not be created: ${status}`);
}

function round1(value: number): number {
  return Math.round(value * 10) / 10;
}
