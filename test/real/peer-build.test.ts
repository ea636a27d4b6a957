// The build of the peers, with a Go that is a shell script: what is there is not built twice, and
// what cannot be had is named.

import test, { type ExecutionContext } from 'ava';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../common/runtime/clock.ts';
import { runProgram, type Ran } from '../support/run-program.ts';

interface Machine {
  /** Runs the build with this machine's Go and cache. */
  build(...args: readonly string[]): Promise<Ran>;
  /** How often Go linked a program. */
  builds(): number;
  /** Every file in the folder of programs. */
  files(): readonly string[];
  read(file: string): string;
  write(file: string, text: string, ageSeconds: number): void;
}

/** `go`: what its script does in a build or a listing; none without a text. */
function makeMachine(t: ExecutionContext, go: string | undefined): Machine {
  const home = mkdtempSync(join(tmpdir(), 'isthmus-peer-build-'));
  t.teardown(() => rmSync(home, { recursive: true, force: true }));
  const [bin, log] = [join(home, 'bin'), join(home, 'log')];
  mkdirSync(bin);
  writeFileSync(log, '');
  if (go !== undefined) {
    const text = `#!/bin/sh\nverb=$1\ncase $verb in env) echo go1.26.0; exit ;; esac\n${go}\n`;
    writeFileSync(join(bin, 'go'), text);
    chmodSync(join(bin, 'go'), 0o755);
  }
  // Node's folder and the system's hold no Go of the tests' machine.
  const env = { PATH: `${bin}:/usr/bin:/bin`, XDG_CACHE_HOME: home, LOG: log };
  const cache = join(home, 'isthmus-peers');
  const folder = (): string => join(cache, readdirSync(cache)[0] ?? '');
  return {
    build: (...args) =>
      runProgram(process.execPath, ['dist/test/peers/build.js', ...args], { env }),
    builds: () => readFileSync(log, 'utf8').split('\n').length - 1,
    files: () => readdirSync(folder()).sort(),
    read: (file) => readFileSync(join(folder(), file), 'utf8'),
    write: (file, text, ageSeconds) => {
      writeFileSync(join(folder(), file), text);
      const at = systemClock.now() / 1_000 - ageSeconds;
      utimesSync(join(folder(), file), at, at);
    },
  };
}

const goBuilds = `
case $verb in build) echo built >>"$LOG"; while [ "$1" != -o ]; do shift; done; echo "$1" >"$2" ;; esac`;

test('a peer is built once, also by two builds at a time', async (t) => {
  const machine = makeMachine(t, goBuilds);
  const only = ['--only', 'etcd,kubectl'];
  const [one, two] = await Promise.all([machine.build(...only), machine.build(...only)]);
  t.deepEqual([one.code, two.code], [0, 0], one.errors + two.errors);
  t.is(machine.builds(), 2);
  t.deepEqual(machine.files(), ['etcd', 'kubectl']);
  const third = await machine.build(...only);
  t.regex(third.output, /^all 2 peers are in /);
  t.is(machine.builds(), 2);
});

test('each program has a line with its version and its seconds', async (t) => {
  const { output } = await makeMachine(t, goBuilds).build('--only', 'kube-apiserver');
  t.regex(output, /^building kube-apiserver v1\.34\.4: modules there after \d+ s$/m);
  t.regex(output, /^built kube-apiserver v1\.34\.4 in \d+ s$/m);
});

test('what a killed build left does not stand in the way of the next', async (t) => {
  const killsOnce = `
case $verb in build) [ -e "$LOG.once" ] || { : >"$LOG.once"; kill -9 $PPID; } ;; esac`;
  const machine = makeMachine(t, goBuilds + killsOnce);
  t.not((await machine.build('--only', 'etcd')).code, 0);
  t.deepEqual(
    machine.files().map((file) => file.replace(/\d+$/, 'PROCESS')),
    ['.building', '.etcd.PROCESS'],
  );
  t.is((await machine.build('--only', 'etcd')).code, 0);
  t.deepEqual(machine.files(), ['etcd']);
});

test('a lock whose process id now belongs to another process is not waited for', async (t) => {
  const machine = makeMachine(t, goBuilds);
  await machine.build('--only', 'etcd');
  machine.write('.building', String(process.pid), 600);
  t.is((await machine.build('--only', 'kubectl')).code, 0);
  t.deepEqual(machine.files(), ['etcd', 'kubectl']);
});

test('without Go the reason is kept for the skipped tests, and the exit code is 3', async (t) => {
  const machine = makeMachine(t, undefined);
  const { code, output } = await machine.build('--only', 'etcd');
  t.is(code, 3);
  t.regex(output, /^NOT BUILT: etcd: there is no Go on PATH$/m);
  t.is(machine.read('etcd.reason'), 'there is no Go on PATH\n');
});

test('a module that is refused is named, the others are built, and the exit code is 4', async (t) => {
  const refuse = `
case "$verb $PWD" in "list "*/etcd) echo 'go: module x: not available' >&2; exit 1 ;; esac
${goBuilds}`;
  const machine = makeMachine(t, refuse);
  const { code, output } = await machine.build('--only', 'etcd,kubectl');
  t.is(code, 4);
  t.regex(output, /^NOT BUILT: etcd: no module: go: module x: not available$/m);
  t.deepEqual(machine.files(), ['etcd.reason', 'kubectl']);
});

test('a program that does not compile leaves no file, and the exit code is 1', async (t) => {
  const fail = `case $verb in build) echo 'x.go:1: no' >&2; exit 1 ;; esac`;
  const machine = makeMachine(t, fail);
  const { code } = await machine.build('--only', 'etcd');
  t.is(code, 1);
  t.deepEqual(machine.files(), ['etcd.reason']);
  t.is(machine.read('etcd.reason'), 'does not compile: x.go:1: no\n');
});

test('--list names each peer with its pinned version', async (t) => {
  const { output } = await makeMachine(t, undefined).build('--list');
  for (const line of output.trim().split('\n')) t.regex(line, /^[\w.-]+ v\d+\.\d+\.\d+ not built$/);
  t.regex(output, /^kube-apiserver v1\.34\.4 not built$/m);
});

test('a name that is no peer is a usage error', async (t) => {
  const { code, errors } = await makeMachine(t, goBuilds).build('--only', 'etdc');
  t.is(code, 2);
  t.regex(errors, /^--only: no peer is named etdc$/m);
});
