// Rubbish for ports, the same for the same seed: noise, half a handshake, another protocol, a flood.

import { createSocket } from 'node:dgram';
import { createConnection } from 'node:net';
import { sleep, systemClock as clock } from '../../common/runtime/clock.ts';

/** Bytes that look random and are not (xorshift32). */
export function noise(seed: number, length: number): Buffer {
  let state = (seed * 2_654_435_761) >>> 0 || 1;
  return Buffer.from(
    Array.from({ length }, () => {
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      state >>>= 0;
      return state & 0xff;
    }),
  );
}

const patienceMs = 300;

/** Payloads that each start a conversation which no server of ours has. */
export function tcpGarbage(): readonly Buffer[] {
  const clientHello = Buffer.from('16030100ff010000fb0303', 'hex'); // and then nothing
  return [
    Buffer.alloc(0),
    noise(1, 1),
    noise(2, 17),
    noise(3, 4_000),
    Buffer.alloc(300_000),
    clientHello,
    Buffer.concat([clientHello, noise(4, 300)]),
    Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n'),
    Buffer.from(`GET /${'a'.repeat(70_000)} HTTP/1.1\r\n`),
    Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
    Buffer.from('CONNECT {"verbose":true}\r\nPUB x 999999999\r\n'),
    Buffer.from('SSH-2.0-nobody\r\n'),
  ];
}

/** Connects, sends, and leaves without a word when the other side has not ended it by then. */
export async function throwAtTcp(address: string, payload: Buffer): Promise<void> {
  const [host, port] = splitAt(address);
  await new Promise<void>((resolve) => {
    const socket = createConnection({ host, port });
    socket.on('error', () => undefined); // reset by who has had enough
    socket.on('data', () => undefined);
    socket.once('close', () => resolve());
    socket.once('connect', () => socket.write(payload));
    void sleep(clock, patienceMs).then(() => socket.resetAndDestroy());
  });
}

/** Datagrams that are no DNS query, or a mean one. */
export function udpGarbage(): readonly Buffer[] {
  const header = (flags: number, questions: number): Buffer =>
    Buffer.from([0, 7, flags >> 8, flags & 0xff, 0, questions, 0, 0, 0, 0, 0, 0]);
  const pointerLoop = Buffer.concat([header(0, 1), Buffer.from([0xc0, 12, 0, 1, 0, 1])]);
  const longLabels = Buffer.concat([header(0, 1), Buffer.alloc(400, 63), Buffer.from([0, 0, 1])]);
  return [
    Buffer.alloc(0),
    ...Array.from({ length: 40 }, (_, index) => noise(index + 1, 1 + index * 13)),
    header(0, 1),
    header(0, 255),
    header(0x8180, 1), // an answer
    header(0x2800, 1), // an update
    pointerLoop,
    longLabels,
    Buffer.concat([header(0, 1), Buffer.from('0377777700fffeffff', 'hex')]),
    Buffer.alloc(8_000, 0xff),
  ];
}

export async function throwAtUdp(address: string, payloads: readonly Buffer[]): Promise<void> {
  const [host, port] = splitAt(address);
  const socket = createSocket('udp4');
  socket.on('error', () => undefined);
  await Promise.all(
    payloads.map(
      (payload) =>
        new Promise<void>((resolve) => socket.send(payload, port, host, () => resolve())),
    ),
  );
  await new Promise<void>((resolve) => socket.close(() => resolve()));
}

function splitAt(address: string): readonly [string, number] {
  const colon = address.lastIndexOf(':');
  return [address.slice(0, colon), Number(address.slice(colon + 1))];
}
