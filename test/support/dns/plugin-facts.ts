// A Service, its clusters, shards, zones and names, as the commands about DNS read them.

import type { DnsZone } from '../../../common/model/dns-zone.ts';
import type { Cluster, DNSRecordSet, ServiceShard } from '../../../common/model/isthmus-kinds.ts';
import type { DnsFacts } from '../../../plugin/commands/dns-facts.ts';

export const apiVersion = 'isthmus.dev/v1alpha1';
export const global = 'web.shop.fed.svc.example.com';

export function record(
  dnsName: string,
  own: Partial<DNSRecordSet['spec']>,
  status: Partial<DNSRecordSet['status']> = {},
): DNSRecordSet {
  return {
    apiVersion,
    kind: 'DNSRecordSet',
    metadata: { name: dnsName, namespace: 'shop' },
    spec: {
      dnsName,
      recordType: 'A',
      ttlSeconds: 60,
      targets: [],
      service: 'web',
      level: 'global',
      zone: 'example.com',
      dnsZone: 'public',
      ...own,
    },
    status: { published: true, state: 'live', reason: 'Published', ...status },
  };
}

export function cluster(name: string, region: string, ready = 'True'): Cluster {
  const condition = {
    type: 'Ready',
    status: ready,
    reason: 'R',
    message: 'Why.',
    lastTransitionTime: '',
  };
  return {
    apiVersion,
    kind: 'Cluster',
    metadata: { name },
    status: { region, zones: [`${region}-a`], conditions: [condition as never] },
  };
}

export function shard(
  name: string,
  ingress: readonly string[],
  own: Partial<ServiceShard['status']> = {},
): ServiceShard {
  return {
    apiVersion,
    kind: 'ServiceShard',
    metadata: { name: `web.${name}`, namespace: 'shop' },
    spec: { service: 'web', cluster: name },
    status: {
      zones: [],
      ready: 1,
      total: 1,
      ingress,
      health: 'healthy',
      applied: true,
      reason: 'Healthy',
      since: '2026-01-01T00:00:00Z',
      ...own,
    },
  };
}

export function zone(own: Partial<DnsZone['spec']> = {}, status: DnsZone['status'] = {}): DnsZone {
  return {
    apiVersion,
    kind: 'DNSZone',
    metadata: { name: 'public' },
    spec: { domain: 'example.com', provider: 'Route53', ...own },
    status,
  };
}

export const service = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'web', namespace: 'shop' },
  spec: { type: 'LoadBalancer' },
};

export const facts: DnsFacts = {
  namespace: 'shop',
  name: 'web',
  service,
  clusters: [cluster('a', 'r1'), cluster('b', 'r2'), cluster('c', 'r2')],
  shards: [
    shard('a', ['192.0.2.1'], { health: 'notReady', ready: 0, message: 'no endpoints' }),
    shard('b', ['192.0.2.2']),
    shard('c', ['lb.elb.test']),
  ],
  records: [
    record('eu.web.acme.com', {
      recordType: 'CNAME',
      targets: [`web.shop.fed.svc.r1.example.com`],
      level: 'alias',
    }),
    record('web.shop.fed.svc.r1.example.com', {
      recordType: 'CNAME',
      targets: [global],
      level: 'region',
    }),
    record(global, { recordType: 'CNAME', targets: [`s-1.${global}`, 'lb.elb.test'] }),
    record(`s-1.${global}`, { targets: ['192.0.2.2'], level: 'shard' }),
  ],
  zones: [zone()],
};
