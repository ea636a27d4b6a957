// Adapter of ./prober.ts over node:net and node:tls. A connection that is accepted and then closed
// or reset at once proves nothing but a load balancer in front of nobody: it must hold a while.

import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { ProbeResult, ProbeTarget } from '../model/telemetry.ts';
import type { Clock, Timer } from './clock.ts';
import type { Prober } from './prober.ts';

export interface TcpProberOptions {
  readonly clock: Clock;
  /** How long a connection must stay open; the rest of the deadline when that is shorter. */
  readonly holdMs?: number;
}

const defaultHoldMs = 1_000;

export function createTcpProber({ clock, holdMs = defaultHoldMs }: TcpProberOptions): Prober {
  return {
    probe: (target, deadlineMs) =>
      new Promise((resolve) => probeOnce({ target, deadlineMs, holdMs, clock, resolve })),
  };
}

function probeOnce(probe: {
  readonly target: ProbeTarget;
  readonly deadlineMs: number;
  readonly holdMs: number;
  readonly clock: Clock;
  readonly resolve: (result: ProbeResult) => void;
}): void {
  const { target, clock } = probe;
  const startMs = clock.monotonicMs();
  let connectedMs: number | undefined;
  let hold: Timer | undefined;
  let isDone = false;
  const end = (reason: string): void => {
    if (isDone) return;
    isDone = true;
    deadline.cancel();
    hold?.cancel();
    socket.destroy();
    const roundTripMs = Math.round((connectedMs ?? clock.monotonicMs()) - startMs);
    probe.resolve({ target, ok: reason === '', roundTripMs, reason });
  };
  // A connection that still stands at the deadline held as long as it was given.
  const deadline = clock.after(probe.deadlineMs, () =>
    end(connectedMs === undefined ? 'TimedOut' : ''),
  );
  const socket = open(target);
  socket.once(target.method === 'tls' ? 'secureConnect' : 'connect', () => {
    connectedMs = clock.monotonicMs();
    if (target.method === 'tls')
      end(''); // the handshake is an answer of the server itself
    else hold = clock.after(probe.holdMs, () => end(''));
  });
  let didConnect = false;
  socket.once('connect', () => {
    didConnect = true;
  });
  socket.on('error', (error: NodeJS.ErrnoException) => {
    if (!didConnect) end(toReason(error.code));
    else end(target.method === 'tls' ? 'TlsFailed' : 'ClosedEarly');
  });
  const onClosed = (): void =>
    end(target.method === 'tls' && didConnect ? 'TlsFailed' : 'ClosedEarly');
  socket.once('end', onClosed);
  socket.once('close', onClosed);
  socket.resume();
}

function open({ address, port, method }: ProbeTarget): Socket {
  // Whether the certificate is right is between the server and its clients.
  return method === 'tls'
    ? connectTls({ host: address, port, rejectUnauthorized: false })
    : connect({ host: address, port });
}

function toReason(code: string | undefined): string {
  if (code === 'ECONNREFUSED') return 'Refused';
  if (code === 'ETIMEDOUT') return 'TimedOut';
  return code === 'ECONNRESET' ? 'ClosedEarly' : 'Unreachable';
}
