// Empties and removes namespaces that are being deleted.
//
// Woken by the log: a namespace that became Terminating, or is held by one finalizer less, and each
// delete of an object in one.
//   G1. A namespace goes only when no logged object of it is left and nothing else holds it.
//   G2. Only what is in a namespace with a deletionTimestamp is ever deleted here; creation in
//       it is refused by a guard on the namespace itself (write.ts), so it does empty.
//   G3. What holds it is shown in its conditions while it does (namespace-conditions.ts).
//   G4. Each object is asked to go once; while it lingers, its removal is counted, and everything
//       is looked at again when the count says empty, or now and then for the conditions.

import { splitLogKey } from '../../../../common/model/ids.ts';
import type { KubeObject } from '../../../../common/model/kube-object.ts';
import { invariant } from '../../../../common/pure/errors.ts';
import { toTimestamp } from '../../../../common/runtime/clock.ts';
import { describeError, type Log } from '../../../../common/runtime/log.ts';
import { createLoop } from '../../../../common/runtime/loop.ts';
import type { Desired, StoredObject, ViewEvent, WatchHandle } from '../../../desired/store.ts';
import { trackUpdate } from '../apply/managed-fields.ts';
import type { KindDefinition } from '../kind.ts';
import { ownList, ownRecord, toJsonObject, toKubeObject } from '../schema/json-value.ts';
import { isSameObject } from '../schema/shape.ts';
import { toListPrefix } from '../verbs/read.ts';
import { servesNamespaces, toNamespaceKey, type WriteTools } from '../verbs/write.ts';
import {
  collectedKinds,
  collectorName,
  deleteStored,
  toCollectorTools,
  type Collector,
  type CollectorOptions,
} from './collector.ts';
import { planConditions, type Remaining } from './namespace-conditions.ts';

/** The entry of spec.finalizers that stands for this collector. */
const ours = 'kubernetes';
// Enough for the store to flush them together, few enough that others get their turn (I11).
const atOnceMax = 16;
// Some 2 ms when all of them go at once.
const pageMax = 64;
const faultsMax = 8;
/** G4: how soon after a removal the conditions count again. */
const recountMs = 5_000;

interface Parts {
  readonly tools: WriteTools;
  readonly desired: Desired;
  readonly kinds: readonly KindDefinition[];
  readonly log: Log;
  /** What was left when it was last counted, less what went since. */
  readonly left: Map<string, number>;
}

export function startNamespaceGc(options: CollectorOptions): Collector {
  const { desired, clock, chance, log } = options;
  if (!servesNamespaces(options.kinds)) {
    return { idle: () => Promise.resolve(), stop: () => Promise.resolve() };
  }
  const kinds = collectedKinds(options.kinds).filter(({ isNamespaced }) => isNamespaced);
  const left = new Map<string, number>();
  const parts: Parts = { tools: toCollectorTools(options), desired, kinds, log, left };
  const run = (namespace: string): Promise<undefined> => emptyNamespace(parts, namespace);
  const loop = createLoop<string>({ name: 'namespace-gc', clock, chance, log, run });
  const onEvent = (event: ViewEvent): void => {
    const at = splitLogKey(event.current.key);
    if (at.group === '' && at.resource === 'namespaces') {
      if (event.kind === 'deleted') left.delete(at.name);
      else if (isHeldOtherwise(event)) loop.mark(at.name);
      return;
    }
    if (event.kind !== 'deleted' || !isTerminating(desired, at.namespace)) return;
    const count = (left.get(at.namespace) ?? 1) - 1;
    left.set(at.namespace, count);
    if (count > 0) loop.markAfter(at.namespace, recountMs);
    else loop.mark(at.namespace);
  };
  const handle = followNamespaces(desired, onEvent, (namespace) => loop.mark(namespace));
  return {
    idle: () => loop.idle(),
    stop: async () => {
      handle?.cancel();
      await loop.stop();
    },
  };
}

function followNamespaces(
  desired: Desired,
  onEvent: (event: ViewEvent) => void,
  mark: (namespace: string) => void,
): WatchHandle | undefined {
  const from = desired.revision();
  for (const { object } of desired.list('core/namespaces/')) {
    if (object.metadata.deletionTimestamp !== undefined) mark(object.metadata.name);
  }
  const handle = desired.watch('', from, (events) => events.forEach(onEvent));
  return handle === 'expired' ? undefined : handle;
}

function isTerminating(desired: Desired, namespace: string): boolean {
  if (namespace === '') return false;
  const stored = desired.get(toNamespaceKey(namespace));
  return stored?.object.metadata.deletionTimestamp !== undefined;
}

/** The namespace is being deleted, and this change of it may be what it waited for. */
function isHeldOtherwise({ current, previous }: ViewEvent): boolean {
  if (current.object.metadata.deletionTimestamp === undefined) return false;
  if (previous?.object.metadata.deletionTimestamp === undefined) return true;
  const holders = ({ object }: StoredObject): string =>
    JSON.stringify([object.metadata.finalizers ?? [], finalizersOf(object)]);
  return holders(current) !== holders(previous);
}

function finalizersOf(namespace: KubeObject): readonly string[] {
  return ownList(ownRecord(toJsonObject(namespace), 'spec'), 'finalizers').map(String);
}

