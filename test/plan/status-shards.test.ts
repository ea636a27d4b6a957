// What a ServiceShard says of the agent's work: the reason that the agent gave, at the place where
// a person looks, with the time since when it is so.

import test from 'ava';
import { toContentHash, toLogKey } from '../../common/model/ids.ts';
import type { ServiceShard } from '../../common/model/isthmus-kinds.ts';
import type { Condition } from '../../common/model/kube-object.ts';
import { createStatusWorld, eventsIn, type StatusWorld } from './status-world.ts';

async function settled(): Promise<StatusWorld> {
  const world = await createStatusWorld(['aws', 'gce']);
  world.setSession('aws', {});
  await world.clock.advance(2_000);
  return world;
}

function conditionOf(world: StatusWorld, type: string, cluster = 'aws'): Condition | undefined {
  const key = toLogKey({
    group: 'isthmus.dev',
    resource: 'serviceshards',
    namespace: 'default',
    name: `nginx.${cluster}`,
  });
  const shard = world.shards.get(key)?.object as ServiceShard | undefined;
  return shard?.status.conditions?.find((condition) => condition.type === type);
}

const refusals = [
  ['failed', 'QuotaExceeded', 'exceeded quota: none'],
  ['failed', 'AdmissionRefused', 'admission webhook "x" denied the request'],
  ['failed', 'NamespaceTerminating', 'the namespace is being terminated'],
  ['failed', 'UnsupportedField', '.spec.x: field not declared in schema'],
  ['failed', 'SelectorMoved', 'field manager argocd changes spec.selector again and again'],
  ['failed', 'TypeChanged', 'field manager argocd changes spec.type again and again'],
  ['failed', 'FieldsOverruled', 'the cluster writes its own value'],
  ['refused', 'NameHeldByController', 'it belongs to Gateway edge'],
  ['refused', 'ServiceExists', 'a Service of this name is there'],
  ['refused', 'LocalGuard', 'namespace kube-system belongs to Kubernetes itself'],
] as const;

for (const [outcome, reason, message] of refusals) {
  test(`a shard that is ${outcome} for ${reason} says so in its condition`, async (t) => {
    const world = await settled();
    world.setResult('aws', { outcome, reason, message });
    await world.clock.advance(2_000);
    t.like(conditionOf(world, 'Applied'), { status: 'False', reason, message });
    t.is(conditionOf(world, 'Adopted'), undefined);
    const told = outcome === 'refused' ? 'Service ShardRefused x1' : 'Service ShardFailed x1';
    t.true(eventsIn(world.desired).includes(told), eventsIn(world.desired).join());
  });
}

test('a shard that is not answered for is unknown, and says for whom it waits', async (t) => {
  const world = await settled();
  t.like(conditionOf(world, 'Applied'), { status: 'Unknown', reason: 'Applying' });
  t.like(conditionOf(world, 'Applied', 'gce'), { status: 'Unknown', reason: 'AgentAway' });
  t.like(conditionOf(world, 'Healthy'), { status: 'Unknown' });
  world.setResult('aws', { hash: toContentHash('bb') }); // of an earlier content
  await world.clock.advance(2_000);
  t.like(conditionOf(world, 'Applied'), { status: 'Unknown', reason: 'Applying' });
});

test('an adopted shard says so, and a transition keeps its time', async (t) => {
  const world = await settled();
  world.setResult('aws', { reason: 'Adopted', message: 'it was there', adopted: true });
  await world.clock.advance(2_000);
  const first = conditionOf(world, 'Applied');
  t.like(first, { status: 'True', reason: 'Adopted' });
  t.like(conditionOf(world, 'Adopted'), { status: 'True' });
  world.setResult('aws', { reason: 'FieldsIgnored', message: 'it does not keep x', adopted: true });
  await world.clock.advance(60_000);
  const second = conditionOf(world, 'Applied');
  t.is(second?.reason, 'FieldsIgnored');
  t.is(second?.lastTransitionTime, first?.lastTransitionTime);
  world.setShard('aws', 'healthy', ['8.8.4.1']);
  await world.clock.advance(2_000);
  t.like(conditionOf(world, 'Healthy'), { status: 'True', reason: 'Ready' });
});
