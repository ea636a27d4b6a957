// kubectl-isthmus about DNS, as an administrator uses it at night: real kubectl, a real coordinator
// with its embedded zone and a zone at the double of Cloud DNS.

import type { ExecutionContext } from 'ava';
import { systemClock } from '../../common/runtime/clock.ts';
import { openDnsView } from '../support/dns/cloud-dns/dns-view.ts';
import { openCloudDnsDouble, type CloudDnsDouble } from '../support/dns/cloud-dns/server.ts';
import { openFakeResolver, type FakeResolver } from '../support/dns/fake-resolver.ts';
import { eventually } from '../support/eventually.ts';
import { openPlugin, type PluginKubectl } from '../support/plugin.ts';
import { testWith } from '../support/programs.ts';
import { a, f, openRealMesh, type RealMesh } from '../support/real-mesh.ts';

const test = testWith('kubectl', 'nats-server');
const context = '--context=federation-cluster';
const global = 'nginx.default.myfederation.svc';

interface World {
  readonly mesh: RealMesh;
  readonly plugin: PluginKubectl;
  readonly double: CloudDnsDouble;
  readonly resolver: FakeResolver;
  /** host:port of the name server of the double. */
  readonly view: string;
}

async function openWorld(t: ExecutionContext): Promise<World> {
  t.timeout(150_000);
  const double = await openCloudDnsDouble({ clock: systemClock, lagMs: 100 });
  t.teardown(() => double.close());
  const view = await openDnsView(double.zone);
  t.teardown(() => view.close());
  const servers = double.zone.nameServers.map((name) => name.slice(0, -1));
  // The zone above cannot be asked: its server has no address here.
  const resolver = await openFakeResolver({ 'cloud.test NS': servers, 'test NS': ['ns.test'] });
  t.teardown(() => resolver.close());
  const coordinatorFlags = [`--dns-resolver=127.0.0.1:${resolver.port}`];
  const mesh = await openRealMesh({ clusters: 2, coordinatorFlags });
  t.teardown(() => mesh.close());
  const { layout } = mesh;
  const plugin = openPlugin({ folder: layout.dir, kubeconfig: layout.kubeconfig });
  const { project, managedZone, url: endpoint } = double;
  const objects = [
    {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'cloud-dns', namespace: 'default' },
      stringData: { 'credentials.json': JSON.stringify(double.credentials) },
    },
    {
      apiVersion: 'isthmus.dev/v1alpha1',
      kind: 'DNSZone',
      metadata: { name: 'cloud' },
      spec: {
        domain: 'cloud.test',
        provider: 'CloudDNS',
        cloudDNS: { project, managedZone, endpoint },
        secretRef: { namespace: 'default', name: 'cloud-dns' },
      },
    },
  ];
  await mesh.kubectl(
    'federation-cluster',
    ['create', '-f', '-'],
    objects.map((it) => JSON.stringify(it)).join('\n'),
  );
  await mesh.createNginx();
  return { mesh, plugin, double, resolver, view: `127.0.0.1:${view.port}` };
}

async function untilText(run: () => Promise<string>, ...wanted: readonly RegExp[]): Promise<void> {
  await eventually(30_000, async () => {
    const text = await run();
    return wanted.every((each) => each.test(text)) ? [] : [text];
  });
}

test('explain, check, freeze, plan and confirm DNS, at the embedded zone and at a provider', async (t) => {
  const world = await openWorld(t);
  await checkWell(t, world);
  await checkFrozen(t, world);
  await checkThawed(t, world);
  await checkChangedByHand(t, world);
});

const check = ['check', 'dns', 'nginx', context, '--zone=cloud'];
const zoneOfA = `${global}.us-central1-a.us-central1.cloud.test`;

function explainName({ plugin }: World, name: string): Promise<string> {
  return plugin.ok(['explain', 'dns', name, context]);
}

function toAsked({ view, resolver }: World): readonly string[] {
  return [`--server=${view}`, `--resolver=127.0.0.1:${resolver.port}`];
}

