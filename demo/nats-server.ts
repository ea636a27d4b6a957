// nats-server on this machine: found, or installed with the user's knowledge, or asked for.

import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';

export type NatsServer =
  | { readonly kind: 'found'; readonly path: string }
  | { readonly kind: 'missing'; readonly command: string };

/** What the search may look at and do; the real one is `thisMachine`. */
export interface Machine {
  readonly platform: string;
  readonly isRoot: boolean;
  /** Folders of PATH. */
  readonly path: readonly string[];
  exists(path: string): boolean;
  /** A program that we may run. */
  isProgram(path: string): boolean;
  /** Exit code of a command whose output the user sees. */
  run(command: string, args: readonly string[]): number;
  /** Keeps package scripts from starting servers until the returned function is called. */
  forbidServices(): () => void;
}

const systemFolders = ['/usr/sbin', '/usr/local/sbin', '/usr/local/bin', '/opt/homebrew/bin'];

export function findProgram(
  name: string,
  machine: Pick<Machine, 'path' | 'isProgram'>,
): string | undefined {
  return [...machine.path, ...systemFolders]
    .map((folder) => join(folder, name))
    .find((path) => machine.isProgram(path));
}

/** Installs only as root with apt, and says so before. */
export function provideNatsServer(machine: Machine, say: (text: string) => void): NatsServer {
  const known = findProgram('nats-server', machine);
  if (known !== undefined) return { kind: 'found', path: known };
  const apt = findProgram('apt-get', machine);
  if (machine.isRoot && apt !== undefined) {
    installWithApt(machine, apt, say);
    const installed = findProgram('nats-server', machine);
    if (installed !== undefined) return { kind: 'found', path: installed };
  }
  return { kind: 'missing', command: commandFor(machine, apt) };
}

function installWithApt(machine: Machine, apt: string, say: (text: string) => void): void {
  say('nats-server is not installed: installing the package nats-server with apt-get');
  const install = ['install', '-y', '--no-install-recommends', 'nats-server'];
  const allowServices = machine.forbidServices();
  try {
    if (machine.run(apt, install) !== 0) {
      machine.run(apt, ['update']);
      machine.run(apt, install);
    }
  } finally {
    allowServices();
  }
  // The package enables a system service; nobody asked for one.
  const systemctl = findProgram('systemctl', machine) ?? '/bin/systemctl';
  if (machine.exists('/run/systemd/system') && machine.exists(systemctl)) {
    machine.run(systemctl, ['disable', '--now', 'nats-server.service']);
    say('the system service that came with the package is stopped and disabled');
  }
}

function commandFor(machine: Machine, apt: string | undefined): string {
  if (apt !== undefined) {
    const sudo = machine.isRoot ? '' : 'sudo ';
    const install = `${sudo}apt-get update && ${sudo}apt-get install -y nats-server`;
    const isSystemd = machine.exists('/run/systemd/system');
    return isSystemd ? `${install} && ${sudo}systemctl disable --now nats-server` : install;
  }
  if (machine.platform === 'darwin') return 'brew install nats-server';
  return 'go install github.com/nats-io/nats-server/v2@latest && export PATH="$PATH:$(go env GOPATH)/bin"';
}

export function thisMachine(): Machine {
  return {
    platform: process.platform,
    isRoot: process.getuid?.() === 0,
    path: (process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== ''),
    exists: existsSync,
    isProgram,
    run: (command, args) =>
      spawnSync(command, args, {
        stdio: ['ignore', 'inherit', 'inherit'],
        env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
        timeout: 180_000,
      }).status ?? 1,
    forbidServices: forbidWithPolicy,
  };
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

const policyFile = '/usr/sbin/policy-rc.d';

/** Debian policy 9.3.3.1: 101 means that no service may be started. One that exists stays. */
function forbidWithPolicy(): () => void {
  if (existsSync(policyFile)) return () => undefined;
  writeFileSync(policyFile, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  return () => rmSync(policyFile, { force: true });
}
