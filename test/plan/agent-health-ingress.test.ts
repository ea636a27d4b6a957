// Which addresses of a shard are told: load balancers, external IPs and Nodes, by preference.

import test from 'ava';
import { toIngress, type IngressSurroundings } from '../../agent/health/ingress.ts';
import { isSameWayIn, pickNode } from '../../agent/health/topology.ts';
import { toServiceKey } from '../../common/model/ids.ts';
import type { KubeObject, Service, ServiceSpec } from '../../common/model/kube-object.ts';

const key = toServiceKey({ namespace: 'shop', name: 'nginx' });

const service = (spec: ServiceSpec, ingress: readonly object[] = []): Service => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'nginx', namespace: 'shop' },
  spec,
  status: { loadBalancer: { ingress } },
});

const addresses = (of: Service, around: Partial<IngressSurroundings> = {}): readonly string[] =>
  toIngress(key, of, { nodes: [], nodesInUse: () => new Set(), preferred: [], ...around })
    .addresses.map(({ ip, hostname }) => ip ?? hostname ?? '')
    .sort();

const balanced = (...ips: readonly string[]): Service =>
  service(
    { type: 'LoadBalancer' },
    ips.map((ip) => ({ ip })),
  );

const rows: readonly (readonly [
  string,
  readonly string[],
  readonly string[],
  readonly string[],
])[] = [
  ['public before private', ['10.0.0.9', '8.8.4.4'], [], ['8.8.4.4']],
  ['private where nothing is public', ['10.0.0.9'], [], ['10.0.0.9']],
  ['each family for itself', ['8.8.4.4', 'fd00::9', '10.0.0.9'], [], ['8.8.4.4', 'fd00::9']],
  ['a preferred range before public', ['10.0.0.9', '8.8.4.4'], ['10.0.0.0/8'], ['10.0.0.9']],
  [
    'the first preferred range that has any',
    ['10.1.0.1', '10.2.0.1'],
    ['10.3.0.0/16', '10.2.0.0/16'],
    ['10.2.0.1'],
  ],
  [
    'public again when no preferred range has any',
    ['10.0.0.9', '8.8.4.4'],
    ['172.16.0.0/12'],
    ['8.8.4.4'],
  ],
  ['both of one range', ['8.8.4.4', '8.8.8.8'], ['8.8.0.0/16'], ['8.8.4.4', '8.8.8.8']],
];
for (const [title, ips, preferred, expected] of rows) {
  test(`of a load balancer's addresses: ${title}`, (t) => {
    t.deepEqual(addresses(balanced(...ips), { preferred }), [...expected].sort());
  });
}

test('host names stay, beside addresses, each once', (t) => {
  const of = service({ type: 'LoadBalancer' }, [
    { hostname: 'lb.example.net' },
    { hostname: 'lb.example.net' },
    { ip: '8.8.4.4' },
  ]);
  t.deepEqual(addresses(of), ['8.8.4.4', 'lb.example.net']);
});

test('external IPs are a way in for every type', (t) => {
  t.deepEqual(addresses(service({ type: 'ClusterIP', externalIPs: ['8.8.4.4'] })), ['8.8.4.4']);
});

const ready = [{ type: 'Ready', status: 'True' }];
const node = (name: string, over: { labels?: object; spec?: object; status?: object } = {}) =>
  pickNode({
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, labels: over.labels ?? {} },
    spec: over.spec ?? {},
    status: { conditions: ready, ...over.status },
  } as KubeObject);
const at = (...pairs: readonly (readonly [string, string])[]) => ({
  addresses: pairs.map(([type, address]) => ({ type, address })),
});
const nodePort = service({ type: 'NodePort' });

test('type NodePort: of each Node the ExternalIP, else the InternalIP; public before private', (t) => {
  const first = node('a', { status: at(['InternalIP', '10.0.0.1'], ['ExternalIP', '8.8.0.1']) });
  const second = node('b', { status: at(['InternalIP', '10.0.0.2'], ['Hostname', 'b']) });
  t.deepEqual(addresses(nodePort, { nodes: [second] }), ['10.0.0.2']);
  t.deepEqual(addresses(nodePort, { nodes: [first, second] }), ['8.8.0.1']);
  const preferred = ['10.0.0.0/8'];
  t.deepEqual(addresses(nodePort, { nodes: [first, second], preferred }), ['10.0.0.1', '10.0.0.2']);
});

test('Nodes that are not ready, leave or are excluded are no way in', (t) => {
  const status = at(['ExternalIP', '8.8.0.1']);
  const taints = [{ key: 'ToBeDeletedByClusterAutoscaler' }];
  const labels = { 'node.kubernetes.io/exclude-from-external-load-balancers': '' };
  const nodes = [
    node('a', { status: { ...status, conditions: [{ type: 'Ready', status: 'Unknown' }] } }),
    node('b', { status, spec: { taints } }),
    node('c', { status, labels }),
  ];
  t.deepEqual(addresses(nodePort, { nodes }), []);
});

test('with externalTrafficPolicy Local only Nodes with an endpoint are a way in', (t) => {
  const nodes = ['a', 'b'].map((name, index) =>
    node(name, { status: at(['ExternalIP', `8.8.0.${index}`]) }),
  );
  const local = service({ type: 'NodePort', externalTrafficPolicy: 'Local' });
  t.deepEqual(addresses(local, { nodes, nodesInUse: () => new Set(['b']) }), ['8.8.0.1']);
});

test('I11: eight Nodes, the first by name', (t) => {
  const nodes = Array.from({ length: 20 }, (_, index) =>
    node(`n${String(index).padStart(2, '0')}`, { status: at(['ExternalIP', `8.8.0.${index}`]) }),
  );
  t.is(addresses(nodePort, { nodes: nodes.toReversed() }).length, 8);
  t.true(addresses(nodePort, { nodes: nodes.toReversed() }).includes('8.8.0.7'));
});

test("a Node's heartbeat is no change of its way in, its readiness is", (t) => {
  const one = node('a', { status: at(['ExternalIP', '8.8.0.1']) });
  const beaten = node('a', { status: { ...at(['ExternalIP', '8.8.0.1']), nodeInfo: { a: 1 } } });
  const lost = node('a', { status: { ...at(['ExternalIP', '8.8.0.1']), conditions: [] } });
  t.true(isSameWayIn(one, beaten));
  t.false(isSameWayIn(one, lost));
  t.false(isSameWayIn(undefined, one));
});

test('an empty new label does not hide the old one, and a declared zone wins', (t) => {
  const labels = {
    'topology.kubernetes.io/zone': '',
    'failure-domain.beta.kubernetes.io/zone': 'us-a',
  };
  t.is(node('a', { labels }).zone, 'us-a');
});
