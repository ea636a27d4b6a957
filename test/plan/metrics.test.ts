// What is exposed, and that it costs short turns of the event loop.

import test from 'ava';
import { systemClock } from '../../common/runtime/clock.ts';
import { createMetrics } from '../../common/runtime/metrics.ts';

test('I11 what is exposed is written over many turns', async (t) => {
  let [nowMs, turns] = [0, 0];
  const clock = {
    monotonicMs: () => nowMs++, // each look at it takes a millisecond
    soon: (run: () => void) => {
      turns += 1;
      return systemClock.soon(run);
    },
  };
  const metrics = createMetrics({ withProcess: false, clock });
  for (let index = 0; index < 30; index += 1) metrics.count(`mesh_things_${index}_total`);
  metrics.gauge('mesh_size_bytes', 3, { kind: 'a' });
  const text = await metrics.expose();
  t.true(turns > 5, `${turns} turns`);
  t.is(text.match(/^mesh_things_\d+_total 1$/gm)?.length, 30);
  t.regex(text, /^# TYPE mesh_size_bytes gauge\nmesh_size_bytes\{kind="a"\} 3$/m);
  t.true(text.endsWith('\n'));
});

test('of what Node tells, nothing looks at every connection or wakes the process', async (t) => {
  const text = await createMetrics({ withProcess: true, clock: systemClock }).expose();
  t.regex(text, /^process_cpu_seconds_total /m);
  t.regex(text, /^nodejs_heap_size_used_bytes /m);
  t.notRegex(text, /nodejs_active|nodejs_eventloop/);
});
