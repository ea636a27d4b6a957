// Which Services a DNSZone publishes: by namespace, by its labels, by the Service's policy. Pure.
//
//   S1. What a policy says narrows, and never reaches into a zone that is not for its namespace:
//       zones are for those who run the federation, policies for those who run a namespace.

import type { DnsZoneSpec } from '../../../common/model/dns-zone.ts';

export interface SelectedService {
  readonly namespace: string;
  readonly namespaceLabels: Readonly<Record<string, string>>;
  /** DNSZones that its policy names; undefined: it names none. */
  readonly zones: readonly string[] | undefined;
}

export function isPublishedIn(
  dnsZone: { readonly name: string; readonly spec: DnsZoneSpec },
  service: SelectedService,
): boolean {
  const { name, spec } = dnsZone;
  if (spec.namespaces !== undefined && !spec.namespaces.includes(service.namespace)) return false;
  if (!matches(spec.namespaceSelector, service.namespaceLabels)) return false;
  if (service.zones !== undefined) return service.zones.includes(name);
  return spec.services !== 'ByPolicy';
}

type Selector = DnsZoneSpec['namespaceSelector'];

/** As Kubernetes' label selectors. */
function matches(selector: Selector, labels: Readonly<Record<string, string>>): boolean {
  const valueOf = (key: string): string | undefined =>
    Object.hasOwn(labels, key) ? labels[key] : undefined;
  const { matchLabels = {}, matchExpressions = [] } = selector ?? {};
  return (
    Object.entries(matchLabels).every(([key, value]) => valueOf(key) === value) &&
    matchExpressions.every(({ key, operator, values = [] }) => {
      const value = valueOf(key);
      switch (operator) {
        case 'In':
          return value !== undefined && values.includes(value);
        case 'NotIn':
          return value === undefined || !values.includes(value);
        case 'Exists':
          return value !== undefined;
        case 'DoesNotExist':
          return value === undefined;
      }
    })
  );
}
