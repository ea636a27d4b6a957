// An API server without a transport, for tests: two kinds, a namespace kind and a projected one,
// over a store in memory and a clock that moves when told to.

import type { KubeObject } from '../../common/model/kube-object.ts';
import { toLogKey, toRevision } from '../../common/model/ids.ts';
import { systemChance } from '../../common/runtime/chance.ts';
import { systemClock, type Clock } from '../../common/runtime/clock.ts';
import { silentLog } from '../../common/runtime/log.ts';
import { silentMetrics } from '../../common/runtime/metrics.ts';
import type { Admit, Api, ApiOptions, Authorize, StreamBody } from '../../coordinator/api/machinery/api.ts';
import type { KindDefinition, UserInfo } from '../../coordinator/api/machinery/kind.ts';
import type { Schema } from '../../coordinator/api/machinery/schema.ts';
import { createApi } from '../../coordinator/api/machinery/server.ts';
import type { Desired } from '../../coordinator/desired/store.ts';
import { createDesired } from '../../coordinator/desired/desired-log.ts';
import { createMemoryDisk, createMemoryStore } from '../../coordinator/desired/memory-store.ts';
import { createProjection, type Projection } from '../../coordinator/desired/projection.ts';

const text = (description: string): Schema => ({ type: 'string', description });
const texts = (description: string): Schema => ({ type: 'map', values: text('Value.'), description });

const metadata: Schema = {
  type: 'object',
  description: 'Standard metadata.',
  goName: 'ObjectMeta',
  fields: {
    name: text('Name.'),
    generateName: text('Prefix of a generated name.'),
    namespace: text('Namespace.'),
    uid: text('Uid.'),
    resourceVersion: text('Version.'),
    generation: { type: 'integer', format: 'int64', description: 'Generation.' },
    creationTimestamp: { type: 'string', format: 'date-time', description: 'Birth.' },
    deletionTimestamp: { type: 'string', format: 'date-time', description: 'Deletion.' },
    deletionGracePeriodSeconds: { type: 'integer', format: 'int64', description: 'Grace.' },
    labels: texts('Labels.'),
    annotations: texts('Annotations.'),
    finalizers: {
      type: 'list',
      items: text('Finalizer.'),
      topology: { kind: 'set' },
      patch: { kind: 'merge' },
      description: 'Finalizers.',
    },
    managedFields: {
      type: 'list',
      items: { type: 'any', description: 'Entry.' },
      topology: { kind: 'atomic' },
      patch: { kind: 'replace' },
      description: 'Owners.',
    },
  },
};

function schemaOf(kind: string, fields: Readonly<Record<string, Schema>>): Schema {
  return {
    type: 'object',
    goName: kind,
    description: `A ${kind}.`,
    fields: { apiVersion: text('Version.'), kind: text('Kind.'), metadata, ...fields },
  };
}

const object = (description: string, fields: Readonly<Record<string, Schema>>): Schema => ({
  type: 'object',
  description,
  fields,
});

function kindOf(part: Partial<KindDefinition> & Pick<KindDefinition, 'kind' | 'plural' | 'schema'>): KindDefinition {
  return {
    group: 'test.dev',
    version: 'v1',
    singular: part.kind.toLowerCase(),
    shortNames: [],
    categories: [],
    isNamespaced: true,
    storage: 'logged',
    verbs: ['create', 'delete', 'get', 'list', 'patch', 'update', 'watch'],
    hasStatus: false,
    allowsStrategicMerge: false,
    allowsCreateOnUpdate: false,
    tracksGeneration: false,
    columns: [
      {
        name: 'Name',
        type: 'string',
        format: 'name',
        description: 'Name.',
        priority: 0,
        cell: ({ metadata: meta }) => meta.name,
      },
    ],
    fieldSelectors: {},
    validate: () => [],
    deleteAnswer: 'status',
    description: `A ${part.kind}.`,
    ...part,
  };
}

function sizeOf(object: KubeObject): number {
  const spec: { readonly size?: unknown } = object.spec ?? {};
  return typeof spec.size === 'number' ? spec.size : 0;
}

