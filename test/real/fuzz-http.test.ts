// The HTTP target for its share of CI's time. A longer run: npm run fuzz -- --target http.

import test from 'ava';
import { closeHttpWorld, httpTarget } from '../fuzz/http-target.ts';
import { runProgram } from '../support/run-program.ts';
import { checkTarget } from '../fuzz/check-target.ts';

test.after.always(closeHttpWorld);

test.serial(
  'whole exchanges over all kinds: no fault, no hang, what is stored is taken again',
  (t) => checkTarget(t, httpTarget, 30),
);

// A case that is kept, a watch that is not let go or a map that only grows is hundreds of bytes for
// each request; the log's window of past events, 10,000 of them, fills meanwhile.
const requests = 5_000;
const growthMiBMax = 24;

test.serial('memory stays flat over thousands of requests', async (t) => {
  t.timeout(180_000);
  const args = ['--expose-gc', 'dist/test/fuzz/memory-main.js', String(requests)];
  const ran = await runProgram(process.execPath, args, { env: {}, withinMs: 150_000 });
  t.is(ran.code, 0, ran.errors);
  const report = JSON.parse(ran.output) as { readonly firstMiB: number; readonly lastMiB: number };
  t.log(ran.output.trim());
  t.true(report.lastMiB - report.firstMiB < growthMiBMax);
});
