// I8. Whom a person has revoked is not spoken to: what the coordinator sends to an agent goes to a
// key that may speak for its Cluster, but for the moment that the news takes.

import type { Cluster } from '../../../common/model/isthmus-kinds.ts';
import { isAdmitted } from '../../../common/pure/cluster-approval.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import type { PeerIdentity } from '../../../coordinator/session/mesh-port.ts';
import type { Written } from '../sim-store.ts';
import type { Blame, Checker } from './checker.ts';

export interface SpeakersOptions {
  readonly clock: Clock;
  readonly coordinator: { lastTroubleMs(): number };
}

/** From the write to the end of the stream: a second, as it is promised. */
const graceMs = 1_000;

export function createSpeakersChecker(
  { clock, coordinator }: SpeakersOptions,
  blame: Blame,
): Checker {
  const clusters = new Map<string, { readonly cluster: Cluster; readonly sinceMs: number }>();
  return {
    invariant: 'I8',
    onWritten: ({ resource, object, isDelete }: Written) => {
      if (resource !== 'clusters') return;
      const { name } = object.metadata;
      if (isDelete) return void clusters.delete(name);
      const cluster = object as Cluster; // by its resource
      const { publicKeyHash: key = '' } = cluster.status ?? {};
      const known = clusters.get(name);
      const isSame =
        known !== undefined &&
        isAdmitted(known.cluster.status, key) === isAdmitted(cluster.status, key) &&
        known.cluster.status?.publicKeyHash === key;
      clusters.set(name, { cluster, sinceMs: isSame ? known.sinceMs : clock.monotonicMs() });
    },
    onSpokenTo: ({ cluster: name, publicKeyHash }: PeerIdentity, kind: string) => {
      const known = clusters.get(name);
      if (known !== undefined && isAdmitted(known.cluster.status, publicKeyHash)) return;
      const sinceMs = Math.max(known?.sinceMs ?? 0, coordinator.lastTroubleMs());
      const lateMs = clock.monotonicMs() - sinceMs;
      if (known !== undefined && lateMs > graceMs) {
        blame(`${name} was sent a ${kind} ${lateMs} ms after it was revoked`);
      }
    },
  };
}
