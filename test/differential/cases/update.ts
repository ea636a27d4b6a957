// PUT: revisions, immutable members, what is restored, and the transitions between types.

import { configMap, service } from '../objects.ts';
import { get, patch, post, put, setup, type Area, type HttpStep } from '../step.ts';

type Fields = Readonly<Record<string, unknown>>;
const rv = (name: string): Fields => ({ resourceVersion: `{${name}}` });
const saved = (name: string) => ({ save: { [name]: ['metadata', 'resourceVersion'] } });
const at = 'services/u';
const set = (title: string, metadata: Fields, spec: Fields = {}): HttpStep =>
  put(title, at, service('u', spec, metadata));

export const update: Area = {
  name: 'update',
  steps: [
    setup(post('one', 'services', service('u', { selector: { a: 'b' } }), saved('first'))),
    set('without revision [k8s 72]', { labels: { l: '1' } }),
    set('with an old revision [k8s 72]', { ...rv('first'), labels: { l: '2' } }),
    set('with an invalid revision [k8s 72]', { resourceVersion: 'x' }),
    set('with revision 0 [k8s 72]', { resourceVersion: '0', labels: { l: '3' } }),
    setup(get('its revision', at, { ...saved('now'), pick: () => null })),
    set('with its revision [k8s 72]', { ...rv('now'), labels: { l: '4' } }),
    put('with another name [k8s 72]', at, service('other')),
    put('without a name [k8s 72]', at, { spec: { ports: [{ port: 80 }] }, metadata: {} }),
    set('with another namespace [k8s 72]', { namespace: 'other' }),
    set('with another uid [k8s 72]', { uid: 'zzz' }),
    set('with another kind [k8s 72]', {}),
    put('of a kind [k8s 72]', at, { ...service('u'), kind: 'ConfigMap' }),
    put('a missing one creates it [k8s 73]', 'services/made', service('made')),
    put(
      'a missing one with a revision [k8s 73]',
      'services/made2',
      service('made2', {}, { resourceVersion: '1' }),
    ),
    put(
      'a missing one with a uid [k8s 73]',
      'services/made3',
      service('made3', {}, { uid: 'zzz' }),
    ),
    put('a missing ConfigMap [k8s 73]', 'configmaps/made', configMap('made')),
    put('a missing Namespace [k8s 73]', '/api/v1/namespaces/{ns}-none', {
      metadata: { name: '{ns}-none' },
    }),
    set('times are restored [k8s 74]', {
      creationTimestamp: '2001-01-01T00:00:00Z',
      deletionTimestamp: '2001-01-01T00:00:00Z',
      generation: 9,
      selfLink: '/x',
    }),
    set('nothing changed [k8s 75]', { labels: { l: '5' } }),
    setup(get('its revision', at, { ...saved('same'), pick: () => null })),
    setup(set('nothing changed again', { labels: { l: '5' } })),
    get('has the same revision [k8s 75]', at, {
      pick: (body) => (body as { metadata: Fields }).metadata['labels'],
    }),
    put(
      'at the same revision [k8s 75]',
      at,
      service('u', {}, { ...rv('same'), labels: { l: '5' } }),
    ),
    set('as a dry run [k8s 20]', { labels: { l: '6' } }),
    put('dry run [k8s 20]', `${at}?dryRun=All`, service('u', {}, { labels: { dry: 'run' } })),
    get('after the dry run [k8s 20]', at),
    put('Strict [k8s 21]', `${at}?fieldValidation=Strict`, service('u', { foo: 1 })),
    put('Warn [k8s 21]', at, service('u', { foo: 1 })),
    put('invalid', at, service('u', { ports: [{ port: 0 }] })),
    put('status by its own path is not written [k8s 82]', at, {
      ...service('u', { type: 'LoadBalancer' }),
      status: { loadBalancer: { ingress: [{ ip: '1.2.3.4' }] } },
    }),
    put('/status [k8s 82]', `${at}/status`, {
      ...service(
        'u',
        { type: 'LoadBalancer', selector: { not: 'this' } },
        { labels: { via: 'status' } },
      ),
      status: {
        loadBalancer: { ingress: [{ ip: '1.2.3.4' }, { hostname: 'a.b' }] },
        conditions: [
          {
            type: 'Ok',
            status: 'True',
            reason: 'R',
            message: 'm',
            lastTransitionTime: '2020-01-01T00:00:00Z',
          },
        ],
      },
    }),
    get('/status is read [k8s 82]', `${at}/status`),
    put('row 38: address [k8s 82]', `${at}/status`, withIngress([{ ip: 'x' }])),
    put(
      'row 38: mode without address [k8s 82]',
      `${at}/status`,
      withIngress([{ hostname: 'a.b', ipMode: 'VIP' }]),
    ),
    put('row 38: mode [k8s 82]', `${at}/status`, withIngress([{ ip: '1.2.3.4', ipMode: 'X' }])),
    put('row 38: host name [k8s 82]', `${at}/status`, withIngress([{ hostname: 'A_b' }])),
    put(
      'row 38: an address as host name [k8s 82]',
      `${at}/status`,
      withIngress([{ hostname: '1.2.3.4' }]),
    ),
    patch('merge', '/status by patch [k8s 82]', `${at}/status`, {
      spec: { type: 'NodePort' },
      status: { loadBalancer: { ingress: [{ ip: '1.2.3.5' }] } },
    }),
    put('from LoadBalancer to ClusterIP [k8s 83]', at, service('u', { type: 'ClusterIP' })),
    put(
      'row 37: addresses of a ClusterIP [k8s 82]',
      `${at}/status`,
      withIngress([{ ip: '1.2.3.4' }]),
    ),
    put('/status of a missing one [k8s 82]', 'services/none/status', service('none')),
    put('/status of a kind without [k8s 82]', 'configmaps/map/status', configMap('map')),
  ],
};

