// The root file system of the image as the Dockerfile's last stage makes it, without a container
// engine: its COPY lines are carried out with this checkout's own build, production packages and
// programs. It is then run as the image is: as user 1000, on a root that cannot be written.

import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  symlinkSync,
} from 'node:fs';
import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { findProgram } from './programs.ts';
import { startServerProcess, type ServerProcess } from './server-process.ts';

export interface Dockerfile {
  readonly stages: readonly Stage[];
}

export interface Stage {
  readonly base: string;
  readonly name: string | undefined;
  readonly steps: readonly { readonly verb: string; readonly rest: string }[];
}

export function readDockerfile(text = readFileSync('Dockerfile', 'utf8')): Dockerfile {
  const lines = text
    .replace(/^#.*\n/gm, '')
    .replace(/\\\n/g, ' ')
    .split('\n')
    .filter((line) => line.trim() !== '');
  const stages: { base: string; name: string | undefined; steps: Stage['steps'][number][] }[] = [];
  for (const line of lines) {
    const [, verb = '', rest = ''] = /^([A-Z]+)\s+(.*)$/.exec(line.trim()) ?? [];
    const from = /^(\S+)(?:\s+AS\s+(\S+))?$/.exec(rest);
    if (verb === 'FROM') stages.push({ base: from?.[1] ?? '', name: from?.[2], steps: [] });
    else stages.at(-1)?.steps.push({ verb, rest });
  }
  return { stages };
}

export interface Copy {
  /** Stage, or undefined for the checkout. */
  readonly from: string | undefined;
  readonly sources: readonly string[];
  readonly target: string;
}

export function copiesOf({ steps }: Stage): readonly Copy[] {
  return steps.flatMap(({ verb, rest }) => {
    if (verb !== 'COPY') return [];
    const words = rest.split(/\s+/);
    const from = words.find((word) => word.startsWith('--from='))?.slice('--from='.length);
    const paths = words.filter((word) => !word.startsWith('--'));
    return [{ from, sources: paths.slice(0, -1), target: paths.at(-1) ?? '' }];
  });
}

/** Why images cannot be run here; undefined when they can. */
export function whyNoImage(): string | undefined {
  if (process.getuid?.() !== 0) return 'needs root for mounts';
  const tried = spawnSync('unshare', ['--mount', 'true']);
  if (tried.status !== 0) return 'no mount namespaces here';
  return findProgram('nats-server') === undefined ? 'nats-server is not installed' : undefined;
}

const workdir = '/opt/isthmus';

/** Fills `root` as the last stage does. */
export function buildImageRoot(root: string): void {
  const last = readDockerfile().stages.at(-1);
  if (last === undefined) throw new Error('the Dockerfile has no stage');
  chmodSync(root, 0o755);
  for (const folder of ['data', 'keys', 'tmp', 'dev', 'proc', 'etc', 'bin', 'lib64', 'lib']) {
    mkdirSync(join(root, folder), { recursive: true });
  }
  writeFileSync(join(root, 'etc/passwd'), 'isthmus:x:1000:1000::/nonexistent:/usr/sbin/nologin\n');
  cpSync('/etc/hosts', join(root, 'etc/hosts'));
  for (const copy of copiesOf(last)) for (const source of copy.sources) bring(root, copy, source);
  // Of the base image and its packages.
  for (const path of ['/usr/bin/env', '/bin/sleep']) bringProgram(root, path, path);
  bringProgram(root, findProgram('nats-server') ?? '', '/usr/sbin/nats-server');
  for (const { verb, rest } of last.steps) {
    if (verb !== 'RUN') continue;
    for (const [, target = '', link = ''] of rest.matchAll(/ln -s (\S+) (\S+)/g)) {
      symlinkSync(target, join(root, link));
    }
    for (const [, files = ''] of rest.matchAll(/chmod \+x ((?:dist\S+\s*)+)/g)) {
      for (const file of files.trim().split(/\s+/)) chmodSync(join(root, workdir, file), 0o755);
    }
  }
}

function bring(root: string, { from, target }: Copy, source: string): void {
  const at = target.startsWith('/') ? target : join(workdir, target);
  if (source === '/usr/local/bin/node') return bringProgram(root, process.execPath, at);
  const own = from === undefined ? source : source.replace(/^\/src\//, '');
  if (own === 'node_modules') return bringPackages(root, at);
  const into = target.endsWith('/') ? join(at, own) : at;
  cpSync(own, join(root, into), { recursive: true });
}

/** What `npm ci --omit=dev` would install. */
function bringPackages(root: string, at: string): void {
  const lock = JSON.parse(readFileSync('package-lock.json', 'utf8')) as {
    readonly packages: Readonly<
      Record<string, { readonly dev?: true; readonly devOptional?: true }>
    >;
  };
  for (const [path, { dev, devOptional }] of Object.entries(lock.packages)) {
    const isOurs = path.startsWith('node_modules/') && dev !== true && devOptional !== true;
    if (!isOurs || !existsSync(path)) continue;
    cpSync(path, join(root, at, path.slice('node_modules/'.length)), {
      recursive: true,
      filter: (file) =>
        !/\.(d\.ts|map|md|musl\.node)$/.test(file) &&
        !file.slice(path.length).includes('/node_modules'),
    });
  }
}

function bringProgram(root: string, path: string, at: string): void {
  mkdirSync(dirname(join(root, at)), { recursive: true });
  copyFileSync(path, join(root, at));
  chmodSync(join(root, at), 0o755);
  for (const library of librariesOf(path)) {
    mkdirSync(dirname(join(root, library)), { recursive: true });
    copyFileSync(library, join(root, library));
  }
}

function librariesOf(path: string): readonly string[] {
  try {
    const text = execFileSync('ldd', [path], { encoding: 'utf8', stdio: 'pipe' });
    return [...text.matchAll(/(\/\S+) \(0x/g)].flatMap(([, library]) => library ?? []);
  } catch {
    return []; // static
  }
}

/**
 * Starts a program of the image with writable /data, /keys and /tmp only. `volumes` says how /data
 * and /keys come: as the image makes them, or as Kubernetes mounts an empty volume with an fsGroup.
 */
export function startInImage(
  root: string,
  options: { readonly argv: readonly string[]; readonly volumes: 'image' | 'kubernetes' },
): ServerProcess {
  const owner =
    options.volumes === 'image' ? 'uid=1000,gid=1000,mode=700' : 'uid=0,gid=1000,mode=2775';
  const script = [
    'set -e',
    'mount --bind "$0" "$0"',
    'mount -o remount,bind,ro "$0"',
    `for each in data keys; do mount -t tmpfs -o ${owner} tmpfs "$0/$each"; done`,
    'mount -t tmpfs -o mode=1777 tmpfs "$0/tmp"',
    'mount --rbind /dev "$0/dev"',
    'mount -t proc proc "$0/proc"',
    'root="$0"',
    `exec env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin NODE_ENV=production ${chroot} "$root" "$@"`,
  ].join('\n');
  return startServerProcess({
    name: options.argv[0] ?? '',
    path: '/usr/bin/unshare',
    flags: ['--mount', '--propagation', 'private', 'sh', '-c', script, root, ...options.argv],
  });
}

const chroot = '/usr/sbin/chroot --userspec=1000:1000 --groups=';
