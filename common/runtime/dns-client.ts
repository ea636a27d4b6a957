// Asks one DNS server one question: by UDP, and by TCP where that answer was cut (RFC 7766). Each
// try has its own socket, whose port the kernel chooses by chance, and its own id.
//
//   C1. It ends by its deadline, whatever arrives; what is no answer to the question is passed over.

import { createSocket } from 'node:dgram';
import { connect, isIPv6 } from 'node:net';
import type { HostPort } from '../pure/host-port.ts';
import {
  encodeQuestion,
  parseAnswer,
  type DnsAnswer,
  type DnsQuestion,
  type RecordType,
} from '../pure/dns-question.ts';
import type { Chance } from './chance.ts';
import type { Clock } from './clock.ts';

export type Asked =
  | { readonly kind: 'answer'; readonly answer: DnsAnswer; readonly isOverTcp: boolean }
  | { readonly kind: 'silent'; readonly message: string };

export interface DnsAsk {
  readonly server: HostPort;
  readonly name: string;
  readonly type: RecordType;
  /** True: the server shall find it. False: what it keeps itself. */
  readonly isRecursive: boolean;
  /** By TCP alone. */
  readonly isTcpOnly?: boolean;
}

export type AskDns = (ask: DnsAsk) => Promise<Asked>;

// A lost datagram is sent again once, as resolvers do.
const udpTries = 2;
const tryMs = 2_000;
const answerBytesMax = 65_535;

export function createDnsClient(options: {
  readonly clock: Clock;
  readonly chance: Chance;
  /** Of one try. Default: 2 s. */
  readonly timeoutMs?: number;
}): AskDns {
  const { clock, chance, timeoutMs = tryMs } = options;
  return async (ask) => {
    const [high = 0, low = 0] = chance.bytes(2);
    const question: DnsQuestion = { ...ask, id: (high << 8) | low };
    const bytes = encodeQuestion(question);
    if (bytes === undefined) return { kind: 'silent', message: `${ask.name} is no name of DNS` };
    const sent: Sent = { question, bytes, server: ask.server, clock, timeoutMs };
    let message = '';
    for (let nth = 0; nth < (ask.isTcpOnly === true ? 0 : udpTries); nth += 1) {
      const answer = await askByUdp(sent);
      if (typeof answer === 'string') message = answer;
      else if (answer.isTruncated) break;
      else return { kind: 'answer', answer, isOverTcp: false };
    }
    const answer = await askByTcp(sent);
    if (typeof answer !== 'string') return { kind: 'answer', answer, isOverTcp: true };
    return { kind: 'silent', message: message === '' ? `TCP: ${answer}` : message };
  };
}

interface Sent {
  readonly question: DnsQuestion;
  readonly bytes: Uint8Array;
  readonly server: HostPort;
  readonly clock: Clock;
  readonly timeoutMs: number;
}

/** The answer, or why there is none. */
function askByUdp({
  question,
  bytes,
  server,
  clock,
  timeoutMs,
}: Sent): Promise<DnsAnswer | string> {
  return new Promise((resolve) => {
    const socket = createSocket(isIPv6(server.host) ? 'udp6' : 'udp4');
    const end = (result: DnsAnswer | string): void => {
      timer.cancel();
      socket.removeAllListeners();
      socket.on('error', () => undefined); // of a socket that is closed
      socket.close();
      resolve(result);
    };
    const timer = clock.after(timeoutMs, () => end(`no answer within ${timeoutMs / 1000} s`));
    socket.on('error', (error) => end(error.message));
    socket.on('message', (message) => {
      const answer = parseAnswer(message, question);
      if (answer !== undefined) end(answer); // C1: others may be forged
    });
    // Connected: datagrams of other senders, and only theirs, are left out by the kernel. Where there
    // is no way there (an IPv6 address on a host without IPv6), the callback is given the error:
    // sending all the same would throw where nobody can catch it.
    socket.connect(server.port, server.host, (...[error]: readonly unknown[]) => {
      if (error instanceof Error) end(error.message);
      else socket.send(bytes);
    });
  });
}

function askByTcp({
  question,
  bytes,
  server,
  clock,
  timeoutMs,
}: Sent): Promise<DnsAnswer | string> {
  return new Promise((resolve) => {
    const socket = connect({ port: server.port, host: server.host });
    let received = Buffer.alloc(0);
    const end = (result: DnsAnswer | string): void => {
      timer.cancel();
      socket.destroy();
      resolve(result);
    };
    const timer = clock.after(timeoutMs, () => end(`no answer within ${timeoutMs / 1000} s`));
    socket.on('error', (error) => end(error.message));
    socket.on('close', () => end('the connection was closed without an answer'));
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk]);
      const length = received.length < 2 ? answerBytesMax : received.readUInt16BE(0);
      if (received.length < 2 + length) return;
      const answer = parseAnswer(received.subarray(2, 2 + length), question);
      end(answer ?? 'what came is no answer to the question');
    });
    const length = Buffer.alloc(2);
    length.writeUInt16BE(bytes.length);
    socket.write(Buffer.concat([length, bytes]));
  });
}
