// What kubectl reads and prints, in every version of the supported range: each output form, lists
// in pages, descriptions, events, and the texts of what a Service cannot do.

import type { ExecutionContext } from 'ava';
import { startFederationApi, type FederationApi } from '../support/federation-api.ts';
import { nameMissingKubectls } from '../support/kubectl-versions.ts';
import { createKubectl, type Kubectl } from '../support/kubectl.ts';
import { findKubectls, testWith } from '../support/programs.ts';

const minors = ['1.27', '1.28', '1.29', '1.30', '1.31', '1.32', '1.33', '1.34', '1.35', '1.36'];

type Check = (t: ExecutionContext, kubectl: Kubectl, minor: number) => Promise<void>;

const { found, notFound } = findKubectls(minors);
const test = testWith('kubectl');

/** One server for all versions: what is read here, nobody changes. */
let serving: Promise<FederationApi> | undefined;

async function serve(): Promise<FederationApi> {
  const federation = await startFederationApi();
  for (const [plural, objects] of fixtures) {
    for (const object of objects) {
      federation.projections.get(plural)?.put({
        ...object,
        metadata: {
          ...object.metadata,
          namespace: 'default',
          creationTimestamp: '2026-01-02T03:04:05Z',
        },
      });
    }
  }
  const [first] = found;
  if (first === undefined) return federation;
  const kubectl = createKubectl(first.path, federation.https);
  await kubectl.ok(['create', '--validate=false', '-f', '-'], { input: services });
  const uid = await kubectl.ok(['get', 'svc', 'web', '-o', 'jsonpath={.metadata.uid}']);
  for (const at of ['one', 'two']) {
    await kubectl.ok(['create', '--validate=false', '-f', '-'], { input: event(at, uid) });
  }
  const status =
    '{"status":{"loadBalancer":{"ingress":[{"ip":"192.0.2.7"},{"hostname":"lb.example.com"}]}}}';
  await kubectl.ok(['patch', 'svc', 'lb', '--subresource=status', '--type=merge', '-p', status]);
  kubectl.remove();
  return federation;
}

const services = `
apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: Service
  metadata: {name: web, labels: {app: web, tier: front}}
  spec: {type: ClusterIP, selector: {app: web, tier: front}, ports: [{name: http, port: 80}, {name: dns, port: 53, protocol: UDP}]}
- apiVersion: v1
  kind: Service
  metadata: {name: lb, labels: {app: lb}}
  spec: {type: LoadBalancer, selector: {app: lb}, ports: [{port: 80}]}
- apiVersion: v1
  kind: Service
  metadata: {name: outside, labels: {app: outside}}
  spec: {type: ExternalName, externalName: db.example.com}
- apiVersion: v1
  kind: Service
  metadata: {name: headless}
  spec: {clusterIP: None, selector: {app: web}, ports: [{port: 80}]}
`;

function event(name: string, uid: string): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name: `web.${name}`, namespace: 'default' },
    involvedObject: {
      kind: 'Service',
      name: 'web',
      namespace: 'default',
      apiVersion: 'v1',
      uid,
    },
    type: name === 'one' ? 'Normal' : 'Warning',
    reason: `Reason${name}`,
    message: `what happened ${name}`,
    source: { component: 'isthmus' },
    firstTimestamp: '2026-01-02T03:04:05Z',
    lastTimestamp: '2026-01-02T03:04:05Z',
    count: 1,
  });
}

const labels = { 'kubernetes.io/service-name': 'web' };
const fixtures = [
  [
    '/endpoints',
    [
      {
        apiVersion: 'v1',
        kind: 'Endpoints',
        metadata: { name: 'web' },
        subsets: [
          {
            addresses: ['192.0.2.1', '192.0.2.2', '192.0.2.3', '192.0.2.4'].map((ip) => ({ ip })),
            ports: [{ name: 'http', port: 80, protocol: 'TCP' }],
          },
        ],
      },
    ],
  ],
  [
    'discovery.k8s.io/endpointslices',
    [
      {
        apiVersion: 'discovery.k8s.io/v1',
        kind: 'EndpointSlice',
        metadata: { name: 'web-1', labels },
        addressType: 'IPv4',
        endpoints: [
          { addresses: ['192.0.2.1'], conditions: { ready: true } },
          { addresses: ['192.0.2.2'], conditions: { ready: true } },
        ],
        ports: [{ name: 'http', port: 80, protocol: 'TCP' }],
      },
    ],
  ],
] as const;

// What changed between versions is tried with each; the rest with the oldest and the newest, and
// with all when time does not matter.
const isFull = process.env['TEST_FULL'] === 'true';

