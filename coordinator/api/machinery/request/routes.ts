// From a request line to what it asks for: pure request-info parsing, as kube-apiserver does it.
//
// Input: method, target, the served kinds. Output: a Route. Which verbs a kind allows is decided
// by the caller, after authorization, so that a stranger learns nothing from a 404 or 405.

import type { KindDefinition } from '../kind.ts';
import { servesStatus } from '../openapi/discovery.ts';

export interface ResourceRoute {
  readonly kind: 'resource';
  readonly verb: string;
  readonly group: string;
  readonly version: string;
  readonly resource: string;
  readonly subresource: string;
  readonly namespace: string;
  readonly name: string;
  readonly path: string;
  readonly query: URLSearchParams;
  /** Undefined when no such kind is served under this version, or its scope does not fit. */
  readonly definition: KindDefinition | undefined;
  /** The group and version are served at all; else the answer is plain text. */
  readonly isKnownVersion: boolean;
}

export interface PathRoute {
  readonly kind: 'path';
  readonly verb: string;
  readonly path: string;
  readonly query: URLSearchParams;
}

export type Route = ResourceRoute | PathRoute;

export interface KindTable {
  readonly all: readonly KindDefinition[];
  find(group: string, version: string, plural: string): KindDefinition | undefined;
  hasVersion(group: string, version: string): boolean;
  hasGroup(group: string): boolean;
}

export function toKindTable(kinds: readonly KindDefinition[]): KindTable {
  const byPath = new Map(
    kinds.map((kind) => [`${kind.group}/${kind.version}/${kind.plural}`, kind]),
  );
  const versions = new Set(kinds.map((kind) => `${kind.group}/${kind.version}`));
  const groups = new Set(kinds.map((kind) => kind.group));
  return {
    all: kinds,
    find: (group, version, plural) => byPath.get(`${group}/${version}/${plural}`),
    hasVersion: (group, version) => versions.has(`${group}/${version}`),
    hasGroup: (group) => groups.has(group),
  };
}

const methodVerbs: Readonly<Record<string, string>> = {
  GET: 'get',
  HEAD: 'get',
  POST: 'create',
  PUT: 'update',
  PATCH: 'patch',
  DELETE: 'delete',
};

/** Undefined when the target is not a path (bad escapes, no leading slash). */
export function parseRoute(method: string, target: string, kinds: KindTable): Route | undefined {
  const mark = target.indexOf('?');
  const path = mark < 0 ? target : target.slice(0, mark);
  const query = new URLSearchParams(mark < 0 ? '' : target.slice(mark + 1));
  const segments = splitPath(path);
  if (segments === undefined) return undefined;
  const at = splitVersion(segments);
  if (at === undefined) {
    // Paths that are no resources have methods, not verbs.
    return { kind: 'path', verb: method.toLowerCase(), path, query };
  }
  // The paths of old, `/api/v1/watch/...`: a GET there watches, by name too.
  const isWatchPath = at.rest[0] === 'watch' && at.rest.length > 1;
  const scoped = splitScope(isWatchPath ? at.rest.slice(1) : at.rest);
  return {
    kind: 'resource',
    verb: isWatchPath ? toWatchVerb(method) : toVerb(method, scoped.name, query),
    group: at.group,
    version: at.version,
    ...scoped,
    path,
    query,
    definition: findDefinition(kinds, at, scoped),
    isKnownVersion: kinds.hasVersion(at.group, at.version),
  };
}

function splitPath(path: string): readonly string[] | undefined {
  if (!path.startsWith('/')) return undefined;
  const segments = path.split('/').filter((segment) => segment !== '');
  if (!path.includes('%')) return segments; // nearly always; decoding costs more than splitting
  try {
    const decoded = segments.map(decodeURIComponent);
    // A slash in a name would let one path stand for another object's key.
    return decoded.some((segment) => segment.includes('/')) ? undefined : decoded;
  } catch {
    return undefined; // URIError: a bad percent escape
  }
}

interface VersionPath {
  readonly group: string;
  readonly version: string;
  readonly rest: readonly string[];
}

/** `/api/v1/...` and `/apis/<group>/<version>/...` with something after the version. */
function splitVersion(segments: readonly string[]): VersionPath | undefined {
  const [root, first, second] = segments;
  if (root === 'api' && first !== undefined && segments.length > 2) {
    return { group: '', version: first, rest: segments.slice(2) };
  }
  if (root === 'apis' && first !== undefined && second !== undefined && segments.length > 3) {
    return { group: first, version: second, rest: segments.slice(3) };
  }
  return undefined;
}

interface Scope {
  readonly resource: string;
  readonly subresource: string;
  readonly namespace: string;
  readonly name: string;
}

function splitScope(rest: readonly string[]): Scope {
  const [first = '', second = '', third] = rest;
  const isInNamespace =
    first === 'namespaces' &&
    second !== '' &&
    third !== undefined &&
    !namespaceSubresources.has(third);
  if (isInNamespace) {
    return {
      resource: third,
      namespace: second,
      name: rest[3] ?? '',
      subresource: rest.slice(4).join('/'),
    };
  }
  // requestinfo.go: a namespace stands in itself, so that a rule for it can cover it.
  const namespace = first === 'namespaces' ? second : '';
  return { resource: first, namespace, name: second, subresource: rest.slice(2).join('/') };
}

const namespaceSubresources: ReadonlySet<string> = new Set(['status', 'finalize']);

function toVerb(method: string, name: string, query: URLSearchParams): string {
  // Over HTTP/2 a method is any text: also one that every object inherits.
  const known = Object.hasOwn(methodVerbs, method) ? methodVerbs[method] : undefined;
  const verb = known ?? method.toLowerCase();
  if (name !== '') return verb;
  if (verb === 'delete') return 'deletecollection';
  if (verb !== 'get') return verb;
  return isTrue(query.get('watch')) ? 'watch' : 'list';
}

/** Nothing but a watch is served on these paths. */
function toWatchVerb(method: string): string {
  return method === 'GET' ? 'watch' : method.toLowerCase();
}

/** Kubernetes' reading of a boolean query parameter: present and not false or 0. */
export function isTrue(text: string | null): boolean {
  return text !== null && text.toLowerCase() !== 'false' && text !== '0';
}

function findDefinition(
  kinds: KindTable,
  at: VersionPath,
  scope: Scope,
): KindDefinition | undefined {
  const definition = kinds.find(at.group, at.version, scope.resource);
  if (definition === undefined) return undefined;
  const isOfNamespaces = at.group === '' && scope.resource === 'namespaces';
  if (!definition.isNamespaced && scope.namespace !== '' && !isOfNamespaces) return undefined;
  // A named object of a namespaced kind exists only below its namespace.
  if (definition.isNamespaced && scope.namespace === '' && scope.name !== '') return undefined;
  if (scope.subresource === '') return definition;
  if (scope.subresource === 'finalize' && definition.hasFinalize === true) return definition;
  if (scope.subresource === 'approval' && definition.approvalField !== undefined) return definition;
  if (scope.subresource === 'status' && servesStatus(definition)) return definition;
  const { subresources = {} } = definition;
  return Object.hasOwn(subresources, scope.subresource)
    ? subresources[scope.subresource]
    : undefined;
}
