// What the collectors share: the ports they are given, and the requests that they make. A collector
// writes through the same verbs as a client, so that finalizers, field owners and preconditions
// hold for it too; only admission and authorization are not asked.

import type { KubeObject } from '../../../../common/model/kube-object.ts';
import type { Chance } from '../../../../common/runtime/chance.ts';
import type { Clock } from '../../../../common/runtime/clock.ts';
import type { Log } from '../../../../common/runtime/log.ts';
import type { Desired, StoredObject } from '../../../desired/store.ts';
import { toPlainAccess } from '../access/access.ts';
import { ApiError } from '../answer/status-error.ts';
import type { KindDefinition } from '../kind.ts';
import { toDeleteOptions, type Propagation } from '../request/delete-options.ts';
import { restOf } from '../../../../common/runtime/rest.ts';
import type { KindTable } from '../request/routes.ts';
import { deleteObject } from '../verbs/delete.ts';
import { updateObject } from '../verbs/update.ts';
import type { WriteCall, WriteTools } from '../verbs/write.ts';

export interface CollectorOptions {
  readonly kinds: KindTable;
  readonly desired: Desired;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly log: Log;
}

export interface Collector {
  /** Nothing is left to collect but what waits for somebody else. */
  idle(): Promise<void>;
  stop(): Promise<void>;
}

/** As the owner of the fields that it writes. */
export const collectorName = 'isthmus-collector';

/** Kinds whose objects stand in the log under their own name. */
export function collectedKinds(kinds: KindTable): readonly KindDefinition[] {
  return kinds.all.filter(
    ({ storage, storedAs }) => storage === 'logged' && storedAs === undefined,
  );
}

export function toCollectorTools(options: CollectorOptions): WriteTools {
  const { kinds, desired, clock, chance } = options;
  const access = toPlainAccess(() => ({ allowed: true }));
  return { kinds, desired, clock, chance, admit: undefined, access, rest: restOf(clock) };
}

/** Deletes exactly this object. One that is gone, or another by now, is fine. */
export async function deleteStored(
  tools: WriteTools,
  kind: KindDefinition,
  { object }: StoredObject,
  propagation: Propagation = 'Background',
): Promise<void> {
  try {
    const options = toDeleteOptions(object.metadata.uid, propagation);
    await deleteObject(tools, toCall(kind, object), options);
  } catch (error) {
    if (!(error instanceof ApiError) || (error.code !== 404 && error.code !== 409)) throw error;
  }
}

/** Changes the metadata of exactly this object, from its live state; never another of its name. */
export async function changeMetadata(
  tools: WriteTools,
  kind: KindDefinition,
  { object }: StoredObject,
  change: (metadata: KubeObject['metadata']) => KubeObject['metadata'],
): Promise<void> {
  const build = (live: KubeObject | undefined): KubeObject => {
    if (live === undefined) return object;
    const { resourceVersion: _any, ...metadata } = live.metadata;
    if (metadata.uid !== object.metadata.uid) return { ...live, metadata };
    return { ...live, metadata: change(metadata) };
  };
  try {
    const wish = { method: 'patch', build, requireCreate: () => undefined } as const;
    await updateObject(tools, toCall(kind, object), wish);
  } catch (error) {
    if (!(error instanceof ApiError) || error.code !== 404) throw error;
  }
}

function toCall(kind: KindDefinition, { metadata }: KubeObject): WriteCall {
  return {
    kind,
    namespace: metadata.namespace ?? '',
    name: metadata.name,
    subresource: '',
    user: { name: 'system:isthmus:collector', groups: ['system:masters'] },
    options: {
      isDryRun: false,
      manager: collectorName,
      validation: 'Ignore',
      force: false,
    },
    warnings: [],
  };
}
