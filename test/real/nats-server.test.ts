// The supervised nats-server and the bus on it, with the certificates that agents really have:
// who may say and hear what, and what survives which death.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect as connectTcp } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { toClusterName } from '../../common/model/ids.ts';
import { clusterInboxPrefix, coordinatorInboxPrefix } from '../../common/pure/inbox.ts';
import { reportPatterns, reportSubject, requestSubject } from '../../common/pure/partition.ts';
import { systemChance } from '../../common/runtime/chance.ts';
import { systemClock } from '../../common/runtime/clock.ts';
import { silentLog } from '../../common/runtime/log.ts';
import { silentMetrics, type Metrics } from '../../common/runtime/metrics.ts';
import { connectNats } from '../../common/runtime/nats-bus.ts';
import type { KeyPairPem } from '../../common/runtime/certificates.ts';
import {
  createCa,
  issueClientCertificate,
  issueServerCertificate,
} from '../../common/runtime/pki.ts';
import type { TelemetryBus } from '../../common/runtime/telemetry-bus.ts';
import { toClusterUri } from '../../coordinator/session/certificate-authority.ts';
import {
  findNatsServer,
  startNatsServer,
  type NatsServer,
  type NatsServerOptions,
} from '../../coordinator/session/nats-server.ts';
import { until } from '../support/mesh-fixture.ts';
import { testWith } from '../support/programs.ts';

const test = testWith('nats-server');
const clock = systemClock;
const federation = 'myfederation';
const coordinatorUri = `isthmus://${federation}/coordinator`;
const one = toClusterName('one');
const two = toClusterName('two');

interface World {
  readonly ca: KeyPairPem;
  readonly options: NatsServerOptions;
  readonly server: NatsServer;
  bus(uri: string, inboxPrefix: string, metrics?: Metrics): Promise<TelemetryBus>;
  agent(cluster: typeof one, uid?: string, metrics?: Metrics): Promise<TelemetryBus>;
  coordinator(): Promise<TelemetryBus>;
}

async function openWorld(t: ExecutionContext): Promise<World> {
  // The clock's timers do not keep a process alive; in a program the listeners do.
  const alive = setInterval(() => undefined, 1_000);
  t.teardown(() => clearInterval(alive));
  const ca = await createCa({ commonName: 'test', clock, validDays: 1 });
  const dataDir = mkdtempSync(join(tmpdir(), 'isthmus-nats-'));
  const options: NatsServerOptions = {
    binary: findNatsServer() ?? '',
    dataDir,
    listen: { host: '127.0.0.1', port: 0 },
    server: await issueServerCertificate({
      ca,
      commonName: 'server',
      dnsNames: ['localhost'],
      ipAddresses: ['127.0.0.1'],
      validDays: 1,
      clock,
    }),
    caPem: ca.certPem,
    federation,
    coordinatorUri,
    clusters: [
      { name: one, uid: 'uid-1' },
      { name: two, uid: 'uid-2' },
    ],
    clock,
    log: silentLog,
  };
  const server = await startNatsServer(options);
  t.teardown(async () => {
    await server.stop();
    rmSync(dataDir, { recursive: true, force: true });
  });
  const bus = async (uri: string, inboxPrefix: string, metrics = silentMetrics) => {
    const pair = await issueClientCertificate({
      ca,
      commonName: 'client',
      organizations: ['isthmus:clusters'],
      uris: [uri],
      validDays: 1,
      clock,
    });
    const connected = connectNats({
      urls: server.urls(),
      name: uri,
      tls: { caPem: ca.certPem, ...pair },
      inboxPrefix,
      clock,
      chance: systemChance,
      log: silentLog,
      metrics,
    });
    t.teardown(() => connected.close());
    return connected;
  };
  return {
    ca,
    options,
    server,
    bus,
    agent: (cluster, uid = cluster === one ? 'uid-1' : 'uid-2', metrics) =>
      bus(toClusterUri(federation, cluster, uid), clusterInboxPrefix(cluster), metrics),
    coordinator: () => bus(coordinatorUri, coordinatorInboxPrefix),
  };
}

function connected(bus: TelemetryBus, wanted = true): Promise<void> {
  if (bus.isConnected() === wanted) return Promise.resolve();
  return new Promise((resolve) => {
    const stop = bus.onConnection((isConnected) => {
      if (isConnected !== wanted) return;
      stop();
      resolve();
    });
  });
}

