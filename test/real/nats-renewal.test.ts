// A login that lives on: renewed without a gap on real servers, over without being knocked with, and
// absent where the coordinator is older. On the oldest server that we support and on the current one.

import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { createNatsLoginKeeper } from '../../agent/session/nats-login.ts';
import { createBusConnector } from '../../agent/telemetry-bus.ts';
import { clusterInboxPrefix } from '../../common/pure/inbox.ts';
import { reportSubject, requestSubject } from '../../common/pure/partition.ts';
import { systemChance } from '../../common/runtime/chance.ts';
import { systemClock } from '../../common/runtime/clock.ts';
import { silentLog } from '../../common/runtime/log.ts';
import { silentMetrics } from '../../common/runtime/metrics.ts';
import { issueClientCertificate } from '../../common/runtime/pki.ts';
import { until } from '../support/mesh-fixture.ts';
import {
  connected,
  federation,
  makeAgentKey,
  natsVersions,
  one,
  openNatsWorld,
  text,
  type AgentKey,
  type NatsWorld,
} from '../support/nats-world.ts';

const clock = systemClock;
const runtime = { clock, chance: systemChance, log: silentLog };

for (const { name, binary, test } of natsVersions) {
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

  test(`${name}: with a login that is over nobody is asked, and another is used at once`, async (t) => {
    const world = await openNatsWorld(t, binary);
    const own = makeAgentKey(one);
    const granted = await world.login(one, 'uid-1', own);
    const jwt = granted.kind === 'granted' ? granted.userJwt : '';
    let asked = 0;
    let isOver = true;
    let tell = (): void => undefined;
    const bus = await world.bus({
      login: () => {
        asked += 1;
        return isOver ? 'over' : { jwt, key: own.key };
      },
      inboxPrefix: clusterInboxPrefix(one),
      onLogin: (listener) => {
        tell = listener;
        return () => undefined;
      },
      onRefused: () => t.fail('a server was asked'),
    });
    await until(() => asked > 4);
    t.false(bus.isConnected());
    isOver = false;
    const from = clock.monotonicMs();
    tell();
    await connected(bus);
    t.true(clock.monotonicMs() - from < 2_000, 'it waited for the next attempt');
  });

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
