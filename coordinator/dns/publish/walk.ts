// Visits the Services of the log, or of one namespace, a bounded number in each event-loop turn, so
// that a changed zone of 100,000 Services delays nobody. A Service that comes or goes meanwhile is
// told of by its own event.

import { toLogPrefix, toServiceKey, type ServiceKey } from '../../../common/model/ids.ts';
import type { Clock, Timer } from '../../../common/runtime/clock.ts';
import type { Desired } from '../../desired/store.ts';

export interface Walks {
  /** `id`: a walk of this id that is under way begins again, so that none is ever behind. */
  walk(id: string, namespace: string | undefined, visit: (key: ServiceKey) => void): void;
  /** Resolves when nothing is under way. */
  idle(): Promise<void>;
  stop(): void;
}

// Some 2 ms of a turn.
const servicesPerTurnDefault = 500;

interface Walk {
  readonly prefix: string;
  readonly visit: (key: ServiceKey) => void;
  after: string | undefined;
}

export function createWalks(options: {
  readonly desired: Desired;
  readonly clock: Clock;
  readonly servicesPerTurn?: number;
  /** Between two turns. Default: none. */
  readonly pauseMs?: number;
}): Walks {
  const { desired, clock, pauseMs, servicesPerTurn = servicesPerTurnDefault } = options;
  const walks = new Map<string, Walk>();
  const waiters: (() => void)[] = [];
  let turn: Timer | undefined;

  const step = (): void => {
    turn = undefined;
    const [first] = walks;
    if (first !== undefined) {
      const [id, walk] = first;
      // The next turn is another walk's, should there be one.
      walks.delete(id);
      if (!visitSome(desired, walk, servicesPerTurn)) walks.set(id, walk);
    }
    if (walks.size === 0) settle();
    else turn ??= pauseMs === undefined ? clock.soon(step) : clock.after(pauseMs, step);
  };
  const settle = (): void => {
    for (const wake of waiters.splice(0)) wake();
  };

  return {
    walk: (id, namespace, visit) => {
      walks.delete(id);
      walks.set(id, { prefix: toLogPrefix('', 'services', namespace), visit, after: undefined });
      turn ??= clock.soon(step);
    },
    idle: () =>
      walks.size === 0 ? Promise.resolve() : new Promise((resolve) => void waiters.push(resolve)),
    stop: () => {
      turn?.cancel();
      turn = undefined;
      walks.clear();
      settle();
    },
  };
}

/** True when it is at its end. */
function visitSome(desired: Desired, walk: Walk, countMax: number): boolean {
  let count = 0;
  for (const { key, object } of desired.list(walk.prefix, walk.after)) {
    const { namespace = '', name } = object.metadata;
    walk.visit(toServiceKey({ namespace, name }));
    walk.after = key;
    count += 1;
    if (count >= countMax) return false;
  }
  return true;
}
