// Certificates on live streams: renewed on request, for the same key; a stream whose certificate
// ends without a renewal ends too.
//
//   W1. A renewal is for the key that the stream was opened with, and for a Cluster that is in.
//   W2. The end is in the log before the certificate is given out: whoever asks again later is
//       judged by it (J5 of ./join-plan.ts).

import { toTimestamp, type Timer } from '../../common/runtime/clock.ts';
import { describeError } from '../../common/runtime/log.ts';
import { changeCluster } from './cluster-objects.ts';
import { checkPeer } from './hello.ts';
import type { AgentLink } from './link.ts';
import type { Stage } from './stage.ts';

export async function renew(stage: Stage, link: AgentLink, csrDer: Uint8Array): Promise<void> {
  const { authority, clock, desired, log, metrics } = stage;
  const { cluster, stream } = link;
  const { clusterUid, publicKeyHash } = stream.peer;
  try {
    if ((await authority.hashOfRequest(csrDer)) !== publicKeyHash) {
      const message = 'a renewal keeps its key; join again';
      return stream.end({ reason: 'WrongKey', message, retry: false });
    }
    const refusal = checkPeer(desired, stream.peer);
    if (refusal !== undefined) return stream.end(refusal);
    const endMs = clock.now() + authority.lifetimeMs;
    await changeCluster(desired, cluster, (object) => ({
      ...object.status,
      certificateExpirationTimestamp: toTimestamp(endMs),
    }));
    const chainPem = await authority.sign({ csrDer, cluster, clusterUid });
    if (link.isClosed) return;
    link.sendNow({ kind: 'certificate', chainPem });
    link.certificateEndMs = endMs;
    metrics.count('mesh_session_renewals_total');
    log.info('certificate renewed', { cluster, until: toTimestamp(endMs) });
  } catch (error) {
    log.warn('certificate not renewed: the agent asks again', {
      cluster,
      error: describeError(error),
    });
  }
}

const timerMaxMs = 24 * 3_600_000;

/** Ends the stream when the newest certificate of its agent has ended; returns what stops it. */
export function watchCertificateEnd(stage: Stage, link: AgentLink): () => void {
  const { clock } = stage;
  let timer: Timer | undefined;
  const look = (): void => {
    const endMs = link.certificateEndMs;
    if (endMs === undefined || link.isClosed) return;
    const leftMs = endMs - clock.now();
    if (leftMs > 0) {
      timer = clock.after(Math.min(timerMaxMs, leftMs), look);
      return;
    }
    const message = `the certificate ended at ${toTimestamp(endMs)} and was not renewed`;
    link.stream.end({ reason: 'CertificateEnded', message, retry: false });
  };
  look();
  return () => timer?.cancel();
}
