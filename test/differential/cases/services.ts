// Services as such: defaults of each type, and the validation table row by row.

import { service } from '../objects.ts';
import { post, setup, type Area, type HttpStep } from '../step.ts';

type Fields = Readonly<Record<string, unknown>>;
const at = 'services';

const good: readonly (readonly [string, Fields])[] = [
  ['ClusterIP', {}],
  ['NodePort', { type: 'NodePort' }],
  ['NodePort with its number', { type: 'NodePort', ports: [{ port: 80, nodePort: 30_010 }] }],
  ['LoadBalancer', { type: 'LoadBalancer' }],
  ['LoadBalancer, Local', { type: 'LoadBalancer', externalTrafficPolicy: 'Local' }],
  [
    'LoadBalancer without node ports',
    { type: 'LoadBalancer', allocateLoadBalancerNodePorts: false },
  ],
  ['LoadBalancer of a class', { type: 'LoadBalancer', loadBalancerClass: 'a.b/c' }],
  ['LoadBalancer with ranges', { type: 'LoadBalancer', loadBalancerSourceRanges: ['10.0.0.0/8'] }],
  ['LoadBalancer with an address', { type: 'LoadBalancer', loadBalancerIP: '1.2.3.4' }],
  ['ExternalName', { type: 'ExternalName', externalName: 'a.example.com', ports: [] }],
  ['ExternalName with ports', { type: 'ExternalName', externalName: 'a.example.com.' }],
  ['headless', { clusterIP: 'None', selector: { a: 'b' } }],
  ['headless without selector', { clusterIP: 'None' }],
  ['headless without ports', { clusterIP: 'None', selector: { a: 'b' }, ports: [] }],
  ['headless by both members', { clusterIP: 'None', clusterIPs: ['None'], selector: { a: 'b' } }],
  ['affinity', { sessionAffinity: 'ClientIP' }],
  [
    'affinity with a time',
    {
      sessionAffinity: 'ClientIP',
      sessionAffinityConfig: { clientIP: { timeoutSeconds: 3 } },
    },
  ],
  [
    'affinity None drops its config',
    {
      sessionAffinity: 'None',
      sessionAffinityConfig: { clientIP: { timeoutSeconds: 3 } },
    },
  ],
  ['external addresses', { externalIPs: ['1.2.3.4', '1.2.3.5'] }],
  ['an address asked for', { clusterIP: '10.96.0.77' }],
  [
    'two ports',
    {
      ports: [
        { name: 'a', port: 80 },
        { name: 'b', port: 81, targetPort: 'http' },
      ],
    },
  ],
  [
    'UDP and TCP of one number',
    {
      type: 'NodePort',
      ports: [
        { name: 'a', port: 53, protocol: 'UDP' },
        { name: 'b', port: 53, protocol: 'TCP' },
      ],
    },
  ],
  ['SCTP', { ports: [{ port: 80, protocol: 'SCTP' }] }],
  ['target port by name', { ports: [{ port: 80, targetPort: 'web' }] }],
  ['target port 0', { ports: [{ port: 80, targetPort: 0 }] }],
  ['application protocol', { ports: [{ port: 80, appProtocol: 'kubernetes.io/h2c' }] }],
  ['SingleStack', { ipFamilyPolicy: 'SingleStack' }],
  ['PreferDualStack on one family', { ipFamilyPolicy: 'PreferDualStack' }],
  ['a family', { ipFamilies: ['IPv4'] }],
  ['internal Local', { internalTrafficPolicy: 'Local' }],
  ['traffic distribution', { trafficDistribution: 'PreferSameZone' }],
  ['traffic distribution, old word', { trafficDistribution: 'PreferClose' }],
  ['traffic distribution, node', { trafficDistribution: 'PreferSameNode' }],
  ['unready addresses', { publishNotReadyAddresses: true }],
  [
    'an affinity of 86400',
    {
      sessionAffinity: 'ClientIP',
      sessionAffinityConfig: { clientIP: { timeoutSeconds: 86_400 } },
    },
  ],
];

export const defaults: Area = {
  name: 'defaults',
  steps: good.map(([title, spec], index) =>
    post(`${title} [k8s 16]`, at, service(`d${index}`, spec)),
  ),
};

const row = (number: string, title: string, spec: Fields, metadata: Fields = {}): HttpStep =>
  post(
    `row ${number}: ${title} [k8s 30]`,
    at,
    service(`r${number.replace('.', '-')}`, spec, metadata),
  );

