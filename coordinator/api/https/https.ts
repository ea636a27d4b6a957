// HTTPS in front of the API. TLS, HTTP/2 and HTTP/1.1 are spoken by a thread, the door (door/); what
// is asked through it is decided and answered here.
//
//   H3. close() ends watches cleanly, lets answers finish for a moment, and leaves no socket.
//
// H1 and H2 are the door's: door/server.ts.
//
// Next files to read: https-request.ts, https-door.ts, machinery/flow/flow-control.ts.

import { createSecureContext } from 'node:tls';
import type { Clock } from '../../../common/runtime/clock.ts';
import type { Log } from '../../../common/runtime/log.ts';
import type { Metrics } from '../../../common/runtime/metrics.ts';
import { paceTurns } from '../../../common/runtime/turn-pace.ts';
import { turnTimeOf } from '../../../common/runtime/turn-time.ts';
import type { StartDoor } from './door-life.ts';
import type { ConnectionLimits, TlsFiles } from './door-messages.ts';
import { startDoorThread } from './door-thread.ts';
import { Door } from './https-door.ts';
import { RequestServer, type Open, type RequestLimits } from './https-request.ts';
import { toContext } from './tls-context.ts';
import type { Authenticate } from '../machinery/access/authenticate.ts';
import type { Api } from '../machinery/api.ts';
import {
  createFlowControl,
  defaultFlowLimits,
  type FlowLimits,
} from '../machinery/flow/flow-control.ts';

export type { TlsFiles } from './door-messages.ts';

export interface HttpsLimits extends RequestLimits, ConnectionLimits, FlowLimits {}

export const defaultHttpsLimits: HttpsLimits = {
  ...defaultFlowLimits,
  bodyBytesMax: 3 << 20, // kube-apiserver's limit
  connectionsMax: 5_000,
  requestsMax: 2_000, // above all seats and the queue: what members of system:masters add
  requestMs: 60_000, // kube-apiserver's --request-timeout
  pingAfterMs: 30_000, // as client-go asks its server
  idleMs: 90_000, // as Go's server
};

export interface HttpsOptions {
  readonly api: Api;
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  readonly tls: TlsFiles;
  readonly authenticate: Authenticate;
  readonly limits?: HttpsLimits;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  /** Default: a thread of its own. */
  readonly startDoor?: StartDoor;
}

export interface HttpsListener {
  readonly port: number;
  /** With the host that was given, in brackets for IPv6. */
  readonly url: string;
  /** What is open now. */
  open(): Open & { readonly connections: number };
  /**
   * New connections get these, once it resolves; those that stand keep theirs. Throws at once when
   * the two do not fit.
   */
  setTls(tls: TlsFiles): Promise<void>;
  close(): Promise<void>;
}

// Until so much of a turn of the event loop is used, requests are begun, and what is over is ended (I11).
const serveUntilMs = 2;
const endUntilMs = 3;
const closeGraceMs = 2_000;
// From the last answer to its last byte on the wire.
const lastBytesMs = 500;

/** Listens; rejects with the system's error (EADDRINUSE, EACCES) when it cannot. */
export async function listenHttps(options: HttpsOptions): Promise<HttpsListener> {
  const { clock, log, metrics, host } = options;
  const limits = options.limits ?? defaultHttpsLimits;
  const flow = createFlowControl(limits, { clock, metrics });
  const time = turnTimeOf(clock);
  const soon = paceTurns<() => void>(clock, (act) => act(), { time, untilMs: endUntilMs });
  const requests = new RequestServer({ ...options, limits, flow, soon });
  requests.trust(options.tls.clientCaPem);
  const { connectionsMax, pingAfterMs, idleMs } = limits;
  const door = new Door(
    { host, port: options.port, tls: options.tls, limits: { connectionsMax, pingAfterMs, idleMs } },
    {
      start: options.startDoor ?? startDoorThread,
      share: { time, untilMs: serveUntilMs },
      serve: (exchange) => requests.serve(exchange),
      clock,
      log,
      metrics,
    },
  );
  const port = await door.open();
  return {
    port,
    url: `https://${host.includes(':') ? `[${host}]` : host}:${port}`,
    open: () => ({ ...requests.open(), connections: door.connections() }),
    setTls: (tls) => {
      createSecureContext(toContext(tls)); // throws
      requests.trust(tls.clientCaPem);
      return door.setTls(tls);
    },
    // H3.
    close: async () => {
      const drained = door.drain();
      await requests.close(closeGraceMs);
      await within(clock, lastBytesMs, drained);
      door.destroy();
      await drained;
      await door.end();
    },
  };
}

function within(clock: Clock, ms: number, done: Promise<void>): Promise<void> {
  return new Promise((resolve) => {
    const timer = clock.after(ms, () => resolve());
    void done.then(() => {
      timer.cancel();
      resolve();
    });
  });
}
