// The DNSZone that the coordinator makes for its own setting `domain`, so that names are answered
// before anybody wrote a DNSZone. Input: the DNSZones of the log. Output: what to make, and which
// of an earlier setting go.
//
//   D1. A domain that a DNSZone has already is left to it.
//   D2. (I7) What we made for a former setting goes, unless a person took it over by removing the
//       mark.

import type { DnsZone } from '../../../common/model/dns-zone.ts';
import { toLogKey, toLogPrefix, toRevision } from '../../../common/model/ids.ts';
import {
  dnsZoneFinalizer,
  isthmusApiVersion,
  isthmusGroup,
} from '../../../common/model/isthmus-kinds.ts';
import type { TermGuard } from '../../../common/model/views.ts';
import type { Chance } from '../../../common/runtime/chance.ts';
import { toTimestamp, type Clock } from '../../../common/runtime/clock.ts';
import type { Log } from '../../../common/runtime/log.ts';
import type { Desired } from '../../desired/store.ts';

export const defaultZoneLabel = 'isthmus.dev/default-zone';

export interface DefaultZonePlan {
  /** Name of the DNSZone to make. */
  readonly make?: string;
  /** Names of those to delete. */
  readonly remove: readonly string[];
}

export function planDefaultZone(zones: readonly DnsZone[], domain: string): DefaultZonePlan {
  const remove = zones
    .filter((zone) => isDefault(zone) && !isGoing(zone) && zone.spec.domain !== domain)
    .map(({ metadata }) => metadata.name);
  if (zones.some((zone) => zone.spec.domain === domain && !isGoing(zone))) return { remove };
  const names = new Set(zones.map(({ metadata }) => metadata.name));
  // Somebody's DNSZone of another domain may have this name.
  const make = names.has(domain) ? `default.${domain}` : domain;
  return names.has(make) ? { remove } : { make, remove };
}

function isDefault({ metadata }: DnsZone): boolean {
  return metadata.labels?.[defaultZoneLabel] === 'true';
}

function isGoing({ metadata }: DnsZone): boolean {
  return metadata.deletionTimestamp !== undefined;
}

/** Before the stages start, so that the first publications find their zone. */
export async function keepDefaultZone(
  ports: {
    readonly desired: Desired;
    readonly term: TermGuard;
    readonly clock: Clock;
    readonly chance: Chance;
    readonly log: Log;
  },
  domain: string,
): Promise<void> {
  const { desired, term, clock, chance, log } = ports;
  const stored = [...desired.list(toLogPrefix(isthmusGroup, 'dnszones'))];
  const plan = planDefaultZone(
    stored.map(({ object }) => object as DnsZone), // by their prefix
    domain,
  );
  const nowText = toTimestamp(clock.now());
  for (const { key, object, revision } of stored) {
    if (!plan.remove.includes(object.metadata.name)) continue;
    const metadata = {
      ...object.metadata,
      deletionTimestamp: nowText,
      deletionGracePeriodSeconds: 0,
    };
    await desired.write({
      key,
      object: { ...object, metadata },
      expected: revision,
      guard: term.guard(),
    });
    log.info('the DNSZone of a former --domain goes', { dnsZone: object.metadata.name });
  }
  if (plan.make === undefined) return;
  const object: DnsZone = {
    apiVersion: isthmusApiVersion,
    kind: 'DNSZone',
    metadata: {
      name: plan.make,
      uid: chance.uuid(),
      creationTimestamp: nowText,
      generation: 1,
      labels: { [defaultZoneLabel]: 'true' },
      finalizers: [dnsZoneFinalizer],
    },
    spec: { domain, provider: 'Embedded' },
  };
  const key = toLogKey({ group: isthmusGroup, resource: 'dnszones', name: plan.make });
  await desired.write({ key, object, expected: toRevision(0), guard: term.guard() });
}