/** Each check says that all is well, and the exit code too. */
async function checkWell(t: ExecutionContext, world: World): Promise<void> {
  const { plugin, mesh } = world;
  await untilText(
    () => explainName(world, `${global}.cloud.test`),
    /global, in DNSZone cloud \(CloudDNS\)/,
    /\n {2}A 127\.\d+\.\d+\.\d+, 127\.\d+\.\d+\.\d+, TTL 60 s\n {2}live since \S+Z \(\d+s ago\)/,
    new RegExp(`${a} +yes +healthy +\\d+s ago +127\\.[\\d.]+ +.*1 of 1 endpoints are ready`),
  );
  const well = await plugin.isthmus([...check, ...toAsked(world)]);
  t.is(well.code, 0, well.output + well.errors);
  t.regex(
    well.output,
    /ok +delegation of cloud\.test: cloud\.test is delegated to ns-cloud-a1.* \(by the resolver: the zone above was not asked\)/,
  );
  t.regex(
    well.output,
    /ok +server 127\.0\.0\.1:\d+: It answers \d+ record sets as they are wanted/,
  );
  t.regex(
    well.output,
    /ok +agent in \S+: Pods that ask nginx\.default\.myfederation get [\d.]+ \(its own shard\)/,
  );
  await untilText(
    () => mesh.kubectl('federation-cluster', ['get', 'dnszone', 'cloud', '-o', 'yaml']),
    /reason: Delegated\n +status: "True"\n +type: Delegated/,
  );
}

/** What would be written is shown with its reason, and is not written. */
async function checkFrozen(t: ExecutionContext, world: World): Promise<void> {
  const { plugin, mesh, double } = world;
  t.regex(
    await plugin.ok(['dns', 'freeze', 'cloud', context]),
    /dnszone\.isthmus\.dev\/cloud frozen/,
  );
  t.regex(await plugin.ok(['dns', 'freeze', 'cloud', context]), /already frozen/);
  const before = double.zone.changes.length;
  await mesh.kubectl(a, ['annotate', 'pod', 'nginx', 'demo.isthmus.dev/ready=false']);
  await untilText(
    () => plugin.ok(['dns', 'plan', 'cloud', context]),
    /default\/nginx +waits: .*[Ff]rozen/,
    new RegExp(`\n {2}- +${zoneOfA} +A +127`),
    new RegExp(`\n {2}\\+ +${zoneOfA} +CNAME +`),
  );
  t.is(double.zone.changes.length, before);
  const ask = () => plugin.isthmus([...check, ...toAsked(world)]);
  // The zone's status is written after its plan is known.
  await untilText(
    async () => (await ask()).output,
    /fail +zone cloud Frozen: .*\n +-> kubectl describe dnszone cloud/,
  );
  t.is((await ask()).code, 1);
  const nothing = await plugin.isthmus(['dns', 'confirm', 'cloud', '12345678', context]);
  t.is(nothing.code, 1);
  t.regex(nothing.errors, /holds no plan: nothing was changed/);
}

async function checkThawed(t: ExecutionContext, world: World): Promise<void> {
  const { plugin } = world;
  t.regex(await plugin.ok(['dns', 'unfreeze', 'cloud', context]), /unfrozen/);
  await untilText(() => plugin.ok(['dns', 'plan', 'cloud', context]), /Nothing is to be written/);
  await untilText(
    () => explainName(world, zoneOfA),
    /CNAME nginx\.default\.myfederation\.svc\.us-central1\.cloud\.test/,
    /It leads to nginx\.default\.myfederation\.svc\.us-central1\.cloud\.test, below/,
    new RegExp(`${a} +no +(?!healthy)\\S+ +\\d+s ago +.*0 of 1 endpoints are ready`),
    new RegExp(`${f} +- +healthy .*It is elsewhere: us-central1-f, us-central1\\.`),
  );
}

/** Before that a record that is on its way may still answer as before. */
async function untilLive(world: World): Promise<void> {
  const { plugin } = world;
  await untilText(
    async () => (await plugin.isthmus([...check, ...toAsked(world)])).output,
    /4 of 4 record sets are live/,
  );
}

