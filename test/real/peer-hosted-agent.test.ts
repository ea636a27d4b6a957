// A hosted agent whose cluster is a real kube-apiserver: its user is one that a program speaks for,
// its Service arrives, a right that is missing is told, and unjoin leaves nothing behind.

import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { conditionOf } from '../../plugin/output.ts';
import { eventually } from '../support/eventually.ts';
import { findPeer } from '../support/find-peer.ts';
import { startKubeApiserver, type KubeApiserver } from '../support/kube-apiserver.ts';
import { startOidcIssuer } from '../support/oidc-issuer.ts';
import { testWithPeers } from '../support/peers.ts';
import { openPlugin } from '../support/plugin.ts';
import { testWith } from '../support/programs.ts';
import { openRealMesh } from '../support/real-mesh.ts';

const peers = ['etcd', 'kube-apiserver'];
const isThere = peers.every((name) => 'path' in findPeer(name));
const test = isThere ? testWith('kubectl', 'nats-server') : testWithPeers(...peers);
const context = '--federation-context=federation-cluster';
const clusters = { apiVersion: 'isthmus.dev/v1alpha1', plural: 'clusters' };

test('a real kube-apiserver is joined with exec credentials, told of a missing right, and left clean', async (t) => {
  t.timeout(180_000);
  const folder = mkdtempSync(join(tmpdir(), 'isthmus-hosted-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const login = join(folder, 'login');
  const server = await startKubeApiserver();
  t.teardown(() => server.stop());
  const mesh = await openRealMesh({
    clusters: 0,
    coordinatorFlags: [`--hosted-exec-commands=${login}`, '--ttl-seconds=1'],
  });
  t.teardown(() => mesh.close());
  const { layout } = mesh;
  const plugin = openPlugin({ folder: layout.dir, kubeconfig: layout.kubeconfig });

  const speakFor = (user: string): void => writeFileSync(`${login}.token`, server.tokenOf(user));
  writeLogin(login);
  const exec = {
    apiVersion: 'client.authentication.k8s.io/v1',
    command: login,
    interactiveMode: 'IfAvailable',
    provideClusterInfo: true,
  };
  const kubeconfig = writeKubeconfig(folder, server, { exec });
  const place = ['--zone', 'z1', '--region', 'r1'];
  const joinArgs = ['join', 'real', '--kubeconfig', kubeconfig, context, ...place];
  const told = (): Promise<ReturnType<typeof conditionOf>> =>
    mesh
      .kube()
      .get(clusters, 'real')
      .then((cluster) => conditionOf(cluster, 'HostedAgent'));
  const untilTold = (reason: string, message = /./): Promise<void> =>
    eventually(40_000, async () => {
      const found = await told();
      return found?.reason === reason && message.test(found.message) ? [] : [JSON.stringify(found)];
    });

  speakFor('nobody');
  await plugin.ok(joinArgs);
  await untilTold('RightsMissing', /cannot list resource/);
  speakFor('admin');
  t.regex(await plugin.ok([...joinArgs, '--wait'], { withinMs: 90_000 }), /real is Ready/);
  await untilTold('Running');
  const info = JSON.parse(readFileSync(`${login}.info`, 'utf8')) as {
    spec: { cluster: { server: string } };
  };
  t.is(info.spec.cluster.server, server.url);

  const path = '/api/v1/namespaces/default/services/nginx';
  const until = (status: number): Promise<void> =>
    eventually(30_000, async () => {
      const answer = await server.ask({ path });
      return answer.status === status
        ? []
        : [`${answer.status} ${mesh.logOf('coordinator').slice(-800)}`];
    });
  await mesh.kubectl('federation-cluster', ['create', '-f', 'examples/services/nginx.yaml']);
  await until(200);

  const left = await plugin.isthmus(['unjoin', 'real', '--context=federation-cluster'], {
    withinMs: 120_000,
  });
  t.is(left.code, 0, left.errors);
  await until(404);
  await eventually(20_000, () =>
    Promise.resolve(readdirSync(join(layout.coordinatorDir, 'hosted'))),
  );
  t.deepEqual(mesh.crashes, []);
});

test('an OIDC user of a real kube-apiserver: refresh tokens that are good once survive kill -9', async (t) => {
  t.timeout(180_000);
  const issuer = await startOidcIssuer();
  t.teardown(() => issuer.close());
  const folder = mkdtempSync(join(tmpdir(), 'isthmus-hosted-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const caFile = join(folder, 'issuer.crt');
  writeFileSync(caFile, issuer.caPem);
  const server = await startKubeApiserver({
    flags: [
      `--oidc-issuer-url=${issuer.url}`,
      '--oidc-client-id=isthmus',
      `--oidc-ca-file=${caFile}`,
      '--oidc-groups-claim=groups',
    ],
  });
  t.teardown(() => server.stop());
  const mesh = await openRealMesh({ clusters: 0 });
  t.teardown(() => mesh.close());
  const plugin = openPlugin({ folder: mesh.layout.dir, kubeconfig: mesh.layout.kubeconfig });

  const claims = { sub: 'coordinator', groups: ['system:masters'] };
  // The agent renews ten seconds before the end: every few seconds here.
  const granted = issuer.grant({
    first: 'refresh',
    idToken: () => issuer.sign(claims, { expiresIn: 14 }),
  });
  const provider = {
    'idp-issuer-url': issuer.url,
    'idp-certificate-authority': caFile,
    'client-id': 'isthmus',
    'id-token': await issuer.sign(claims, { expiresIn: -60 }),
    'refresh-token': 'refresh',
  };
  const user = { 'auth-provider': { name: 'oidc', config: provider } };
  const kubeconfig = writeKubeconfig(folder, server, user);
  const args = ['join', 'real', '--kubeconfig', kubeconfig, context, '--zone=z', '--region=r'];
  t.regex(await plugin.ok([...args, '--wait'], { withinMs: 90_000 }), /real is Ready/);

  /** So many more, of which the last is kept: one that nobody kept would be lost with its agent. */
  const untilKept = async (more: number, keptBefore = 0): Promise<void> => {
    const wanted = granted.count() + more;
    await eventually(40_000, async () => {
      const kept = keptBefore + (await mesh.metric('admin', 'mesh_hosted_refreshes_total'));
      const count = granted.count();
      return count >= wanted && kept === count ? [] : [`${count} of ${wanted}, ${kept} kept`];
    });
  };
  await untilKept(1);
  const hosted = join(mesh.layout.coordinatorDir, 'hosted');
  const pidFile = join(hosted, readdirSync(hosted)[0] ?? '', 'agent.pid');
  const pid = Number(readFileSync(pidFile, 'utf8'));
  t.true(pid > 1);
  process.kill(pid, 'SIGKILL');
  await untilKept(2);
  // The coordinator's own kill -9 too: what it stored is what the next one goes on with.
  await mesh.kill('coordinator');
  const keptBefore = granted.count();
  await mesh.start('coordinator');
  await untilKept(2, keptBefore);
  t.deepEqual(granted.reused, []);
  await eventually(30_000, async () => {
    const condition = conditionOf(await mesh.kube().get(clusters, 'real'), 'HostedAgent');
    return condition?.reason === 'Running' ? [] : [JSON.stringify(condition)];
  });
});

/** A program that reads the token it gives from a file, and notes what it is told. */
function writeLogin(path: string): void {
  const apiVersion = 'client.authentication.k8s.io/v1';
  const credential = { kind: 'ExecCredential', apiVersion, status: { token: 'TOKEN' } };
  const lines = [
    '#!/bin/sh',
    `echo "$KUBERNETES_EXEC_INFO" >'${path}.info'`,
    `sed "s/TOKEN/$(cat '${path}.token')/" <<'END'`,
    JSON.stringify(credential),
    'END',
    '',
  ];
  writeFileSync(path, lines.join('\n'), { mode: 0o700 });
}

function writeKubeconfig(
  folder: string,
  { url, caFile }: Pick<KubeApiserver, 'url' | 'caFile'>,
  user: object,
): string {
  const path = join(folder, 'kubeconfig');
  const config = {
    'current-context': 'real',
    clusters: [{ name: 'real', cluster: { server: url, 'certificate-authority': caFile } }],
    users: [{ name: 'ana', user }],
    contexts: [{ name: 'real', context: { cluster: 'real', user: 'ana' } }],
  };
  writeFileSync(path, JSON.stringify(config));
  return path;
}
