// Get, list and watch: everything is answered from a view in memory.
//
//   R1. A read without resourceVersion is consistent: it waits for the store's own revision first.
//   R2. All pages of a list show the revision of page one, or the client is told (410).

import { toLogKey, toLogPrefix, toRevision, type Revision } from '../../../../common/model/ids.ts';
import type { KubeObject } from '../../../../common/model/kube-object.ts';
import type { ObjectView, StoredObject } from '../../../desired/store.ts';
import type { ApiResponse } from '../api.ts';
import { answerList, answerObject, type AnswerOptions } from '../answer/answers.ts';
import type { ListMeta } from '../answer/table.ts';
import { formatContinue, parseContinue } from '../request/continue-token.ts';
import type { KindDefinition } from '../kind.ts';
import { parseResourceVersion, type ListOptions } from '../request/options.ts';
import type { ResourceRoute } from '../request/routes.ts';
import { parseFieldSelector, parseLabelSelector } from '../request/selectors.ts';
import { snapshotAt } from './snapshot.ts';
import { badRequest, expired, notFound, tooLargeResourceVersion } from '../answer/status-error.ts';

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
  else await reachRevision(source.view, parseResourceVersion(requested));
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

export async function reachRevision(view: ObjectView, revision: number): Promise<void> {
  if (revision <= view.revision()) return;
  if (await view.reach(toRevision(revision), reachMs)) return;
  throw tooLargeResourceVersion(revision, view.revision());
}

export async function listObjects(
  source: ReadSource,
  route: ResourceRoute,
  list: ListOptions,
  options: AnswerOptions,
): Promise<ApiResponse> {
  const { items, meta } = await readPage(source, route.namespace, list);
  return answerList(items, meta, options);
}

/** One page of a list, or all of it, with the metadata that the list carries. */
export async function readPage(
  source: ReadSource,
  namespace: string,
  list: ListOptions,
): Promise<{ readonly items: readonly StoredObject[]; readonly meta: ListMeta }> {
  const matches = toMatcher(source.kind, list);
  const prefix = toListPrefix(source.kind, namespace);
  const page = await choosePage(source, list, prefix);
  const all =
    matches === undefined ? page.items : page.items.filter(({ object }) => matches(object));
  const items = list.limit === 0 ? all : all.slice(0, list.limit);
  const last = items.at(-1);
  const remaining = all.length - items.length;
  if (remaining === 0 || last === undefined) {
    return { items, meta: { resourceVersion: String(page.revision) } };
  }
  const token = formatContinue({ revision: page.revision, afterKey: last.key });
  // Kubernetes gives no count with a selector, where it would have to read everything.
  const counted = matches === undefined ? { remainingItemCount: remaining } : {};
  const meta = { resourceVersion: String(page.revision), continue: token, ...counted };
  return { items, meta };
}

interface Page {
  readonly revision: Revision;
  readonly items: readonly StoredObject[];
}

async function choosePage(source: ReadSource, list: ListOptions, prefix: string): Promise<Page> {
  const { view } = source;
  if (list.continueToken !== undefined) return continuePage(view, list, list.continueToken, prefix);
  if (list.resourceVersion === '') {
    await source.barrier();
    return presentPage(view, prefix);
  }
  const requested = parseResourceVersion(list.resourceVersion);
  await reachRevision(view, requested);
  const isExact =
    requested !== 0 && (list.match === 'Exact' || (list.match === undefined && list.limit > 0));
  if (!isExact) return presentPage(view, prefix);
  const revision = toRevision(requested);
  const items = snapshotAt(view, prefix, revision);
  if (items === 'expired') throw expired('The resourceVersion for the provided list is too old.');
  return { revision, items };
}

function presentPage(view: ObjectView, prefix: string): Page {
  return { revision: view.revision(), items: [...view.list(prefix)] };
}

function continuePage(view: ObjectView, list: ListOptions, text: string, prefix: string): Page {
  if (list.resourceVersion !== '' && list.resourceVersion !== '0') {
    throw badRequest('specifying resource version is not allowed when using continue');
  }
  const token = parseContinue(text);
  const revision = token.revision === 0 ? view.revision() : toRevision(token.revision);
  const items = snapshotAt(view, prefix, revision);
  if (items === 'expired') {
    throw expired(expiredContinue, formatContinue({ revision: 0, afterKey: token.afterKey }));
  }
  return { revision, items: items.filter(({ key }) => key > token.afterKey) };
}

const expiredContinue =
  'The provided continue parameter is too old to display a consistent list result. You can start ' +
  'a new list without the continue parameter, or use the continue token in this response to ' +
  'retrieve the remainder of the results. Continuing with the provided token results in an ' +
  'inconsistent list - objects that were created, modified, or deleted between the time the ' +
  'first chunk was returned and now may show up in the list.';

/** Undefined when everything matches. Throws 400 for selectors that do not parse. */
export function toMatcher(
  kind: KindDefinition,
  list: ListOptions,
): ((object: KubeObject) => boolean) | undefined {
  const labels = list.labelSelector === '' ? undefined : parseLabelSelector(list.labelSelector);
  const fields =
    list.fieldSelector === '' ? undefined : parseFieldSelector(list.fieldSelector, kind);
  if (labels === undefined && fields === undefined) return undefined;
  return (object) =>
    (labels === undefined || labels(object.metadata.labels ?? {})) &&
    (fields === undefined || fields(object));
}