function each(title: string, check: Check, versions: 'all' | 'ends' = 'ends'): void {
  const some = found.filter((_, index) => index === 0 || index === found.length - 1);
  for (const { minor, path } of versions === 'all' || isFull ? found : some) {
    test(`${title} (kubectl ${minor})`, async (t) => {
      t.timeout(120_000);
      serving ??= serve();
      const kubectl = createKubectl(path, (await serving).https);
      t.teardown(() => kubectl.remove());
      await check(t, kubectl, Number(minor.split('.')[1]));
    });
  }
}

test.after.always(async () => {
  await (await serving)?.close();
});

each('[k8s 35] services of each type have the columns that people know', async (t, kubectl) => {
  const text = await kubectl.ok(['get', 'svc', '-o', 'wide']);
  t.regex(text, /^NAME +TYPE +CLUSTER-IP +EXTERNAL-IP +PORT\(S\) +AGE +SELECTOR\n/);
  t.regex(text, /\nheadless +ClusterIP +None +<none> +80\/TCP +\S+ +app=web\n/);
  t.regex(
    text,
    /\nlb +LoadBalancer +\S+ +192\.0\.2\.7,lb\.example\.com +80(:\d+)?\/TCP +\S+ +app=lb\n/,
  );
  t.regex(text, /\noutside +ExternalName +<none> +db\.example\.com +<none> +\S+ +<none>\n/);
  t.regex(text, /\nweb +ClusterIP +\S+ +<none> +80\/TCP,53\/UDP +\S+ +app=web,tier=front\n/);
  t.notRegex(await kubectl.ok(['get', 'svc']), /SELECTOR/);
});

each('[k8s 36] every output form is the same object', async (t, kubectl) => {
  const get = (...args: readonly string[]) => kubectl.ok(['get', 'svc', ...args]);
  t.is(await get('web', '-o', 'name'), 'service/web\n');
  t.is(await get('web', '-o', 'jsonpath={.spec.ports[*].port}'), '80 53');
  t.is(await get('web', '-o', 'go-template={{.metadata.name}} {{len .spec.ports}}'), 'web 2');
  t.is(
    await get(
      '-l',
      'app in (web,lb)',
      '-o',
      'custom-columns=N:.metadata.name,T:.spec.type',
      '--no-headers',
    ),
    'lb    LoadBalancer\nweb   ClusterIP\n',
  );
  t.is(JSON.parse(await get('web', '-o', 'json')).kind, 'Service');
  const list = JSON.parse(await get('-o', 'json')) as { kind: string; items: { kind: string }[] };
  t.is(list.kind, 'List');
  t.deepEqual([...new Set(list.items.map(({ kind }) => kind))], ['Service']);
  t.regex(await get('web', '-o', 'yaml'), /^apiVersion: v1\nkind: Service\n/);
  t.regex(await get('-A'), /^NAMESPACE +NAME .*\ndefault +headless /);
  t.regex(await get('web', '--show-labels'), /LABELS\nweb .*app=web,tier=front\n$/);
  t.regex(await get('-L', 'tier', '-l', 'tier'), /TIER\nweb .*front\n$/);
  t.deepEqual(
    (await get('--sort-by=.spec.type', '-o', 'name')).trim().split('\n').at(-1),
    'service/lb',
  );
  t.notRegex(await get('--no-headers'), /NAME/);
});

each('[k8s 37, 7] what is missing is said, and is an exit code', async (t, kubectl) => {
  const missing = await kubectl.run(['get', 'svc', 'nope']);
  t.is(missing.code, 1);
  t.is(missing.stderr, 'Error from server (NotFound): services "nope" not found\n');
  t.is((await kubectl.run(['get', 'svc', 'nope', '--ignore-not-found'])).code, 0);
  const foo = await kubectl.run(['get', 'foo']);
  t.is(foo.code, 1);
  t.is(foo.stderr, 'error: the server doesn\'t have a resource type "foo"\n');
});

each('[k8s 6] a Service is found under each of its names', async (t, kubectl) => {
  for (const name of ['svc', 'service', 'services', 'services.v1.']) {
    t.is(await kubectl.ok(['get', name, 'web', '-o', 'name']), 'service/web\n');
  }
  t.is(await kubectl.ok(['get', 'svc/web', '-o', 'name']), 'service/web\n');
  t.regex(await kubectl.ok(['get', 'all']), /service\/web|^NAME.*\n(.*\n)*web /);
  t.regex(await kubectl.ok(['get', 'svc,ns', '-o', 'name']), /service\/web\nnamespace\/default\n/);
});

each('[k8s 55] field selectors and pages of one', async (t, kubectl) => {
  const names = (...args: readonly string[]) => kubectl.ok(['get', 'svc', '-o', 'name', ...args]);
  t.is(await names('--field-selector', 'spec.type=LoadBalancer'), 'service/lb\n');
  t.is(await names('--field-selector', 'metadata.name=web'), 'service/web\n');
  t.is(await names('--chunk-size=1'), await names());
  const table = (...args: readonly string[]) => kubectl.ok(['get', 'svc', '--no-headers', ...args]);
  t.is((await table('--chunk-size=1')).split('\n').length, (await table()).split('\n').length);
  const bad = await kubectl.run(['get', 'svc', '--field-selector', 'spec.foo=1']);
  t.regex(bad.stderr, /field label not supported: spec\.foo/);
});

