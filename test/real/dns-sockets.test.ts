import { execFile } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { connect, type Socket } from 'node:net';
import { promisify } from 'node:util';
import test, { type ExecutionContext } from 'ava';
import { toClusterName, toLogKey } from '../../common/model/ids.ts';
import type { RecordSet } from '../../common/model/publication.ts';
import { systemClock } from '../../common/runtime/clock.ts';
import { silentLog } from '../../common/runtime/log.ts';
import { createMetrics, silentMetrics } from '../../common/runtime/metrics.ts';
import { createResolver } from '../../agent/resolver/resolver.ts';
import { createZone } from '../../coordinator/zone/zone.ts';
import { testWith } from '../support/programs.ts';
import {
  decode,
  openLog,
  nginx,
  nginxAt,
  nginxGlobal,
  question,
  topology,
} from '../support/dns-fixtures.ts';

const run = promisify(execFile);
const withDig = testWith('dig');
const host = '127.0.0.1';
const publicationKey = toLogKey({
  group: 'isthmus.dev',
  resource: 'publications',
  namespace: 'web',
  name: 'nginx.example.com',
});

const many = Array.from({ length: 100 }, (_, index) => `8.8.1.${index}`);

function publication(values: readonly string[]) {
  const set = (name: string, of: readonly string[], level: RecordSet['level']): RecordSet => {
    return { name, type: 'A', values: of, ttlSeconds: 60, level };
  };
  return {
    apiVersion: 'isthmus.dev/v1alpha1',
    kind: 'Publication',
    metadata: { namespace: 'web', name: 'nginx.example.com' },
    spec: {
      key: nginx,
      zone: 'example.com',
      shards: [],
      recordSets: [set(nginxGlobal, many, 'global'), set(nginxAt('r1'), values, 'region')],
    },
  };
}

async function openZone(t: ExecutionContext) {
  const { desired, put } = await openLog();
  await put(publicationKey, publication(['8.8.0.1']));
  const metrics = createMetrics({ withProcess: false, clock: systemClock });
  const zone = await createZone({
    desired,
    domain: 'example.com',
    federation: 'myfederation',
    listen: { host, port: 0 },
    clock: systemClock,
    log: silentLog,
    metrics,
  });
  t.teardown(() => zone.close());
  return { desired, put, zone, metrics };
}

async function dig(port: number, ...query: readonly string[]): Promise<string> {
  const { stdout } = await run('dig', [
    `@${host}`,
    '-p',
    String(port),
    '+tries=1',
    '+time=3',
    '+nocookie',
    ...query,
  ]);
  return stdout;
}

function count(text: string, pattern: RegExp): number {
  return text.split('\n').filter((line) => pattern.test(line)).length;
}

withDig('dig reads the zone over UDP, TCP and with small and large buffers', async (t) => {
  const { zone } = await openZone(t);
  const region = await dig(zone.port, nginxAt('r1'), 'A');
  t.regex(region, /flags: qr aa rd;/);
  t.regex(region, /nginx\.web\.myfederation\.svc\.r1\.example\.com\. 60 IN A 8\.8\.0\.1/);
  t.is(count(await dig(zone.port, '+tcp', nginxGlobal, 'A'), /IN\s+A\s/), 100);
  const cut = await dig(zone.port, '+ignore', '+bufsize=512', nginxGlobal, 'A');
  t.regex(cut, /flags: qr aa tc rd;/);
  t.regex(cut, /MSG SIZE {2}rcvd: (4\d\d|50\d|51[0-2])$/m);
  const wide = await dig(zone.port, '+ignore', '+bufsize=4096', nginxGlobal, 'A');
  t.regex(wide, /MSG SIZE {2}rcvd: 12[0-3]\d$/m);
  const plain = await dig(zone.port, '+ignore', '+noedns', nginxGlobal, 'A');
  t.notRegex(plain, /OPT PSEUDOSECTION/);
  t.is(
    count(await dig(zone.port, nginxGlobal, 'A'), /IN\s+A\s/),
    100,
    'a cut answer is fetched again over TCP',
  );
  t.regex(await dig(zone.port, 'nothing.example.com'), /status: NXDOMAIN[^]*IN\s+SOA/);
  t.regex(await dig(zone.port, 'example.org'), /status: REFUSED/);
  t.regex(await dig(zone.port, '+edns=1', '+noednsneg', nginxGlobal), /status: BADVERS/);
  t.regex(await dig(zone.port, '+opcode=notify', nginxGlobal), /status: NOTIMP/);
});

