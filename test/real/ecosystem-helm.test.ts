// Real Helm 3 and 4 over one release's whole life, with a real coordinator and a member cluster;
// kube-apiserver shows that the script asks for what Kubernetes does. The chart is
// test/ecosystem/chart. Helm 3 sends patches, Helm 4 applies on the server.

import type { ExecutionContext } from 'ava';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { JsonObject, KubeObject } from '../../common/model/kube-object.ts';
import { eventually } from '../support/eventually.ts';
import { findPeer, peerPath } from '../support/find-peer.ts';
import { startKubeApiserver } from '../support/kube-apiserver.ts';
import { testWithPeers } from '../support/peers.ts';
import { findProgram, testWith } from '../support/programs.ts';
import { openRealMesh } from '../support/real-mesh.ts';
import { runProgram, type Ran } from '../support/run-program.ts';

const chart = 'test/ecosystem/chart';
const namespace = 'market';

interface ReadObject extends KubeObject {
  readonly spec?: JsonObject;
}

/** One release's Helm at one server. */
interface Shop {
  readonly peer: string;
  helm(...args: readonly string[]): Promise<string>;
  tryHelm(...args: readonly string[]): Promise<Ran>;
  get(kind: string, name: string): Promise<ReadObject>;
  names(kinds: string): Promise<readonly string[]>;
  kubectl(args: readonly string[]): Promise<Ran>;
}

for (const peer of ['helm', 'helm.4']) {
  const needs = findPeer(peer);
  const test = 'path' in needs ? testWith('kubectl', 'nats-server') : testWithPeers(peer);

  test(`[k8s 131] ${peer} installs, upgrades, rolls back and uninstalls at our coordinator`, async (t) => {
    t.timeout(150_000);
    const mesh = await openRealMesh({ clusters: 1 });
    t.teardown(() => mesh.close());
    const shop = openShop(t, { peer, kubeconfig: mesh.layout.kubeconfig });
    await reviewFirst(t, shop);
    // The member's load balancer gives the address that --wait waits for.
    await shop.helm('install', 'shop', chart, '--wait', '--timeout=60s', '--create-namespace');
    await walk(t, shop);
    t.deepEqual(mesh.crashes, []);
  });

  testWithPeers(
    peer,
    'etcd',
    'kube-apiserver',
    'kubectl',
  )(`${peer} does the same at kube-apiserver`, async (t) => {
    t.timeout(150_000);
    const server = await startKubeApiserver();
    t.teardown(() => server.stop());
    const shop = openShop(t, { peer, kubeconfig: server.kubeconfig });
    await reviewFirst(t, shop);
    const installing = shop.helm('install', 'shop', chart, '--wait', '--create-namespace');
    await Promise.all([installing, giveAddress(shop)]);
    await walk(t, shop);
  });
}

/** Nothing of this may leave anything behind. */
async function reviewFirst(t: ExecutionContext, shop: Shop): Promise<void> {
  t.regex(await shop.helm('lint', chart), /1 chart\(s\) linted, 0 chart\(s\) failed/);
  const template = await shop.helm('template', 'shop', chart, '--validate');
  t.regex(template, /externalName: shop\.example\.com/);
  await shop.kubectl(['create', 'namespace', 'tried']);
  const tried = ['install', 'shop', chart, '--dry-run=server', '--namespace=tried'];
  t.regex(await shop.helm(...tried), /servesEvents: "true"/);
  t.deepEqual(await shop.names('services,secrets,rolebindings --namespace=tried'), []);
}

async function walk(t: ExecutionContext, shop: Shop): Promise<void> {
  await installed(t, shop);
  await upgraded(t, shop);
  await rolledBack(t, shop);
  await repaired(t, shop);
  await uninstalled(t, shop);
}