export const widgetKind = kindOf({
  kind: 'Widget',
  plural: 'widgets',
  shortNames: ['wd'],
  categories: ['all'],
  hasStatus: true,
  tracksGeneration: true,
  schema: schemaOf('Widget', {
    spec: object('Wish.', {
      size: { type: 'integer', format: 'int32', description: 'Size.' },
      colour: text('Colour.'),
    }),
    status: object('State.', { phase: text('Phase.') }),
  }),
  fieldSelectors: { 'spec.size': (widget) => String(sizeOf(widget)) },
  validate: (widget) =>
    sizeOf(widget) < 0
      ? [{ field: 'spec.size', reason: 'FieldValueInvalid', message: `Invalid value: ${sizeOf(widget)}: must not be negative` }]
      : [],
});

/** Like a Service: created by PUT, no generation, the deleted object is the answer. */
export const gadgetKind = kindOf({
  group: '',
  kind: 'Gadget',
  plural: 'gadgets',
  allowsStrategicMerge: true,
  allowsCreateOnUpdate: true,
  deleteAnswer: 'object',
  schema: schemaOf('Gadget', { spec: object('Wish.', { colour: text('Colour.') }) }),
});

export const namespaceKind = kindOf({
  group: '',
  kind: 'Namespace',
  plural: 'namespaces',
  isNamespaced: false,
  hasStatus: true,
  allowsStrategicMerge: true,
  deleteAnswer: 'object',
  schema: schemaOf('Namespace', {
    spec: object('Wish.', {}),
    status: object('State.', { phase: text('Phase.') }),
  }),
  forbidDelete: ({ metadata: meta }) =>
    meta.name === 'default' ? 'this namespace may not be deleted' : undefined,
});

export const shadowKind = kindOf({
  kind: 'Shadow',
  plural: 'shadows',
  storage: 'projected',
  verbs: ['get', 'list', 'watch'],
  schema: schemaOf('Shadow', {}),
});

export const admin: UserInfo = { name: 'admin', groups: ['system:masters', 'system:authenticated'] };

export interface ManualClock extends Clock {
  /** Runs what is due, in order. */
  advance(ms: number): void;
}

export function createManualClock(startMs = Date.UTC(2026, 0, 2, 3, 4, 5)): ManualClock {
  let elapsed = 0;
  const due = new Set<{ readonly at: number; readonly run: () => void }>();
  return {
    now: () => startMs + elapsed,
    monotonicMs: () => elapsed,
    after: (delayMs, run) => {
      const entry = { at: elapsed + delayMs, run };
      due.add(entry);
      return { cancel: () => void due.delete(entry) };
    },
    soon: (run) => systemClock.soon(run),
    advance: (ms) => {
      elapsed += ms;
      for (const entry of [...due].sort((a, b) => a.at - b.at)) {
        if (entry.at > elapsed || !due.delete(entry)) continue;
        entry.run();
      }
    },
  };
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
  readonly text: string;
  /** Parsed; tests reach into it. */
  readonly json: Readonly<Record<string, unknown>>;
}

export interface WatchTap {
  readonly status: number;
  /** Events so far, after all pending work. */
  events(): Promise<readonly WatchedEvent[]>;
  isEnded(): boolean;
  /** What the transport claims to hold back. */
  holdBack(bytes: number): void;
  abort(): void;
}

export interface WatchedEvent {
  readonly type: string;
  readonly object: KubeObject & Readonly<Record<string, unknown>>;
}

export interface ApiFixture {
  readonly api: Api;
  readonly desired: Desired;
  readonly shadows: Projection;
  readonly clock: ManualClock;
  call(method: string, target: string, body?: unknown, headers?: Readonly<Record<string, string>>): Promise<Answer>;
  watch(target: string, headers?: Readonly<Record<string, string>>): Promise<WatchTap>;
  /** Writes past the API. */
  put(kind: KindDefinition, object: Omit<KubeObject, 'apiVersion' | 'kind'>): Promise<KubeObject>;
}