each(
  '[k8s 41, 42] describe reads endpoints or slices, and events',
  async (t, kubectl, minor) => {
    const web = await kubectl.ok(['describe', 'svc', 'web']);
    t.regex(web, /^Name: +web$/m);
    t.regex(web, /^Endpoints: +192\.0\.2\.1:80,192\.0\.2\.2:80/m);
    t.regex(web, minor <= 30 ? /192\.0\.2\.3:80 \+ 1 more\.\.\./ : /192\.0\.2\.2:80$/m);
    t.regex(web, /Reasonone/);
    t.notRegex(await kubectl.ok(['describe', 'svc', 'web', '--show-events=false']), /Reasonone/);
    t.regex(await kubectl.ok(['describe', 'svc', '--chunk-size=1']), /^Name: +lb$/m);
    const lb = await kubectl.ok(['describe', 'svc', 'lb']);
    t.regex(lb, /^LoadBalancer Ingress: +192\.0\.2\.7( \(VIP\))?, lb\.example\.com$/m);
  },
  'all',
);

each('[k8s 43] events are listed, chosen and counted', async (t, kubectl) => {
  t.regex(
    await kubectl.ok(['get', 'ev']),
    /^LAST SEEN +TYPE +REASON +OBJECT +MESSAGE\n(.*\n)*\S+ +Normal +Reasonone +service\/web +what happened one\n/,
  );
  t.regex(await kubectl.ok(['events']), /Reasonone(.*\n)*.*Reasontwo|Reasontwo(.*\n)*.*Reasonone/);
  t.regex(await kubectl.ok(['events', '--for', 'service/web']), /Reasonone/);
  t.notRegex(await kubectl.ok(['events', '--types=Warning']), /Reasonone/);
  t.regex(await kubectl.ok(['events', '--for', 'service/lb']), /^No events found|^$/);
});

each(
  '[k8s 44] endpoints and slices are read, with the warning that endpoints earn',
  async (t, kubectl) => {
    const ep = await kubectl.run(['get', 'ep']);
    t.is(ep.code, 0);
    t.regex(
      ep.stdout,
      /^NAME +ENDPOINTS +AGE\nweb +192\.0\.2\.1:80,192\.0\.2\.2:80,192\.0\.2\.3:80 \+ 1 more\.\.\. /,
    );
    t.is(
      ep.stderr,
      'Warning: v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice\n',
    );
    const slices = await kubectl.run(['get', 'endpointslices']);
    t.is(slices.stderr, '');
    t.regex(
      slices.stdout,
      /^NAME +ADDRESSTYPE +PORTS +ENDPOINTS +AGE\nweb-1 +IPv4 +80 +192\.0\.2\.1,192\.0\.2\.2 /,
    );
    const refused = await kubectl.run(['delete', 'ep', 'web']);
    t.is(refused.code, 1);
    t.regex(refused.stderr, /\(MethodNotAllowed\)/);
  },
);

each('[k8s 45, 5] raw paths, resources and versions are shown', async (t, kubectl) => {
  const raw = JSON.parse(await kubectl.ok(['get', '--raw', '/api/v1/namespaces/default/services']));
  t.is(raw.kind, 'ServiceList');
  t.regex(await kubectl.ok(['api-versions']), /^discovery\.k8s\.io\/v1$(.*\n)*^v1$/m);
  const wide = await kubectl.ok(['api-resources', '--verbs=list,get', '-o', 'wide']);
  t.regex(wide, /^services +svc +v1 +true +Service +create,\S*watch\S*( +all)?$/m);
  const global = await kubectl.ok(['api-resources', '--namespaced=false', '-o', 'name']);
  t.regex(global, /^namespaces$/m);
  t.notRegex(global, /^services$/m);
});

const unfound = 'Error from server (NotFound): the server could not find the requested resource\n';

for (const [args, refusal] of [
  [['scale', 'svc', 'web', '--replicas=2'], unfound],
  [
    ['autoscale', 'svc', 'web', '--max=2'],
    'error: cannot autoscale a Service: could not find scale subresource for ' +
      '/v1, Resource=services in discovery information\n',
  ],
  [
    ['rollout', 'status', 'svc', 'web'],
    'error: no status viewer has been implemented for Service\n',
  ],
  [['port-forward', 'svc/web', '8080:80'], unfound],
  [['logs', 'svc/web'], unfound],
] as const) {
  each(`[k8s 126] ${args.join(' ')} is refused in the known words`, async (t, kubectl) => {
    const { code, stderr } = await kubectl.run(args);
    t.is(code, 1);
    t.is(stderr, refusal);
  });
}

nameMissingKubectls(notFound, 'reading');
