// Commits on their way to those who follow the store: in the order of revisions, whichever commit's
// promise resolves first, and over many turns of the event loop.
//
//   C1. Nobody is told of a revision before the one below it.
//   C2. What was written in one commit, or waited for an earlier one, is told in many short turns
//       and not in a long one (I11). Within its time, each is told at once.

import { toRevision, type Revision } from '../../common/model/ids.ts';
import type { Rest } from '../../common/runtime/rest.ts';
import type { StoreRecord } from './store.ts';

export interface CommitOrder {
  /** Of what was told last. */
  revision(): Revision;
  add(record: StoreRecord): void;
}

export function createCommitOrder(options: {
  /** What was told already. */
  readonly after: Revision;
  readonly rest: Rest;
  readonly tell: (record: StoreRecord) => void;
}): CommitOrder {
  let told = options.after;
  let isResting = false;
  /** Bounded by the writes in flight. */
  const waiting = new Map<number, StoreRecord>();
  const tellAll = (): void => {
    while (!isResting) {
      const next = waiting.get(told + 1); // C1
      if (next === undefined) return;
      const resting = options.rest();
      if (resting !== undefined) {
        isResting = true;
        void resting.then(goOn);
        return;
      }
      waiting.delete(next.revision);
      told = toRevision(next.revision);
      options.tell(next);
    }
  };
  const goOn = (): void => {
    isResting = false;
    tellAll();
  };
  return {
    revision: () => told,
    add: (record) => {
      waiting.set(record.revision, record);
      tellAll();
    },
  };
}
