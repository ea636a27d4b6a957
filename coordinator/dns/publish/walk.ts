// Visits the Services of the log, or of one namespace, a bounded number in each event-loop turn, so
// that a changed zone of 100,000 Services delays nobody. A Service that comes or goes meanwhile is
// told of by its own event.

import { toLogPrefix, toServiceKey, type ServiceKey } from '../../../common/model/ids.ts';
import type { Clock, Timer } from '../../../common/runtime/clock.ts';
import type { Desired } from '../../desired/store.ts';

export interface Walks {
  /** `id`: a walk of this id that is under way begins again, so that none is ever behind. */
  walk(id: string, namespace: string | undefined, visit: (key: ServiceKey) => void): void;
  /** Nothing is under way. */
  isIdle(): boolean;
  stop(): void;
}

// Some 2 ms of a turn.
const servicesPerTurn = 500;

interface Walk {
  readonly prefix: string;
  readonly visit: (key: ServiceKey) => void;
  after: string | undefined;
}

export function createWalks(options: {
  readonly desired: Desired;
  readonly clock: Clock;
  readonly onIdle?: () => void;
}): Walks {
  const { desired, clock, onIdle } = options;
  const walks = new Map<string, Walk>();
  let turn: Timer | undefined;

  const step = (): void => {
    turn = undefined;
    const [first] = walks;
    if (first === undefined) return;
    const [id, walk] = first;
    // The next turn is another walk's, should there be one.
    walks.delete(id);
    if (!visitSome(desired, walk)) walks.set(id, walk);
    if (walks.size === 0) onIdle?.();
    else turn = clock.soon(step);
  };

  return {
    walk: (id, namespace, visit) => {
      walks.delete(id);
      walks.set(id, { prefix: toLogPrefix('', 'services', namespace), visit, after: undefined });
      turn ??= clock.soon(step);
    },
    isIdle: () => walks.size === 0,
    stop: () => {
      turn?.cancel();
      turn = undefined;
      walks.clear();
    },
  };
}

/** True when it is at its end. */
function visitSome(desired: Desired, walk: Walk): boolean {
  let count = 0;
  for (const { key, object } of desired.list(walk.prefix, walk.after)) {
    const { namespace = '', name } = object.metadata;
    walk.visit(toServiceKey({ namespace, name }));
    walk.after = key;
    count += 1;
    if (count >= servicesPerTurn) return false;
  }
  return true;
}
