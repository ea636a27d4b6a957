// A kubeconfig of one context that needs no file of this machine: what `kubectl config view
// --minify --flatten --raw` prints, and tokens out of files besides. Pure but for the reader.

import { stringify } from 'yaml';
import type {
  AuthProviderEntry,
  KubeconfigChoice,
  UserEntry,
} from '../../common/pure/kubeconfig-choice.ts';

export interface Portable {
  /** YAML. Holds secrets. */
  readonly kubeconfig: string;
  readonly warnings: readonly string[];
}

export function toPortableKubeconfig(
  choice: KubeconfigChoice,
  file: string,
  read: (path: string) => string,
): Portable {
  const warnings: string[] = [];
  const { cluster, user, userField } = choice;
  if (user.tokenFile !== undefined) {
    warnings.push(
      `${file}: ${userField}.tokenFile is read once, now: when that token ends, run this again`,
    );
  }
  const name = choice.contextName;
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': name,
    clusters: [{ name, cluster: inlined(cluster, ['certificate-authority'], read) }],
    users: [{ name, user: toUser(user, read) }],
    contexts: [{ name, context: { cluster: name, user: name } }],
  };
  return { kubeconfig: stringify(config), warnings };
}

function toUser(user: UserEntry, read: (path: string) => string): object {
  const {
    tokenFile,
    'auth-provider': provider,
    ...rest
  } = inlined(user, ['client-certificate', 'client-key'], read);
  return {
    ...rest,
    ...(tokenFile === undefined ? {} : { token: read(tokenFile).trim() }),
    ...(provider === undefined ? {} : { 'auth-provider': toProvider(provider, read) }),
  };
}

function toProvider(provider: AuthProviderEntry, read: (path: string) => string): object {
  return {
    ...provider,
    config: inlined(provider.config ?? {}, ['idp-certificate-authority'], read),
  };
}

/** Each `X` that names a file becomes `X-data` with what is in it, unless that is there. */
function inlined<T extends object>(
  entry: T,
  fields: readonly string[],
  read: (path: string) => string,
): T {
  const members = Object.entries(entry).flatMap(([key, value]: [string, unknown]) => {
    if (!fields.includes(key) || typeof value !== 'string' || value === '') return [[key, value]];
    if (Object.hasOwn(entry, `${key}-data`)) return [];
    return [[`${key}-data`, Buffer.from(read(value)).toString('base64')]];
  });
  return Object.fromEntries(members) as T; // the same fields, in their other form
}
