// What of a kubeconfig a hosted agent is given: the chosen context's cluster and user, field by
// field, each checked. Pure: text in, a kubeconfig that needs nothing but itself out, or faults.
//
//   H1. Nothing of this host is read or run because a kubeconfig says so, but for exec commands
//       that the coordinator's operator has named. Files, other auth providers and the environment
//       of an exec command are ways around that, and are refused by name.
//   H2. No fault repeats a value that may be a secret.

import { createPrivateKey, X509Certificate } from 'node:crypto';
import { parse } from 'yaml';
import { MeshError } from '../../../../common/pure/errors.ts';
import {
  chooseContext,
  type AuthProviderEntry,
  type ClusterEntry,
  type ExecEntry,
  type KubeconfigChoice,
  type UserEntry,
} from '../../../../common/pure/kubeconfig-choice.ts';

export interface Fault {
  /** Within the kubeconfig, such as `users[0].user.exec.command`; empty: of the whole. */
  readonly at: string;
  readonly text: string;
}

export type HostedKubeconfig =
  | {
      readonly kind: 'good';
      /** JSON, with this one context. Holds secrets. */
      readonly text: string;
      readonly warnings: readonly string[];
    }
  | { readonly kind: 'bad'; readonly faults: readonly Fault[] };

export interface HostedRules {
  /** Commands that exec users may run here, exactly as a kubeconfig names them. */
  readonly execCommands: readonly string[];
}

// Aliases can make little text very large.
const aliasesMax = 10;

export function readHostedKubeconfig(text: string, rules: HostedRules): HostedKubeconfig {
  const choice = choose(text);
  if ('text' in choice) return { kind: 'bad', faults: [choice] };
  const { cluster, user, clusterField, userField, contextName } = choice;
  const faults = [
    ...checkCluster(cluster, clusterField),
    ...checkUser(user, userField),
    ...(user.exec === undefined ? [] : checkExec(user.exec, `${userField}.exec`, rules)),
    ...checkProvider(user['auth-provider'], `${userField}.auth-provider`),
  ];
  if (faults.length > 0) return { kind: 'bad', faults };
  const name = contextName;
  const warnings =
    cluster['insecure-skip-tls-verify'] === true
      ? [
          `${clusterField}.insecure-skip-tls-verify: whoever is between the coordinator and the cluster can take its place; give certificate-authority-data instead`,
        ]
      : [];
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': name,
    clusters: [{ name, cluster: pick(cluster, clusterFields) }],
    users: [{ name, user: toUser(user) }],
    contexts: [{ name, context: { cluster: name, user: name } }],
  };
  return { kind: 'good', text: JSON.stringify(config), warnings };
}

function choose(text: string): KubeconfigChoice | Fault {
  let config: unknown;
  try {
    config = parse(text, { maxAliasCount: aliasesMax }) as unknown;
  } catch (error) {
    const line = (error as { linePos?: [{ line: number }] }).linePos?.[0].line; // YAMLError
    return { at: '', text: `this is not YAML${line === undefined ? '' : ` (line ${line})`}` };
  }
  try {
    return chooseContext(config, undefined, 'the kubeconfig');
  } catch (error) {
    if (error instanceof MeshError) return { at: '', text: error.message };
    throw error;
  }
}

const clusterFields = [
  'server',
  'certificate-authority-data',
  'insecure-skip-tls-verify',
  'tls-server-name',
  'extensions',
] as const;
const userFields = ['client-certificate-data', 'client-key-data', 'token'] as const;
const execFields = [
  'apiVersion',
  'command',
  'args',
  'env',
  'provideClusterInfo',
  'installHint',
] as const;
const oidcFields = [
  'client-id',
  'client-secret',
  'id-token',
  'idp-certificate-authority-data',
  'idp-issuer-url',
  'refresh-token',
];

function pick<T extends object>(entry: T, fields: readonly (keyof T)[]): object {
  const present = fields.filter((field) => entry[field] !== undefined);
  return Object.fromEntries(present.map((field) => [field, entry[field]]));
}