const text = (payload: Uint8Array): string => Buffer.from(payload).toString('utf8');

/** Resolves with the subjects heard once `last` came: what was refused is not among them. */
function hearUntil(
  bus: TelemetryBus,
  patterns: readonly string[],
  last: string,
): Promise<string[]> {
  const heard: string[] = [];
  return new Promise((resolve) => {
    for (const pattern of patterns) {
      bus.subscribe(pattern, ({ subject, payload }) => {
        heard.push(subject);
        if (text(payload) === last) resolve(heard);
      });
    }
  });
}

test('I8 an agent is heard under its own cluster, never under another', async (t) => {
  const world = await openWorld(t);
  const coordinator = await world.coordinator();
  await connected(coordinator);
  const hearing = hearUntil(coordinator, reportPatterns(federation), 'last');
  await coordinator
    .request(requestSubject(federation, 'sync', one), Buffer.from(''), 500)
    .catch(() => undefined);
  const errors: string[] = [];
  const metrics = { ...silentMetrics, count: (name: string) => void errors.push(name) };
  const agent = await world.agent(one, 'uid-1', metrics);
  await connected(agent);
  agent.publish(reportSubject(federation, 'heartbeat', two), Buffer.from('forged'));
  agent.publish(reportSubject(federation, 'health.delta', two), Buffer.from('forged'));
  agent.publish(requestSubject(federation, 'probe', two), Buffer.from('forged'));
  agent.publish(reportSubject(federation, 'health.delta', one), Buffer.from('true'));
  agent.publish(reportSubject(federation, 'heartbeat', one), Buffer.from('last'));
  t.deepEqual(await hearing, [
    reportSubject(federation, 'health.delta', one),
    reportSubject(federation, 'heartbeat', one),
  ]);
  await until(() => errors.includes('mesh_bus_errors_total'), 'no refusal was counted');
});

test('I8 an agent answers its own requests and hears nobody else', async (t) => {
  const world = await openWorld(t);
  const coordinator = await world.coordinator();
  const agent = await world.agent(one);
  const other = await world.agent(two);
  await Promise.all([coordinator, agent, other].map((bus) => connected(bus)));
  const overheard: string[] = [];
  other.subscribe(
    requestSubject(federation, 'probe', one),
    ({ subject }) => void overheard.push(subject),
  );
  other.subscribe('isthmus.>', ({ subject }) => void overheard.push(subject));
  other.subscribe(`${clusterInboxPrefix(one)}.>`, ({ subject }) => void overheard.push(subject));
  other.subscribe(`${coordinatorInboxPrefix}.>`, ({ subject }) => void overheard.push(subject));
  agent.serve(requestSubject(federation, 'probe', one), ({ payload }) =>
    Promise.resolve(Buffer.from(`${text(payload)} yes`)),
  );
  // The server takes a client's commands in order: after an answer of its own it has them all.
  other.serve(requestSubject(federation, 'probe', two), () =>
    Promise.resolve(Buffer.from('ready')),
  );
  const ask = (cluster: typeof one, what: string): Promise<Uint8Array> =>
    coordinator.request(requestSubject(federation, 'probe', cluster), Buffer.from(what), 2_000);
  await retry(() => ask(two, 'there?'));
  await retry(() => ask(one, 'there?'));
  t.is(text(await ask(one, 'probe?')), 'probe? yes');
  t.is(text(await ask(two, 'flush')), 'ready');
  t.deepEqual(overheard, []);
});

async function retry<T>(run: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await run();
    } catch (error) {
      if (attempt === 20) throw error;
    }
  }
}

test('asking nobody fails at once and says so', async (t) => {
  const world = await openWorld(t);
  const coordinator = await world.coordinator();
  await t.throwsAsync(coordinator.request('isthmus.x', Buffer.from(''), 1_000), {
    code: 'BUS_DISCONNECTED',
  } as never);
  await connected(coordinator);
  await t.throwsAsync(
    coordinator.request(requestSubject(federation, 'sync', one), Buffer.from(''), 1_000),
    { code: 'BUS_NO_RESPONDER' } as never,
  );
});

