// Where the API server is and who we are there: from a kubeconfig file, or from the Pod that we
// run in. Users that a program or a provider speaks for are run in exec-credential.ts and
// oidc-credential.ts.

import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import {
  chooseContext,
  invalidKubeconfig as invalid,
  type ClusterEntry,
  type KubeconfigChoice,
  type UserEntry,
} from '../pure/kubeconfig-choice.ts';
import { systemClock } from './clock.ts';
import { createExecSource } from './exec-credential.ts';
import type { KubeEndpoint } from './kube-http-exchange.ts';
import { loadYaml } from './lazy-yaml.ts';
import { createOidcSource, type OidcTokens } from './oidc-credential.ts';

export interface KubeconfigSource {
  /** Undefined: in-cluster. */
  readonly kubeconfigPath: string | undefined;
  readonly context: string | undefined;
}

export interface EndpointOptions {
  /** Of the programs that speak for users. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** A person sits at the terminal. Default: nobody does. */
  readonly isInteractive?: boolean;
  /** Keeps what an OIDC provider gave instead of the former refresh token. */
  readonly onRefresh?: (tokens: OidcTokens) => Promise<void>;
}

const serviceAccountDir = '/var/run/secrets/kubernetes.io/serviceaccount';

/** Throws MeshError fatal KUBECONFIG_INVALID with the file and what is wrong in it. */
export async function loadKubeEndpoint(
  source: KubeconfigSource,
  env: Readonly<Record<string, string | undefined>>,
): Promise<KubeEndpoint> {
  const { kubeconfigPath: path, context } = source;
  if (path === undefined) return loadInCluster(env);
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    throw invalid(`cannot read ${path}`, error);
  });
  const choice = chooseContext(parseYaml(text, path), context, path);
  const user = choice.context.user ?? '';
  return toEndpoint(choice, path, {
    env,
    // A mounted Secret cannot be written: the agent goes on, with what it holds in memory.
    onRefresh: async (tokens) => {
      const { keepTokens } = await import('./kubeconfig-tokens.ts'); // it needs the YAML library
      await keepTokens({ path, user }, tokens).catch(() => undefined);
    },
  });
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
  const choice = chooseContext(parseYaml(text, path), context, path);
  const { user, contextName } = choice;
  return {
    endpoint: toEndpoint(choice, path, { env: {} }),
    needsProgram: user.exec !== undefined || user['auth-provider'] !== undefined,
    contextName,
  };
}

/** The parser's own message quotes lines of the file, which may hold secrets: it is not repeated. */
export function parseYaml(text: string, path: string): unknown {
  try {
    // Every JSON is YAML, and many tools write kubeconfigs as JSON.
    if (text.startsWith('{')) return JSON.parse(text) as unknown;
  } catch {
    // YAML's braces then, which say better what is wrong.
  }
  try {
    return loadYaml().parse(text) as unknown;
  } catch (error) {
    const { linePos, code } = error as { linePos?: [{ line: number }]; code?: string }; // YAMLError
    const line = linePos?.[0].line;
    const where = line === undefined ? '' : ` (line ${line}: ${code ?? 'unreadable'})`;
    throw invalid(`${path} is not YAML${where}`);
  }
}

/** What a chosen context leads to. Reads files that it names; runs no program yet. */
export function toEndpoint(
  choice: KubeconfigChoice,
  path: string,
  options: EndpointOptions,
): KubeEndpoint {
  const { cluster, user } = choice;
  if (cluster.server === undefined || !URL.canParse(cluster.server)) {
    const name = choice.context.cluster ?? '';
    throw invalid(
      `${path}: ${choice.clusterField}.server: cluster "${name}" has no valid server URL`,
    );
  }
  const from = (data: string | undefined, file: string | undefined): string | undefined => {
    if (data !== undefined) return Buffer.from(data, 'base64').toString('utf8');
    return file === undefined ? undefined : readNear(path, file);
  };
  const plain = {
    server: cluster.server,
    caPem: from(cluster['certificate-authority-data'], cluster['certificate-authority']),
    serverName: cluster['tls-server-name'],
    skipTlsVerify: cluster['insecure-skip-tls-verify'] === true,
  };
  return {
    ...plain,
    clientCertPem: from(user['client-certificate-data'], user['client-certificate']),
    clientKeyPem: from(user['client-key-data'], user['client-key']),
    token: toTokenSource(user, path),
    identity: toIdentity({ choice, path, plain }, options),
  };
}

function toIdentity(
  of: {
    readonly choice: KubeconfigChoice;
    readonly path: string;
    readonly plain: Pick<KubeEndpoint, 'server' | 'caPem' | 'serverName' | 'skipTlsVerify'>;
  },
  { env, isInteractive = false, onRefresh }: EndpointOptions,
): KubeEndpoint['identity'] {
  const { user, cluster, userField } = of.choice;
  if (user.exec !== undefined) {
    const told = { ...of.plain, config: execConfigOf(cluster) };
    return createExecSource({
      entry: user.exec,
      cluster: told,
      env,
      isInteractive,
      clock: systemClock,
    });
  }
  const provider = user['auth-provider'];
  if (provider === undefined) return undefined;
  if (provider.name !== 'oidc') {
    throw invalid(
      `${of.path}: ${userField}.auth-provider: "${provider.name ?? ''}" is not supported since ` +
        'kubectl 1.26; use an exec command of your cloud instead',
    );
  }
  const config = provider.config ?? {};
  const data = config['idp-certificate-authority-data'];
  const file = config['idp-certificate-authority'];
  const fromFile = file === undefined ? undefined : readNear(of.path, file);
  const caPem = data === undefined ? fromFile : Buffer.from(data, 'base64').toString('utf8');
  return createOidcSource({ config, caPem, onRefresh, clock: systemClock });
}

/** client.authentication.k8s.io: what the kubeconfig wants its program to be told. */
function execConfigOf({ extensions }: ClusterEntry): unknown {
  const all = Array.isArray(extensions) ? (extensions as readonly unknown[]) : [];
  const named = all as readonly ({ name?: unknown; extension?: unknown } | null)[]; // narrowed
  return named.find((each) => each?.name === 'client.authentication.k8s.io/exec')?.extension;
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