/** A record that somebody changed is named, with what it should be. */
async function checkChangedByHand(t: ExecutionContext, world: World): Promise<void> {
  const { plugin, double } = world;
  const name = `${global}.us-central1.cloud.test.`;
  await untilLive(world);
  double.zone.replace([{ name, type: 'A', ttl: 60, rrdatas: ['192.0.2.66'] }]);
  await eventually(5000, () => {
    const served = double.zone.servedAt(name)?.get('A')?.rrdatas ?? [];
    return Promise.resolve(served.includes('192.0.2.66') ? [] : ['the former is served']);
  });
  const strange = await plugin.isthmus([...check, ...toAsked(world), '-o', 'json']);
  t.is(strange.code, 1);
  const { result, checks } = JSON.parse(strange.output) as {
    result: string;
    checks: readonly { status: string; message: string; wayOut?: string }[];
  };
  t.is(result, 'fail');
  const named = checks.find(({ message }) => message.includes('192.0.2.66'));
  t.is(named?.status, 'fail', strange.output);
  t.regex(named?.message ?? '', /us-central1\.cloud\.test A: it answers 192\.0\.2\.66, not 127\./);
  t.regex(named?.wayOut ?? '', /^dig @127\.0\.0\.1 -p \d+ /);
}

test('each wrong part of a name is told, and each name that is not there', async (t) => {
  const { plugin, mesh } = await openWorld(t);
  await untilText(
    () => mesh.kubectl('federation-cluster', ['get', 'dnsrecordsets']),
    /myfederation\.svc\.example\.com/,
  );
  const cases: readonly (readonly [string, RegExp])[] = [
    [
      'www.example.org',
      /is below no domain of this federation; DNSZones have: cloud\.test, example\.com; and as what Pods ask: the federation is/,
    ],
    ['nginx.example.com', /neither a short name .* nor of the form SERVICE\.NAMESPACE/],
    [`nginx.default.other.svc.example.com`, /the federation is "myfederation", not "other"/],
    [`web.default.myfederation.svc.example.com`, /no Service "web" in namespace "default"$/m],
    [
      `nginx.shop.myfederation.svc.example.com`,
      /in namespace "shop", which does not exist; there is one in: default/,
    ],
    [`${global}.mars.example.com`, /no cluster is in a region "mars"; there are: us-central1/],
    [
      `${global}.x.us-central1.example.com`,
      /in a zone "x"; there are: us-central1-a, us-central1-f/,
    ],
  ];
  for (const [name, message] of cases) {
    const ran = await plugin.isthmus(['explain', 'dns', name, context]);
    t.is(ran.code, 1, name);
    t.regex(ran.errors, message);
  }
  t.regex(
    await plugin.ok(['explain', 'dns', 'NGINX.default.myfederation', context]),
    /Pods ask nginx\.default\.myfederation: the agent of each cluster answers/,
  );

  const errors: readonly (readonly [readonly string[], number, RegExp])[] = [
    [['dns', 'plan', 'nowhere'], 1, /no DNSZone "nowhere"; there are: cloud, example\.com/],
    [['dns', 'freeze', 'example.com'], 1, /answered by the coordinator itself/],
    [['check', 'dns', 'nginx', '--server', 'a b'], 2, /--server: "a b" is no HOST:PORT/],
    [['check', 'dns', 'none'], 1, /Command failed/], // all of it is on standard output
    [['dns'], 2, /dns needs one of: plan, confirm, freeze, unfreeze/],
  ];
  for (const [args, code, message] of errors) {
    const ran = await plugin.isthmus([...args, context]);
    t.is(ran.code, code, `${args.join(' ')}: ${ran.errors}`);
    t.regex(ran.errors, message);
  }
  t.regex(await plugin.ok(['dns', 'plan', 'example.com', context]), /written at no provider/);

  // The embedded zone, by the address that it listens on: names are answered by UDP and TCP.
  const dns = mesh.at('dns');
  const embedded = await plugin.isthmus([
    'check',
    'dns',
    'nginx',
    '--zone=example.com',
    `--server=${dns}`,
    context,
  ]);
  t.is(embedded.code, 0, embedded.output + embedded.errors);
  t.regex(
    embedded.output,
    /ok +server 127\.0\.0\.1:\d+: It answers \d+ record sets as they are wanted/,
  );
  t.regex(embedded.output, /warn +delegation of example\.com NoNameServers/);

  const offered = await plugin.run('kubectl', ['isthmus', 'explain', 'dns', '--help']);
  t.regex(offered.output, /Usage: kubectl isthmus explain dns NAME \[flags\]/);
  const completed = await plugin.run('kubectl_complete-isthmus', ['dns', 'freeze', '']);
  t.regex(completed.output, /^cloud$/m);
});
