// UDP and TCP sockets of a DNS server (RFC 1035 4.2, RFC 7766), for the embedded zone and for the
// agent's resolver. Both protocols get the same port, also when any port will do. What arrives is
// given to `answer`; an undefined answer is no answer.
//
//   D1. Nothing that arrives, however broken, ends the server or holds a connection for ever.
//   D2. Bounds: connections, questions in flight per connection, bytes waiting to be read.

import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { createServer, isIPv6, type Server, type Socket } from 'node:net';
import type { Transport } from '../pure/dns-wire-reply.ts';
import { MeshError } from '../pure/errors.ts';
import type { Clock, Timer } from './clock.ts';

export type AnswerDns = (
  request: Uint8Array,
  transport: Transport,
) => Uint8Array | undefined | Promise<Uint8Array | undefined>;

export interface DnsSockets {
  readonly port: number;
  close(): Promise<void>;
}

export interface DnsSocketOptions {
  readonly host: string;
  /** 0 for any. */
  readonly port: number;
  readonly answer: AnswerDns;
  readonly clock: Clock;
  /** Something worth counting; never called with what the asker chose. */
  readonly onIncident: (
    incident: 'answerFailed' | 'sendFailed' | 'connectionRefused' | 'connectionCut',
  ) => void;
}

// RFC 7766 6.2.3 asks for an idle limit of the order of seconds; 30 s keeps forwarders' streams.
const tcpIdleMs = 30_000;
const tcpConnectionsMax = 1_000;
const tcpInFlightMax = 100;
// One largest message and its length: more is never buffered before it is answered.
const tcpWaitingBytesMax = 2 * (65_535 + 2);
const portTries = 20;
const sendQueueBytesMax = 4 * 1024 * 1024;
const receiveBufferBytes = 4 * 1024 * 1024;

/** Throws MeshError fatal DNS_LISTEN when the address cannot be had. */
export async function listenDns(options: DnsSocketOptions): Promise<DnsSockets> {
  for (let attempt = 1; ; attempt += 1) {
    const udp = await bindUdp(options);
    const port = udp.address().port;
    try {
      const tcp = await bindTcp(options, port);
      return { port, close: () => closeBoth(udp, tcp) };
    } catch (error) {
      await new Promise<void>((resolve) => udp.close(() => resolve()));
      // Another program may hold the TCP side of a port that UDP gave us: try another one.
      if (options.port !== 0 || attempt >= portTries) throw listenError(options, error);
    }
  }
}

function listenError(options: DnsSocketOptions, cause: unknown): MeshError {
  return new MeshError(
    'fatal',
    'DNS_LISTEN',
    `listening for DNS on ${options.host} port ${options.port}`,
    cause,
  );
}

function bindUdp(options: DnsSocketOptions): Promise<UdpSocket> {
  const type = isIPv6(options.host) ? 'udp6' : 'udp4';
  const socket = createSocket({ type, recvBufferSize: receiveBufferBytes });
  return new Promise((resolve, reject) => {
    const onError = (error: Error): void => reject(listenError(options, error));
    socket.once('error', onError);
    socket.bind(options.port, options.host, () => {
      socket.off('error', onError);
      socket.on('error', () => options.onIncident('sendFailed'));
      socket.on('message', (request, from) => {
        void answerOne(options, request, 'udp', (reply) => {
          // A stuck interface: what waits would be stale, and must not pile up.
          if (socket.getSendQueueSize() > sendQueueBytesMax)
            return options.onIncident('sendFailed');
          socket.send(reply, from.port, from.address, (error) => {
            if (error !== null) options.onIncident('sendFailed');
          });
        });
      });
      resolve(socket);
    });
  });
}

/** Synchronous when the answer is: the hot path makes no promise. */
function answerOne(
  options: DnsSocketOptions,
  request: Uint8Array,
  transport: Transport,
  send: (reply: Uint8Array) => void,
): Promise<void> | undefined {
  try {
    const reply = options.answer(request, transport);
    if (reply instanceof Promise) {
      return reply
        .then((late) => (late === undefined ? undefined : send(late)))
        .catch(() => options.onIncident('answerFailed'));
    }
    if (reply !== undefined) send(reply);
  } catch {
    options.onIncident('answerFailed');
  }
  return undefined;
}

function bindTcp(options: DnsSocketOptions, port: number): Promise<Connections> {
  const open = new Set<Socket>();
  const server = createServer({ noDelay: true }, (socket) => serve(options, open, socket));
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, options.host, () => {
      server.off('error', reject);
      server.on('error', () => options.onIncident('sendFailed'));
      resolve({ server, open });
    });
  });
}

interface Connections {
  readonly server: Server;
  readonly open: Set<Socket>;
}

function serve(options: DnsSocketOptions, open: Set<Socket>, socket: Socket): void {
  if (open.size >= tcpConnectionsMax) {
    // The oldest makes room: it is the likeliest to be forgotten by its client.
    const [oldest] = open;
    oldest?.destroy();
    options.onIncident('connectionRefused');
  }
  open.add(socket);
  let idle: Timer | undefined;
  const rest = (): void => {
    idle?.cancel();
    idle = options.clock.after(tcpIdleMs, () => socket.destroy());
  };
  rest();
  socket.on('error', () => options.onIncident('connectionCut'));
  socket.on('close', () => {
    idle?.cancel();
    open.delete(socket);
  });
  readMessages(options, socket, rest);
}

function readMessages(options: DnsSocketOptions, socket: Socket, onMessage: () => void): void {
  let waiting: Buffer = Buffer.alloc(0);
  let inFlight = 0;
  const isBusy = (): boolean =>
    inFlight >= tcpInFlightMax || socket.writableLength > tcpWaitingBytesMax;
  const drain = (): void => {
    while (waiting.length >= 2 && !isBusy() && !socket.destroyed) {
      const length = waiting.readUInt16BE(0);
      if (length < 12) return void socket.destroy(); // no header fits: not DNS
      if (waiting.length < 2 + length) break;
      const request = waiting.subarray(2, 2 + length);
      waiting = waiting.subarray(2 + length);
      onMessage();
      const late = answerOne(options, request, 'tcp', (reply) => writeFramed(socket, reply));
      if (late === undefined) continue;
      inFlight += 1;
      void late.then(() => {
        inFlight -= 1;
        if (inFlight === tcpInFlightMax - 1) drain();
      });
    }
    // A paused socket leaves the asker's bytes in the system's buffers, and so slows the asker.
    if (isBusy()) socket.pause();
    else if (socket.isPaused()) socket.resume();
  };
  socket.on('data', (chunk: Buffer) => {
    waiting = waiting.length === 0 ? chunk : Buffer.concat([waiting, chunk]);
    drain();
  });
  socket.on('drain', drain);
}

function writeFramed(socket: Socket, reply: Uint8Array): void {
  if (socket.destroyed) return;
  const framed = Buffer.allocUnsafe(2 + reply.length);
  framed.writeUInt16BE(reply.length, 0);
  framed.set(reply, 2);
  socket.write(framed);
}

async function closeBoth(udp: UdpSocket, tcp: Connections): Promise<void> {
  for (const socket of tcp.open) socket.destroy();
  await Promise.all([
    new Promise<void>((resolve) => udp.close(() => resolve())),
    new Promise<void>((resolve) => tcp.server.close(() => resolve())),
  ]);
}
