// Logins to NATS over real sessions: they come with the welcome, are renewed on the live stream, and
// an agent that knows of none is told what it is missing.

import test from 'ava';
import { createGrpcDialer } from '../../agent/session/grpc-dialer.ts';
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
  const keeper = createNatsLoginKeeper({
    cluster: one,
    clock,
    chance: systemChance,
    log: silentLog,
  });
  const logins: string[] = [];
  keeper.onChange(() => {
    const user = keeper.user();
    if (user.kind === 'jwt') logins.push(user.jwt);
  });
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
  stream.send({
    kind: 'hello',
    cluster: one,
    incarnation: { session: 1, boot: 1 },
    viewRevision: toRevision(0),
    receipt: undefined,
    digest: '0'.repeat(16),
    topology: { zones: [], region: undefined, provider: undefined },
    agentVersion: '0.1.0',
    kubernetesVersion: '',
  });
  await until(() => messages.some(({ kind }) => kind === 'welcome'), 'no welcome');
  const welcome = messages.find((message) => message.kind === 'welcome');
  t.like(welcome, { natsLogin: { kind: 'refused', reason: 'AgentTooOld' } });
  const refusal = world.sessions.session(one)?.nats?.refusal;
  t.is(refusal?.reason, 'AgentTooOld');
  t.regex(refusal?.message ?? '', /update isthmus-agent/);
  t.true(world.complaints.some((line) => line.includes('AgentTooOld') && line.includes('one')));
});
