// Hosted mode end to end: real kubectl with the plugin on PATH, a real coordinator, simulated member
// clusters; each agent is the coordinator's child.

import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { parse } from 'yaml';
import type { KubeObject } from '../../common/model/kube-object.ts';
import { conditionOf, textAt } from '../../plugin/output.ts';
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
    if (line.includes(`--cluster=${name}`)) return pid;
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

const join60 = ['--wait', '--timeout=60s'] as const;

function joinGuest({ plugin, member }: Hosted, more: readonly string[] = join60): Promise<string> {
  const args = ['join', 'guest', '--kubeconfig', member, context, ...more];
  return plugin.ok(args, { withinMs: 90_000 });
}

/** The member's kubeconfig with another user. */
function withUser(member: string, user: object): string {
  const config = parse(readFileSync(member, 'utf8')) as { users: { name: string; user: object }[] };
  const path = `${member}.${readdirSync(dirname(member)).length}`;
  const users = config.users.map(({ name }) => ({ name, user }));
  writeFileSync(path, JSON.stringify({ ...config, users }), { mode: 0o600 });
  return path;
}

function keyHashOf(cluster: KubeObject | undefined): string {
  return textAt(cluster, 'status', 'publicKeyHash');
}

test('join --kubeconfig: the coordinator runs the agent, and the cluster is Ready', async (t) => {
  const hosted = await open(t);
  const { mesh, member, plugin } = hosted;
  const said = await joinGuest(hosted, ['--zone', 'z9', ...join60]);
  t.regex(said, /cluster\.isthmus\.dev\/guest credentials registered/);
  t.regex(said, /cluster\.isthmus\.dev\/guest is Ready after/);
  const cluster = await clusterOf(mesh, 'guest');
  t.like(conditionOf(cluster, 'HostedAgent'), { status: 'True', reason: 'Running' });
  t.like(cluster?.spec, { zone: 'z9' });
  t.regex(await plugin.ok(['status', '--context=federation-cluster']), /guest .*\(hosted\)/);

  const pid = pidOf(mesh, 'guest');
  const key = /client-key-data: (\S+)/.exec(readFileSync(member, 'utf8'))?.[1] ?? 'none';
  t.notRegex(commandOf(pid).join(' '), /isthmus\.v1\./);
  t.false(readFileSync(`/proc/${pid}/environ`, 'utf8').includes(key));
  // I9: neither the kubeconfig nor the key within it stands anywhere on disk.
  const pem = Buffer.from(key, 'base64').toString().split('\n')[1] ?? 'none';
  for (const text of [key, pem]) {
    const found = await plugin.run('grep', ['-rlaF', '--', text, mesh.layout.coordinatorDir]);
    t.deepEqual([found.code, found.output], [1, '']);
  }
  await eventually(10_000, async () => {
    const { output } = await mesh.tryKubectl(['get', 'jointokens', '-o', 'name']);
    return output.includes('guest-hosted') ? [output] : [];
  });
  t.deepEqual(mesh.crashes, []);
});

test('credentials that are refused are told on the Cluster, and replaced without a restart', async (t) => {
  const hosted = await open(t);
  const { mesh, member, plugin } = hosted;
  await joinGuest({ ...hosted, member: withUser(member, { token: 'wrong' }) }, []);
  const refused = {
    name: 'guest',
    reason: /^CredentialsRefused$/,
    message: /kubectl isthmus join guest/,
  };
  await untilCondition(mesh, refused);
  const pid = pidOf(mesh, 'guest');
  t.true(pid > 0);
  t.regex(await joinGuest(hosted), /credentials replaced[^]*is Ready after/);
  t.is(pidOf(mesh, 'guest'), pid);
  await untilCondition(mesh, { name: 'guest', reason: /^Running$/ });

  // The API server is gone: the condition says what the coordinator cannot reach.
  const gone = readFileSync(member, 'utf8').replace(/server: \S+/, 'server: https://127.0.0.1:1');
  const path = `${member}.gone`;
  writeFileSync(path, gone);
  await joinGuest({ ...hosted, member: path }, []);
  const unreachable = {
    name: 'guest',
    reason: /^ApiUnreachable$/,
    message: /127\.0\.0\.1:1.*ECONNREFUSED/,
  };
  await untilCondition(mesh, unreachable);
  t.is(pidOf(mesh, 'guest'), pid);

  // Withdrawn: the agent ends, the Cluster stays.
  await plugin.ok(['credentials', 'remove', 'guest', '--context=federation-cluster']);
  await eventually(20_000, async () => {
    const condition = conditionOf(await clusterOf(mesh, 'guest'), 'HostedAgent');
    const isGone = condition === undefined && commandOf(pid).length === 0;
    return isGone ? [] : [JSON.stringify(condition), commandOf(pid).join(' ')];
  });
  const { errors, code } = await plugin.isthmus(['status', '--context=federation-cluster']);
  t.deepEqual([code, errors], [0, '']);
  t.deepEqual(mesh.crashes, []);
});

