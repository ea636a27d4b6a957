// Upstream's own kubectl shell suite, test/cmd of Kubernetes, against a coordinator: which of its
// functions pass whole, and where each other stops.
//
// The scripts come from the pinned module of the tests' peers; nothing of them is kept here.

import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stripVTControlCharacters } from 'node:util';
import { peerPath } from '../support/find-peer.ts';
import { openUpstreamServer, type UpstreamServer } from './upstream-server.ts';

const lineMax = 240;
const goMs = 20_000;
const functionMs = 90_000;
const script = fileURLToPath(new URL('../../../test/upstream/kubectl-suite.sh', import.meta.url));

export interface FunctionOutcome {
  readonly name: string;
  readonly isPassed: boolean;
  /** Assertions of the suite that held, before it ended. */
  readonly held: number;
  /** The line that it stopped at. */
  readonly last: string;
}

/** Runs the named functions one after another, each against the same coordinator. */
export async function runKubectlSuite(
  names: readonly string[],
  say: (line: string) => void,
): Promise<readonly FunctionOutcome[]> {
  const server = await openUpstreamServer();
  try {
    const tree = makeTree(server);
    return names.map((name) => {
      const outcome = run(tree, server, name);
      say(
        `${outcome.isPassed ? 'passed' : 'stopped'} ${name} ${outcome.isPassed ? '' : outcome.last}`,
      );
      return outcome;
    });
  } finally {
    await server.close();
  }
}

/** Why the suite's scripts are not to be had, or undefined when they are. */
export function missingScripts(): string | undefined {
  try {
    return existsSync(join(moduleFolder(), 'test/cmd')) ? undefined : 'its module is not there';
  } catch {
    return 'there is no Go, or its module is not in the cache';
  }
}

function moduleFolder(): string {
  return execFileSync('go', ['list', '-m', '-f', '{{.Dir}}', 'k8s.io/kubernetes'], {
    cwd: 'test/peers/kubernetes',
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
    env: { ...process.env, GOFLAGS: '-mod=readonly', GOPROXY: 'off' },
    timeout: goMs,
  }).trim();
}

/** A copy that may be written into, with kubectl where the suite looks for it. */
function makeTree(server: UpstreamServer): string {
  const source = moduleFolder();
  const tree = join(server.dir, 'tree');
  const parts = ['hack', 'test/cmd', 'test/fixtures', 'test/e2e/testing-manifests'];
  for (const part of [...parts, 'third_party/forked/shell2junit']) {
    cpSync(join(source, part), join(tree, part), { recursive: true });
  }
  // Modules are read-only, and have lost which files can be executed.
  execFileSync('chmod', ['-R', 'u+w', tree]);
  execFileSync('chmod', ['-R', 'a+x', join(tree, 'test/fixtures/pkg/kubectl/plugins')]);
  const cmd = join(tree, 'test/cmd');
  for (const file of readdirSync(cmd)) {
    const text = readFileSync(join(cmd, file), 'utf8');
    writeFileSync(join(cmd, file), text.replaceAll('admin-token', server.token));
  }
  const bin = join(tree, '_output/bin');
  mkdirSync(bin, { recursive: true });
  copyFileSync(peerPath('kubectl'), join(bin, 'kubectl'));
  chmodSync(join(bin, 'kubectl'), 0o755);
  return tree;
}

function run(tree: string, { port, token }: UpstreamServer, name: string): FunctionOutcome {
  const ran = spawnSync('bash', [script, tree, String(port), name, token], {
    encoding: 'utf8',
    timeout: functionMs,
    killSignal: 'SIGKILL',
    maxBuffer: 64 << 20,
  });
  const lines = `${ran.stdout}${ran.stderr}`
    .split('\n')
    .map((line) => stripVTControlCharacters(line).trim());
  const held = lines.filter((line) => line.includes('Successful')).length;
  return { name, isPassed: ran.status === 0, held, last: findReason(lines) };
}

function findReason(lines: readonly string[]): string {
  const noise =
    /10\.0\.0\.1"|Call tree|legacy-script|sh2ju|^\+\+\+|FAILED TESTS|Error when running|^!!!|^$/;
  const said = lines.filter((line) => !noise.test(line));
  const notServed = said.findLast((line) =>
    /doesn't have a resource|no matches for kind/.test(line),
  );
  if (notServed !== undefined) return notServed.replaceAll('|', '\\|').slice(0, lineMax);
  return (
    said.findLast((line) => /doesn't have|no matches|error|wanted|not /i.test(line)) ??
    said.at(-1) ??
    ''
  )
    .replaceAll('|', '\\|')
    .slice(0, lineMax);
}
