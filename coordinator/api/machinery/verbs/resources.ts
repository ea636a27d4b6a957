// Requests on resources: from verb and options to the reads, the watches and the writes, and the
// way back: warnings, and the form that the client asked for.

import { toTimestamp } from '../../../../common/runtime/clock.ts';
import type { Json, KubeObject } from '../../../../common/model/kube-object.ts';
import type { Desired, ObjectView } from '../../../desired/store.ts';
import type { ApiOptions, ApiRequest, ApiResponse } from '../api.ts';
import {
  answerObject,
  encodeAnswer,
  wantsPretty,
  withWarnings,
  type AnswerOptions,
} from '../answer/answers.ts';
import { toPlainAccess } from '../access/access.ts';
import { answerList, fromItems } from '../answer/list-body.ts';
import { anonymous, authorizeRoute } from '../access/authorizer.ts';
import { createObject } from './create.ts';
import type { ParsedAhead } from '../schema/parse-ahead.ts';
import { decodeObject, protobufMediaType, type BodyMediaType } from '../schema/decode.ts';
import { deleteObject } from './delete.ts';
import { deleteCollection } from './delete-collection.ts';
import type { KindDefinition } from '../kind.ts';
import { bodyType, negotiate } from '../request/negotiate.ts';
import { parseDeleteOptions, type DeleteOptions } from '../request/delete-options.ts';
import {
  parseIncludeObject,
  parseListOptions,
  parseWriteOptions,
  type WriteOptions,
} from '../request/options.ts';
import { readAhead } from './read-ahead.ts';
import { restOf } from '../../../../common/runtime/rest.ts';
import { toPatchWish } from '../patch/patch-wish.ts';
import { isNumbered } from '../protobuf/protobuf-body.ts';
import { deleteProjected, isProjectedVerb } from './projected.ts';
import { getObject, listObjects, type ReadSource } from './read.ts';
import type { KindTable, ResourceRoute } from '../request/routes.ts';
import {
  ApiError,
  badRequest,
  internal,
  methodNotAllowed,
  unknownResource,
  unsupportedMediaType,
} from '../answer/status-error.ts';
import { answerReview } from './review.ts';
import { updateObject, type Wish } from './update.ts';
import { toServedDesired } from './stored-form.ts';
import { createWatchHandler } from '../watch/watches.ts';
import type { WriteCall, WriteTools, Written } from './write.ts';

export interface ResourceHandler {
  /** `onRead` is told what a long body says. */
  handle(
    request: ApiRequest,
    route: ResourceRoute,
    onRead: (value: Json) => void,
  ): Promise<ApiResponse>;
  /** Ends every watch cleanly. */
  close(): void;
}

export function createResourceHandler(options: ApiOptions, kinds: KindTable): ResourceHandler {
  const { desired, clock, chance, admit } = options;
  const access = options.access ?? toPlainAccess(options.authorize);
  const rest = restOf(clock);
  const shared: WriteTools = { kinds, desired, clock, chance, admit, access, rest };
  const watches = createWatchHandler(options);
  const served = kinds.all.flatMap((kind) => [kind, ...Object.values(kind.subresources ?? {})]);
  const sources = new Map(served.map((kind) => [kind, toSource(kind, options)]));
  return {
    handle: async (request, route, onRead) => {
      const kind = requireKind(request, route, options);
      const source = sources.get(kind);
      if (source === undefined) throw internal(`no view of ${kind.plural}`);
      const answerOptions = toAnswerOptions(request, route, kind, options);
      const tools = { ...shared, desired: source.desired };
      const perform = (): Promise<ApiResponse> => {
        switch (route.verb) {
          case 'get':
            return getObject(source, route, answerOptions);
          case 'list':
            return listObjects(source, request, route, answerOptions);
          case 'watch':
            return watches.handle(request, route, source, answerOptions);
          default:
            return write({ request, route, kind, source, tools, options, onRead }, answerOptions);
        }
      };
      const { deprecation } = kind;
      return warning(deprecation === undefined ? [] : [deprecation], perform);
    },
    close: watches.close,
  };
}

interface Source extends ReadSource {
  /** What writes go to: the log, as the kind shows it. */
  readonly desired: Desired;
}

function toSource(kind: KindDefinition, options: ApiOptions): Source {
  const { desired } = options;
  if (kind.storage !== 'projected') {
    const served = toServedDesired(desired, kind);
    return { kind, view: served, desired: served, barrier: () => desired.barrier() };
  }
  const view: ObjectView | undefined = options.projections.get(`${kind.group}/${kind.plural}`);
  if (view === undefined) throw internal(`the projection of ${kind.plural} was not given`);
  return { kind, view, desired, barrier: () => Promise.resolve(view.revision()) };
}

