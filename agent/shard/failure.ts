// A failed write as the coordinator and a person read it: a reason per error code.

import type { ContentHash, ServiceKey } from '../../common/model/ids.ts';
import type { ShardResult } from '../../common/model/shard.ts';
import { MeshError } from '../../common/pure/errors.ts';

const reasonOf: Readonly<Record<string, string>> = {
  KUBE_UNREACHABLE: 'ApiUnreachable',
  KUBE_TIMEOUT: 'ApiUnreachable',
  KUBE_THROTTLED: 'Throttled',
  KUBE_SERVER_ERROR: 'ApiError',
  KUBE_NAMESPACE_MISSING: 'NamespaceMissing',
  KUBE_NAMESPACE_TERMINATING: 'NamespaceTerminating',
  KUBE_QUOTA_EXCEEDED: 'QuotaExceeded',
  KUBE_ADMISSION_REFUSED: 'AdmissionRefused',
  KUBE_FORBIDDEN: 'Forbidden',
  KUBE_UNAUTHORIZED: 'Forbidden',
  KUBE_INVALID: 'Invalid',
};

export function toFailure(
  key: ServiceKey,
  hash: ContentHash | undefined,
  error: unknown,
): ShardResult {
  const code = error instanceof MeshError ? error.code : '';
  const message = error instanceof Error ? error.message : String(error);
  return { key, hash, outcome: 'failed', reason: reasonOf[code] ?? 'Failed', message };
}

/** The API server understood and said no: only a person can change that. */
export function isFatalRefusal(error: unknown): boolean {
  return error instanceof MeshError && error.class === 'fatal';
}

/** Somebody changed or removed the Service between our look and our write. */
export function isLostRace(error: unknown): boolean {
  return (
    error instanceof MeshError && (error.class === 'conflict' || error.code === 'KUBE_NOT_FOUND')
  );
}
