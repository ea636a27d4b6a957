// Served zones in memory, for tests of answers: one zone or several, filled by deltas.

import type { EmbeddedZone } from '../../coordinator/zone/plan-zones.ts';
import { ZoneResponder } from '../../coordinator/zone/answer.ts';
import type { TableDelta } from '../../coordinator/zone/fold.ts';
import { ServedZones } from '../../coordinator/zone/served-zones.ts';

export interface ServedFixture {
  readonly zones: ServedZones;
  readonly responder: ZoneResponder;
  /** Of the zone `domain`, default the first. */
  apply(delta: Partial<TableDelta>, domain?: string): void;
}

export function serveZones(
  federation: string,
  zones: readonly (Partial<EmbeddedZone> & { readonly domain: string })[],
  selfAddresses: readonly string[] = [],
): ServedFixture {
  const [first = { domain: 'example.com' }] = zones;
  const served = new ServedZones({ domain: first.domain, federation }, selfAddresses);
  const nothing = { kind: 'delta', parts: [], clusters: [], zones: [], removedZones: [] } as const;
  const empty = { dnsZones: [], nameServers: [], glue: [], notify: [], allowTransfer: [] };
  served.apply({ ...nothing, zones: zones.map((zone) => ({ ...empty, ...zone })) });
  return {
    zones: served,
    responder: new ZoneResponder(served),
    apply: ({ clusters = [], ...delta }, domain = first.domain) => {
      const { services = [], removedServices = [], serial = 7 } = delta;
      const parts = [{ domain, serial, services, removedServices }];
      served.apply({ ...nothing, parts, clusters });
    },
  };
}
