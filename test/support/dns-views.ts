// The views of the DNS stage where there is the embedded zone alone.

import type { AppliedView, DnsZoneView } from '../../common/model/views.ts';

export const embeddedZones: DnsZoneView = {
  zones: () => [],
  zone: () => undefined,
  zonesOf: () => [],
  subscribe: () => () => undefined,
};

export const nothingApplied: AppliedView = {
  state: () => undefined,
  zone: () => undefined,
  recorded: () => [],
  planned: () => [],
  subscribe: () => () => undefined,
};

export const embeddedDns = { zones: embeddedZones, applied: nothingApplied };