withDig('a change in the log is in DNS at once', async (t) => {
  const { put, zone } = await openZone(t);
  t.regex(await dig(zone.port, '+short', nginxAt('r1'), 'A'), /^8\.8\.0\.1$/m);
  await put(publicationKey, publication(['8.8.0.7']));
  t.regex(await dig(zone.port, '+short', nginxAt('r1'), 'A'), /^8\.8\.0\.7$/m);
  await put(publicationKey, undefined);
  t.regex(await dig(zone.port, nginxAt('r1'), 'A'), /status: NXDOMAIN/);
});

/** Asks over UDP and resolves with the first reply. */
function askUdp(
  port: number,
  request: Uint8Array,
  before: readonly Uint8Array[] = [],
): Promise<Uint8Array> {
  const socket = createSocket('udp4');
  return new Promise((resolve, reject) => {
    socket.on('error', reject);
    socket.on('message', (reply) => {
      // Replies to the garbage sent before carry other ids.
      if (reply.readUInt16BE(0) !== Buffer.from(request).readUInt16BE(0)) return;
      socket.close();
      resolve(reply);
    });
    for (const bytes of before) socket.send(bytes, port, host);
    socket.send(request, port, host);
  });
}

function garbage(): readonly Uint8Array[] {
  const random = (length: number, seed: number): Uint8Array =>
    Uint8Array.from(
      { length },
      (_, index) => (Math.imul(index + seed, 2_654_435_761) >>> 13) & 0xff,
    );
  const short = Array.from({ length: 12 }, (_, length) => random(length, 3));
  const long = Array.from({ length: 60 }, (_, index) => random(12 + index * 19, index));
  const counts = Buffer.from(question(nginxGlobal, 'A'));
  counts.writeUInt16BE(1, 0);
  counts.fill(0xff, 4, 12);
  return [...short, ...long, counts, Buffer.alloc(9_000, 0xc0)];
}

test('D1 garbage over UDP and TCP ends nothing', async (t) => {
  const { zone, metrics } = await openZone(t);
  const good = question(nginxAt('r1'), 'A');
  t.is(decode(await askUdp(zone.port, good, garbage())).code, 'NOERROR');
  const closed = await Promise.all(
    garbage()
      .slice(0, 20)
      .map((bytes) => cutOff(zone.port, bytes)),
  );
  t.is(closed.length, 20);
  t.is(decode(await askUdp(zone.port, good)).code, 'NOERROR');
  // Told within a second, and only because something was counted.
  const stats = await waitFor(() =>
    Object.keys(zone.stats()).length > 0 ? zone.stats() : undefined,
  );
  t.true(
    (stats['udp dropped'] ?? 0) +
      (stats['udp formatError'] ?? 0) +
      (stats['udp notImplemented'] ?? 0) >
      20,
  );
  t.regex(await metrics.expose(), /mesh_zone_answers_total\{transport="udp",code="formatError"\}/);
});

/** Sends bytes in TCP and ends: resolves when the server has closed too. */
function cutOff(port: number, bytes: Uint8Array): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect(port, host, () => socket.end(bytes));
    socket.resume();
    socket.on('error', () => undefined);
    socket.on('close', () => resolve());
  });
}

async function waitFor<T>(read: () => T | undefined): Promise<T> {
  for (let turn = 0; turn < 200; turn += 1) {
    const value = read();
    if (value !== undefined) return value;
    await new Promise<void>((resolve) => systemClock.after(20, resolve));
  }
  throw new Error('it did not happen within 4 s');
}

