// The charts as Helm 3 and 4 take them: linted, refused with bad values, rendered into arguments that
// the programs accept, installed into a real kube-apiserver, upgraded, and gone without a trace.

import type { ExecutionContext } from 'ava';
import { toAgentOptions, agentProgram } from '../../agent/settings.ts';
import type { JsonObject } from '../../common/model/kube-object.ts';
import { encodeSeed, openSeed } from '../../common/runtime/nkeys.ts';
import { readSettings } from '../../common/runtime/settings.ts';
import {
  checkCoordinatorSettings,
  coordinatorProgram,
} from '../../coordinator/settings/settings.ts';
import { chartNamespace, openHelm, type Helm, type RenderedObject } from '../support/chart.ts';
import { eventually } from '../support/eventually.ts';
import { startKubeApiserver, type KubeApiserver } from '../support/kube-apiserver.ts';
import { testWithPeers } from '../support/peers.ts';

const test = testWithPeers('helm', 'helm.4', 'etcd', 'kube-apiserver');

type ChartName = 'agent' | 'coordinator';

const needed: Readonly<Record<ChartName, readonly string[]>> = {
  agent: ['cluster.name=a', 'coordinator.address=fed.example.com:7443'],
  coordinator: ['advertise={fed.example.com}'],
};
const account = openSeed(encodeSeed('account', new Uint8Array(32))).publicKey;
const token = `isthmus.v1.t.secret.${'0a'.repeat(16)}`;

/** What a release may look like; each one is rendered, read by the program and installed. */
const variants: readonly (readonly [ChartName, string, readonly string[]])[] = [
  ['agent', 'as it comes', []],
  [
    'agent',
    'with a token and a proxy',
    [`join.token=${token}`, 'proxy.existingSecret.name=way-out'],
  ],
  [
    'agent',
    'in two namespaces, without Nodes, with disks',
    [
      'rbac.scope=namespaces',
      'rbac.readNodes=false',
      'cluster.zone=z1,cluster.region=r1',
      'guard.allowedNamespaces={shop,till}',
      'cluster.addressPreference={203.0.113.0/24,10.0.0.0/8}',
      'guard.neverProbe={10.96.0.0/12,fd00::/108}',
      'guard.removalsPerMinute=0',
      'join.existingSecret.name=mine',
      'persistence.enabled=true,persistence.storageClass=fast',
      'proxy.https=http://proxy:3128,proxy.noProxy=.svc',
      'metrics.serviceMonitor.enabled=true,metrics.serviceMonitor.labels.team=net',
      'resolver.service.clusterIP=10.96.0.53',
      'networkPolicy.metricsFrom[0].namespaceSelector.matchLabels.name=monitoring',
      'log.level=warn,extraArgs.allow-loopback=true',
      'topologySpread.whenUnsatisfiable=DoNotSchedule,replicas=3',
    ],
  ],
  ['coordinator', 'as it comes', []],
  [
    'coordinator',
    'with an identity at a cloud',
    [
      'serviceAccount.create=true',
      'serviceAccount.annotations.iam\\.gke\\.io/gcp-service-account=dns@p.iam.gserviceaccount.com',
      'extraEnv[0].name=AWS_REGION',
      'extraEnv[0].value=eu-west-1',
    ],
  ],
  [
    'coordinator',
    'with a NATS, a key and Services of yours',
    [
      'nats.mode=external,nats.urls={tls://n1.example.com:4222,tls://n2.example.com:4222}',
      'nats.ca.existingSecret.name=nats-ca,nats.signingSeed.existingSecret.name=nats-seed',
      `nats.account=${account}`,
      'join.approval=Manual,join.certificateHours=24,hosted.agentsMax=0',
      'encryptionKey.existingSecret.name=keys',
      'service.api.type=ClusterIP,service.dns.type=NodePort',
      'service.agents.loadBalancerSourceRanges={203.0.113.0/24}',
      'metrics.serviceMonitor.enabled=true',
      'extraArgs.max-connections=100',
    ],
  ],
];

