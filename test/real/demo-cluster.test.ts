// One simulated cluster as a process, with the real kubectl: Pods, load balancers, endpoints, and
// its state after kill -9.

import { join } from 'node:path';
import { testWith } from '../support/programs.ts';
import { runToEnd, startProgram, temporaryDir, until, type Running } from './demo-process.ts';

const test = testWith('kubectl');

const service = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'nginx' },
  spec: { type: 'LoadBalancer', selector: { run: 'nginx' }, ports: [{ name: 'http', port: 8180 }] },
};

// A range that neither the demo nor another test uses.
const loadBalancers = `127.${200 + (process.pid % 50)}.9`;

interface Api {
  readonly api: string;
  readonly kubeconfig: string;
}

async function startCluster(
  dir: string,
  listen: string,
): Promise<{ readonly running: Running; readonly at: Api }> {
  const flags = `--name test-a --octet 70 --load-balancers ${loadBalancers} --node-zone zone-a --node-region region`;
  const running = startProgram('demo/cluster/main.js', [
    ...flags.split(' '),
    `--data-dir=${dir}`,
    `--api-listen=${listen}`,
  ]);
  const at = JSON.parse(await running.line(/"ready":true/)) as Api;
  return { running, at };
}

async function ask(url: string): Promise<string> {
  try {
    return await (await fetch(url, { signal: AbortSignal.timeout(2_000) })).text();
  } catch (error) {
    const cause = (error as Error).cause as { code?: string } | undefined;
    return cause?.code ?? String(error);
  }
}

test('Pods become ready, the load balancer tells the truth, and kill -9 loses nothing', async (t) => {
  t.timeout(90_000);
  const dir = temporaryDir(t);
  const first = await startCluster(dir, '127.0.0.1:0');
  t.teardown(() => void first.running.child.kill('SIGKILL'));
  const env = { KUBECONFIG: first.at.kubeconfig, KUBECACHEDIR: join(dir, 'kubectl-cache') };
  const kubectl = (...args: readonly string[]) => runToEnd('kubectl', args, env);
  const get = async (what: string, path: string): Promise<string> =>
    (await kubectl('get', ...what.split(' '), '-o', `jsonpath=${path}`)).output;

  t.is(await get('nodes', '{.items[0].metadata.labels.topology\\.kubernetes\\.io/zone}'), 'zone-a');
  const manifest = join(dir, 'service.json');
  await import('node:fs/promises').then(({ writeFile }) =>
    writeFile(manifest, JSON.stringify(service)),
  );
  t.like(await kubectl('create', '-f', manifest), { code: 0 });
  const addressPath = '{.status.loadBalancer.ingress[0].ip}';
  await until(async () => (await get('service nginx', addressPath)) !== '');
  const address = await get('service nginx', addressPath);
  const clusterIp = await get('service nginx', '{.spec.clusterIP}');
  t.true(address.startsWith(`${loadBalancers}.`));
  t.regex(clusterIp, /^10\.70\.0\.\d+$/);
  const url = `http://${address}:8180/`;
  t.is(await ask(url), 'ECONNREFUSED', 'no Pod is behind it yet');

  t.like(await kubectl('run', 'nginx', '--image=nginx', '--port=80'), { code: 0 });
  t.like(await kubectl('wait', '--for=condition=Ready', 'pod/nginx', '--timeout=10s'), { code: 0 });
  await until(async () => (await ask(url)) === 'cluster test-a, pod nginx\n');
  const ready = '{.items[0].endpoints[0].conditions.ready}';
  await until(async () => (await get('endpointslices', ready)) === 'true');

  t.like(await kubectl('annotate', 'pod', 'nginx', 'demo.isthmus.dev/ready=false'), { code: 0 });
  await until(async () => (await ask(url)) === 'ECONNREFUSED');
  await until(async () => (await get('endpointslices', ready)) === 'false');
  t.like(await kubectl('annotate', 'pod', 'nginx', 'demo.isthmus.dev/ready-'), { code: 0 });
  await until(async () => (await ask(url)) === 'cluster test-a, pod nginx\n');

  first.running.child.kill('SIGKILL');
  t.is(await first.running.ended(), 'SIGKILL');
  t.is(await ask(url), 'ECONNREFUSED', 'its load balancers died with it');
  const second = await startCluster(dir, new URL(first.at.api).host);
  t.teardown(() => void second.running.child.kill('SIGKILL'));
  await until(async () => (await ask(url)) === 'cluster test-a, pod nginx\n');
  t.is(await get('service nginx', '{.spec.clusterIP}'), clusterIp);

  t.like(await kubectl('delete', 'pod', 'nginx', '--timeout=10s'), { code: 0 });
  await until(async () => (await ask(url)) === 'ECONNREFUSED');
  t.like(await kubectl('delete', 'service', 'nginx', '--timeout=10s'), { code: 0 });
  await until(async () => (await get('endpointslices', '{.items}')) === '[]');
  second.running.child.kill('SIGTERM');
  t.is(await second.running.ended(), 0);
});
