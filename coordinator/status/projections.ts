// Port of the views in which projected objects are shown. Given by main.ts.

import type { KubeObject } from '../../common/model/kube-object.ts';

export interface ProjectionPort {
  /** Adds or replaces; an equal object makes no event. */
  put(object: KubeObject): void;
  /** Nothing happens when it is not there. */
  remove(at: { readonly namespace?: string | undefined; readonly name: string }): void;
}

export interface StatusProjections {
  readonly serviceShards: ProjectionPort;
  readonly dnsRecordSets: ProjectionPort;
  readonly endpoints: ProjectionPort;
  readonly endpointSlices: ProjectionPort;
}
