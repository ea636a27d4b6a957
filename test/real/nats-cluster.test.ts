// A NATS of several servers that trust the coordinator's operator: a revocation that one of them is
// told of cuts the agent at another. And a NATS that trusts nobody and lets everybody in: unusable.

import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { clusterInboxPrefix, coordinatorInboxPrefix } from '../../common/pure/inbox.ts';
import { systemChance as chance } from '../../common/runtime/chance.ts';
import { systemClock as clock } from '../../common/runtime/clock.ts';
import { silentLog, type Log } from '../../common/runtime/log.ts';
import { silentMetrics } from '../../common/runtime/metrics.ts';
import { connectNats } from '../../common/runtime/nats-bus.ts';
import type { BusLogin } from '../../common/runtime/nats-bus-login.ts';
import { ourAccount } from '../../coordinator/session/nats-account.ts';
import { toTrustLines } from '../../coordinator/session/nats-config.ts';
import { signUser } from '../../coordinator/session/nats-jwt.ts';
import { toSystemPermissions } from '../../coordinator/session/nats-permissions.ts';
import { createNatsUsers } from '../../coordinator/session/nats-users.ts';
import { toTrust } from '../../coordinator/trust/nats-trust.ts';
import { takeTestPorts } from '../support/test-ports.ts';
import { until } from '../support/mesh-fixture.ts';
import {
  connected,
  federation,
  issueClient,
  makeAgentKey,
  makeUserKey,
  natsVersions,
  one,
  openNatsWorld,
  two,
} from '../support/nats-world.ts';

const runtime = { clock, chance, log: silentLog, metrics: silentMetrics };

for (const { name, binary, test } of natsVersions) {
  test(`a cluster of ${name}: told at one server, cut at the other`, async (t) => {
    const world = await openNatsWorld(t, binary); // for its Clusters, its CA and its certificate
    const trust = toTrustLines(toTrust({ clock }, world.keys));
    const [near, far] = await startServers(t, binary, world.options.dataDir, trust);
    const pair = await issueClient(world.ca);
    const open = (url: string, inboxPrefix: string, login: () => BusLogin) => {
      const tls = () => ({ caPem: world.ca.certPem, ...pair });
      const bus = connectNats({ ...runtime, urls: [url], name: 'test', tls, login, inboxPrefix });
      t.teardown(() => bus.close());
      return bus;
    };
    const users = createNatsUsers({
      ...world.usersOptions(world.server),
      account: ourAccount({
        keys: world.keys,
        connectSystem: () => open(near, coordinatorInboxPrefix, systemLogin(world.keys)),
        onJwt: () => Promise.resolve(),
        where: 'two servers',
        isExternal: true,
        clock,
      }),
      federation,
    });
    t.teardown(() => users.stop());
    const agents = [one, two].map((cluster) => ({ cluster, own: makeAgentKey(cluster) }));
    const [leaver, stayer] = await Promise.all(
      agents.map(async ({ cluster, own }) => {
        const login = await world.login(cluster, cluster === one ? 'uid-1' : 'uid-2', own);
        const jwt = login.kind === 'granted' ? login.userJwt : '';
        const bus = open(far, clusterInboxPrefix(cluster), () => ({ jwt, key: own.key }));
        await connected(bus);
        return bus;
      }),
    );
    if (leaver === undefined || stayer === undefined) return t.fail();
    await users.idle();
    const cut = connected(leaver, false);
    await world.putCluster(one, undefined);
    await cut;
    t.true(stayer.isConnected());
  });

  test(`${name} that lets anybody in is refused, and the log says why`, async (t) => {
    const world = await openNatsWorld(t, binary);
    const [url] = await startServers(t, binary, world.options.dataDir, []);
    const said: string[] = [];
    const warn: Log['warn'] = (message, fields) =>
      void said.push(JSON.stringify([message, fields]));
    const pair = await issueClient(world.ca);
    const own = makeAgentKey(one);
    const login = await world.login(one, 'uid-1', own);
    const jwt = login.kind === 'granted' ? login.userJwt : '';
    const bus = connectNats({
      ...runtime,
      log: { ...silentLog, warn },
      urls: [url],
      name: 'test',
      tls: () => ({ caPem: world.ca.certPem, ...pair }),
      login: () => ({ jwt, key: own.key }),
      inboxPrefix: clusterInboxPrefix(one),
    });
    t.teardown(() => bus.close());
    await until(() => said.some((line) => line.includes('lets anybody in')), said.join());
    t.false(bus.isConnected());
  });
}

function systemLogin({
  system,
  account,
}: {
  system: Parameters<typeof signUser>[0];
  account: string;
}) {
  const key = makeUserKey();
  const jwt = signUser(system, {
    subject: key.publicKey,
    name: 'system',
    issuedAtSeconds: Math.floor(clock.now() / 1000),
    account: system.publicKey,
    permissions: toSystemPermissions(account),
  });
  return () => ({ key, jwt });
}

/** Two servers with a route between them; their URLs, once they know each other. */
async function startServers(
  t: ExecutionContext,
  binary: string,
  certificates: string,
  trust: readonly string[],
): Promise<readonly [string, string]> {
  const folder = mkdtempSync(join(tmpdir(), 'isthmus-nats-cluster-'));
  const ports = await takeTestPorts(['a', 'b', 'route-a', 'route-b']);
  const port = (name: string): number => ports.get(name) ?? 0;
  const at = (file: string): string => join(certificates, file);
  for (const name of ['a', 'b']) {
    const lines = [
      `server_name: ${name}`,
      `listen: "127.0.0.1:${port(name)}"`,
      `log_file: "${join(folder, `${name}.log`)}"`,
      `tls { cert_file: "${at('server.crt')}", key_file: "${at('server.key')}" }`,
      `cluster { name: test, listen: "127.0.0.1:${port(`route-${name}`)}"`,
      `  routes: ["nats://127.0.0.1:${port('route-a')}", "nats://127.0.0.1:${port('route-b')}"] }`,
      ...trust,
    ];
    writeFileSync(join(folder, `${name}.conf`), `${lines.join('\n')}\n`);
    writeFileSync(join(folder, `${name}.log`), '');
    const child = spawn(binary, ['-c', join(folder, `${name}.conf`)], { stdio: 'ignore' });
    t.teardown(() => child.kill('SIGKILL'));
  }
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const log = (name: string): string => readFileSync(join(folder, `${name}.log`), 'utf8');
  await until(() => /Server is ready/.test(log('a')) && /Server is ready/.test(log('b')));
  await until(() => /Route connection created/.test(log('a') + log('b')), 'no route');
  return [`tls://127.0.0.1:${port('a')}`, `tls://127.0.0.1:${port('b')}`];
}
