// What the zone's thread and its owner say to each other.

import type { ZoneSettings } from './apex.ts';
import type { ZoneDelta } from './fold.ts';

export interface WorkerSettings extends ZoneSettings {
  readonly listen: { readonly host: string; readonly port: number };
}

/** `listen` follows the first load, so that no question meets an empty table. */
export type ToWorker = ZoneDelta | { readonly kind: 'listen' };

/** `<udp|tcp> <code>` or `incident <what>`, and how often since the last message. */
export type ZoneCounts = readonly (readonly [string, number])[];

export type FromWorker =
  | { readonly kind: 'listening'; readonly port: number }
  | { readonly kind: 'failed'; readonly message: string }
  | { readonly kind: 'counts'; readonly counts: ZoneCounts };
