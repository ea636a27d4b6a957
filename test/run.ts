// Runs the test layers and ends with one line `N passed, N failed`.
//
//   node dist/test/run.js verify   types, lint, then every layer that needs no outside program
//   node dist/test/run.js all      verify, then the layers with real servers
//   node dist/test/run.js FILE...  just these compiled test files

import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';

interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

const verifyLayers = ['repo', 'plan', 'property', 'contract', 'sim'];
// Real servers share two cores: a few files at once, and each test may wait for a process.
const layerOptions: Readonly<Record<string, readonly string[]>> = {
  real: ['--concurrency=2', '--timeout=180s'],
  sim: ['--concurrency=2', '--timeout=120s'],
};

const total: Counts = { passed: 0, failed: 0, skipped: 0 };
/** What failed, said again at the end: nobody finds it in twenty thousand lines of a long run. */
const failures: string[] = [];
/** Lines of each failure that the end repeats. */
const failureLines = 40;
const [mode = 'verify', ...rest] = process.argv.slice(2);

if (mode === 'verify' || mode === 'all') {
  await runStep('types', 'npx', [
    'tsc',
    '-p',
    'tsconfig.json',
    '--noEmit',
    '--incremental',
    'false',
  ]);
  await runStep('lint', 'npx', ['oxlint', '--deny-warnings']);
  for (const layer of mode === 'all' ? [...verifyLayers, 'real'] : verifyLayers)
    await runLayer(layer);
} else {
  await runAva('files', [mode, ...rest], []);
}
if (failures.length > 0) print(`what failed, again:\n${failures.join('\n')}`);
if (total.skipped > 0) print(`${total.skipped} skipped, named above`);
print(`${total.passed} passed, ${total.failed} failed`);
process.exitCode = total.failed === 0 ? 0 : 1;

/** A check that passes or fails as a whole. */
async function runStep(name: string, command: string, args: readonly string[]): Promise<void> {
  const { code, output } = await run(command, args);
  if (code === 0) total.passed += 1;
  else total.failed += 1;
  print(`${code === 0 ? 'ok' : 'FAILED'}: ${name}`);
  if (code !== 0) {
    print(output);
    failures.push(`not ok ${name}`);
  }
}

async function runLayer(layer: string): Promise<void> {
  const files = compiledTests(layer);
  if (files.length > 0) await runAva(layer, files, layerOptions[layer] ?? []);
}

function compiledTests(layer: string): readonly string[] {
  const folder = `dist/test/${layer}`;
  try {
    return readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.test.js'))
      .map((file) => `${folder}/${file}`)
      .sort();
  } catch {
    return [];
  }
}

async function runAva(
  name: string,
  files: readonly string[],
  options: readonly string[],
): Promise<void> {
  const { code, output } = await run('npx', ['ava', '--tap', ...options, ...files]);
  const counts = readTap(output);
  total.passed += counts.passed;
  total.failed += counts.failed;
  total.skipped += counts.skipped;
  failures.push(...readFailures(output));
  // A crash or an empty run must not look like success.
  if (code !== 0 && counts.failed === 0) {
    total.failed += 1;
    failures.push(`not ok ${name}: ava ended with ${code}, and no test says why`);
  }
  for (const line of output.split('\n')) if (/# SKIP/.test(line)) print(line.trim());
  if (code !== 0)
    print(
      output
        .split('\n')
        .filter((line) => !line.startsWith('ok '))
        .join('\n'),
    );
  print(
    `${code === 0 ? 'ok' : 'FAILED'}: ${name}: ${counts.passed} passed, ${counts.failed} failed`,
  );
}

function readTap(output: string): Counts {
  const counts: Counts = { passed: 0, failed: 0, skipped: 0 };
  for (const line of output.split('\n')) {
    if (/^ok .*# SKIP/.test(line)) counts.skipped += 1;
    else if (line.startsWith('ok ')) counts.passed += 1;
    else if (line.startsWith('not ok ')) counts.failed += 1;
  }
  return counts;
}

/** Each failed test of a TAP report with the first lines of its block. */
function readFailures(output: string): readonly string[] {
  const lines = output.split('\n');
  const found: string[] = [];
  for (const [start, line] of lines.entries()) {
    if (!line.startsWith('not ok ')) continue;
    const rest = lines.slice(start + 1, start + failureLines);
    const end = rest.findIndex((next) => /^(ok |not ok |# |\d+\.\.)/.test(next));
    found.push([line, ...(end === -1 ? rest : rest.slice(0, end))].join('\n'));
  }
  return found;
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

function run(command: string, args: readonly string[]): Promise<{ code: number; output: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    const chunks: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => chunks.push(chunk));
    child.on('error', reject);
    child.on('close', (code) =>
      resolve({ code: code ?? 1, output: Buffer.concat(chunks).toString('utf8') }),
    );
  });
}
