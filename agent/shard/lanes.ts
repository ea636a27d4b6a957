// Who may call the API server now. A webhook that hangs holds each call for its namespace's
// Services until our deadline: it must not hold the calls for everybody else's (I10).
//
//   L1. One namespace has at most half of the calls at once.
//   L2. A namespace whose last call ran into its deadline has one call at a time, and all such
//       namespaces together have two, until a call there is answered.
//   L3. Who must wait is woken when there is room, the first that came first.

import { splitServiceKey, type ServiceKey } from '../../common/model/ids.ts';

export interface Lanes {
  /** False: not now; the key is woken. */
  enter(key: ServiceKey): boolean;
  leave(key: ServiceKey, isSlow: boolean): void;
}

interface Lane {
  running: number;
  isSlow: boolean;
  readonly waiting: Set<ServiceKey>;
}

/** Calls at once; the applier's loop has as many. */
export const callsMax = 8;
const perNamespaceMax = 4;
const slowMax = 2;

export function createLanes(wake: (key: ServiceKey) => void): Lanes {
  const lanes = new Map<string, Lane>();
  let slowRunning = 0;

  const roomOf = (lane: Lane): number =>
    lane.isSlow
      ? Math.min(1 - lane.running, slowMax - slowRunning)
      : perNamespaceMax - lane.running;

  const wakeSome = (lane: Lane): void => {
    let room = roomOf(lane);
    for (const key of lane.waiting) {
      if (room <= 0) return;
      room -= 1;
      lane.waiting.delete(key);
      wake(key);
    }
  };

  return {
    enter: (key) => {
      const { namespace } = splitServiceKey(key);
      const lane = lanes.get(namespace) ?? { running: 0, isSlow: false, waiting: new Set() };
      lanes.set(namespace, lane);
      if (roomOf(lane) <= 0) {
        lane.waiting.add(key);
        return false;
      }
      lane.waiting.delete(key);
      lane.running += 1;
      if (lane.isSlow) slowRunning += 1;
      return true;
    },
    leave: (key, isSlow) => {
      const { namespace } = splitServiceKey(key);
      const lane = lanes.get(namespace);
      if (lane === undefined) return;
      if (lane.isSlow) slowRunning -= 1;
      lane.running -= 1;
      if (isSlow !== lane.isSlow) {
        // Those that are still running count as what the lane is now.
        slowRunning += (isSlow ? 1 : -1) * lane.running;
        lane.isSlow = isSlow;
      }
      wakeSome(lane);
      for (const other of lanes.values()) {
        if (other !== lane && other.isSlow && other.waiting.size > 0) wakeSome(other);
      }
      if (lane.running === 0 && lane.waiting.size === 0 && !lane.isSlow) lanes.delete(namespace);
    },
  };
}
