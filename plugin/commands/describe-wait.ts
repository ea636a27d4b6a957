// What a cluster that is not Ready yet waits for, in one sentence. Pure.

import type { KubeObject } from '../../common/model/kube-object.ts';
import { conditionOf } from '../output.ts';

export interface Waiting {
  readonly name: string;
  /** undefined while there is no such Cluster. */
  readonly object: KubeObject | undefined;
  /** Name of the JoinToken that its agent joins with; undefined when the coordinator runs it. */
  readonly token: string | undefined;
  /** Why the token's last use was refused; empty when none was. */
  readonly refusal: string;
}

export function describeWait({ name, object, token, refusal }: Waiting): string {
  const hosted = conditionOf(object, 'HostedAgent');
  const approved = conditionOf(object, 'Approved');
  const ready = conditionOf(object, 'Ready');
  if (hosted?.status === 'False') return `${name}: ${hosted.message}`;
  if (approved?.status === 'False') return `${name}: ${approved.message}`;
  if (refusal !== '') return `${name}: the join was refused: ${refusal}`;
  if (object === undefined) {
    return `${name}: waiting for its agent to join with token ${token ?? ''}: run the line above`;
  }
  if (ready !== undefined) return `${name}: ${ready.message}`;
  return `${name}: waiting for its agent`;
}
