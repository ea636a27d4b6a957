// Outside programs that real tests need. A missing one is one named skip on a developer's
// machine and a failure in CI, where a skip would hide a hole.

import { execFileSync } from 'node:child_process';
import { existsSync, realpathSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import anyTest, { type TestFn } from 'ava';
import { findPeer } from './find-peer.ts';

/** Absolute path of `name` on PATH or in the usual system folders, or undefined. */
export function findProgram(name: string): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/usr/local/bin'];
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path));
}

/** ava's test when every program is there; else a test that is skipped, or fails in CI. */
export function testWith(...names: readonly string[]): TestFn {
  const missing = names.filter((name) => findProgram(name) === undefined);
  return missing.length === 0 ? anyTest : testWithout(`missing program: ${missing.join(', ')}`);
}

/** As testWith, for a module of the system's own Python. */
export function testWithModule(name: string): TestFn {
  try {
    execFileSync('/usr/bin/python3', ['-c', `import ${name}`], { stdio: 'ignore' });
    return anyTest;
  } catch {
    return testWithout(`missing module of /usr/bin/python3: ${name}`);
  }
}

function testWithout(reason: string): TestFn {
  const instead =
    process.env['CI'] === 'true'
      ? (title: string) => anyTest(`${title} [${reason}]`, (t) => t.fail(reason))
      : (title: string) => anyTest.skip(`${title} [${reason}]`, (t) => t.pass());
  return Object.assign(instead, { serial: instead, skip: anyTest.skip }) as unknown as TestFn;
}

export interface Kubectl {
  /** `1.33`. */
  readonly minor: string;
  readonly path: string;
}

/**
 * Every kubectl of `minors` beside the real path of `kubectl`, or plain kubectl if it is one, and
 * the newer ones of the peers (./find-peer.ts).
 */
export function findKubectls(minors: readonly string[]): {
  readonly found: readonly Kubectl[];
  readonly notFound: readonly string[];
} {
  const installed = findInstalledKubectls(minors);
  const peers = installed.notFound.flatMap((minor) => {
    const peer = findPeer(minor === '1.34' ? 'kubectl' : `kubectl.${minor}`);
    return 'path' in peer ? [{ minor, path: peer.path }] : [];
  });
  const names = new Set(peers.map(({ minor }) => minor));
  return {
    found: [...installed.found, ...peers],
    notFound: installed.notFound.filter((minor) => !names.has(minor)),
  };
}

function findInstalledKubectls(minors: readonly string[]): ReturnType<typeof findKubectls> {
  const plain = findProgram('kubectl');
  if (plain === undefined) return { found: [], notFound: minors };
  const folder = dirname(realpathSync(plain));
  const found = minors.flatMap((minor) => {
    const path = join(folder, `kubectl.${minor}`);
    return existsSync(path) ? [{ minor, path }] : [];
  });
  if (found.length > 0) {
    const names = new Set(found.map(({ minor }) => minor));
    return { found, notFound: minors.filter((minor) => !names.has(minor)) };
  }
  const minor = clientMinor(plain);
  return { found: [{ minor, path: plain }], notFound: minors.filter((other) => other !== minor) };
}

function clientMinor(path: string): string {
  const text = execFileSync(path, ['version', '--client', '-o', 'json'], { encoding: 'utf8' });
  const version = (JSON.parse(text) as { clientVersion: { major: string; minor: string } })
    .clientVersion;
  return `${version.major}.${version.minor.replace(/\D/g, '')}`;
}
