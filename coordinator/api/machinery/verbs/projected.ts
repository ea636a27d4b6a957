// Writes to projected kinds. They are views, so there is one: a DELETE, where somebody gave it a
// meaning (ApiOptions.deletions).

import type { ObjectView } from '../../../desired/store.ts';
import type { ApiOptions } from '../api.ts';
import { methodNotAllowed, notFound } from '../answer/status-error.ts';
import type { KindDefinition } from '../kind.ts';
import type { DeleteOptions } from '../request/delete-options.ts';
import { checkPreconditions } from './delete.ts';
import { toObjectKey, toResourceName } from './read.ts';
import type { WriteCall, Written } from './write.ts';

const readVerbs: ReadonlySet<string> = new Set(['get', 'list', 'watch']);

export function isProjectedVerb(
  { group, plural }: KindDefinition,
  verb: string,
  { deletions }: Pick<ApiOptions, 'deletions'>,
): boolean {
  if (readVerbs.has(verb)) return true;
  return verb === 'delete' && deletions?.has(`${group}/${plural}`) === true;
}

/** The object as it was: it goes when its cause has gone. */
export async function deleteProjected(of: {
  readonly call: WriteCall;
  readonly options: DeleteOptions;
  readonly view: ObjectView;
  readonly deletions: ApiOptions['deletions'];
}): Promise<Written> {
  const { call, options, view, deletions } = of;
  const { kind } = call;
  const remove = deletions?.get(`${kind.group}/${kind.plural}`);
  if (remove === undefined) throw methodNotAllowed();
  const object = view.get(toObjectKey(kind, call))?.object;
  if (object === undefined) throw notFound(toResourceName(kind, call.name));
  checkPreconditions(call, options, object);
  const isOrphaning = options.propagation === 'Orphan';
  await remove({ object, isOrphaning, isDryRun: options.isDryRun });
  return { status: 200, object };
}