async function installed(t: ExecutionContext, shop: Shop): Promise<void> {
  t.deepEqual(await shop.names('services'), [
    'service/shop-clusterip',
    'service/shop-external',
    'service/shop-headless',
    'service/shop-loadbalancer',
    'service/shop-nodeport',
  ]);
  t.like(await shop.get('namespace', namespace), { status: { phase: 'Active' } });
  const balancer = await shop.get('service', 'shop-loadbalancer');
  // Helm 4 waits for the clusterIP only, as its library for the status of objects does.
  if (shop.peer === 'helm') t.true(hasAddress(balancer));
  await eventually(30_000, async () => {
    const hasOne = hasAddress(await shop.get('service', 'shop-loadbalancer'));
    return hasOne ? [] : ['no address'];
  });
  t.like(balancer, { metadata: { labels: { tier: 'web' } }, spec: { ports: [{ port: 80 }] } });
  t.like(await shop.get('configmap', 'shop-settings'), {
    data: { colour: 'blue', servesEvents: 'true', earlier: '' },
  });
  t.like(await shop.get('configmap', 'shop-hook'), { data: { revision: '1' } });
  t.like(await shop.get('secret', 'shop-password'), { data: { password: 'czNjcmV0' } });
  t.like(await shop.get('rolebinding', 'shop-readers'), { roleRef: { name: 'shop-reader' } });
  t.like(await shop.get('secret', 'sh.helm.release.v1.shop.v1'), {
    type: 'helm.sh/release.v1',
    metadata: { labels: { owner: 'helm', name: 'shop', status: 'deployed', version: '1' } },
  });
  const listed: unknown = JSON.parse(await shop.helm('list', '-o', 'json'));
  t.like(listed, [{ name: 'shop', revision: '1', status: 'deployed', chart: 'shop-1.2.3' }]);
}

function portsOf({ spec }: ReadObject): readonly unknown[] {
  const ports = spec?.['ports'];
  return Array.isArray(ports) ? ports : [];
}

