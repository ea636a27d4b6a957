// Readiness, addresses, topology and the probe rules, as tables.

import test from 'ava';
import { toServiceKey } from '../../common/model/ids.ts';
import type { KubeObject, Service } from '../../common/model/kube-object.ts';
import { foldReadiness } from '../../agent/health/fold.ts';
import { toIngress } from '../../agent/health/ingress.ts';
import { pickSlice } from '../../agent/health/pick-slice.ts';
import { countUsable } from '../../common/pure/usable-endpoints.ts';
import { planProbes, type ProbeRules } from '../../agent/health/plan-probe.ts';
import { detectTopology, pickNode } from '../../agent/health/topology.ts';

const key = toServiceKey({ namespace: 'shop', name: 'nginx' });

interface EndpointJson {
  readonly addresses: readonly string[];
  readonly conditions?: {
    readonly ready?: boolean | null;
    readonly serving?: boolean;
    readonly terminating?: boolean;
  };
  readonly targetRef?: { readonly kind: string; readonly uid: string };
}
const slice = (name: string, endpoints: readonly EndpointJson[] | null): KubeObject =>
  ({
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name, namespace: 'shop', labels: { 'kubernetes.io/service-name': 'nginx' } },
    endpoints,
  }) as KubeObject;
const withPorts = (object: KubeObject, ...names: readonly string[]): KubeObject =>
  ({ ...object, ports: names.map((name) => ({ name, port: 80 })) }) as KubeObject;
const fold = (...slices: readonly KubeObject[]) =>
  foldReadiness(
    key,
    slices.flatMap((object) => pickSlice(object) ?? []),
  );

test('no slices means no endpoints', (t) => {
  t.deepEqual(fold(slice('a', null)), { key, ready: 0, serving: 0, terminating: 0, total: 0 });
});

test('unknown readiness counts as ready, unknown serving as readiness', (t) => {
  t.deepEqual(
    fold(
      slice('a', [
        { addresses: ['10.0.0.1'] },
        { addresses: ['10.0.0.2'], conditions: { ready: null } },
      ]),
    ),
    {
      key,
      ready: 2,
      serving: 2,
      terminating: 0,
      total: 2,
    },
  );
});

test('a terminating endpoint that still serves is not ready', (t) => {
  const conditions = { ready: false, serving: true, terminating: true };
  t.deepEqual(fold(slice('a', [{ addresses: ['10.0.0.1'], conditions }])), {
    key,
    ready: 0,
    serving: 1,
    terminating: 1,
    total: 1,
  });
});

test('H1: a pod with an address of each family counts once', (t) => {
  const targetRef = { kind: 'Pod', uid: 'p1' };
  const v4 = slice('v4', [{ addresses: ['10.0.0.1'], conditions: { ready: true }, targetRef }]);
  const v6 = slice('v6', [{ addresses: ['fd00::1'], conditions: { ready: true }, targetRef }]);
  t.like(fold(v4, v6), { ready: 1, total: 1 });
  t.deepEqual(fold(v4, v6), fold(v6, v4));
});

test('ports that fewer Pods have are told, also one that none has', (t) => {
  const ready = { ready: true };
  const both = withPorts(
    slice('a', [{ addresses: ['10.0.0.1'], conditions: ready }]),
    'web',
    'tls',
  );
  const one = withPorts(slice('b', [{ addresses: ['10.0.0.2'], conditions: ready }]), 'web');
  const slices = [both, one].flatMap((object) => pickSlice(object) ?? []);
  t.deepEqual(foldReadiness(key, slices, ['web', 'tls', 'none']).ports, [
    { name: 'none', ready: 0 },
    { name: 'tls', ready: 1 },
  ]);
  t.is(foldReadiness(key, slices, ['web']).ports, undefined);
});

for (const [title, counts, usable] of [
  ['ready ones first', { ready: 2, serving: 3, terminating: 1 }, 2],
  [
    'those that terminate and serve where none is ready',
    { ready: 0, serving: 2, terminating: 3 },
    2,
  ],
  ['none that serves no more', { ready: 0, serving: 0, terminating: 3 }, 0],
] as const) {
  test(`endpoints take traffic as kube-proxy sends it: ${title}`, (t) => {
    t.is(countUsable(counts), usable);
  });
}

