// What the applier needs of the rest of the coordinator.

import type { DnsZoneView, EventRecorder, TermGuard } from '../../../common/model/views.ts';
import type { Chance } from '../../../common/runtime/chance.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import type { Log } from '../../../common/runtime/log.ts';
import type { Metrics } from '../../../common/runtime/metrics.ts';
import type { Desired } from '../../desired/store.ts';
import type { ProviderSource } from '../provider/provider-source.ts';

export interface DnsApplierOptions {
  readonly desired: Desired;
  /** Asked for at each write; `number` counts take-overs. */
  readonly term: TermGuard & { readonly number: number };
  readonly zones: DnsZoneView;
  readonly providers: ProviderSource;
  readonly federation: string;
  /** Of the marks and fences: the store's identity, unless a person chose another. No spaces. */
  readonly ownerId: string;
  readonly recorder: EventRecorder;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly log: Log;
  readonly metrics: Metrics;
}
