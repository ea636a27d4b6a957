// The embedded authoritative zone (RFC 1034) of this replica: a worker thread that answers on UDP
// and TCP from publications alone, fed with deltas of the log. Every replica serves the same.

import { Worker } from 'node:worker_threads';
import type { Log } from '../../common/runtime/log.ts';
import type { Metrics } from '../../common/runtime/metrics.ts';
import type { Clock, Timer } from '../../common/runtime/clock.ts';
import { MeshError } from '../../common/pure/errors.ts';
import type { Desired } from '../desired/store.ts';
import type { ZoneSettings } from './apex.ts';
import { feedZone } from './feed.ts';
import type { FromWorker, ToWorker, WorkerSettings, ZoneCounts } from './worker-messages.ts';

export interface ZoneOptions extends ZoneSettings {
  readonly desired: Desired;
  /** Port 0 for any; UDP and TCP get the same. */
  readonly listen: { readonly host: string; readonly port: number };
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
}

export interface Zone {
  readonly port: number;
  /** Answers by `<udp|tcp> <code>` and `incident <what>`, as last told by the thread. */
  stats(): Readonly<Record<string, number>>;
  close(): Promise<void>;
}

const startMs = 10_000;
const restartMs = 1_000;

/** Resolves when questions are answered. Throws MeshError fatal DNS_LISTEN. */
export async function createZone(options: ZoneOptions): Promise<Zone> {
  const totals = new Map<string, number>();
  const first = await startWorker(options, totals, options.listen.port);
  let current = first;
  let isClosed = false;
  let restart: Timer | undefined;
  const watchOver = ({ worker }: RunningWorker): void => {
    worker.on('exit', (exitCode) => {
      if (isClosed) return;
      current.stopFeed();
      options.log.error('DNS zone thread ended; starting it again', { exitCode });
      restart = options.clock.after(restartMs, () => void startAgain());
    });
  };
  const startAgain = async (): Promise<void> => {
    try {
      current = await startWorker(options, totals, first.port);
      if (isClosed) return void (await endWorker(current));
      watchOver(current);
    } catch (error) {
      options.log.error('DNS zone thread did not start', { error });
      if (!isClosed) restart = options.clock.after(restartMs, () => void startAgain());
    }
  };
  watchOver(current);
  return {
    port: first.port,
    stats: () => Object.fromEntries(totals),
    close: async () => {
      isClosed = true;
      restart?.cancel();
      await endWorker(current);
    },
  };
}

interface RunningWorker {
  readonly worker: Worker;
  readonly port: number;
  readonly stopFeed: () => void;
}

async function endWorker({ worker, stopFeed }: RunningWorker): Promise<void> {
  stopFeed();
  await worker.terminate();
}

async function startWorker(
  options: ZoneOptions,
  totals: Map<string, number>,
  port: number,
): Promise<RunningWorker> {
  const { desired, domain, federation, nameServers, negativeTtlSeconds, listen } = options;
  const workerData: WorkerSettings = {
    domain,
    federation,
    ...(nameServers === undefined ? {} : { nameServers }),
    ...(negativeTtlSeconds === undefined ? {} : { negativeTtlSeconds }),
    listen: { host: listen.host, port },
  };
  const worker = new Worker(new URL('./worker.js', import.meta.url), { workerData });
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
  const send = (message: ToWorker): void => worker.postMessage(message);
  worker.on('message', (message: FromWorker) => {
    if (message.kind === 'counts') addCounts(options, totals, message.counts);
  });
  worker.on('error', (error) => options.log.error('DNS zone thread failed', { error }));
  const feed = feedZone(desired, domain, send);
  send({ kind: 'listen' });
  try {
    return { worker, port: await listening(options.clock, worker), stopFeed: () => feed.stop() };
  } catch (error) {
    feed.stop();
    await worker.terminate();
    throw error;
  }
}

function listening(clock: Clock, worker: Worker): Promise<number> {
  return new Promise((resolve, reject) => {
    const fail = (message: string): void => reject(new MeshError('fatal', 'DNS_LISTEN', message));
    const timer = clock.after(startMs, () => fail('the DNS zone thread did not start in time'));
    worker.on('message', (message: FromWorker) => {
      if (message.kind === 'counts') return;
      timer.cancel();
      if (message.kind === 'listening') resolve(message.port);
      else fail(message.message);
    });
    worker.once('exit', () => fail('the DNS zone thread ended while starting'));
  });
}

function addCounts(
  { metrics }: ZoneOptions,
  totals: Map<string, number>,
  counts: ZoneCounts,
): void {
  for (const [what, by] of counts) {
    totals.set(what, (totals.get(what) ?? 0) + by);
    const [head = '', tail = ''] = what.split(' ');
    if (head === 'incident') metrics.count('mesh_zone_incidents_total', { incident: tail }, by);
    else metrics.count('mesh_zone_answers_total', { transport: head, code: tail }, by);
  }
}
