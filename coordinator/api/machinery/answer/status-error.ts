// Every refusal of the API as a metav1.Status, with the texts of Kubernetes' own server: clients
// match on reason, code and details, people and many tests read the message.
//
// Input: what was asked and what stands in its way. Output: an ApiError to throw. Pure.
//
//   E1. A Status never carries an empty member except `details: {}` where Kubernetes sends it.

import type { FieldError } from '../kind.ts';

export interface StatusCause {
  readonly reason?: string;
  readonly message: string;
  readonly field?: string;
}

export interface StatusDetails {
  readonly name?: string;
  readonly group?: string;
  readonly kind?: string;
  readonly uid?: string;
  readonly causes?: readonly StatusCause[];
  readonly retryAfterSeconds?: number;
}

export interface StatusBody {
  readonly kind: 'Status';
  readonly apiVersion: 'v1';
  readonly metadata: { readonly continue?: string };
  readonly status: 'Failure';
  readonly message: string;
  readonly reason?: string;
  readonly details?: StatusDetails;
  readonly code: number;
}

/** A refusal on its way to the client. */
export class ApiError extends Error {
  readonly status: StatusBody;
  /** What there was to warn of before the refusal. */
  readonly warnings: readonly string[];

  constructor(status: StatusBody, warnings: readonly string[] = []) {
    super(status.message);
    this.name = 'ApiError';
    this.status = status;
    this.warnings = warnings;
  }

  withWarnings(warnings: readonly string[]): ApiError {
    return new ApiError(this.status, [...this.warnings, ...warnings]);
  }

  get code(): number {
    return this.status.code;
  }

  get retryAfterSeconds(): number | undefined {
    return this.status.details?.retryAfterSeconds;
  }

  /** Headers that go with the Status. */
  get headers(): Readonly<Record<string, string>> {
    const seconds = this.retryAfterSeconds;
    return seconds === undefined ? {} : { 'retry-after': String(seconds) };
  }
}

interface Refusal {
  readonly code: number;
  readonly reason?: string;
  readonly message: string;
  readonly details?: StatusDetails;
  readonly continueToken?: string | undefined;
}

/** Any other Status, for texts that have no constructor here. */
export function toApiError(refusal: Refusal): ApiError {
  const { code, reason, message, details, continueToken } = refusal;
  return new ApiError({
    kind: 'Status',
    apiVersion: 'v1',
    metadata: continueToken === undefined ? {} : { continue: continueToken },
    status: 'Failure',
    message,
    ...(reason === undefined ? {} : { reason }),
    ...(details === undefined ? {} : { details }),
    code,
  });
}

/** Names a resource as Kubernetes prints it: `services`, `leases.coordination.k8s.io`. */
export function toQualified(name: string, group: string): string {
  return group === '' ? name : `${name}.${group}`;
}

interface Named {
  readonly group: string;
  readonly resource: string;
  readonly name: string;
}

function namedDetails(at: Named): StatusDetails {
  return {
    ...(at.name === '' ? {} : { name: at.name }),
    ...(at.group === '' ? {} : { group: at.group }),
    kind: at.resource,
  };
}

export function badRequest(message: string): ApiError {
  return toApiError({ code: 400, reason: 'BadRequest', message });
}

export function unauthorized(): ApiError {
  return toApiError({ code: 401, reason: 'Unauthorized', message: 'Unauthorized' });
}

export interface ForbiddenRequest {
  readonly group: string;
  readonly resource: string;
  readonly subresource?: string;
  readonly name?: string;
  readonly namespace?: string;
  /** Name of the user. */
  readonly user: string;
  readonly verb: string;
  /** The authorizer's own words. */
  readonly reason?: string;
}

/** 403 of the authorizer for a resource; for other refusals see forbiddenBecause. */
export function forbidden(request: ForbiddenRequest): ApiError {
  const { group, resource, name = '', namespace = '', user, verb } = request;
  const subresource = request.subresource ?? '';
  const asked = subresource === '' ? resource : `${resource}/${subresource}`;
  const scope = namespace === '' ? 'at the cluster scope' : `in the namespace "${namespace}"`;
  const why = request.reason === undefined || request.reason === '' ? '' : `: ${request.reason}`;
  return forbiddenBecause({
    group,
    resource,
    name,
    why: `${withoutMarkup(`User ${JSON.stringify(user)} cannot ${verb} resource "${asked}" in API group "${group}" ${scope}`)}${why}`,
  });
}

