// kubectl-isthmus as an administrator uses it: real kubectl finds it on PATH, a real coordinator
// answers, real agents join with what it prints.

import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { delimiter, join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { conditionOf, textAt } from '../../plugin/output.ts';
import { eventually } from '../support/eventually.ts';
import { findPeer } from '../support/find-peer.ts';
import { openPlugin, type PluginKubectl } from '../support/plugin.ts';
import { testWith } from '../support/programs.ts';
import { openRealMesh, type RealMesh } from '../support/real-mesh.ts';

const test = testWith('kubectl', 'nats-server');
const clusters = { apiVersion: 'isthmus.dev/v1alpha1', plural: 'clusters' };
const context = '--context=federation-cluster';

interface Opened {
  readonly mesh: RealMesh;
  readonly plugin: PluginKubectl;
  /** The member cluster whose API later agents use too. */
  readonly member: string;
}

async function open(t: ExecutionContext, kubectl?: string): Promise<Opened> {
  t.timeout(150_000);
  // A cluster that leaves waits for one TTL.
  const mesh = await openRealMesh({ clusters: 1, coordinatorFlags: ['--ttl-seconds=1'] });
  t.teardown(() => mesh.close());
  const { layout } = mesh;
  const plugin = openPlugin({
    folder: layout.dir,
    kubeconfig: layout.kubeconfig,
    ...(kubectl === undefined ? {} : { kubectl }),
  });
  return { mesh, plugin, member: mesh.clusters[0]?.name ?? '' };
}

/** `join` that waits, whose token is used as soon as it stands there. */
async function joinWith(
  { mesh, member }: Opened,
  name: string,
  flags: readonly string[],
): Promise<{ readonly code: number; readonly output: string; readonly errors: string }> {
  const args = [
    'isthmus',
    'join',
    name,
    context,
    '-o',
    'token',
    '--wait',
    '--timeout=60s',
    ...flags,
  ];
  const bin = join(mesh.layout.dir, 'plugin-bin');
  const child = spawn('kubectl', args, {
    env: {
      ...process.env,
      PATH: [bin, process.env['PATH'] ?? ''].join(delimiter),
      KUBECONFIG: mesh.layout.kubeconfig,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const lines: string[] = [];
  let errors = '';
  child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
  createInterface(child.stdout).on('line', (line) => {
    if (lines.length === 0)
      mesh.startAgent({ id: `agent-${name}`, member, cluster: name, token: line });
    lines.push(line);
  });
  const code = await new Promise<number>((resolve) => child.once('close', (c) => resolve(c ?? -1)));
  return { code, output: lines.slice(1).join('\n'), errors };
}

async function untilCluster(
  mesh: RealMesh,
  name: string,
  isSo: (cluster: object | undefined) => boolean,
): Promise<void> {
  await eventually(40_000, async () => {
    const found = await mesh.kube().get(clusters, name);
    return isSo(found)
      ? []
      : [JSON.stringify(found?.status), mesh.logOf(`agent-${name}`).slice(-800)];
  });
}

test('join, status, tokens, unjoin: a cluster comes and goes by the plugin alone', async (t) => {
  const opened = await open(t);
  const { mesh, plugin, member } = opened;
  const joined = await joinWith(opened, 'second', []);
  t.is(joined.code, 0, joined.errors);
  t.regex(joined.output, /cluster\.isthmus\.dev\/second is Ready after \d+s/);
  t.regex(joined.errors, /second: waiting for its agent to join with token second-/);

  const status = await plugin.ok(['status', context]);
  t.regex(status, /second +True +Yes +Enabled +0\.1\.0 +none/);
  const json = JSON.parse(await plugin.ok(['status', '-o', 'json', context])) as {
    clusters: readonly { cluster: string; ready: string }[];
    problems: readonly unknown[];
  };
  t.like(
    json.clusters.find(({ cluster }) => cluster === 'second'),
    { ready: 'True' },
  );

  const names = await plugin.ok(['tokens', 'list', '-o', 'name', context]);
  const token = /jointoken\.isthmus\.dev\/(second-\S+)/.exec(names)?.[1] ?? '';
  t.regex(await plugin.ok(['tokens', 'revoke', token, context]), /revoked/);
  t.notRegex(await plugin.ok(['tokens', 'list', context]), new RegExp(token));

  t.regex(await plugin.ok(['cordon', 'second', context]), /second cordoned/);
  t.regex(await plugin.ok(['status', context]), /second +True +Yes +Disabled/);
  t.regex(await plugin.ok(['uncordon', 'second', context]), /second uncordoned/);
  t.regex(await plugin.ok(['uncordon', 'second', context]), /already uncordoned/);

  await mesh.createNginx();
  const wanted = [
    /Service default\/nginx: LoadBalancer, ports 80\/TCP/,
    new RegExp(`${member} +True +healthy +1/1`),
    /nginx\.default\.myfederation\.svc\.example\.com +A +\S+ +yes/,
  ];
  await eventually(20_000, async () => {
    const text = await plugin.ok(['explain', 'service', 'nginx', context]);
    return wanted.every((each) => each.test(text)) ? [] : [text];
  });

  const dry = await plugin.isthmus(['unjoin', 'second', '--dry-run', context]);
  t.is(dry.code, 0, dry.errors);
  t.not(await mesh.kube().get(clusters, 'second'), undefined);
  const left = await plugin.isthmus(['unjoin', 'second', context], { withinMs: 120_000 });
  t.is(left.code, 0, left.errors);
  t.regex(left.output, /cluster\.isthmus\.dev\/second left after/);
  t.is(await mesh.kube().get(clusters, 'second'), undefined);
});

test('a token of --approval Manual: the agent waits for a person, who may revoke it again', async (t) => {
  const opened = await open(t);
  const { mesh, plugin } = opened;
  const joining = joinWith(opened, 'edge', ['--approval', 'Manual']);
  await untilCluster(mesh, 'edge', (found) => {
    return textAt(found, 'status', 'approval', 'decision') === 'Pending';
  });
  t.regex(
    await plugin.ok(['status', context]),
    /edge: its agent waits for approval: kubectl isthmus approve edge/,
  );
  const other = ['approve', 'edge', '--fingerprint', '0000:0000:0000:0000', context];
  const refused = await plugin.isthmus(other);
  t.is(refused.code, 1);
  t.regex(refused.errors, /shows the key .* not 0000:0000:0000:0000: nothing was changed/);
  t.regex(await plugin.ok(['approve', 'edge', context]), /edge approved \(key [0-9a-f:]{19}\)/);
  const joined = await joining;
  t.is(joined.code, 0, joined.errors);

  t.regex(await plugin.ok(['revoke', 'edge', '-m', 'disk stolen', context]), /edge revoked/);
  await untilCluster(mesh, 'edge', (found) => conditionOf(found, 'Ready')?.status === 'Unknown');
  t.is((await plugin.isthmus(['deny', 'edge', context])).code, 0);
  t.regex(await plugin.ok(['approve', 'edge', context]), /approved/);
  await untilCluster(mesh, 'edge', (found) => conditionOf(found, 'Ready')?.status === 'True');
});

test('errors name what was asked and the way out, and set the exit code', async (t) => {
  const { mesh, plugin, member } = await open(t);
  const cases: readonly (readonly [readonly string[], number, RegExp])[] = [
    [['status', `--context=${member}`], 1, /context ".*"\) is no federation .*--context/],
    [
      ['status', '--context=nowhere'],
      1,
      /no context "nowhere" in contexts; there are: .*federation-cluster/,
    ],
    [['status', '--kubeconfig=/none'], 1, /there is no file \/none/],
    [['approve', 'nobody', context], 1, /no cluster "nobody"; there are: /],
    [['tokens', 'revoke', 'nothing', context], 1, /jointokens\.isthmus\.dev "nothing" not found/],
    [['explain', 'service', 'none', context], 1, /no Service "none" in namespace "default"/],
    [['join', 'x', '--expires', '10s', context], 1, /expirationSeconds: .*60/],
    [['join', 'x', '--expires', 'soon', context], 2, /"soon" is not a duration/],
    [['frobnicate'], 2, /unknown command "frobnicate"/],
    [
      [
        'join',
        'x',
        '--kubeconfig',
        mesh.layout.kubeconfig,
        context,
        '--federation-context=federation-cluster',
      ],
      1,
      /is the federation itself.*--federation-kubeconfig/,
    ],
  ];
  for (const [args, code, message] of cases) {
    const ran = await plugin.isthmus(args);
    t.is(ran.code, code, `${args.join(' ')}: ${ran.errors}`);
    t.regex(ran.errors, message);
  }
  await mesh.kill('coordinator');
  const gone = await plugin.isthmus(['status', context]);
  t.is(gone.code, 1);
  t.regex(gone.errors, /cannot be reached: connect ECONNREFUSED.*Does the coordinator run/);
});

test("completion knows commands, flags and the federation's names, also through kubectl's own", async (t) => {
  const kubectl = findPeer('kubectl');
  const { plugin, member } = await open(t, 'path' in kubectl ? kubectl.path : undefined);
  const complete = async (...args: readonly string[]): Promise<readonly string[]> => {
    const { output } = await plugin.run('kubectl_complete-isthmus', args);
    return output.trim().split('\n');
  };
  t.true((await complete('')).some((line) => line.startsWith('join\t')));
  t.deepEqual(
    (await complete('tokens', '')).map((line) => line.split('\t')[0]),
    ['list', 'revoke', ':4'],
  );
  t.deepEqual(await complete(context, 'approve', ''), [member, ':4']);
  t.deepEqual(await complete('join', 'x', '--approval', ''), ['Automatic', 'Manual', ':4']);
  t.deepEqual(await complete('join', 'x', '--kubeconfig', ''), [':0']);
  t.true((await complete('status', '--context', 'fed')).includes('federation-cluster'));
  t.deepEqual(await complete('approve', '--context=nowhere', ''), [':4']);
  const { output } = await plugin.run('kubectl', ['__complete', 'isthmus', 'approve', context, '']);
  t.regex(output, new RegExp(`^${member}$`, 'm'));

  for (const shell of ['bash', 'zsh', 'fish']) {
    t.regex(await plugin.ok(['completion', shell]), /kubectl_complete-isthmus/);
  }
  const script = `source <(kubectl isthmus completion bash)
COMP_WORDS=(kubectl-isthmus ${context} cordon ''); COMP_CWORD=3
_kubectl_isthmus; echo "\${COMPREPLY[@]}"`;
  const bash = await plugin.run('bash', ['-c', script]);
  t.is(bash.output.trim(), member, bash.errors);
});

test('a shard that nobody wants any more is shown, not claimed by mistake, and released by a person', async (t) => {
  const { mesh, plugin, member } = await open(t);
  await mesh.createNginx();
  const agent = `${member}/agent`;
  // The cluster is away while it leaves and its Service goes: on its return nobody knows the shard.
  mesh.stop(agent);
  const left = await plugin.isthmus(['unjoin', member, '--force', context], { withinMs: 90_000 });
  t.is(left.code, 0, left.errors);
  await mesh.kubectl('federation-cluster', ['delete', 'service', 'nginx', '--timeout=30s']);
  const token = await plugin.ok(['join', member, '-o', 'token', context]);
  writeFileSync(join(mesh.layout.clusterDir(member), 'join-token'), token);
  mesh.cont(agent);

  const shown = new RegExp(`default +nginx\\.${member} +${member}`);
  await eventually(60_000, async () => {
    const { output, errors } = await plugin.isthmus(['unclaimed', context]);
    return shown.test(output) ? [] : [output, errors, mesh.logOf(agent).slice(-600)];
  });
  t.regex(
    await plugin.ok(['status', context]),
    /1 unclaimed shard waits.*kubectl isthmus unclaimed/,
  );
  const claimed = await plugin.isthmus(['claim', `nginx.${member}`, context]);
  t.is(claimed.code, 1);
  t.regex(claimed.errors, /no Service default\/nginx: create it, as it is in the cluster/);
  t.is((await plugin.isthmus(['release', 'nginx', context])).code, 2);
  t.regex(await plugin.ok(['release', `nginx.${member}`, context]), /released/);
  await eventually(30_000, async () => {
    const { output } = await plugin.isthmus(['unclaimed', context]);
    return output === '' ? [] : [output];
  });
  const kept = await mesh
    .kube(member)
    .get({ apiVersion: 'v1', plural: 'services', namespace: 'default' }, 'nginx');
  t.is(textAt(kept, 'metadata', 'name'), 'nginx');
  t.notRegex(JSON.stringify(kept?.metadata.annotations ?? {}), /isthmus/);
});
