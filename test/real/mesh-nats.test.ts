// Logins to NATS over real sessions: they come with the welcome, are renewed on the live stream, and
// an agent that knows of none is told what it is missing.

import test from 'ava';
import { createGrpcDialer } from '../../agent/session/grpc-dialer.ts';
import type { MeshDialer } from '../../agent/session/mesh-port.ts';
import { createNatsLoginKeeper } from '../../agent/session/nats-login.ts';
import { toClusterName, toRevision } from '../../common/model/ids.ts';
import type { CoordinatorMessage } from '../../common/model/session.ts';
import { systemChance } from '../../common/runtime/chance.ts';
import { systemClock as clock } from '../../common/runtime/clock.ts';
import { silentLog } from '../../common/runtime/log.ts';
import { decodeJwt } from '../../coordinator/session/nats-jwt.ts';
import { openMesh, openMeshWithAgent, startAgent, until } from '../support/mesh-fixture.ts';

const one = toClusterName('one');

test('a login comes with the welcome and is renewed on the stream that lives on', async (t) => {
  const world = await openMesh(t, { natsLifeSeconds: 1 });
  const { keeper, logins } = createKeeper();
  const token = await world.makeToken();
  const agent = await startAgent(t, { port: world.port, cluster: 'one', token, natsLogin: keeper });
  await until(() => logins.length >= 3, 'no third login');
  t.is(agent.session.incarnation().session, 1, 'the session began anew');
  const key = await keeper.key(agent.record);
  for (const jwt of logins) {
    const decoded = decodeJwt(jwt);
    t.is(decoded?.subject, key.publicKey);
    t.like(decoded?.nats, { type: 'user' });
  }
  t.true(world.natsUsers.has(one));
  t.is(world.sessions.session(one)?.nats?.refusal, undefined);
  t.false('natsLogin' in (agent.record.welcome() ?? {}), 'a login is of no use on disk');
});

/** A keeper as a process of an agent has it, and the logins that it was given. */
function createKeeper() {
  const keeper = createNatsLoginKeeper({
    cluster: one,
    clock,
    chance: systemChance,
    log: silentLog,
  });
  const logins: string[] = [];
  keeper.onChange(() => {
    const user = keeper.user();
    logins.push(user.kind === 'jwt' ? user.jwt : user.kind);
  });
  return { keeper, logins };
}

/** Around the real dialer: what the other side does not know is not there. */
function without(
  fields: { readonly hello?: readonly string[]; readonly welcome?: readonly string[] },
  seen: CoordinatorMessage[] = [],
): (dialer: MeshDialer) => MeshDialer {
  const strip = <M extends { readonly kind: string }>(message: M): M => {
    const names = message.kind === 'hello' ? fields.hello : fields.welcome;
    const isOf = message.kind === 'hello' || message.kind === 'welcome';
    if (!isOf || names === undefined) return message;
    return Object.fromEntries(
      Object.entries(message).filter(([name]) => !names.includes(name)),
    ) as M;
  };
  return (dialer) => ({
    ...dialer,
    connect: (credentials, handler) => {
      const stream = dialer.connect(credentials, {
        ...handler,
        onMessage: (message) => {
          const read = strip(message);
          seen.push(read);
          handler.onMessage(read);
        },
      });
      return { ...stream, send: (message) => stream.send(strip(message)) };
    },
  });
}

function lastWelcome(seen: readonly CoordinatorMessage[]) {
  return seen.findLast((message) => message.kind === 'welcome');
}

test('N8 a return to a coordinator that started anew leaves the login, which is renewed in its time', async (t) => {
  const first = await openMesh(t, { natsLifeSeconds: 4 });
  const { keeper, logins } = createKeeper();
  const seen: CoordinatorMessage[] = [];
  const token = await first.makeToken();
  const agent = await startAgent(t, {
    port: first.port,
    cluster: 'one',
    token,
    natsLogin: keeper,
    wrap: without({}, seen),
  });
  await until(() => agent.session.isOpen());
  t.is(logins.length, 1);
  await first.stop();
  await until(() => !agent.session.isOpen());
  seen.length = 0;
  const { disk, ca, port } = first;
  const next = await openMesh(t, { disk, ca, port, natsLifeSeconds: 4 });
  await until(() => agent.session.isOpen());
  t.like(lastWelcome(seen), { natsLogin: undefined, natsLoginStands: true });
  t.is(logins.length, 1, 'buses would connect anew');
  t.is(next.sessions.session(one)?.nats?.refusal, undefined);
  t.false('natsLoginStands' in (agent.record.welcome() ?? {}), 'of no use on disk');
  await until(() => logins.length >= 2, 'no renewal on the stream');
  t.is(agent.session.incarnation().session, 2, 'the session began anew');
  t.truthy(decodeJwt(logins[1] ?? ''));
});

