// What the status stage is given.

import type {
  EventRecorder,
  HealthView,
  PlacementView,
  PrivateViews,
  SessionView,
  TermGuard,
} from '../../common/model/views.ts';
import type { AddressRules } from '../../common/pure/address-rules.ts';
import type { Chance } from '../../common/runtime/chance.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import type { Log } from '../../common/runtime/log.ts';
import type { Metrics } from '../../common/runtime/metrics.ts';
import type { Desired } from '../desired/store.ts';
import type { DnsViews } from './published.ts';
import type { StatusProjections } from './projections.ts';

export interface StatusOptions {
  readonly desired: Desired;
  readonly placement: PlacementView;
  readonly sessions: SessionView;
  readonly health: HealthView;
  readonly dns: DnsViews;
  /** Whose private addresses are outside ones. Absent: nobody's. */
  readonly privateViews?: Pick<PrivateViews, 'has'>;
  readonly term: TermGuard;
  readonly projections: StatusProjections;
  readonly recorder: EventRecorder;
  readonly config: {
    readonly addressRules: AddressRules;
    /** Agents' versions are compared with it; undefined: they are not. */
    readonly coordinatorVersion?: string | undefined;
    /** Default 1,000. */
    readonly writeEveryMs?: number;
  };
  readonly clock: Clock;
  readonly chance: Chance;
  readonly log: Log;
  readonly metrics: Metrics;
}
