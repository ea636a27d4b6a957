// What views of placement answer in tests that are about something else.

import type { PlacementView, SessionView } from '../../common/model/views.ts';

export const plainPlacement: Pick<PlacementView, 'removalsOf' | 'traffic' | 'notes' | 'subscribe'> =
  {
    removalsOf: () => [],
    traffic: () => ({ isDrained: false, weight: 100 }),
    notes: () => undefined,
    subscribe: () => () => undefined,
  };

/** Likewise of sessions. */
export const plainSessions: Pick<SessionView, 'unclaimed' | 'hasForeignService'> = {
  unclaimed: () => [],
  hasForeignService: () => false,
};
