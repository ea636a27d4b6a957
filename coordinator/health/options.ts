// What the health stage is given.

import type {
  EventRecorder,
  PlacementView,
  PrivateViews,
  SessionView,
} from '../../common/model/views.ts';
import type { AddressRules } from '../../common/pure/address-rules.ts';
import type { Chance } from '../../common/runtime/chance.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import type { Log } from '../../common/runtime/log.ts';
import type { Metrics } from '../../common/runtime/metrics.ts';
import type { Prober } from '../../common/runtime/prober.ts';
import type { TelemetryBus } from '../../common/runtime/telemetry-bus.ts';
import type { Desired } from '../desired/store.ts';
import type { TelemetryCodec } from './codec.ts';

export interface HealthConfig {
  readonly federation: string;
  readonly addressRules: AddressRules;
  /** Default 3,000. */
  readonly silenceMs?: number;
  /** Default 10,000. */
  readonly warmStartMs?: number;
  /** How long an unprovable silent cluster is kept whatever the policy says. Default 60,000. */
  readonly silenceGraceMs?: number;
  /** What follows for an unprovable silent cluster after the grace. Default keep. */
  readonly silencePolicy?: 'keep' | 'withdraw';
}

export interface HealthOptions {
  readonly desired: Desired;
  readonly placement: PlacementView;
  readonly sessions: SessionView;
  readonly bus: TelemetryBus;
  readonly prober: Prober;
  /** Default: the wire form of proto/telemetry.proto. */
  readonly codec?: TelemetryCodec;
  /** Where what agents tell as events goes. */
  readonly recorder: EventRecorder;
  /** Absent: a private address is nobody's way in. */
  readonly privateViews?: PrivateViews;
  readonly config: HealthConfig;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly log: Log;
  readonly metrics: Metrics;
}
