// I12 in a cluster: what a replica decided before it was stopped does not undo what its successor
// did meanwhile.

import test from 'ava';
import { type ServiceKey } from '../../common/model/ids.ts';
import { createActs } from '../../agent/shard/acts.ts';
import { byHand, readService, startShardWorld } from '../support/shard-world.ts';

test('I12 I2 a delete that was decided before the Service was wanted again takes nothing away', async (t) => {
  const world = await startShardWorld(1);
  t.teardown(() => world.stop());
  const path = { apiVersion: 'v1', plural: 'services', namespace: 'shop' };
  const at = { namespace: 'shop', name: 'web' };
  await byHand(
    world,
    world.hand.create(path, {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'web', namespace: 'shop' },
      spec: { ports: [{ port: 80 }] },
    } as never),
  );
  const seen = await readService(world, at);
  const { uid = '', resourceVersion } = seen?.metadata ?? {};
  // The successor writes it, while the former is stopped between leave and sending.
  await byHand(
    world,
    world.hand.mergePatch(path, 'web', { metadata: { labels: { a: 'b' } } }, 'x'),
  );
  const key = 'shop/web' as ServiceKey;
  const late = createActs(world.hand).delete(key, { uid, resourceVersion });
  const refused = t.throwsAsync(late, { code: 'KUBE_CONFLICT' });
  await world.clock.advance(50);
  await refused;
  t.truthy(await readService(world, at));
});
