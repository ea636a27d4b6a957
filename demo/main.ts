// The quick start: `npm run demo`. Reads the command line and does one of three things: run the
// mesh until Ctrl-C, play the guide once, or act on a process of a running demo.
//
// Next files to read: mesh.ts (the parts), guide/steps-*.ts (the guide).

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemChance } from '../common/runtime/chance.ts';
import { systemClock } from '../common/runtime/clock.ts';
import { createLifecycle, type Lifecycle } from '../common/runtime/lifecycle.ts';
import { createLog, describeError } from '../common/runtime/log.ts';
import { askControl, serveControl } from './control-socket.ts';
import type { DemoFile } from './demo-file.ts';
import { playGuide } from './guide/play.ts';
import { toLayout } from './layout.ts';
import { prepareMesh, type Mesh } from './mesh.ts';
import { findProgram, provideNatsServer, thisMachine, type Machine } from './nats-server.ts';
import { controlPlanePrograms, findAssets } from './real/assets.ts';
import { parseCommand, type Command } from './settings.ts';
import { toWelcome } from './welcome.ts';

const exitCodes = { ok: 0, failed: 1, usage: 2, natsMissing: 3, interrupted: 130 } as const;

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

function complain(text: string): void {
  process.stderr.write(`${text}\n`);
}

async function main(): Promise<number> {
  const command = parseCommand(process.argv.slice(2), readVersion());
  switch (command.kind) {
    case 'print':
      print(command.text.trimEnd());
      return exitCodes.ok;
    case 'error':
      complain(command.message);
      return exitCodes.usage;
    case 'ctl':
      return runCtl(command);
    case 'run':
    case 'once':
      return runMesh(command);
  }
}

async function runCtl(command: Command & { readonly kind: 'ctl' }): Promise<number> {
  const { controlSocket, dir } = toLayout(command.dir);
  const answer = await askControl(
    controlSocket,
    { verb: command.verb, part: command.part },
    systemClock,
  );
  if (answer === undefined) {
    complain(`no demo runs in ${dir}; start it with: npm run demo`);
    return exitCodes.failed;
  }
  (answer.ok ? print : complain)(answer.message);
  return answer.ok ? exitCodes.ok : exitCodes.failed;
}

async function runMesh(command: Command & { readonly kind: 'run' | 'once' }): Promise<number> {
  const machine = thisMachine();
  const nats = provideNatsServer(machine, print);
  if (nats.kind === 'missing') {
    complain(
      `The demo needs nats-server, which is not on PATH. Install it with:\n\n  ${nats.command}\n`,
    );
    return exitCodes.natsMissing;
  }
  if (command.isReal && findAssets(process.env) === undefined) {
    complain(
      `${controlPlanePrograms.join(', ')} are missing. Build them with:\n\n  npm run peers\n`,
    );
    return exitCodes.failed;
  }
  const hasKubectl = sayKubectl(machine);
  if (command.kind === 'once' && !hasKubectl) return exitCodes.failed;
  const log = createLog({ level: 'warn', format: 'pretty', name: 'demo' });
  const lifecycle = createLifecycle({ clock: systemClock, log });
  endOnSignals(lifecycle, command.kind === 'run' ? exitCodes.ok : exitCodes.interrupted);
  try {
    const mesh = await openMesh(command, nats.path, lifecycle);
    const file = await mesh.start();
    return command.kind === 'once'
      ? await playOnce(mesh, file, command.isReal)
      : await stayUp(mesh, file);
  } catch (error) {
    complain(describeError(error));
    process.exitCode = exitCodes.failed; // already now: it decides whether logs are kept
    return exitCodes.failed;
  } finally {
    await lifecycle.close();
  }
}

/** kubectl is the user's own; without it the demo still runs. */
function sayKubectl(machine: Machine): boolean {
  if (findProgram('kubectl', machine) !== undefined) return true;
  print('kubectl is not on PATH; get it from https://kubernetes.io/docs/tasks/tools/');
  return false;
}

async function openMesh(
  command: Command & { readonly kind: 'run' | 'once' },
  natsServer: string,
  lifecycle: Lifecycle,
): Promise<Mesh> {
  const dir = command.dir ?? makeTemporaryDir(lifecycle);
  const layout = toLayout(dir);
  const other = await askControl(layout.controlSocket, { verb: 'who', part: '' }, systemClock);
  if (other !== undefined)
    throw new Error(`a demo runs already in ${layout.dir}: ${other.message}`);
  const mesh = await prepareMesh({
    dir,
    isAnyPort: command.kind === 'once' || command.isAnyPort,
    isReal: command.isReal,
    natsServer,
    clock: systemClock,
    chance: systemChance,
    say: print,
  });
  lifecycle.onClose({ name: 'mesh', close: () => mesh.end() });
  const control = await serveControl(layout.controlSocket, ({ verb, part }) =>
    verb === 'who'
      ? Promise.resolve({ ok: true, message: `pid ${process.pid}` })
      : mesh.act(verb, part),
  );
  lifecycle.onClose({ name: 'control', close: () => Promise.resolve(control.close()) });
  return mesh;
}

function makeTemporaryDir(lifecycle: Lifecycle): string {
  const dir = mkdtempSync(join(tmpdir(), 'isthmus-demo-'));
  // Closed last, since it was opened first. After a failure the logs are worth keeping.
  lifecycle.onClose({
    name: 'temporary folder',
    close: () =>
      Promise.resolve().then(() => {
        if (process.exitCode === exitCodes.failed) complain(`the logs are in ${join(dir, 'logs')}`);
        else rmSync(dir, { recursive: true, force: true });
      }),
  });
  return dir;
}

async function playOnce(mesh: Mesh, file: DemoFile, isReal: boolean): Promise<number> {
  const isOk = await playGuide({
    file,
    layout: mesh.layout,
    act: (verb, part) => mesh.act(verb, part),
    isReal,
    clock: systemClock,
    say: print,
  });
  process.exitCode = isOk ? exitCodes.ok : exitCodes.failed;
  return process.exitCode;
}

/** Until a signal ends the process (lifecycle.ts). */
function stayUp(mesh: Mesh, file: DemoFile): Promise<never> {
  print(`ready ${JSON.stringify(file)}`);
  print(toWelcome(mesh.layout, file));
  return new Promise(() => undefined);
}

/** A second signal ends the demo at once; its parts then end by themselves (exit-with-parent.ts). */
function endOnSignals(lifecycle: Lifecycle, exitCode: number): void {
  let isEnding = false;
  const end = (): void => {
    if (isEnding) process.exit(exitCodes.interrupted);
    isEnding = true;
    print('stopping everything');
    void lifecycle.close().finally(() => process.exit(exitCode));
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, end);
}

function readVersion(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { readonly version: string }).version; // our own file
}

process.exitCode = await main();
