// The double's zone as a subject of the provider suite, and the second hand that writes it.

import { sleep, systemClock } from '../../../../common/runtime/clock.ts';
import { silentLog } from '../../../../common/runtime/log.ts';
import type { ZoneRecordSet } from '../../../../coordinator/dns/provider/provider.ts';
import { openRoute53 } from '../../../../coordinator/dns/provider/route53.ts';
import type { ForeignHand, ProviderSubject } from '../../../contract/dns-provider.ts';
import { openRoute53Double, testKeys, type Route53Double } from './double.ts';
import type { HostedZone, ZoneChange } from './hosted-zone.ts';
import { canonicalName } from './names.ts';
import type { Action, ServiceOptions } from './service.ts';
import { toError } from './service.ts';

/** A rate at which no test of the suite is throttled. */
const ample = { perSecond: 10_000, burst: 10_000 };

export async function openRoute53Subject(): Promise<ProviderSubject> {
  const world = await openRoute53World({ requests: ample, propagationMs: 30 });
  const { double, provider, zone } = world;
  const script = (action: Action, kind: 'cutBefore' | 'cutAfter'): void =>
    void double.faults.set(action, [{ kind }]);
  return {
    provider,
    apex: 'example.com',
    settle: async (change) => {
      if (change === undefined) return;
      for (let turn = 0; turn < 500; turn += 1) {
        if ((await provider.observe(change, patience)) === 'live') return;
        await sleep(systemClock, 10);
      }
    },
    foreign: handOn(zone),
    faults: {
      throttle: () => {
        const answer = toError(400, 'Throttling', 'Rate exceeded');
        double.faults.set('ChangeResourceRecordSets', [{ kind: 'answer', answer }]);
      },
      hang: () => {
        for (const action of actions) double.always.set(action, { kind: 'hang' });
      },
      dropAnswerAfterApply: () => script('ChangeResourceRecordSets', 'cutAfter'),
      dropBeforeApply: () => script('ChangeResourceRecordSets', 'cutBefore'),
      denied: () => {
        double.allows = () => false;
      },
    },
    dispose: world.close,
  };
}

const patience = { timeoutMs: 20_000 };
const actions: readonly Action[] = [
  'ChangeResourceRecordSets',
  'ListResourceRecordSets',
  'GetHostedZone',
  'GetHostedZoneLimit',
  'GetChange',
];

export interface Route53World {
  readonly double: Route53Double;
  readonly zone: HostedZone;
  readonly provider: ReturnType<typeof openRoute53>;
  close(): Promise<void>;
}

/** A double with the zone example.com, and a provider of it over the real SDK. */
export async function openRoute53World(
  options: Partial<ServiceOptions> & { readonly latencyMs?: number } = {},
): Promise<Route53World> {
  const double = await openRoute53Double(options);
  const zone = double.addZone('example.com');
  const provider = openRoute53({
    hostedZoneId: zone.options.id,
    endpoint: double.endpoint,
    credentials: testKeys,
    clock: systemClock,
    log: silentLog,
  });
  const close = async (): Promise<void> => {
    await provider.close();
    await double.close();
  };
  return { double, zone, provider, close };
}

/** Another writer: past the adapter and past the API's limits, by the service's rules. */
export function handOn(zone: HostedZone): ForeignHand {
  const change = async (action: ZoneChange['action'], sets: readonly ZoneRecordSet[]) => {
    for (const set of sets) {
      const faults = zone.change([{ action, set: toStored(set), writtenName: set.name }], () => {
        // DNS follows by itself.
      });
      if (faults.length > 0) throw new Error(faults.join('; '));
    }
  };
  return {
    put: (sets) => change('UPSERT', sets),
    remove: (sets) => change('DELETE', sets),
  };
}

/** As a person would write it: values as they are given. */
export function toStored(set: ZoneRecordSet): ZoneChange['set'] {
  const { name, type, ttlSeconds, values, member } = set;
  return {
    name: canonicalName(name),
    type,
    ...(member === undefined ? {} : { setIdentifier: member.id }),
    routing: member === undefined ? [] : [['Weight', String(member.weight)]],
    ttl: ttlSeconds,
    values: values.map((value) =>
      type === 'TXT' ? `"${value.replace(/["\\]/g, '\\$&')}"` : value,
    ),
  };
}
