// The garbage collector: deletes what nobody owns any more, and does what `--cascade=orphan` and
// `--cascade=foreground` ask for.
//
// Input: the log. Output: deletes, and changes of metadata. Woken by the keys that owner-graph.ts
// names for each event; plan-collect.ts decides, so a run that is lost to a race is made again by
// the event that won it.
//
//   X1. Work is proportional to what changed: a delete looks at the object's dependents, a new
//       reference at its owner.
//   X2. An owner is looked for where its reference says: kind, the dependent's own namespace (or
//       none for cluster-scoped kinds), name and UID. Elsewhere it is absent, as in Kubernetes.

import { splitLogKey, toLogKey, toLogPrefix, type LogKey } from '../../../../common/model/ids.ts';
import type { OwnerReference } from '../../../../common/model/kube-object.ts';
import { createLoop } from '../../../../common/runtime/loop.ts';
import { assertNever } from '../../../../common/pure/errors.ts';
import type { Desired, StoredObject, ViewEvent } from '../../../desired/store.ts';
import type { KindDefinition } from '../kind.ts';
import {
  changeMetadata,
  collectedKinds,
  deleteStored,
  toCollectorTools,
  type Collector,
  type CollectorOptions,
} from './collector.ts';
import { createOwnerGraph } from './owner-graph.ts';
import { isForeground, planCollect, type CollectStep, type OwnerState } from './plan-collect.ts';
import type { WriteTools } from '../verbs/write.ts';

interface Parts {
  readonly tools: WriteTools;
  readonly desired: Desired;
  readonly byKey: ReadonlyMap<string, KindDefinition>;
  readonly byKind: ReadonlyMap<string, KindDefinition>;
  readonly dependentsOf: (uid: string) => readonly LogKey[];
}

export function startOwnerGc(options: CollectorOptions): Collector {
  const { desired, clock, chance, log } = options;
  const kinds = collectedKinds(options.kinds);
  const graph = createOwnerGraph();
  const parts: Parts = {
    tools: toCollectorTools(options),
    desired,
    byKey: new Map(kinds.map((kind) => [`${kind.group}/${kind.plural}`, kind])),
    byKind: new Map(kinds.map((kind) => [`${kind.group}/${kind.kind}`, kind])),
    dependentsOf: graph.dependentsOf,
  };
  const run = (key: LogKey): Promise<undefined> => collect(parts, key);
  const loop = createLoop<LogKey>({ name: 'owner-gc', clock, chance, log, run });
  const onEvents = (events: readonly ViewEvent[]): void => {
    for (const event of events) for (const key of graph.fold(event)) loop.mark(key);
  };
  const from = desired.revision();
  const handles = kinds.map(({ group, plural }) => {
    const prefix = toLogPrefix(group, plural);
    for (const current of desired.list(prefix)) {
      onEvents([{ kind: 'added', current, previous: undefined }]);
    }
    return desired.watch(prefix, from, onEvents);
  });
  return {
    idle: () => loop.idle(),
    stop: async () => {
      for (const handle of handles) if (handle !== 'expired') handle.cancel();
      await loop.stop();
    },
  };
}

async function collect(parts: Parts, key: LogKey): Promise<undefined> {
  const stored = parts.desired.get(key);
  const { group, resource } = splitLogKey(key);
  const kind = parts.byKey.get(`${group}/${resource}`);
  if (stored === undefined || kind === undefined) return undefined;
  const { uid = '' } = stored.object.metadata;
  const step = planCollect(stored.object, {
    stateOf: (owner) => stateOf(parts, stored, owner),
    dependents: parts.dependentsOf(uid).flatMap((each) => parts.desired.get(each) ?? []),
  });
  await act(parts, kind, stored, step);
  return undefined;
}

/** X2. */
function stateOf(parts: Parts, dependent: StoredObject, owner: OwnerReference): OwnerState {
  const slash = owner.apiVersion.indexOf('/');
  const group = slash < 0 ? '' : owner.apiVersion.slice(0, slash);
  const kind = parts.byKind.get(`${group}/${owner.kind}`);
  if (kind === undefined) return 'unknown';
  const { namespace = '' } = dependent.object.metadata;
  // Kubernetes never deletes what names an owner that it cannot have.
  if (kind.isNamespaced && namespace === '') return 'unknown';
  const key = toLogKey({
    group,
    resource: kind.plural,
    namespace: kind.isNamespaced ? namespace : '',
    name: owner.name,
  });
  const found = parts.desired.get(key)?.object;
  if (found === undefined || found.metadata.uid !== owner.uid) return 'absent';
  return isForeground(found) ? 'waiting' : 'solid';
}

async function act(
  parts: Parts,
  kind: KindDefinition,
  stored: StoredObject,
  step: CollectStep,
): Promise<void> {
  const { tools } = parts;
  switch (step.kind) {
    case 'nothing':
      return;
    case 'dropFinalizer':
      await changeMetadata(tools, kind, stored, (metadata) => ({
        ...metadata,
        finalizers: (metadata.finalizers ?? []).filter((name) => name !== step.finalizer),
      }));
      return;
    case 'dropOwners':
      await dropOwners(parts, stored, new Set(step.uids));
      return;
    case 'orphan': {
      const uids = new Set([stored.object.metadata.uid ?? '']);
      await Promise.all(step.dependents.map((each) => dropOwners(parts, each, uids)));
      return;
    }
    case 'delete':
      if (step.unblocks) await unblock(parts, stored);
      await deleteStored(tools, kind, stored, step.propagation);
      return;
    default:
      assertNever(step);
  }
}

async function dropOwners(
  parts: Parts,
  stored: StoredObject,
  uids: ReadonlySet<string>,
): Promise<void> {
  await changeOwners(parts, stored, (owners) => owners.filter(({ uid }) => !uids.has(uid)));
}

async function unblock(parts: Parts, stored: StoredObject): Promise<void> {
  await changeOwners(parts, stored, (owners) =>
    owners.map((owner) => ({ ...owner, blockOwnerDeletion: false })),
  );
}

async function changeOwners(
  { tools, byKey }: Parts,
  stored: StoredObject,
  change: (owners: readonly OwnerReference[]) => readonly OwnerReference[],
): Promise<void> {
  const { group, resource } = splitLogKey(stored.key);
  const kind = byKey.get(`${group}/${resource}`);
  if (kind === undefined) return;
  await changeMetadata(tools, kind, stored, ({ ownerReferences = [], ...metadata }) => {
    const left = change(ownerReferences);
    return left.length === 0 ? metadata : { ...metadata, ownerReferences: left };
  });
}
