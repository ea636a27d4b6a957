// OpenAPI v3: one document per group and version, made from the kinds' schemas. kubectl reads it
// before create and apply (is field validation done here?), for explain, and for patches.
//
// Input: the served kinds. Output: the index of /openapi/v3 and the encoded documents. Pure; made
// once at start.

import { createHash } from 'node:crypto';
import type { Json, JsonObject } from '../../../../common/model/kube-object.ts';
import type { KindDefinition, Verb } from '../kind.ts';
import { toMetaComponents } from './openapi-meta.ts';
import { Components, toComponentName, toGvk, toMetaName, toRef } from './openapi-schemas.ts';

export interface OpenApiV3 {
  /** Body of /openapi/v3: path -> serverRelativeURL with the document's hash. */
  readonly index: object;
  /** By `api/v1`, `apis/isthmus.dev/v1alpha1`. */
  readonly documents: ReadonlyMap<string, object>;
  /** By the same names: upper-case hex SHA-512 of the encoded document, as in the index. */
  readonly hashes: ReadonlyMap<string, string>;
  /** By the same names: the encoded document. */
  readonly bytes: ReadonlyMap<string, Uint8Array>;
}

export function buildOpenApiV3(kinds: readonly KindDefinition[]): OpenApiV3 {
  const groups = new Map<string, KindDefinition[]>();
  for (const kind of kinds) {
    const name = toDocumentName(kind);
    groups.set(name, [...(groups.get(name) ?? []), kind]);
  }
  const sorted = [...groups].sort(([a], [b]) => (a < b ? -1 : 1));
  const documents = new Map(sorted.map(([name, members]) => [name, buildDocument(members)]));
  const bytes = new Map(
    [...documents].map(([name, document]) => [name, Buffer.from(JSON.stringify(document))]),
  );
  const hashes = new Map([...bytes].map(([name, body]) => [name, toHash(body)]));
  const paths = [...hashes].map(([name, hash]) => [
    name,
    { serverRelativeURL: `/openapi/v3/${name}?hash=${hash}` },
  ]);
  return { index: { paths: Object.fromEntries(paths) }, documents, hashes, bytes };
}

function toHash(body: Uint8Array): string {
  return createHash('sha512').update(body).digest('hex').toUpperCase();
}

function toDocumentName({ group, version }: KindDefinition): string {
  return group === '' ? `api/${version}` : `apis/${group}/${version}`;
}

function buildDocument(kinds: readonly KindDefinition[]): JsonObject {
  const [first] = kinds;
  const components = new Components(first?.group ?? '', first?.version ?? 'v1');
  for (const [name, schema] of Object.entries(toMetaComponents())) components.add(name, schema);
  for (const kind of kinds) {
    components.addKind(kind);
    for (const below of Object.values(kind.subresources ?? {})) components.addKind(below);
  }
  return {
    openapi: '3.0.0',
    info: { title: 'Isthmus', version: 'v1' },
    paths: Object.fromEntries(kinds.flatMap(toPaths)),
    components: { schemas: components.build() },
  };
}

