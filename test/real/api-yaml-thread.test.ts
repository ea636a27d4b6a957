// The YAML thread itself: what it reads is what this thread would have read; one that hangs, dies
// or eats memory is replaced; nothing of it stays.

import test from 'ava';
import fc from 'fast-check';
import { systemClock } from '../../common/runtime/clock.ts';
import { silentLog } from '../../common/runtime/log.ts';
import { silentMetrics } from '../../common/runtime/metrics.ts';
import { parseYamlBody } from '../../coordinator/api/machinery/schema/yaml-body.ts';
import {
  createYamlReader,
  readMs,
  type StartYamlThread,
} from '../../coordinator/api/yaml/yaml-reader.ts';
import { startThread, startYamlThread } from '../../coordinator/api/yaml/yaml-thread.ts';
import { createManualClock } from '../support/manual-clock.ts';
import { runProgram } from '../support/run-program.ts';

const common = { clock: systemClock, log: silentLog, metrics: silentMetrics };

const words = ['a', 'b', '1', '-0', '0755', 'y', '.inf', '~', 'é', '\u{1f600}', '\ud83d', '\u0000'];
const marks = [': ', ':\n  ', '- ', '\n', ' ', '&x ', '*x', '<<: ', '{', '}', '[', ']', '"', "'"];
const rare = ['|\n', '>-\n', '!!binary ', '---\n', '? ', '#', '\t', '__proto__: 1\n', '"\\ud800"'];
const pieces = fc.constantFrom(...words, ...marks, ...rare);
const texts = fc.oneof(
  fc.array(pieces, { maxLength: 24 }).map((parts) => parts.join('')),
  fc.json({ maxDepth: 4 }),
  fc.nat(300).map((count) => Array.from({ length: count }, (_, i) => `k${i}: v\n`).join('')),
);

test('what the thread reads is what this thread reads, errors included', async (t) => {
  const reader = createYamlReader({ ...common, start: startYamlThread });
  await fc.assert(
    fc.asyncProperty(texts, async (text) => {
      t.deepEqual(await outcomeOf(() => reader.read(text)), await outcomeOf(() => here(text)));
    }),
    { numRuns: 150 },
  );
  await reader.close();
});

function here(text: string) {
  return new Promise((resolve) => {
    resolve(parseYamlBody(text));
  });
}

async function outcomeOf(read: () => Promise<unknown>): Promise<unknown> {
  try {
    return await read();
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    return { name: error.name, message: error.message, status: Reflect.get(error, 'status') };
  }
}

const startBad: StartYamlThread = (to) =>
  startThread(new URL('../support/yaml-bad-thread.js', import.meta.url), to);

for (const [text, code] of [
  ['exit', 500],
  ['throw', 500],
  ['memory', 413],
] as const) {
  test(`Y2 a thread that ends (${text}) is answered with ${code} and started again`, async (t) => {
    // Without a deadline: a busy machine takes its time to fill the memory.
    const clock = createManualClock();
    const reader = createYamlReader({ ...common, clock, start: startBad });
    const [bad, good] = [reader.read(text), reader.read('good')];
    t.like(await t.throwsAsync(bad), { code });
    t.is((await good).value, 'good');
    await reader.close();
  });
}

test('Y2 a thread that hangs is ended at the deadline and started again', async (t) => {
  const clock = createManualClock();
  const reader = createYamlReader({ ...common, clock, start: startBad });
  t.is((await reader.read('warm')).value, 'warm');
  const [bad, good] = [reader.read('hang'), reader.read('good')];
  const refused = t.throwsAsync(bad);
  await clock.advance(readMs);
  t.like(await refused, { code: 504 });
  t.is((await good).value, 'good');
  await reader.close();
});

test('Y3 a thread that rests keeps no process alive, and a closed one is gone', async (t) => {
  const thread = new URL('../../coordinator/api/yaml/yaml-thread.js', import.meta.url).href;
  for (const end of ['', 'await thread.end();']) {
    const script = `
      const { startYamlThread } = await import(${JSON.stringify(thread)});
      const thread = startYamlThread({
        onAnswer: async (answer) => { console.log(JSON.stringify(answer)); ${end} },
        onLoss: () => undefined,
      });
      thread.send('a: 1');
    `;
    const args = ['--input-type=module', '-e', script];
    const { code, output } = await runProgram(process.execPath, args, { env: {} });
    t.is(code, 0);
    t.is(output, '{"kind":"parsed","json":"{\\"a\\":1}","duplicates":[]}\n');
  }
});
