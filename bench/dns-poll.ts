// Watches one name of a DNS server: asks over UDP every few milliseconds until the answer is as
// wanted. Adapter (dgram).

import { createSocket } from 'node:dgram';
import { recordTypes, toWireName } from '../common/pure/dns-wire.ts';
import type { Clock } from '../common/runtime/clock.ts';
import { parseReply } from '../demo/guide/dns-reply.ts';
import { toAnswer } from '../demo/guide/expected-dns.ts';
import { splitAddress } from '../demo/welcome.ts';
import { sharedMs } from './shared-clock.ts';

const everyMs = 5;

export interface DnsSeen {
  /** sharedMs() when the first wanted reply came. */
  readonly atMs: number;
  readonly answer: string;
}

/** Rejects when no wanted answer came within `withinMs`. `server` is host:port. */
export function pollDns(options: {
  readonly server: string;
  readonly name: string;
  /** `A 127.11.0.1 127.12.0.1`, `CNAME name`, `NXDOMAIN` and so on. */
  readonly isWanted: (answer: string) => boolean;
  readonly withinMs: number;
  readonly clock: Clock;
}): Promise<DnsSeen> {
  const { server, name, isWanted, withinMs, clock } = options;
  const [host, port] = splitAddress(server);
  const query = toQuery(name);
  const socket = createSocket('udp4');
  return new Promise((resolve, reject) => {
    const startMs = sharedMs();
    let id = 0;
    let last = 'no reply';
    let timer = clock.after(0, () => undefined);
    const finish = (settle: () => void): void => {
      timer.cancel();
      socket.close();
      settle();
    };
    const ask = (): void => {
      if (sharedMs() - startMs > withinMs) {
        const why = `${name} still answers ${last} after ${withinMs / 1000} s`;
        return finish(() => reject(new Error(why)));
      }
      id = (id + 1) % 65_536;
      query.writeUInt16BE(id, 0);
      socket.send(Buffer.from(query));
      timer = clock.after(everyMs, ask);
    };
    socket.on('message', (bytes) => {
      const reply = bytes.length < 2 ? undefined : parseReply(bytes, bytes.readUInt16BE(0));
      if (reply === undefined) return;
      last = toAnswer(reply);
      const atMs = sharedMs();
      if (isWanted(last)) finish(() => resolve({ atMs, answer: last }));
    });
    socket.on('error', () => undefined); // refused: the next question may be answered
    socket.connect(Number(port), host, ask);
  });
}

/** A question for A records, RD clear; the id is filled in for each. */
function toQuery(name: string): Buffer {
  const wire = toWireName(name);
  if (wire === undefined) throw new Error(`${name} is no DNS name`);
  const header = [0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0];
  return Buffer.from([...header, ...Buffer.from(wire, 'latin1'), 0, recordTypes.A, 0, 1]);
}
