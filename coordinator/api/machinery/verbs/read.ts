// Get, list and watch: everything is answered from a view in memory.
//
//   R1. A read without resourceVersion is consistent: it waits for the store's own revision first.
//   R2. All pages of a list show the revision of page one, or the client is told (410).

import { toLogKey, toLogPrefix, toRevision, type Revision } from '../../../../common/model/ids.ts';
import type { KubeObject } from '../../../../common/model/kube-object.ts';
import type { Clock } from '../../../../common/runtime/clock.ts';
import { restOf } from '../../../../common/runtime/rest.ts';
import type { ObjectView, StoredObject } from '../../../desired/store.ts';
import type { ApiRequest, ApiResponse } from '../api.ts';
import { answerObject, type AnswerOptions } from '../answer/answers.ts';
import { answerList, fromItems, type ItemSource } from '../answer/list-body.ts';
import type { ListMeta } from '../answer/table.ts';
import { formatContinue, parseContinue } from '../request/continue-token.ts';
import type { KindDefinition } from '../kind.ts';
import {
  parseListOptions,
  parseResourceVersion,
  parseSingleResourceVersion,
  type ListOptions,
} from '../request/options.ts';
import type { ResourceRoute } from '../request/routes.ts';
import {
  nameOfFieldSelector,
  parseFieldSelector,
  parseLabelSelector,
} from '../request/selectors.ts';
import { Snapshot } from './snapshot.ts';
import {
  badRequest,
  expired,
  notFound,
  tooLargeResourceVersion,
  type ApiError,
} from '../answer/status-error.ts';

export interface ReadSource {
  readonly kind: KindDefinition;
  readonly view: ObjectView;
  /** The store's current revision, folded into the view; a projection's is its own. */
  readonly barrier: () => Promise<Revision>;
}

export async function getObject(
  source: ReadSource,
  route: ResourceRoute,
  options: AnswerOptions,
): Promise<ApiResponse> {
  const requested = route.query.get('resourceVersion') ?? '';
  if (requested === '') await source.barrier();
  else await reachRevision(source.view, parseSingleResourceVersion(requested));
  const stored = source.view.get(toObjectKey(source.kind, route));
  if (stored === undefined) throw notFound(toResourceName(source.kind, route.name));
  return answerObject(200, { object: stored.object, bytes: () => stored.bytes() }, options);
}

export function toObjectKey(
  kind: KindDefinition,
  at: { readonly namespace: string; readonly name: string },
) {
  const namespace = kind.isNamespaced ? at.namespace : '';
  return toLogKey({ group: kind.group, resource: kind.plural, namespace, name: at.name });
}

export function toResourceName(kind: KindDefinition, name: string) {
  return { group: kind.group, resource: kind.plural, name };
}

export function toListPrefix(kind: KindDefinition, namespace: string): string {
  return toLogPrefix(kind.group, kind.plural, kind.isNamespaced ? namespace : '');
}

// Longer than any replica lags in health; kube-apiserver's watch cache waits as long.
const reachMs = 3_000;

/** Whether the view is, or gets within a moment, as far as `revision`. */
export async function canReach(view: ObjectView, revision: number): Promise<boolean> {
  return revision <= view.revision() || view.reach(toRevision(revision), reachMs);
}

async function reachRevision(view: ObjectView, revision: number): Promise<void> {
  if (!(await canReach(view, revision))) throw tooLargeResourceVersion(revision, view.revision());
}

export async function listObjects(
  source: ReadSource,
  request: ApiRequest,
  route: ResourceRoute,
  options: AnswerOptions,
): Promise<ApiResponse> {
  const list = parseListOptions(route.query, false);
  const { items, meta } = await openList(source, route, list, options.clock);
  return answerList(items, meta, { ...options, isGone: () => request.signal.aborted });
}

/** One page of a list, or all of it, with the metadata that the list carries. */
export async function readPage(
  source: ReadSource,
  route: ListScope,
  list: ListOptions,
  clock: Clock,
): Promise<{ readonly items: readonly StoredObject[]; readonly meta: ListMeta }> {
  const { items, meta } = await openList(source, route, list, clock);
  const rest = restOf(clock);
  const all: StoredObject[] = [];
  try {
    for (let slice = items.next(); slice !== undefined; slice = items.next()) {
      all.push(...slice);
      await rest(); // I11
    }
  } finally {
    items.close();
  }
  return { items: all, meta };
}

/** Where a list is taken: a namespace, or everywhere when it is empty; or one name. */
type ListScope = Pick<ResourceRoute, 'namespace' | 'name'>;

async function openList(
  source: ReadSource,
  route: ListScope,
  list: ListOptions,
  clock: Clock,
): Promise<{ readonly items: ItemSource; readonly meta: ListMeta }> {
  const selection = toSelection(source.kind, route, list);
  const start = await chooseStart(source, list);
  const snapshot = Snapshot.open(source.view, selection.prefix, start.revision);
  if (snapshot === 'expired') throw start.expired();
  const reader = new ListReader(snapshot, selection, start.after);
  const resourceVersion = String(start.revision);
  const isOne = selection.prefix !== selection.base;
  if (start.limit === 0 || isOne) return { items: reader, meta: { resourceVersion } };
  try {
    const items = await reader.take(start.limit, clock);
    const afterKey = items.at(-1)?.key ?? '';
    const remaining = afterKey === '' ? 0 : snapshot.count(afterKey);
    if (remaining === 0) return { items: fromItems(items), meta: { resourceVersion } };
    const { revision } = start;
    const next = formatContinue({ revision, afterKey: afterKey.slice(selection.base.length) });
    // Kubernetes gives no count with a selector, where it would have to read everything.
    const counted = selection.matches === undefined ? { remainingItemCount: remaining } : {};
    return { items: fromItems(items), meta: { resourceVersion, continue: next, ...counted } };
  } finally {
    reader.close();
  }
}

