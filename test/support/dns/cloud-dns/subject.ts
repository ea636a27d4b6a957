// The double with an adapter on it, as the provider suite wants it.

import { systemClock } from '../../../../common/runtime/clock.ts';
import { silentLog } from '../../../../common/runtime/log.ts';
import { openCloudDns } from '../../../../coordinator/dns/provider/cloud-dns.ts';
import type { ZoneRecordSet } from '../../../../coordinator/dns/provider/provider.ts';
import type { ProviderSubject } from '../../../contract/dns-provider.ts';
import { createManualClock, type ManualClock } from '../../manual-clock.ts';
import { openCloudDnsDouble, type CloudDnsDouble, type CloudDnsDoubleOptions } from './server.ts';
import type { StoredSet } from './zone.ts';

export interface CloudDnsSubject extends ProviderSubject {
  readonly double: CloudDnsDouble;
  /** Of the double; the adapter's deadlines are real time's. */
  readonly clock: ManualClock;
}

const lagMs = 5000;

export async function openCloudDnsSubject(
  options: Partial<CloudDnsDoubleOptions> = {},
): Promise<CloudDnsSubject> {
  const clock = createManualClock();
  const double = await openCloudDnsDouble({ clock, lagMs, ...options });
  const { project, managedZone, url: endpoint, credentials, zone, faults } = double;
  const provider = openCloudDns({
    project,
    managedZone,
    endpoint,
    credentials,
    clock: systemClock,
    log: silentLog,
  });
  return {
    double,
    clock,
    provider,
    apex: zone.dnsName.slice(0, -1),
    settle: () => clock.advance(lagMs),
    foreign: {
      put: (sets) => {
        zone.replace(sets.map(toStored));
        return Promise.resolve();
      },
      remove: (sets) => {
        zone.mustChange([], sets.map(toStored));
        return Promise.resolve();
      },
    },
    faults: {
      throttle: () => void (faults.change = 'rate403'),
      hang: () => void (faults.all = 'hang'),
      dropAnswerAfterApply: () => void (faults.change = 'dropAfter'),
      dropBeforeApply: () => void (faults.change = 'dropBefore'),
      denied: () => void (faults.all = 'forbidden'),
    },
    dispose: async () => {
      await provider.close();
      await double.close();
    },
  };
}

/** By other code than the adapter's. */
function toStored({ name, type, ttlSeconds: ttl, values }: ZoneRecordSet): StoredSet {
  const rrdatas = values.map((value) => {
    if (type === 'TXT') return JSON.stringify(value);
    return type === 'CNAME' || type === 'MX' ? `${value}.` : value;
  });
  return { name: `${name}.`, type, ttl, rrdatas };
}
