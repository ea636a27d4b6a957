// The embedded authoritative server (RFC 1034) of this replica: a worker thread that answers on UDP
// and TCP from publications alone, fed with deltas of the log. Every replica serves the same.
//
//   V1. A thread that ends, or that does not answer its owner for 10 s, is started again on the
//       same port; it is fed from the beginning.

import { Worker } from 'node:worker_threads';
import type { Log } from '../../common/runtime/log.ts';
import type { Metrics } from '../../common/runtime/metrics.ts';
import type { Clock, Timer } from '../../common/runtime/clock.ts';
import { watchHeart, type ThreadHeart } from '../../common/runtime/thread-heart.ts';
import { MeshError } from '../../common/pure/errors.ts';
import type { Desired } from '../desired/store.ts';
import { feedZones, type Feed } from './feed.ts';
import type { NotifyOutcome } from './notifier.ts';
import type { ZoneSettings } from './plan-zones.ts';
import type {
  FromWorker,
  RateLimitSettings,
  ToWorker,
  WorkerSettings,
  ZoneCounts,
} from './worker-messages.ts';

export interface ZoneOptions extends ZoneSettings {
  readonly desired: Desired;
  /** Port 0 for any; UDP and TCP get the same. */
  readonly listen: { readonly host: string; readonly port: number };
  /** Absent: no limit. */
  readonly rateLimit?: RateLimitSettings;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  /** For tests: what runs in the thread. */
  readonly program?: URL;
}

export interface Zone {
  readonly port: number;
  /** Answers by `<udp|tcp> <code>` and `incident <what>`, as last told by the thread. */
  stats(): Readonly<Record<string, number>>;
  close(): Promise<void>;
}

// A first load of a large federation takes seconds.
const startMs = 60_000;
const restartMs = 1_000;
const noLimit: RateLimitSettings = { perSecond: 0, exempt: [] };

/** Resolves when questions are answered. Throws MeshError fatal DNS_LISTEN. */
export async function createZone(options: ZoneOptions): Promise<Zone> {
  const totals = new Map<string, number>();
  const first = await startWorker(options, totals, options.listen.port);
  let current = first;
  let isClosed = false;
  let restart: Timer | undefined;
  const guard = (running: RunningWorker): void => {
    const heart = watchOver(options, running.worker);
    running.worker.on('exit', (exitCode) => {
      heart.stop();
      if (isClosed) return;
      running.feed.stop();
      options.log.error('DNS zone thread ended; starting it again', { exitCode });
      options.metrics.count('mesh_zone_restarts_total');
      restart = options.clock.after(restartMs, () => void startAgain());
    });
  };
  const startAgain = async (): Promise<void> => {
    try {
      current = await startWorker(options, totals, first.port);
      if (isClosed) return void (await endWorker(current));
      guard(current);
    } catch (error) {
      options.log.error('DNS zone thread did not start', { error });
      if (!isClosed) restart = options.clock.after(restartMs, () => void startAgain());
    }
  };
  guard(current);
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
  readonly feed: Feed;
}

async function endWorker({ worker, feed }: RunningWorker): Promise<void> {
  feed.stop();
  await worker.terminate();
}

async function startWorker(
  options: ZoneOptions,
  totals: Map<string, number>,
  port: number,
): Promise<RunningWorker> {
  const { desired, domain, federation, negativeTtlSeconds, listen, clock, program } = options;
  const settings = {
    domain,
    federation,
    ...(negativeTtlSeconds === undefined ? {} : { negativeTtlSeconds }),
  };
  const workerData: WorkerSettings = {
    ...settings,
    listen: { host: listen.host, port },
    rateLimit: options.rateLimit ?? noLimit,
  };
  const troubles = new Map<string, NotifyOutcome['kind']>();
  const worker = new Worker(program ?? new URL('./worker.js', import.meta.url), { workerData });
  worker.on('message', (message: FromWorker) => {
    if (message.kind === 'counts') addCounts(options, totals, message.counts);
    if (message.kind === 'notified') tellNotified(options, message.outcome, troubles);
  });
  worker.on('error', (error) => options.log.error('DNS zone thread failed', { error }));
  const feed = feedZones({
    desired,
    settings,
    soon: (run) => void clock.soon(run),
    onDelta: (delta) => send(worker, delta),
    onLoaded: once(() => send(worker, { kind: 'listen' })),
  });
  try {
    return { worker, port: await listening(clock, worker), feed };
  } catch (error) {
    feed.stop();
    await worker.terminate();
    throw error;
  }
}

function send(worker: Worker, message: ToWorker): void {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
  worker.postMessage(message);
}

function listening(clock: Clock, worker: Worker): Promise<number> {
  return new Promise((resolve, reject) => {
    const fail = (message: string): void => {
      timer.cancel();
      reject(new MeshError('fatal', 'DNS_LISTEN', message));
    };
    const timer = clock.after(startMs, () => fail('the DNS zone thread did not start in time'));
    worker.on('message', (message: FromWorker) => {
      if (message.kind === 'failed') return fail(message.message);
      if (message.kind !== 'listening') return;
      timer.cancel();
      resolve(message.port);
    });
    worker.once('exit', () => fail('the DNS zone thread ended while starting'));
  });
}

/** V1. */
function watchOver({ clock, log }: ZoneOptions, worker: Worker): ThreadHeart {
  const heart = watchHeart({
    clock,
    ping: () => send(worker, { kind: 'ping' }),
    onSilent: (silentMs) => {
      log.error('DNS zone thread does not answer; ending it', { silentMs });
      void worker.terminate();
    },
  });
  worker.on('message', (message: FromWorker) => {
    if (message.kind === 'pong') heart.heard();
  });
  return heart;
}

/** Says a trouble once, and again only after the secondary was well. */
function tellNotified(
  { log, metrics }: ZoneOptions,
  { kind, domain, target, serial }: NotifyOutcome,
  last: Map<string, NotifyOutcome['kind']>,
): void {
  metrics.count('mesh_zone_notifies_total', { outcome: kind });
  const secondary = `${domain} ${target}`;
  const isKnown = last.get(secondary) === kind;
  if (kind === 'confirmed') last.delete(secondary);
  else last.set(secondary, kind);
  if (isKnown) return;
  const facts = { domain, secondary: target, serial };
  if (kind === 'refused') log.warn('a secondary refused a NOTIFY: let it take them from us', facts);
  if (kind === 'silent') log.warn('a secondary did not answer NOTIFY; its refresh will do', facts);
  if (kind === 'unknownHost')
    log.warn('a secondary has no address that our DNS socket reaches', facts);
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

function once(run: () => void): () => void {
  let isDone = false;
  return () => {
    if (!isDone) run();
    isDone = true;
  };
}
