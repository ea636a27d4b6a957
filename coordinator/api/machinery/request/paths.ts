// What is served beside resources: /version, health, metrics, discovery, OpenAPI.

import type { ApiRequest, ApiResponse, ApiVersion } from '../api.ts';
import {
  answerError,
  answerText,
  commonHeaders,
  encodeAnswer,
  wantsPretty,
} from '../answer/answers.ts';
import type { Discovery, DiscoveryDocument } from '../openapi/discovery.ts';
import { withoutTail } from '../rules/without-tail.ts';
import { parseAccept, plainJson } from './negotiate.ts';
import type { OpenApiV2 } from '../openapi/openapi-v2.ts';
import type { OpenApiV3 } from '../openapi/openapi.ts';
import { answerHealth, healthPaths, plain, type Checks } from './health.ts';
import type { PathRoute } from './routes.ts';
import { methodNotAllowed } from '../answer/status-error.ts';

export interface PathSources {
  readonly discovery: Discovery;
  readonly openApi: OpenApiV3;
  readonly openApiV2: OpenApiV2;
  readonly version: ApiVersion;
  readonly readiness: () => Checks;
  /** Prometheus text format 0.0.4; without it there is no /metrics. */
  readonly exposeMetrics: (() => Promise<string>) | undefined;
}

export async function answerPath(
  request: ApiRequest,
  route: PathRoute,
  sources: PathSources,
): Promise<ApiResponse> {
  const path = withoutTail(route.path, '/') || '/';
  // kube-apiserver serves these by whatever method, and the others by GET alone.
  const answer =
    findHandled({ ...route, path }, sources) ?? (await answerMetrics(path, sources.exposeMetrics));
  if (answer !== undefined) return answer;
  const found = await findAnswer(request, { ...route, path }, sources);
  if (found === undefined) return answerText(404, '404 page not found\n', plain);
  if (request.method === 'GET') return found;
  return answerError(methodNotAllowed(), wantsPretty(route.query, request.headers['user-agent']));
}

function findHandled(route: PathRoute, sources: PathSources): ApiResponse | undefined {
  if (route.path === '/' || route.path === '/index.html') {
    return encodeIndented({ paths: toPaths(sources) });
  }
  return answerHealth(route, sources.readiness);
}

