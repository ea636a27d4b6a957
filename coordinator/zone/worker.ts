// The embedded zone's thread: owns the sockets and its own copy of the name table, so that a busy
// API never delays an answer. Fed with deltas; tells what it counted, at most once a second and
// only when something was counted.

import { parentPort, workerData } from 'node:worker_threads';
import { responseCodes } from '../../common/pure/dns-wire.ts';
import { invariant } from '../../common/pure/errors.ts';
import { systemClock } from '../../common/runtime/clock.ts';
import { listenDns } from '../../common/runtime/dns-sockets.ts';
import { toZoneApex } from './apex.ts';
import { ZoneResponder, type ZoneAnswer } from './answer.ts';
import { NameTable } from './fold.ts';
import type { ToWorker, FromWorker, WorkerSettings, ZoneCounts } from './worker-messages.ts';

const tellAfterMs = 1_000;

const codeNames = new Map<number, string>(
  Object.entries(responseCodes).map(([name, code]) => [code, name]),
);

function run(settings: WorkerSettings): void {
  const port = parentPort;
  invariant(port !== null, 'the zone worker runs in a worker thread');
  const tell = (message: FromWorker): void => port.postMessage(message);
  const { host } = settings.listen;
  const isSpecific = host !== '0.0.0.0' && host !== '::';
  const table = new NameTable(settings);
  const responder = new ZoneResponder(table, toZoneApex(settings, isSpecific ? [host] : []));
  const counter = createCounter((counts) => tell({ kind: 'counts', counts }));
  const listen = async (): Promise<void> => {
    try {
      const sockets = await listenDns({
        ...settings.listen,
        clock: systemClock,
        onIncident: (incident) => counter.count(`incident ${incident}`),
        answer: (request, transport) => {
          const { reply, code } = responder.answer(request, transport);
          counter.count(`${transport} ${toCodeName(code)}`);
          return reply;
        },
      });
      tell({ kind: 'listening', port: sockets.port });
    } catch (error) {
      tell({ kind: 'failed', message: describeChain(error) });
    }
  };
  port.on('message', (message: ToWorker) => {
    if (message.kind === 'listen') void listen();
    else table.apply(message);
  });
}

function toCodeName(code: ZoneAnswer['code']): string {
  return code === 'dropped' ? code : (codeNames.get(code) ?? 'other');
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