function withIngress(ingress: readonly Fields[]): Fields {
  return { ...service('u', { type: 'LoadBalancer' }), status: { loadBalancer: { ingress } } };
}

const types: Readonly<Record<string, Fields>> = {
  ClusterIP: { type: 'ClusterIP' },
  NodePort: { type: 'NodePort' },
  LoadBalancer: { type: 'LoadBalancer' },
  ExternalName: { type: 'ExternalName', externalName: 'a.example.com' },
};

const pairs = Object.keys(types).flatMap((from) =>
  Object.keys(types).flatMap((to) => (from === to ? [] : [[from, to] as const])),
);

const change = (title: string, spec: Fields, name = 'ip'): HttpStep =>
  patch('merge', title, `services/${name}`, { spec });

const addresses: readonly HttpStep[] = [
  setup(post('an address', 'services', service('ip', { clusterIP: '10.96.0.99' }))),
  change('clusterIP null [k8s 77]', { clusterIP: null }),
  change('clusterIP empty [k8s 77]', { clusterIP: '' }),
  change('both null [k8s 77]', { clusterIP: null, clusterIPs: null }),
  change('clusterIP None [k8s 77]', { clusterIP: 'None' }),
  change('clusterIP changed [k8s 77]', { clusterIP: '10.96.0.100' }),
  change('both changed [k8s 77]', { clusterIP: '10.96.0.100', clusterIPs: ['10.96.0.100'] }),
  change('clusterIPs alone changed [k8s 77]', { clusterIPs: ['10.96.0.100'] }),
  change('clusterIPs null [k8s 77]', { clusterIPs: null }),
  change('clusterIPs empty [k8s 77]', { clusterIPs: [] }),
  change('a family more [k8s 77]', { ipFamilyPolicy: 'RequireDualStack' }),
  change('PreferDualStack [k8s 77]', { ipFamilyPolicy: 'PreferDualStack' }),
  change('another family [k8s 77]', { ipFamilies: ['IPv6'] }),
  change('families null [k8s 77]', { ipFamilies: null }),
  change('policy null [k8s 77]', { ipFamilyPolicy: null }),
  setup(post('headless', 'services', service('hl', { clusterIP: 'None', selector: { a: 'b' } }))),
  change('headless to an address [k8s 77]', { clusterIP: '10.96.0.101' }, 'hl'),
  change('headless to empty [k8s 77]', { clusterIP: '' }, 'hl'),
  change('headless to NodePort [k8s 77]', { type: 'NodePort' }, 'hl'),
  setup(
    post(
      'node ports',
      'services',
      service('np', {
        type: 'NodePort',
        ports: [
          { name: 'a', port: 80, nodePort: 30_020 },
          { name: 'b', port: 81, nodePort: 30_021 },
        ],
      }),
    ),
  ),
  change(
    'ports without numbers [k8s 78]',
    {
      ports: [
        { name: 'b', port: 81 },
        { name: 'a', port: 80 },
      ],
    },
    'np',
  ),
  change(
    'a port renamed [k8s 78]',
    {
      ports: [
        { name: 'c', port: 81 },
        { name: 'a', port: 80 },
      ],
    },
    'np',
  ),
  change('a number changed [k8s 78]', { ports: [{ name: 'a', port: 80, nodePort: 30_022 }] }, 'np'),
  change('to ClusterIP with its numbers [k8s 78]', { type: 'ClusterIP' }, 'np'),
  change(
    'to ClusterIP with a new number [k8s 78]',
    {
      type: 'ClusterIP',
      ports: [{ name: 'a', port: 80, nodePort: 30_023 }],
    },
    'np',
  ),
  setup(
    post(
      'of a class',
      'services',
      service('lbc', { type: 'LoadBalancer', loadBalancerClass: 'a/b' }),
    ),
  ),
  change('another class [k8s 79]', { loadBalancerClass: 'c/d' }, 'lbc'),
  change('no class [k8s 79]', { loadBalancerClass: null }, 'lbc'),
  setup(
    post(
      'with a health port',
      'services',
      service('lbh', {
        type: 'LoadBalancer',
        externalTrafficPolicy: 'Local',
        healthCheckNodePort: 30_024,
      }),
    ),
  ),
  change('another health port [k8s 79]', { healthCheckNodePort: 30_025 }, 'lbh'),
  change('Local to Cluster [k8s 79]', { externalTrafficPolicy: 'Cluster' }, 'lbh'),
  change('no node ports for it [k8s 78]', { allocateLoadBalancerNodePorts: false }, 'lbh'),
  change('free members', {
    selector: { x: 'y' },
    sessionAffinity: 'ClientIP',
    publishNotReadyAddresses: true,
    externalIPs: ['1.2.3.4'],
    internalTrafficPolicy: 'Local',
  }),
  change('and back', { sessionAffinity: 'None', externalIPs: null, selector: { x: null } }),
];

export const transitions: Area = {
  name: 'transitions',
  steps: [
    ...pairs.flatMap(([from, to]) => {
      const name = `${from}-${to}`.toLowerCase();
      return [
        setup(post(name, 'services', service(name, { selector: { a: 'b' }, ...types[from] }))),
        patch('merge', `${from} to ${to} by patch [k8s 76]`, `services/${name}`, {
          spec: types[to],
        }),
      ];
    }),
    ...pairs.flatMap(([from, to]) => {
      const name = `put-${from}-${to}`.toLowerCase();
      return [
        setup(post(name, 'services', service(name, types[from]))),
        put(`${from} to ${to} by PUT [k8s 76]`, `services/${name}`, service(name, types[to])),
      ];
    }),
    ...addresses,
  ],
};