const refusals: readonly (readonly [ChartName, readonly string[], RegExp])[] = [
  ['agent', ['cluster.name=A_b'], /\/cluster\/name|cluster\.name/],
  ['agent', ['cluster.name='], /cluster\.name is needed: .* DNS label/],
  ['agent', ['coordinator.address='], /coordinator\.address is needed: host:port/],
  ['agent', ['coordinator.address=fed.example.com'], /\/coordinator\/address/],
  ['agent', ['join.token=abc'], /\/join\/token/],
  [
    'agent',
    [`join.token=${token}`, 'join.existingSecret.name=x'],
    /join\.token and join\.existingSecret\.name exclude each other/,
  ],
  ['agent', ['proxy.https=proxy:3128'], /\/proxy\/https/],
  [
    'agent',
    ['proxy.https=http://p:3128', 'proxy.existingSecret.name=x'],
    /proxy\.https and proxy\.existingSecret\.name exclude each other/,
  ],
  ['agent', ['replicas=0'], /\/replicas/],
  ['agent', ['replica=1'], /replica/],
  ['agent', ['guard.allowedNamespace={a}'], /allowedNamespace/],
  ['agent', ['guard.allowedNamespaces={kube-system}'], /kube-system belongs to Kubernetes itself/],
  ['agent', ['rbac.scope=namespaces'], /needs guard\.allowedNamespaces/],
  [
    'agent',
    ['rbac.scope=namespaces', 'guard.allowedNamespaces={team-*}'],
    /needs namespaces by name: .*"team-\*"/,
  ],
  ['agent', ['rbac.readNodes=false'], /needs cluster\.zone and cluster\.region/],
  ['coordinator', ['replicas=2'], /\/replicas/],
  ['coordinator', ['advertise=null'], /advertise is needed/],
  ['coordinator', ['federation.name=My'], /\/federation\/name/],
  ['coordinator', ['federation.domain=example.com.'], /\/federation\/domain/],
  ['coordinator', ['nats.mode=external'], /needs nats\.urls/],
  ['coordinator', ['nats.urls={tls://n:4222}'], /are for nats\.mode=external/],
  [
    'coordinator',
    ['nats.mode=external,nats.urls={tls://n:4222}', `nats.account=${account}`],
    /nats\.account and nats\.signingSeed\.existingSecret\.name go together/,
  ],
];

for (const peer of ['helm', 'helm.4']) {
  testWithPeers(peer)(`${peer} lints both charts and says which value is wrong`, async (t) => {
    t.timeout(90_000);
    const helm = openHelm(peer);
    t.teardown(() => helm.close());
    for (const chart of ['agent', 'coordinator'] as const) {
      const linted = await helm.run(['lint', '--strict', `charts/${chart}`]);
      t.is(linted.code, 0, linted.output);
    }
    for (const chart of ['agent', 'coordinator'] as const) {
      const objects = await helm.template(chart, [...needed[chart], 'network.ipFamily=IPv6']);
      t.is(readByProgram(chart, podOf(objects)), undefined, `${chart} on IPv6`);
    }
    // One says what the other says; each refusal is a process.
    const some = peer === 'helm' ? refusals : refusals.slice(0, 3);
    for (const [chart, values, reason] of some) {
      const error = await t.throwsAsync(helm.template(chart, [...needed[chart], ...values]));
      t.regex(error?.message ?? '', reason, values.join());
    }
  });
}

test('both Helms render arguments that the programs accept, install, upgrade without a loss, and leave nothing', async (t) => {
  t.timeout(150_000);
  const server = await startKubeApiserver();
  t.teardown(() => server.stop());
  await prepare(server);
  for (const peer of ['helm', 'helm.4']) {
    const helm = openHelm(peer);
    t.teardown(() => helm.close());
    for (const [chart, what, values] of variants) {
      await livesAndGoes(t, { server, helm, chart, what: `${peer} ${chart} ${what}`, values });
    }
  }
});

function podOf(objects: readonly RenderedObject[]): PodSpec {
  const workload = objects.find(({ kind }) => kind === 'Deployment' || kind === 'StatefulSet');
  if (workload === undefined) throw new Error('no workload is rendered');
  const { template } = workload.spec as unknown as { readonly template: { spec: PodSpec } };
  return template.spec;
}

interface PodSpec {
  readonly containers: readonly { readonly args: readonly string[] }[];
}

/** What the program would say and end with; undefined when it would start. */
function readByProgram(chart: ChartName, { containers }: PodSpec): string | undefined {
  const argv = (containers[0]?.args ?? []).map((arg) =>
    arg.replace('$(POD_IP)', '10.0.0.7').replace('$(POD_UID)', '5d1f'),
  );
  const program = chart === 'agent' ? agentProgram('0') : coordinatorProgram('0');
  const outcome = readSettings(program, { argv, env: {} });
  if (outcome.kind !== 'run') return JSON.stringify(outcome);
  if (chart === 'coordinator') return checkCoordinatorSettings(outcome.values);
  const checked = toAgentOptions(outcome.values);
  return checked.kind === 'error' ? checked.message : undefined;
}

interface Installing {
  readonly server: KubeApiserver;
  readonly helm: Helm;
  readonly chart: ChartName;
  readonly what: string;
  readonly values: readonly string[];
}

/** Strict Pod security, the CRD of the Prometheus operator, and namespaces that get Roles. */
async function prepare(server: KubeApiserver): Promise<void> {
  const restricted = { 'pod-security.kubernetes.io/enforce': 'restricted' };
  for (const [name, labels] of [
    [chartNamespace, restricted],
    ['shop', {}],
    ['till', {}],
  ] as const) {
    const body = { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } };
    await server.ask({ method: 'POST', path: '/api/v1/namespaces', body });
  }
  await server.ask({
    method: 'POST',
    path: '/apis/apiextensions.k8s.io/v1/customresourcedefinitions',
    body: serviceMonitorDefinition,
  });
  const path = '/apis/monitoring.coreos.com/v1/servicemonitors';
  await eventually(20_000, async () => {
    const { status } = await server.ask({ path });
    return status === 200 ? [] : [`${path}: ${status}`];
  });
}