function toUser(user: UserEntry): object {
  const { exec, 'auth-provider': provider } = user;
  const config = Object.entries(provider?.config ?? {}).filter(([key]) => oidcFields.includes(key));
  return {
    ...pick(user, userFields),
    ...(exec === undefined
      ? {}
      : { exec: { ...pick(exec, execFields), interactiveMode: 'Never' } }),
    ...(provider === undefined
      ? {}
      : { 'auth-provider': { name: 'oidc', config: Object.fromEntries(config) } }),
  };
}

function checkCluster(cluster: ClusterEntry, at: string): readonly Fault[] {
  const faults: Fault[] = [...noFiles(cluster, ['certificate-authority'], at)];
  const { server, 'certificate-authority-data': data } = cluster;
  if (typeof server !== 'string' || !URL.canParse(server) || !server.startsWith('https://')) {
    faults.push({ at: `${at}.server`, text: 'must be a URL that begins with https://' });
  }
  if (cluster['proxy-url'] !== undefined) {
    faults.push({ at: `${at}.proxy-url`, text: 'proxies are not supported for hosted agents' });
  }
  if (data !== undefined && readCertificate(data) === undefined) {
    faults.push({ at: `${at}.certificate-authority-data`, text: notPem('a certificate') });
  }
  return faults;
}

const fileFields = ['client-certificate', 'client-key', 'tokenFile'] as const;
const otherIdentities = ['as', 'as-uid', 'as-groups', 'as-user-extra'];

function checkUser(user: UserEntry, at: string): readonly Fault[] {
  const faults: Fault[] = [...noFiles(user, fileFields, at)];
  if (user.username !== undefined || user.password !== undefined) {
    const text = 'passwords are not taken by Kubernetes since 1.19; use a token or a certificate';
    faults.push({ at: `${at}.username`, text });
  }
  for (const field of otherIdentities.filter((each) => Object.hasOwn(user, each))) {
    faults.push({ at: `${at}.${field}`, text: 'a hosted agent acts in no other name' });
  }
  const { 'client-certificate-data': certificate, 'client-key-data': key } = user;
  if ((certificate === undefined) !== (key === undefined)) {
    const text = 'a certificate and its key go together';
    faults.push({ at: `${at}.client-${key === undefined ? 'key' : 'certificate'}-data`, text });
  } else if (certificate !== undefined) faults.push(...checkPair(certificate, key, at));
  const credentials = [certificate, user.token, user.exec, user['auth-provider']];
  if (faults.length === 0 && credentials.every((each) => each === undefined)) {
    const text = 'it has no token, certificate, exec command or auth-provider';
    faults.push({ at, text });
  }
  return faults;
}

function noFiles<T extends object>(
  entry: T,
  fields: readonly (keyof T & string)[],
  at: string,
): readonly Fault[] {
  return fields
    .filter((field) => entry[field] !== undefined)
    .map((field) => ({
      at: `${at}.${field}`,
      text:
        'names a file, which the coordinator does not read; put its content into the kubeconfig ' +
        "('kubectl isthmus join --kubeconfig' and 'kubectl config view --flatten' do)",
    }));
}

function checkPair(certificate: unknown, key: unknown, at: string): readonly Fault[] {
  const read = readCertificate(certificate);
  if (read === undefined) {
    return [{ at: `${at}.client-certificate-data`, text: notPem('a certificate') }];
  }
  try {
    if (read.checkPrivateKey(createPrivateKey(decode(key)))) return [];
  } catch {
    return [{ at: `${at}.client-key-data`, text: notPem('a private key') }];
  }
  return [{ at: `${at}.client-key-data`, text: "is not the certificate's key" }];
}

function readCertificate(data: unknown): X509Certificate | undefined {
  try {
    return new X509Certificate(decode(data));
  } catch {
    return undefined;
  }
}

function decode(data: unknown): Buffer {
  return Buffer.from(typeof data === 'string' ? data : '', 'base64');
}

function notPem(what: string): string {
  return `does not hold ${what} (PEM in base64)`;
}

