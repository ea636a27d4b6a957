// As service-cases.ts, for changes of a Service and of its status.

import type { RefusedCreate } from './service-refusal.ts';
import { anIp, labelValue, subdomain } from './service-texts.ts';

export interface RefusedChange extends Omit<RefusedCreate, 'spec'> {
  /** Created before; `metadata` belongs to it. */
  readonly old: object;
  readonly patch: object;
  readonly subresource?: 'status';
}

const port = { ports: [{ port: 80 }] };
const balancer = { ...port, type: 'LoadBalancer' };

const ingress = (...entries: readonly object[]) => ({
  status: { loadBalancer: { ingress: entries } },
});
const fixed = { ...port, clusterIP: '10.96.0.40' };

export const refusedChanges: readonly RefusedChange[] = [
  {
    row: '37',
    title: 'an ingress of a ClusterIP',
    old: port,
    subresource: 'status',
    patch: ingress({ ip: '1.2.3.4' }),
    lines: [
      "status.loadBalancer.ingress: Forbidden: may only be used when `spec.type` is 'LoadBalancer'",
    ],
  },
  {
    row: '38',
    title: 'every fault of an ingress',
    old: balancer,
    subresource: 'status',
    patch: ingress(
      { ip: 'x' },
      { ip: '1.2.3.4', ipMode: 'Foo' },
      { hostname: 'a.example', ipMode: 'VIP' },
      { hostname: 'A_' },
      { hostname: '1.2.3.4' },
    ),
    lines: [
      `status.loadBalancer.ingress[0].ip: Invalid value: "x": ${anIp}`,
      'status.loadBalancer.ingress[1].ipMode: Unsupported value: "Foo": supported values: "Proxy", "VIP"',
      'status.loadBalancer.ingress[2].ipMode: Forbidden: may not be specified when `ip` is not set',
      `status.loadBalancer.ingress[3].hostname: Invalid value: "A_": ${subdomain}`,
      'status.loadBalancer.ingress[4].hostname: Invalid value: "1.2.3.4": must be a DNS name, not an IP address',
    ],
  },
  {
    row: '38',
    title: 'an address without a because the same request says another type',
    old: balancer,
    subresource: 'status',
    patch: { spec: { type: 'ClusterIP' }, ...ingress({ ip: '1.2.3.4' }) },
    lines: [
      'status.loadBalancer.ingress[0].ipMode: Required value: must be specified when `ip` is set',
    ],
  },
  {
    row: '39',
    title: 'another address',
    old: fixed,
    patch: { spec: { clusterIP: '10.96.0.41' } },
    lines: ['spec.clusterIPs[0]: Invalid value: ["10.96.0.41"]: may not change once set'],
  },
  {
    row: '39',
    title: 'an address taken away by its list',
    old: fixed,
    patch: { spec: { clusterIP: '', clusterIPs: ['10.96.0.41'] } },
    lines: ['spec.clusterIPs: Invalid value: ["10.96.0.41"]: first value must match `clusterIP`'],
  },
  {
    row: '39',
    title: 'headless after it had an address',
    old: fixed,
    patch: { spec: { clusterIP: 'None' } },
    lines: ['spec.clusterIPs[0]: Invalid value: ["None"]: may not change once set'],
  },
  {
    row: '39',
    title: 'an address after it was headless',
    old: { ...port, selector: { a: 'b' }, clusterIP: 'None' },
    patch: { spec: { clusterIP: '10.96.0.42' } },
    lines: ['spec.clusterIPs[0]: Invalid value: ["10.96.0.42"]: may not change once set'],
  },
  {
    row: '40',
    title: 'another family',
    old: fixed,
    patch: { spec: { ipFamilies: ['IPv6'] } },
    lines: [
      'spec.clusterIPs[0]: Invalid value: "10.96.0.40": expected an IPv6 value as indicated by `ipFamilies[0]`',
    ],
  },
  {
    row: '32',
    title: 'a class given to a load balancer later',
    old: balancer,
    patch: { spec: { loadBalancerClass: 'a/b' } },
    lines: ['spec.loadBalancerClass: Invalid value: "a/b": may not change once set'],
  },
  {
    row: '32',
    title: 'a class taken from a load balancer',
    old: { ...balancer, loadBalancerClass: 'a/b' },
    patch: { spec: { loadBalancerClass: null } },
    lines: ['spec.loadBalancerClass: Invalid value: null: may not change once set'],
  },
  {
    row: '42',
    title: 'another uid',
    old: port,
    patch: { metadata: { uid: 'zzz' } },
    lines: [
      'metadata.uid: Invalid value: "zzz": field is immutable',
      'metadata.uid: Invalid value: "zzz": field is immutable',
    ],
  },
  {
    row: '42',
    title: 'a label that is none',
    old: port,
    patch: { metadata: { labels: { a: '-' } } },
    lines: [
      `metadata.labels: Invalid value: "-": ${labelValue}`,
      `metadata.labels: Invalid value: "-": ${labelValue}`,
      `metadata.labels: Invalid value: "-": ${labelValue}`,
    ],
  },
  {
    row: '42',
    title: 'a finalizer that is none',
    old: port,
    patch: { metadata: { finalizers: ['foo'] } },
    lines: [
      'metadata.finalizers[0]: Invalid value: "foo": name is neither a standard finalizer name nor is it fully qualified',
    ],
  },
];