export async function createApiFixture(
  options: {
    readonly kinds?: readonly KindDefinition[];
    readonly authorize?: Authorize;
    readonly admit?: Admit;
    readonly windowEvents?: number;
    readonly readiness?: ApiOptions['readiness'];
  } = {},
): Promise<ApiFixture> {
  const clock = createManualClock();
  const desired = await createDesired({
    store: createMemoryStore({ disk: createMemoryDisk('test') }),
    clock,
    log: silentLog,
    metrics: silentMetrics,
    ...present({ windowEvents: options.windowEvents }),
  });
  const shadows = createProjection({ epoch: 1, group: 'test.dev', resource: 'shadows', clock });
  const api = createApi({
    kinds: options.kinds ?? [namespaceKind, gadgetKind, widgetKind, shadowKind],
    desired,
    projections: new Map([['test.dev/shadows', shadows]]),
    authorize: options.authorize ?? (() => ({ allowed: true })),
    version: { gitVersion: 'v1.33.0+isthmus.1' },
    clock,
    chance: systemChance,
    log: silentLog,
    metrics: silentMetrics,
    ...present({ admit: options.admit, readiness: options.readiness }),
  });
  const fixture: ApiFixture = {
    api,
    desired,
    shadows,
    clock,
    call: (method, target, body, headers) => call(api, method, target, body, headers),
    watch: (target, headers) => watch(api, target, headers),
    put: (kind, part) => put(desired, kind, part),
  };
  await fixture.put(namespaceKind, { metadata: { name: 'default' } });
  return fixture;
}

function present<T extends object>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  const entries = Object.entries(fields).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as { [K in keyof T]?: Exclude<T[K], undefined> };
}

async function put(
  desired: Desired,
  kind: KindDefinition,
  part: Omit<KubeObject, 'apiVersion' | 'kind'>,
): Promise<KubeObject> {
  const { name, namespace } = part.metadata;
  const key = toLogKey({ group: kind.group, resource: kind.plural, namespace, name });
  const apiVersion = kind.group === '' ? kind.version : `${kind.group}/${kind.version}`;
  const expected = desired.get(key)?.revision ?? toRevision(0);
  const outcome = await desired.write({ key, object: { kind: kind.kind, apiVersion, ...part }, expected });
  if (outcome.kind !== 'written') throw new Error(`not written: ${key}`);
  return outcome.stored.object;
}

async function call(
  api: Api,
  method: string,
  target: string,
  body?: unknown,
  headers: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  const bytes = typeof body === 'string' ? Buffer.from(body) : body === undefined ? Buffer.alloc(0) : Buffer.from(JSON.stringify(body));
  const response = await api.handle({
    method,
    target,
    headers,
    body: bytes,
    user: admin,
    signal: new AbortController().signal,
  });
  const answer = response.body instanceof Uint8Array ? Buffer.from(response.body).toString('utf8') : '';
  return { status: response.status, headers: response.headers, text: answer, json: parse(answer) };
}

function parse(answer: string): Readonly<Record<string, unknown>> {
  try {
    return JSON.parse(answer) as Readonly<Record<string, unknown>>;
  } catch {
    return {};
  }
}

async function watch(
  api: Api,
  target: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<WatchTap> {
  const abort = new AbortController();
  const request = { method: 'GET', target, headers, body: Buffer.alloc(0), user: admin, signal: abort.signal };
  const response = await api.handle(request);
  if (response.body instanceof Uint8Array) {
    throw new Error(`no stream: ${response.status} ${Buffer.from(response.body).toString('utf8')}`);
  }
  return tap(response.status, response.body, abort);
}

function tap(status: number, body: StreamBody, abort: AbortController): WatchTap {
  const chunks: Buffer[] = [];
  let held = 0;
  let wake: (() => void) | undefined;
  let isEnded = false;
  body.start({
    write: (chunk) => void chunks.push(Buffer.from(chunk)),
    bufferedBytes: () => held,
    drained: () =>
      new Promise((resolve) => {
        wake = resolve;
      }),
    end: () => {
      isEnded = true;
    },
  });
  const settle = (): Promise<void> => new Promise((resolve) => systemClock.soon(resolve));
  return {
    status,
    events: async () => {
      await settle();
      await settle();
      const lines = Buffer.concat(chunks).toString('utf8').split('\n').filter((line) => line !== '');
      return lines.map((line) => JSON.parse(line) as WatchedEvent);
    },
    isEnded: () => isEnded,
    holdBack: (bytes) => {
      held = bytes;
      if (bytes === 0) wake?.();
    },
    abort: () => abort.abort(),
  };
}
