// Asks a DNS server over UDP. Adapter (dgram). Retries once, since UDP may lose a packet.

import { createSocket } from 'node:dgram';
import { recordTypes, toWireName } from '../../common/pure/dns-wire.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import { splitAddress } from '../welcome.ts';
import { parseReply, type DnsReply } from './dns-reply.ts';

const tryMs = 1_000;
const tries = 2;

/** The reply, or undefined when there was none. `server` is host:port. */
export async function askDns(
  server: string,
  name: string,
  clock: Clock,
  type: 'A' | 'AAAA' = 'A',
): Promise<DnsReply | undefined> {
  for (let attempt = 1; attempt <= tries; attempt += 1) {
    const reply = await askOnce(server, toQuery(attempt, name, recordTypes[type]), clock);
    if (reply !== undefined) return reply;
  }
  return undefined;
}

/** A query with RD clear: the embedded zone is authoritative, and nobody should recurse. */
function toQuery(id: number, name: string, type: number): Buffer {
  const wire = toWireName(name);
  if (wire === undefined) throw new Error(`${name} is no DNS name`);
  const header = Buffer.from([id >> 8, id & 0xff, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
  return Buffer.concat([header, Buffer.from(wire, 'latin1'), Buffer.from([0, type, 0, 1])]);
}

function askOnce(server: string, query: Buffer, clock: Clock): Promise<DnsReply | undefined> {
  const [host, port] = splitAddress(server);
  const id = query.readUInt16BE(0);
  return new Promise((resolve) => {
    const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
    const finish = (reply: DnsReply | undefined): void => {
      timer.cancel();
      socket.close();
      resolve(reply);
    };
    const timer = clock.after(tryMs, () => finish(undefined));
    socket.once('error', () => finish(undefined));
    socket.on('message', (bytes) => {
      const reply = parseReply(bytes, id);
      if (reply !== undefined) finish(reply);
    });
    // Connected, so that only this server's answers and its refusals reach us.
    socket.connect(Number(port), host, () => socket.send(query));
  });
}
