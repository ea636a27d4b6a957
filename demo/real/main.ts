// One member cluster whose API is real: etcd, kube-apiserver and kube-controller-manager, with
// Nodes, Pods and load balancers played through that API. Speaks as the simulated cluster does:
// the same flags, the same ready line.
//
// Next files to read: control-plane.ts, machines.ts.

import { resolve } from 'node:path';
import { systemChance } from '../../common/runtime/chance.ts';
import { systemClock } from '../../common/runtime/clock.ts';
import type { Lifecycle } from '../../common/runtime/lifecycle.ts';
import type { Log } from '../../common/runtime/log.ts';
import type { SettingValues } from '../../common/runtime/settings.ts';
import { createLoadBalancers } from '../cluster/load-balancers.ts';
import { runCluster } from '../cluster/run-cluster.ts';
import { controlPlanePrograms, findAssets } from './assets.ts';
import { startControlPlane } from './control-plane.ts';
import { startMachines } from './machines.ts';

const clock = systemClock;
const chance = systemChance;

async function run(values: SettingValues, log: Log, lifecycle: Lifecycle): Promise<void> {
  const assets = findAssets(process.env);
  if (assets === undefined)
    throw new Error(
      `${controlPlanePrograms.join(', ')} are not there: npm run peers builds them, or name their folder in KUBEBUILDER_ASSETS`,
    );
  const name = values.text('name') ?? '';
  const octet = values.number('octet') ?? 1;
  const plane = await startControlPlane({
    name,
    assets,
    folder: resolve(values.text('data-dir') ?? ''),
    apiPort: values.address('api-listen')?.port ?? 0,
    serviceRange: `10.${octet}.0.0/18`,
    clock,
    chance,
  });
  lifecycle.onClose({ name: 'control plane', close: () => plane.stop() });
  const loadBalancers = createLoadBalancers({ cluster: name, log });
  lifecycle.onClose({ name: 'load balancers', close: () => loadBalancers.close() });
  const machines = await startMachines({
    endpoint: plane.endpoint,
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
  lifecycle.onClose({ name: 'machines', close: () => machines.stop() });
  const { url, kubeconfig } = plane;
  process.stdout.write(`${JSON.stringify({ ready: true, api: url, kubeconfig })}\n`);
  void plane.failed.then((how) => log.error('a server of the control plane ended', { how }));
}

await runCluster('demo-real-cluster', run);
