// Counts what this process writes and reads on TLS sockets, before TLS, by the port at the other end.

import { createRequire } from 'node:module';
import type { TLSSocket } from 'node:tls';
import type { SocketCounts } from './socket-counts.ts';

/** From now on, for new sockets. Returns how to read the counts so far. */
export function countSockets(): () => SocketCounts {
  const tls = createRequire(import.meta.url)('node:tls') as {
    connect: (...given: readonly unknown[]) => TLSSocket;
  }; // what the libraries call, so that it can be replaced
  const open = new Map<TLSSocket, string>();
  const closed = new Map<string, { written: number; read: number }>();
  const { connect } = tls;
  tls.connect = (...given) => {
    const socket = connect(...given);
    socket.once('secureConnect', () => open.set(socket, String(socket.remotePort ?? 0)));
    socket.once('close', () => {
      const port = open.get(socket);
      if (port !== undefined) add(closed, port, socket);
      open.delete(socket);
    });
    return socket;
  };
  return () => {
    const all = new Map(closed);
    for (const [socket, port] of open) add(all, port, socket);
    return Object.fromEntries(all);
  };
}

function add(
  all: Map<string, { written: number; read: number }>,
  port: string,
  socket: TLSSocket,
): void {
  const known = all.get(port) ?? { written: 0, read: 0 };
  all.set(port, {
    written: known.written + socket.bytesWritten,
    read: known.read + socket.bytesRead,
  });
}