// A slice is read, matched and encoded in well under a millisecond.
const sliceItems = 100;

/** A snapshot through selectors, slice by slice. */
class ListReader implements ItemSource {
  readonly #snapshot: Snapshot;
  readonly #selection: Selection;
  #after: string;

  constructor(snapshot: Snapshot, selection: Selection, after: string) {
    this.#snapshot = snapshot;
    this.#selection = selection;
    this.#after = after === '' ? '' : `${selection.base}${after}`;
  }

  next(limit = sliceItems): readonly StoredObject[] | undefined {
    const slice = this.#snapshot.take(this.#after, limit);
    const last = slice.at(-1);
    if (last === undefined) return undefined;
    this.#after = last.key;
    const { matches } = this.#selection;
    return matches === undefined ? slice : slice.filter(({ object }) => matches(object));
  }

  /** The first `limit` that match, others having their turns in between (I11). */
  async take(limit: number, clock: Clock): Promise<readonly StoredObject[]> {
    const taken: StoredObject[] = [];
    for (let slices = 1; taken.length < limit; slices += 1) {
      const slice = this.next(Math.min(sliceItems, limit - taken.length));
      if (slice === undefined) break;
      taken.push(...slice);
      if (slices % 10 === 0) await new Promise<void>((resolve) => clock.soon(resolve));
    }
    return taken;
  }

  close(): void {
    this.#snapshot.close();
  }
}

interface ListStart {
  readonly revision: Revision;
  /** The last key before the page, without the prefix. */
  readonly after: string;
  /** 0: everything. */
  readonly limit: number;
  readonly expired: () => ApiError;
}

async function chooseStart({ view, barrier }: ReadSource, list: ListOptions): Promise<ListStart> {
  if (list.continueToken !== undefined) return continueList(view, list, list.continueToken);
  const start = { after: '', limit: list.limit, expired: () => expired(expiredList) };
  if (list.resourceVersion === '') {
    await barrier();
    return { ...start, revision: view.revision() };
  }
  const requested = parseResourceVersion(list.resourceVersion);
  await reachRevision(view, requested);
  const isExact =
    requested !== 0 && (list.match === 'Exact' || (list.match === '' && list.limit > 0));
  if (isExact) return { ...start, revision: toRevision(requested) };
  // As kube-apiserver's watch cache: "anything will do" is answered whole.
  const limit = requested === 0 ? 0 : list.limit;
  return { ...start, limit, revision: view.revision() };
}

const expiredList = 'The resourceVersion for the provided list is too old.';

function continueList(view: ObjectView, list: ListOptions, text: string): ListStart {
  const { revision, afterKey } = parseContinue(text);
  if (list.resourceVersion !== '' && list.resourceVersion !== '0') {
    throw badRequest('specifying resource version is not allowed when using continue');
  }
  return {
    // A token of the future was made by another store; the present is what there is.
    revision: toRevision(Math.min(revision ?? Infinity, view.revision())),
    after: afterKey,
    limit: list.limit,
    expired: () => expired(expiredContinue, formatContinue({ revision: undefined, afterKey })),
  };
}

const expiredContinue =
  'The provided continue parameter is too old to display a consistent list result. You can start ' +
  'a new list without the continue parameter, or use the continue token in this response to ' +
  'retrieve the remainder of the results. Continuing with the provided token results in an ' +
  'inconsistent list - objects that were created, modified, or deleted between the time the ' +
  'first chunk was returned and now may show up in the list.';

/** What a list or a watch chooses. */
export interface Selection {
  /** Of every key of the list. */
  readonly base: string;
  /** Of the keys that can match; longer than `base` when one name is asked for. */
  readonly prefix: string;
  /** Undefined when everything under the prefix matches. */
  readonly matches: ((object: KubeObject) => boolean) | undefined;
}

/** Throws 400 for selectors that do not parse, or that contradict the name in the path. */
export function toSelection(
  kind: KindDefinition,
  { namespace, name }: ListScope,
  list: Pick<ListOptions, 'labelSelector' | 'fieldSelector'>,
): Selection {
  const labels = list.labelSelector === '' ? undefined : parseLabelSelector(list.labelSelector);
  const fields =
    list.fieldSelector === '' ? undefined : parseFieldSelector(list.fieldSelector, kind);
  const named = nameOfFieldSelector(list.fieldSelector);
  if (name !== '' && list.fieldSelector !== '' && named !== name) {
    throw badRequest("fieldSelector metadata.name doesn't match requested name");
  }
  const base = kind.isNamespaced
    ? toListPrefix(kind, namespace)
    : toObjectKey(kind, { namespace: '', name: '' });
  const only = name === '' ? named : name;
  if (labels === undefined && fields === undefined && only === undefined) {
    return { base, prefix: base, matches: undefined };
  }
  const isPinned = only !== undefined && (!kind.isNamespaced || namespace !== '');
  return {
    base,
    // Where the namespace is known a name is nearly a key: few others begin with it.
    prefix: isPinned ? toObjectKey(kind, { namespace, name: only }) : base,
    matches: (object) =>
      (only === undefined || object.metadata.name === only) &&
      (labels === undefined || labels(object.metadata.labels ?? {})) &&
      (fields === undefined || fields(object)),
  };
}
