// As service-cases.ts, from row 24 on: what is outside of the cluster, policies, metadata.

import { aCidr, anIp, balancersOnly, namePart, rangesAnnotation } from './service-texts.ts';
import type { RefusedCreate } from './service-refusal.ts';

const port = { ports: [{ port: 80 }] };
const balancer = { ...port, type: 'LoadBalancer' };

export const balancerCases: readonly RefusedCreate[] = [
  {
    row: '24',
    title: 'external addresses that nobody can have',
    spec: {
      ...port,
      externalIPs: [
        'x',
        '0.0.0.0',
        '127.0.0.1',
        '169.254.1.1',
        '224.0.0.1',
        '::',
        '::1',
        'fe80::1',
        'ff02::1',
      ],
    },
    lines: [
      `spec.externalIPs[0]: Invalid value: "x": ${anIp}`,
      'spec.externalIPs[1]: Invalid value: "0.0.0.0": may not be unspecified (0.0.0.0)',
      'spec.externalIPs[2]: Invalid value: "127.0.0.1": may not be in the loopback range (127.0.0.0/8, ::1/128)',
      'spec.externalIPs[3]: Invalid value: "169.254.1.1": may not be in the link-local range (169.254.0.0/16, fe80::/10)',
      'spec.externalIPs[4]: Invalid value: "224.0.0.1": may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)',
      'spec.externalIPs[5]: Invalid value: "::": may not be unspecified (::)',
      'spec.externalIPs[6]: Invalid value: "::1": may not be in the loopback range (127.0.0.0/8, ::1/128)',
      'spec.externalIPs[7]: Invalid value: "fe80::1": may not be in the link-local range (169.254.0.0/16, fe80::/10)',
      'spec.externalIPs[8]: Invalid value: "ff02::1": may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)',
    ],
  },
  {
    row: '25',
    title: 'an unknown type',
    spec: { ...port, type: 'Foo' },
    lines: [
      'spec.type: Unsupported value: "Foo": supported values: "ClusterIP", "ExternalName", "LoadBalancer", "NodePort"',
    ],
  },
  {
    row: '26',
    title: 'a node port of a ClusterIP',
    spec: { ports: [{ port: 80, nodePort: 30001 }] },
    lines: ["spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'"],
  },
  {
    row: '27',
    title: 'one node port twice',
    spec: {
      type: 'NodePort',
      ports: [
        { name: 'a', port: 80, nodePort: 30002 },
        { name: 'b', port: 81, nodePort: 30002 },
      ],
    },
    lines: ['spec.ports[1].nodePort: Invalid value: 30002: provided port is already allocated'],
  },
  {
    row: '27',
    title: 'one node port twice, of an alias, to which none is given',
    spec: {
      type: 'ExternalName',
      externalName: 'a.example',
      ports: [
        { name: 'a', port: 80, nodePort: 30002 },
        { name: 'b', port: 81, nodePort: 30002 },
      ],
    },
    lines: ['spec.ports[1].nodePort: Duplicate value: 30002'],
  },
  {
    row: '28',
    title: 'one port twice',
    spec: {
      ports: [
        { name: 'a', port: 80 },
        { name: 'b', port: 80 },
      ],
    },
    lines: [
      'spec.ports[1]: Duplicate value: {"Name":"","Protocol":"TCP","AppProtocol":null,"Port":80,"TargetPort":0,"NodePort":0}',
    ],
  },
  {
    row: '29',
    title: 'source ranges of a ClusterIP, one of them none',
    spec: { ...port, loadBalancerSourceRanges: [' 10.0.0.0/8 ', 'x', '10.0.0.0/33'] },
    lines: [
      `spec.LoadBalancerSourceRanges: Forbidden: ${balancersOnly}`,
      `spec.LoadBalancerSourceRanges[1]: Invalid value: "x": ${aCidr}`,
      `spec.LoadBalancerSourceRanges[2]: Invalid value: "10.0.0.0/33": ${aCidr}`,
    ],
  },
  {
    row: '30',
    title: 'source ranges in the annotation',
    metadata: { annotations: { [rangesAnnotation]: '10.0.0.0/8, x' } },
    spec: port,
    lines: [
      `metadata.annotations[${rangesAnnotation}]: Forbidden: ${balancersOnly}`,
      `metadata.annotations[${rangesAnnotation}]: Invalid value: "x": ${aCidr}`,
    ],
  },
  {
    row: '31',
    title: 'node ports on demand of a ClusterIP',
    spec: { ...port, allocateLoadBalancerNodePorts: false },
    lines: [`spec.allocateLoadBalancerNodePorts: Forbidden: ${balancersOnly}`],
  },
  {
    row: '32',
    title: 'a class of a ClusterIP',
    spec: { ...port, loadBalancerClass: 'a/b' },
    lines: [`spec.loadBalancerClass: Forbidden: ${balancersOnly}`],
  },
  {
    row: '32',
    title: 'a class that is no qualified name',
    spec: { ...balancer, loadBalancerClass: '/b' },
    lines: ['spec.loadBalancerClass: Invalid value: "/b": prefix part must be non-empty'],
  },
  {
    row: '33',
    title: 'an external policy of what is not external',
    spec: { ...port, externalTrafficPolicy: 'Local' },
    lines: [
      'spec.externalTrafficPolicy: Invalid value: "Local": may only be set for externally-accessible services',
    ],
  },
  {
    row: '33',
    title: 'an unknown external policy',
    spec: { ...balancer, externalTrafficPolicy: 'Foo' },
    lines: [
      'spec.externalTrafficPolicy: Unsupported value: "Foo": supported values: "Cluster", "Local"',
    ],
  },
  {
    row: '34',
    title: 'a health check that nobody makes',
    spec: { ...balancer, healthCheckNodePort: 30003 },
    lines: [
      "spec.healthCheckNodePort: Invalid value: 30003: may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'",
    ],
  },
  {
    row: '35',
    title: 'an unknown internal policy',
    spec: { ...port, internalTrafficPolicy: 'Foo' },
    lines: [
      'spec.internalTrafficPolicy: Unsupported value: "Foo": supported values: "Cluster", "Local"',
    ],
  },
  {
    row: '36',
    title: 'an unknown distribution',
    spec: { ...port, trafficDistribution: 'Foo' },
    lines: [
      'spec.trafficDistribution: Unsupported value: "Foo": supported values: "PreferClose", "PreferSameZone", "PreferSameNode"',
    ],
  },
  {
    row: '42',
    title: 'labels, annotations and finalizers that are none',
    metadata: { labels: { 'a b': 'c' }, annotations: { 'A b': '' }, finalizers: ['foo', 'x y'] },
    spec: port,
    lines: [
      `metadata.labels: Invalid value: "a b": ${namePart}`,
      `metadata.annotations: Invalid value: "A b": ${namePart}`,
      `metadata.finalizers: Invalid value: "x y": ${namePart}`,
      'metadata.finalizers[0]: Invalid value: "foo": name is neither a standard finalizer name nor is it fully qualified',
      'metadata.finalizers[1]: Invalid value: "x y": name is neither a standard finalizer name nor is it fully qualified',
    ],
  },
  {
    row: '42',
    title: 'owners without identity, and two controllers',
    metadata: {
      ownerReferences: [
        { apiVersion: 'apps/', kind: '', name: '', uid: '' },
        { apiVersion: 'v1', kind: 'Event', name: 'e', uid: 'u', controller: true },
        { apiVersion: 'v1', kind: 'Pod', name: 'p', uid: 'v', controller: true },
      ],
    },
    spec: port,
    lines: [
      'metadata.ownerReferences.apiVersion: Invalid value: "apps/": version must not be empty',
      'metadata.ownerReferences.kind: Invalid value: "": must not be empty',
      'metadata.ownerReferences.name: Invalid value: "": must not be empty',
      'metadata.ownerReferences.uid: Invalid value: "": must not be empty',
      'metadata.ownerReferences: Invalid value: {"apiVersion":"v1","kind":"Event","name":"e","uid":"u","controller":true}: /v1, Kind=Event is disallowed from being an owner',
      'metadata.ownerReferences: Invalid value: [{"apiVersion":"apps/","kind":"","name":"","uid":""},{"apiVersion":"v1","kind":"Event","name":"e","uid":"u","controller":true},{"apiVersion":"v1","kind":"Pod","name":"p","uid":"v","controller":true}]: Only one reference can have Controller set to true. Found "true" in references for Event/e and Pod/p',
    ],
  },
  {
    row: '42',
    title: 'annotations that are too big',
    metadata: { annotations: { a: 'x'.repeat(262_144) } },
    spec: port,
    lines: ['metadata.annotations: Too long: may not be more than 262144 bytes'],
  },
  {
    row: '42',
    title: 'two finalizers that exclude each other',
    metadata: { finalizers: ['orphan', 'foregroundDeletion'] },
    spec: port,
    lines: [
      'metadata.finalizers: Invalid value: ["orphan","foregroundDeletion"]: finalizer orphan and foregroundDeletion cannot be both set',
    ],
  },
];