function toPaths(kind: KindDefinition): readonly (readonly [string, JsonObject])[] {
  const root = `/${toDocumentName(kind)}`;
  const scope = kind.isNamespaced ? `${root}/namespaces/{namespace}` : root;
  const namespace = kind.isNamespaced ? [pathParameter('namespace', 'Name of the namespace.')] : [];
  const name = pathParameter('name', `Name of the ${kind.kind}.`);
  const item = { verbs: ['get', 'update', 'patch', 'delete'] as const, isCollection: false };
  const paths: [string, JsonObject][] = [
    [
      `${scope}/${kind.plural}`,
      toPathItem(kind, { verbs: ['list', 'create', 'delete'], isCollection: true }, namespace),
    ],
    [`${scope}/${kind.plural}/{name}`, toPathItem(kind, item, [...namespace, name])],
  ];
  if (kind.isNamespaced) {
    paths.push([
      `${root}/${kind.plural}`,
      toPathItem(kind, { verbs: ['list'], isCollection: true }, []),
    ]);
  }
  if (kind.hasStatus && kind.storage === 'logged') {
    const status = { verbs: ['get', 'update', 'patch'] as const, isCollection: false };
    const path = `${scope}/${kind.plural}/{name}/status`;
    paths.push([path, toPathItem(kind, status, [...namespace, name])]);
  }
  if (kind.approvalField !== undefined) {
    const approval = { verbs: ['get', 'update', 'patch'] as const, isCollection: false };
    const path = `${scope}/${kind.plural}/{name}/approval`;
    paths.push([path, toPathItem(kind, approval, [...namespace, name])]);
  }
  for (const [key, below] of Object.entries(kind.subresources ?? {})) {
    const use = { verbs: ['create', 'update', 'delete'] as const, isCollection: false };
    const path = `${scope}/${kind.plural}/{name}/${key}`;
    paths.push([path, toPathItem(below, use, [...namespace, name])]);
  }
  if (kind.hasFinalize === true) {
    const finalize = { verbs: ['update'] as const, isCollection: false };
    const path = `${scope}/${kind.plural}/{name}/finalize`;
    paths.push([path, toPathItem(kind, finalize, [...namespace, name])]);
  }
  return paths;
}

type PathVerb = Exclude<Verb, 'watch' | 'deletecollection'>;

interface PathUse {
  readonly verbs: readonly PathVerb[];
  readonly isCollection: boolean;
}

const methods: Readonly<Record<PathVerb, string>> = {
  create: 'post',
  delete: 'delete',
  get: 'get',
  list: 'get',
  patch: 'patch',
  update: 'put',
};

function toPathItem(
  kind: KindDefinition,
  use: PathUse,
  parameters: readonly JsonObject[],
): JsonObject {
  const operations = use.verbs
    .filter((verb) => kind.verbs.includes(toServedVerb(verb, use)))
    .map((verb): [string, Json] => [methods[verb], toOperation(kind, verb, use.isCollection)]);
  return {
    ...Object.fromEntries(operations),
    parameters: [...parameters, queryParameter('pretty', 'string', 'True indents the answer.')],
  };
}

/** DELETE of a collection is a verb of its own. */
function toServedVerb(verb: PathVerb, { isCollection }: PathUse): Verb {
  return verb === 'delete' && isCollection ? 'deletecollection' : verb;
}

const actions: Readonly<Record<PathVerb, string>> = {
  create: 'post',
  delete: 'delete',
  get: 'get',
  list: 'list',
  patch: 'patch',
  update: 'put',
};

function toOperation(kind: KindDefinition, verb: PathVerb, isCollection: boolean): JsonObject {
  const action = verb === 'delete' && isCollection ? 'deletecollection' : actions[verb];
  const body = toRequestBody(kind, verb);
  return {
    description: `${action} ${kind.kind}`,
    ...(body === undefined ? {} : { requestBody: body }),
    parameters: toParameters(verb, isCollection),
    responses: toResponses(kind, verb, isCollection),
    'x-kubernetes-action': action,
    'x-kubernetes-group-version-kind': toGvk(kind),
  };
}

/** As kube-apiserver declares them: what succeeds, and who is not known. */
function toResponses(kind: KindDefinition, verb: PathVerb, isCollection: boolean): JsonObject {
  const answer = toAnswer(kind, verb, isCollection);
  const successes = isCollection && verb === 'delete' ? [200] : successesOf[verb];
  const named = successes.map((code) => [
    code,
    { description: descriptions[code] ?? '', content: answer },
  ]);
  return { ...Object.fromEntries(named), 401: { description: 'Unauthorized' } };
}

