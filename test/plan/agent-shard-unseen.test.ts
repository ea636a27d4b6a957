// A Service that is there, and that the agent's watch has not brought yet, when it is wished for.

import test from 'ava';
import { toServiceKey } from '../../common/model/ids.ts';
import type { Service } from '../../common/model/kube-object.ts';
import { formerSpecMark, shardOfMark } from '../../common/pure/shard-marks.ts';
import { toManifest } from '../support/real-shard-world.ts';
import { byHand, readService, startShardWorld } from '../support/shard-world.ts';

const path = { apiVersion: 'v1', plural: 'services', namespace: 'shop' };
const at = { namespace: 'shop', name: 'web' };
const wished = { type: 'ClusterIP', ports: [{ port: 80 }], selector: { app: 'web' } } as const;
const theirs = { ports: [{ port: 80, targetPort: 81 }], selector: { app: 'theirs' } };
const gateway = { apiVersion: 'gw/v1', kind: 'Gateway', name: 'edge', uid: 'x', controller: true };

/** What stands in the end, and what was told, when the watch is slower than the wish. */
async function wishUnseen(ownerReferences: readonly object[]) {
  const key = toServiceKey(at);
  const unseen = new Set<string>([key]);
  const world = await startShardWorld(1, undefined, unseen);
  const metadata = { ...at, ownerReferences };
  const service = { apiVersion: 'v1', kind: 'Service', metadata, spec: theirs };
  await byHand(world, world.hand.create(path, service as never));
  world.assignment.wish(toManifest('web', wished, { namespace: 'shop' }));
  await world.clock.advance(1_000);
  unseen.clear();
  await world.clock.advance(5_000);
  const live = await readService(world, at);
  await world.stop();
  return { live, told: world.results.get(key) };
}

const marks = (service: Service | undefined): Readonly<Record<string, string>> =>
  service?.metadata.annotations ?? {};

test('I4 a Service of a controller is not taken over before the watch has told of it', async (t) => {
  const { live, told } = await wishUnseen([gateway]);
  t.is(told?.reason, 'NameHeldByController');
  t.is(marks(live)[shardOfMark], undefined);
  t.is(live?.spec.ports?.[0]?.targetPort, 81);
});

test('what a Service was before is kept also when the watch has not told of it', async (t) => {
  const { live, told } = await wishUnseen([]);
  t.is(told?.reason, 'Adopted');
  t.true(marks(live)[formerSpecMark]?.includes('81'));
});
