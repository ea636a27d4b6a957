// What is left of attempts to reach a coordinator that takes connections and answers none, as one
// that hangs, or has a thousand others before us.

import { createServer, type AddressInfo, type Socket } from 'node:net';
import test, { type ExecutionContext } from 'ava';
import { createGrpcDialer } from '../../agent/session/grpc-dialer.ts';
import type { MeshDialer } from '../../agent/session/mesh-port.ts';
import { systemClock as clock } from '../../common/runtime/clock.ts';
import { createCa, issueClientCertificate } from '../../common/runtime/pki.ts';
import { eventually } from '../support/eventually.ts';

const waitMs = 10_000;
const lifetime = { validDays: 1, clock };

interface Silent {
  readonly dialer: MeshDialer;
  /** Connections that are open, and have said something. */
  count(): number;
}

async function listenSilently(t: ExecutionContext): Promise<Silent> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    socket.once('data', () => sockets.add(socket));
    socket.once('close', () => sockets.delete(socket));
    socket.on('error', () => undefined);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const { port } = server.address() as AddressInfo; // it listens on TCP
  const dialer = createGrpcDialer({ coordinator: { host: '127.0.0.1', port }, clock });
  return { dialer, count: () => sockets.size };
}

test('a session that is given up while it is opened leaves no connection', async (t) => {
  const { dialer, count } = await listenSilently(t);
  const ca = await createCa({ commonName: 'ca', ...lifetime });
  const { certPem, keyPem } = await issueClientCertificate({
    ca,
    commonName: 'one',
    organizations: [],
    ...lifetime,
  });
  const ends: string[] = [];
  const stream = dialer.connect(
    { caPem: ca.certPem, certPem, keyPem },
    { onMessage: () => undefined, onEnd: ({ reason }) => ends.push(reason) },
  );
  await eventually(waitMs, async () => (count() === 1 ? [] : [`${count()} connections`]));
  stream.end();
  await eventually(waitMs, async () => (count() === 0 ? [] : [`${count()} connections`]));
  t.deepEqual(ends, [], 'who ends it is not told that it ended');
});

test('a join that is not answered in time leaves no connection', async (t) => {
  const { dialer, count } = await listenSilently(t);
  const ca = await createCa({ commonName: 'ca', ...lifetime });
  const request = { cluster: 'one', token: 'a.b', csrDer: new Uint8Array(), agentVersion: 'test' };
  const joining = dialer.join(request, ca.certPem, 1_000);
  await eventually(waitMs, async () => (count() === 1 ? [] : [`${count()} connections`]));
  await t.throwsAsync(joining);
  await eventually(waitMs, async () => (count() === 0 ? [] : [`${count()} connections`]));
});
