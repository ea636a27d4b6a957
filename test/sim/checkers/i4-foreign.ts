// I4. What is not ours in a member cluster stays as it is: Services of others, and what others
// wrote on a Service that is our shard.

import type { KubeObject } from '../../../common/model/kube-object.ts';
import { toCanonicalJson } from '../../../common/pure/canonical-json.ts';
import type { ViewEvent } from '../../../coordinator/desired/store.ts';
import { foreignName, noteAnnotation } from '../user.ts';
import type { Blame, Checker } from './checker.ts';

export function createForeignChecker(blame: Blame): Checker {
  const notes = new Map<string, number>();

  const checkForeign = (cluster: string, { kind, current, previous }: ViewEvent): void => {
    if (previous === undefined) return;
    const isKept = kind === 'modified' && toContent(current.object) === toContent(previous.object);
    if (!isKept) blame(`the Service ${foreignName} of others was changed in ${cluster}`);
  };

  const checkNote = (cluster: string, { current }: ViewEvent): void => {
    const { uid = '', name, annotations } = current.object.metadata;
    const at = `${cluster} ${uid}`;
    const note = Number(annotations?.[noteAnnotation] ?? -1);
    const before = notes.get(at) ?? -1;
    if (note < before) blame(`what others wrote on ${name} in ${cluster} is gone`);
    notes.set(at, note);
  };

  return {
    invariant: 'I4',
    onMember: (cluster, event) => {
      if (!event.current.key.startsWith('core/services/')) return;
      if (event.current.object.metadata.name === foreignName) checkForeign(cluster, event);
      else if (event.kind !== 'deleted') checkNote(cluster, event);
    },
  };
}

/** All but what controllers of the cluster keep. */
function toContent({ metadata, spec }: KubeObject): string {
  const { labels = {}, annotations = {} } = metadata;
  return toCanonicalJson({ labels, annotations, spec });
}