async function emptyNamespace(parts: Parts, namespace: string): Promise<undefined> {
  const { desired, left } = parts;
  if (!isTerminating(desired, namespace)) return undefined;
  const remaining = await removeContent(parts, namespace);
  const count = [...remaining.byResource.values()].reduce((sum, each) => sum + each, 0);
  left.set(namespace, count);
  // Again from the log: the deletes above took their time.
  const stored = desired.get(toNamespaceKey(namespace));
  if (stored === undefined) return undefined;
  if (count === 0 && remaining.faults.length === 0) await release(parts, stored);
  else await showConditions(parts, stored, remaining);
  if (remaining.faults.length > 0) throw new Error(remaining.faults.join('; '));
  return undefined;
}

/** Asks everything to go that was not asked, and counts what lingers. */
async function removeContent(parts: Parts, namespace: string): Promise<Remaining> {
  const faults = new Set<string>();
  const byResource = new Map<string, number>();
  const byFinalizer = new Map<string, number>();
  for (const kind of parts.kinds) {
    const prefix = toListPrefix(kind, namespace);
    // Nothing is made in a namespace that goes (G2), so that one walk meets everything.
    for (
      let page = takePage(parts, prefix);
      page.length > 0;
      page = nextPage(parts, prefix, page)
    ) {
      await removePage(parts, kind, page, faults);
      for (const { key } of page) {
        const lingering = parts.desired.get(key)?.object;
        if (lingering === undefined) continue;
        count(byResource, `${kind.plural}.${kind.group}`);
        for (const finalizer of lingering.metadata.finalizers ?? []) count(byFinalizer, finalizer);
      }
      await nextTurn(parts);
    }
  }
  return { byResource, byFinalizer, faults: [...faults] };
}

async function removePage(
  { tools }: Parts,
  kind: KindDefinition,
  page: readonly StoredObject[],
  faults: Set<string>,
): Promise<void> {
  const unasked = page.filter(({ object }) => object.metadata.deletionTimestamp === undefined);
  for (let from = 0; from < unasked.length; from += atOnceMax) {
    const batch = unasked.slice(from, from + atOnceMax);
    const outcomes = await Promise.allSettled(batch.map((held) => deleteStored(tools, kind, held)));
    for (const outcome of outcomes) {
      if (outcome.status === 'fulfilled' || faults.size >= faultsMax) continue;
      faults.add(describeError(outcome.reason));
    }
  }
}

/** Collected first: deleting changes what is being listed. */
function takePage({ desired }: Parts, prefix: string, after?: string): readonly StoredObject[] {
  const page: StoredObject[] = [];
  for (const stored of desired.list(prefix, after)) {
    page.push(stored);
    if (page.length === pageMax) break;
  }
  return page;
}

function nextPage(
  parts: Parts,
  prefix: string,
  page: readonly StoredObject[],
): readonly StoredObject[] {
  return page.length < pageMax ? [] : takePage(parts, prefix, page.at(-1)?.key);
}

/** However many objects there are, everybody else gets his turn between two pages (I11). */
function nextTurn({ tools }: Parts): Promise<void> {
  return new Promise((resolve) => tools.clock.soon(resolve));
}

function count(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1);
}

/** G1: takes our own hold away, and the namespace with it when there is no other. */
async function release(parts: Parts, stored: StoredObject): Promise<void> {
  const { desired, log, left } = parts;
  const { object } = stored;
  const others = finalizersOf(object).filter((name) => name !== ours);
  const isFree = others.length === 0 && (object.metadata.finalizers ?? []).length === 0;
  const next = isFree ? object : withFinalizers(parts, object, others);
  if (!isFree && isSameObject(next, object)) return;
  const outcome = await desired.write({
    key: stored.key,
    object: isFree ? undefined : next,
    expected: stored.revision,
  });
  if (outcome.kind !== 'written') throw new Error('the namespace was changed meanwhile');
  if (!isFree) return;
  left.delete(object.metadata.name);
  log.info('namespace removed', { namespace: object.metadata.name });
}

/** As `finalize` would write it: whoever owned the list owns it no more, and an empty one is not there. */
function withFinalizers(
  { tools }: Parts,
  object: KubeObject,
  finalizers: readonly string[],
): KubeObject {
  const kind = tools.kinds.find('', 'v1', 'namespaces');
  invariant(kind !== undefined, 'namespaces are collected, but not served');
  const { finalizers: _before, ...rest } = ownRecord(toJsonObject(object), 'spec');
  const spec = finalizers.length === 0 ? rest : { ...rest, finalizers };
  const next = toKubeObject({ ...toJsonObject(object), spec });
  const time = toTimestamp(tools.clock.now());
  return trackUpdate({
    kind,
    old: object,
    next,
    manager: collectorName,
    subresource: 'finalize',
    time,
  });
}

/** G3. */
async function showConditions(
  { desired, tools }: Parts,
  stored: StoredObject,
  remaining: Remaining,
): Promise<void> {
  const status = ownRecord(toJsonObject(stored.object), 'status');
  const conditions = planConditions(
    remaining,
    ownList(status, 'conditions'),
    toTimestamp(tools.clock.now()),
  );
  const next = toKubeObject({
    ...toJsonObject(stored.object),
    status: { ...status, conditions },
  });
  if (isSameObject(next, stored.object)) return;
  const outcome = await desired.write({
    key: stored.key,
    object: next,
    expected: stored.revision,
  });
  if (outcome.kind !== 'written') throw new Error('the namespace was changed meanwhile');
}