const successesOf: Readonly<Record<PathVerb, readonly number[]>> = {
  create: [200, 201, 202],
  delete: [200, 202],
  get: [200],
  list: [200],
  patch: [200, 201],
  update: [200, 201],
};
const descriptions: Readonly<Record<number, string>> = {
  200: 'OK',
  201: 'Created',
  202: 'Accepted',
};

function toAnswer(kind: KindDefinition, verb: PathVerb, isCollection: boolean): JsonObject {
  const name = toComponentName(kind);
  const isStatus = verb === 'delete' && (isCollection || kind.deleteAnswer === 'status');
  const component = isStatus ? toMetaName('Status') : verb === 'list' ? `${name}List` : name;
  return content(['application/json', 'application/yaml'], component);
}

function toRequestBody(kind: KindDefinition, verb: PathVerb): JsonObject | undefined {
  switch (verb) {
    case 'create':
    case 'update':
      return { required: true, content: content(['*/*'], toComponentName(kind)) };
    case 'patch': {
      const types = [
        'application/apply-patch+yaml',
        'application/json-patch+json',
        'application/merge-patch+json',
        ...(kind.allowsStrategicMerge ? ['application/strategic-merge-patch+json'] : []),
      ];
      return { required: true, content: content(types, toMetaName('Patch')) };
    }
    case 'delete':
      return { content: content(['*/*'], toMetaName('DeleteOptions')) };
    default:
      return undefined;
  }
}

function content(types: readonly string[], component: string): JsonObject {
  return Object.fromEntries(types.map((type) => [type, { schema: toRef(component) }]));
}

function toParameters(verb: PathVerb, isCollection: boolean): readonly JsonObject[] {
  const dryRun = queryParameter('dryRun', 'string', 'All runs everything and stores nothing.');
  const manager = queryParameter('fieldManager', 'string', 'Who writes, for field ownership.');
  const validation = queryParameter(
    'fieldValidation',
    'string',
    'Ignore, Warn or Strict: what becomes of unknown and duplicate fields.',
  );
  switch (verb) {
    case 'create':
    case 'update':
      return [dryRun, manager, validation];
    case 'patch':
      return [
        dryRun,
        manager,
        validation,
        queryParameter('force', 'boolean', 'True takes fields from their owners on apply.'),
      ];
    case 'delete':
      return [
        dryRun,
        queryParameter('gracePeriodSeconds', 'integer', 'Seconds that it may take.'),
        queryParameter('propagationPolicy', 'string', 'Foreground, Background or Orphan.'),
        ...(isCollection ? selectors : []),
      ];
    case 'list':
      return [
        ...selectors,
        queryParameter('allowWatchBookmarks', 'boolean', 'True asks for bookmarks.'),
        queryParameter('resourceVersionMatch', 'string', 'Exact or NotOlderThan.'),
        queryParameter('sendInitialEvents', 'boolean', 'True begins a watch with what is there.'),
        queryParameter('watch', 'boolean', watchText),
      ];
    case 'get':
      return [];
  }
}

// Upstream's kubectl suite looks for these words.
const watchText = 'Watch for changes to the described resources; true streams them.';

function pathParameter(name: string, description: string): JsonObject {
  return { name, in: 'path', required: true, description, schema: { type: 'string' } };
}

function queryParameter(name: string, type: string, description: string): JsonObject {
  return { name, in: 'query', description, schema: { type, uniqueItems: true } };
}

const selectors: readonly JsonObject[] = [
  queryParameter('continue', 'string', 'Token of the page before.'),
  queryParameter(
    'fieldSelector',
    'string',
    'Narrows the list of returned objects to these fields.',
  ),
  queryParameter(
    'labelSelector',
    'string',
    'Narrows the list of returned objects to these labels.',
  ),
  queryParameter('limit', 'integer', 'At most so many objects.'),
  queryParameter('resourceVersion', 'string', 'The version to show.'),
  queryParameter('timeoutSeconds', 'integer', 'Seconds that it may take.'),
];
