// The door: owns the port, its connections and their protocols, so that neither their bursts nor the
// garbage they leave holds up the API; and so that the API never holds up a handshake or a ping.
//
// Input: orders. Output: reports. All that is decided about a request is decided by who orders.
//
// Next files to read: server.ts, desk.ts, connections.ts.

import type { MessagePort } from 'node:worker_threads';
import type { Clock } from '../../../../common/runtime/clock.ts';
import { paceTurns } from '../../../../common/runtime/turn-pace.ts';
import { turnTimeOf } from '../../../../common/runtime/turn-time.ts';
import type { Mail, Outbox } from '../door-mail.ts';
import type { DoorSettings, Order, Report } from '../door-messages.ts';
import { MailQueue } from '../mail-queue.ts';
import { toContext } from '../tls-context.ts';
import { watchConnections } from './connections.ts';
import { Desk } from './desk.ts';
import { watchTrust } from './trust.ts';
import type { NativeExchange } from './native-exchange.ts';
import { createReadTurns } from './read-turns.ts';
import { catchFaults, createServer, listen, routeRequests } from './server.ts';

// Until so much of a turn of the event loop is used, connections are read and opened, orders followed, and
// what is over is taken down (I11). What is written is encrypted in the turn that follows.
const readUntilMs = 1;
const openUntilMs = 1;
const followUntilMs = 1;
const endUntilMs = 2;

export interface DoorPorts {
  readonly port: MessagePort;
  readonly outbox: Outbox<Report>;
  readonly clock: Clock;
}

/** Runs until it is ordered to end and all is closed; tells then, and leaves nothing. */
export async function openDoor(settings: DoorSettings, ports: DoorPorts): Promise<void> {
  const { port, outbox, clock } = ports;
  const onFault = (fault: string, error?: Error): void => {
    outbox.pushLazily(['fault', fault, error?.message]);
  };
  const server = createServer(settings.tls, settings.limits.idleMs);
  const time = turnTimeOf(clock);
  const openShare = { time, untilMs: openUntilMs };
  const reads = createReadTurns(clock, { time, untilMs: readUntilMs });
  const endInTurn = paceTurns<() => void>(clock, (act) => act(), { time, untilMs: endUntilMs });
  const endSoon = (act: () => void): void => {
    endInTurn(act);
    reads.onRead(); // a client's reset, or its end
  };
  const connections = watchConnections(server, settings.limits, {
    clock,
    soon: endSoon,
    openShare,
    onFault,
    onCount: (kind) => outbox.pushLazily([kind]),
  });
  server.on('session', (session) => reads.add(session));
  const trust = watchTrust(server, clock);
  const sendShare = { time, untilMs: followUntilMs };
  const desk = new Desk({ outbox, onFault, clock, sendShare });
  const open = (exchange: NativeExchange): void => {
    desk.open(exchange);
    reads.onRead();
  };
  routeRequests(server, open, { clock, soon: endSoon, onFault });
  catchFaults(server, onFault);
  const follow = (order: Order, bytes: Buffer | undefined): void => {
    switch (order[0]) {
      case 'tls':
        server.setSecureContext(toContext(order[1]));
        trust.change();
        return outbox.push(['tlsSet']);
      case 'drain':
        server.close(() => outbox.push(['ended']));
        return connections.drain();
      case 'destroy':
        return connections.destroy();
      case 'ping':
        return outbox.push(['pong']);
      default:
        return desk.follow(order, bytes);
    }
  };
  const orders = new MailQueue(clock, sendShare, follow);
  port.on('message', (mail: Mail<Order>) => orders.add(mail));
  try {
    outbox.push(['listening', await listen(server, settings)]);
  } catch (error) {
    const { message, code } = error as NodeJS.ErrnoException; // of a listener that cannot listen
    outbox.push(['failed', message, code]);
  }
}
