// An API server without a transport, for tests: the kinds of api-kinds.ts over a store in memory,
// and a clock that moves when told to.

import type { KubeObject } from '../../common/model/kube-object.ts';
import { toLogKey, toRevision } from '../../common/model/ids.ts';
import { systemChance, type Chance } from '../../common/runtime/chance.ts';
import { systemClock, type Clock } from '../../common/runtime/clock.ts';
import { silentLog } from '../../common/runtime/log.ts';
import { silentMetrics } from '../../common/runtime/metrics.ts';
import type {
  Admit,
  Api,
  ApiOptions,
  Authorize,
  StreamBody,
} from '../../coordinator/api/machinery/api.ts';
import type { KindDefinition, UserInfo } from '../../coordinator/api/machinery/kind.ts';
import { createApi } from '../../coordinator/api/machinery/server.ts';
import { readWholeBody } from '../../coordinator/api/machinery/answer/whole-body.ts';
import type { Desired, Store } from '../../coordinator/desired/store.ts';
import { createDesired } from '../../coordinator/desired/desired-log.ts';
import { createMemoryDisk, createMemoryStore } from '../../coordinator/desired/memory-store.ts';
import { createProjection, type Projection } from '../../coordinator/desired/projection.ts';
import { gadgetKind, namespaceKind, shadowKind, widgetKind } from './api-kinds.ts';

export const admin: UserInfo = {
  name: 'admin',
  groups: ['system:masters', 'system:authenticated'],
};

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
  call(
    method: string,
    target: string,
    body?: unknown,
    headers?: Readonly<Record<string, string>>,
  ): Promise<Answer>;
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
    readonly clock?: ManualClock;
    readonly chance?: Chance;
    readonly store?: Store;
    /** A store of another fixture, as a restarted server finds it. */
    readonly desired?: Desired;
    readonly readiness?: ApiOptions['readiness'];
    readonly deletions?: ApiOptions['deletions'];
  } = {},
): Promise<ApiFixture> {
  const clock = options.clock ?? createManualClock();
  const desired =
    options.desired ??
    (await createDesired({
      store: options.store ?? createMemoryStore({ disk: createMemoryDisk('test') }),
      clock,
      log: silentLog,
      metrics: silentMetrics,
      ...present({ windowEvents: options.windowEvents }),
    }));
  const shadows = createProjection({ epoch: 1, group: 'test.dev', resource: 'shadows', clock });
  const api = createApi({
    kinds: options.kinds ?? [namespaceKind, gadgetKind, widgetKind, shadowKind],
    desired,
    projections: new Map([['test.dev/shadows', shadows]]),
    authorize: options.authorize ?? (() => ({ allowed: true })),
    version: { gitVersion: 'v1.34.0+isthmus.1' },
    clock,
    chance: options.chance ?? systemChance,
    log: silentLog,
    metrics: silentMetrics,
    ...present({
      admit: options.admit,
      readiness: options.readiness,
      deletions: options.deletions,
    }),
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
  const outcome = await desired.write({
    key,
    object: { kind: kind.kind, apiVersion, ...part },
    expected,
  });
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
  const bytes =
    typeof body === 'string' || body instanceof Uint8Array
      ? Buffer.from(body)
      : body === undefined
        ? Buffer.alloc(0)
        : Buffer.from(JSON.stringify(body));
  const response = await api.handle({
    method,
    target,
    headers,
    body: bytes,
    user: admin,
    signal: new AbortController().signal,
  });
  const answer = Buffer.from(await readWholeBody(response)).toString('utf8');
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
  const request = {
    method: 'GET',
    target,
    headers,
    body: Buffer.alloc(0),
    user: admin,
    signal: abort.signal,
  };
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
      const lines = Buffer.concat(chunks)
        .toString('utf8')
        .split('\n')
        .filter((line) => line !== '');
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
