// What the zone's thread and its owner say to each other.

import type { NotifyOutcome } from './notifier.ts';
import type { ZoneSettings } from './plan-zones.ts';
import type { ZoneDelta } from './served-zones.ts';

export interface RateLimitSettings {
  /** Answers a second over UDP for each /24 and /56; 0: no limit. */
  readonly perSecond: number;
  /** Networks without a limit. */
  readonly exempt: readonly string[];
}

export interface WorkerSettings extends ZoneSettings {
  readonly listen: { readonly host: string; readonly port: number };
  readonly rateLimit: RateLimitSettings;
}

/** `listen` follows the first load, so that no question meets an empty table. */
export type ToWorker = ZoneDelta | { readonly kind: 'listen' } | { readonly kind: 'ping' };

/** `<udp|tcp> <code>` or `incident <what>`, and how often since the last message. */
export type ZoneCounts = readonly (readonly [string, number])[];

export type FromWorker =
  | { readonly kind: 'listening'; readonly port: number }
  | { readonly kind: 'failed'; readonly message: string }
  | { readonly kind: 'pong' }
  | { readonly kind: 'notified'; readonly outcome: NotifyOutcome }
  | { readonly kind: 'counts'; readonly counts: ZoneCounts };
