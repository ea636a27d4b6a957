// What the keeping of publications is given.

import type {
  DnsZoneView,
  EventRecorder,
  HealthView,
  PlacementView,
  TermGuard,
} from '../../../common/model/views.ts';
import type { AddressRules } from '../../../common/pure/address-rules.ts';
import type { Chance } from '../../../common/runtime/chance.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import type { Log } from '../../../common/runtime/log.ts';
import type { Metrics } from '../../../common/runtime/metrics.ts';
import type { Desired } from '../../desired/store.ts';
import type { LookUpHostname } from './hostname-table.ts';

export interface DnsOptions {
  readonly desired: Desired;
  readonly placement: PlacementView;
  readonly health: HealthView;
  readonly zones: DnsZoneView;
  readonly term: TermGuard;
  readonly recorder: EventRecorder;
  /** Absent (the simulation): load balancers that are names are published as names. */
  readonly lookUp?: LookUpHostname | undefined;
  readonly config: {
    readonly federation: string;
    /** Of zones that do not say. */
    readonly ttlSeconds: number;
    readonly addressRules: AddressRules;
  };
  readonly clock: Clock;
  readonly chance: Chance;
  readonly log: Log;
  readonly metrics: Metrics;
}
