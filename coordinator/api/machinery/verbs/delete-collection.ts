// DELETE of a collection: what the selectors choose, as it stood when it was asked for.
//
//   C1. Each object is deleted by itself, under the options of the request; the first refusal ends
//       it, and what went before stays deleted, as in Kubernetes.
//   C2. The answer is the list, in the state before.

import type { StoredObject } from '../../../desired/store.ts';
import { ApiError } from '../answer/status-error.ts';
import type { ListMeta } from '../answer/table.ts';
import type { DeleteOptions } from '../request/delete-options.ts';
import type { ListOptions } from '../request/options.ts';
import { deleteObject } from './delete.ts';
import { readPage, type ReadSource } from './read.ts';
import type { WriteCall, WriteTools } from './write.ts';

// Enough for the store to flush them together, few enough that others get their turn (I11).
const atOnceMax = 16;

export async function deleteCollection(
  tools: WriteTools,
  call: WriteCall,
  of: {
    readonly source: ReadSource;
    readonly list: ListOptions;
    readonly options: DeleteOptions;
  },
): Promise<{ readonly items: readonly StoredObject[]; readonly meta: ListMeta }> {
  const page = await readPage(
    of.source,
    { namespace: call.namespace, name: '' },
    of.list,
    tools.clock,
  );
  for (let from = 0; from < page.items.length; from += atOnceMax) {
    const batch = page.items.slice(from, from + atOnceMax);
    await Promise.all(batch.map((item) => deleteOne(tools, call, of.options, item)));
  }
  return page;
}

async function deleteOne(
  tools: WriteTools,
  call: WriteCall,
  options: DeleteOptions,
  { object }: StoredObject,
): Promise<void> {
  const { name, namespace = '' } = object.metadata;
  try {
    await tools.rest();
    await deleteObject(tools, { ...call, name, namespace }, options);
  } catch (error) {
    // Somebody else was faster: it is gone, which is what was asked for.
    if (!(error instanceof ApiError) || error.code !== 404) throw error;
  }
}
