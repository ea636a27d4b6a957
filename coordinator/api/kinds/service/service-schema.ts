// The schema of Services.

import type { Schema } from '../../machinery/schema/schema.ts';
import { conditions, objectSchema } from '../common-schema.ts';
import {
  flag,
  int32,
  intOrString,
  kept,
  list,
  named,
  struct,
  text,
  textMap,
  texts,
} from '../schema-parts.ts';

const port = struct(
  'ServicePort',
  'One port on which the Service is reached.',
  {
    name: text('Name of the port, a DNS label. Needed when there are several.'),
    protocol: named('v1.Protocol', text('TCP (the default), UDP or SCTP.', ['SCTP', 'TCP', 'UDP'])),
    appProtocol: kept(text('What is spoken on the port, such as kubernetes.io/h2c.')),
    port: int32('Number of the port, 1 to 65535.'),
    targetPort: intOrString('Number or name of the port on the pods. Default: the same as port.'),
    nodePort: int32('Port on every node for types NodePort and LoadBalancer; given when absent.'),
  },
  {
    required: ['port'],
    protobuf: { name: 1, protocol: 2, port: 3, targetPort: 4, nodePort: 5, appProtocol: 6 },
  },
);

const ports: Schema = {
  type: 'list',
  description: 'The ports on which the Service is reached.',
  items: port,
  // Applying tells 80/TCP from 80/UDP, a strategic merge patch does not; both as in Kubernetes.
  topology: { kind: 'map', keys: ['port', 'protocol'], defaults: { protocol: 'TCP' } },
  patch: { kind: 'merge', key: 'port' },
};

const spec = struct(
  'ServiceSpec',
  'What is wanted of the Service.',
  {
    ports,
    selector: textMap('Labels of the pods that stand behind the Service.', true),
    clusterIP: text('Virtual address inside the cluster, given when absent; None for headless.'),
    clusterIPs: texts('The virtual addresses, one per IP family; the first is clusterIP.'),
    type: named(
      'v1.ServiceType',
      text('How the Service is exposed. Default: ClusterIP.', [
        'ClusterIP',
        'ExternalName',
        'LoadBalancer',
        'NodePort',
      ]),
    ),
    externalIPs: texts('Further addresses that route to the nodes, managed by nobody here.'),
    sessionAffinity: named(
      'v1.ServiceAffinity',
      text('ClientIP sends one client to one pod. Default: None.', ['ClientIP', 'None']),
    ),
    loadBalancerIP: text('Address wanted of the load balancer, where the provider heeds it.'),
    loadBalancerSourceRanges: texts('Networks (CIDR) that may reach the load balancer.'),
    externalName: text('The DNS name that a Service of type ExternalName is an alias of.'),
    externalTrafficPolicy: named(
      'v1.ServiceExternalTrafficPolicy',
      text('Local keeps traffic from outside on the node that it arrives at. Default: Cluster.', [
        'Cluster',
        'Local',
      ]),
    ),
    healthCheckNodePort: int32('Port of the node health check, for externalTrafficPolicy Local.'),
    publishNotReadyAddresses: flag('True lists endpoints in DNS before they are ready.'),
    sessionAffinityConfig: struct(
      'SessionAffinityConfig',
      'Details of the session affinity.',
      {
        clientIP: struct(
          'ClientIPConfig',
          'Details of affinity by client address.',
          {
            timeoutSeconds: kept(
              int32('Seconds that a client stays with its pod. Default: 10800.'),
            ),
          },
          { protobuf: { timeoutSeconds: 1 } },
        ),
      },
      { protobuf: { clientIP: 1 } },
    ),
    ipFamilies: texts('The IP families (IPv4, IPv6) in order of preference.'),
    ipFamilyPolicy: kept(
      named(
        'v1.IPFamilyPolicy',
        text('Whether one or both IP families are wanted.', [
          'PreferDualStack',
          'RequireDualStack',
          'SingleStack',
        ]),
      ),
    ),
    allocateLoadBalancerNodePorts: kept(
      flag('False spares the node ports of a LoadBalancer. Default: true.'),
    ),
    loadBalancerClass: kept(text('Which load balancer implementation is meant.')),
    internalTrafficPolicy: kept(
      named(
        'v1.ServiceInternalTrafficPolicy',
        text('Local keeps traffic inside the cluster on its node. Default: Cluster.', [
          'Cluster',
          'Local',
        ]),
      ),
    ),
    trafficDistribution: kept(text('Preference for near endpoints, such as PreferClose.')),
  },
  {
    protobuf: {
      ports: 1,
      selector: 2,
      clusterIP: 3,
      type: 4,
      externalIPs: 5,
      sessionAffinity: 7,
      loadBalancerIP: 8,
      loadBalancerSourceRanges: 9,
      externalName: 10,
      externalTrafficPolicy: 11,
      healthCheckNodePort: 12,
      publishNotReadyAddresses: 13,
      sessionAffinityConfig: 14,
      ipFamilyPolicy: 17,
      clusterIPs: 18,
      ipFamilies: 19,
      allocateLoadBalancerNodePorts: 20,
      loadBalancerClass: 21,
      internalTrafficPolicy: 22,
      trafficDistribution: 23,
    },
  },
);

const ingress = struct(
  'LoadBalancerIngress',
  'One address of a load balancer.',
  {
    ip: text('Address, when the load balancer has one.'),
    hostname: text('DNS name, when the load balancer has that instead.'),
    ipMode: kept(
      named(
        'v1.LoadBalancerIPMode',
        text('VIP or Proxy: how packets to the address arrive.', ['Proxy', 'VIP']),
      ),
    ),
    ports: list(
      'What became of each port.',
      struct(
        'PortStatus',
        'State of one port of the load balancer.',
        {
          port: int32('Number of the port.'),
          protocol: text('Protocol of the port.'),
          error: kept(text('Why the port does not work, when it does not.')),
        },
        { required: ['port', 'protocol'], protobuf: { port: 1, protocol: 2, error: 3 } },
      ),
    ),
  },
  { protobuf: { ip: 1, hostname: 2, ipMode: 3, ports: 4 } },
);

const status = struct(
  'ServiceStatus',
  'What the Service has become.',
  {
    loadBalancer: struct(
      'LoadBalancerStatus',
      'The load balancers of the Service.',
      {
        ingress: list(
          'Where clients reach the Service. In a federation: every healthy cluster.',
          ingress,
        ),
      },
      { protobuf: { ingress: 1 } },
    ),
    conditions,
  },
  { protobuf: { loadBalancer: 1, conditions: 2 } },
);

export const serviceSchema = objectSchema(
  'Service',
  'A set of pods under one name: here, one that every chosen cluster gets a shard of.',
  { spec, status },
  { protobuf: { metadata: 1, spec: 2, status: 3 } },
);
