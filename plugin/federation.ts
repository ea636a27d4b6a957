// The federation's API as the plugin uses it: plain requests, and errors that say which federation
// was asked and what to do.

import type { JsonObject, KubeObject } from '../common/model/kube-object.ts';
import { MeshError } from '../common/pure/errors.ts';
import type { Chance } from '../common/runtime/chance.ts';
import type { Clock } from '../common/runtime/clock.ts';
import { createKubeClient } from '../common/runtime/kube-http.ts';
import { createExchange, type KubeEndpoint } from '../common/runtime/kube-http-exchange.ts';
import type { ResourcePath, WatchSink } from '../common/runtime/kube-client.ts';
import { describeError } from '../common/runtime/log.ts';

export const isthmus = '/apis/isthmus.dev/v1alpha1';

export interface Federation {
  readonly contextName: string;
  readonly server: string;
  /** Of the context; `default` when it names none. */
  readonly namespace: string;
  /** undefined when there is no such object. */
  get(path: string): Promise<KubeObject | undefined>;
  /** All pages. */
  list(path: string): Promise<readonly KubeObject[]>;
  /** The same, but nothing when there are more than so many. */
  listUpTo(path: string, max: number): Promise<readonly KubeObject[] | 'tooMany'>;
  post(path: string, body: object): Promise<KubeObject>;
  put(path: string, body: object): Promise<KubeObject>;
  mergePatch(path: string, body: object): Promise<KubeObject>;
  delete(path: string, options?: DeleteRequest): Promise<JsonObject>;
  watch(path: ResourcePath, sink: WatchSink): { cancel(): void };
  close(): void;
}

export interface DeleteRequest {
  readonly propagationPolicy?: 'Background' | 'Orphan';
  readonly isDryRun?: boolean;
}

const pageObjects = 500;
const missing: ReadonlySet<string> = new Set(['KUBE_NOT_FOUND', 'KUBE_NAMESPACE_MISSING']);

export function connectFederation(options: {
  readonly endpoint: KubeEndpoint;
  readonly contextName: string;
  readonly namespace: string;
  readonly timeoutMs: number;
  readonly onWarning: (text: string) => void;
  readonly clock: Clock;
  readonly chance: Chance;
}): Federation {
  const { endpoint, contextName, namespace, timeoutMs, onWarning, clock } = options;
  const exchange = createExchange(endpoint, clock);
  const client = createKubeClient({ ...options, exchange });
  const ask = async (
    method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE',
    path: string,
    body?: object,
    contentType = 'application/json',
  ): Promise<JsonObject> => {
    try {
      const text = await exchange.send({
        method,
        path,
        deadlineMs: timeoutMs,
        onWarning,
        ...(body === undefined ? {} : { body: JSON.stringify(body), contentType }),
      });
      return JSON.parse(text) as JsonObject; // the API answers objects
    } catch (error) {
      throw explain(error, { server: endpoint.server, contextName });
    }
  };
  return {
    contextName,
    server: endpoint.server,
    namespace,
    get: async (path) => {
      try {
        return toObject(await ask('GET', path));
      } catch (error) {
        if (error instanceof MeshError && missing.has(error.code)) return undefined;
        throw error;
      }
    },
    list: async (path) => {
      const items = await listPages((page) => ask('GET', page), path, Infinity);
      return items === 'tooMany' ? [] : items;
    },
    listUpTo: (path, max) => listPages((page) => ask('GET', page), path, max),
    post: async (path, body) => toObject(await ask('POST', path, body)),
    put: async (path, body) => toObject(await ask('PUT', path, body)),
    mergePatch: async (path, body) =>
      toObject(await ask('PATCH', path, body, 'application/merge-patch+json')),
    delete: (path, { propagationPolicy, isDryRun } = {}) =>
      ask('DELETE', path, {
        apiVersion: 'v1',
        kind: 'DeleteOptions',
        ...(propagationPolicy === undefined ? {} : { propagationPolicy }),
        ...(isDryRun === true ? { dryRun: ['All'] } : {}),
      }),
    watch: (path, sink) => client.watch(path, sink),
    close: () => client.close(),
  };
}

async function listPages(
  get: (path: string) => Promise<JsonObject>,
  path: string,
  max: number,
): Promise<readonly KubeObject[] | 'tooMany'> {
  const items: KubeObject[] = [];
  for (let token = ''; ; ) {
    const query = `${path.includes('?') ? '&' : '?'}limit=${pageObjects}`;
    const next = token === '' ? '' : `&continue=${encodeURIComponent(token)}`;
    const list = toList(await get(`${path}${query}${next}`));
    for (const item of list.items) items.push(item);
    if (items.length + list.remaining > max) return 'tooMany';
    token = list.next;
    if (token === '') return items;
  }
}

function toObject(answer: JsonObject): KubeObject {
  return answer as unknown as KubeObject; // the API answers the kind that was asked for
}

function toList(answer: JsonObject): {
  readonly items: readonly KubeObject[];
  readonly next: string;
  readonly remaining: number;
} {
  const { items, metadata, kind, apiVersion } = answer as unknown as {
    items?: readonly KubeObject[] | null;
    metadata?: { continue?: string; remainingItemCount?: number };
    kind?: string;
    apiVersion?: string;
  }; // metav1.List
  // Items of a typed list carry neither apiVersion nor kind.
  const typed = { apiVersion: apiVersion ?? 'v1', kind: (kind ?? '').replace(/List$/, '') };
  return {
    items: (items ?? []).map((item) => ({ ...item, ...typed })),
    next: metadata?.continue ?? '',
    remaining: metadata?.remainingItemCount ?? 0,
  };
}

/** The same error, with the federation's name and a way out where there is one. */
function explain(
  error: unknown,
  { server, contextName }: { readonly server: string; readonly contextName: string },
): unknown {
  if (!(error instanceof MeshError)) return error;
  const where = `the federation ${server} (context "${contextName}")`;
  const say = (text: string): MeshError => new MeshError(error.class, error.code, text);
  switch (error.code) {
    case 'KUBE_UNREACHABLE': {
      const why = describeError(error.cause ?? error);
      return say(
        `${where} cannot be reached: ${why}. Does the coordinator run, and is it this one?`,
      );
    }
    case 'KUBE_TIMEOUT':
      return say(`${where} does not answer in time; see --request-timeout`);
    case 'KUBE_UNAUTHORIZED':
      return say(`${where} does not know you: the credentials of that context are refused`);
    case 'KUBE_CREDENTIALS':
      return say(`no credentials for ${where}: ${describeError(error)}`);
    case 'KUBE_NOT_FOUND':
      return isUnserved(error.message)
        ? new MeshError('fatal', 'NO_FEDERATION', notFederation(server, contextName))
        : say(withoutRequest(error.message));
    default:
      return say(withoutRequest(error.message));
  }
}

function isUnserved(message: string): boolean {
  return /: HTTP 404$|could not find the requested resource/.test(message);
}

function notFederation(server: string, contextName: string): string {
  return (
    `${server} (context "${contextName}") is no federation of this version: it does not serve ` +
    'what was asked for. Choose the federation with --context'
  );
}

/** kubectl prints the server's words alone. */
function withoutRequest(message: string): string {
  return message.replace(/^[A-Z]+ \/\S+: /, '');
}
