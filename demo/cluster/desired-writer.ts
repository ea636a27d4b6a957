// Writes of the simulated cluster's controllers: they stand on the same log as the API, so a
// conditional write is one call and a lost race simply runs the controller again.

import { toRevision, type LogKey } from '../../common/model/ids.ts';
import type { KubeObject } from '../../common/model/kube-object.ts';
import { MeshError } from '../../common/pure/errors.ts';
import type { Chance } from '../../common/runtime/chance.ts';
import { toTimestamp, type Clock } from '../../common/runtime/clock.ts';
import type { Desired, StoredObject } from '../../coordinator/desired/store.ts';

export interface DesiredWriter {
  /** Creates with uid and creationTimestamp. Throws DEMO_RACE when it exists by now. */
  create(key: LogKey, object: KubeObject): Promise<void>;
  /** Replaces exactly `old`. Throws DEMO_RACE when that is no longer the newest. */
  replace(old: StoredObject, object: KubeObject): Promise<void>;
  remove(old: StoredObject): Promise<void>;
}

const absent = toRevision(0);

export function createDesiredWriter(options: {
  readonly desired: Desired;
  readonly clock: Clock;
  readonly chance: Chance;
}): DesiredWriter {
  const { desired, clock, chance } = options;
  const write = async (
    key: LogKey,
    object: KubeObject | undefined,
    expected = absent,
  ): Promise<void> => {
    const outcome = await desired.write({ key, object, expected });
    if (outcome.kind !== 'written') {
      throw new MeshError('conflict', 'DEMO_RACE', `${key} was written by somebody else meanwhile`);
    }
  };
  return {
    create: (key, object) =>
      write(key, {
        ...object,
        metadata: {
          ...object.metadata,
          uid: chance.uuid(),
          creationTimestamp: toTimestamp(clock.now()),
        },
      }),
    replace: (old, object) => write(old.key, object, old.revision),
    remove: (old) => write(old.key, undefined, old.revision),
  };
}
