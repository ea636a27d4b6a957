// Foreign failures of a Kubernetes API server become MeshErrors here, once, at the edge: network
// errors and Status objects in, the codes at the end of kube-client.ts out.

import { MeshError } from '../pure/errors.ts';

/** metav1.Status, as far as it decides anything. */
export interface KubeStatus {
  readonly code: number;
  readonly reason: string;
  readonly message: string;
  readonly detailsKind: string;
  readonly causes: readonly string[];
}

// Longer texts come from admission webhooks and proxies; the head says enough.
const messageCharactersMax = 512;

/** `what` names the call: verb and object. `body` may be anything, such as a proxy's HTML. */
export function toStatusError(what: string, httpStatus: number, body: string): MeshError {
  const status = parseStatus(httpStatus, body);
  const message = `${what}: ${status.message.slice(0, messageCharactersMax)}`;
  switch (status.code) {
    case 401:
      return new MeshError('fatal', 'KUBE_UNAUTHORIZED', message);
    case 403:
      return toForbidden(status, message);
    case 404:
      return status.detailsKind === 'namespaces'
        ? new MeshError('retryable', 'KUBE_NAMESPACE_MISSING', message)
        : new MeshError('fatal', 'KUBE_NOT_FOUND', message);
    case 409:
      return new MeshError(
        'conflict',
        status.reason === 'AlreadyExists' ? 'KUBE_EXISTS' : 'KUBE_CONFLICT',
        message,
      );
    case 410:
      return new MeshError('retryable', 'KUBE_EXPIRED', message);
    case 408:
    case 504:
      return new MeshError('retryable', 'KUBE_TIMEOUT', message);
    case 429:
      return new MeshError('retryable', 'KUBE_THROTTLED', message);
    default:
      return toOther(status, message);
  }
}

// Quota and dying namespaces are both plain 403s; Kubernetes tells them apart only by a cause
// (NamespaceTerminating) and by the quota plugin's fixed words.
function toForbidden(status: KubeStatus, message: string): MeshError {
  if (status.causes.includes('NamespaceTerminating')) {
    return new MeshError('retryable', 'KUBE_NAMESPACE_TERMINATING', message);
  }
  if (status.message.includes('exceeded quota')) {
    return new MeshError('retryable', 'KUBE_QUOTA_EXCEEDED', message);
  }
  if (isAdmissionRefusal(status))
    return new MeshError('retryable', 'KUBE_ADMISSION_REFUSED', message);
  return new MeshError('fatal', 'KUBE_FORBIDDEN', message);
}

function toOther(status: KubeStatus, message: string): MeshError {
  if (isAdmissionRefusal(status))
    return new MeshError('retryable', 'KUBE_ADMISSION_REFUSED', message);
  if (status.message.includes('failed calling webhook'))
    return new MeshError('retryable', 'KUBE_WEBHOOK_FAILED', message);
  // Server-side apply answers an unknown field with a plain 500; an unknown value is a 422.
  const isUnknown =
    status.message.includes('field not declared in schema') ||
    status.causes.includes('FieldValueNotSupported');
  if (isUnknown) return new MeshError('fatal', 'KUBE_UNSUPPORTED', message);
  if (/may not change once set|field is immutable/.test(status.message))
    return new MeshError('fatal', 'KUBE_IMMUTABLE', message);
  if (status.message.includes('provided port is already allocated'))
    return new MeshError('retryable', 'KUBE_PORT_TAKEN', message);
  return status.code >= 500
    ? new MeshError('retryable', 'KUBE_SERVER_ERROR', message)
    : new MeshError('fatal', 'KUBE_INVALID', message);
}

// A webhook, or since Kubernetes 1.30 a policy, which answers 422 as invalid fields do. Either may
// be changed by the cluster's owner at any time.
function isAdmissionRefusal({ message }: KubeStatus): boolean {
  return /(admission webhook ".*" denied the|ValidatingAdmissionPolicy '.*' denied) request/.test(
    message,
  );
}

function parseStatus(httpStatus: number, body: string): KubeStatus {
  const fallback = {
    code: httpStatus,
    reason: '',
    message: `HTTP ${httpStatus}`,
    detailsKind: '',
    causes: [],
  };
  try {
    const parsed = JSON.parse(body) as {
      kind?: unknown;
      code?: unknown;
      reason?: unknown;
      message?: unknown;
      details?: { kind?: unknown; causes?: readonly { reason?: unknown }[] } | null;
    } | null; // a Status by contract; each field is narrowed below
    if (parsed?.kind !== 'Status') return fallback;
    return {
      code: typeof parsed.code === 'number' ? parsed.code : httpStatus,
      reason: String(parsed.reason ?? ''),
      message: String(parsed.message ?? fallback.message),
      detailsKind: String(parsed.details?.kind ?? ''),
      causes: (parsed.details?.causes ?? []).map((cause) => String(cause.reason ?? '')),
    };
  } catch {
    return fallback;
  }
}

/** A failure below HTTP: refused, reset, name not found, certificate not trusted. */
export function toNetworkError(what: string, cause: unknown): MeshError {
  return new MeshError(
    'retryable',
    'KUBE_UNREACHABLE',
    `${what}: the API server cannot be reached`,
    cause,
  );
}

export function toDeadlineError(what: string, deadlineMs: number): MeshError {
  return new MeshError('retryable', 'KUBE_TIMEOUT', `${what}: no answer within ${deadlineMs} ms`);
}
