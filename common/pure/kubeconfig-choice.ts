// Which cluster and which user a context of a kubeconfig stands for. Pure: parsed YAML in, entries
// and where they stand out. What the entries say is read by whoever uses them.

import { MeshError } from './errors.ts';

/** Every field is as the file has it and is narrowed where it is used. */
export interface ClusterEntry {
  readonly server?: string;
  readonly 'certificate-authority'?: string;
  readonly 'certificate-authority-data'?: string;
  readonly 'insecure-skip-tls-verify'?: boolean;
  readonly 'tls-server-name'?: string;
  readonly 'proxy-url'?: string;
  readonly extensions?: unknown;
}

/** A user that a program speaks for (client.authentication.k8s.io). */
export interface ExecEntry {
  readonly apiVersion?: string;
  readonly command?: string;
  readonly args?: readonly string[] | null;
  readonly env?: readonly { readonly name: string; readonly value: string }[] | null;
  readonly provideClusterInfo?: boolean;
  readonly interactiveMode?: string;
  readonly installHint?: string;
}

export interface AuthProviderEntry {
  readonly name?: string;
  readonly config?: Readonly<Record<string, string>> | null;
}

export interface UserEntry {
  readonly 'client-certificate'?: string;
  readonly 'client-certificate-data'?: string;
  readonly 'client-key'?: string;
  readonly 'client-key-data'?: string;
  readonly token?: string;
  readonly tokenFile?: string;
  readonly username?: string;
  readonly password?: string;
  readonly exec?: ExecEntry;
  readonly 'auth-provider'?: AuthProviderEntry;
}

export interface ContextEntry {
  readonly cluster?: string;
  readonly user?: string;
  readonly namespace?: string;
}

export interface KubeconfigChoice {
  readonly contextName: string;
  readonly context: ContextEntry;
  readonly cluster: ClusterEntry;
  readonly user: UserEntry;
  /** Such as `clusters[1].cluster`: for messages. */
  readonly clusterField: string;
  readonly userField: string;
}

/**
 * `path` names the file in messages. Throws MeshError fatal KUBECONFIG_INVALID, which names the
 * list and what there is in it.
 */
export function chooseContext(
  config: unknown,
  asked: string | undefined,
  path: string,
): KubeconfigChoice {
  const lists = toRecord(config);
  if (lists === undefined) throw invalidKubeconfig(`${path}: this is no kubeconfig`);
  const contextName = asked ?? String(lists['current-context'] ?? '');
  if (contextName === '') {
    const known = namesOf(lists['contexts']);
    throw invalidKubeconfig(
      `${path}: it has no current-context; name one with --context (there are: ${known})`,
    );
  }
  const context = find<ContextEntry>(lists, ['contexts', 'context'], contextName, path);
  const cluster = find<ClusterEntry>(
    lists,
    ['clusters', 'cluster'],
    context.entry.cluster ?? '',
    path,
  );
  const user = find<UserEntry>(lists, ['users', 'user'], context.entry.user ?? '', path);
  return {
    contextName,
    context: context.entry,
    cluster: cluster.entry,
    user: user.entry,
    clusterField: cluster.field,
    userField: user.field,
  };
}

export function invalidKubeconfig(message: string, cause?: unknown): MeshError {
  return new MeshError('fatal', 'KUBECONFIG_INVALID', message, cause);
}

type Lists = Readonly<Record<string, unknown>>;

export function toRecord(value: unknown): Lists | undefined {
  const isRecord = typeof value === 'object' && value !== null && !Array.isArray(value);
  return isRecord ? (value as Lists) : undefined; // an object that is no list
}

function entriesOf(list: unknown): readonly Lists[] {
  return (Array.isArray(list) ? list : []).map((entry: unknown) => toRecord(entry) ?? {});
}

function namesOf(list: unknown): string {
  const names = entriesOf(list).map((entry) => String(entry['name']));
  return names.length === 0 ? 'none' : names.join(', ');
}

function find<T extends object>(
  lists: Lists,
  [list, member]: readonly [string, string],
  name: string,
  path: string,
): { readonly entry: T; readonly field: string } {
  const entries = entriesOf(lists[list]);
  const index = entries.findIndex((entry) => entry['name'] === name);
  const value = toRecord(entries[index]?.[member]);
  if (value === undefined) {
    throw invalidKubeconfig(
      `${path}: no ${member} "${name}" in ${list}; there are: ${namesOf(lists[list])}`,
    );
  }
  // Each field of T is optional and narrowed where it is used.
  return { entry: value as T, field: `${list}[${index}].${member}` };
}
