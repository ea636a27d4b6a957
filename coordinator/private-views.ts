// Which Services a private DNSZone publishes: for them a private address is an outside one, since the
// zone's clients reach it. Health asks, before the DNS stage is there.

import type { DnsZoneState, DnsZoneView, PrivateViews } from '../common/model/views.ts';

export function createPrivateViews(zones: () => DnsZoneView): PrivateViews {
  return {
    has: (key) => {
      const view = zones();
      // undefined: nobody knows in this moment, and no address goes on a guess.
      return view.zonesOf(key)?.some((name) => isPrivate(view.zone(name))) ?? true;
    },
    subscribe: (listener) => {
      const view = zones();
      const known = new Map(view.zones().map((zone) => [zone.name, choiceOf(zone)]));
      return view.subscribe(({ dnsZone, key }) => {
        if (key !== undefined) return isPrivate(view.zone(dnsZone)) ? listener(key) : undefined;
        const choice = choiceOf(view.zone(dnsZone));
        if (known.get(dnsZone) === choice) return undefined;
        known.set(dnsZone, choice);
        return listener(undefined);
      });
    },
  };
}

function isPrivate(zone: DnsZoneState | undefined): boolean {
  return zone?.spec.visibility === 'Private';
}

/** undefined: it is not private, and so whatever it chooses is of no interest. */
function choiceOf(zone: DnsZoneState | undefined): string | undefined {
  if (zone === undefined || !isPrivate(zone)) return undefined;
  const { namespaces, namespaceSelector, services } = zone.spec;
  return JSON.stringify([zone.isPublishing, namespaces, namespaceSelector, services]);
}
