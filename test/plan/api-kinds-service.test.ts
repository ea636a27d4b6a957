import test from 'ava';
import type { Json, KubeObject } from '../../common/model/kube-object.ts';
import { memberKinds } from '../../coordinator/api/kinds/member/member.ts';
import { validateMetadata } from '../../coordinator/api/machinery/rules/object-rules.ts';
import { context, created, lines, rowOf, service, serviceKind } from '../support/api-service.ts';

function updated(next: KubeObject, old: KubeObject): KubeObject {
  const given = serviceKind.allocate?.(next, old, context).object ?? next;
  return serviceKind.prepareForUpdate?.(given, old, context) ?? given;
}

const specOf = (object: KubeObject): Readonly<Record<string, unknown>> => ({ ...object.spec });
const port = { ports: [{ port: 80 }] };

for (const [title, spec, expected] of [
  [
    'a plain Service',
    port,
    {
      ports: [{ port: 80, protocol: 'TCP', targetPort: 80 }],
      type: 'ClusterIP',
      sessionAffinity: 'None',
      internalTrafficPolicy: 'Cluster',
    },
  ],
  [
    'a LoadBalancer',
    { ...port, type: 'LoadBalancer' },
    { externalTrafficPolicy: 'Cluster', allocateLoadBalancerNodePorts: true },
  ],
  ['external IPs', { ...port, externalIPs: ['1.2.3.4'] }, { externalTrafficPolicy: 'Cluster' }],
  [
    'affinity',
    { ...port, sessionAffinity: 'ClientIP' },
    { sessionAffinityConfig: { clientIP: { timeoutSeconds: 10800 } } },
  ],
  [
    'a named target',
    { ports: [{ port: 80, targetPort: 'web' }] },
    { ports: [{ targetPort: 'web' }] },
  ],
] as const) {
  test(`V1. defaults of ${title}, once and twice`, (t) => {
    const object = service(spec as unknown as Json);
    t.like(specOf(object), expected);
    t.deepEqual(serviceKind.setDefaults?.(object), object);
  });
}

test('an ExternalName has no policies and no addresses; a headless Service has both families', (t) => {
  const alias = created(service({ type: 'ExternalName', externalName: 'a.example' }));
  t.deepEqual(specOf(alias), {
    externalName: 'a.example',
    type: 'ExternalName',
    sessionAffinity: 'None',
  });
  t.like(specOf(created(service({ ...port, clusterIP: 'None' }))), {
    clusterIPs: ['None'],
    ipFamilies: ['IPv4', 'IPv6'],
    ipFamilyPolicy: 'RequireDualStack',
  });
});

test('the federation holds a Service by a finalizer, a member cluster does not', (t) => {
  t.deepEqual(created(service(port)).metadata.finalizers, ['isthmus.dev/shards']);
  const [member] = memberKinds({
    allocate: (object) => ({ ...object, spec: { ...object.spec, clusterIP: '10.0.0.1' } }),
  });
  t.is(member?.kind, 'Service');
  const there = member === undefined ? undefined : created(service(port), member);
  t.is(there?.metadata.finalizers, undefined);
  t.like(there?.spec, { clusterIP: '10.0.0.1' });
});

const rules: readonly (readonly [string, Json, readonly string[]])[] = [
  ['no ports', {}, ['spec.ports: Required value']],
  [
    'a port out of range',
    { ports: [{ port: 0 }, { port: 65536, name: 'b' }] },
    [
      'spec.ports[0].name: Required value',
      'spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive',
      'spec.ports[0].targetPort: Invalid value: 0: must be between 1 and 65535, inclusive',
      'spec.ports[1].port: Invalid value: 65536: must be between 1 and 65535, inclusive',
      'spec.ports[1].targetPort: Invalid value: 65536: must be between 1 and 65535, inclusive',
    ],
  ],
  [
    'one name twice',
    {
      ports: [
        { port: 80, name: 'a' },
        { port: 81, name: 'a' },
      ],
    },
    ['spec.ports[1].name: Duplicate value: "a"'],
  ],
  [
    'one port twice',
    {
      ports: [
        { port: 80, name: 'a' },
        { port: 80, name: 'b' },
      ],
    },
    [
      'spec.ports[1]: Duplicate value: {"Name":"","Protocol":"TCP","AppProtocol":null,"Port":80,"TargetPort":0,"NodePort":0}',
    ],
  ],
  [
    'a protocol',
    { ports: [{ port: 80, protocol: 'HTTP' }] },
    ['spec.ports[0].protocol: Unsupported value: "HTTP": supported values: "SCTP", "TCP", "UDP"'],
  ],
  [
    'a target name',
    { ports: [{ port: 80, targetPort: 'too-long-for-a-port' }] },
    [
      'spec.ports[0].targetPort: Invalid value: "too-long-for-a-port": must be no more than 15 characters',
    ],
  ],
  [
    'a type',
    { ...port, type: 'Foo' },
    [
      'spec.type: Unsupported value: "Foo": supported values: "ClusterIP", "ExternalName", "LoadBalancer", "NodePort"',
    ],
  ],
  [
    'a headless LoadBalancer',
    { ...port, type: 'LoadBalancer', clusterIP: 'None', clusterIPs: ['None'] },
    [
      'spec.clusterIPs[0]: Invalid value: "None": may not be set to \'None\' for LoadBalancer services',
    ],
  ],
  ['an alias of nothing', { type: 'ExternalName' }, ['spec.externalName: Required value']],
  [
    'a node port of a ClusterIP',
    { ports: [{ port: 80, nodePort: 30000 }] },
    ["spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'"],
  ],
  [
    'an affinity',
    { ...port, sessionAffinity: 'Sticky' },
    ['spec.sessionAffinity: Unsupported value: "Sticky": supported values: "ClientIP", "None"'],
  ],
  [
    'addresses that are none',
    { ...port, clusterIP: 'x', clusterIPs: ['x'], externalIPs: ['127.0.0.1', '010.0.0.1'] },
    [
      'spec.clusterIPs[0]: Invalid value: "x": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)',
      'spec.externalIPs[0]: Invalid value: "127.0.0.1": may not be in the loopback range (127.0.0.0/8, ::1/128)',
    ],
  ],
  [
    'source ranges of a ClusterIP',
    { ...port, loadBalancerSourceRanges: ['10.0.0.0/8', 'x'] },
    [
      "spec.LoadBalancerSourceRanges: Forbidden: may only be used when `type` is 'LoadBalancer'",
      'spec.LoadBalancerSourceRanges[1]: Invalid value: "x": must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)',
    ],
  ],
  [
    'policies',
    { ...port, externalTrafficPolicy: 'Local', internalTrafficPolicy: 'x' },
    [
      'spec.externalTrafficPolicy: Invalid value: "Local": may only be set for externally-accessible services',
      'spec.internalTrafficPolicy: Unsupported value: "x": supported values: "Cluster", "Local"',
    ],
  ],
];

