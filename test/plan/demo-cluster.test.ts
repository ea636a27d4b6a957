// The simulated cluster's decisions: Pods, endpoints, addresses.

import test from 'ava';
import type { Service } from '../../common/model/kube-object.ts';
import { planAllocation } from '../../demo/cluster/plan-allocation.ts';
import { addressesOf, planIngress, type AddressRanges } from '../../demo/cluster/plan-addresses.ts';
import { planEndpoints } from '../../demo/cluster/plan-endpoints.ts';
import { chooseNode, planNodes, type ClusterPlace } from '../../demo/cluster/plan-nodes.ts';
import { planPod, readyAnnotation, type PodFacts } from '../../demo/cluster/plan-pod.ts';
import { isReady, type Pod } from '../../demo/cluster/shapes.ts';

const facts: PodFacts = {
  now: '2026-01-01T00:00:00Z',
  nodeName: 'node-1',
  hostIp: '10.63.64.1',
  podIp: '10.63.128.1',
};

function newPod(annotations: Readonly<Record<string, string>> = {}): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: 'nginx',
      namespace: 'default',
      uid: 'p1',
      labels: { run: 'nginx' },
      annotations,
    },
    spec: {
      containers: [
        { name: 'nginx', image: 'nginx', ports: [{ name: 'web', containerPort: 8080 }] },
      ],
    },
  };
}

/** Plans until there is nothing left to do. */
function settle(pod: Pod): Pod {
  for (let round = 0, current = pod; round < 5; round += 1) {
    const plan = planPod(current, facts);
    if (plan.kind === 'keep') return current;
    current = plan.pod;
  }
  throw new Error('the plan does not settle');
}

const service: Service = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'nginx', namespace: 'default', uid: 's1' },
  spec: {
    type: 'LoadBalancer',
    selector: { run: 'nginx' },
    ports: [{ port: 80, targetPort: 'web' }],
  },
};

test('a Pod is scheduled, then runs and is ready with an address', (t) => {
  const first = planPod(newPod(), facts);
  t.like(first, {
    kind: 'write',
    pod: { spec: { nodeName: 'node-1' }, status: { phase: 'Pending' } },
  });
  const pod = settle(newPod());
  t.like(pod.status, { phase: 'Running', podIP: '10.63.128.1' });
  t.true(isReady(pod));
});

test('the annotation decides about readiness, and taking it away undoes it', (t) => {
  const ready = settle(newPod());
  const withAnnotation = (value: string): Pod => ({
    ...ready,
    metadata: { ...ready.metadata, annotations: { [readyAnnotation]: value } },
  });
  const unready = settle(withAnnotation('false'));
  t.false(isReady(unready));
  t.true(isReady(settle({ ...unready, metadata: withAnnotation('true').metadata })));
  t.true(isReady(settle({ ...unready, metadata: ready.metadata })));
});

test('a readiness that somebody patched into the status stays', (t) => {
  const ready = settle(newPod());
  const patched: Pod = {
    ...ready,
    status: { ...ready.status, conditions: [{ type: 'Ready', status: 'False', reason: 'ByHand' }] },
  };
  t.deepEqual(planPod(patched, facts), { kind: 'keep' });
});

test('endpoints carry the Pod, its readiness, its zone and the named target port', (t) => {
  const plan = planEndpoints(service, [settle(newPod())], () => 'us-central1-a');
  t.like(plan?.slice, {
    addressType: 'IPv4',
    endpoints: [{ addresses: ['10.63.128.1'], conditions: { ready: true }, zone: 'us-central1-a' }],
    ports: [{ port: 8080, protocol: 'TCP' }],
  });
  t.like(plan?.endpoints.subsets[0], { addresses: [{ ip: '10.63.128.1' }] });
});

