// Empties and removes namespaces that are being deleted.
//
// Woken by the log: a namespace that became Terminating, and each delete of an object in one.
//   G1. A namespace goes only when no logged object of it is left and nothing else holds it.
//   G2. Only what is in a namespace with a deletionTimestamp is ever deleted here; creation in
//       it is refused by a guard on the namespace itself (write.ts), so it does empty.

import { splitLogKey } from '../../../../common/model/ids.ts';
import type { Log } from '../../../../common/runtime/log.ts';
import type { Chance } from '../../../../common/runtime/chance.ts';
import type { Clock } from '../../../../common/runtime/clock.ts';
import { createLoop } from '../../../../common/runtime/loop.ts';
import type { Desired, StoredObject, ViewEvent } from '../../../desired/store.ts';
import { toPlainAccess } from '../access/access.ts';
import type { KindDefinition } from '../kind.ts';
import { deleteObject } from '../verbs/delete.ts';
import { toListPrefix } from '../verbs/read.ts';
import { toDeleteOptions } from '../request/delete-options.ts';
import type { KindTable } from '../request/routes.ts';
import { ApiError } from '../answer/status-error.ts';
import {
  servesNamespaces,
  toNamespaceKey,
  type WriteCall,
  type WriteTools,
} from '../verbs/write.ts';

export interface NamespaceGcOptions {
  readonly kinds: KindTable;
  readonly desired: Desired;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly log: Log;
}

export function startNamespaceGc(options: NamespaceGcOptions): { stop(): Promise<void> } {
  const { kinds, desired, clock, chance, log } = options;
  if (!servesNamespaces(kinds)) return { stop: () => Promise.resolve() };
  const access = toPlainAccess(() => ({ allowed: true }));
  const tools: WriteTools = { kinds, desired, clock, chance, admit: undefined, access };
  const loop = createLoop<string>({
    name: 'namespace-gc',
    clock,
    chance,
    log,
    run: async (namespace) => {
      await emptyNamespace(tools, namespace, log);
      return undefined;
    },
  });
  const isTerminating = (namespace: string): boolean =>
    desired.get(toNamespaceKey(namespace))?.object.metadata.deletionTimestamp !== undefined;
  const onEvents = (events: readonly ViewEvent[]): void => {
    for (const event of events) {
      const namespace = toAffected(event);
      if (namespace !== undefined && isTerminating(namespace)) loop.mark(namespace);
    }
  };
  const from = desired.revision();
  for (const { object } of desired.list('core/namespaces/')) {
    if (object.metadata.deletionTimestamp !== undefined) loop.mark(object.metadata.name);
  }
  const handle = desired.watch('', from, onEvents);
  return {
    stop: async () => {
      if (handle !== 'expired') handle.cancel();
      await loop.stop();
    },
  };
}

/** The namespace to look at after an event, if any. */
function toAffected({ kind, current }: ViewEvent): string | undefined {
  const at = splitLogKey(current.key);
  if (at.group === '' && at.resource === 'namespaces')
    return kind === 'deleted' ? undefined : at.name;
  return kind === 'deleted' && at.namespace !== '' ? at.namespace : undefined;
}

async function emptyNamespace(tools: WriteTools, namespace: string, log: Log): Promise<void> {
  const stored = tools.desired.get(toNamespaceKey(namespace));
  if (stored === undefined || stored.object.metadata.deletionTimestamp === undefined) return;
  let left = 0;
  for (const kind of tools.kinds.all) {
    if (!kind.isNamespaced || kind.storage !== 'logged') continue;
    // Collected first: deleting changes what is being listed.
    const content = Array.from(tools.desired.list(toListPrefix(kind, namespace)));
    for (const held of content) {
      left += 1;
      await deleteHeld(tools, kind, held);
    }
  }
  // Each removal wakes this loop again; the namespace goes in the run that finds it empty (G1).
  if (left > 0 || (stored.object.metadata.finalizers ?? []).length > 0) return;
  const outcome = await tools.desired.write({
    key: stored.key,
    object: undefined,
    expected: stored.revision,
  });
  if (outcome.kind === 'written') log.info('namespace removed', { namespace });
}

async function deleteHeld(
  tools: WriteTools,
  kind: KindDefinition,
  held: StoredObject,
): Promise<void> {
  if (held.object.metadata.deletionTimestamp !== undefined) return;
  const call: WriteCall = {
    kind,
    namespace: held.object.metadata.namespace ?? '',
    name: held.object.metadata.name,
    subresource: '',
    user: {
      name: 'system:serviceaccount:kube-system:namespace-controller',
      groups: ['system:masters'],
    },
    options: { isDryRun: false, manager: '', validation: 'Ignore', force: false },
    warnings: [],
  };
  try {
    await deleteObject(tools, call, toDeleteOptions(held.object.metadata.uid));
  } catch (error) {
    if (!(error instanceof ApiError) || error.status.code !== 404) throw error;
  }
}