function hasAddress({ status }: ReadObject): boolean {
  return /"ingress":\[\{"ip":"127\./.test(JSON.stringify(status));
}

/** Another port, one label less, a setting changed. */
async function upgraded(t: ExecutionContext, shop: Shop): Promise<void> {
  const before = await shop.get('service', 'shop-clusterip');
  const sets = ['--set=port=8000,colour=red', '--set-string=tier='];
  await shop.helm('upgrade', 'shop', chart, ...sets, '--wait');
  const after = await shop.get('service', 'shop-clusterip');
  t.like(after, { spec: { ports: [{ name: 'http', port: 8000, targetPort: 8080 }] } });
  t.is(portsOf(after).length, 1);
  t.is(after.metadata.labels?.['tier'], undefined);
  t.is(after.metadata.uid, before.metadata.uid);
  t.is(after.spec?.['clusterIP'], before.spec?.['clusterIP']);
  t.like(await shop.get('configmap', 'shop-settings'), {
    data: { colour: 'red', earlier: 'blue' },
  });
  t.like(await shop.get('configmap', 'shop-hook'), { data: { revision: '2' } });
  t.regex(await shop.helm('get', 'values', 'shop'), /colour: red/);
  t.regex(await shop.helm('get', 'manifest', 'shop'), /port: 8000/);
  t.like(JSON.parse(await shop.helm('history', 'shop', '-o', 'json')), [
    { revision: 1, status: 'superseded' },
    { revision: 2, status: 'deployed' },
  ]);
}

async function rolledBack(t: ExecutionContext, shop: Shop): Promise<void> {
  await shop.helm('rollback', 'shop', '1', '--wait');
  const service = await shop.get('service', 'shop-clusterip');
  t.like(service, { metadata: { labels: { tier: 'web' } }, spec: { ports: [{ port: 80 }] } });
  t.is(portsOf(service).length, 1);
  t.like(await shop.get('configmap', 'shop-settings'), { data: { colour: 'blue' } });
  t.deepEqual(
    (await shop.names('secrets --selector=owner=helm')).map((name) => name.split('/')[1]),
    [1, 2, 3].map((revision) => `sh.helm.release.v1.shop.v${revision}`),
  );
  t.regex(await shop.helm('status', 'shop'), /STATUS: deployed/);
}

/** What a hand took away comes back; what Kubernetes refuses fails the upgrade, and says why. */
async function repaired(t: ExecutionContext, shop: Shop): Promise<void> {
  await shop.kubectl(['delete', 'configmap', 'shop-settings', '-n', namespace]);
  await shop.helm('upgrade', 'shop', chart, '--wait');
  t.like(await shop.get('configmap', 'shop-settings'), { data: { colour: 'blue' } });
  const refused = await shop.tryHelm('upgrade', 'shop', chart, '--set=port=70000');
  t.not(refused.code, 0);
  t.regex(refused.errors, /spec\.ports\[0\]\.port: Invalid value: 70000/);
  t.regex(await shop.helm('history', 'shop'), /failed/);
  const again = await shop.tryHelm('install', 'shop', chart);
  t.regex(again.errors, /cannot re-?use a name that is still in use/);
}

async function uninstalled(t: ExecutionContext, shop: Shop): Promise<void> {
  t.regex(await shop.helm('uninstall', 'shop', '--wait'), /release "shop" uninstalled/);
  const kinds = 'services,secrets,roles,rolebindings';
  t.deepEqual(await shop.names(kinds), []);
  // A hook is no part of the release, so Helm leaves it.
  const left = (await shop.names('configmaps')).filter((name) => name.startsWith('configmap/shop'));
  t.deepEqual(left, ['configmap/shop-hook']);
  t.deepEqual(JSON.parse(await shop.helm('list', '-o', 'json')), []);
}

function openShop(
  t: ExecutionContext,
  { peer, kubeconfig }: { readonly peer: string; readonly kubeconfig: string },
): Shop {
  const folder = mkdtempSync(join(tmpdir(), 'isthmus-helm-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const env = {
    KUBECONFIG: kubeconfig,
    KUBECACHEDIR: join(folder, 'kubectl'),
    HELM_NAMESPACE: namespace,
    HELM_CACHE_HOME: join(folder, 'cache'),
    HELM_CONFIG_HOME: join(folder, 'config'),
    HELM_DATA_HOME: join(folder, 'data'),
    HOME: folder,
  };
  const tryHelm = (...args: readonly string[]) => runProgram(peerPath(peer), args, { env });
  const program = findProgram('kubectl') ?? peerPath('kubectl');
  const kubectl = (args: readonly string[]) => runProgram(program, args, { env });
  return {
    peer,
    tryHelm,
    helm: async (...args) => expectSuccess(`${peer} ${args.join(' ')}`, await tryHelm(...args)),
    kubectl,
    get: async (kind, name) => {
      const args = ['get', kind, name, '-o', 'json', `--namespace=${namespace}`];
      return JSON.parse(expectSuccess(args.join(' '), await kubectl(args))) as ReadObject;
    },
    names: async (kinds) => {
      const args = ['get', `--namespace=${namespace}`, '-o', 'name', ...kinds.split(' ')];
      return expectSuccess(args.join(' '), await kubectl(args))
        .split('\n')
        .filter((line) => line !== '');
    },
  };
}

function expectSuccess(what: string, ran: Ran): string {
  if (ran.code === 0) return ran.output;
  throw new Error(`${what}: exit ${ran.code}\n${ran.output}${ran.errors}`);
}

/** What a cloud's controller does once the Service is there. */
async function giveAddress(shop: Shop): Promise<void> {
  const patch = JSON.stringify({ status: { loadBalancer: { ingress: [{ ip: '127.0.0.9' }] } } });
  const service = ['service', 'shop-loadbalancer', `--namespace=${namespace}`];
  const args = ['patch', ...service, '--subresource=status', '--type=merge', '-p', patch];
  await eventually(20_000, async () => {
    const ran = await shop.kubectl(args);
    return ran.code === 0 ? [] : [ran.errors];
  });
}
