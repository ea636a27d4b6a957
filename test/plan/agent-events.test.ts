// What agents tell as events: of their own shards, and no flood.

import test from 'ava';
import { toClusterName, type ServiceKey } from '../../common/model/ids.ts';
import { Quota } from '../../common/runtime/quota.ts';
import { recordAgentEvent } from '../../coordinator/health/agent-events.ts';
import { createManualClock } from '../support/manual-clock.ts';

test('I8 an agent tells events of Services that have a shard in its cluster, and of no others', (t) => {
  const told: string[] = [];
  const ports = {
    desired: { get: () => undefined } as never,
    placement: {
      clustersOf: (key: ServiceKey) => (key === 'shop/web' ? [toClusterName('one')] : []),
    },
    recorder: { record: ({ message }: { message: string }) => void told.push(message) },
  };
  const event = {
    kind: 'event',
    cluster: toClusterName('one'),
    type: 'Warning',
    reason: 'DriftRepaired',
    message: 'm',
  } as const;
  recordAgentEvent({ ...event, key: 'shop/web' as ServiceKey } as never, ports);
  recordAgentEvent({ ...event, key: 'bank/web' as ServiceKey } as never, ports);
  recordAgentEvent({ ...event, key: undefined } as never, ports);
  t.deepEqual(told, ['one: m', 'one: m']);
});

test('I10 a quota counts for each key, and begins anew when its window is over', async (t) => {
  const clock = createManualClock();
  const quota = new Quota<string>(clock, { max: 2, windowMs: 1_000 });
  t.deepEqual(
    ['a', 'a', 'a', 'b'].map((key) => quota.take(key)),
    [true, true, false, true],
  );
  await clock.advance(999);
  t.false(quota.take('a'));
  await clock.advance(1);
  t.true(quota.take('a'));
});
