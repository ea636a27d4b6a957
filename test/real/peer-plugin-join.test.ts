// What `kubectl isthmus join` prints is run as it stands: by sh, with real helm, against a real
// kube-apiserver.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import type { KubeObject } from '../../common/model/kube-object.ts';
import { findPeer } from '../support/find-peer.ts';
import { startKubeApiserver } from '../support/kube-apiserver.ts';
import { testWithPeers } from '../support/peers.ts';
import { openPlugin } from '../support/plugin.ts';
import { testWith } from '../support/programs.ts';
import { openRealMesh } from '../support/real-mesh.ts';

const peers = ['etcd', 'kube-apiserver', 'helm'];
const isThere = peers.every((name) => 'path' in findPeer(name));
const test = isThere ? testWith('kubectl', 'nats-server') : testWithPeers(...peers);
const context = '--context=federation-cluster';

test('the line that join prints installs the agent, with the token in its values or in a Secret', async (t) => {
  t.timeout(180_000);
  const folder = mkdtempSync(join(tmpdir(), 'isthmus-join-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const server = await startKubeApiserver();
  t.teardown(() => server.stop());
  const mesh = await openRealMesh({ clusters: 0 });
  t.teardown(() => mesh.close());
  const plugin = openPlugin({ folder: mesh.layout.dir, kubeconfig: mesh.layout.kubeconfig });
  const helm = findPeer('helm');
  const helmFolder = 'path' in helm ? dirname(helm.path) : '';
  const env = {
    KUBECONFIG: server.kubeconfig,
    HELM_CACHE_HOME: join(folder, 'cache'),
    HELM_CONFIG_HOME: join(folder, 'config'),
    HELM_DATA_HOME: join(folder, 'data'),
    PATH: [helmFolder, process.env['PATH'] ?? ''].join(delimiter),
  };
  const read = async (
    path: string,
  ): Promise<{ readonly status: number; readonly json: KubeObject }> => {
    const { status, json } = await server.ask({ path });
    return { status, json: json as KubeObject }; // what the API answers
  };
  const secret = (namespace: string, name: string) =>
    read(`/api/v1/namespaces/${namespace}/secrets/${name}`);
  const tokenIn = ({ json }: { readonly json: KubeObject }): string =>
    Buffer.from(String((json as { data?: { token?: string } }).data?.token), 'base64').toString();

  const line = await plugin.ok(['join', 'one', '--region', 'r1', context]);
  t.is(line.trim().split('\n').length, 1);
  const first = await plugin.run('sh', [], { env, input: line, withinMs: 90_000 });
  t.is(first.code, 0, first.errors);
  const deployment = await read(
    '/apis/apps/v1/namespaces/isthmus-system/deployments/isthmus-agent',
  );
  t.is(deployment.status, 200);
  const text = JSON.stringify(deployment.json);
  t.regex(text, /--cluster(=|",")one/);
  t.true(text.includes(mesh.at('mesh')), text);
  t.regex(tokenIn(await secret('isthmus-system', 'isthmus-agent-join')), /^isthmus\.v1\.one-/);

  const args = ['join', 'two', '--secret', 'joining', '--agent-namespace', 'other', context];
  const kept = await plugin.ok(args);
  t.is(kept.trim().split('\n').length, 1);
  const second = await plugin.run('sh', [], { env, input: kept, withinMs: 90_000 });
  t.is(second.code, 0, second.errors);
  t.regex(tokenIn(await secret('other', 'joining')), /^isthmus\.v1\.two-/);
  t.is((await secret('other', 'isthmus-agent-join')).status, 404);
  const values = await plugin.run('helm', ['get', 'values', 'isthmus-agent', '-n', 'other'], {
    env,
  });
  t.notRegex(values.output, /isthmus\.v1\./);
});