async function answerMetrics(
  path: string,
  expose: PathSources['exposeMetrics'],
): Promise<ApiResponse | undefined> {
  if (path !== '/metrics' || expose === undefined) return undefined;
  const headers = { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' };
  return answerText(200, await expose(), headers);
}

/** kube-apiserver indents what it describes itself with, whoever asks. */
function encodeIndented(value: object): ApiResponse {
  const headers = { ...commonHeaders, 'content-type': 'application/json' };
  return { status: 200, headers, body: Buffer.from(JSON.stringify(value, undefined, 2)) };
}

function findAnswer(
  request: ApiRequest,
  route: PathRoute,
  sources: PathSources,
): ApiResponse | Promise<ApiResponse> | undefined {
  const { path } = route;
  const isPretty = wantsPretty(route.query, request.headers['user-agent']);
  const document = sources.discovery.find(path, request.headers['accept']);
  if (document !== undefined) return answerDiscovery(request, document);
  if (path === '/version') return encodeIndented(toVersionInfo(sources.version));
  if (path === '/openapi/v2') return answerOpenApiV2(request, sources.openApiV2);
  if (path === '/openapi/v3') {
    const { status, headers, body } = encodeAnswer(200, sources.openApi.index, {
      form: plainJson,
      isPretty,
    });
    // So kube-apiserver calls it.
    return { status, headers: { ...headers, 'content-type': 'text/plain; charset=utf-8' }, body };
  }
  if (path.startsWith('/openapi/v3/')) return answerOpenApi(request, route, sources.openApi);
  return undefined;
}

function toPaths({ discovery, openApi, readiness, exposeMetrics }: PathSources): readonly string[] {
  const documents = [...openApi.bytes.keys()].map((name) => `/openapi/v3/${name}`);
  const openApis = ['/openapi/v2', '/openapi/v3', ...documents];
  const metrics = exposeMetrics === undefined ? [] : ['/metrics'];
  const checks = healthPaths.flatMap((root) => [
    root,
    `${root}/ping`,
    ...(root === '/livez' ? [] : Object.keys(readiness()).map((name) => `${root}/${name}`)),
  ]);
  return [...discovery.paths, ...checks, ...metrics, ...openApis, '/version'].sort();
}

function toVersionInfo({ gitVersion }: ApiVersion): object {
  const [, major = '1', minor = '0'] = /^v(\d+)\.(\d+)\./.exec(gitVersion) ?? [];
  return {
    major,
    minor,
    // KEP-4330: what it behaves like, and the oldest that it can run beside.
    emulationMajor: major,
    emulationMinor: minor,
    minCompatibilityMajor: major,
    minCompatibilityMinor: String(Math.max(0, Number(minor) - 1)),
    gitVersion,
    gitCommit: '',
    gitTreeState: 'clean',
    buildDate: '1970-01-01T00:00:00Z',
    goVersion: '',
    compiler: 'tsc',
    platform: `${process.platform}/${process.arch === 'x64' ? 'amd64' : process.arch}`,
  };
}

function answerDiscovery(request: ApiRequest, document: DiscoveryDocument): ApiResponse {
  const { contentType, etag } = document;
  if (etag === undefined) {
    const headers = { ...commonHeaders, 'content-type': contentType };
    return { status: 200, headers, body: document.bytes };
  }
  const headers = { 'cache-control': 'public', 'content-type': contentType, etag, vary: 'Accept' };
  if (matchesEtag(request, etag)) return { status: 304, headers, body: nothing };
  return { status: 200, headers, body: document.bytes };
}

const nothing = new Uint8Array();

function matchesEtag(request: ApiRequest, etag: string): boolean {
  const given = request.headers['if-none-match'];
  return given !== undefined && given.split(',').some((each) => each.trim() === etag);
}

/** The right hash may be kept for ever; a wrong one is sent on to the right one. */
function answerOpenApi(request: ApiRequest, route: PathRoute, openApi: OpenApiV3): ApiResponse {
  const name = route.path.slice('/openapi/v3/'.length);
  const bytes = openApi.bytes.get(name);
  const hash = openApi.hashes.get(name);
  if (bytes === undefined || hash === undefined) {
    return { status: 404, headers: commonHeaders, body: nothing };
  }
  const asked = route.query.get('hash');
  const etag = `"${hash}"`;
  const described = { 'content-type': 'application/json', etag, vary: 'Accept' };
  if (asked !== null && asked !== '' && asked !== hash) {
    const location = `/openapi/v3/${name}?hash=${hash}`;
    return { status: 301, headers: { ...commonHeaders, ...described, location }, body: nothing };
  }
  const cacheControl = asked === hash ? 'public, immutable, max-age=31536000' : 'no-cache, private';
  const headers = { ...described, 'cache-control': cacheControl };
  if (matchesEtag(request, etag)) return { status: 304, headers, body: nothing };
  return { status: 200, headers, body: bytes };
}

// The name that was asked for at first is no legal media type, so the answer has the legal one.
const protobufV2 = 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf';
const formsOfV2: Readonly<Record<string, 'json' | 'protobuf'>> = {
  '*/*': 'json',
  'application/*': 'json',
  'application/json': 'json',
  'application/com.github.proto-openapi.spec.v2@v1.0+protobuf': 'protobuf',
  [protobufV2]: 'protobuf',
};

async function answerOpenApiV2(request: ApiRequest, openApi: OpenApiV2): Promise<ApiResponse> {
  const clauses = parseAccept(request.headers['accept']?.slice(0, acceptCharactersMax));
  const [form] = clauses.flatMap(({ type }) =>
    Object.hasOwn(formsOfV2, type) ? (formsOfV2[type] ?? []) : [],
  );
  if (form === undefined) return answerText(406, '', { vary: 'Accept' });
  const { bytes, hash } = await openApi[form]();
  const headers = {
    ...commonHeaders,
    'content-type': form === 'json' ? 'application/json' : protobufV2,
    etag: `"${hash}"`,
    vary: 'Accept',
  };
  if (matchesEtag(request, headers.etag)) return { status: 304, headers, body: nothing };
  return { status: 200, headers, body: bytes };
}

// A header names a few types; more is nobody's client.
const acceptCharactersMax = 4096;