/** What a browser would take for HTML, as kube-apiserver writes it. */
export function withoutMarkup(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

/** 403 with its own sentence, such as a namespace that may not be deleted. */
export function forbiddenBecause(
  at: Named & { readonly why: string; readonly causes?: readonly StatusCause[] },
): ApiError {
  const { group, resource, name, why, causes } = at;
  const subject = `${toQualified(resource, group)}${name === '' ? '' : ` "${name}"`}`;
  return toApiError({
    code: 403,
    reason: 'Forbidden',
    message: `${subject} is forbidden: ${why}`,
    details: { ...namedDetails(at), ...(causes === undefined ? {} : { causes }) },
  });
}

/** 403 of the authorizer for a path that is no resource. */
export function forbiddenPath(at: {
  readonly user: string;
  readonly verb: string;
  readonly path: string;
  /** The authorizer's own words. */
  readonly reason?: string;
}): ApiError {
  const why = at.reason === undefined || at.reason === '' ? '' : `: ${at.reason}`;
  const said = `User ${JSON.stringify(at.user)} cannot ${at.verb} path ${JSON.stringify(at.path)}`;
  const message = `forbidden: ${withoutMarkup(said)}${why}`;
  return toApiError({ code: 403, reason: 'Forbidden', message, details: {} });
}

/** 403 for new content in a namespace on its way out. */
export function namespaceTerminating(at: Named & { readonly namespace: string }): ApiError {
  const message = `namespace ${at.namespace} is being terminated`;
  return forbiddenBecause({
    ...at,
    why:
      `unable to create new content in namespace ${at.namespace} ` +
      'because it is being terminated',
    causes: [{ reason: 'NamespaceTerminating', message, field: 'metadata.namespace' }],
  });
}

export function notFound(at: Named): ApiError {
  return toApiError({
    code: 404,
    reason: 'NotFound',
    message: `${toQualified(at.resource, at.group)} "${at.name}" not found`,
    details: namedDetails(at),
  });
}

export function unknownResource(): ApiError {
  return toApiError({
    code: 404,
    reason: 'NotFound',
    message: 'the server could not find the requested resource',
    details: {},
  });
}

export function methodNotAllowed(): ApiError {
  return toApiError({
    code: 405,
    reason: 'MethodNotAllowed',
    message: 'the server does not allow this method on the requested resource',
    details: {},
  });
}

export function notAcceptable(message: string): ApiError {
  return toApiError({ code: 406, reason: 'NotAcceptable', message });
}

export function unsupportedMediaType(message: string): ApiError {
  return toApiError({ code: 415, reason: 'UnsupportedMediaType', message });
}

export function alreadyExists(at: Named & { readonly isGenerated?: boolean }): ApiError {
  const tried = ', the server was not able to generate a unique name for the object';
  return toApiError({
    code: 409,
    reason: 'AlreadyExists',
    message:
      `${toQualified(at.resource, at.group)} "${at.name}" already exists` +
      (at.isGenerated === true ? tried : ''),
    details: {
      ...namedDetails(at),
      ...(at.isGenerated === true ? { retryAfterSeconds: 1 } : {}),
    },
  });
}

const modified =
  'the object has been modified; please apply your changes to the latest version and try again';

/** 409 for a stale resourceVersion; `message` says what else stood in the way. */
export function conflict(at: Named & { readonly message?: string }): ApiError {
  const subject = `${toQualified(at.resource, at.group)} "${at.name}"`;
  return toApiError({
    code: 409,
    reason: 'Conflict',
    message: `Operation cannot be fulfilled on ${subject}: ${at.message ?? modified}`,
    details: namedDetails(at),
  });
}

export interface OwnedField {
  /** As Kubernetes prints an owner: `"m1"`, with ` using v1 at <time>` for Update owners. */
  readonly owner: string;
  /** Such as `.spec.ports[port=80,protocol="TCP"].name`. */
  readonly path: string;
}

/** 409 of server-side apply. `conflicts` in the order in which they are to be listed. */
export function applyConflict(conflicts: readonly OwnedField[]): ApiError {
  const count = conflicts.length;
  const causes = conflicts.map(({ owner, path }) => ({
    reason: 'FieldManagerConflict',
    message: `conflict with ${owner}`,
    field: path,
  }));
  return toApiError({
    code: 409,
    reason: 'Conflict',
    message: `Apply failed with ${count} conflict${count === 1 ? '' : 's'}: ${describe(conflicts)}`,
    details: { causes },
  });
}

function describe(conflicts: readonly OwnedField[]): string {
  const owners = [...new Set(conflicts.map(({ owner }) => owner))];
  const [only] = conflicts;
  if (conflicts.length === 1 && only !== undefined) {
    return `conflict with ${only.owner}: ${only.path}`;
  }
  return owners
    .map((owner) => {
      const paths = conflicts.filter((conflict) => conflict.owner === owner);
      return [`conflicts with ${owner}:`, ...paths.map(({ path }) => `- ${path}`)].join('\n');
    })
    .join('\n');
}

/** 410. `continueToken` leads on from the present, without a consistent snapshot. */
export function expired(message: string, continueToken?: string): ApiError {
  return toApiError({ code: 410, reason: 'Expired', message, continueToken });
}

export function tooLarge(limit: number): ApiError {
  return tooLargeBecause(`limit is ${limit}`);
}

export function tooLargeBecause(why: string): ApiError {
  return toApiError({
    code: 413,
    reason: 'RequestEntityTooLarge',
    message: `Request entity too large: ${why}`,
  });
}

/** 422 with one cause per error; the message names equal errors once. */
export function invalid(of: {
  readonly group: string;
  readonly kind: string;
  readonly name: string;
  readonly errors: readonly FieldError[];
}): ApiError {
  const { group, kind, name, errors } = of;
  const texts = [...new Set(errors.map(({ field, message }) => `${field}: ${message}`))];
  const list = texts.length === 1 ? (texts[0] ?? '') : `[${texts.join(', ')}]`;
  return toApiError({
    code: 422,
    reason: 'Invalid',
    message:
      `${toQualified(kind, group)} ${JSON.stringify(name)} is invalid` +
      (texts.length === 0 ? '' : `: ${list}`),
    details: {
      ...(name === '' ? {} : { name }),
      ...(group === '' ? {} : { group }),
      ...(kind === '' ? {} : { kind }),
      causes: errors.map(({ field, message, reason }) => ({ reason, message, field })),
    },
  });
}

/** 422 for a JSON patch that cannot be applied; Kubernetes says no more than this. */
export function unprocessable(): ApiError {
  return toApiError({
    code: 422,
    reason: 'Invalid',
    message: 'the server rejected our request due to an error in our request',
    details: {},
  });
}

export function tooManyRequests(retryAfterSeconds = 1): ApiError {
  return toApiError({
    code: 429,
    reason: 'TooManyRequests',
    message: 'too many requests, please try again later',
    details: { retryAfterSeconds },
  });
}

export function internal(message: string): ApiError {
  return toApiError({
    code: 500,
    reason: 'InternalError',
    message: `Internal error occurred: ${message}`,
    details: { causes: [{ message }] },
  });
}

/** 500 without a reason, as Go's server answers an error that is no Status. */
export function plainError(message: string): ApiError {
  return toApiError({ code: 500, message });
}

export function serviceUnavailable(message: string, retryAfterSeconds = 1): ApiError {
  return toApiError({
    code: 503,
    reason: 'ServiceUnavailable',
    message,
    details: { retryAfterSeconds },
  });
}

export function timeout(
  message: string,
  options: { readonly causes?: readonly StatusCause[]; readonly retryAfterSeconds?: number } = {},
): ApiError {
  return toApiError({
    code: 504,
    reason: 'Timeout',
    message: `Timeout: ${message}`,
    details: options,
  });
}

/** 504 for a resourceVersion that this replica has not reached in time. */
export function tooLargeResourceVersion(asked: number, current: number): ApiError {
  const message = 'Too large resource version';
  return timeout(`${message}: ${asked}, current: ${current}`, {
    causes: [{ reason: 'ResourceVersionTooLarge', message }],
    retryAfterSeconds: 1,
  });
}