const serviceMonitorDefinition = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'servicemonitors.monitoring.coreos.com' },
  spec: {
    group: 'monitoring.coreos.com',
    scope: 'Namespaced',
    names: { kind: 'ServiceMonitor', plural: 'servicemonitors', singular: 'servicemonitor' },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        schema: {
          openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
        },
      },
    ],
  },
};

async function livesAndGoes(t: ExecutionContext, of: Installing): Promise<void> {
  const { server, helm, chart, what, values } = of;
  const sets = [...needed[chart], ...values].map((value) => `--set=${value}`);
  const name = `isthmus-${chart}`;
  const helmDo = async (...args: readonly string[]): Promise<string> => {
    const ran = await helm.run(args, { KUBECONFIG: server.kubeconfig });
    t.is(ran.code, 0, `${what}: ${args[0]}: ${ran.errors}`);
    return ran.output;
  };
  const notes = await helmDo('install', name, `charts/${chart}`, ...sets);
  t.regex(notes, chart === 'agent' ? /forward \. / : /kubectl isthmus join CLUSTER/);
  await isAdmitted(t, of);
  if (chart === 'agent') await fill(server);
  await helmDo('upgrade', name, `charts/${chart}`, ...sets, '--set=podAnnotations.v=two');
  if (chart === 'agent') t.deepEqual(await filled(server), ['a2V5', 'me']);
  await helmDo('uninstall', name);
  t.deepEqual(await leftOf(server, name), []);
}

/** A Pod of the template passes the strictest Pod security. */
async function isAdmitted(t: ExecutionContext, of: Installing): Promise<void> {
  const { server, chart, what } = of;
  const objects = await of.helm.template(chart, [...needed[chart], ...of.values]);
  t.is(readByProgram(chart, podOf(objects)), undefined, what);
  const spec = podOf(objects) as unknown as JsonObject & {
    readonly volumes: readonly JsonObject[];
  };
  const claims = ['data', 'keys'].map((name) => ({
    name,
    persistentVolumeClaim: { claimName: name },
  }));
  const known = new Set(spec.volumes.map(({ name }) => name));
  const volumes = [...spec.volumes, ...claims.filter(({ name }) => !known.has(name))];
  const { status, text } = await server.ask({
    method: 'POST',
    path: `/api/v1/namespaces/${chartNamespace}/pods?dryRun=All&fieldValidation=Strict`,
    body: { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'one' }, spec: { ...spec, volumes } },
  });
  t.is(status, 201, `${what}: ${text}`);
}

const own = `/api/v1/namespaces/${chartNamespace}`;
const secretPath = `${own}/secrets/isthmus-agent-identity`;
const leasePath = `/apis/coordination.k8s.io/v1/namespaces/${chartNamespace}/leases/isthmus-agent`;

/** As a running agent does. */
async function fill(server: KubeApiserver): Promise<void> {
  const headers = { 'content-type': 'application/merge-patch+json' };
  const patch = (path: string, body: object) =>
    server.ask({ method: 'PATCH', path, headers, body });
  await patch(secretPath, { data: { identity: 'a2V5' } });
  await patch(leasePath, { spec: { holderIdentity: 'me', leaseDurationSeconds: 20 } });
}

async function filled(server: KubeApiserver): Promise<readonly (string | undefined)[]> {
  const secret = (await server.ask({ path: secretPath })).json as {
    readonly data?: { readonly identity?: string };
  };
  const lease = (await server.ask({ path: leasePath })).json as {
    readonly spec?: { readonly holderIdentity?: string };
  };
  return [secret.data?.identity, lease.spec?.holderIdentity];
}

async function leftOf(server: KubeApiserver, release: string): Promise<readonly string[]> {
  const selector = `?labelSelector=app.kubernetes.io/instance%3D${release}`;
  const rbac = '/apis/rbac.authorization.k8s.io/v1';
  const paths = [
    ...['services', 'secrets', 'serviceaccounts', 'configmaps'].map((kind) => `/api/v1/${kind}`),
    ...['deployments', 'statefulsets'].map((kind) => `/apis/apps/v1/${kind}`),
    ...['roles', 'rolebindings', 'clusterroles', 'clusterrolebindings'].map(
      (kind) => `${rbac}/${kind}`,
    ),
    '/apis/coordination.k8s.io/v1/leases',
    '/apis/policy/v1/poddisruptionbudgets',
    '/apis/networking.k8s.io/v1/networkpolicies',
    '/apis/monitoring.coreos.com/v1/servicemonitors',
  ];
  const lists = await Promise.all(paths.map((path) => server.ask({ path: path + selector })));
  return lists.flatMap(({ json, status }, at) => {
    const { items = [] } = (json ?? {}) as { readonly items?: readonly RenderedObject[] };
    const names = items.map(({ metadata }) => `${paths[at]}/${metadata.name}`);
    return status === 200 ? names : [`${paths[at]}: ${status}`];
  });
}