// Those that choose an account, a region or a project, or are a credential: none of them makes a
// program run another, or read a file of its choice.
const envNames = new Set([
  'AAD_LOGIN_METHOD',
  'AAD_SERVICE_PRINCIPAL_CLIENT_ID',
  'AAD_SERVICE_PRINCIPAL_CLIENT_SECRET',
  'AWS_ACCESS_KEY_ID',
  'AWS_DEFAULT_REGION',
  'AWS_PROFILE',
  'AWS_REGION',
  'AWS_ROLE_ARN',
  'AWS_ROLE_SESSION_NAME',
  'AWS_SECRET_ACCESS_KEY',
  'AWS_SESSION_TOKEN',
  'AWS_STS_REGIONAL_ENDPOINTS',
  'AZURE_CLIENT_ID',
  'AZURE_CLIENT_SECRET',
  'AZURE_TENANT_ID',
  'CLOUDSDK_CORE_ACCOUNT',
  'CLOUDSDK_CORE_PROJECT',
  'USE_GKE_GCLOUD_AUTH_PLUGIN',
]);
const openStackName = /^OS_[A-Z_]{1,40}$/;
const execVersions = ['client.authentication.k8s.io/v1', 'client.authentication.k8s.io/v1beta1'];

function checkExec(exec: ExecEntry, at: string, { execCommands }: HostedRules): readonly Fault[] {
  const faults: Fault[] = [];
  const { command, apiVersion = '' } = exec;
  if (typeof command !== 'string' || !execCommands.includes(command)) {
    const shown = JSON.stringify(String(command ?? '').slice(0, 200));
    const allowed = execCommands.length === 0 ? 'none is' : `${execCommands.join(', ')} are`;
    faults.push({
      at: `${at}.command`,
      text:
        `${shown} may not be run by the coordinator (${allowed} allowed): its operator can allow ` +
        'it with --hosted-exec-commands; or use a token or certificate of a service account',
    });
  }
  if (!execVersions.includes(apiVersion)) {
    faults.push({ at: `${at}.apiVersion`, text: `must be one of ${execVersions.join(', ')}` });
  }
  if (exec.interactiveMode === 'Always') {
    faults.push({
      at: `${at}.interactiveMode`,
      text: 'nobody sits at the coordinator to be asked',
    });
  }
  const args: unknown = exec.args ?? [];
  if (!Array.isArray(args) || args.some((each) => typeof each !== 'string')) {
    faults.push({ at: `${at}.args`, text: 'must be a list of texts' });
  }
  return [...faults, ...checkEnv(exec.env, `${at}.env`)];
}

function checkEnv(env: unknown, at: string): readonly Fault[] {
  const all = Array.isArray(env) ? (env as readonly unknown[]) : [];
  if (env !== undefined && env !== null && !Array.isArray(env)) {
    return [{ at, text: 'must be a list of names and values' }];
  }
  return all.flatMap((each, index): readonly Fault[] => {
    const { name, value } = (each ?? {}) as { name?: unknown; value?: unknown }; // checked here
    if (typeof name !== 'string' || typeof value !== 'string') {
      return [{ at: `${at}[${index}]`, text: 'must have a name and a value' }];
    }
    if (envNames.has(name) || openStackName.test(name)) return [];
    const shown = JSON.stringify(name.slice(0, 100));
    const text = `${shown} may make the command do something else; set it for the coordinator itself`;
    return [{ at: `${at}[${index}].name`, text }];
  });
}

function checkProvider(provider: AuthProviderEntry | undefined, at: string): readonly Fault[] {
  if (provider === undefined) return [];
  if (provider.name !== 'oidc') {
    const text = 'only oidc is supported; use a token, a certificate or an exec command';
    return [{ at: `${at}.name`, text }];
  }
  const config: Readonly<Record<string, unknown>> = provider.config ?? {};
  const isText = (field: string): boolean =>
    typeof config[field] === 'string' && config[field] !== '';
  const missing = ['idp-issuer-url', 'client-id', 'refresh-token'].filter(
    (field) => !isText(field),
  );
  const faults = missing.map((field) => ({
    at: `${at}.config.${field}`,
    text: 'is needed: without it the ID token cannot be renewed',
  }));
  if (isText('idp-issuer-url') && !String(config['idp-issuer-url']).startsWith('https://')) {
    faults.push({ at: `${at}.config.idp-issuer-url`, text: 'must begin with https://' });
  }
  if (config['idp-certificate-authority'] === undefined) return faults;
  const text = 'names a file; use idp-certificate-authority-data';
  return [...faults, { at: `${at}.config.idp-certificate-authority`, text }];
}
