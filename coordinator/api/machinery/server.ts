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
import { authorizeRoute, anonymous } from './access/authorizer.ts';
import type { Api, ApiOptions, ApiRequest, ApiResponse, RequestHead } from './api.ts';
import { answerError, answerText, wantsPretty } from './answer/answers.ts';
import { answerCustomKinds } from './verbs/custom-kinds.ts';
import { createDiscovery } from './openapi/discovery.ts';
import { startNamespaceGc } from './collect/namespace-gc.ts';
import { createOpenApiV2 } from './openapi/openapi-v2.ts';
import { buildOpenApiV3 } from './openapi/openapi.ts';
import { answerPath, type PathSources } from './request/paths.ts';
import { startOwnerGc } from './collect/owner-gc.ts';
import { createResourceHandler, type ResourceHandler } from './verbs/resources.ts';
import { parseRoute, toKindTable, type KindTable, type Route } from './request/routes.ts';
import { ApiError, badRequest, internal, serviceUnavailable } from './answer/status-error.ts';

export function createApi(options: ApiOptions): Api {
  const kinds = toKindTable(options.kinds);
  const resources = createResourceHandler(options, kinds);
  const collectors = [
    startNamespaceGc({ ...options, kinds }),
    startOwnerGc({ ...options, kinds }),
  ];
  const openApi = buildOpenApiV3(options.kinds);
  const paths: PathSources = {
    discovery: createDiscovery(options.kinds),
    openApi,
    openApiV2: createOpenApiV2(openApi),
    version: options.version,
    readiness: options.readiness ?? (() => ({})),
  };
  return {
    handle: (request) => handle(request, { options, kinds, resources, paths }),
    refuse: (head, error) => {
      const route = parseRoute(head.method, head.target, kinds);
      const response = answerError(error, route !== undefined && isPretty(route, head));
      return finish(head, response, options);
    },
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
  const response = await answer(request, route, parts).catch((error: unknown) =>
    answerFault(error, request, route, parts.options),
  );
  const labels = { verb: toVerbLabel(route), code: String(response.status) };
  metrics.count('mesh_api_requests_total', labels);
  if (labels.verb !== 'watch') {
    metrics.observe('mesh_api_request_seconds', (clock.monotonicMs() - startMs) / 1000, {
      verb: labels.verb,
    });
  }
  return finish(request, response, parts.options);
}

/** What every answer carries. */
function finish(head: RequestHead, response: ApiResponse, { chance }: ApiOptions): ApiResponse {
  const auditId = toAuditId(head.headers['audit-id'] ?? chance.uuid());
  return { ...response, headers: { 'audit-id': auditId, ...response.headers } };
}

function isPretty(route: Route, head: RequestHead): boolean {
  return wantsPretty(route.query, head.headers['user-agent']);
}

/** The client's own Audit-ID is echoed, but only what is safe in a header. */
function toAuditId(text: string): string {
  return text.replace(/[^\x21-\x7e]/g, '').slice(0, 64);
}

const verbLabels: ReadonlySet<string> = new Set([
  'get',
  'list',
  'watch',
  'create',
  'update',
  'patch',
  'delete',
  'deletecollection',
]);

function toVerbLabel(route: Route | undefined): string {
  if (route === undefined) return 'other';
  return verbLabels.has(route.verb) ? route.verb : 'other';
}

async function answer(
  request: ApiRequest,
  route: Route | undefined,
  parts: Parts,
): Promise<ApiResponse> {
  if (route === undefined) throw badRequest('the request target is not a valid path');
  authorizeRoute(route, request.user ?? anonymous, parts.options.authorize);
  if (route.kind === 'path') return answerPath(request, route, parts.paths);
  if (!route.isKnownVersion) {
    return answerCustomKinds(request, route) ?? answerText(404, '404 page not found\n');
  }
  return parts.resources.handle(request, route);
}

function answerFault(
  error: unknown,
  request: ApiRequest,
  route: Route | undefined,
  options: ApiOptions,
): ApiResponse {
  const isPretty = route !== undefined && wantsPretty(route.query, request.headers['user-agent']);
  if (error instanceof ApiError) return answerError(error, isPretty);
  const path = route?.path ?? '';
  if (error instanceof MeshError) {
    options.log.warn('API request failed', { code: error.code, path, error: describeError(error) });
    const refusal =
      error.class === 'fatal'
        ? internal(error.code)
        : serviceUnavailable(`${error.code}: try again`);
    return answerError(refusal, isPretty);
  }
  // One request's fault is not everyone's: it is logged as what it is, and the server goes on.
  options.log.error('API request failed on a programmer error', {
    path,
    error: describeError(error),
    stack: error instanceof Error ? error.stack : undefined,
  });
  return answerError(internal('see the log of the server'), isPretty);
}