/** The kind of the route, when the method is allowed there. Throws 404 or 405. */
function requireKind(
  request: ApiRequest,
  route: ResourceRoute,
  options: ApiOptions,
): KindDefinition {
  const kind = route.definition;
  if (kind === undefined) throw unknownResource();
  if (isBelow(kind, route)) {
    if (servedMethods.has(request.method) && kind.verbs.some((verb) => verb === route.verb))
      return kind;
    throw methodNotAllowed();
  }
  const isAllowed =
    servedMethods.has(request.method) &&
    kind.verbs.some((verb) => verb === route.verb) &&
    (kind.storage !== 'projected' || isProjectedVerb(kind, route.verb, options)) &&
    isSubresourceVerb(route) &&
    (route.name !== '' || !namedVerbs.has(route.verb)) &&
    !isWriteAcrossNamespaces(kind, route);
  if (!isAllowed) throw methodNotAllowed();
  return kind;
}

/** A kind of its own that is written at another one's subresource. */
function isBelow(kind: KindDefinition, route: ResourceRoute): boolean {
  return kind.plural !== route.resource;
}

const servedMethods: ReadonlySet<string> = new Set(['GET', 'POST', 'PUT', 'PATCH', 'DELETE']);
/** A list can be deleted, but not replaced or patched. */
const namedVerbs: ReadonlySet<string> = new Set(['update', 'patch']);
const statusVerbs: ReadonlySet<string> = new Set(['get', 'update', 'patch']);

function isSubresourceVerb({ subresource, verb }: ResourceRoute): boolean {
  if (subresource === '') return true;
  return subresource === 'finalize' ? verb === 'update' : statusVerbs.has(verb);
}

/** POST goes to a collection: of a namespace for namespaced kinds, and never to a name. */
function isWriteAcrossNamespaces(kind: KindDefinition, route: ResourceRoute): boolean {
  if (route.verb === 'deletecollection') return kind.isNamespaced && route.namespace === '';
  if (route.verb !== 'create') return false;
  return route.name !== '' || (kind.isNamespaced && route.namespace === '');
}

function toAnswerOptions(
  request: ApiRequest,
  route: ResourceRoute,
  kind: KindDefinition,
  options: ApiOptions,
): AnswerOptions {
  const form = negotiate(request.headers['accept'], kind.storage !== 'virtual');
  return {
    kind,
    form,
    isPretty: wantsPretty(route.query, request.headers['user-agent']),
    includeObject: form.as === 'Table' ? parseIncludeObject(route.query) : 'Metadata',
    clock: options.clock,
  };
}

interface WriteRequest {
  readonly request: ApiRequest;
  readonly route: ResourceRoute;
  readonly kind: KindDefinition;
  readonly source: ReadSource;
  readonly tools: WriteTools;
  readonly options: ApiOptions;
  readonly onRead: (value: Json) => void;
  /** What was read of a large body. */
  readonly ahead?: ParsedAhead | undefined;
}

async function write(request: WriteRequest, answer: AnswerOptions): Promise<ApiResponse> {
  const warnings: string[] = [];
  const { route } = request;
  await request.tools.rest();
  const of = { ...request, ahead: await readAhead(request) };
  return warning(warnings, async () => {
    switch (route.verb) {
      case 'create':
        return answerWritten(of, await create(of, warnings), answer);
      case 'update':
        return answerWritten(of, await put(of, warnings), answer);
      case 'patch':
        return answerWritten(of, await patch(of, warnings), answer);
      case 'delete':
        return remove(of, warnings, answer);
      case 'deletecollection':
        return removeAll(of, warnings, answer);
      default:
        throw methodNotAllowed();
    }
  });
}

/** Whatever the answer is, also a refusal, it carries the warnings collected meanwhile. */
async function warning(
  warnings: readonly string[],
  perform: () => Promise<ApiResponse>,
): Promise<ApiResponse> {
  try {
    return withWarnings(await perform(), warnings);
  } catch (error) {
    if (error instanceof ApiError && warnings.length > 0) throw error.withWarnings(warnings);
    throw error;
  }
}

async function answerWritten(
  of: WriteRequest,
  written: Written,
  answer: AnswerOptions,
): Promise<ApiResponse> {
  await of.tools.rest();
  const { toAnswer } = of.kind;
  const shown =
    toAnswer === undefined ? written : { status: written.status, object: toAnswer(written.object) };
  return answerObject(shown.status, shown, answer);
}

function toCall(of: WriteRequest, options: WriteOptions, warnings: string[]): WriteCall {
  const { kind, route, request } = of;
  return {
    kind,
    namespace: kind.isNamespaced ? route.namespace : '',
    name: route.name,
    subresource: route.subresource,
    user: request.user ?? anonymous,
    options,
    warnings,
  };
}

async function create(of: WriteRequest, warnings: string[]): Promise<Written> {
  const options = readOptions(of, 'CreateOptions');
  const object = decodeBody(of, options, warnings);
  await of.tools.rest();
  if (of.kind.storage === 'virtual') {
    return answerReview(of.tools, toCall(of, options, warnings), object);
  }
  const named = isBelow(of.kind, of.route) ? underName(object, of.route.name) : object;
  return createObject(of.tools, toCall(of, options, warnings), named);
}