const ports = (...list: readonly Fields[]): Fields => ({ ports: list });
const port = (fields: Fields): Fields => ports({ port: 80, ...fields });
const affinity = (timeoutSeconds: number): Fields => ({
  sessionAffinity: 'ClientIP',
  sessionAffinityConfig: { clientIP: { timeoutSeconds } },
});
const lb = (fields: Fields): Fields => ({ type: 'LoadBalancer', ...fields });
const annotated = (name: string, value: string): Fields => ({ annotations: { [name]: value } });
// Without an address: kube-apiserver allocates one before it looks at the name.
const headless = { clusterIP: 'None' };
const hints = 'service.kubernetes.io/topology-aware-hints';
const mode = 'service.kubernetes.io/topology-mode';
const ranges = 'service.beta.kubernetes.io/load-balancer-source-ranges';

export const validation: Area = {
  name: 'validation',
  steps: [
    row('1', 'name begins with a digit', headless, { name: '1a' }),
    row('1', 'name with a capital', headless, { name: 'Ab' }),
    row('1', 'name too long', headless, { name: 'a'.repeat(64) }),
    row('1', 'name with a dot', headless, { name: 'a.b' }),
    row('1', 'name ends with a dash', headless, { name: 'a-' }),
    row('1', 'invalid generateName', headless, { name: '', generateName: 'A_' }),
    row('3', 'hints and mode differ', {}, { annotations: { [hints]: 'Auto', [mode]: 'x' } }),
    row('3', 'hints and mode agree', {}, { annotations: { [hints]: 'Auto', [mode]: 'Auto' } }),
    row('4', 'no ports', { ports: [] }),
    row('4', 'no ports on a LoadBalancer', lb({ ports: [] })),
    row('5', 'headless LoadBalancer', lb({ clusterIP: 'None' })),
    row('5', 'headless NodePort', { type: 'NodePort', clusterIP: 'None' }),
    row('6', 'address on ExternalName', {
      type: 'ExternalName',
      externalName: 'a.b',
      clusterIP: '10.96.0.9',
    }),
    row('6', 'family on ExternalName', {
      type: 'ExternalName',
      externalName: 'a.b',
      ipFamilies: ['IPv4'],
    }),
    row('6', 'policy on ExternalName', {
      type: 'ExternalName',
      externalName: 'a.b',
      ipFamilyPolicy: 'SingleStack',
    }),
    row('6', 'None on ExternalName', {
      type: 'ExternalName',
      externalName: 'a.b',
      clusterIP: 'None',
    }),
    row('7', 'no externalName', { type: 'ExternalName' }),
    row('7', 'invalid externalName', { type: 'ExternalName', externalName: 'A_b' }),
    row('7', 'two dots at the end', { type: 'ExternalName', externalName: 'a..' }),
    row('8', 'names missing', ports({ port: 80 }, { port: 81 })),
    row('8', 'invalid port name', port({ name: 'A_b' })),
    row('8', 'port name too long', port({ name: 'a'.repeat(64) })),
    row('8', 'port name twice', ports({ name: 'a', port: 80 }, { name: 'a', port: 81 })),
    row('9', 'port 0', ports({ port: 0 })),
    row('9', 'port absent', ports({})),
    row('9', 'port 65536', ports({ port: 65_536 })),
    row('9', 'port negative', ports({ port: -1 })),
    row('10', 'protocol', port({ protocol: 'HTTP' })),
    row('10', 'protocol in small letters', port({ protocol: 'tcp' })),
    row('11', 'target port 65536', port({ targetPort: 65_536 })),
    row('11', 'target port -1', port({ targetPort: -1 })),
    row('11', 'target port name too long', port({ targetPort: 'a'.repeat(16) })),
    row('11', 'target port name invalid', port({ targetPort: 'a_b' })),
    row('11', 'target port without a letter', port({ targetPort: '123' })),
    row('11', 'target port with two dashes', port({ targetPort: 'a--b' })),
    row('11', 'target port begins with a dash', port({ targetPort: '-a' })),
    row('12', 'application protocol', port({ appProtocol: 'a b' })),
    row('13', 'selector key', { selector: { 'a b': 'c' } }),
    row('13', 'selector value', { selector: { a: 'b c' } }),
    row('14', 'affinity', { sessionAffinity: 'Cookie' }),
    row('15', 'affinity of 0 seconds', affinity(0)),
    row('15', 'affinity of 86401 seconds', affinity(86_401)),
    row('15', 'affinity without its time', {
      sessionAffinity: 'ClientIP',
      sessionAffinityConfig: {},
    }),
    row('17', 'plural alone', { clusterIPs: ['10.96.0.5'] }),
    row('17', 'singular and plural differ', { clusterIP: '10.96.0.5', clusterIPs: ['10.96.0.6'] }),
    row('18', 'a family that is none', { ipFamilies: ['IPv5'] }),
    row('18', 'a family twice', {
      ipFamilies: ['IPv4', 'IPv4'],
      ipFamilyPolicy: 'PreferDualStack',
    }),
    row('19', 'a policy that is none', { ipFamilyPolicy: 'Any' }),
    row('20', 'None is not alone', { clusterIP: 'None', clusterIPs: ['None', '10.96.0.5'] }),
    row('20', 'three addresses', {
      clusterIP: '10.96.0.5',
      clusterIPs: ['10.96.0.5', '10.96.0.6', '10.96.0.7'],
    }),
    row('20', 'two of one family', {
      clusterIP: '10.96.0.5',
      clusterIPs: ['10.96.0.5', '10.96.0.6'],
    }),
    row('21', 'not an address', { clusterIP: 'x' }),
    row('21', 'leading zeros', { clusterIP: '10.096.0.5' }),
    row('21', 'another family than named', { clusterIP: '10.96.0.5', ipFamilies: ['IPv6'] }),
    row('21', 'a family that the cluster lacks', { clusterIP: 'fd00::5' }),
    row('21', 'out of the range', { clusterIP: '1.2.3.4' }),
    row('22', 'RequireDualStack on one family', { ipFamilyPolicy: 'RequireDualStack' }),
    row('22', 'SingleStack with two families', {
      ipFamilyPolicy: 'SingleStack',
      ipFamilies: ['IPv4', 'IPv6'],
    }),
    row('23', 'IPv6 is not there', { ipFamilies: ['IPv6'] }),
    row('24', 'external address invalid', { externalIPs: ['x'] }),
    row('24', 'external address with zeros', { externalIPs: ['010.1.1.1'] }),
    row('24', 'external address unspecified', { externalIPs: ['0.0.0.0'] }),
    row('24', 'external address loopback', { externalIPs: ['127.0.0.1'] }),
    row('24', 'external address link-local', { externalIPs: ['169.254.1.1', '224.0.0.1', '::1'] }),
    row('25', 'type', { type: 'Internal' }),
    row('26', 'node port on ClusterIP', port({ nodePort: 30_011 })),
    row('27', 'node port twice', {
      type: 'NodePort',
      ports: [
        { name: 'a', port: 80, nodePort: 30_012 },
        { name: 'b', port: 81, nodePort: 30_012 },
      ],
    }),
    row('27', 'node port out of range', { type: 'NodePort', ports: [{ port: 80, nodePort: 80 }] }),
    setup(
      row('27.1', 'takes a node port', {
        type: 'NodePort',
        ports: [{ port: 80, nodePort: 30_013 }],
      }),
    ),
    row('27', 'node port of another', {
      type: 'NodePort',
      ports: [{ port: 80, nodePort: 30_013 }],
    }),
    setup(row('21.1', 'takes an address', { clusterIP: '10.96.0.88' })),
    row('21', 'address of another', { clusterIP: '10.96.0.88' }),
    row('28', 'port twice', ports({ name: 'a', port: 80 }, { name: 'b', port: 80 })),
    row('29', 'ranges on ClusterIP', { loadBalancerSourceRanges: ['10.0.0.0/8'] }),
    row('29', 'invalid range', lb({ loadBalancerSourceRanges: ['10.0.0.0/8', 'x'] })),
    row('29', 'range with blanks', lb({ loadBalancerSourceRanges: [' 10.0.0.0/8 '] })),
    row('30', 'ranges in the annotation on ClusterIP', {}, annotated(ranges, '10.0.0.0/8')),
    row('30', 'invalid ranges in the annotation', lb({}), annotated(ranges, 'x')),
    row('31', 'node port allocation on ClusterIP', { allocateLoadBalancerNodePorts: true }),
    row('32', 'class on ClusterIP', { loadBalancerClass: 'a/b' }),
    row('32', 'invalid class', lb({ loadBalancerClass: 'a b' })),
    row('33', 'external policy on ClusterIP', { externalTrafficPolicy: 'Local' }),
    row('33', 'external policy', lb({ externalTrafficPolicy: 'Some' })),
    row('34', 'health port on ClusterIP', { healthCheckNodePort: 30_014 }),
    row('34', 'health port with Cluster', lb({ healthCheckNodePort: 30_014 })),
    row(
      '34',
      'health port out of range',
      lb({ externalTrafficPolicy: 'Local', healthCheckNodePort: 80 }),
    ),
    row(
      '34',
      'health port negative',
      lb({ externalTrafficPolicy: 'Local', healthCheckNodePort: -1 }),
    ),
    row('35', 'internal policy', { internalTrafficPolicy: 'Some' }),
    row('35', 'internal policy on ExternalName', {
      type: 'ExternalName',
      externalName: 'a.b',
      internalTrafficPolicy: 'Local',
    }),
    row('36', 'traffic distribution', { trafficDistribution: 'Some' }),
    row('99', 'many at once, in order', {
      type: 'Internal',
      ports: [
        { port: 0, protocol: 'X' },
        { port: 0, name: 'A' },
      ],
      sessionAffinity: 'X',
      selector: { 'a b': 'c' },
      externalIPs: ['x'],
      internalTrafficPolicy: 'X',
    }),
  ],
};