test('an agent that is newer than its coordinator is given logins as before, or none', async (t) => {
  const world = await openMesh(t);
  const { keeper, logins } = createKeeper();
  const token = await world.makeToken();
  const start = (wrap: (dialer: MeshDialer) => MeshDialer, folder?: string) =>
    startAgent(t, {
      port: world.port,
      cluster: 'one',
      token,
      natsLogin: keeper,
      wrap,
      ...(folder === undefined ? {} : { folder }),
    });
  const current = await start(without({}));
  await until(() => current.session.isOpen());
  await current.stop();
  t.truthy(keeper.held());
  // One version back: it does not read what is held, and sends a login.
  const seen: CoordinatorMessage[] = [];
  const former = await start(without({ hello: ['heldNatsLogin'] }, seen), current.folder);
  await until(() => former.session.isOpen());
  t.like(lastWelcome(seen), { natsLogin: { kind: 'granted' } });
  t.is(logins.length, 2);
  await former.stop();
  // Two back: it knows of no logins.
  const unread = ['natsKey', 'heldNatsLogin'];
  const oldest = await start(
    without({ hello: unread, welcome: ['natsLogin', 'natsLoginStands'] }),
    current.folder,
  );
  await until(() => oldest.session.isOpen());
  t.is(keeper.user().kind, 'certificate');
  t.is(keeper.held(), undefined);
  await oldest.stop();
  const back = await start(without({}), current.folder);
  await until(() => back.session.isOpen());
  t.is(keeper.user().kind, 'jwt');
});

test('an agent that is older than its coordinator is given a login at each return', async (t) => {
  const { agent, world } = await openMeshWithAgent(t);
  const { certPem = '', keyPem = '', caPem = '' } = agent.record.identity() ?? {};
  const { keeper } = createKeeper();
  const natsKey = await keeper.key(agent.record);
  await agent.stop();
  const dialer = createGrpcDialer({ coordinator: { host: '127.0.0.1', port: world.port }, clock });
  for (let boot = 10; boot < 12; boot += 1) {
    const messages: CoordinatorMessage[] = [];
    const stream = dialer.connect(
      { certPem, keyPem, caPem },
      { onMessage: (message) => void messages.push(message), onEnd: () => undefined },
    );
    t.teardown(() => stream.end());
    stream.send({ ...formerHello, incarnation: { session: 1, boot }, natsKey });
    await until(() => lastWelcome(messages) !== undefined, 'no welcome');
    t.like(lastWelcome(messages), { natsLogin: { kind: 'granted' }, natsLoginStands: undefined });
    stream.end();
    await until(() => world.sessions.session(one)?.isConnected === false);
  }
});

const formerHello = {
  kind: 'hello',
  cluster: one,
  viewRevision: toRevision(0),
  receipt: undefined,
  digest: '0'.repeat(16),
  topology: { zones: [], region: undefined, provider: undefined },
  agentVersion: '0.1.0',
  kubernetesVersion: '',
} as const;

test('an agent without a NATS key gets a session, and people are told why it is not heard', async (t) => {
  const { world, agent } = await openMeshWithAgent(t);
  const identity = agent.record.identity();
  await agent.stop();
  const messages: CoordinatorMessage[] = [];
  const coordinator = { host: '127.0.0.1', port: world.port };
  const stream = createGrpcDialer({ coordinator, clock }).connect(
    {
      certPem: identity?.certPem ?? '',
      keyPem: identity?.keyPem ?? '',
      caPem: identity?.caPem ?? '',
    },
    { onMessage: (message) => void messages.push(message), onEnd: () => undefined },
  );
  t.teardown(() => stream.end());
  stream.send({ ...formerHello, incarnation: { session: 1, boot: 1 } });
  await until(() => messages.some(({ kind }) => kind === 'welcome'), 'no welcome');
  const welcome = messages.find((message) => message.kind === 'welcome');
  t.like(welcome, { natsLogin: { kind: 'refused', reason: 'AgentTooOld' } });
  const refusal = world.sessions.session(one)?.nats?.refusal;
  t.is(refusal?.reason, 'AgentTooOld');
  t.regex(refusal?.message ?? '', /update isthmus-agent/);
  t.true(world.complaints.some((line) => line.includes('AgentTooOld') && line.includes('one')));
});
