// Plays the placement stage of a federation without clusters: a Service that is being deleted has
// no shard anywhere, so it may go at once.

import { toLogPrefix, type LogKey } from '../../common/model/ids.ts';
import { withoutOurFinalizers } from '../../coordinator/placement/finalize.ts';
import { follow, type Desired } from '../../coordinator/desired/store.ts';

/** Goes on until the returned function is called. */
export function finalizeServices(desired: Desired): () => void {
  const watch = follow(desired, toLogPrefix('', 'services'), ({ kind, current }) => {
    // An event is a note that there is something to do; it is done outside of the view's turn.
    if (kind !== 'deleted') setImmediate(() => void finalize(desired, current.key));
  });
  return () => watch.cancel();
}

async function finalize(desired: Desired, key: LogKey): Promise<void> {
  const stored = desired.get(key);
  const metadata = stored?.object.metadata;
  if (stored === undefined || metadata?.deletionTimestamp === undefined) return;
  const left = withoutOurFinalizers(metadata.finalizers);
  if (left.length === metadata.finalizers?.length) return;
  const object = { ...stored.object, metadata: { ...metadata, finalizers: left } };
  // A conflict is a newer event, which comes here too.
  const wanted = left.length === 0 ? undefined : object;
  await desired.write({ key, object: wanted, expected: stored.revision });
}
