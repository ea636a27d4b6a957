// Preloaded into an agent that is measured: counts what it writes and reads on its TLS sockets,
// before TLS, by the port at the other end. On SIGUSR2 the counts are written to a file.

import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { TLSSocket } from 'node:tls';
import type { SocketCounts } from './socket-counts.ts';

const path = process.env['BENCH_SOCKET_COUNTS'];
const tls = createRequire(import.meta.url)('node:tls') as {
  connect: (...given: readonly unknown[]) => TLSSocket;
}; // what the libraries call, so that it can be replaced

const open = new Map<TLSSocket, string>();
const closed = new Map<string, { written: number; read: number }>();

function add(all: typeof closed, port: string, socket: TLSSocket): void {
  const known = all.get(port) ?? { written: 0, read: 0 };
  all.set(port, {
    written: known.written + socket.bytesWritten,
    read: known.read + socket.bytesRead,
  });
}

if (path !== undefined) {
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
  process.on('SIGUSR2', () => {
    const all = new Map(closed);
    for (const [socket, port] of open) add(all, port, socket);
    const counts: SocketCounts = Object.fromEntries(all);
    writeFileSync(path, JSON.stringify(counts));
  });
}
