// What users and agents put in: policies, removed Clusters, and garbage on the subjects.

import test from 'ava';
import { toLogKey, toRevision } from '../../common/model/ids.ts';
import { encodeReport } from '../../common/wire/telemetry-codec.ts';
import { createWorld, federation, nginx } from './health-world.ts';

const clusterKey = (name: string) => toLogKey({ group: 'isthmus.dev', resource: 'clusters', name });

test('minReadyEndpoints of a policy counts at once, and its removal too', async (t) => {
  const world = await createWorld(['a', 'b']);
  await world.warmUp();
  const at = { group: 'isthmus.dev', resource: 'servicepolicies', namespace: 'default' };
  const key = toLogKey({ ...at, name: 'p' });
  const object = {
    apiVersion: 'isthmus.dev/v1alpha1',
    kind: 'ServicePolicy',
    metadata: { name: 'p', namespace: 'default' },
    spec: { serviceName: 'nginx', health: { minReadyEndpoints: 2 } },
  };
  await world.desired.write({ key, object, expected: toRevision(0) });
  await world.clock.settle();
  t.is(world.state('a'), 'notReady');
  t.is(
    world.health.view.shard(world.member('a').name, nginx)?.message,
    '1 of 1 endpoints are ready, 2 needed.',
  );
  const stored = world.desired.get(key);
  if (stored === undefined) return t.fail();
  await world.desired.write({ key, object: undefined, expected: stored.revision });
  await world.clock.advance(5100);
  t.is(world.state('a'), 'healthy');
});

test('a removed Cluster has no verdict, whatever its agent goes on saying', async (t) => {
  const world = await createWorld(['a', 'b']);
  await world.warmUp();
  const stored = world.desired.get(clusterKey('b'));
  if (stored === undefined) return t.fail();
  const { key, revision: expected } = stored;
  await world.desired.write({ key, object: undefined, expected });
  await world.clock.advance(10_000);
  t.is(world.life('b'), undefined);
  t.is(world.state('b'), undefined);
  t.is(world.state('a'), 'healthy');
});

test('garbage, foreign names and unknown clusters on the subjects change nothing', async (t) => {
  const world = await createWorld(['a', 'b']);
  await world.warmUp();
  const lie = encodeReport({
    kind: 'full',
    report: 'health',
    cluster: world.member('b').name,
    incarnation: { session: 9, boot: 9 },
    sequence: 1,
    part: 1,
    parts: 1,
    items: [],
  });
  const subjects = [
    'heartbeat.00.a',
    'health.00.a.full',
    'health.00.zz.full',
    'health',
    'event.00.A!',
  ];
  for (const subject of subjects) {
    for (const payload of [lie, Buffer.from('garbage'), new Uint8Array(), new Uint8Array(70_000)]) {
      world.deliver({ subject: `isthmus.${federation}.${subject}`, payload });
    }
  }
  await world.clock.advance(5000);
  t.deepEqual(['a', 'b'].map(world.state), ['healthy', 'healthy']);
  t.deepEqual(['a', 'b'].map(world.life), ['live', 'live']);
});

test('what an agent tells becomes an Event on the Service', async (t) => {
  const world = await createWorld(['a', 'b']);
  await world.warmUp();
  const { name } = world.member('a');
  const incarnation = { session: 1, boot: 1 };
  const told = {
    type: 'Warning',
    reason: 'QuotaExceeded',
    message: 'no more load balancers',
  } as const;
  const payload = encodeReport({ kind: 'event', cluster: name, incarnation, key: nginx, ...told });
  world.deliver({ subject: `isthmus.${federation}.event.00.a`, payload });
  await world.clock.settle();
  t.deepEqual(world.events, ['QuotaExceeded a: no more load balancers']);
});
