// The supervised nats-server in operator mode and the bus on it, with logins as agents really have
// them: who may say and hear what, and what survives which death. On the oldest server that we
// support and on the current one. Logins and their end: ./nats-login.test.ts.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect as connectTcp } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { clusterInboxPrefix, coordinatorInboxPrefix } from '../../common/pure/inbox.ts';
import { reportPatterns, reportSubject, requestSubject } from '../../common/pure/partition.ts';
import { silentMetrics } from '../../common/runtime/metrics.ts';
import type { ClusterName } from '../../common/model/ids.ts';
import { startNatsServer } from '../../coordinator/session/nats-server.ts';
import { until } from '../support/mesh-fixture.ts';
import {
  connected,
  federation,
  hearUntil,
  issueServer,
  natsVersions,
  one,
  openNatsWorld,
  retry,
  text,
  two,
} from '../support/nats-world.ts';

for (const { name, binary, test } of natsVersions) {
  test(`${name}: I8 an agent is heard under its own cluster, never under another`, async (t) => {
    const world = await openNatsWorld(t, binary);
    const coordinator = await world.coordinator();
    await connected(coordinator);
    const hearing = hearUntil(coordinator, reportPatterns(federation), 'last');
    await coordinator
      .request(requestSubject(federation, 'sync', one), Buffer.from(''), 500)
      .catch(() => undefined);
    const errors: string[] = [];
    const metrics = { ...silentMetrics, count: (metric: string) => void errors.push(metric) };
    const agent = await world.agent(one, { metrics });
    await connected(agent);
    agent.publish(reportSubject(federation, 'heartbeat', two), Buffer.from('forged'));
    agent.publish(reportSubject(federation, 'health.delta', two), Buffer.from('forged'));
    agent.publish(requestSubject(federation, 'probe', two), Buffer.from('forged'));
    agent.publish(`$SYS.REQ.ACCOUNT.${world.keys.account}.CLAIMS.UPDATE`, Buffer.from('forged'));
    agent.publish(reportSubject(federation, 'health.delta', one), Buffer.from('true'));
    agent.publish(reportSubject(federation, 'heartbeat', one), Buffer.from('last'));
    t.deepEqual(await hearing, [
      reportSubject(federation, 'health.delta', one),
      reportSubject(federation, 'heartbeat', one),
    ]);
    await until(() => errors.includes('mesh_bus_errors_total'), 'no refusal was counted');
  });

  test(`${name}: I8 an agent answers its own requests and hears nobody else`, async (t) => {
    const world = await openNatsWorld(t, binary);
    const coordinator = await world.coordinator();
    const agent = await world.agent(one);
    const other = await world.agent(two);
    await Promise.all([coordinator, agent, other].map((bus) => connected(bus)));
    const overheard: string[] = [];
    const overhear = (pattern: string): unknown =>
      other.subscribe(pattern, ({ subject }) => void overheard.push(subject));
    overhear(requestSubject(federation, 'probe', one));
    overhear('isthmus.>');
    overhear(`${clusterInboxPrefix(one)}.>`);
    overhear(`${coordinatorInboxPrefix}.>`);
    overhear('$SYS.>');
    agent.serve(requestSubject(federation, 'probe', one), ({ payload }) =>
      Promise.resolve(Buffer.from(`${text(payload)} yes`)),
    );
    // The server takes a client's commands in order: after an answer of its own it has them all.
    other.serve(requestSubject(federation, 'probe', two), () =>
      Promise.resolve(Buffer.from('ready')),
    );
    const ask = (cluster: ClusterName, what: string): Promise<Uint8Array> =>
      coordinator.request(requestSubject(federation, 'probe', cluster), Buffer.from(what), 2_000);
    await retry(() => ask(two, 'there?'));
    await retry(() => ask(one, 'there?'));
    t.is(text(await ask(one, 'probe?')), 'probe? yes');
    t.is(text(await ask(two, 'flush')), 'ready');
    t.deepEqual(overheard, []);
  });

  test(`${name}: asking nobody fails at once and says so`, async (t) => {
    const world = await openNatsWorld(t, binary);
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

  test(`${name}: a killed server comes back on its port, and clients with what they listen to`, async (t) => {
    const world = await openNatsWorld(t, binary);
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

  test(`${name}: a new certificate is used without a restart, and clients are back at once`, async (t) => {
    const world = await openNatsWorld(t, binary);
    const agent = await world.agent(one);
    await connected(agent);
    const pid = world.server.pid();
    const former = await presented(world.server.port());
    const server = await issueServer(world.ca);
    await world.server.replaceCertificates({ server, caPem: world.ca.certPem });
    for (let tries = 0; (await presented(world.server.port())) === former; tries += 1) {
      t.true(tries < 500, 'the former certificate is still presented');
    }
    await connected(agent);
    t.is(world.server.pid(), pid);
  });

  test(`${name}: garbage on the port harms nobody`, async (t) => {
    const world = await openNatsWorld(t, binary);
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

  test(`${name}: a coordinator that starts ends the server that its killed predecessor left`, async (t) => {
    const { server, options } = await openNatsWorld(t, binary);
    await server.stop();
    const config = join(options.dataDir, 'nats.conf');
    const orphan = spawn(binary, ['-c', config], { stdio: 'ignore' });
    t.teardown(() => orphan.kill('SIGKILL'));
    const gone = once(orphan, 'exit');
    const pidFile = join(options.dataDir, 'nats.pid');
    await until(() => readFileSync(pidFile, 'utf8').trim() === String(orphan.pid));
    const next = await startNatsServer(options);
    t.teardown(() => next.stop());
    await gone;
    t.not(next.pid(), orphan.pid);
  });

  test(`${name}: a pid file that names somebody else ends nobody`, async (t) => {
    const { server, options } = await openNatsWorld(t, binary);
    await server.stop();
    const bystander = spawn('sleep', ['60'], { stdio: 'ignore' });
    t.teardown(() => bystander.kill('SIGKILL'));
    writeFileSync(join(options.dataDir, 'nats.pid'), String(bystander.pid));
    const next = await startNatsServer(options);
    t.teardown(() => next.stop());
    t.is(bystander.exitCode, null);
    t.is(readFileSync(join(options.dataDir, 'nats.pid'), 'utf8').trim(), String(next.pid()));
  });

  test(`${name}: a port that is in use is said plainly`, async (t) => {
    const world = await openNatsWorld(t, binary);
    const dataDir = mkdtempSync(join(tmpdir(), 'isthmus-nats-'));
    t.teardown(() => rmSync(dataDir, { recursive: true, force: true }));
    const listen = { host: '127.0.0.1', port: world.server.port() };
    await t.throwsAsync(startNatsServer({ ...world.options, dataDir, listen }), {
      code: 'NATS_START',
      message: /address already in use/,
    } as never);
  });
}

/** The fingerprint of the certificate that the server presents now. */
async function presented(port: number): Promise<string> {
  const tcp = connectTcp(port, '127.0.0.1');
  await once(tcp, 'data'); // INFO comes in the clear
  // Without a certificate of ours the server ends this later: what it is has been said by then.
  const tls = connectTls({ socket: tcp, rejectUnauthorized: false });
  tls.on('error', () => undefined);
  await once(tls, 'secureConnect');
  const { fingerprint256 } = tls.getPeerCertificate();
  tls.destroy();
  return fingerprint256;
}
