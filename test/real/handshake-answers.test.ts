// I11 of TLS clients that answer in the same moment one is read in a turn of the event loop, over real sockets.

import { Worker } from 'node:worker_threads';
import test from 'ava';
import { systemClock, type Clock } from '../../common/runtime/clock.ts';
import { gateHandshakes } from '../../common/runtime/handshake-gate.ts';
import { createCa, issueServerCertificate } from '../../common/runtime/pki.ts';
import { handshakeBounds } from '../../coordinator/api/https/door-messages.ts';
import { createServer, listen } from '../../coordinator/api/https/door/server.ts';

const clients = 24;
const turnMs = 20;

/** On a thread of their own: they answer while the server is busy. */
const clientsCode = `
  const { workerData } = require('node:worker_threads');
  const { connect, createSecureContext } = require('node:tls');
  const { port, ca, clients } = workerData;
  const secureContext = createSecureContext({ ca });
  const to = { port, host: '127.0.0.1', secureContext, servername: 'localhost', ALPNProtocols: ['h2'] };
  for (let each = 0; each < clients; each += 1) connect(to);
`;

function work(ms: number): void {
  const untilMs = systemClock.monotonicMs() + ms;
  while (systemClock.monotonicMs() < untilMs);
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => void systemClock.soon(resolve));
}

/** A clock with a gate: what is to be done soon waits until it is opened. */
function createHeldClock() {
  const held: (() => void)[] = [];
  let isHeld = true;
  const clock: Clock = {
    ...systemClock,
    soon: (run) => {
      if (!isHeld) return systemClock.soon(run);
      held.push(run);
      return { cancel: () => undefined };
    },
  };
  const release = (): void => {
    isHeld = false;
    for (const run of held) systemClock.soon(run);
  };
  return { clock, release };
}

test('I11 A1 one handshake is over in each turn, of clients that all answer in the same moment', async (t) => {
  const common = { validDays: 1, clock: systemClock };
  const ca = await createCa({ ...common, commonName: 'test CA' });
  const own = { commonName: 'server', dnsNames: ['localhost'], ipAddresses: ['127.0.0.1'] };
  const { certPem, keyPem } = await issueServerCertificate({ ...common, ca, ...own });
  const server = createServer({ certPem, keyPem, clientCaPem: ca.certPem }, 10_000);
  const { clock, release } = createHeldClock();
  const bounds = { ...handshakeBounds, perTurn: clients, atOnce: clients };
  gateHandshakes(server, { bounds, clock, onFault: (kind) => t.fail(kind) });
  let inTurn = 0;
  const turns: number[] = [];
  const arrived = new Promise<void>((resolve) => {
    let left = clients;
    server.on('connection', () => {
      left -= 1;
      if (left === 0) resolve();
    });
  });
  server.on('secureConnection', () => (inTurn += 1));
  const port = await listen(server, { host: '127.0.0.1', port: 0 });
  const workerData = { port, ca: ca.certPem, clients };
  const worker = new Worker(clientsCode, { eval: true, workerData });
  t.teardown(async () => {
    await worker.terminate();
    server.close();
  });
  await arrived;
  release();
  // Each turn is so long that who was asked in it has answered when the next one begins.
  for (let over = 0; over < clients; over += inTurn) {
    inTurn = 0;
    work(turnMs);
    await nextTurn();
    if (inTurn > 0) turns.push(inTurn);
  }
  t.deepEqual(turns, Array.from({ length: clients }).fill(1));
});