test('an unready Pod is an endpoint that is not ready; a Pod without address is none', (t) => {
  const unready = settle(newPod({ [readyAnnotation]: 'false' }));
  const plan = planEndpoints(service, [unready, newPod()], () => undefined);
  t.deepEqual(
    plan?.slice.endpoints.map(({ conditions }) => conditions.ready),
    [false],
  );
  t.is(plan?.endpoints.subsets[0]?.addresses, undefined);
  t.is(plan?.endpoints.subsets[0]?.notReadyAddresses?.length, 1);
});

test('a Service without selector gets no endpoints of ours', (t) => {
  t.is(
    planEndpoints({ ...service, spec: { type: 'ClusterIP' } }, [], () => undefined),
    undefined,
  );
});

const ranges: AddressRanges = { octet: 66, loadBalancers: '127.14.0', hasPrivateAddresses: true };

test('a load balancer gets an address of its own, with a private one on OpenStack', (t) => {
  const first = planIngress(service, ranges, new Set());
  t.deepEqual(
    first?.map(({ ip }) => ip),
    ['10.66.96.1', '127.14.0.1'],
  );
  const second = planIngress(service, ranges, new Set(first?.flatMap(({ ip }) => ip ?? [])));
  t.deepEqual(
    second?.map(({ ip }) => ip),
    ['10.66.96.2', '127.14.0.2'],
  );
});

test('A1. a load balancer keeps its address, and loses it only with its type', (t) => {
  const has = { ...service, status: { loadBalancer: { ingress: [{ ip: '127.14.0.7' }] } } };
  t.is(planIngress(has, ranges, addressesOf([has])), undefined);
  t.deepEqual(
    planIngress({ ...has, spec: { ...has.spec, type: 'ClusterIP' } }, ranges, new Set()),
    [],
  );
});

const nothingTaken = { isTaken: () => false, isPortTaken: () => false };
const range = { prefix: '10.63.0', turn: 3 };

test('A3. cluster IP and node ports are given once and kept when a client leaves them out', (t) => {
  const given = planAllocation(service, undefined, range, nothingTaken);
  t.regex(given.spec.clusterIP ?? '', /^10\.63\.0\.\d+$/);
  t.deepEqual(given.spec.clusterIPs, [given.spec.clusterIP]);
  t.true((given.spec.ports?.[0]?.nodePort ?? 0) >= 30_000);
  const again = planAllocation(service, given, { ...range, turn: 9 }, nothingTaken);
  t.deepEqual(again.spec, given.spec);
});

test('a taken cluster IP is not given again; None and ExternalName get none', (t) => {
  const only = planAllocation(service, undefined, range, {
    ...nothingTaken,
    isTaken: (ip) => ip !== '10.63.0.9',
  });
  t.is(only.spec.clusterIP, '10.63.0.9');
  const headless = planAllocation(
    { ...service, spec: { clusterIP: 'None' } },
    undefined,
    range,
    nothingTaken,
  );
  t.is(headless.spec.clusterIP, 'None');
  const external = planAllocation(
    { ...service, spec: { type: 'ExternalName' } },
    undefined,
    range,
    nothingTaken,
  );
  t.is(external.spec.clusterIP, undefined);
});

test('nodes carry zone and region labels only where the cluster has them', (t) => {
  const place: ClusterPlace = {
    name: 'openstack-regionone',
    octet: 66,
    zone: undefined,
    region: undefined,
    provider: 'openstack',
  };
  const [bare] = planNodes(place, facts.now);
  t.false(Object.keys(bare?.metadata.labels ?? {}).some((label) => label.startsWith('topology.')));
  const [labelled] = planNodes({ ...place, zone: 'z', region: 'r', provider: 'aws' }, facts.now);
  t.is(labelled?.metadata.labels?.['topology.kubernetes.io/zone'], 'z');
  t.like(labelled?.spec, { providerID: `aws:///z/i-${labelled?.metadata.name ?? ''}` });
  t.true(
    planNodes(place, facts.now).some(
      ({ metadata }) => metadata.name === chooseNode(place, 'nginx').name,
    ),
  );
});