/** Such an object has the name of the one above it. */
function underName(object: KubeObject, name: string): KubeObject {
  const { name: given = '' } = object.metadata;
  if (given !== '' && given !== name) {
    throw badRequest(
      `the name of the object (${given}) does not match the name on the URL (${name})`,
    );
  }
  return { ...object, metadata: { ...object.metadata, name } };
}

function readOptions(
  of: WriteRequest,
  kind: 'CreateOptions' | 'UpdateOptions' | 'PatchOptions',
  isApply = false,
): WriteOptions {
  const userAgent = of.request.headers['user-agent'];
  return parseWriteOptions(kind, of.route.query, { userAgent, isApply });
}

function decodeBody(of: WriteRequest, options: WriteOptions, warnings: string[]): KubeObject {
  const { validation } = options;
  const { kind, ahead } = of;
  const mediaType = requireBodyType(of.request, isNumbered(kind.schema));
  const decoded = decodeObject({ bytes: of.request.body, mediaType, kind, validation, ahead });
  warnings.push(...decoded.warnings);
  return decoded.object;
}

function requireBodyType(request: ApiRequest, takesProtobuf: boolean): BodyMediaType {
  const type = bodyType(request.headers['content-type']);
  const accepted: readonly BodyMediaType[] = takesProtobuf
    ? [...textMediaTypes, protobufMediaType]
    : textMediaTypes;
  const found = accepted.find((each) => each === type);
  if (found !== undefined) return found;
  throw unsupportedMediaType(
    'the body of the request was in an unknown format - ' +
      `accepted media types include: ${accepted.join(', ')}`,
  );
}

const textMediaTypes: readonly BodyMediaType[] = ['application/json', 'application/yaml'];

async function put(of: WriteRequest, warnings: string[]): Promise<Written> {
  const options = readOptions(of, 'UpdateOptions');
  const object = decodeBody(of, options, warnings);
  await of.tools.rest();
  const wish: Wish = {
    method: 'put',
    build: () => object,
    requireCreate: () => requireCreate(of),
  };
  return updateObject(of.tools, toCall(of, options, warnings), wish);
}

/** Creating by PUT or apply needs the right to create, too. */
function requireCreate(of: WriteRequest): void {
  const route = { ...of.route, verb: 'create' };
  authorizeRoute(route, of.request.user ?? anonymous, of.options.authorize);
}

function patch(of: WriteRequest, warnings: string[]): Promise<Written> {
  const type = bodyType(of.request.headers['content-type']);
  const options = readOptions(of, 'PatchOptions', type === 'application/apply-patch+yaml');
  const call = toCall(of, options, warnings);
  const { clock, rest } = of.tools;
  const time = toTimestamp(clock.now());
  const build = toPatchWish({ call, type, bytes: of.request.body, ahead: of.ahead, time, rest });
  return updateObject(of.tools, call, { ...build, requireCreate: () => requireCreate(of) });
}

async function remove(
  of: WriteRequest,
  warnings: string[],
  answer: AnswerOptions,
): Promise<ApiResponse> {
  const options = readDeleteOptions(of);
  const call = toDeleteCall(of, options, warnings);
  if (of.kind.storage === 'projected') {
    const { view } = of.source;
    const written = await deleteProjected({ call, options, view, deletions: of.options.deletions });
    return answerWritten(of, written, answer);
  }
  const outcome = await deleteObject(of.tools, call, options);
  if (!('success' in outcome)) return answerWritten(of, outcome, answer);
  // A Status has no Table or metadata form.
  const form = { ...answer.form, as: 'object' } as const;
  return encodeAnswer(200, outcome.success, { form, isPretty: answer.isPretty });
}

async function removeAll(
  of: WriteRequest,
  warnings: string[],
  answer: AnswerOptions,
): Promise<ApiResponse> {
  const list = parseListOptions(of.route.query, false);
  const options = readDeleteOptions(of);
  const call = toDeleteCall(of, options, warnings);
  const { items, meta } = await deleteCollection(of.tools, call, {
    source: of.source,
    list,
    options,
  });
  const isGone = (): boolean => of.request.signal.aborted;
  return answerList(fromItems(items), meta, { ...answer, isGone });
}

function readDeleteOptions(of: WriteRequest): DeleteOptions {
  const { body } = of.request;
  // DeleteOptions have a protobuf form whatever the kind is that they delete.
  const mediaType = body.length > 0 ? requireBodyType(of.request, true) : 'application/json';
  return parseDeleteOptions(body, of.route.query, mediaType, of.ahead);
}

function toDeleteCall(
  of: WriteRequest,
  { isDryRun }: DeleteOptions,
  warnings: string[],
): WriteCall {
  return toCall(of, { isDryRun, manager: '', validation: 'Warn', force: false }, warnings);
}
