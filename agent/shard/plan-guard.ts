// The local guard (I13): what this cluster lets a coordinator do, by the settings of its own
// people. Pure. A step that the guard refuses is not taken, whoever orders it.
//
//   G1. Kubernetes' own (kube-*, default/kubernetes) is never touched, whatever is allowed.
//   G2. Removals beyond the budget wait for the next minute, or for a confirmation that only the
//       cluster's own people can write: an annotation that no manifest can bring along.

import { splitServiceKey, type ContentHash, type ServiceKey } from '../../common/model/ids.ts';
import type { Service } from '../../common/model/kube-object.ts';
import type { ShardResult } from '../../common/model/shard.ts';
import { confirmRemovalMark } from '../../common/pure/shard-marks.ts';

/** Local to the cluster: its admin's settings, not the coordinator's. */
export interface LocalGuard {
  /** Names; `*` stands for any characters. Empty: every namespace that is not Kubernetes' own. */
  readonly allowedNamespaces: readonly string[];
  /** 0: each removal needs a confirmation. */
  readonly removalsPerMinute: number;
}

/** I13. Undefined when the guard lets this Service through. */
export function refusalOf(
  key: ServiceKey,
  hash: ContentHash | undefined,
  guard: LocalGuard,
): ShardResult | undefined {
  const message = findObjection(key, guard);
  return message === undefined
    ? undefined
    : { key, hash, outcome: 'refused', reason: 'LocalGuard', message };
}

function findObjection(key: ServiceKey, { allowedNamespaces }: LocalGuard): string | undefined {
  const { namespace } = splitServiceKey(key);
  if (namespace.startsWith('kube-')) return `namespace ${namespace} belongs to Kubernetes itself`;
  if (key === 'default/kubernetes') return 'default/kubernetes is the API server of the cluster';
  const isAllowed =
    allowedNamespaces.length === 0 ||
    allowedNamespaces.some((pattern) => matchesPattern(namespace, pattern));
  return isAllowed
    ? undefined
    : `namespace ${namespace} is not among those that the agent of this cluster allows ` +
        `(--allowed-namespaces ${allowedNamespaces.join(',')})`;
}

/** True when `text` is `pattern`, in which each `*` stands for any characters, also none. */
export function matchesPattern(text: string, pattern: string): boolean {
  const [head = '', ...rest] = pattern.split('*');
  const tail = rest.pop();
  if (tail === undefined) return text === head;
  if (!text.startsWith(head) || text.length < head.length + tail.length) return false;
  if (!text.endsWith(tail)) return false;
  let at = head.length;
  const end = text.length - tail.length;
  for (const part of rest) {
    const found = text.indexOf(part, at);
    if (found < 0 || found + part.length > end) return false;
    at = found + part.length;
  }
  return true;
}

/** G2: somebody of the cluster said that this very Service may go. */
export function isConfirmed(observed: Service): boolean {
  return observed.metadata.annotations?.[confirmRemovalMark] === 'true';
}

export function tooManyRemovals(key: ServiceKey, { removalsPerMinute }: LocalGuard): ShardResult {
  const { namespace, name } = splitServiceKey(key);
  const pace =
    removalsPerMinute === 0
      ? 'the agent of this cluster wants a confirmation for each removal'
      : `the agent of this cluster removes ${removalsPerMinute} Services a minute without ` +
        'confirmation and goes on by itself';
  const command = `kubectl annotate service -n ${namespace} ${name} ${confirmRemovalMark}=true`;
  return {
    key,
    hash: undefined,
    outcome: 'failed',
    reason: 'RemovalNotConfirmed',
    message: `${pace}; to let this one go now, in the cluster: ${command}`,
  };
}
