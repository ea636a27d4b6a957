// Services of every type, their changes of type, their status and what is warned of.

import { alias, create, patch, patchStatus, port80, type Scenario } from './service-recording.ts';
import { addressScenarios } from './service-address-scenarios.ts';

const named = {
  ports: [
    { name: 'a', port: 80 },
    { name: 'b', port: 443 },
  ],
};
const specs: Readonly<Record<string, object>> = {
  ClusterIP: { ...named, type: 'ClusterIP' },
  NodePort: { ...named, type: 'NodePort', externalTrafficPolicy: 'Local' },
  LoadBalancer: {
    ...named,
    type: 'LoadBalancer',
    externalTrafficPolicy: 'Local',
    loadBalancerClass: 'a/b',
  },
  ExternalName: { ...named, ...alias },
};

/** Each type to each other: what is given, kept and lost. */
const transitions: readonly Scenario[] = Object.entries(specs).flatMap(([from, spec]) =>
  Object.keys(specs)
    .filter((to) => to !== from)
    .map((to) => ({
      title: `${from} to ${to}`,
      items: '76',
      steps: [
        create(spec),
        ...(from === 'LoadBalancer'
          ? [
              patchStatus({
                status: {
                  loadBalancer: { ingress: [{ ip: '1.2.3.4' }] },
                  conditions: [
                    {
                      type: 'Ready',
                      status: 'True',
                      reason: 'Fine',
                      message: '',
                      lastTransitionTime: '2026-01-01T00:00:00Z',
                    },
                  ],
                },
              }),
            ]
          : []),
        patch(to === 'ExternalName' ? alias : { type: to }),
      ],
    })),
);

export const scenarios: readonly Scenario[] = [
  ...Object.entries(specs).map(([type, spec]) => ({
    title: `a new ${type}`,
    items: '16',
    steps: [create(spec)],
  })),
  {
    title: 'a new headless Service, with and without selector',
    items: '16',
    steps: [
      create({ ...port80, clusterIP: 'None' }),
      {
        method: 'POST',
        body: {
          metadata: { name: 'b' },
          spec: { ...port80, clusterIP: 'None', selector: { a: 'b' } },
        },
      },
      { method: 'POST', body: { metadata: { name: 'c' }, spec: { clusterIP: 'None' } } },
    ],
  },
  {
    title: 'every default',
    items: '16',
    steps: [
      create({
        ports: [
          { name: 'a', port: 1, targetPort: 0, protocol: '' },
          { name: 'b', port: 2, targetPort: '' },
          { name: 'c', port: 3, targetPort: 'web', protocol: 'UDP' },
        ],
        externalIPs: ['9.9.9.9'],
        sessionAffinity: 'ClientIP',
        sessionAffinityConfig: { clientIP: {} },
      }),
    ],
  },
  ...transitions,
  {
    title: 'a type and a field of it changed in one write',
    items: '76',
    steps: [
      create({ ...port80, type: 'LoadBalancer', externalTrafficPolicy: 'Local' }),
      patch({ type: 'ClusterIP', externalTrafficPolicy: 'Cluster' }),
      patch({ type: 'ClusterIP', allocateLoadBalancerNodePorts: false }),
      patch({ type: 'ClusterIP', ports: [{ port: 80, nodePort: 30050 }] }),
      patch({ type: 'NodePort' }),
      patch({ type: 'LoadBalancer' }),
      patch({ type: 'ExternalName', externalName: 'a.example', clusterIP: '10.96.0.9' }),
    ],
  },
  {
    title: 'the status, through its own endpoint only',
    items: '82',
    steps: [
      create({ ...port80, type: 'LoadBalancer' }),
      patchStatus({
        metadata: { labels: { a: 'b' }, annotations: { c: 'd' } },
        spec: { selector: { a: 'b' } },
        status: { loadBalancer: { ingress: [{ ip: '1.2.3.4' }, { hostname: 'a.example' }] } },
      }),
      patch(
        { selector: { x: 'y' } },
        { status: { loadBalancer: { ingress: [{ ip: '9.9.9.9' }] } } },
      ),
      { method: 'GET', at: 'web/status' },
      patchStatus({ status: { loadBalancer: { ingress: [{ ip: '1.2.3.4', ipMode: 'Proxy' }] } } }),
      patchStatus({
        status: { loadBalancer: { ingress: [{ ip: '::ffff:1.2.3.4' }, { ip: '2001:DB8::1' }] } },
      }),
      patchStatus({ status: null }),
    ],
  },
  {
    title: 'an ingress of another type, and what becomes of conditions',
    items: '83',
    steps: [
      create({ ...port80, type: 'LoadBalancer' }),
      patchStatus({
        status: {
          loadBalancer: { ingress: [{ ip: '1.2.3.4' }] },
          conditions: [
            {
              type: 'X',
              status: 'True',
              reason: 'Y',
              message: 'z',
              lastTransitionTime: '2026-01-01T00:00:00Z',
            },
          ],
        },
      }),
      patch({ type: 'ClusterIP' }),
      patchStatus({ status: { loadBalancer: { ingress: [{ ip: '1.2.3.4' }] } } }),
    ],
  },
  {
    title: 'every warning of a create',
    items: '31',
    steps: [
      create(
        {
          ports: [{ port: 80 }],
          type: 'LoadBalancer',
          clusterIP: '10.96.0.032',
          externalName: 'a.example',
          externalIPs: ['009.9.9.9', '::ffff:9.9.9.9', '2001:DB8::1', '2001:db8::1'],
          loadBalancerIP: '2001:db8:0::1',
          loadBalancerSourceRanges: [
            '10.0.0.1/8',
            '010.0.0.0/8',
            '2001:DB8::/32',
            '::ffff:10.0.0.0/104',
            ' 10.0.0.0/8',
          ],
        },
        { annotations: { 'service.kubernetes.io/topology-aware-hints': 'Auto' } },
      ),
      patch({ selector: { a: 'b' } }),
    ],
  },
  {
    title: 'warnings of headless Services and aliases',
    items: '31',
    steps: [
      create({
        ...port80,
        clusterIP: 'None',
        externalIPs: ['9.9.9.9'],
        loadBalancerIP: '9.9.9.9',
        sessionAffinity: 'ClientIP',
      }),
      {
        method: 'POST',
        body: { metadata: { name: 'b' }, spec: { ...alias, externalIPs: ['9.9.9.9'] } },
      },
      {
        method: 'POST',
        body: { metadata: { name: 'c' }, spec: { ...port80, trafficDistribution: 'PreferClose' } },
      },
    ],
  },
  {
    title: 'an alias with a policy that is hidden, and one that is none',
    items: '16',
    steps: [
      create({ ...alias, internalTrafficPolicy: 'Local' }),
      { method: 'GET', at: 'web' },
      patch({ internalTrafficPolicy: 'Foo' }),
    ],
  },
  ...addressScenarios,
];
