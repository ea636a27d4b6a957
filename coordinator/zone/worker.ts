// The embedded zone's thread: owns the sockets and its own copy of the names, so that a busy API
// never delays an answer. Fed with deltas; tells what it counted, at most once a second and only
// when something was counted.

import { lookup } from 'node:dns/promises';
import { isIP, isIPv6 } from 'node:net';
import { parentPort, workerData } from 'node:worker_threads';
import { invariant } from '../../common/pure/errors.ts';
import { toNetworks } from '../../common/pure/networks.ts';
import { systemChance } from '../../common/runtime/chance.ts';
import { systemClock } from '../../common/runtime/clock.ts';
import { listenDns, type DnsSockets } from '../../common/runtime/dns-sockets.ts';
import { createNotifier, type Notifier } from './notifier.ts';
import { RateLimiter } from './rate-limit.ts';
import { ServedZones } from './served-zones.ts';
import type { FromWorker, ToWorker, WorkerSettings, ZoneCounts } from './worker-messages.ts';
import { ZoneServer } from './zone-server.ts';

const tellAfterMs = 1_000;

function run(settings: WorkerSettings): void {
  const port = parentPort;
  invariant(port !== null, 'the zone worker runs in a worker thread');
  const tell = (message: FromWorker): void => port.postMessage(message);
  const { host } = settings.listen;
  const isSpecific = host !== '0.0.0.0' && host !== '::';
  const zones = new ServedZones(settings, isSpecific ? [host] : []);
  const counter = createCounter((counts) => tell({ kind: 'counts', counts }));
  const opened: { sockets?: DnsSockets } = {};
  const notifier = openNotifier(host, opened, tell);
  const server = new ZoneServer({
    zones,
    limiter: toLimiter(settings),
    clock: systemClock,
    count: counter.count,
    onResponse: notifier.onResponse,
  });
  const listen = async (): Promise<void> => {
    try {
      opened.sockets = await listenDns({
        ...settings.listen,
        clock: systemClock,
        onIncident: (incident) => counter.count(`incident ${incident}`),
        answer: (request, transport, from) => server.answer(request, transport, from),
      });
      tell({ kind: 'listening', port: opened.sockets.port });
      notifier.tell(zones.all());
    } catch (error) {
      tell({ kind: 'failed', message: describeChain(error) });
    }
  };
  port.on('message', (message: ToWorker) => {
    if (message.kind === 'listen') return void listen();
    if (message.kind === 'ping') return tell({ kind: 'pong' });
    const changed = zones.apply(message);
    if (opened.sockets !== undefined) notifier.tell(changed, message.removedZones);
  });
}

function toLimiter({ rateLimit }: WorkerSettings): RateLimiter {
  const [a = 0, b = 0, c = 0, d = 0] = systemChance.bytes(4);
  return new RateLimiter({
    perSecond: rateLimit.perSecond,
    exempt: toNetworks(rateLimit.exempt),
    seed: (a << 24) | (b << 16) | (c << 8) | d,
  });
}

function openNotifier(
  host: string,
  opened: { readonly sockets?: DnsSockets },
  tell: (message: FromWorker) => void,
): Notifier {
  // A socket of IPv4 reaches nothing else.
  const family = isIPv6(host) ? 0 : 4;
  return createNotifier({
    clock: systemClock,
    chance: systemChance,
    send: (message, to) => opened.sockets?.send(message, to),
    lookup: async (name) => {
      if (isIP(name) !== 0) return family === 0 || isIP(name) === family ? name : undefined;
      return lookup(name, { family }).then(
        ({ address }) => address,
        () => undefined,
      );
    },
    onOutcome: (outcome) => tell({ kind: 'notified', outcome }),
  });
}

function describeChain(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause === undefined
    ? error.message
    : `${error.message}: ${describeChain(error.cause)}`;
}

/** Sums up, and tells a second after the first count since the last telling. */
function createCounter(tell: (counts: ZoneCounts) => void): { count(what: string): void } {
  let counts = new Map<string, number>();
  const flush = (): void => {
    const told = counts;
    counts = new Map();
    tell([...told]);
  };
  return {
    count: (what) => {
      if (counts.size === 0) systemClock.after(tellAfterMs, flush);
      counts.set(what, (counts.get(what) ?? 0) + 1);
    },
  };
}

run(workerData as WorkerSettings); // the thread's only argument, made by zone.ts
