// Which Services a DNSZone publishes: by namespace, by its labels, by the Service's policy. Pure.
//
//   S1. What a policy says narrows, and never reaches into a zone that is not for its namespace:
//       zones are for those who run the federation, policies for those who run a namespace.

import type { DnsZoneSpec } from '../../../common/model/dns-zone.ts';
import { matchesSelector, type Operator } from '../../../common/pure/label-selector.ts';

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

/** As Kubernetes' label selectors. */
function matches(
  selector: DnsZoneSpec['namespaceSelector'],
  labels: Readonly<Record<string, string>>,
): boolean {
  const { matchLabels = {}, matchExpressions = [] } = selector ?? {};
  return matchesSelector(labels, [
    ...Object.entries(matchLabels).map(([key, value]) => toRequirement(key, 'In', [value])),
    ...matchExpressions.map(({ key, operator, values }) => toRequirement(key, operator, values)),
  ]);
}

function toRequirement(key: string, operator: Operator, values: readonly string[] = []) {
  return { key, operator, values };
}
