// The kinds of a demo member cluster's API.
import type { KubeObject } from '../../../common/model/kube-object.ts';
import type { KindDefinition } from '../machinery/kind.ts';

export interface MemberOptions {
  /** Gives a Service its cluster IP and node ports; `old` is undefined for a create. */
  readonly allocate?: (service: KubeObject, old: KubeObject | undefined) => KubeObject;
}

export function memberKinds(_options: MemberOptions = {}): readonly KindDefinition[] {
  return [];
}