test('a killed server comes back on its port, and clients with what they listen to', async (t) => {
  const world = await openWorld(t);
  const port = world.server.port();
  const coordinator = await world.coordinator();
  const agent = await world.agent(one);
  await Promise.all([connected(coordinator), connected(agent)]);
  const lost = Promise.all([connected(coordinator, false), connected(agent, false)]);
  process.kill(world.server.pid() ?? 0, 'SIGKILL');
  await lost;
  const hearing = hearUntil(coordinator, reportPatterns(federation), 'again');
  agent.publish(reportSubject(federation, 'heartbeat', one), Buffer.from('dropped'));
  await Promise.all([connected(coordinator), connected(agent)]);
  t.is(world.server.port(), port);
  // The coordinator's own subscription reaches the server before its answer to this.
  agent.serve(requestSubject(federation, 'sync', one), () => Promise.resolve(Buffer.from('ok')));
  await retry(() =>
    coordinator.request(requestSubject(federation, 'sync', one), Buffer.from(''), 1_000),
  );
  agent.publish(reportSubject(federation, 'heartbeat', one), Buffer.from('again'));
  t.deepEqual(await hearing, [reportSubject(federation, 'heartbeat', one)]);
});

test('a removed cluster loses its connection, a new one may come, others notice nothing', async (t) => {
  const world = await openWorld(t);
  const three = toClusterName('three');
  const [leaver, stayer] = [await world.agent(one), await world.agent(two)];
  const newcomer = await world.agent(three, 'uid-3');
  await Promise.all([connected(leaver), connected(stayer)]);
  let interruptions = 0;
  stayer.onConnection(() => (interruptions += 1));
  const left = connected(leaver, false);
  await world.server.revoke(one);
  await world.server.allow(three, 'uid-3');
  await left;
  await connected(newcomer);
  t.is(interruptions, 0);
  t.false(leaver.isConnected());
});

test('a cluster joined anew under another uid shuts out the old certificate', async (t) => {
  const world = await openWorld(t);
  const old = await world.agent(one, 'uid-1');
  await connected(old);
  const left = connected(old, false);
  await world.server.allow(one, 'uid-9');
  await left;
  const young = await world.agent(one, 'uid-9');
  await connected(young);
  t.pass();
});

test('garbage on the port harms nobody', async (t) => {
  const world = await openWorld(t);
  const agent = await world.agent(one);
  await connected(agent);
  for (const garbage of [
    'GET / HTTP/1.1\r\n\r\n',
    '\x16\x03\x01\xff\xff',
    'PUB x 99999999999\r\n',
  ]) {
    const socket = connectTcp(world.server.port(), '127.0.0.1');
    socket.on('error', () => undefined);
    socket.end(garbage, 'latin1');
    socket.resume();
    await once(socket, 'close');
  }
  t.true(agent.isConnected());
});

test('a coordinator that starts ends the server that its killed predecessor left', async (t) => {
  const { server, options } = await openWorld(t);
  await server.stop();
  const config = join(options.dataDir, 'nats.conf');
  const orphan = spawn(options.binary, ['-c', config], { stdio: 'ignore' });
  t.teardown(() => orphan.kill('SIGKILL'));
  const gone = once(orphan, 'exit');
  const pidFile = join(options.dataDir, 'nats.pid');
  await until(() => readFileSync(pidFile, 'utf8').trim() === String(orphan.pid));
  const next = await startNatsServer(options);
  t.teardown(() => next.stop());
  await gone;
  t.not(next.pid(), orphan.pid);
});

test('a pid file that names somebody else ends nobody', async (t) => {
  const world = await openWorld(t);
  await world.server.stop();
  const bystander = spawn('sleep', ['60'], { stdio: 'ignore' });
  t.teardown(() => bystander.kill('SIGKILL'));
  writeFileSync(join(world.options.dataDir, 'nats.pid'), String(bystander.pid));
  const next = await startNatsServer(world.options);
  t.teardown(() => next.stop());
  t.is(bystander.exitCode, null);
  t.is(readFileSync(join(world.options.dataDir, 'nats.pid'), 'utf8').trim(), String(next.pid()));
});

test('a port that is in use is said plainly', async (t) => {
  const world = await openWorld(t);
  const dataDir = mkdtempSync(join(tmpdir(), 'isthmus-nats-'));
  t.teardown(() => rmSync(dataDir, { recursive: true, force: true }));
  const listen = { host: '127.0.0.1', port: world.server.port() };
  await t.throwsAsync(startNatsServer({ ...world.options, dataDir, listen }), {
    code: 'NATS_START',
    message: /address already in use/,
  } as never);
});
