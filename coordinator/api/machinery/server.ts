// The Kubernetes-compatible API: one request in, one response out. It knows no kind; what it
// serves is a list of KindDefinitions, what it serves it from is the desired state in memory.
//
//   request -> route -> authorization -> verb -> answer in the wanted form
//
//   I1.  A write is answered after it is durable and seen by this server's own reads.
//   I9.  What an internal fault says goes to the log; the client gets a constant text.
//   I11. Watches are bounded in number, each in bytes (watch.ts).
//
// Next files to read: routes.ts, read.ts, watch.ts, create.ts, update.ts, delete.ts.

import { MeshError } from '../../../common/pure/errors.ts';
import { describeError } from '../../../common/runtime/log.ts';
import { beginAudit, type AuditTrail } from './access/request-audit.ts';
import { anonymous, authorizeRoute, nobody, toAttributes } from './access/authorizer.ts';
import { impersonate, parseImpersonation } from './access/impersonation.ts';
import type { UserInfo } from './access/access.ts';
import type { Api, ApiOptions, ApiRequest, ApiResponse, RequestHead } from './api.ts';
import { answerError, answerText, encodeAnswer, wantsPretty } from './answer/answers.ts';
import { rehearse } from './answer/rehearsal.ts';
import { createDiscovery } from './openapi/discovery.ts';
import { startNamespaceGc } from './collect/namespace-gc.ts';
import { createOpenApiV2 } from './openapi/openapi-v2.ts';
import { buildOpenApiV3 } from './openapi/openapi.ts';
import { countRequest } from './flow/request-metrics.ts';
import { negotiateError, plainJson } from './request/negotiate.ts';
import { answerPath, type PathSources } from './request/paths.ts';
import { startOwnerGc } from './collect/owner-gc.ts';
import { createResourceHandler, type ResourceHandler } from './verbs/resources.ts';
import { parseRoute, toKindTable, type KindTable, type Route } from './request/routes.ts';
import {
  ApiError,
  badRequest,
  internal,
  serviceUnavailable,
  unknownResource,
  withoutMarkup,
} from './answer/status-error.ts';

export function createApi(options: ApiOptions): Api {
  const kinds = toKindTable(options.kinds);
  const resources = createResourceHandler(options, kinds);
  const collectors = [startNamespaceGc({ ...options, kinds }), startOwnerGc({ ...options, kinds })];
  const openApi = buildOpenApiV3(options.kinds);
  const paths: PathSources = {
    discovery: createDiscovery(options.kinds),
    openApi,
    openApiV2: createOpenApiV2(
      openApi,
      () => new Promise((resolve) => options.clock.soon(resolve)),
    ),
    version: options.version,
    readiness: options.readiness ?? (() => ({})),
    exposeMetrics: options.metrics.expose,
  };
  const parts: Parts = { options, kinds, resources, paths };
  rehearse();
  return {
    handle: (request) => handle(request, parts),
    refuse: (head, error) => refuse(head, error, parts),
    admits: (head, user) => admits(head, user, parts),
    close: async () => {
      resources.close();
      await Promise.all(collectors.map((collector) => collector.stop()));
    },
  };
}

interface Parts {
  readonly options: ApiOptions;
  readonly kinds: KindTable;
  readonly resources: ResourceHandler;
  readonly paths: PathSources;
}

async function handle(request: ApiRequest, parts: Parts): Promise<ApiResponse> {
  const { clock, metrics } = parts.options;
  const startMs = clock.monotonicMs();
  const route = parseRoute(request.method, request.target, parts.kinds);
  const auditId = toAuditId(request, parts.options);
  const trail = openTrail(request, route, { auditId, isKnown: true }, parts.options);
  const response = await answer(request, route, parts, trail).catch((error: unknown) =>
    answerFault(error, { request, route, trail }, parts.options),
  );
  countRequest(metrics, route, {
    code: response.status,
    seconds: (clock.monotonicMs() - startMs) / 1000,
    contentType: request.headers['content-type'] ?? '',
  });
  return finish(trail?.answers(response) ?? response, auditId);
}

/** Looked at in the same order as the request itself will be, without a trace. */
function admits(head: RequestHead, user: UserInfo | undefined, { options, kinds }: Parts): boolean {
  const route = parseRoute(head.method, head.target, kinds);
  if (route === undefined) return false;
  try {
    const asked = { ...head, body: noBody, user, signal: neverGone };
    const request = impersonateIn(asked, options, undefined);
    if ('fault' in request) return false;
    authorizeRoute(route, request.user ?? anonymous, options.authorize);
    return true;
  } catch (error) {
    if (error instanceof ApiError) return false;
    throw error;
  }
}

const noBody = new Uint8Array();
const neverGone = new AbortController().signal;

function refuse(head: RequestHead, error: ApiError, parts: Parts): ApiResponse {
  const route = parseRoute(head.method, head.target, parts.kinds);
  const response = encodeError(error, head, route);
  countRequest(parts.options.metrics, route, { code: error.code, seconds: 0 });
  const auditId = toAuditId(head, parts.options);
  const isUnknown = error.code === 401;
  const trail = openTrail(head, route, { auditId, isKnown: false }, parts.options);
  const tried = /^bearer /i.test(head.headers['authorization'] ?? '') ? 'bearer' : 'x509';
  trail?.answers(response, isUnknown ? `Authentication failed, attempted: ${tried}` : undefined);
  return finish(response, auditId);
}

