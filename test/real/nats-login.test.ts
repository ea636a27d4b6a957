// Logins to NATS on real servers: whom a JWT lets in, what ends it and how fast, and how a new one
// is taken without a gap. On the oldest server that we support and on the current one.

import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { createNatsLoginKeeper } from '../../agent/session/nats-login.ts';
import { createBusConnector } from '../../agent/telemetry-bus.ts';
import { toClusterName } from '../../common/model/ids.ts';
import { clusterInboxPrefix } from '../../common/pure/inbox.ts';
import { reportSubject, requestSubject } from '../../common/pure/partition.ts';
import { systemChance } from '../../common/runtime/chance.ts';
import { systemClock } from '../../common/runtime/clock.ts';
import { silentLog } from '../../common/runtime/log.ts';
import { silentMetrics } from '../../common/runtime/metrics.ts';
import { issueClientCertificate } from '../../common/runtime/pki.ts';
import { theirAccount } from '../../coordinator/session/nats-account.ts';
import { signUser } from '../../coordinator/session/nats-jwt.ts';
import { toAgentPermissions } from '../../coordinator/session/nats-permissions.ts';
import { startNatsServer } from '../../coordinator/session/nats-server.ts';
import { createNatsUsers, revocationsIn } from '../../coordinator/session/nats-users.ts';
import { toTrust } from '../../coordinator/nats-trust.ts';
import { until } from '../support/mesh-fixture.ts';
import {
  connected,
  federation,
  makeAgentKey,
  natsVersions,
  one,
  openNatsWorld,
  text,
  two,
  type AgentKey,
  type NatsWorld,
} from '../support/nats-world.ts';

const clock = systemClock;
const second = 1_000;
const runtime = { clock, chance: systemChance, log: silentLog };

