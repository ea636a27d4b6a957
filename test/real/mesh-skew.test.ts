// Clocks and versions that do not agree: the person who looks at either end is told which one is off,
// and what still can work does.

import test from 'ava';
import { toClusterName } from '../../common/model/ids.ts';
import { openMesh, startAgent, until } from '../support/mesh-fixture.ts';

const one = toClusterName('one');
const minuteMs = 60_000;

for (const [minutes, where] of [
  [10, 'ahead of'],
  [-10, 'behind'],
] as const) {
  test(`a clock ten minutes ${where} the coordinator’s: it works, and both ends say so`, async (t) => {
    const world = await openMesh(t);
    const token = await world.makeToken();
    const clockSkewMs = minutes * minuteMs;
    const agent = await startAgent(t, { port: world.port, cluster: 'one', token, clockSkewMs });
    await until(() => agent.session.isOpen());
    await until(() => agent.complaints.some((line) => line.startsWith('clock skew')));
    t.regex(
      agent.complaints.join(),
      new RegExp(`agent's clock is (10m0s|9m59s) ${where} the coord`),
    );
    const skewMs = world.sessions.session(one)?.clockSkewMs ?? 0;
    t.true(Math.abs(skewMs - clockSkewMs) < 5_000, String(skewMs));
  });
}

test('a token that seems to be good by the agent’s clock says whose clock counts', async (t) => {
  const world = await openMesh(t);
  const token = await world.makeToken({ expiresInMs: -minuteMs });
  const clockSkewMs = -10 * minuteMs;
  const agent = await startAgent(t, { port: world.port, cluster: 'one', token, clockSkewMs });
  await until(() => agent.complaints.some((line) => line.includes('TokenExpired')));
  t.regex(agent.complaints.join(), /its end was 20.*the agent's clock is .* behind the coord/);
});

test('a clock so far behind that the coordinator’s certificate is not valid yet', async (t) => {
  const world = await openMesh(t, { serverMadeMs: 3 * 60 * minuteMs });
  const token = await world.makeToken();
  const agent = await startAgent(t, { port: world.port, cluster: 'one', token });
  await until(() => agent.complaints.some((line) => line.includes('not valid yet')));
  t.regex(agent.complaints.join(), /by this machine's clock it is 20.*Z, which is behind; set the/);
});

test('a clock so far ahead that the coordinator’s certificate has ended', async (t) => {
  const world = await openMesh(t, { serverMadeMs: -3 * 24 * 60 * minuteMs });
  const token = await world.makeToken();
  const agent = await startAgent(t, { port: world.port, cluster: 'one', token });
  await until(() => agent.complaints.some((line) => line.includes('has ended')));
  t.regex(agent.complaints.join(), /either that is ahead, or the coordinator/);
});

test('an agent two minor versions older is served, and told to be upgraded', async (t) => {
  const world = await openMesh(t, { coordinatorVersion: '0.3.0' });
  const token = await world.makeToken();
  const agent = await startAgent(t, { port: world.port, cluster: 'one', token });
  await until(() => agent.session.isOpen());
  await until(() => agent.complaints.some((line) => line.startsWith('version skew')));
  t.regex(
    agent.complaints.join(),
    /agent 0\.1\.0 is more than 1 minor version older .*upgrade the agent/,
  );
  t.is(world.sessions.session(one)?.agentVersion, '0.1.0');
});

test('an agent of another major version is refused, and the Cluster says why', async (t) => {
  const world = await openMesh(t, { coordinatorVersion: '0.3.0' });
  const token = await world.makeToken();
  const agentVersion = '1.0.0';
  const agent = await startAgent(t, { port: world.port, cluster: 'one', token, agentVersion });
  await until(() => agent.complaints.some((line) => line.includes('AgentTooNew')));
  t.false(agent.session.isOpen());
  t.true(
    world.events.some(
      ({ reason, regarding }) => reason === 'AgentTooNew' && regarding.kind === 'Cluster',
    ),
  );
});
