// The thread of the embedded zone: what happens when it hangs or dies.

import test from 'ava';
import { systemClock } from '../../common/runtime/clock.ts';
import { silentLog } from '../../common/runtime/log.ts';
import { createMetrics } from '../../common/runtime/metrics.ts';
import { createZone } from '../../coordinator/zone/zone.ts';
import { openLog } from '../support/dns-fixtures.ts';
import { eventually } from '../support/eventually.ts';
import { createManualClock } from '../support/manual-clock.ts';

const listen = { host: '127.0.0.1', port: 0 };

test('V1 a thread that hangs is ended and started again, and one that answers is left alone', async (t) => {
  const { desired } = await openLog();
  const clock = createManualClock();
  const errors: string[] = [];
  const metrics = createMetrics({ withProcess: false, clock: systemClock });
  const opening = createZone({
    desired,
    domain: 'example.com',
    federation: 'myfederation',
    listen,
    clock,
    log: { ...silentLog, error: (message) => void errors.push(message) },
    metrics,
    program: new URL('../support/zone-hung-thread.js', import.meta.url),
  });
  let zone: Awaited<typeof opening> | undefined;
  void opening.then((opened) => (zone = opened));
  // Pages of the first load go by the clock, too.
  const isOpen = () => Promise.resolve(zone === undefined ? ['not open'] : []);
  await eventually(20_000, async () => {
    await clock.advance(1);
    return isOpen();
  });
  t.teardown(() => zone?.close());
  t.deepEqual(errors, []);
  // Until both are told: on a busy machine the first two answers come late.
  await eventually(20_000, async () => {
    await clock.advance(2_000);
    return errors.length >= 2 ? [] : ['nobody noticed'];
  });
  t.deepEqual(errors.slice(0, 2), [
    'DNS zone thread does not answer; ending it',
    'DNS zone thread ended; starting it again',
  ]);
  t.regex(await metrics.expose(), /mesh_zone_restarts_total [1-9]/);
});
