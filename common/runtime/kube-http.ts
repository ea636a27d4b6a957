// Adapter of ./kube-client.ts over HTTPS and JSON. Thin on purpose: the full client library costs
// 50 MiB at import, and an agent reaches five resources. Errors are translated at this edge.

import type { JsonObject, KubeObject } from '../model/kube-object.ts';
import { MeshError } from '../pure/errors.ts';
import type { Chance } from './chance.ts';
import type { Clock } from './clock.ts';
import type { KubeClient, Preconditions, ResourcePath } from './kube-client.ts';
import { createExchange, type Exchange, type KubeEndpoint } from './kube-http-exchange.ts';
import { startWatch, type KubeList, type RunningWatch } from './kube-http-watch.ts';

const callDeadlineMs = 10_000;
const listDeadlineMs = 30_000;
// An API server that takes longer for GET /version is not one to lean on.
const versionDeadlineMs = 2_000;
const pageObjects = 500;
const pagesMax = 1_000;

/** A client of the API server at `config`; close() ends its watches and connections. */
export function connectKube(options: {
  readonly config: KubeEndpoint;
  readonly clock: Clock;
  readonly chance: Chance;
}): KubeClient {
  return createKubeClient({ ...options, exchange: createExchange(options.config, options.clock) });
}

/** The verbs over any exchange: HTTPS, or a simulated network. */
export function createKubeClient(options: {
  readonly exchange: Exchange;
  readonly clock: Clock;
  readonly chance: Chance;
}): KubeClient {
  const { exchange, clock, chance } = options;
  const watches = new Set<RunningWatch>();
  let wasAway = false;

  // The server was away and is back: a watch may hang on a dead connection without knowing.
  const noteAnswer = (): void => {
    if (!wasAway) return;
    wasAway = false;
    for (const watch of watches) watch.stir();
  };

  const client: KubeClient = {
    get: (path, name) => readOne(exchange, objectPath(path, name)),
    list: async (path) => (await listAll(exchange, path)).objects,
    ...writes(exchange),
    watch: (path, sink) => {
      const watch = startWatch({
        exchange,
        clock,
        chance,
        list: () => listAll(exchange, path),
        toPath: (resourceVersion, timeoutSeconds) =>
          `${collectionPath(path)}?${toQuery({
            watch: 'true',
            ...toNameSelector(path),
            resourceVersion,
            allowWatchBookmarks: 'true',
            timeoutSeconds: String(timeoutSeconds),
          })}`,
        sink,
      });
      watches.add(watch);
      return {
        cancel: () => {
          watches.delete(watch);
          watch.cancel();
        },
      };
    },
    version: async () => {
      try {
        const text = await exchange.send({
          method: 'GET',
          path: '/version',
          deadlineMs: versionDeadlineMs,
        });
        noteAnswer();
        return parseVersion(text);
      } catch (error) {
        wasAway = true;
        throw error;
      }
    },
    close: () => {
      for (const watch of watches) watch.cancel();
      watches.clear();
      exchange.close();
    },
    withLeave: (leave) => ({ ...client, ...writes(exchange, leave) }),
  };
  return client;
}

type Writes = Pick<KubeClient, 'create' | 'apply' | 'mergePatch' | 'jsonPatch' | 'delete'>;

function writes(exchange: Exchange, leave?: () => void): Writes {
  const write = async (
    method: 'POST' | 'PATCH',
    path: string,
    object: unknown,
    contentType: string,
  ): Promise<KubeObject> => {
    const body = JSON.stringify(object);
    const call = { method, path, body, contentType, deadlineMs: callDeadlineMs, leave };
    return parseObject(await exchange.send(call));
  };
  return {
    create: (path, object) => write('POST', collectionPath(path), object, 'application/json'),
    apply: (path, name, configuration, { fieldManager, force }) =>
      write(
        'PATCH',
        `${objectPath(path, name)}?${toQuery({ fieldManager, force: String(force) })}`,
        configuration,
        'application/apply-patch+yaml', // JSON is YAML
      ),
    mergePatch: (path, name, patch, fieldManager) =>
      write(
        'PATCH',
        `${objectPath(path, name)}?${toQuery({ fieldManager })}`,
        patch,
        'application/merge-patch+json',
      ),
    jsonPatch: (path, name, patch, fieldManager) =>
      write(
        'PATCH',
        `${objectPath(path, name)}?${toQuery({ fieldManager })}`,
        patch,
        'application/json-patch+json',
      ),
    delete: (path, name, conditions) =>
      deleteOne(exchange, objectPath(path, name), conditions, leave),
  };
}

