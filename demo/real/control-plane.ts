// A real kube-apiserver over a real etcd with a real kube-controller-manager, in one folder that
// outlives it: started again on that folder it is the same cluster.

import { createPublicKey } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Chance } from '../../common/runtime/chance.ts';
import { sleep, type Clock } from '../../common/runtime/clock.ts';
import type { KubeEndpoint } from '../../common/runtime/kube-http-exchange.ts';
import { createExchange } from '../../common/runtime/kube-http-exchange.ts';
import { loadKubeEndpoint } from '../../common/runtime/kubeconfig.ts';
import { openCredentials, type Credentials } from '../cluster/credentials.ts';
import { takePorts } from '../ports.ts';
import { apiserverFlags, controllerFlags, etcdFlags } from './flags.ts';
import { startServer, type Server } from './server.ts';

export interface ControlPlane {
  /** Of the cluster's administrator, by client certificate. */
  readonly kubeconfig: string;
  readonly endpoint: KubeEndpoint;
  readonly url: string;
  /** Resolves with the name and the end of the first server that ends by itself. */
  readonly failed: Promise<string>;
  stop(): Promise<void>;
}

export interface ControlPlaneOptions {
  readonly name: string;
  /** Holds the programs; see assets.ts. */
  readonly assets: string;
  readonly folder: string;
  readonly apiPort: number;
  readonly serviceRange: string;
  readonly clock: Clock;
  readonly chance: Chance;
}

// 2 to 4 seconds by itself; the demo starts four on what may be two cores.
const readyMs = 110_000;
const pollMs = 200;
const deadlineMs = 2_000;
const controllers = [
  'namespace-controller',
  'garbage-collector-controller',
  'endpoints-controller',
  'endpointslice-controller',
  'replicaset-controller',
  'deployment-controller',
];

/** Resolves when it answers and has what every cluster has. */
export async function startControlPlane(options: ControlPlaneOptions): Promise<ControlPlane> {
  const { name, folder, apiPort, clock } = options;
  const credentials = await openCredentials({ folder, cluster: name, clock });
  writeKeys(folder, credentials);
  const url = `https://127.0.0.1:${apiPort}`;
  const kubeconfig = await credentials.writeKubeconfig(url);
  const endpoint = await loadKubeEndpoint({ kubeconfigPath: kubeconfig, context: undefined }, {});
  const ports = { api: apiPort, ...(await takeEtcdPorts(options.chance)) };
  const start = (program: string, flags: readonly string[]): Server =>
    startServer({
      name: program,
      path: join(options.assets, program),
      flags,
      logPath: join(folder, `${program}.log`),
      clock,
    });
  const servers = [
    // Killed processes lose nothing without it; only a power cut would.
    start('etcd', [...etcdFlags(folder, ports), '--unsafe-no-fsync']),
    start('kube-apiserver', apiserverFlags(folder, ports, options.serviceRange)),
  ];
  let isStopping = false;
  const stop = async (): Promise<void> => {
    isStopping = true;
    // Those that depend on another first.
    for (const server of [...servers].reverse()) await server.stop();
  };
  try {
    await untilReady(endpoint, servers, clock);
  } catch (error) {
    await stop();
    throw error;
  }
  servers.push(start('kube-controller-manager', controllerFlags(folder, kubeconfig, controllers)));
  const failed = new Promise<string>((resolve) => {
    void firstEnd(servers).then((how) => (isStopping ? undefined : resolve(how)));
  });
  return { kubeconfig, endpoint, url, failed, stop };
}

/** The server's certificate is new each time; what signs tokens and names the cluster stays. */
function writeKeys(folder: string, { ca, server }: Credentials): void {
  const write = (name: string, text: string): void =>
    writeFileSync(join(folder, name), text, { mode: 0o600 });
  mkdirSync(join(folder, 'etcd'), { recursive: true, mode: 0o700 });
  write('ca.crt', ca.certPem);
  write('server.crt', server.certPem);
  write('server.key', server.keyPem);
  if (!existsSync(join(folder, 'accounts.key'))) write('accounts.key', server.keyPem);
  const accounts = createPublicKey(readFileSync(join(folder, 'accounts.key')));
  write('accounts.pub', String(accounts.export({ format: 'pem', type: 'spki' })));
}

async function takeEtcdPorts(
  chance: Chance,
): Promise<{ readonly etcd: number; readonly etcdPeer: number }> {
  const wishes = ['etcd', 'etcdPeer'].map((name) => ({
    name,
    what: name,
    port: 0,
    isUdpToo: false,
  }));
  const taken = await takePorts(wishes, { isAnyPort: true, chance, earlier: {} });
  return { etcd: taken.get('etcd') ?? 0, etcdPeer: taken.get('etcdPeer') ?? 0 };
}

function firstEnd(servers: readonly Server[]): Promise<string> {
  return Promise.race(
    servers.map(async ({ name, ended }) => `${name} ended: ${await ended}; see its log`),
  );
}

async function untilReady(
  endpoint: KubeEndpoint,
  servers: readonly Server[],
  clock: Clock,
): Promise<void> {
  const exchange = createExchange(endpoint, clock);
  const end: { how?: string } = {};
  void firstEnd(servers).then((how) => (end.how = how));
  const until = clock.monotonicMs() + readyMs;
  const paths = ['/readyz', '/api/v1/namespaces/default/services/kubernetes'];
  try {
    for (;;) {
      const why = await firstRefusal(paths, (path) =>
        exchange.send({ method: 'GET', path, deadlineMs }),
      );
      if (why === undefined) return;
      if (end.how !== undefined) throw new Error(end.how);
      if (clock.monotonicMs() > until)
        throw new Error(`kube-apiserver is not ready after ${readyMs / 1000} s: ${why}`);
      await sleep(clock, pollMs);
    }
  } finally {
    exchange.close();
  }
}

async function firstRefusal(
  paths: readonly string[],
  ask: (path: string) => Promise<string>,
): Promise<string | undefined> {
  for (const path of paths) {
    try {
      await ask(path);
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }
  return undefined;
}
