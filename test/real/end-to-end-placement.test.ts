// Placement with real kubectl over real processes: dry runs, overrides, cordon, a move, and
// clusters that leave. DNS answers live for two seconds here.

import { eventually } from '../support/eventually.ts';
import { testWith } from '../support/programs.ts';
import { a, aws, f, openRealMesh, type RealMesh } from '../support/real-mesh.ts';

const test = testWith('kubectl', 'nats-server');
const federated = 'federation-cluster';
let mesh: RealMesh;

test.before(async () => {
  mesh = await openRealMesh({ clusters: 3, coordinatorFlags: ['--ttl-seconds=2'] });
  await mesh.createNginx();
});

test.after.always('no process crashed, and none is left', async (t) => {
  await mesh?.close();
  t.deepEqual(mesh?.crashes, []);
});

function policy(spec: object): string {
  return JSON.stringify({
    apiVersion: 'isthmus.dev/v1alpha1',
    kind: 'ServicePolicy',
    metadata: { name: 'nginx', namespace: 'default' },
    spec: { serviceName: 'nginx', ...spec },
  });
}

const apply = (spec: object, ...flags: readonly string[]) =>
  mesh.tryKubectl(['apply', '-f', '-', ...flags], policy(spec));

function patchCluster(name: string, spec: object): Promise<string> {
  const patch = JSON.stringify({ spec });
  return mesh.kubectl(federated, ['patch', 'cluster', name, '--type=merge', '-p', patch]);
}

function shardIn(cluster: string, ...flags: readonly string[]): Promise<string> {
  const args = ['get', 'service', 'nginx', '-o', 'json', '--ignore-not-found', ...flags];
  return mesh.kubectl(cluster, args);
}

function conditionsOf(what: string, name: string): Promise<string> {
  const path = '{range .status.conditions[*]}{.type}={.status}/{.reason} {end}';
  return mesh.kubectl(federated, ['get', what, name, '-o', `jsonpath=${path}`]);
}

/** Throws when it does not come true in time. */
function until(what: string, isTrue: () => Promise<boolean>): Promise<void> {
  return eventually(30_000, async () => ((await isTrue()) ? [] : [what]), 200);
}

const dnsLeadsTo = (...healthy: readonly string[]): Promise<void> =>
  until(`DNS leads to ${healthy.join()}`, async () => (await mesh.dnsFaults(healthy)).length === 0);

/** A cluster that has left has no names of its own: what the global name answers is asked. */
async function globalAddresses(): Promise<number> {
  const answers = await mesh.answers();
  const [shortest] = [...answers.keys()].sort((one, other) => one.length - other.length);
  return (answers.get(shortest ?? '') ?? '').split(' ').length - 1;
}

test.serial('a dry run names clusters and DNS names as warnings of kubectl', async (t) => {
  const gone = await mesh.tryKubectl(['delete', 'service', 'nginx', '--dry-run=server']);
  t.is(gone.code, 0);
  t.regex(gone.errors, /Warning: dry run: shards would leave .*aws-us-east-1a/);
  t.regex(gone.errors, /Warning: dry run: names would go: nginx\.default\.myfederation\.svc\./);
  const less = await apply({ placement: { clusters: [a, f] } }, '--dry-run=server');
  t.regex(less.errors, new RegExp(`Warning: dry run: shards would leave ${aws}`));
  const cluster = await mesh.tryKubectl(['delete', 'cluster', aws, '--dry-run=server']);
  t.regex(cluster.errors, new RegExp(`shards would leave ${aws}: default/nginx`));
  t.deepEqual(await mesh.dnsFaults([a, f, aws]), []);
});

test.serial('overrides reach their cluster alone; one that does not fit is refused', async (t) => {
  const overrides = [
    { clusters: [a], annotations: { 'example.com/lb': 'internal' } },
    { clusters: [a], patch: [{ op: 'add', path: '/spec/sessionAffinity', value: 'ClientIP' }] },
  ];
  t.is((await apply({ overrides })).code, 0);
  await until('the override is there', async () => {
    const shard = await shardIn(a);
    return shard.includes('"example.com/lb": "internal"') && shard.includes('"ClientIP"');
  });
  t.notRegex(await shardIn(f), /example\.com\/lb|ClientIP/);
  await until('the policy says so', async () => {
    const said = await conditionsOf('servicepolicy', 'nginx');
    return said.includes('Accepted=True/Accepted OverridesApplied=True/Applied');
  });
  const bad = [{ patch: [{ op: 'remove', path: '/spec/ports/7' }] }];
  const refused = await apply({ overrides: bad });
  t.not(refused.code, 0);
  t.regex(refused.errors, /spec\.overrides\[0\]\.patch\[0\]: .*nothing stands at \/spec\/ports\/7/);
  t.is((await apply({})).code, 0);
  await until('the override is gone', async () => !(await shardIn(a)).includes('example.com/lb'));
});

test.serial(
  'a move leaves DNS first and the cluster after it; cordon keeps new ones out',
  async (t) => {
    t.is((await apply({ placement: { clusters: [a] } })).code, 0);
    await dnsLeadsTo(a);
    await until('its shard is gone', async () => (await shardIn(aws)) === '');
    await until('and the other', async () => (await shardIn(f)) === '');
    await patchCluster(f, { unschedulable: true });
    t.regex(await mesh.kubectl(federated, ['get', 'clusters']), new RegExp(`${f} .*Disabled`));
    t.is((await apply({ placement: { clusters: [f, aws] } })).code, 0);
    await dnsLeadsTo(aws);
    await until('the old shard is gone', async () => (await shardIn(a)) === '');
    t.is(await shardIn(f), '');
    await patchCluster(f, { unschedulable: null });
    await dnsLeadsTo(f, aws);
    await mesh.kubectl(federated, ['delete', 'servicepolicy', 'nginx']);
    await dnsLeadsTo(a, f, aws);
  },
);

test.serial('a cluster that leaves with its shards kept bears no mark of ours', async (t) => {
  const ran = await mesh.tryKubectl(['delete', 'cluster', f, '--cascade=orphan', '--timeout=25s']);
  t.is(ran.code, 0, ran.errors);
  const kept = await shardIn(f, '--show-managed-fields');
  t.regex(kept, /"name": "nginx"/);
  t.notRegex(kept, /isthmus/);
  t.is(await globalAddresses(), 2);
  t.notRegex(await mesh.kubectl(federated, ['get', 'clusters']), new RegExp(f));
});

test.serial('a cluster whose agent is away is waited for, and can be forced out', async (t) => {
  await mesh.kill(`${aws}/agent`);
  const ran = await mesh.tryKubectl(['delete', 'cluster', aws, '--wait=false']);
  t.is(ran.code, 0, ran.errors);
  await until('it waits', async () =>
    (await conditionsOf('cluster', aws)).includes('Leaving=True/AgentAway'),
  );
  t.is(await globalAddresses(), 1, 'its names went first');
  await patchCluster(aws, { unjoinWaitSeconds: 0 });
  await until(
    'it is gone',
    async () => !(await mesh.kubectl(federated, ['get', 'clusters'])).includes(aws),
  );
  const events = await mesh.kubectl(federated, ['get', 'events', '-A']);
  t.regex(events, /UnjoinForced.*default\/nginx stay there/);
});
