// Objects of every writable kind that the server takes as they are: what fuzzing mutates.

import type { JsonObject } from '../../common/model/kube-object.ts';

const role = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'view' };
const rule = { verbs: ['get', 'list'], apiGroups: ['', 'apps'], resources: ['services', 'pods'] };
const subject = { kind: 'User', name: 'ann', apiGroup: 'rbac.authorization.k8s.io' };
const condition = {
  type: 'Ready',
  status: 'True',
  reason: 'Known',
  message: 'm',
  lastTransitionTime: '2026-01-02T03:04:05Z',
};
const event = {
  type: 'Normal',
  reason: 'Created',
  action: 'Create',
  reportingInstance: 'i-1',
  eventTime: '2026-01-02T03:04:05.000006Z',
};
const ports = [
  { name: 'http', port: 80, targetPort: 'web', protocol: 'TCP' },
  { name: 'dns', port: 53, targetPort: 5353, protocol: 'UDP', appProtocol: 'dns' },
];

/** By `<group>/<kind>`; without apiVersion, kind, name and namespace. */
export const seedObjects: Readonly<Record<string, readonly JsonObject[]>> = {
  '/Service': [
    { spec: { selector: { app: 'a' }, ports } },
    { spec: { type: 'NodePort', ports, externalTrafficPolicy: 'Local', externalIPs: ['1.2.3.4'] } },
    {
      spec: { type: 'LoadBalancer', ports, loadBalancerSourceRanges: ['10.0.0.0/8'] },
      status: { loadBalancer: { ingress: [{ ip: '1.2.3.4' }, { hostname: 'a.b' }] } },
    },
    { spec: { clusterIP: 'None', selector: { app: 'a' }, publishNotReadyAddresses: true } },
    { spec: { type: 'ExternalName', externalName: 'a.example.com' } },
    { spec: { ports, sessionAffinity: 'ClientIP', ipFamilyPolicy: 'PreferDualStack' } },
  ],
  '/Namespace': [{ spec: { finalizers: ['kubernetes'] }, status: { phase: 'Active' } }],
  '/Event': [
    { ...event, involvedObject: { kind: 'Service', name: 'a' }, count: 1, source: {} },
    { involvedObject: { kind: 'Service' }, message: 'm', firstTimestamp: '2026-01-02T03:04:05Z' },
  ],
  'events.k8s.io/Event': [
    {
      ...event,
      reportingController: 'a.b/c',
      regarding: { kind: 'Service', name: 'a' },
      series: { count: 2, lastObservedTime: '2026-01-02T03:04:05.000006Z' },
    },
  ],
  '/ConfigMap': [
    { data: { a: 'b' }, binaryData: { c: 'AAEC' } },
    { data: {}, immutable: true },
  ],
  '/Secret': [
    { type: 'Opaque', data: { a: 'AAEC' }, stringData: { b: 'c' } },
    { type: 'kubernetes.io/tls', data: { 'tls.crt': 'AA==', 'tls.key': 'AA==' } },
  ],
  'coordination.k8s.io/Lease': [
    {
      spec: {
        holderIdentity: 'a',
        leaseDurationSeconds: 15,
        renewTime: '2026-01-02T03:04:05.000006Z',
      },
    },
  ],
  'isthmus.dev/Cluster': [
    { spec: { zone: 'a', region: 'b', provider: 'c' }, status: { conditions: [condition] } },
  ],
  'isthmus.dev/JoinToken': [{ spec: { cluster: 'a', expirationSeconds: 3600 } }],
  'isthmus.dev/ServicePolicy': [
    {
      spec: {
        serviceName: 'a',
        placement: { clusterSelector: { matchLabels: { cloud: 'gce' } } },
        health: { minReadyEndpoints: 2 },
      },
    },
  ],
  'authentication.k8s.io/TokenReview': [{ spec: { token: 'x', audiences: ['a'] } }],
  'authentication.k8s.io/SelfSubjectReview': [{}],
  'authorization.k8s.io/SubjectAccessReview': [
    {
      spec: { user: 'a', groups: ['b'], resourceAttributes: { verb: 'get', resource: 'services' } },
    },
  ],
  'authorization.k8s.io/LocalSubjectAccessReview': [
    {
      spec: {
        user: 'a',
        resourceAttributes: { verb: 'get', resource: 'pods', namespace: 'default' },
      },
    },
  ],
  'authorization.k8s.io/SelfSubjectAccessReview': [
    { spec: { nonResourceAttributes: { path: '/healthz', verb: 'get' } } },
  ],
  'authorization.k8s.io/SelfSubjectRulesReview': [{ spec: { namespace: 'default' } }],
  'rbac.authorization.k8s.io/Role': [{ rules: [rule] }],
  'rbac.authorization.k8s.io/ClusterRole': [
    { rules: [rule, { verbs: ['get'], nonResourceURLs: ['/metrics'] }] },
    { aggregationRule: { clusterRoleSelectors: [{ matchLabels: { a: 'b' } }] } },
  ],
  'rbac.authorization.k8s.io/RoleBinding': [{ roleRef: role, subjects: [subject] }],
  'rbac.authorization.k8s.io/ClusterRoleBinding': [{ roleRef: role, subjects: [subject] }],
};