/** Reads `count` framed replies. */
function readFramed(socket: Socket, wanted: number): Promise<readonly Buffer[]> {
  return new Promise((resolve, reject) => {
    let waiting = Buffer.alloc(0);
    const replies: Buffer[] = [];
    socket.on('error', reject);
    socket.on('data', (chunk: Buffer) => {
      waiting = Buffer.concat([waiting, chunk]);
      while (waiting.length >= 2 && waiting.length >= 2 + waiting.readUInt16BE(0)) {
        replies.push(waiting.subarray(2, 2 + waiting.readUInt16BE(0)));
        waiting = waiting.subarray(2 + waiting.readUInt16BE(0));
      }
      if (replies.length >= wanted) resolve(replies);
    });
  });
}

function frame(bytes: Uint8Array): Buffer {
  const framed = Buffer.alloc(2 + bytes.length);
  framed.writeUInt16BE(bytes.length, 0);
  framed.set(bytes, 2);
  return framed;
}

test('a hundred questions down one connection are all answered, split anywhere', async (t) => {
  const { zone } = await openZone(t);
  const socket = connect(zone.port, host);
  t.teardown(() => void socket.destroy());
  const stream = Buffer.concat(
    Array.from({ length: 250 }, () => frame(question(nginxAt('r1'), 'A'))),
  );
  const replies = readFramed(socket, 250);
  for (let at = 0; at < stream.length; at += 777) socket.write(stream.subarray(at, at + 777));
  t.true((await replies).every((reply) => decode(reply).code === 'NOERROR'));
  const single = readFramed(socket, 1);
  for (const byte of frame(question(nginxAt('r1'), 'A'))) socket.write(Uint8Array.of(byte));
  t.is(decode((await single)[0]).code, 'NOERROR');
});

test('a port in use is said plainly', async (t) => {
  const { zone, desired } = await openZone(t);
  const again = createZone({
    desired,
    domain: 'example.com',
    federation: 'myfederation',
    listen: { host, port: zone.port },
    clock: systemClock,
    log: silentLog,
    metrics: silentMetrics,
  });
  await t.throwsAsync(again, { code: 'DNS_LISTEN', message: /EADDRINUSE/ });
});

withDig('dig reads the resolver, and garbage does not end it', async (t) => {
  const local = new Map([[nginx, { clusterIps: ['10.0.0.9', 'fd00::9'], ready: 1 }]]);
  const resolver = createResolver({
    cluster: toClusterName('me'),
    local: () => local,
    subscribeLocal: () => () => undefined,
    topology: () => topology(['a'], 'r1'),
    federation: () => 'myfederation',
    domain: () => 'example.com',
    isCoordinatorReachable: () => true,
    prober: {
      probe: (target) => Promise.resolve({ target, ok: true, roundTripMs: 1, reason: '' }),
    },
    hostLookup: {
      lookup: (name) =>
        Promise.resolve({ addresses: [name.length > 3 ? '52.0.0.1' : ''], ttlSeconds: 5 }),
    },
    clock: systemClock,
    log: silentLog,
    metrics: silentMetrics,
  });
  const shards = [
    {
      cluster: toClusterName('elb'),
      zones: [],
      region: 'r2',
      addresses: [],
      hostnames: ['lb.elb.amazonaws.com'],
      tcpPorts: [80],
      isHealthy: true,
    },
  ];
  resolver.applyPeers({ upserts: [{ key: nginx, shards }], removals: [], isFull: true });
  const sockets = await resolver.listen({ host, port: 0 });
  t.teardown(async () => {
    resolver.stop();
    await sockets.close();
  });
  t.is(await dig(sockets.port, '+short', 'nginx.web.myfederation', 'A'), '10.0.0.9\n');
  t.is(
    await dig(sockets.port, '+short', '+tcp', 'nginx.web.myfederation.svc.cluster.local', 'AAAA'),
    'fd00::9\n',
  );
  t.is(await dig(sockets.port, '+short', nginxAt('r2'), 'A'), 'lb.elb.amazonaws.com.\n52.0.0.1\n');
  t.is(
    await dig(sockets.port, '+short', '+tcp', nginxAt('r2'), 'A'),
    'lb.elb.amazonaws.com.\n52.0.0.1\n',
  );
  const good = question('nginx.web.myfederation', 'A');
  t.is(decode(await askUdp(sockets.port, good, garbage())).code, 'NOERROR');
});
