// One simulated member cluster as a process: the Kubernetes API over HTTPS with our own API
// machinery, its state in an LMDB folder, small controllers, and real load balancers. It knows
// nothing of the federation; to the agent it is a cluster like any other.
//
// Next file to read: controllers.ts.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createLifecycle, endOnSignals, type Lifecycle } from '../../common/runtime/lifecycle.ts';
import { systemChance } from '../../common/runtime/chance.ts';
import { systemClock } from '../../common/runtime/clock.ts';
import { createLog, describeError, type Log, type LogLevel } from '../../common/runtime/log.ts';
import { silentMetrics } from '../../common/runtime/metrics.ts';
import { readSettings, type SettingValues } from '../../common/runtime/settings.ts';
import { listenHttps, type HttpsListener } from '../../coordinator/api/https/https.ts';
import { memberKinds } from '../../coordinator/api/kinds/member/member.ts';
import { createAuthenticator } from '../../coordinator/api/machinery/access/authenticate.ts';
import { authorizeMasters } from '../../coordinator/api/machinery/access/authorizer.ts';
import { createApi } from '../../coordinator/api/machinery/server.ts';
import { createDesired } from '../../coordinator/desired/desired-log.ts';
import { openLmdbStore } from '../../coordinator/desired/lmdb-store.ts';
import type { Desired } from '../../coordinator/desired/store.ts';
import { createAllocator } from './allocator.ts';
import { startControllers } from './controllers.ts';
import { openCredentials, type Credentials } from './credentials.ts';
import { createLoadBalancers } from './load-balancers.ts';
import { clusterProgram } from './settings.ts';

const clock = systemClock;
const chance = systemChance;
const metrics = silentMetrics;

async function run(values: SettingValues, log: Log, lifecycle: Lifecycle): Promise<void> {
  const name = values.text('name') ?? '';
  const dataDir = values.text('data-dir') ?? '';
  const octet = values.number('octet') ?? 1;
  const credentials = await openCredentials({ folder: dataDir, cluster: name, clock });
  const store = await openLmdbStore({ path: join(dataDir, 'log'), chance, log });
  const desired = await createDesired({ store, clock, log, metrics });
  lifecycle.onClose({ name: 'desired', close: () => desired.close() });
  const loadBalancers = createLoadBalancers({ cluster: name, log });
  lifecycle.onClose({ name: 'load balancers', close: () => loadBalancers.close() });
  const controllers = await startControllers({
    desired,
    place: {
      name,
      octet,
      zone: values.text('node-zone'),
      region: values.text('node-region'),
      provider: values.text('provider') ?? '',
    },
    ranges: {
      octet,
      loadBalancers: values.text('load-balancers') ?? '',
      hasPrivateAddresses: values.isOn('private-addresses'),
    },
    loadBalancers,
    clock,
    chance,
    log,
  });
  lifecycle.onClose({ name: 'controllers', close: () => controllers.stop() });
  const listener = await serveApi({ values, desired, credentials, octet, log, lifecycle });
  const kubeconfig = await credentials.writeKubeconfig(listener.url);
  process.stdout.write(`${JSON.stringify({ ready: true, api: listener.url, kubeconfig })}\n`);
}

async function serveApi(options: {
  readonly values: SettingValues;
  readonly desired: Desired;
  readonly credentials: Credentials;
  readonly octet: number;
  readonly log: Log;
  readonly lifecycle: Lifecycle;
}): Promise<HttpsListener> {
  const { values, desired, credentials, octet, log, lifecycle } = options;
  const api = createApi({
    kinds: memberKinds({ allocate: createAllocator({ desired, octet }) }),
    desired,
    projections: new Map(),
    authorize: authorizeMasters,
    version: { gitVersion: 'v1.33.0' },
    clock,
    chance,
    log,
    metrics,
  });
  lifecycle.onClose({ name: 'api', close: () => api.close() });
  const { host = '127.0.0.1', port = 0 } = values.address('api-listen') ?? {};
  const listener = await listenHttps({
    api,
    host,
    port,
    tls: {
      certPem: credentials.server.certPem,
      keyPem: credentials.server.keyPem,
      clientCaPem: credentials.ca.certPem,
    },
    authenticate: createAuthenticator([]),
    clock,
    log,
    metrics,
  });
  lifecycle.onClose({ name: 'https', close: () => listener.close() });
  return listener;
}

function readVersion(): string {
  const text = readFileSync(new URL('../../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { readonly version: string }).version; // our own file
}

async function main(): Promise<void> {
  const outcome = readSettings(clusterProgram(readVersion()), {
    argv: process.argv.slice(2),
    env: {},
  });
  if (outcome.kind !== 'run') {
    const isHelp = outcome.kind === 'print';
    (isHelp ? process.stdout : process.stderr).write(
      isHelp ? outcome.text : `${outcome.message}\n`,
    );
    process.exit(isHelp ? 0 : 2);
  }
  const level = (outcome.values.text('log-level') ?? 'info') as LogLevel; // a choice, checked
  const log = createLog({ level, format: 'json', name: 'demo-cluster' });
  const lifecycle = createLifecycle({ clock, log });
  endOnSignals(lifecycle, log);
  try {
    await run(outcome.values, log, lifecycle);
  } catch (error) {
    log.error('cannot start', { error: describeError(error) });
    await lifecycle.close();
    process.exit(1);
  }
}

await main();
