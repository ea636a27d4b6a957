// Hosted mode end to end: real kubectl with the plugin on PATH, a real coordinator, simulated member
// clusters; each agent is the coordinator's child.

import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import type { KubeObject } from '../../common/model/kube-object.ts';
import { conditionOf } from '../../plugin/output.ts';
import { eventually } from '../support/eventually.ts';
import { openPlugin, type PluginKubectl } from '../support/plugin.ts';
import { testWith } from '../support/programs.ts';
import { openRealMesh, type RealMesh } from '../support/real-mesh.ts';

const test = testWith('kubectl', 'nats-server');
const clusters = { apiVersion: 'isthmus.dev/v1alpha1', plural: 'clusters' };

interface Hosted {
  readonly mesh: RealMesh;
  readonly plugin: PluginKubectl;
  /** Kubeconfig of the member cluster that stands without an agent. */
  readonly member: string;
}

/** A mesh whose one member cluster has no agent yet. */
async function open(t: ExecutionContext, flags: readonly string[] = []): Promise<Hosted> {
  t.timeout(150_000);
  const mesh = await openRealMesh({ clusters: 1, coordinatorFlags: flags });
  t.teardown(() => mesh.close());
  const { layout } = mesh;
  const [{ name } = { name: '' }] = mesh.clusters;
  const member = join(layout.dir, 'member.kubeconfig');
  const text = execFileSync('kubectl', ['config', 'view', '--minify', '--raw', '--context', name], {
    env: { ...process.env, KUBECONFIG: layout.kubeconfig },
  });
  writeFileSync(member, text, { mode: 0o600 });
  const plugin = openPlugin({ folder: layout.dir, kubeconfig: layout.kubeconfig });
  return { mesh, plugin, member };
}

const context = '--federation-context=federation-cluster';

async function clusterOf(mesh: RealMesh, name: string): Promise<KubeObject | undefined> {
  return mesh.kube().get(clusters, name);
}

function untilCondition(
  mesh: RealMesh,
  wanted: { readonly name: string; readonly reason: RegExp; readonly message?: RegExp },
): Promise<void> {
  return eventually(40_000, async () => {
    const found = conditionOf(await clusterOf(mesh, wanted.name), 'HostedAgent');
    const isSo =
      wanted.reason.test(found?.reason ?? '') && (wanted.message ?? /./).test(found?.message ?? '');
    return isSo ? [] : [`${JSON.stringify(found)} ${mesh.logOf('coordinator').slice(-2000)}`];
  });
}

function pidOf(mesh: RealMesh, name: string): number {
  const folder = join(mesh.layout.coordinatorDir, 'hosted');
  for (const uid of existsSync(folder) ? readdirSync(folder) : []) {
    const pid = Number(readFileSync(join(folder, uid, 'agent.pid'), 'utf8'));
    const line = commandOf(pid);
    if (line.includes(name)) return pid;
  }
  return 0;
}

function commandOf(pid: number): readonly string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  } catch {
    return [];
  }
}

test('join --kubeconfig: the coordinator runs the agent, and the cluster is Ready', async (t) => {
  const { mesh, plugin, member } = await open(t);
  const said = await plugin.ok(
    ['join', 'guest', '--kubeconfig', member, context, '--zone', 'z9', '--wait', '--timeout=60s'],
    { withinMs: 90_000 },
  );
  t.regex(said, /cluster\.isthmus\.dev\/guest credentials registered/);
  t.regex(said, /cluster\.isthmus\.dev\/guest is Ready after/);
  const cluster = await clusterOf(mesh, 'guest');
  t.like(conditionOf(cluster, 'HostedAgent'), { status: 'True', reason: 'Running' });
  t.like(cluster?.spec, { zone: 'z9' });
  const pid = pidOf(mesh, 'guest');
  t.true(pid > 0);
  const token = /token: (\S+)/.exec(readFileSync(member, 'utf8'))?.[1] ?? 'none';
  const secrets = [token, ...commandOf(pid).filter((word) => word.startsWith('isthmus.v1.'))];
  t.notRegex(commandOf(pid).join(' '), new RegExp(secrets.join('|')));
  await eventually(10_000, async () => {
    const { output } = await mesh.tryKubectl(['get', 'jointokens', '-o', 'name']);
    return output.includes('guest-hosted') ? [output] : [];
  });
  t.deepEqual(mesh.crashes, []);
});
