// The embedded server with its thread and sockets over a log in memory, and a client of it.

import { createSocket } from 'node:dgram';
import { connect } from 'node:net';
import packet from 'dns-packet';
import type { ExecutionContext } from 'ava';
import { toLogKey, toServiceKey, type ServiceKey } from '../../../common/model/ids.ts';
import type { DnsZoneSpec } from '../../../common/model/dns-zone.ts';
import type { RecordSet } from '../../../common/model/publication.ts';
import { toPublicationKey, toPublicationObject } from '../../../common/pure/publication-object.ts';
import { systemClock } from '../../../common/runtime/clock.ts';
import { silentLog } from '../../../common/runtime/log.ts';
import { createMetrics } from '../../../common/runtime/metrics.ts';
import { createZone, type ZoneOptions } from '../../../coordinator/zone/zone.ts';
import { openLog } from '../dns-fixtures.ts';

export const zoneHost = '127.0.0.1';
const domain = 'example.com';

export async function openZoneWorld(t: ExecutionContext, options: Partial<ZoneOptions> = {}) {
  const { desired, put } = await openLog();
  const metrics = createMetrics({ withProcess: false, clock: systemClock });
  const open = async () => {
    const zone = await createZone({
      desired,
      domain,
      federation: 'myfederation',
      listen: { host: zoneHost, port: 0 },
      clock: systemClock,
      log: silentLog,
      metrics,
      ...options,
    });
    t.teardown(() => zone.close());
    return zone;
  };
  return {
    desired,
    put,
    metrics,
    open,
    putZone: (name: string, spec: Partial<DnsZoneSpec>) =>
      put(toLogKey({ group: 'isthmus.dev', resource: 'dnszones', name }), {
        apiVersion: 'isthmus.dev/v1alpha1',
        kind: 'DNSZone',
        metadata: { name },
        spec: { domain, provider: 'Embedded', ...spec },
      }),
    /** `secret`: base64, as key generators print it; undefined: the Secret goes. */
    putTsigSecret: (name: string, secret: string | undefined) => {
      const head = { apiVersion: 'v1', kind: 'Secret', metadata: { namespace: 'dns', name } };
      const object = {
        ...head,
        data: { 'tsig-secret': Buffer.from(secret ?? '').toString('base64') },
      };
      const at = toLogKey({ group: '', resource: 'secrets', namespace: 'dns', name });
      return put(at, secret === undefined ? undefined : object);
    },
    removeZone: (name: string) =>
      put(toLogKey({ group: 'isthmus.dev', resource: 'dnszones', name }), undefined),
    putCluster: (name: string, zone: string, region: string) =>
      put(toLogKey({ group: 'isthmus.dev', resource: 'clusters', name }), {
        apiVersion: 'isthmus.dev/v1alpha1',
        kind: 'Cluster',
        metadata: { name },
        spec: { zone, region },
      }),
    /** Undefined record sets: the publication goes. */
    publish: (
      name: string,
      recordSets: readonly RecordSet[] | undefined,
      at: { readonly dnsZone?: string; readonly zone?: string } = {},
    ) => {
      const key: ServiceKey = toServiceKey({ namespace: 'web', name });
      const { dnsZone = domain, zone = domain } = at;
      const said = { reason: 'Published', message: '', serviceUid: 'uid', everHealthy: true };
      const object =
        recordSets && toPublicationObject({ key, zone, dnsZone, shards: [], recordSets, ...said });
      return put(toPublicationKey(key, dnsZone), object);
    },
  };
}

/** `<name>.web.myfederation.svc[.labels].<domain>`. */
export function nameOf(service: string, labels: readonly string[] = [], of = domain): string {
  return [`${service}.web.myfederation.svc`, ...labels, of].join('.');
}

export function addressSet(name: string, values: readonly string[], ttlSeconds = 60): RecordSet {
  return { name, type: 'A', values, ttlSeconds, level: 'global' };
}

export function recordSet(
  name: string,
  type: RecordSet['type'],
  values: readonly string[],
  level: RecordSet['level'] = 'global',
): RecordSet {
  return { name, type, values, ttlSeconds: 60, level };
}

const answerMs = 5_000;

/** Sends bytes and resolves with the first datagram back; undefined when none comes in time. */
export function askUdp(
  port: number,
  request: Uint8Array,
  withinMs = answerMs,
): Promise<Buffer | undefined> {
  const socket = createSocket('udp4');
  return new Promise((resolve, reject) => {
    const end = (reply: Buffer | undefined): void => {
      timer.cancel();
      socket.close();
      resolve(reply);
    };
    const timer = systemClock.after(withinMs, () => end(undefined));
    socket.on('error', reject);
    socket.on('message', end);
    socket.send(request, port, zoneHost);
  });
}

export function frame(bytes: Uint8Array): Buffer {
  const framed = Buffer.alloc(2 + bytes.length);
  framed.writeUInt16BE(bytes.length, 0);
  framed.set(bytes, 2);
  return framed;
}

/** Sends one message over TCP and resolves with every reply until `isLast` or the end. */
export function askTcp(
  port: number,
  request: Uint8Array,
  isLast: (reply: Buffer, count: number) => boolean = () => true,
): Promise<readonly Buffer[]> {
  const socket = connect(port, zoneHost, () => void socket.write(frame(request)));
  return new Promise((resolve, reject) => {
    const replies: Buffer[] = [];
    let waiting = Buffer.alloc(0);
    socket.on('error', reject);
    socket.on('close', () => resolve(replies));
    socket.on('data', (chunk: Buffer) => {
      waiting = Buffer.concat([waiting, chunk]);
      while (waiting.length >= 2 && waiting.length >= 2 + waiting.readUInt16BE(0)) {
        const reply = waiting.subarray(2, 2 + waiting.readUInt16BE(0));
        waiting = waiting.subarray(2 + reply.length);
        replies.push(reply);
        if (isLast(reply, replies.length)) return void socket.destroy();
      }
    });
  });
}

/** The whole transfer's records, by another decoder; a refusal has none. */
export async function transfer(
  port: number,
  request: Uint8Array,
): Promise<{
  readonly code: string;
  readonly records: readonly packet.Answer[];
  messages: number;
}> {
  let soas = 0;
  const replies = await askTcp(port, request, (reply) => {
    const { answers = [], rcode } = packet.decode(reply) as packet.DecodedPacket & {
      readonly rcode: string;
    };
    soas += answers.filter(({ type }) => type === 'SOA').length;
    return soas >= 2 || rcode !== 'NOERROR';
  });
  const decoded = replies.map(
    (reply) => packet.decode(reply) as packet.DecodedPacket & { readonly rcode: string },
  );
  const [first] = decoded;
  return {
    code: first?.rcode ?? 'none',
    records: decoded.flatMap(({ answers = [] }) => answers),
    messages: replies.length,
  };
}

/** One question over TCP, as `code` and sorted `name type ttl data`. */
export async function lookUp(port: number, name: string, type: string): Promise<string> {
  const questions = [{ type: type as packet.RecordType, name, class: 'IN' as const }];
  const [reply] = await askTcp(port, packet.encode({ type: 'query', id: 7, questions }));
  if (reply === undefined) return 'none';
  const { answers = [], rcode } = packet.decode(reply) as packet.DecodedPacket & {
    readonly rcode: string;
  };
  const lines = answers.map((answer) => {
    const { ttl, data } = answer as { readonly ttl: number; readonly data: unknown };
    return `${answer.name} ${answer.type} ${ttl} ${JSON.stringify(data)}`;
  });
  return [rcode, ...lines.sort()].join('\n');
}
