// Where the API server is and who we are there: from a kubeconfig file, or from the Pod that we
// run in. Certificates and tokens are read here; users that need a program (exec, auth-provider)
// go to kubeconfig-exec.ts, which is imported only then.

import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { parse } from 'yaml';
import { MeshError } from '../pure/errors.ts';
import type { KubeEndpoint } from './kube-http-exchange.ts';

export interface KubeconfigSource {
  /** Undefined: in-cluster. */
  readonly kubeconfigPath: string | undefined;
  readonly context: string | undefined;
}

const serviceAccountDir = '/var/run/secrets/kubernetes.io/serviceaccount';

/** Throws MeshError fatal KUBECONFIG_INVALID with the file and what is wrong in it. */
export async function loadKubeEndpoint(
  source: KubeconfigSource,
  env: Readonly<Record<string, string | undefined>>,
): Promise<KubeEndpoint> {
  if (source.kubeconfigPath === undefined) return loadInCluster(env);
  const text = await readFile(source.kubeconfigPath, 'utf8').catch((error: unknown) => {
    throw invalid(`cannot read ${String(source.kubeconfigPath)}`, error);
  });
  const parsed = parseKubeconfig(text, source.kubeconfigPath, source.context);
  if (!parsed.needsProgram) return parsed.endpoint;
  const { loadTokenSource } = await import('./kubeconfig-exec.ts');
  return {
    ...parsed.endpoint,
    ...(await loadTokenSource(source.kubeconfigPath, parsed.contextName)),
  };
}

interface Named<T> {
  readonly name: string;
  readonly value: T;
}

interface ClusterEntry {
  readonly server?: string;
  readonly 'certificate-authority'?: string;
  readonly 'certificate-authority-data'?: string;
  readonly 'insecure-skip-tls-verify'?: boolean;
  readonly 'tls-server-name'?: string;
}

interface UserEntry {
  readonly 'client-certificate'?: string;
  readonly 'client-certificate-data'?: string;
  readonly 'client-key'?: string;
  readonly 'client-key-data'?: string;
  readonly token?: string;
  readonly tokenFile?: string;
  readonly exec?: object;
  readonly 'auth-provider'?: object;
}

/** Exported for tests. Relative paths in the file count from the file's own folder. */
export function parseKubeconfig(
  text: string,
  path: string,
  context: string | undefined,
): {
  readonly endpoint: KubeEndpoint;
  readonly needsProgram: boolean;
  readonly contextName: string;
} {
  let config: Record<string, unknown> | null;
  try {
    config = parse(text) as Record<string, unknown> | null; // narrowed below
  } catch (error) {
    throw invalid(`${path} is not YAML`, error);
  }
  const contextName = context ?? String(config?.['current-context'] ?? '');
  const chosen = find<{ cluster?: string; user?: string }>(
    config,
    'contexts',
    'context',
    contextName,
    path,
  );
  const cluster = find<ClusterEntry>(config, 'clusters', 'cluster', chosen.cluster ?? '', path);
  const user = find<UserEntry>(config, 'users', 'user', chosen.user ?? '', path);
  if (cluster.server === undefined || !URL.canParse(cluster.server)) {
    throw invalid(`${path}: cluster "${chosen.cluster ?? ''}" has no valid server URL`);
  }
  const from = (data: string | undefined, file: string | undefined): string | undefined => {
    if (data !== undefined) return Buffer.from(data, 'base64').toString('utf8');
    return file === undefined ? undefined : readNear(path, file);
  };
  return {
    endpoint: {
      server: cluster.server,
      caPem: from(cluster['certificate-authority-data'], cluster['certificate-authority']),
      serverName: cluster['tls-server-name'],
      skipTlsVerify: cluster['insecure-skip-tls-verify'] === true,
      clientCertPem: from(user['client-certificate-data'], user['client-certificate']),
      clientKeyPem: from(user['client-key-data'], user['client-key']),
      token: toTokenSource(user, path),
    },
    needsProgram: user.exec !== undefined || user['auth-provider'] !== undefined,
    contextName,
  };
}

function toTokenSource(user: UserEntry, path: string): KubeEndpoint['token'] {
  const { token, tokenFile } = user;
  if (tokenFile !== undefined) return readTokenFile(resolve(dirname(path), tokenFile));
  return token === undefined ? undefined : () => Promise.resolve(token);
}

// Projected tokens are replaced every hour or so under our feet (KEP-1205): read each time.
function readTokenFile(file: string): () => Promise<string> {
  return async () => (await readFile(file, 'utf8')).trim();
}

function find<T extends object>(
  config: Record<string, unknown> | null,
  list: string,
  field: string,
  name: string,
  path: string,
): T {
  const entries = config?.[list];
  const named: readonly Named<T>[] = (Array.isArray(entries) ? entries : []).map(
    (entry: Record<string, unknown>) => ({ name: String(entry['name']), value: entry[field] as T }),
  ); // each field of T is optional and narrowed where it is used
  const found = named.find((entry) => entry.name === name)?.value;
  if (found === undefined || found === null) {
    const known = named.map((entry) => entry.name).join(', ');
    throw invalid(
      `${path}: no ${field} "${name}" in ${list}; there are: ${known === '' ? 'none' : known}`,
    );
  }
  return found;
}

function readNear(path: string, file: string): string {
  try {
    return readFileSync(resolve(dirname(path), file), 'utf8');
  } catch (error) {
    throw invalid(`${path}: cannot read ${file}`, error);
  }
}

async function loadInCluster(
  env: Readonly<Record<string, string | undefined>>,
): Promise<KubeEndpoint> {
  const host = env['KUBERNETES_SERVICE_HOST'];
  const port = env['KUBERNETES_SERVICE_PORT'] ?? '443';
  if (host === undefined) {
    throw invalid('no --kubeconfig given, and this is no Pod: KUBERNETES_SERVICE_HOST is not set');
  }
  const caPem = await readFile(`${serviceAccountDir}/ca.crt`, 'utf8').catch((error: unknown) => {
    throw invalid(`cannot read ${serviceAccountDir}/ca.crt`, error);
  });
  return {
    server: `https://${host.includes(':') ? `[${host}]` : host}:${port}`,
    caPem,
    clientCertPem: undefined,
    clientKeyPem: undefined,
    serverName: undefined,
    skipTlsVerify: false,
    token: readTokenFile(`${serviceAccountDir}/token`),
  };
}

function invalid(message: string, cause?: unknown): MeshError {
  return new MeshError('fatal', 'KUBECONFIG_INVALID', message, cause);
}
