// A failed write as the coordinator and a person read it: a reason for each error code, with the
// way out where the API server's own words do not tell it; and how long to wait before the next
// try. Pure.

import { splitServiceKey, type ContentHash, type ServiceKey } from '../../common/model/ids.ts';
import type { ShardResult } from '../../common/model/shard.ts';
import { MeshError } from '../../common/pure/errors.ts';

interface Kind {
  readonly reason: string;
  readonly hint?: (key: ServiceKey) => string;
  /** Longest wait between two tries. */
  readonly waitMaxMs: number;
}

// What ends by itself is tried often; what a person must change, so that thousands of refused
// Services are no load on the cluster. A new wish, an edit of the Service or the API server's
// return is tried at once.
const soonMs = 30_000;
const byPersonMs = 120_000;
const byWishMs = 300_000;
const waitFirstMs = 500;

const kinds: Readonly<Record<string, Kind>> = {
  KUBE_UNREACHABLE: { reason: 'ApiUnreachable', waitMaxMs: soonMs },
  KUBE_TIMEOUT: { reason: 'ApiTimeout', waitMaxMs: soonMs },
  KUBE_THROTTLED: { reason: 'Throttled', waitMaxMs: soonMs },
  KUBE_SERVER_ERROR: { reason: 'ApiError', waitMaxMs: soonMs },
  KUBE_NAMESPACE_MISSING: { reason: 'NamespaceMissing', waitMaxMs: soonMs },
  KUBE_NAMESPACE_TERMINATING: { reason: 'NamespaceTerminating', waitMaxMs: soonMs },
  KUBE_QUOTA_EXCEEDED: { reason: 'QuotaExceeded', waitMaxMs: byPersonMs },
  KUBE_ADMISSION_REFUSED: { reason: 'AdmissionRefused', waitMaxMs: byPersonMs },
  KUBE_WEBHOOK_FAILED: { reason: 'WebhookUnavailable', waitMaxMs: byPersonMs },
  KUBE_PORT_TAKEN: {
    reason: 'NodePortTaken',
    hint: () => 'give this cluster another node port by an override of a ServicePolicy, or none',
    waitMaxMs: byPersonMs,
  },
  KUBE_FORBIDDEN: {
    reason: 'Forbidden',
    hint: () => 'the agent’s role in the cluster lacks this right',
    waitMaxMs: byPersonMs,
  },
  KUBE_UNAUTHORIZED: { reason: 'Forbidden', waitMaxMs: byPersonMs },
  KUBE_UNSUPPORTED: {
    reason: 'UnsupportedField',
    hint: () =>
      'the version of this cluster does not know it: take it out for this cluster by an override ' +
      'of a ServicePolicy, or upgrade the cluster',
    waitMaxMs: byWishMs,
  },
  KUBE_IMMUTABLE: {
    reason: 'ImmutableField',
    hint: (key) => {
      const { namespace, name } = splitServiceKey(key);
      return (
        'the Service there cannot become what is wanted; once it is deleted in the cluster ' +
        `(kubectl delete service -n ${namespace} ${name}) the agent makes it anew`
      );
    },
    waitMaxMs: byWishMs,
  },
  KUBE_INVALID: { reason: 'Invalid', waitMaxMs: byWishMs },
};

const unknownKind: Kind = { reason: 'Failed', waitMaxMs: soonMs };

export function toFailure(
  key: ServiceKey,
  hash: ContentHash | undefined,
  error: unknown,
): ShardResult {
  const { reason, hint } = kindOf(error);
  const text = error instanceof Error ? error.message : String(error);
  const message = hint === undefined ? text : `${text} (${hint(key)})`;
  return { key, hash, outcome: 'failed', reason, message };
}

/** The namespace is not there, and the agent may not make it. */
export function toNamespaceForbidden(key: ServiceKey, hash: ContentHash | undefined): ShardResult {
  const { namespace } = splitServiceKey(key);
  const message =
    `namespace ${namespace} does not exist in the cluster and the agent’s role does not let it ` +
    `make one: kubectl create namespace ${namespace}`;
  return { key, hash, outcome: 'failed', reason: 'NamespaceMissing', message };
}

/** Doubles with each failure in a row, up to what suits the kind; `fraction` spreads, 0 to 1. */
export function retryDelayMs(
  error: unknown,
  { failures, fraction }: { readonly failures: number; readonly fraction: number },
): number {
  const ceiling = Math.min(
    kindOf(error).waitMaxMs,
    waitFirstMs * 2 ** Math.min(Math.max(failures - 1, 0), 20),
  );
  return Math.round(ceiling * (0.5 + fraction / 2));
}

/** Somebody changed or removed the Service between our look and our write. */
export function isLostRace(error: unknown): boolean {
  return (
    error instanceof MeshError && (error.class === 'conflict' || error.code === 'KUBE_NOT_FOUND')
  );
}

/** The call ran into its deadline: something hangs that others must not wait for. */
export function isHanging(error: unknown): boolean {
  return error instanceof MeshError && error.code === 'KUBE_TIMEOUT';
}

function kindOf(error: unknown): Kind {
  return (error instanceof MeshError ? kinds[error.code] : undefined) ?? unknownKind;
}
