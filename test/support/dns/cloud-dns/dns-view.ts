// The name server of the double: answers over UDP what is served, which lags behind what the API
// shows.

import { createSocket } from 'node:dgram';
import { decode, encode, AUTHORITATIVE_ANSWER, type Answer, type Packet } from 'dns-packet';
import type { StoredSet, StoredZone } from './zone.ts';

export interface DnsView {
  readonly port: number;
  close(): Promise<void>;
}

export async function openDnsView(zone: StoredZone): Promise<DnsView> {
  const socket = createSocket('udp4');
  socket.on('message', (message, peer) => {
    socket.send(encode(toReply(zone, decode(message))), peer.port, peer.address);
  });
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  return {
    port: socket.address().port,
    close: () => new Promise((resolve) => socket.close(() => resolve())),
  };
}

const chainMax = 8;

function toReply(zone: StoredZone, query: Packet): Packet {
  const [question] = query.questions ?? [];
  const answers: Answer[] = [];
  let name = `${question?.name ?? ''}.`.toLowerCase();
  let rcode = 0;
  for (let links = 0; links < chainMax; links += 1) {
    const types = zone.servedAt(name);
    const alias = types?.get('CNAME');
    const set = types?.get(question?.type ?? 'A') ?? alias;
    if (types === undefined && !zone.servesBelow(name)) rcode = 3;
    if (set === undefined) break;
    answers.push(...toAnswers(set));
    const [target] = dataOf(set);
    if (set !== alias || question?.type === 'CNAME' || target === undefined) break;
    if (!target.endsWith(zone.dnsName)) break;
    name = target.toLowerCase();
  }
  return {
    type: 'response',
    id: query.id ?? 0,
    flags: AUTHORITATIVE_ANSWER | rcode,
    questions: question === undefined ? [] : [question],
    answers,
  };
}

/** Of a weighted round robin, the heaviest: which one it is has to be known in a test. */
function dataOf({ rrdatas, routingPolicy }: StoredSet): readonly string[] {
  const items = routingPolicy?.wrr?.items ?? [];
  const heaviest = items.toSorted((a, b) => (b.weight ?? 0) - (a.weight ?? 0))[0];
  return rrdatas ?? heaviest?.rrdatas ?? [];
}

function toAnswers(set: StoredSet): Answer[] {
  const head = { name: set.name.slice(0, -1), ttl: set.ttl };
  return dataOf(set).flatMap((data): Answer[] => {
    switch (set.type) {
      case 'A':
      case 'AAAA':
        return [{ ...head, type: set.type, data }];
      case 'CNAME':
      case 'NS':
        return [{ ...head, type: set.type, data: data.slice(0, -1) }];
      case 'TXT':
        return [{ ...head, type: 'TXT', data: data.replaceAll('"', '') }];
      default:
        return [];
    }
  });
}
