// What the room of DNSZones is given.

import type { EventRecorder, PlacementView, TermGuard } from '../../../common/model/views.ts';
import type { Chance } from '../../../common/runtime/chance.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import type { Log } from '../../../common/runtime/log.ts';
import type { Metrics } from '../../../common/runtime/metrics.ts';
import type { Desired } from '../../desired/store.ts';
import type { DnsProvider } from '../provider/provider.ts';
import type { ProviderOpening } from './plan-opening.ts';

/** Makes the adapter: no call is made yet. Throws where its settings cannot be used. */
export type OpenDnsProvider = (opening: ProviderOpening) => Promise<DnsProvider>;

export interface DnsZonesOptions {
  readonly desired: Desired;
  readonly placement: PlacementView;
  readonly term: TermGuard;
  readonly recorder: EventRecorder;
  readonly openProvider: OpenDnsProvider;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly log: Log;
  readonly metrics: Metrics;
}