for (const { name, binary, test } of natsVersions) {
  test.serial(
    `${name}: I8 a removed cluster is cut within a second and stays out, others notice nothing`,
    async (t) => {
      const world = await openNatsWorld(t, binary);
      const [leaver, stayer] = [await world.agent(one), await world.agent(two)];
      await Promise.all([connected(leaver), connected(stayer)]);
      await world.users.idle();
      let interruptions = 0;
      stayer.onConnection(() => (interruptions += 1));
      const left = connected(leaver, false);
      const from = clock.monotonicMs();
      await world.putCluster(one, undefined);
      await left;
      const tookMs = clock.monotonicMs() - from;
      t.true(tookMs < second, `cut after ${Math.round(tookMs)} ms`);
      t.log(`cut after ${Math.round(tookMs)} ms`);
      const back = await Promise.race([
        connected(leaver).then(() => true),
        new Promise((resolve) => setTimeout(() => resolve(false), 1_500)),
      ]);
      t.false(back, 'the revoked login was let in again');
      t.is(interruptions, 0);
      t.true(stayer.isConnected());
    },
  );

  test(`${name}: I8 a revocation outlives the server and the coordinator`, async (t) => {
    const world = await openNatsWorld(t, binary);
    const agent = await world.agent(one);
    await connected(agent);
    const left = connected(agent, false);
    await world.putCluster(one, undefined);
    await left;
    await world.users.idle();
    process.kill(world.server.pid() ?? 0, 'SIGKILL');
    await connected(await world.coordinator()); // the server is back
    t.false(agent.isConnected());
    // A new coordinator, whose predecessor died before it could revoke.
    await world.users.stop();
    const other = await world.agent(two);
    await connected(other);
    await world.putCluster(two, undefined);
    await world.server.stop();
    const trust = toTrust({ clock }, world.keys, world.desired);
    const listen = { host: '127.0.0.1', port: world.server.port() };
    const next = await startNatsServer({ ...world.options, listen, trust });
    t.teardown(() => next.stop());
    await connected(other); // it is let in: nobody knows yet
    t.is(revocationsIn(world.desired, clock.now() / second).size, 1);
    const cut = connected(other, false);
    const users = createNatsUsers(world.usersOptions(next));
    t.teardown(() => users.stop());
    await cut;
    t.is(revocationsIn(world.desired, clock.now() / second).size, 2);
  });

  test(`${name}: a cluster joined anew under another uid shuts out the one before it`, async (t) => {
    const world = await openNatsWorld(t, binary);
    const old = await world.agent(one);
    await connected(old);
    const left = connected(old, false);
    await world.putCluster(one, 'uid-9');
    await left;
    const young = await world.agent(one, { uid: 'uid-9' });
    await connected(young);
    t.false(old.isConnected());
  });

  test(`${name}: a cluster removed and joined again with the same key is let in at once`, async (t) => {
    const world = await openNatsWorld(t, binary);
    const key = makeAgentKey(one);
    const old = await world.agent(one, { key });
    await connected(old);
    const left = connected(old, false);
    await world.putCluster(one, undefined);
    await left;
    await old.close();
    await world.putCluster(one, 'uid-9');
    const young = await world.agent(one, { uid: 'uid-9', key });
    await connected(young); // within the same second
    t.pass();
  });

  test(`${name}: I8 strangers are not let in, whatever they sign`, async (t) => {
    const world = await openNatsWorld(t, binary);
    const own = makeAgentKey(one);
    const login = await world.login(one, 'uid-1', own);
    t.is(login.kind, 'granted');
    const userJwt = login.kind === 'granted' ? login.userJwt : '';
    const stranger = makeAgentKey(one).key;
    const selfSigned = signUser(stranger, {
      subject: stranger.publicKey,
      name: 'one',
      issuedAtSeconds: Math.floor(clock.now() / second),
      account: world.keys.account,
      permissions: toAgentPermissions(federation, one),
    });
    const attempts = [
      { title: 'no JWT', login: undefined },
      { title: 'the JWT of somebody else’s key', login: { jwt: userJwt, key: stranger } },
      { title: 'a JWT by no key of the account', login: { jwt: selfSigned, key: stranger } },
      { title: 'a JWT with a changed claim', login: { jwt: tamper(userJwt), key: own.key } },
    ];
    for (const attempt of attempts) {
      let refusals = 0;
      const bus = await world.bus({
        login: () => attempt.login,
        inboxPrefix: clusterInboxPrefix(one),
        onRefused: () => (refusals += 1),
      });
      await until(() => refusals > 0, `${attempt.title}: not refused`);
      t.false(bus.isConnected(), attempt.title);
      await bus.close();
    }
  });

  test(`${name}: the longest names fit into a login`, async (t) => {
    const world = await openNatsWorld(t, binary);
    const cluster = toClusterName('c'.repeat(63));
    const longest = 'f'.repeat(63);
    const { key } = makeAgentKey(cluster);
    const jwt = signUser(world.keys.signing, {
      subject: key.publicKey,
      name: `${longest}/${cluster}`,
      issuedAtSeconds: Math.floor(clock.now() / second),
      account: world.keys.account,
      permissions: toAgentPermissions(longest, cluster),
    });
    t.log(`${jwt.length} bytes`);
    t.true(jwt.length < 4_000, 'a server with the usual max_control_line of 4096 refuses it');
    const bus = await world.bus({
      login: () => ({ jwt, key }),
      inboxPrefix: clusterInboxPrefix(cluster),
    });
    await connected(bus);
  });

  test(`${name}: renewals lose, double and reorder nothing, in reports and in requests`, async (t) => {
    const world = await openNatsWorld(t, binary, { lifeSeconds: 3 });
    const coordinator = await world.coordinator();
    await connected(coordinator);
    const heard: number[] = [];
    coordinator.subscribe(`isthmus.${federation}.heartbeat.>`, ({ payload }) => {
      heard.push(Number(text(payload)));
    });
    const renewing = await openRenewing(world, makeAgentKey(one));
    const { bus } = renewing;
    await connected(bus);
    let interruptions = 0;
    bus.onConnection(() => (interruptions += 1));
    let answers = 0;
    bus.serve(requestSubject(federation, 'sync', one), async () => {
      answers += 1;
      return Buffer.from('ok');
    });
    const ask = () =>
      coordinator.request(requestSubject(federation, 'sync', one), Buffer.from(''), 2_000);
    await until(() => coordinator.isConnected());
    await askUntilServed(ask);
    answers = 0;
    let sent = 0;
    let asked = 0;
    const until9 = clock.monotonicMs() + 7_000; // twice the life of a login, and more
    let renewedAt = clock.monotonicMs();
    while (clock.monotonicMs() < until9) {
      for (let burst = 0; burst < 5; burst += 1) {
        sent += 1;
        bus.publish(reportSubject(federation, 'heartbeat', one), Buffer.from(String(sent)));
      }
      if (sent % 50 === 0) {
        asked += 1;
        t.is(text(await ask()), 'ok');
      }
      if (clock.monotonicMs() - renewedAt > 700) {
        renewedAt = clock.monotonicMs();
        await renewing.renew();
      }
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    await until(() => heard.length >= sent, `${heard.length} of ${sent} heard`);
    t.deepEqual(
      heard,
      Array.from({ length: sent }, (_, index) => index + 1),
    );
    t.is(answers, asked, 'a request was answered twice or never');
    t.is(interruptions, 0);
    t.true(renewing.renewals() >= 8);
    t.log(`${sent} reports, ${asked} requests, ${renewing.renewals()} renewals`);
  });

  test(`${name}: a login that is not renewed ends by itself, and a new one leads back`, async (t) => {
    const world = await openNatsWorld(t, binary, { lifeSeconds: 2 });
    let refused = 0;
    const renewing = await openRenewing(world, makeAgentKey(one), () => (refused += 1));
    await connected(renewing.bus);
    const from = clock.monotonicMs();
    await connected(renewing.bus, false);
    t.true(clock.monotonicMs() - from < 3_500);
    await until(() => refused > 0, 'nobody was told to ask for a new login');
    await renewing.renew();
    await connected(renewing.bus);
    t.pass();
  });

  test(`${name}: where the account is not ours, the end of the login is the bound, and it is said`, async (t) => {
    const world = await openNatsWorld(t, binary, {
      lifeSeconds: 3,
      account: (keys) =>
        theirAccount({ publicKey: keys.account, signing: keys.signing, where: 'NATS at x' }),
    });
    t.regex(
      world.users.lateRevocation() ?? '',
      /^For up to 1 minutes after .*: NATS at x has an operator/,
    );
    const agent = await world.agent(one);
    await connected(agent);
    await world.putCluster(one, undefined);
    await world.users.idle();
    t.true(agent.isConnected());
    const again = await world.login(one, 'uid-1');
    t.like(again, { kind: 'refused', reason: 'ClusterRemoved' });
    await connected(agent, false);
    t.pass();
  });
}

for (const { name, binary, test } of natsVersions) {
  test(`${name}: an agent that is newer than its coordinator logs in by certificate, as before`, async (t) => {
    const world = await openNatsWorld(t, binary);
    const uri = 'isthmus://myfederation/clusters/one/uid-1';
    const server = await startFormerServer(t, world, uri);
    const pair = await issueClientCertificate({
      ca: world.ca,
      commonName: 'one',
      organizations: [],
      uris: [uri],
      validDays: 1,
      clock,
    });
    const keeper = createNatsLoginKeeper({ cluster: one, ...runtime });
    const bus = createBusConnector({
      cluster: one,
      identity: () => ({ ...pair, caPem: world.ca.certPem, tokenHash: undefined }),
      welcome: () => undefined,
      natsLogin: keeper,
      ...runtime,
      metrics: silentMetrics,
    });
    t.is(bus.identity([server]), undefined, 'before the welcome nobody knows how to log in');
    keeper.accept(undefined); // its Welcome says nothing of logins
    t.not(bus.identity([server]), undefined);
    const connection = bus.connect([server]);
    t.teardown(() => connection.close());
    await connected(connection);
    t.pass();
  });
}

/** The configuration that coordinators had before logins: users are the URIs of certificates. */
async function startFormerServer(
  t: ExecutionContext,
  { options }: NatsWorld,
  uri: string,
): Promise<string> {
  const at = (file: string): string => join(options.dataDir, file);
  const folder = mkdtempSync(join(tmpdir(), 'isthmus-nats-former-'));
  const lines = [
    'listen: "127.0.0.1:-1"',
    `ports_file_dir: "${folder}"`,
    `tls { cert_file: "${at('server.crt')}", key_file: "${at('server.key')}"`,
    `  ca_file: "${at('ca.crt')}", verify_and_map: true }`,
    `authorization { users = [ {user: "${uri}", permissions: {publish: "isthmus.>"}} ] }`,
  ];
  writeFileSync(join(folder, 'nats.conf'), `${lines.join('\n')}\n`);
  const child = spawn(options.binary, ['-c', join(folder, 'nats.conf')], { stdio: 'ignore' });
  t.teardown(() => {
    child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  });
  const portsFile = () => readdirSync(folder).find((file) => file.endsWith('.ports'));
  await until(
    () => portsFile() !== undefined && statSync(join(folder, portsFile() ?? '')).size > 0,
  );
  const text = readFileSync(join(folder, portsFile() ?? ''), 'utf8');
  return `tls://127.0.0.1:${/:(\d+)/.exec(text)?.[1] ?? ''}`;
}

interface Renewing {
  readonly bus: Awaited<ReturnType<NatsWorld['bus']>>;
  renew(): Promise<void>;
  renewals(): number;
}

/** A bus as the agent's session keeps it: a login of now, and another when asked to renew. */
async function openRenewing(
  world: NatsWorld,
  own: AgentKey,
  onRefused?: () => void,
): Promise<Renewing> {
  const listeners = new Set<() => void>();
  const take = async (): Promise<string> => {
    const login = await world.login(one, 'uid-1', own);
    return login.kind === 'granted' ? login.userJwt : '';
  };
  let jwt = await take();
  let renewals = 0;
  const bus = await world.bus({
    login: () => ({ jwt, key: own.key }),
    inboxPrefix: clusterInboxPrefix(one),
    onLogin: (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    ...(onRefused === undefined ? {} : { onRefused }),
  });
  return {
    bus,
    renew: async () => {
      jwt = await take();
      renewals += 1;
      for (const listener of listeners) listener();
    },
    renewals: () => renewals,
  };
}

async function askUntilServed(ask: () => Promise<unknown>): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await ask();
      return;
    } catch (error) {
      if (attempt === 50) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

/** Another cluster's name in the claims, under the same signature. */
function tamper(jwt: string): string {
  const [head = '', body = '', signature = ''] = jwt.split('.');
  const claims = Buffer.from(body, 'base64url').toString('utf8').replaceAll('.one', '.two');
  return [head, Buffer.from(claims).toString('base64url'), signature].join('.');
}