for (const [title, spec, expected] of rules) {
  test(`Service rules: ${title}`, (t) => {
    t.deepEqual(lines(serviceKind.validate(service(spec))), expected);
  });
}

test('a Service name begins with a letter', (t) => {
  const [line = ''] = lines(validateMetadata(service(port, { name: '1a' }), serviceKind));
  t.true(line.startsWith('metadata.name: Invalid value: "1a": a DNS-1035 label must'), line);
});

test('V2. an update keeps addresses and node ports that it leaves out, by port name', (t) => {
  const old = created(
    service({
      type: 'NodePort',
      clusterIP: '10.0.0.1',
      ports: [{ name: 'a', port: 80, nodePort: 30001 }],
    }),
  );
  const next = updated(
    service({
      type: 'NodePort',
      ports: [
        { name: 'b', port: 81 },
        { name: 'a', port: 8080 },
      ],
    }),
    old,
  );
  t.like(specOf(next), {
    clusterIP: '10.0.0.1',
    clusterIPs: ['10.0.0.1'],
    ipFamilies: ['IPv4'],
    ports: [
      { name: 'b', port: 81 },
      { name: 'a', nodePort: 30001 },
    ],
  });
  t.deepEqual(serviceKind.validateChange?.(next, old, ''), []);
  const moved = updated(service({ ...port, type: 'NodePort', clusterIP: '10.0.0.2' }), old);
  t.deepEqual(lines(serviceKind.validateChange?.(moved, old, '') ?? []), [
    'spec.clusterIPs[0]: Invalid value: ["10.0.0.2"]: may not change once set',
  ]);
});

test('a change of type drops what no longer applies', (t) => {
  const ingress = [{ ip: '1.2.3.4', ipMode: 'VIP' }];
  const balancer: KubeObject = {
    ...created(
      service({
        type: 'LoadBalancer',
        clusterIP: '10.0.0.1',
        ports: [{ port: 80, nodePort: 30001 }],
      }),
    ),
    status: { loadBalancer: { ingress }, conditions: [] },
  };
  const asType = (type: string, more: object = {}): KubeObject =>
    updated({ ...balancer, spec: { ...balancer.spec, type, ...more } }, balancer);
  const plain = asType('ClusterIP');
  t.deepEqual(plain.status, { loadBalancer: {}, conditions: [] });
  t.deepEqual(Object.keys(specOf(plain)).sort(), [
    'clusterIP',
    'clusterIPs',
    'internalTrafficPolicy',
    'ipFamilies',
    'ipFamilyPolicy',
    'ports',
    'sessionAffinity',
    'type',
  ]);
  t.false(JSON.stringify(plain.spec).includes('nodePort'));
  t.deepEqual(serviceKind.validate(plain), []);
  t.like(specOf(asType('NodePort')), { ports: [{ nodePort: 30001 }] });
  const alias = asType('ExternalName', { externalName: 'a.example' });
  t.is(specOf(alias)['clusterIP'], undefined);
  t.deepEqual(serviceKind.validate(alias), []);
});

for (const [title, spec, status, expected] of [
  [
    'ClusterIP',
    { ...port, clusterIP: '10.0.0.1', selector: { b: '2', a: '1' } },
    {},
    ['10.0.0.1', '<none>', '80/TCP', 'a=1,b=2'],
  ],
  [
    'pending LoadBalancer',
    { ...port, type: 'LoadBalancer' },
    {},
    ['<none>', '<pending>', '80/TCP', '<none>'],
  ],
  [
    'LoadBalancer',
    { ports: [{ port: 80, nodePort: 31951 }], type: 'LoadBalancer' },
    {
      loadBalancer: {
        ingress: [
          { ip: '5.6.7.8' },
          { hostname: 'b.example' },
          { ip: '1.2.3.4' },
          { ip: '5.6.7.8' },
        ],
      },
    },
    ['<none>', '1.2.3.4,5.6.7.8,b.example', '80:31951/TCP', '<none>'],
  ],
  [
    'ExternalName',
    { type: 'ExternalName', externalName: 'a.example' },
    {},
    ['<none>', 'a.example', '<none>', '<none>'],
  ],
] as const) {
  test(`columns of a ${title}`, (t) => {
    const object = { ...created(service(spec as unknown as Json)), status };
    const row = rowOf(serviceKind, object);
    t.deepEqual(
      [row['Cluster-IP'], row['External-IP'], row['Port(s)'], row['Selector']],
      [...expected],
    );
  });
}
