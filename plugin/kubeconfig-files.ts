// The kubeconfig as kubectl reads it: one file that a flag names, else those of KUBECONFIG, the
// first to name a thing winning, else ~/.kube/config.

import { delimiter, dirname, join, resolve } from 'node:path';
import {
  chooseContext,
  invalidKubeconfig,
  toRecord,
  type KubeconfigChoice,
} from '../common/pure/kubeconfig-choice.ts';
import { parseYaml } from '../common/runtime/kubeconfig.ts';
import type { Io } from './io.ts';

export interface Kubeconfig {
  /** Names the files in messages. */
  readonly path: string;
  /** Paths in it are absolute. */
  readonly lists: Readonly<Record<string, unknown>>;
  /** The file that a user's entry came from. */
  fileOf(user: string): string | undefined;
}

export function readKubeconfig(io: Io, flag: string | undefined): Kubeconfig {
  if (flag !== undefined) {
    const lists = readOne(io, flag);
    if (lists === undefined) throw invalidKubeconfig(`--kubeconfig: there is no file ${flag}`);
    return { path: flag, lists, fileOf: () => flag };
  }
  const named = (io.env['KUBECONFIG'] ?? '').split(delimiter).filter((path) => path !== '');
  const paths = named.length > 0 ? named : [join(io.home, '.kube', 'config')];
  const read = paths.map((path) => ({ path, lists: readOne(io, path) }));
  const found = read.map(({ lists }) => lists).filter((lists) => lists !== undefined);
  if (found.length === 0) {
    throw invalidKubeconfig(
      `there is no kubeconfig (${paths.join(', ')}): name one with --kubeconfig or KUBECONFIG; ` +
        'the coordinator writes one into its data directory (admin.kubeconfig)',
    );
  }
  return {
    path: paths.join(delimiter),
    lists: merge(found),
    fileOf: (user) =>
      read.find(({ lists }) => entriesOf(lists?.['users']).some(({ name }) => name === user))?.path,
  };
}

export function chooseFrom(
  { lists, path }: Kubeconfig,
  context: string | undefined,
): KubeconfigChoice {
  return chooseContext(lists, context, path);
}

export function contextNames({ lists }: Kubeconfig): readonly string[] {
  return entriesOf(lists['contexts']).map((entry) => String(entry['name']));
}

type Lists = Readonly<Record<string, unknown>>;

function readOne(io: Io, path: string): Lists | undefined {
  const text = io.readFile(path);
  if (text === undefined) return undefined;
  const lists = toRecord(parseYaml(text, path) ?? {});
  if (lists === undefined) throw invalidKubeconfig(`${path}: this is no kubeconfig`);
  const folder = dirname(resolve(path));
  return {
    ...lists,
    clusters: entriesOf(lists['clusters']).map((entry) =>
      withPaths(entry, 'cluster', clusterFiles, folder),
    ),
    users: entriesOf(lists['users']).map((entry) =>
      withCommand(withPaths(entry, 'user', userFiles, folder), folder),
    ),
  };
}

const clusterFiles = ['certificate-authority'];
const userFiles = ['client-certificate', 'client-key', 'tokenFile'];

function withPaths(entry: Lists, member: string, fields: readonly string[], folder: string): Lists {
  const inner = toRecord(entry[member]);
  if (inner === undefined) return entry;
  const files = fields.flatMap((field) => {
    const path = inner[field];
    return typeof path === 'string' && path !== '' ? [[field, resolve(folder, path)] as const] : [];
  });
  return { ...entry, [member]: { ...inner, ...Object.fromEntries(files) } };
}

/** client-go: a command with a slash in it counts from the file's folder, others from PATH. */
function withCommand(entry: Lists, folder: string): Lists {
  const user = toRecord(entry['user']);
  const exec = toRecord(user?.['exec']);
  const command = exec?.['command'];
  if (typeof command !== 'string' || !command.includes('/')) return entry;
  return { ...entry, user: { ...user, exec: { ...exec, command: resolve(folder, command) } } };
}

function entriesOf(list: unknown): readonly Lists[] {
  const entries = Array.isArray(list) ? (list as readonly unknown[]) : [];
  return entries.map(toRecord).filter((entry) => entry !== undefined);
}

function merge(files: readonly Lists[]): Lists {
  const first = (list: string): readonly Lists[] => {
    const all = files.flatMap((lists) => entriesOf(lists[list]));
    return [...new Map(all.reverse().map((entry) => [entry['name'], entry])).values()].reverse();
  };
  const current = files.map((lists) => lists['current-context']).find((name) => Boolean(name));
  return {
    'current-context': current ?? '',
    clusters: first('clusters'),
    users: first('users'),
    contexts: first('contexts'),
  };
}
