// Questions that look like objects: a create whose answer is the object with its status filled in,
// and which stores nothing (TokenReview, SubjectAccessReview and their kin).

import type { KubeObject } from '../../../../common/model/kube-object.ts';
import { toTimestamp } from '../../../../common/runtime/clock.ts';
import { trackUpdate } from '../apply/managed-fields.ts';
import { internal } from '../answer/status-error.ts';
import { checkNamespace } from './create.ts';
import { toAccessContext, type WriteCall, type WriteTools, type Written } from './write.ts';

/** Answers 201, as a create does. Refusals are ApiErrors of the kind. */
export async function answerReview(
  tools: WriteTools,
  call: WriteCall,
  asked: KubeObject,
): Promise<Written> {
  const { kind, namespace, options } = call;
  if (kind.answerCreate === undefined) throw internal(`${kind.plural} has no answer`);
  checkNamespace(kind, namespace, asked.metadata.namespace ?? '');
  const inPlace = kind.isNamespaced
    ? { ...asked, metadata: { ...asked.metadata, namespace } }
    : asked;
  // Field owners of something that nobody keeps: Kubernetes answers them, and clients compare.
  const tracked = trackUpdate({
    kind,
    old: undefined,
    next: inPlace,
    manager: options.manager,
    subresource: '',
    time: toTimestamp(tools.clock.now()),
  });
  const object = await kind.answerCreate(tracked, toAccessContext(tools, call));
  return { status: 201, object };
}
