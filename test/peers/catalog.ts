// The real peers of the tests: which programs, from which pinned Go module, and the folder that
// holds them once built. Versions stand in each family's go.mod, checksums in its go.sum.
//
// Input: the go.mod and go.sum files beside the TypeScript source. Next file to read: build.ts.

import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

export interface Peer {
  /** Also the file's name in the folder, but for programs of our own: see peerFile. */
  readonly name: string;
  /** The folder of go.mod below test/peers. One a family, because their dependencies disagree. */
  readonly family: string;
  /** The main package to build. */
  readonly main: string;
  /** The module whose version the program tells. */
  readonly module: string;
  /** Variables that the linker sets, with VERSION for the module's version. */
  readonly variables?: Readonly<Record<string, string>>;
  /** The program is the package's tests, compiled. */
  readonly isTest?: boolean;
}

/** Relative to the repository's root, where tests and npm scripts run. */
export const peersFolder = 'test/peers';

// A Kubernetes program that was built without them says v0.0.0-master, and clients believe it.
function kubernetesVersion(minor: string): Readonly<Record<string, string>> {
  const at = 'k8s.io/component-base/version';
  return {
    [`${at}.gitVersion`]: 'VERSION',
    [`${at}.gitMajor`]: '1',
    [`${at}.gitMinor`]: minor,
    [`${at}.gitTreeState`]: 'clean',
    [`${at}.gitCommit`]: 'from-module',
    [`${at}.buildDate`]: '1970-01-01T00:00:00Z',
  };
}

function kubernetes(program: string, minor: string, family: string, name = program): Peer {
  const module = 'k8s.io/kubernetes';
  const main = `${module}/cmd/${program}`;
  return { name, family, main, module, variables: kubernetesVersion(minor) };
}

/** In the order in which they are built: what most tests wait for comes first. */
export const peers: readonly Peer[] = [
  goProgram('etcd', 'etcd', 'go.etcd.io/etcd/server/v3'),
  kubernetes('kube-apiserver', '34', 'kubernetes'),
  kubernetes('kubectl', '34', 'kubernetes'),
  kubernetes('kube-controller-manager', '34', 'kubernetes'),
  { ...goProgram('isthmus-client-go', 'client-go', '.'), module: 'k8s.io/client-go' },
  {
    ...goProgram('helm', 'helm-3', 'helm.sh/helm/v3', '/cmd/helm'),
    variables: { 'helm.sh/helm/v3/internal/version.version': 'VERSION' },
  },
  goProgram('nats-server', 'nats-server', 'github.com/nats-io/nats-server/v2'),
  goProgram('coredns', 'coredns', 'github.com/coredns/coredns'),
  kubernetes('kubectl', '35', 'kubectl-1.35', 'kubectl.1.35'),
  kubernetes('kubectl', '36', 'kubectl-1.36', 'kubectl.1.36'),
  {
    ...goProgram('helm.4', 'helm-4', 'helm.sh/helm/v4', '/cmd/helm'),
    variables: { 'helm.sh/helm/v4/internal/version.version': 'VERSION' },
  },
];

/**
 * Built only when asked for by name: minutes of work for what a few people want. Not part of the
 * cache's name, so that a change here leaves the others where they are.
 */
export const peersOnAsk: readonly Peer[] = [
  // Members of a newer version; see newer-kubernetes.ts.
  kubernetes('kube-apiserver', '36', 'kubernetes-1.36', 'kube-apiserver.1.36'),
  kubernetes('kube-controller-manager', '36', 'kubernetes-1.36', 'kube-controller-manager.1.36'),
  {
    ...kubernetes('e2e.test', '34', 'kubernetes-e2e'),
    main: 'k8s.io/kubernetes/test/e2e',
    isTest: true,
  },
];

function goProgram(name: string, family: string, module: string, path = ''): Peer {
  return { name, family, main: `${module}${path}`, module };
}

/** The folder of the built programs, named by all that goes into them but our own sources. */
export function peersCacheFolder(env: NodeJS.ProcessEnv): string {
  const cache = env['XDG_CACHE_HOME'] || join(homedir(), '.cache');
  const digest = createHash('sha256').update(JSON.stringify(peers));
  const foreign = peers.filter((peer) => !isOurs(peer)).map(({ family }) => family);
  for (const family of [...new Set(foreign)].sort())
    for (const file of ['go.mod', 'go.sum'])
      digest.update(`${family}/${file}\n`).update(readFileSync(join(peersFolder, family, file)));
  return join(cache, 'isthmus-peers', digest.digest('hex').slice(0, 16));
}

/** Whether its sources are ours, beside its go.mod. */
export function isOurs({ main }: Peer): boolean {
  return main === '.';
}

/** A program of our own carries the digest of its sources, so that a change names a new file. */
export function peerFile(peer: Peer): string {
  if (!isOurs(peer)) return peer.name;
  const digest = createHash('sha256');
  const folder = join(peersFolder, peer.family);
  for (const file of readdirSync(folder).sort())
    if (/^go\.(mod|sum)$|\.go$/.test(file))
      digest.update(`${file}\n`).update(readFileSync(join(folder, file)));
  return `${peer.name}-${digest.digest('hex').slice(0, 12)}`;
}

/** The version of the peer's module that its family's go.mod requires, such as `v1.34.4`. */
export function peerVersion({ family, module }: Peer): string {
  const text = readFileSync(join(peersFolder, family, 'go.mod'), 'utf8');
  const line = text
    .split('\n')
    .map((each) =>
      each
        .trim()
        .replace(/^require /, '')
        .split(/\s+/),
    )
    .find(([path, version]) => path === module && version?.startsWith('v') === true);
  const version = line?.[1];
  if (version === undefined) throw new Error(`${family}/go.mod requires no ${module}`);
  return version;
}
