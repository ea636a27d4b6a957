// Builds the tests' real peers from their pinned Go modules into the user's cache folder:
// `npm run peers`. What is there is not built again; what cannot be had is named, with a reason
// that the skipped tests repeat.
//
// Invariants:
// 1. A program appears in the folder whole or not at all: it is built elsewhere and renamed.
// 2. One build at a time: a second one waits for the first and then finds everything there.
//
// Next files to read: catalog.ts, go-tool.ts; test/support/peers.ts finds what was built.

import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { systemClock as clock } from '../../common/runtime/clock.ts';
import { lockFolder } from './build-lock.ts';
import {
  isOurs,
  peerFile,
  peersCacheFolder,
  peersFolder,
  peers,
  peersOnAsk,
  peerVersion,
  type Peer,
} from './catalog.ts';
import { findGo, runGo } from './go-tool.ts';

const exitCodes = { ok: 0, buildFailed: 1, usage: 2, goMissing: 3, moduleRefused: 4 } as const;

const help = `Usage: npm run peers -- [--only NAME,NAME] [--list] [--where]

Builds the programs that the real tests talk to, from Go modules pinned in test/peers.

  --only NAMES   just these, separated by commas
  --list         print each program with its version and whether it is built
  --where        print the folder that holds them, for KUBEBUILDER_ASSETS
  --help         print this

Exit codes: 0 all there, 1 a program did not compile, 2 usage, 3 no Go that is new enough,
4 the registry of Go modules did not give a module.

Programs: ${peers.map(({ name }) => name).join(', ')}
Only when named by --only: ${peersOnAsk.map(({ name }) => name).join(', ')}
`;

interface Failure {
  readonly code: number;
  readonly reason: string;
}

process.exitCode = await main(process.argv.slice(2));

async function main(argv: readonly string[]): Promise<number> {
  const options = readOptions(argv);
  if (typeof options === 'string') {
    process.stderr.write(`${options}\n\n${help}`);
    return exitCodes.usage;
  }
  if (options.isHelp) process.stdout.write(help);
  const folder = peersCacheFolder(process.env);
  if (options.isWhere) process.stdout.write(`${folder}\n`);
  if (options.isList) for (const peer of options.chosen) print(describe(peer, folder));
  if (options.isHelp || options.isWhere || options.isList) return exitCodes.ok;
  return build(options.chosen, folder);
}

interface Options {
  readonly chosen: readonly Peer[];
  readonly isHelp: boolean;
  readonly isList: boolean;
  readonly isWhere: boolean;
}

function readOptions(argv: readonly string[]): Options | string {
  try {
    const { values } = parseArgs({
      args: [...argv],
      options: {
        only: { type: 'string' },
        list: { type: 'boolean', default: false },
        where: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    });
    const names = values.only?.split(',') ?? peers.map(({ name }) => name);
    const known = [...peers, ...peersOnAsk];
    const unknown = names.filter((name) => !known.some((peer) => peer.name === name));
    if (unknown.length > 0) return `--only: no peer is named ${unknown.join(', ')}`;
    const chosen = known.filter(({ name }) => names.includes(name));
    return { chosen, isHelp: values.help, isList: values.list, isWhere: values.where };
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function describe(peer: Peer, folder: string): string {
  const isBuilt = existsSync(join(folder, peerFile(peer)));
  return `${peer.name} ${peerVersion(peer)} ${isBuilt ? 'built' : 'not built'}`;
}

async function build(chosen: readonly Peer[], folder: string): Promise<number> {
  const isMissing = (peer: Peer): boolean => !existsSync(join(folder, peerFile(peer)));
  if (!chosen.some(isMissing)) {
    print(`all ${chosen.length} peers are in ${folder}`);
    return exitCodes.ok;
  }
  mkdirSync(folder, { recursive: true });
  const unlock = await lockFolder(folder, { clock, say: print });
  let code: number = exitCodes.ok;
  try {
    removeUnfinished(folder);
    const go = await findGo();
    for (const peer of chosen.filter(isMissing)) {
      const failure =
        go.kind === 'found'
          ? await buildPeer(peer, { folder, go: go.path })
          : { code: exitCodes.goMissing, reason: go.reason };
      note(peer, folder, failure);
      if (failure !== undefined && code === exitCodes.ok) code = failure.code;
    }
  } finally {
    unlock();
  }
  print(
    `${chosen.filter((peer) => !isMissing(peer)).length} of ${chosen.length} peers in ${folder}`,
  );
  return code;
}

/** What a builder that was killed left behind: `.NAME.PROCESS`. Only the lock's holder may. */
function removeUnfinished(folder: string): void {
  for (const file of readdirSync(folder))
    if (/^\..*\.\d+$/.test(file)) rmSync(join(folder, file), { force: true });
}

/** Leaves the reason beside the programs, for the tests that are skipped for it. */
function note(peer: Peer, folder: string, failure: Failure | undefined): void {
  const path = join(folder, `${peer.name}.reason`);
  rmSync(path, { force: true });
  if (failure === undefined) return;
  writeFileSync(path, `${failure.reason.split('\n', 1)[0] ?? ''}\n`);
  print(`NOT BUILT: ${peer.name}: ${failure.reason}`);
}

async function buildPeer(
  peer: Peer,
  { folder, go }: { readonly folder: string; readonly go: string },
): Promise<Failure | undefined> {
  const startMs = clock.monotonicMs();
  const seconds = (): string => `${Math.round((clock.monotonicMs() - startMs) / 1000)} s`;
  const version = peerVersion(peer);
  const cwd = join(peersFolder, peer.family);
  const tests = peer.isTest === true ? ['-test'] : [];
  const list = ['list', '-deps', ...tests, '-f', '{{.ImportPath}}', peer.main];
  const listed = await runGo(go, list, cwd);
  if (listed.code !== 0)
    return { code: exitCodes.moduleRefused, reason: `no module: ${tail(listed.stderr)}` };
  print(`building ${peer.name} ${version}: modules there after ${seconds()}`);
  const file = peerFile(peer);
  const made = join(folder, `.${file}.${process.pid}`);
  const built = await runGo(go, buildArgs(peer, version, made), cwd);
  if (built.code !== 0) {
    rmSync(made, { force: true });
    return { code: exitCodes.buildFailed, reason: `does not compile: ${tail(built.stderr)}` };
  }
  removeOlder(peer, folder);
  renameSync(made, join(folder, file));
  print(`built ${peer.name} ${version} in ${seconds()}`);
  return undefined;
}

function buildArgs(peer: Peer, version: string, made: string): readonly string[] {
  const variables = Object.entries(peer.variables ?? {}).map(
    ([name, value]) => `-X ${name}=${value === 'VERSION' ? version : value}`,
  );
  const flags = ['-s', '-w', ...variables].join(' ');
  const verb = peer.isTest === true ? ['test', '-c'] : ['build'];
  return [...verb, '-trimpath', '-ldflags', flags, '-o', made, peer.main];
}

/** Builds of sources of our own that have changed since. */
function removeOlder(peer: Peer, folder: string): void {
  if (!isOurs(peer)) return;
  for (const file of readdirSync(folder))
    if (file.startsWith(`${peer.name}-`)) rmSync(join(folder, file));
}

function tail(stderr: string): string {
  const lines = stderr.split('\n').filter((line) => line !== '' && !/: downloading /.test(line));
  return lines.slice(0, 5).join('\n') || 'nothing was said';
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