async function readOne(exchange: Exchange, path: string): Promise<KubeObject | undefined> {
  try {
    return parseObject(await exchange.send({ method: 'GET', path, deadlineMs: callDeadlineMs }));
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

async function deleteOne(
  exchange: Exchange,
  path: string,
  { uid, resourceVersion }: Preconditions,
  leave: (() => void) | undefined,
): Promise<boolean> {
  const preconditions = { uid, resourceVersion }; // those that are undefined are left out
  const body = JSON.stringify({ apiVersion: 'v1', kind: 'DeleteOptions', preconditions });
  try {
    await exchange.send({ method: 'DELETE', path, body, deadlineMs: callDeadlineMs, leave });
    return true;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

async function listAll(exchange: Exchange, path: ResourcePath): Promise<KubeList> {
  const objects: KubeObject[] = [];
  let token = '';
  for (let page = 1; page <= pagesMax; page += 1) {
    const query = toQuery({
      limit: String(pageObjects),
      ...toNameSelector(path),
      ...(token === '' ? {} : { continue: token }),
    });
    const text = await exchange.send({
      method: 'GET',
      path: `${collectionPath(path)}?${query}`,
      deadlineMs: listDeadlineMs,
    });
    const list = parseList(text);
    for (const object of list.objects) objects.push(object);
    token = list.next;
    if (token === '') return { objects, resourceVersion: list.resourceVersion };
  }
  throw new MeshError(
    'retryable',
    'KUBE_SERVER_ERROR',
    `GET ${collectionPath(path)}: the list does not end`,
  );
}

function collectionPath({ apiVersion, plural, namespace }: ResourcePath): string {
  const root = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  const scope = namespace === undefined ? '' : `/namespaces/${encodeURIComponent(namespace)}`;
  return `${root}${scope}/${plural}`;
}

function toNameSelector({ name }: ResourcePath): Readonly<Record<string, string>> {
  return name === undefined ? {} : { fieldSelector: `metadata.name=${name}` };
}

function objectPath(path: ResourcePath, name: string): string {
  return `${collectionPath(path)}/${encodeURIComponent(name)}`;
}

function toQuery(parameters: Readonly<Record<string, string>>): string {
  return new URLSearchParams(parameters).toString();
}

function isMissing(error: unknown): boolean {
  return (
    error instanceof MeshError &&
    (error.code === 'KUBE_NOT_FOUND' || error.code === 'KUBE_NAMESPACE_MISSING')
  );
}

function parseJson(text: string): JsonObject {
  try {
    const value = JSON.parse(text) as JsonObject | null; // narrowed field by field by the callers
    if (typeof value === 'object' && value !== null) return value;
  } catch (error) {
    throw new MeshError(
      'retryable',
      'KUBE_SERVER_ERROR',
      'the API server answered something else than JSON',
      error,
    );
  }
  throw new MeshError('retryable', 'KUBE_SERVER_ERROR', 'the API server answered no object');
}

function parseObject(text: string): KubeObject {
  const object = parseJson(text);
  if (typeof object['metadata'] !== 'object') {
    throw new MeshError(
      'retryable',
      'KUBE_SERVER_ERROR',
      'the API server answered an object without metadata',
    );
  }
  return object as unknown as KubeObject; // metadata was checked; the kind is the one asked for
}

function parseList(text: string): KubeList & { readonly next: string } {
  const list = parseJson(text) as unknown as {
    apiVersion?: string;
    kind?: string;
    metadata?: { resourceVersion?: string; continue?: string };
    items?: readonly KubeObject[] | null;
  }; // metav1.List
  // I3: an answer that is no list must not pass for an empty one.
  if (list.kind?.endsWith('List') !== true || list.metadata === undefined) {
    throw new MeshError('retryable', 'KUBE_SERVER_ERROR', 'the API server answered no list');
  }
  const kind = list.kind.slice(0, -'List'.length);
  return {
    // Items of a typed list carry neither apiVersion nor kind.
    objects: (list.items ?? []).map((item) => ({
      ...item,
      apiVersion: list.apiVersion ?? 'v1',
      kind,
    })),
    resourceVersion: list.metadata.resourceVersion ?? '',
    next: list.metadata.continue ?? '',
  };
}

function parseVersion(text: string): string {
  const version = parseJson(text)['gitVersion'];
  return typeof version === 'string' ? version : '';
}
