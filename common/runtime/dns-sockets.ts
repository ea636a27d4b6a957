// UDP and TCP sockets of a DNS server (RFC 1035 4.2, RFC 7766), for the embedded zone and for the
// agent's resolver. Both protocols get the same port, also when any port will do. What arrives is
// given to `answer`; an undefined answer is no answer. Next: dns-tcp.ts.
//
//   D1. Nothing that arrives, however broken, ends the server or holds a connection for ever.
//   D2. Bounds: connections, questions in flight per connection, bytes waiting to be read or sent.

import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { isIP, isIPv6 } from 'node:net';
import type { Transport } from '../pure/dns-wire-reply.ts';
import { MeshError } from '../pure/errors.ts';
import type { Clock } from './clock.ts';
import { bindTcp, type TcpServer } from './dns-tcp.ts';

/**
 * Several messages that answer one question over TCP. `next` is called when there is room for one
 * more, each time in a turn of its own; undefined ends them. `end` is called once, in any case.
 */
export interface DnsStream {
  next(): Uint8Array | undefined;
  end(): void;
}

export type DnsAnswer = Uint8Array | DnsStream | undefined;

export type AnswerDns = (
  request: Uint8Array,
  transport: Transport,
  /** Address of the asker, as text. */
  from: string,
) => DnsAnswer | Promise<Uint8Array | undefined>;

export interface DnsSockets {
  readonly port: number;
  /** Sends a message of our own from the port that we answer at. `host` is an address. */
  send(message: Uint8Array, to: { readonly host: string; readonly port: number }): void;
  close(): Promise<void>;
}

export type DnsIncident =
  | 'answerFailed'
  | 'sendFailed'
  | 'connectionRefused'
  | 'connectionEvicted'
  | 'connectionCut'
  | 'connectionSlow'
  | 'connectionStalled';

export interface DnsSocketOptions {
  readonly host: string;
  /** 0 for any. */
  readonly port: number;
  readonly answer: AnswerDns;
  readonly clock: Clock;
  /** Something worth counting; never called with what the asker chose. */
  readonly onIncident: (incident: DnsIncident) => void;
}

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
      return {
        port,
        send: (message, to) => {
          const isMapped = isIPv6(options.host) && !isIPv6(to.host);
          const host = isMapped ? `::ffff:${to.host}` : to.host;
          udp.send(message, to.port, host, () => undefined); // the sender hears no answer
        },
        close: () => closeBoth(udp, tcp),
      };
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

/** Everything that we send to is an address already: Node's own look-up costs a turn each. */
function lookup(
  host: string,
  _: unknown,
  done: (error: Error | null, address: string, family: number) => void,
): void {
  done(null, host, isIP(host));
}

function bindUdp(options: DnsSocketOptions): Promise<UdpSocket> {
  const type = isIPv6(options.host) ? 'udp6' : 'udp4';
  const socket = createSocket({ type, recvBufferSize: receiveBufferBytes, lookup });
  return new Promise((resolve, reject) => {
    const onError = (error: Error): void => reject(listenError(options, error));
    socket.once('error', onError);
    socket.bind(options.port, options.host, () => {
      socket.off('error', onError);
      socket.on('error', () => options.onIncident('sendFailed'));
      answerDatagrams(options, socket);
      resolve(socket);
    });
  });
}

/** Synchronous where the answer is: the hot path makes no promise and no closure. */
function answerDatagrams(options: DnsSocketOptions, socket: UdpSocket): void {
  const onSent = (error: Error | null): void => {
    if (error !== null) options.onIncident('sendFailed');
  };
  const send = (reply: Uint8Array, port: number, address: string): void => {
    // A stuck interface: what waits would be stale, and must not pile up.
    if (socket.getSendQueueSize() > sendQueueBytesMax) options.onIncident('sendFailed');
    else socket.send(reply, port, address, onSent);
  };
  socket.on('message', (request, { address, port }) => {
    try {
      const reply = options.answer(request, 'udp', address);
      if (reply instanceof Uint8Array) send(reply, port, address);
      else if (reply instanceof Promise) {
        reply
          .then((late) => (late === undefined ? undefined : send(late, port, address)))
          .catch(() => options.onIncident('answerFailed'));
      } else if (reply !== undefined) {
        reply.end(); // streams are for TCP
        options.onIncident('answerFailed');
      }
    } catch {
      options.onIncident('answerFailed');
    }
  });
}

async function closeBoth(udp: UdpSocket, tcp: TcpServer): Promise<void> {
  await Promise.all([new Promise<void>((resolve) => udp.close(() => resolve())), tcp.close()]);
}