test('a slice of no Service is not kept', (t) => {
  const object = {
    apiVersion: 'v1',
    kind: 'EndpointSlice',
    metadata: { name: 'x', namespace: 'shop' },
  };
  t.is(pickSlice(object), undefined);
});

test('addresses are those of the load balancer, sorted; headless has no cluster IP', (t) => {
  const service: Service = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'nginx', namespace: 'shop' },
    spec: {
      type: 'LoadBalancer',
      clusterIPs: ['None'],
      ports: [{ port: 80, targetPort: 8080, name: '' }],
    },
    status: {
      loadBalancer: {
        ingress: [{ ip: '203.0.113.9' }, { hostname: 'lb.example.net' }, { ip: '10.0.0.9' }, {}],
      },
    },
  };
  t.deepEqual(toIngress(key, service), {
    key,
    type: 'LoadBalancer',
    addresses: [{ hostname: 'lb.example.net' }, { ip: '10.0.0.9' }, { ip: '203.0.113.9' }],
    clusterIps: [],
    ports: [{ protocol: 'TCP', port: 80 }],
  });
});

const node = (labels: Readonly<Record<string, string>>, providerID = ''): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name: 'n', labels },
  spec: { providerID, podCIDR: '10.1.0.0/24' },
});
const undeclared = { zone: undefined, region: undefined, provider: undefined };

test('topology comes from labels, old and new, and the provider from providerID', (t) => {
  const nodes = [
    node(
      {
        'topology.kubernetes.io/zone': 'us-central1-f',
        'topology.kubernetes.io/region': 'us-central1',
      },
      'gce://p/z/n',
    ),
    node({
      'failure-domain.beta.kubernetes.io/zone': 'us-central1-a',
      'failure-domain.beta.kubernetes.io/region': 'us-central1',
    }),
  ].map(pickNode);
  t.deepEqual(detectTopology(nodes, undeclared), {
    zones: ['us-central1-a', 'us-central1-f'],
    region: 'us-central1',
    provider: 'gce',
  });
});

test('without labels nothing is known, and what is declared stands', (t) => {
  const nodes = [node({}, 'openstack:///1')].map(pickNode);
  t.deepEqual(detectTopology(nodes, undeclared), {
    zones: [],
    region: undefined,
    provider: 'openstack',
  });
  t.deepEqual(detectTopology(nodes, { zone: 'Nova', region: 'RegionOne', provider: 'openstack' }), {
    zones: ['nova'],
    region: 'regionone',
    provider: 'openstack',
  });
});

const rules: ProbeRules = {
  allowLoopback: false,
  ownRanges: ['10.1.0.0/16', 'fd10::/64'],
  isOwnAddress: (address) => address === '10.96.0.1',
};
const allowed = (address: string, over: Partial<ProbeRules> = {}, port = 80): boolean =>
  planProbes(
    { targets: [{ address, port, method: 'tcp' }], deadlineMs: 1_000 },
    { ...rules, ...over },
  ).steps[0]?.kind === 'probe';

for (const address of ['8.8.8.8', '2600::1', '10.2.0.1', '192.168.1.1']) {
  test(`${address} is probed`, (t) => {
    t.true(allowed(address));
  });
}

for (const address of [
  '127.0.0.1',
  '203.0.113.1', // RFC 5737: reserved for documentation
  '::1',
  '::ffff:127.0.0.1',
  '169.254.169.254',
  'fe80::1',
  'fd00:ec2::254',
  '100.100.100.200',
  '10.1.2.3',
  'fd10::5',
  '10.96.0.1',
  '0.0.0.0',
  '224.0.0.1',
  '255.255.255.255',
  'example.com',
  '',
]) {
  test(`"${address}" is never probed`, (t) => {
    t.false(allowed(address));
  });
}

test('loopback is probed only where it is allowed; a port must be one', (t) => {
  t.true(allowed('127.0.0.5', { allowLoopback: true }));
  t.false(allowed('8.8.8.8', {}, 0));
  t.false(allowed('8.8.8.8', {}, 65_536));
});

test('I11: at most 64 targets and five seconds each', (t) => {
  const target = { address: '8.8.8.8', port: 80, method: 'tcp' as const };
  const plan = planProbes(
    { targets: Array.from({ length: 100 }, () => target), deadlineMs: 1e9 },
    rules,
  );
  t.is(plan.steps.length, 64);
  t.is(plan.deadlineMs, 5_000);
});