test('kill -9 of the agent and of the coordinator: no orphan, no second agent, no lost identity', async (t) => {
  const hosted = await open(t);
  const { mesh } = hosted;
  await joinGuest(hosted);
  const hash = keyHashOf(await clusterOf(mesh, 'guest'));
  const first = pidOf(mesh, 'guest');
  signal(first, 'SIGKILL');
  await untilAnother(mesh, first);
  await untilCondition(mesh, { name: 'guest', reason: /^Running$/ });

  const second = pidOf(mesh, 'guest');
  await mesh.kill('coordinator');
  await eventually(10_000, () => Promise.resolve(commandOf(second)));
  await mesh.start('coordinator');
  await untilAnother(mesh, second);
  await untilReady(mesh, 'guest');

  // One that could not see the coordinator's end is ended by the next coordinator.
  const third = pidOf(mesh, 'guest');
  signal(third, 'SIGSTOP');
  await mesh.kill('coordinator');
  t.true(commandOf(third).length > 0);
  await mesh.start('coordinator');
  await untilAnother(mesh, third);
  await eventually(10_000, () => Promise.resolve(commandOf(third)));
  await untilReady(mesh, 'guest');
  t.is(keyHashOf(await clusterOf(mesh, 'guest')), hash);

  // A clean end leaves nothing either.
  const fourth = pidOf(mesh, 'guest');
  signal(mesh.pid('coordinator'), 'SIGTERM');
  await eventually(10_000, () => Promise.resolve(commandOf(fourth)));
});

/** Of 0, the system would make the whole group of this process. */
function signal(pid: number | undefined, name: NodeJS.Signals): void {
  if (pid === undefined || pid <= 1) throw new Error('no such process');
  process.kill(pid, name);
}

function untilAnother(mesh: RealMesh, pid: number): Promise<void> {
  return eventually(30_000, () => {
    const now = pidOf(mesh, 'guest');
    return Promise.resolve(now > 0 && now !== pid ? [] : [`pid ${now}`]);
  });
}

function untilReady(mesh: RealMesh, name: string): Promise<void> {
  return eventually(40_000, async () => {
    const ready = conditionOf(await clusterOf(mesh, name), 'Ready');
    return ready?.status === 'True' ? [] : [JSON.stringify(ready)];
  });
}

test('exec commands run when the operator has named them; a bound of agents is told', async (t) => {
  const script = join(mkdtempSync(join(tmpdir(), 'isthmus-exec-')), 'login');
  t.teardown(() => rmSync(dirname(script), { recursive: true }));
  const flags = [`--hosted-exec-commands=${script}`, '--hosted-agents-max=1'];
  const hosted = await open(t, flags);
  const { mesh, member, plugin } = hosted;
  const config = parse(readFileSync(member, 'utf8')) as {
    users: { user: Readonly<Record<string, string>> }[];
  };
  const own = config.users[0]?.user ?? {};
  const pem = (field: string): string => Buffer.from(own[field] ?? '', 'base64').toString();
  const credential = {
    apiVersion: 'client.authentication.k8s.io/v1',
    kind: 'ExecCredential',
    status: {
      clientCertificateData: pem('client-certificate-data'),
      clientKeyData: pem('client-key-data'),
    },
  };
  writeFileSync(`${script}.json`, JSON.stringify(credential), { mode: 0o600 });
  writeFileSync(script, `#!/bin/sh\nexec cat '${script}.json'\n`, { mode: 0o700 });
  const exec = { apiVersion: 'client.authentication.k8s.io/v1', command: script };

  const evil = withUser(member, { exec: { ...exec, command: '/bin/sh', args: ['-c', 'id'] } });
  const refused = await plugin.isthmus(['join', 'guest', '--kubeconfig', evil, context]);
  t.is(refused.code, 1);
  t.regex(
    refused.errors,
    /spec\.kubeconfig\.users\[0\]\.user\.exec\.command: .*"\/bin\/sh" may not be run by the coordinator.*--hosted-exec-commands/,
  );
  t.is(await clusterOf(mesh, 'guest'), undefined);
  await joinGuest({ ...hosted, member: withUser(member, { exec }) });

  await plugin.ok(['join', 'late', '--kubeconfig', member, context]);
  const bound = { name: 'late', reason: /^TooManyHostedAgents$/, message: /--hosted-agents-max/ };
  await untilCondition(mesh, bound);
  t.is(pidOf(mesh, 'late'), 0);
});
