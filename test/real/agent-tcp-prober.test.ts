// Probes over real sockets: what counts as reached, and what does not.

import { createServer, type Server, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';
import test from 'ava';
import { systemClock } from '../../common/runtime/clock.ts';
import { createTcpProber } from '../../common/runtime/tcp-prober.ts';

const prober = createTcpProber({ clock: systemClock, holdMs: 100 });

async function listen(
  onConnection: (socket: Socket) => void,
): Promise<{ port: number; server: Server }> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    onConnection(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { port: (server.address() as AddressInfo).port, server };
}
const at = (port: number, method: 'tcp' | 'tls' = 'tcp') => ({
  address: '127.0.0.1',
  port,
  method,
});

test('a connection that holds is a success', async (t) => {
  const { port, server } = await listen(() => undefined);
  t.like(await prober.probe(at(port), 2_000), { ok: true, reason: '' });
  server.close();
});

test('a connection that is closed at once is ClosedEarly', async (t) => {
  const { port, server } = await listen((socket) => socket.end());
  t.like(await prober.probe(at(port), 2_000), { ok: false, reason: 'ClosedEarly' });
  server.close();
});

test('a connection that is reset at once is ClosedEarly', async (t) => {
  const { port, server } = await listen((socket) => socket.resetAndDestroy());
  t.like(await prober.probe(at(port), 2_000), { ok: false, reason: 'ClosedEarly' });
  server.close();
});

test('a greeting does not end the hold', async (t) => {
  const { port, server } = await listen((socket) => socket.write('220 hello\r\n'));
  t.like(await prober.probe(at(port), 2_000), { ok: true });
  server.close();
});

test('a closed port is Refused', async (t) => {
  const { port, server } = await listen(() => undefined);
  await new Promise<void>((resolve) => server.close(() => resolve()));
  t.like(await prober.probe(at(port), 2_000), { ok: false, reason: 'Refused' });
});

test('a TLS port must answer the handshake', async (t) => {
  const { port, server } = await listen((socket) => socket.end('not tls\r\n'));
  t.like(await prober.probe(at(port, 'tls'), 2_000), { ok: false, reason: 'TlsFailed' });
  server.close();
});

test('a TLS port that accepts and says nothing is TimedOut', async (t) => {
  const { port, server } = await listen(() => undefined);
  t.like(await prober.probe(at(port, 'tls'), 150), { ok: false, reason: 'TimedOut' });
  server.close();
});
