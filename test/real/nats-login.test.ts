// Logins to NATS on real servers: whom a JWT lets in, what ends it and how fast. On the oldest server
// that we support and on the current one. Renewals: ./nats-renewal.test.ts.

import { toClusterName } from '../../common/model/ids.ts';
import { clusterInboxPrefix } from '../../common/pure/inbox.ts';
import { systemClock } from '../../common/runtime/clock.ts';
import { theirAccount } from '../../coordinator/session/nats-account.ts';
import { signUser } from '../../coordinator/session/nats-jwt.ts';
import { toAgentPermissions } from '../../coordinator/session/nats-permissions.ts';
import { startNatsServer } from '../../coordinator/session/nats-server.ts';
import { createNatsUsers, revocationsIn } from '../../coordinator/session/nats-users.ts';
import { toTrust } from '../../coordinator/trust/nats-trust.ts';
import { until } from '../support/mesh-fixture.ts';
import {
  connected,
  federation,
  makeAgentKey,
  natsVersions,
  one,
  openNatsWorld,
  two,
} from '../support/nats-world.ts';

const clock = systemClock;
const second = 1_000;

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
    // A login is one line, with some 500 bytes beside the JWT; max_control_line is 4096 elsewhere.
    t.true(jwt.length < 3_400, `${jwt.length} bytes`);
    const bus = await world.bus({
      login: () => ({ jwt, key }),
      inboxPrefix: clusterInboxPrefix(cluster),
    });
    await connected(bus);
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

/** Another cluster's name in the claims, under the same signature. */
function tamper(jwt: string): string {
  const [head = '', body = '', signature = ''] = jwt.split('.');
  const claims = Buffer.from(body, 'base64url').toString('utf8').replaceAll('.one', '.two');
  return [head, Buffer.from(claims).toString('base64url'), signature].join('.');
}
