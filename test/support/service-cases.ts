// Requests that Kubernetes 1.34 answers with one exact refusal, row by row of its validation of
// Services: what was sent, and the lines that came back, each taken from a real kube-apiserver.

import { balancerCases } from './service-balancer-cases.ts';
import {
  anIp,
  hints,
  label1035,
  label1123,
  labelValue,
  mode,
  namePart,
  qualifiedName,
  ranged,
  subdomain,
} from './service-texts.ts';
import type { RefusedCreate } from './service-refusal.ts';

const port = { ports: [{ port: 80 }] };
const balancer = { ...port, type: 'LoadBalancer' };

export const refusedCreates: readonly RefusedCreate[] = [
  {
    row: '1',
    title: 'a name that begins with a digit',
    metadata: { name: '1a' },
    spec: port,
    lines: [`metadata.name: Invalid value: "1a": ${label1035}`],
  },
  {
    row: '1',
    title: 'a name with dots that is too long',
    metadata: { name: `a.${'b'.repeat(70)}` },
    spec: port,
    lines: [
      `metadata.name: Invalid value: "a.${'b'.repeat(70)}": must be no more than 63 characters`,
      `metadata.name: Invalid value: "a.${'b'.repeat(70)}": ${label1035}`,
    ],
  },
  {
    row: '3',
    title: 'two annotations that contradict each other',
    metadata: { annotations: { [mode]: 'Auto', [hints]: 'Disabled' } },
    spec: port,
    lines: [
      `metadata.annotations[${mode}]: Invalid value: "Auto": must match annotations[${hints}] when both are specified`,
    ],
  },
  { row: '4', title: 'no ports', spec: {}, lines: ['spec.ports: Required value'] },
  {
    row: '5',
    title: 'a headless LoadBalancer',
    spec: { ...balancer, clusterIP: 'None' },
    lines: [
      'spec.clusterIPs[0]: Invalid value: "None": may not be set to \'None\' for LoadBalancer services',
    ],
  },
  {
    row: '5',
    title: 'a headless NodePort',
    spec: { ...port, type: 'NodePort', clusterIP: 'None' },
    lines: [
      'spec.clusterIPs[0]: Invalid value: "None": may not be set to \'None\' for NodePort services',
    ],
  },
  {
    row: '6',
    title: 'an alias with addresses',
    spec: {
      type: 'ExternalName',
      externalName: 'a.example',
      clusterIP: '10.96.0.20',
      ipFamilies: ['IPv4'],
      ipFamilyPolicy: 'SingleStack',
    },
    lines: [
      'spec.clusterIPs: Forbidden: may not be set for ExternalName services',
      'spec.ipFamilies: Forbidden: may not be set for ExternalName services',
      'spec.ipFamilyPolicy: Forbidden: may not be set for ExternalName services',
    ],
  },
  {
    row: '7',
    title: 'an alias of nothing',
    spec: { type: 'ExternalName' },
    lines: ['spec.externalName: Required value'],
  },
  {
    row: '7',
    title: 'an alias of no name',
    spec: { type: 'ExternalName', externalName: 'A_b.' },
    lines: [`spec.externalName: Invalid value: "A_b": ${subdomain}`],
  },
  {
    row: '8',
    title: 'several ports without names',
    spec: { ports: [{ port: 80 }, { port: 81 }] },
    lines: ['spec.ports[0].name: Required value', 'spec.ports[1].name: Required value'],
  },
  {
    row: '8b',
    title: 'a port name that is none, one with a dot, and one that comes twice',
    spec: {
      ports: [
        { name: 'A', port: 80 },
        { name: 'a.b', port: 81 },
        { name: 'c', port: 82 },
        { name: 'c', port: 83 },
      ],
    },
    lines: [
      `spec.ports[0].name: Invalid value: "A": ${label1123}`,
      'spec.ports[1].name: Invalid value: "a.b": must not contain dots',
      'spec.ports[3].name: Duplicate value: "c"',
    ],
  },
  {
    row: '9',
    title: 'a port out of range',
    spec: { ports: [{ port: 0 }] },
    lines: [
      `spec.ports[0].port: Invalid value: 0: ${ranged}`,
      `spec.ports[0].targetPort: Invalid value: 0: ${ranged}`,
    ],
  },
  {
    row: '10',
    title: 'an unknown protocol',
    spec: { ports: [{ port: 80, protocol: 'HTTP' }] },
    lines: [
      'spec.ports[0].protocol: Unsupported value: "HTTP": supported values: "SCTP", "TCP", "UDP"',
    ],
  },
  {
    row: '11',
    title: 'a target number out of range',
    spec: { ports: [{ port: 80, targetPort: 65536 }] },
    lines: [`spec.ports[0].targetPort: Invalid value: 65536: ${ranged}`],
  },
  {
    row: '11',
    title: 'a target name with every fault',
    spec: { ports: [{ port: 80, targetPort: '-0--000000000000_' }] },
    lines: [
      'spec.ports[0].targetPort: Invalid value: "-0--000000000000_": must be no more than 15 characters',
      'spec.ports[0].targetPort: Invalid value: "-0--000000000000_": must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)',
      'spec.ports[0].targetPort: Invalid value: "-0--000000000000_": must contain at least one letter (a-z)',
      'spec.ports[0].targetPort: Invalid value: "-0--000000000000_": must not contain consecutive hyphens',
      'spec.ports[0].targetPort: Invalid value: "-0--000000000000_": must not begin or end with a hyphen',
    ],
  },
  {
    row: '12',
    title: 'an application protocol that is no qualified name',
    spec: { ports: [{ port: 80, appProtocol: 'a b' }] },
    lines: [`spec.ports[0].appProtocol: Invalid value: "a b": ${namePart}`],
  },
  {
    row: '12',
    title: 'an application protocol with two slashes',
    spec: { ports: [{ port: 80, appProtocol: 'a/b/c' }] },
    lines: [`spec.ports[0].appProtocol: Invalid value: "a/b/c": ${qualifiedName}`],
  },
  {
    row: '13',
    title: 'a selector of no label',
    spec: { ...port, selector: { 'a b': '-' } },
    lines: [
      `spec.selector: Invalid value: "a b": ${namePart}`,
      `spec.selector: Invalid value: "-": ${labelValue}`,
    ],
  },
  {
    row: '14',
    title: 'an unknown affinity',
    spec: { ...port, sessionAffinity: 'Sticky' },
    lines: [
      'spec.sessionAffinity: Unsupported value: "Sticky": supported values: "ClientIP", "None"',
    ],
  },
  {
    row: '15',
    title: 'an affinity that lasts too long',
    spec: {
      ...port,
      sessionAffinity: 'ClientIP',
      sessionAffinityConfig: { clientIP: { timeoutSeconds: 86401 } },
    },
    lines: [
      'spec.sessionAffinityConfig.clientIP.timeoutSeconds: Invalid value: 86401: must be greater than 0 and less than 86400',
    ],
  },
  {
    row: '17',
    title: 'addresses without the first of them',
    spec: { ...port, clusterIPs: ['10.96.0.21'] },
    lines: [
      'spec.clusterIPs: Invalid value: ["10.96.0.21"]: must be empty when `clusterIP` is not specified',
    ],
  },
  {
    row: '17',
    title: 'a first address that is another',
    spec: { ...port, clusterIP: '10.96.0.22', clusterIPs: ['10.96.0.21'] },
    lines: ['spec.clusterIPs: Invalid value: ["10.96.0.21"]: first value must match `clusterIP`'],
  },
  {
    row: '18',
    title: 'an unknown family, and one twice',
    spec: { ...port, ipFamilies: ['IPv5', 'IPv4', 'IPv4'] },
    lines: [
      'spec.ipFamilies[0]: Unsupported value: "IPv5": supported values: "IPv4", "IPv6"',
      'spec.ipFamilies[2]: Duplicate value: "IPv4"',
    ],
  },
  {
    row: '19',
    title: 'an unknown policy of families',
    spec: { ...port, ipFamilyPolicy: 'Any' },
    lines: [
      'spec.ipFamilyPolicy: Unsupported value: "Any": supported values: "PreferDualStack", "RequireDualStack", "SingleStack"',
    ],
  },
  {
    row: '20',
    title: 'None beside an address',
    spec: { ...port, clusterIP: 'None', clusterIPs: ['None', '10.96.0.23'] },
    lines: [
      'spec.clusterIPs: Invalid value: ["None","10.96.0.23"]: \'None\' must be the first and only value',
    ],
  },
  {
    row: '20',
    title: 'three addresses',
    spec: {
      ...port,
      clusterIP: '10.96.0.23',
      clusterIPs: ['10.96.0.23', 'fd00::23', '10.96.0.24'],
    },
    lines: [
      'spec.clusterIPs: Invalid value: ["10.96.0.23","fd00::23","10.96.0.24"]: may only hold up to 2 values',
    ],
  },
  {
    row: '20',
    title: 'two addresses of one family',
    spec: { ...port, clusterIP: '10.96.0.23', clusterIPs: ['10.96.0.23', '10.96.0.24'] },
    lines: [
      'spec.clusterIPs: Invalid value: ["10.96.0.23","10.96.0.24"]: may specify no more than one IP for each IP family',
    ],
  },
  {
    row: '21',
    title: 'an address that is none',
    spec: { ...port, clusterIP: 'x' },
    lines: [`spec.clusterIPs[0]: Invalid value: "x": ${anIp}`],
  },
  {
    row: '21',
    title: 'an address of another family than it says',
    spec: { ...port, clusterIP: '10.96.0.25', ipFamilies: ['IPv6'] },
    lines: [
      'spec.clusterIPs[0]: Invalid value: "10.96.0.25": expected an IPv6 value as indicated by `ipFamilies[0]`',
    ],
  },
  {
    row: '21',
    title: 'an address of a family without a range',
    spec: { ...port, clusterIP: 'fd00::25' },
    lines: [
      'spec.clusterIPs[0]: Invalid value: ["fd00::25"]: IPv6 is not configured on this cluster',
    ],
  },
  {
    row: '22',
    title: 'two families demanded of one',
    spec: { ...port, ipFamilyPolicy: 'RequireDualStack' },
    lines: [
      'spec.ipFamilyPolicy: Invalid value: "RequireDualStack": this cluster is not configured for dual-stack services',
    ],
  },
  {
    row: '22',
    title: 'two families of a single stack',
    spec: { ...port, ipFamilyPolicy: 'SingleStack', ipFamilies: ['IPv4', 'IPv6'] },
    lines: [
      "spec.ipFamilyPolicy: Invalid value: \"SingleStack\": must be 'RequireDualStack' or 'PreferDualStack' when multiple IP families are specified",
    ],
  },
  {
    row: '22',
    title: 'two addresses of a single stack',
    spec: {
      ...port,
      ipFamilyPolicy: 'SingleStack',
      clusterIP: '10.96.0.26',
      clusterIPs: ['10.96.0.26', 'fd00::26'],
    },
    lines: [
      "spec.ipFamilyPolicy: Invalid value: \"SingleStack\": must be 'RequireDualStack' or 'PreferDualStack' when multiple cluster IPs are specified",
      'spec.clusterIPs[1]: Invalid value: ["10.96.0.26","fd00::26"]: IPv6 is not configured on this cluster',
    ],
  },
  {
    row: '23',
    title: 'a family without a range',
    spec: { ...port, ipFamilies: ['IPv6'] },
    lines: ['spec.ipFamilies[0]: Invalid value: "IPv6": not configured on this cluster'],
  },
  ...balancerCases,
];
