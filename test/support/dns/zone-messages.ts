// The served zones behind everything but sockets, asked with messages of another encoder and read
// by another decoder.

import packet from 'dns-packet';
import type { RecordSet } from '../../../common/model/publication.ts';
import { toNetworks } from '../../../common/pure/networks.ts';
import { RateLimiter } from '../../../coordinator/zone/rate-limit.ts';
import { ZoneServer } from '../../../coordinator/zone/zone-server.ts';
import { nginx, nginxAt, nginxGlobal, topology } from '../dns-fixtures.ts';
import { createManualClock } from '../manual-clock.ts';
import { serveZones } from '../served-zone.ts';

const many = Array.from({ length: 60 }, (_, index) => `8.8.1.${index}`);

export function set(
  name: string,
  type: RecordSet['type'],
  values: readonly string[],
  level: RecordSet['level'] = 'zone',
): RecordSet {
  return { name, type, values, ttlSeconds: 60, level };
}

const sets = [
  set(nginxGlobal, 'A', ['8.8.0.1', '8.8.0.2'], 'global'),
  set(nginxGlobal, 'AAAA', ['2a00:1450::1'], 'global'),
  set(nginxAt('r1'), 'A', many),
  set(nginxAt('a', 'r1'), 'A', ['8.8.0.1']),
  set(`_http._tcp.${nginxGlobal}`, 'SRV', [`0 10 30080 ${nginxGlobal}`], 'global'),
  set(`_dns._udp.${nginxGlobal}`, 'SRV', [`0 10 53 ${nginxGlobal}`], 'global'),
  set(`s-1.${nginxAt('r1')}`, 'A', ['8.8.0.9'], 'shard'),
  set('eu.nginx.example.com', 'CNAME', [nginxAt('r1')], 'alias'),
  set('abroad.example.com', 'CNAME', ['nginx.web.myfederation.svc.example.net'], 'alias'),
  set('lost.example.com', 'CNAME', ['nobody.example.net'], 'alias'),
];

/** Three zones, one below another, with every form of record. */
export function openServer(perSecond = 0) {
  const clock = createManualClock();
  const glue = [{ name: 'ns1.example.com', addresses: ['192.0.2.53', '2001:db8::53'] }];
  const served = serveZones('myfederation', [
    { domain: 'example.com', nameServers: ['ns1.example.com', 'ns2.example.org'], glue },
    { domain: 'example.net', allowTransfer: ['192.0.2.0/24'] },
    { domain: 'sub.example.com' },
  ]);
  const clusters = [{ name: 'far', topology: topology(['z'], 'r2') }];
  served.apply({ services: [{ key: nginx, recordSets: sets }], clusters });
  const other = 'nginx.web.myfederation.svc.example.net';
  const recordSets = [set(other, 'A', ['8.8.4.4'], 'global')];
  served.apply({ services: [{ key: nginx, recordSets }] }, 'example.net');
  const counts: string[] = [];
  const server = new ZoneServer({
    zones: served.zones,
    limiter: new RateLimiter({ perSecond, exempt: toNetworks(['10.0.0.0/8']), seed: 1 }),
    clock,
    count: (what) => void counts.push(what),
    onResponse: () => void counts.push('response'),
  });
  const send = (
    bytes: Uint8Array,
    { transport = 'udp', from = '198.51.100.1' }: Sent = {},
  ): Buffer | undefined => {
    const reply = server.answer(bytes, transport, from);
    return reply instanceof Uint8Array ? Buffer.from(reply) : undefined;
  };
  return { clock, counts, served, server, send };
}

export interface Sent {
  readonly transport?: 'udp' | 'tcp';
  readonly from?: string;
}

export interface Asked {
  readonly edns?: Partial<packet.OptAnswer> & { readonly udpPayloadSize?: number };
  readonly flags?: number;
  readonly id?: number;
  readonly class?: string;
}

export function ask(name: string, type: string, asked: Asked = {}): Buffer {
  const { edns, flags = packet.RECURSION_DESIRED, id = 4711 } = asked;
  const opt = { type: 'OPT', name: '.', udpPayloadSize: 4096, flags: 0, options: [], ...edns };
  return packet.encode({
    type: 'query',
    id,
    flags,
    questions: [{ type: type as packet.RecordType, name, class: (asked.class ?? 'IN') as 'IN' }],
    ...(edns === undefined ? {} : { additionals: [opt as packet.OptAnswer] }),
  });
}

export interface Read {
  readonly rcode: string;
  readonly answers: readonly string[];
  readonly authorities: readonly string[];
  readonly additionals: readonly string[];
  readonly packet: packet.DecodedPacket;
  readonly opt: (packet.OptAnswer & { readonly extendedRcode: number }) | undefined;
}

export function read(reply: Buffer | undefined): Read {
  if (reply === undefined) throw new Error('no reply');
  const decoded = packet.decode(reply) as packet.DecodedPacket & { readonly rcode: string };
  const show = (answer: packet.Answer): string => {
    const { data } = answer as { readonly data?: unknown };
    const text = typeof data === 'string' ? data : srv(data);
    return `${answer.name} ${answer.type} ${text}`;
  };
  const all = decoded.additionals ?? [];
  return {
    rcode: decoded.rcode,
    answers: (decoded.answers ?? []).map(show).sort(),
    authorities: (decoded.authorities ?? []).map(({ name, type }) => `${name} ${type}`),
    additionals: all.filter(({ type }) => type !== 'OPT').map(show),
    packet: decoded,
    opt: all.find(({ type }) => type === 'OPT') as Read['opt'],
  };
}

function srv(data: unknown): string {
  const { priority, weight, port, target } = (data ?? {}) as Partial<packet.SrvData>;
  return target === undefined ? '' : `${priority} ${weight} ${port} ${String(target)}`;
}
