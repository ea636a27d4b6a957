// The ServicePolicies of the log by the Service that they name, kept up by their events: a Service
// that is looked at reads its own policies, not all of its namespace.

import { isthmusGroup, type ServicePolicy } from '../../common/model/isthmus-kinds.ts';
import { toLogPrefix, toServiceKey, type LogKey, type ServiceKey } from '../../common/model/ids.ts';
import type { KubeObject } from '../../common/model/kube-object.ts';
import type { Desired, ViewEvent } from '../desired/store.ts';

export const policiesPrefix = toLogPrefix(isthmusGroup, 'servicepolicies');

const none: readonly ServicePolicy[] = [];

export class PolicyIndex {
  readonly #byService = new Map<ServiceKey, Map<LogKey, ServicePolicy>>();

  /** Reads what is there; from then on fold() has to hear of each change. */
  load(desired: Desired): void {
    this.#byService.clear();
    for (const current of desired.list(policiesPrefix))
      this.fold({ kind: 'added', current, previous: undefined });
  }

  fold({ kind, current, previous }: ViewEvent): void {
    const before = policyTarget(previous?.object ?? current.object);
    const after = kind === 'deleted' ? undefined : policyTarget(current.object);
    if (before !== undefined && before !== after) this.#remove(before, current.key);
    if (after === undefined) return;
    const known = this.#byService.get(after) ?? new Map<LogKey, ServicePolicy>();
    this.#byService.set(after, known.set(current.key, current.object as ServicePolicy)); // by its key
  }

  of(key: ServiceKey): readonly ServicePolicy[] {
    const known = this.#byService.get(key);
    return known === undefined ? none : [...known.values()];
  }

  #remove(target: ServiceKey, key: LogKey): void {
    const known = this.#byService.get(target);
    if (known?.delete(key) === true && known.size === 0) this.#byService.delete(target);
  }
}

export function policyTarget(policy: KubeObject | undefined): ServiceKey | undefined {
  const name = (policy as ServicePolicy | undefined)?.spec?.serviceName; // by its log key
  const namespace = policy?.metadata.namespace;
  return name === undefined || namespace === undefined
    ? undefined
    : toServiceKey({ namespace, name });
}
