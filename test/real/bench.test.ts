// The benches as a user starts them, with numbers too small to mean anything.

import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { createToApplied } from '../../bench/create-to-applied.ts';
import { failover } from '../../bench/failover.ts';
import { parseBenchCommand } from '../../bench/settings.ts';
import { summarize } from '../../bench/statistics.ts';
import { testWith } from '../support/programs.ts';

const small = ['create-to-applied', '--agents', '3', '--services', '2', '--burst', '2', '--json'];

interface Outcome {
  readonly code: number | null;
  readonly output: string;
  readonly errors: string;
  /** What is left in the folder for temporary files. */
  readonly left: readonly string[];
}

/** Runs a bench to its end; `onErrors` sees all that came on stderr so far. */
async function runBench(
  t: ExecutionContext,
  args: readonly string[],
  onErrors: (errors: string, interrupt: () => void) => void = () => undefined,
): Promise<Outcome> {
  const dir = mkdtempSync(join(tmpdir(), 'isthmus-bench-test-'));
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  const child = spawn(process.execPath, ['dist/bench/main.js', ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, TMPDIR: dir },
  });
  t.teardown(() => void child.kill('SIGKILL'));
  const texts = { output: '', errors: '' };
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (texts.output += chunk));
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    texts.errors += chunk;
    onErrors(texts.errors, () => void child.kill('SIGINT'));
  });
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  return { code, ...texts, left: readdirSync(dir) };
}

const withNats = testWith('nats-server');

withNats('a bench prints one JSON object and leaves nothing behind', async (t) => {
  const { code, output, errors, left } = await runBench(t, small);
  t.is(code, 0, errors);
  t.deepEqual(left, []);
  const report = JSON.parse(output) as {
    readonly bench: string;
    readonly measures: readonly { readonly name: string; readonly count: number }[];
  };
  t.is(report.bench, 'create-to-applied');
  const counts = new Map(report.measures.map(({ name, count }) => [name, count]));
  t.is(counts.get('acknowledged -> applied, each'), 6); // three clusters, two Services
  t.is(counts.get('burst: acknowledged -> applied, last'), 2);
});

for (const [args, measure, count] of [
  [['join', '--agents', '3'], 'start -> session open, each', 3],
  [['resync', '--services', '5', '--rounds', '2'], 'dial -> in sync, holding nothing', 2],
] as const) {
  withNats(`the bench ${args[0]} measures what it says, without clusters`, async (t) => {
    const { code, output, errors, left } = await runBench(t, [...args, '--json']);
    t.is(code, 0, errors);
    t.deepEqual(left, []);
    const report = JSON.parse(output) as {
      readonly measures: readonly { readonly name: string; readonly count: number }[];
    };
    t.is(report.measures.find(({ name }) => name === measure)?.count, count);
  });
}

withNats('the bench dns-failover counts requests at a provider', async (t) => {
  const few = ['--names', '20', '--edits', '30', '--records', '600', '--rounds', '2', '--json'];
  const { code, output, errors, left } = await runBench(t, ['dns-failover', ...few]);
  t.is(code, 0, errors);
  t.deepEqual(left, []);
  const { facts } = JSON.parse(output) as { readonly facts: Readonly<Record<string, number>> };
  const requests = facts['requests that changed all names (goal: 4 for 1,000)'] ?? 0;
  t.true(requests >= 1 && requests <= 4, `${requests}`);
});

testWith(
  'nats-server',
  'dnsperf',
  'dig',
  'named',
  'knotd',
)('the bench dns-queries asks the embedded zone, BIND and Knot the same', async (t) => {
  // CPU is told in ticks of 10 ms: a busy machine does not get as far in one second.
  const small = ['--services', '5', '--seconds', '3', '--rounds', '1', '--json'];
  const { code, output, errors, left } = await runBench(t, ['dns-queries', ...small]);
  t.is(code, 0, errors);
  t.deepEqual(left, []);
  const { grid } = JSON.parse(output) as {
    readonly grid: { readonly rows: readonly (readonly [string, number, number, number])[] };
  };
  t.deepEqual(
    grid.rows.map(([name]) => name),
    ['embedded zone', 'BIND', 'Knot'],
  );
  for (const [, micros, perSecond, lost] of grid.rows) {
    t.true(micros > 0 && perSecond > 0);
    t.is(lost, 0);
  }
});

withNats('an interrupted bench ends what it started, and says 130', async (t) => {
  let isInterrupted = false;
  const { code, left } = await runBench(t, small, (errors, interrupt) => {
    if (isInterrupted || !errors.includes('have joined')) return;
    isInterrupted = true;
    interrupt();
  });
  t.is(code, 130);
  t.deepEqual(left, []);
});

test('the command line is explained, and a wrong one refused', (t) => {
  const parse = (...argv: readonly string[]) =>
    parseBenchCommand(argv, '1', [createToApplied, failover]);
  t.is(parse().kind, 'print');
  t.is(parse('failover', '--help').kind, 'print');
  t.is(parse('fail-over').kind, 'error');
  t.is(parse('failover', '--agents', '3').kind, 'error');
  t.is(parse('create-to-applied', '--agents', '0').kind, 'error');
  const run = parse('failover', '--kills', '1');
  t.is(run.kind, 'run');
  if (run.kind !== 'run') return;
  t.is(run.bench, failover);
  t.false(run.isJson);
  t.deepEqual([run.values.number('rounds'), run.values.number('kills')], [10, 1]);
});

test('each percentile is a value that was measured', (t) => {
  t.is(summarize([]), undefined);
  t.deepEqual(summarize([7]), { count: 1, min: 7, p50: 7, p90: 7, p99: 7, max: 7 });
  const hundred = Array.from({ length: 100 }, (_, index) => 100 - index);
  t.deepEqual(summarize(hundred), { count: 100, min: 1, p50: 50, p90: 90, p99: 99, max: 100 });
});
