// What Services are given, keep, change and lose: addresses, families, node ports.

import { alias, create, patch, port80, type Scenario } from './service-recording.ts';

const named = {
  ports: [
    { name: 'a', port: 80 },
    { name: 'b', port: 443 },
  ],
};
export const addressScenarios: readonly Scenario[] = [
  {
    title: 'an address taken away, emptied, and left out',
    items: '77',
    steps: [
      create({ ...port80, clusterIP: '10.96.0.30' }),
      patch({ clusterIP: null }),
      patch({ clusterIP: '', clusterIPs: [] }),
      patch({ clusterIPs: null }),
      patch({ clusterIP: '', clusterIPs: ['10.96.0.30'] }),
      { method: 'PUT', at: 'web', body: { metadata: { name: 'web' }, spec: port80 } },
      patch({ clusterIPs: ['10.96.0.31'] }),
      patch({ clusterIP: null, ipFamilies: null, ipFamilyPolicy: null }),
    ],
  },
  {
    title: 'headless for good',
    items: '77',
    steps: [
      create({ ...port80, clusterIP: 'None', selector: { a: 'b' } }),
      patch({ clusterIP: null, clusterIPs: null }),
      patch({ type: 'NodePort' }),
      patch({ ipFamilies: ['IPv4', 'IPv6'] }),
      patch({ selector: null }),
      patch({ ports: null }),
    ],
  },
  {
    title: 'node ports by the names of their ports',
    items: '78',
    steps: [
      create({ ...named, type: 'NodePort' }),
      patch({
        ports: [
          { name: 'b', port: 8443 },
          { name: 'a', port: 8080 },
          { name: 'c', port: 1 },
        ],
      }),
      patch({ ports: [{ name: 'a', port: 8080 }] }),
      patch({
        ports: [
          { name: 'a', port: 8080, nodePort: 30051 },
          { name: 'b', port: 2 },
        ],
      }),
      patch({
        ports: [
          { name: 'x', port: 8080, nodePort: 30051 },
          { name: 'a', port: 2 },
        ],
      }),
      patch({
        ports: [
          { name: 'x', port: 1, nodePort: 30052 },
          { name: 'y', port: 2, nodePort: 30052 },
        ],
      }),
      patch({
        ports: [
          { name: 'x', port: 1, nodePort: 30052, protocol: 'TCP' },
          { name: 'y', port: 1, nodePort: 30052, protocol: 'UDP' },
        ],
      }),
      patch({ type: 'ClusterIP' }),
    ],
  },
  {
    title: 'node ports that two ports of one number share',
    items: '78',
    steps: [
      create({
        type: 'LoadBalancer',
        ports: [
          { name: 'a', port: 53 },
          { name: 'b', port: 53, protocol: 'UDP' },
          { name: 'c', port: 54, nodePort: 30053 },
          { name: 'd', port: 54, protocol: 'UDP' },
        ],
      }),
      patch({ allocateLoadBalancerNodePorts: false }),
      patch({ ports: [{ name: 'a', port: 53, nodePort: 0 }] }),
    ],
  },
  {
    title: 'the health check of a load balancer',
    items: '79',
    steps: [
      create({
        ...port80,
        type: 'LoadBalancer',
        externalTrafficPolicy: 'Local',
        healthCheckNodePort: 30054,
      }),
      patch({ healthCheckNodePort: 30055 }),
      patch({ healthCheckNodePort: null }),
      patch({ externalTrafficPolicy: 'Cluster' }),
      patch({ externalTrafficPolicy: 'Local' }),
      patch({ type: 'NodePort', externalTrafficPolicy: 'Local' }),
      patch({ healthCheckNodePort: 30056 }),
    ],
  },
  {
    title: 'the class of a load balancer',
    items: '79',
    steps: [
      create({ ...port80, type: 'LoadBalancer', loadBalancerClass: 'a/b' }),
      patch({ loadBalancerClass: 'a/c' }),
      patch({ type: 'ClusterIP', loadBalancerClass: 'a/c' }),
      patch({ type: 'ClusterIP' }),
      patch({ type: 'LoadBalancer', loadBalancerClass: 'a/c' }),
    ],
  },
  {
    title: 'one family to two, and back',
    items: '77',
    isDual: true,
    steps: [
      create(port80),
      patch({ ipFamilyPolicy: 'PreferDualStack' }),
      patch({ selector: { a: 'b' } }),
      patch({ ipFamilies: ['IPv4'] }),
      patch({ ipFamilyPolicy: 'RequireDualStack' }),
      patch({ ipFamilyPolicy: 'SingleStack', ipFamilies: ['IPv6'] }),
      patch({ ipFamilyPolicy: 'SingleStack' }),
      patch({ ipFamilyPolicy: 'RequireDualStack', ipFamilies: ['IPv6', 'IPv4'] }),
      patch({ ipFamilyPolicy: 'RequireDualStack', ipFamilies: ['IPv4', 'IPv6'] }),
      patch(alias),
      patch({ type: 'ClusterIP', ipFamilyPolicy: 'PreferDualStack' }),
    ],
  },
  {
    title: 'two families from the start, with an address chosen',
    items: '77',
    isDual: true,
    steps: [
      create({ ...port80, ipFamilyPolicy: 'PreferDualStack', clusterIP: '10.96.0.50' }),
      patch({ clusterIPs: ['10.96.0.50'] }),
      patch({ clusterIPs: ['10.96.0.50'], ipFamilies: ['IPv4'], ipFamilyPolicy: 'SingleStack' }),
      patch({ ipFamilyPolicy: 'PreferDualStack', clusterIPs: ['10.96.0.50', 'fd00::50'] }),
      patch({ clusterIPs: ['fd00::50', '10.96.0.50'] }),
      {
        method: 'POST',
        body: { metadata: { name: 'b' }, spec: { ...port80, ipFamilies: ['IPv6'] } },
      },

      {
        method: 'POST',
        body: { metadata: { name: 'd' }, spec: { ...port80, ipFamilyPolicy: 'RequireDualStack' } },
      },
      { method: 'POST', body: { metadata: { name: 'e' }, spec: { ...port80, clusterIP: 'None' } } },
      {
        method: 'POST',
        body: {
          metadata: { name: 'f' },
          spec: {
            ...port80,
            clusterIP: 'None',
            selector: { a: 'b' },
            ipFamilyPolicy: 'PreferDualStack',
          },
        },
      },
      {
        method: 'POST',
        body: {
          metadata: { name: 'g' },
          spec: { ...port80, clusterIP: '1.2.3.4', ipFamilyPolicy: 'RequireDualStack' },
        },
      },
    ],
  },
  {
    title: 'names of addresses and ports that are not to be had',
    items: '77',
    steps: [
      create({ ...port80, clusterIP: '1.2.3.4' }),
      create({ ...port80, clusterIP: '10.96.0.0' }),
      create({
        ...port80,
        type: 'NodePort',
        clusterIP: '10.96.0.60',
        ports: [{ port: 80, nodePort: 100 }],
      }),
      create({
        ...port80,
        type: 'NodePort',
        clusterIP: '10.96.0.60',
        ports: [{ port: 80, nodePort: 30060 }],
      }),
      {
        method: 'POST',
        body: { metadata: { name: 'b' }, spec: { ...port80, clusterIP: '10.96.0.60' } },
      },
      {
        method: 'POST',
        body: {
          metadata: { name: 'c' },
          spec: {
            type: 'LoadBalancer',
            externalTrafficPolicy: 'Local',
            healthCheckNodePort: 30060,
            ...port80,
          },
        },
      },
      {
        method: 'POST',
        body: {
          metadata: { name: 'd' },
          spec: { type: 'NodePort', ports: [{ port: 80, nodePort: 30060 }] },
        },
      },
    ],
  },
];