function openTrail(
  request: RequestHead & Partial<ApiRequest>,
  route: Route | undefined,
  { auditId, isKnown }: { readonly auditId: string; readonly isKnown: boolean },
  { audit, clock }: ApiOptions,
): AuditTrail | undefined {
  if (audit === undefined || route === undefined) return undefined;
  const attributes = toAttributes(route, isKnown ? (request.user ?? anonymous) : nobody);
  return beginAudit(audit, { request, route, attributes, isKnown, auditId, clock });
}

/** What every answer carries. */
function finish(response: ApiResponse, auditId: string): ApiResponse {
  return { ...response, headers: { 'audit-id': auditId, ...response.headers } };
}

/** An error in the form that the client takes, whatever it asked the answer to be. */
function encodeError(error: ApiError, head: RequestHead, route: Route | undefined): ApiResponse {
  const form = negotiateError(head.headers['accept']);
  const isAsked = route !== undefined && wantsPretty(route.query, head.headers['user-agent']);
  const response = answerError(error, form === 'indented' || isAsked);
  if (form !== 'yaml') return response;
  const { status, headers, body } = encodeAnswer(error.status.code, error.status, yamlForm);
  return { status, headers: { ...response.headers, ...headers }, body };
}

const yamlForm = { form: { ...plainJson, format: 'yaml' }, isPretty: false } as const;

/** The client's own Audit-ID is echoed, but only what is safe in a header. */
function toAuditId({ headers }: RequestHead, { chance }: ApiOptions): string {
  const text = headers['audit-id'] ?? chance.uuid();
  return text.replace(/[^\x20-\x7e]/g, '').slice(0, 64);
}

async function answer(
  asked: ApiRequest,
  route: Route | undefined,
  { options, kinds, paths, resources }: Parts,
  trail: AuditTrail | undefined,
): Promise<ApiResponse> {
  if (route === undefined) throw badRequest('the request target is not a valid path');
  const request = impersonateIn(asked, options, trail);
  if ('fault' in request) {
    const text = `Internal Server Error: ${JSON.stringify(asked.target)}: ${request.fault}\n`;
    return answerText(500, withoutMarkup(text), { 'x-content-type-options': 'nosniff' });
  }
  authorizeRoute(route, request.user ?? anonymous, options.authorize, (decision) =>
    trail?.decides(decision),
  );
  if (route.kind === 'path') return answerPath(request, route, paths);
  if (!route.isKnownVersion) {
    // Whoever serves the group says in a Status that it has no such version.
    if (kinds.hasGroup(route.group)) throw unknownResource();
    return answerText(404, '404 page not found\n');
  }
  return resources.handle(request, route, (value) => trail?.reads(value));
}

/** The request as the user's whom its headers name, if they do and the asker may. */
function impersonateIn(
  asked: ApiRequest,
  { authorize }: ApiOptions,
  trail: AuditTrail | undefined,
): ApiRequest | { readonly fault: string } {
  const wanted = parseImpersonation(asked);
  if (wanted.kind === 'none') return asked;
  if (wanted.kind === 'fault') return { fault: wanted.text };
  const user = impersonate(asked.user ?? anonymous, wanted.parts, authorize);
  trail?.impersonates(user);
  return new ImpersonatingRequest(asked, user);
}

/** Whose signal is asked for only by those who want one, as the asker's. */
class ImpersonatingRequest implements ApiRequest {
  readonly method: string;
  readonly target: string;
  readonly headers: ApiRequest['headers'];
  readonly body: Uint8Array;
  readonly user: UserInfo;
  readonly #asked: ApiRequest;

  constructor(asked: ApiRequest, user: UserInfo) {
    this.method = asked.method;
    this.target = asked.target;
    this.headers = asked.headers;
    this.body = asked.body;
    this.user = user;
    this.#asked = asked;
  }

  get signal(): AbortSignal {
    return this.#asked.signal;
  }
}

interface Failed {
  readonly request: ApiRequest;
  readonly route: Route | undefined;
  readonly trail: AuditTrail | undefined;
}

function answerFault(
  error: unknown,
  { request, route, trail }: Failed,
  options: ApiOptions,
): ApiResponse {
  const refuseWith = (refusal: ApiError): ApiResponse => encodeError(refusal, request, route);
  if (error instanceof ApiError) return refuseWith(error);
  const path = route?.path ?? '';
  if (error instanceof MeshError) {
    options.log.warn('API request failed', { code: error.code, path, error: describeError(error) });
    const refusal =
      error.class === 'fatal'
        ? internal(error.code)
        : serviceUnavailable(`${error.code}: try again`);
    return refuseWith(refusal);
  }
  // One request's fault is not everyone's: it is logged as what it is, and the server goes on.
  options.log.error('API request failed on a programmer error', {
    path,
    error: describeError(error),
    stack: error instanceof Error ? error.stack : undefined,
  });
  trail?.panics('see the log of the server');
  return refuseWith(internal('see the log of the server'));
}
