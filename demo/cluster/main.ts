// One simulated member cluster as a process: the Kubernetes API over HTTPS with our own API
// machinery, its state in an LMDB folder, small controllers, and real load balancers. It knows
// nothing of the federation; to the agent it is a cluster like any other.
//
// Next file to read: controllers.ts.

import { join } from 'node:path';
import type { Lifecycle } from '../../common/runtime/lifecycle.ts';
import { systemChance } from '../../common/runtime/chance.ts';
import { systemClock } from '../../common/runtime/clock.ts';
import type { Log } from '../../common/runtime/log.ts';
import { silentMetrics } from '../../common/runtime/metrics.ts';
import type { SettingValues } from '../../common/runtime/settings.ts';
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
import { runCluster } from './run-cluster.ts';

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

await runCluster('demo-cluster', run);
