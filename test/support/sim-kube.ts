// One cluster's Kubernetes API in this process: the real API machinery over a store in memory, and
// the agent's real client over an exchange that needs no socket. The network between them can be
// slow, cut or frozen. For tests and the simulation.

import type { MeshError } from '../../common/pure/errors.ts';
import type { KubeObject } from '../../common/model/kube-object.ts';
import type { Chance } from '../../common/runtime/chance.ts';
import { sleep, type Clock } from '../../common/runtime/clock.ts';
import {
  toDeadlineError,
  toNetworkError,
  toStatusError,
} from '../../common/runtime/kube-http-errors.ts';
import type {
  Exchange,
  KubeRequest,
  KubeStream,
  StreamSink,
} from '../../common/runtime/kube-http-exchange.ts';
import { createKubeClient } from '../../common/runtime/kube-http.ts';
import type { KubeClient } from '../../common/runtime/kube-client.ts';
import { silentLog } from '../../common/runtime/log.ts';
import { silentMetrics } from '../../common/runtime/metrics.ts';
import type { Api, ApiRequest, ApiResponse } from '../../coordinator/api/machinery/api.ts';
import type { KindDefinition } from '../../coordinator/api/machinery/kind.ts';
import { createApi } from '../../coordinator/api/machinery/server.ts';
import { readWholeBody } from '../../coordinator/api/machinery/answer/whole-body.ts';
import { createDesired } from '../../coordinator/desired/desired-log.ts';
import {
  createMemoryDisk,
  createMemoryStore,
  type MemoryDisk,
} from '../../coordinator/desired/memory-store.ts';
import type { Desired } from '../../coordinator/desired/store.ts';

/**
 * up: answers. down: refuses connections, open watches break. frozen: takes requests and says
 * nothing (a stopped process, a cut network); what was asked meanwhile is lost.
 */
export type SimKubeState = 'up' | 'down' | 'frozen';

/** A refusal as admission plugins and webhooks make one; undefined lets the request pass. */
export type Gate = (
  request: ApiRequest,
) => { readonly code: number; readonly reason: string; readonly message: string } | undefined;

export interface SimKube {
  readonly api: Api;
  readonly desired: Desired;
  /** As the named user with all rights; `agent` unless told otherwise. */
  client(user?: string): KubeClient;
  /** Below such a client, for who wraps it; deadlines run on `clock`. */
  exchange(user: string, clock: Clock): Exchange;
  set(state: SimKubeState): void;
  state(): SimKubeState;
  /** What admission says to requests from now on; undefined: nothing against any. */
  refuse(gate: Gate | undefined): void;
  /** Write requests that reached the API server: `PATCH /api/v1/...`. */
  readonly writes: readonly string[];
  close(): Promise<void>;
}

export interface SimKubeOptions {
  readonly kinds: readonly KindDefinition[];
  readonly clock: Clock;
  readonly chance: Chance;
  /** Survives the API server, as etcd does. */
  readonly disk?: MemoryDisk;
  /** Told of each request that changes something, when it has arrived. */
  readonly onWrite?: (user: string, target: string) => void;
  /** Delay of each message one way. */
  readonly delayMs?: () => number;
}

export async function createSimKube(options: SimKubeOptions): Promise<SimKube> {
  const { clock, chance } = options;
  const store = createMemoryStore({ disk: options.disk ?? createMemoryDisk(chance.uuid()) });
  const desired = await createDesired({ store, clock, log: silentLog, metrics: silentMetrics });
  const api = createApi({
    kinds: options.kinds,
    desired,
    projections: new Map(),
    authorize: () => ({ allowed: true }),
    version: { gitVersion: 'v1.33.0' },
    clock,
    chance,
    log: silentLog,
    metrics: silentMetrics,
  });
  const network = new Network(options);
  const writes: string[] = [];
  let gate: Gate | undefined;
  const handle = (request: ApiRequest): Promise<ApiResponse> => {
    if (request.method !== 'GET') {
      const path = request.target.split('?', 1)[0] ?? '';
      writes.push(`${request.method} ${path}`);
      options.onWrite?.(request.user?.name ?? '', path);
    }
    const refusal = gate?.(request);
    return refusal === undefined ? api.handle(request) : Promise.resolve(toStatus(refusal));
  };
  return {
    api,
    desired,
    client: (user = 'agent') =>
      createKubeClient({ exchange: connect(handle, network, clock, user), clock, chance }),
    exchange: (user, itsClock) => connect(handle, network, itsClock, user),
    set: (state) => network.set(state),
    state: () => network.state,
    refuse: (next) => {
      gate = next;
    },
    writes,
    close: async () => {
      network.set('down');
      await api.close();
      await desired.close();
    },
  };
}

function toStatus(refusal: NonNullable<ReturnType<Gate>>): ApiResponse {
  const status = { apiVersion: 'v1', kind: 'Status', status: 'Failure', ...refusal };
  return { status: refusal.code, headers: {}, body: Buffer.from(JSON.stringify(status)) };
}

class Network {
  state: SimKubeState = 'up';
  readonly #options: SimKubeOptions;
  readonly #breakers = new Set<() => void>();
  readonly #thawing: (() => void)[] = [];

  constructor(options: SimKubeOptions) {
    this.#options = options;
  }

  set(state: SimKubeState): void {
    this.state = state;
    if (state === 'up') for (const wake of this.#thawing.splice(0)) wake();
    if (state !== 'down') return;
    for (const breakOne of this.#breakers) breakOne();
  }

  onBreak(breakOne: () => void): () => void {
    this.#breakers.add(breakOne);
    return () => void this.#breakers.delete(breakOne);
  }

  /** Resolves at once, or when a frozen network moves again. */
  thawed(): Promise<void> {
    return this.state === 'frozen'
      ? new Promise((resolve) => this.#thawing.push(resolve))
      : Promise.resolve();
  }

  async travel(): Promise<void> {
    const delayMs = this.#options.delayMs?.() ?? 0;
    if (delayMs > 0) await sleep(this.#options.clock, delayMs);
  }
}

function connect(
  handle: (request: ApiRequest) => Promise<ApiResponse>,
  network: Network,
  clock: Clock,
  user: string,
): Exchange {
  const closing = new AbortController();
  const toRequest = (call: Omit<KubeRequest, 'deadlineMs'>, signal: AbortSignal): ApiRequest => ({
    method: call.method,
    target: call.path,
    headers: {
      accept: 'application/json',
      'user-agent': 'isthmus-agent',
      ...(call.body === undefined
        ? {}
        : { 'content-type': call.contentType ?? 'application/json' }),
    },
    body: Buffer.from(call.body ?? ''),
    user: { name: user, groups: ['system:masters'] },
    signal,
  });
  return {
    send: (call) =>
      sendOnce(call, { network, clock, ask: (signal) => handle(toRequest(call, signal)) }),
    stream: (path, sink) =>
      openStream(path, sink, network, (signal) =>
        handle(toRequest({ method: 'GET', path }, signal)),
      ),
    close: () => closing.abort(),
  };
}

async function sendOnce(
  call: KubeRequest,
  through: {
    readonly network: Network;
    readonly clock: Clock;
    readonly ask: (signal: AbortSignal) => Promise<ApiResponse>;
  },
): Promise<string> {
  const { network, clock, ask } = through;
  const what = `${call.method} ${call.path.split('?', 1)[0] ?? ''}`;
  const abort = new AbortController();
  const exchange = async (): Promise<string> => {
    await network.travel();
    if (network.state === 'down') throw toNetworkError(what, new Error('connection refused'));
    if (network.state === 'frozen') return await new Promise<string>(() => undefined);
    const { status, body } = await ask(abort.signal);
    await network.travel();
    // Else the answer is lost.
    if (network.state !== 'up') return await new Promise<string>(() => undefined);
    const text = Buffer.from(await readWholeBody({ body })).toString('utf8');
    if (status < 200 || status >= 300) throw toStatusError(what, status, text);
    return text;
  };
  return await new Promise<string>((resolve, reject) => {
    const timer = clock.after(call.deadlineMs, () => {
      abort.abort();
      reject(toDeadlineError(what, call.deadlineMs));
    });
    exchange().then(
      (text) => {
        timer.cancel();
        resolve(text);
      },
      (error: unknown) => {
        timer.cancel();
        reject(error as MeshError);
      },
    );
  });
}

function openStream(
  path: string,
  sink: StreamSink,
  network: Network,
  ask: (signal: AbortSignal) => Promise<ApiResponse>,
): KubeStream {
  const what = `WATCH ${path.split('?', 1)[0] ?? ''}`;
  const abort = new AbortController();
  let isDone = false;
  const end = (error: MeshError | undefined): void => {
    if (isDone) return;
    isDone = true;
    abort.abort();
    forget();
    sink.onEnd(error);
  };
  const forget = network.onBreak(() => end(toNetworkError(what, new Error('connection reset'))));
  const run = async (): Promise<void> => {
    await network.travel();
    if (network.state === 'down') return end(toNetworkError(what, new Error('connection refused')));
    if (network.state === 'frozen') return;
    const { status, body } = await ask(abort.signal);
    if (body instanceof Uint8Array)
      return end(toStatusError(what, status, Buffer.from(body).toString('utf8')));
    // TCP keeps what a frozen peer sent: order and content survive, only the time does not.
    let rest = '';
    let tail = Promise.resolve();
    body.start({
      write: (chunk) => {
        rest += Buffer.from(chunk).toString('utf8');
        const lines = rest.split('\n');
        rest = lines.pop() ?? '';
        tail = tail
          .then(() => network.travel())
          .then(() => network.thawed())
          .then(() => {
            if (!isDone) sink.onBytes();
            for (const line of lines) if (line !== '' && !isDone) sink.onLine(line);
          });
      },
      bufferedBytes: () => 0,
      drained: () => Promise.resolve(),
      end: () => end(undefined),
    });
  };
  run().catch((error: unknown) => end(toNetworkError(what, error)));
  return {
    cancel: () => {
      isDone = true;
      forget();
      abort.abort();
    },
  };
}

/** A Service as users write it. */
export function toTestService(namespace: string, name: string, spec: object): KubeObject {
  return { apiVersion: 'v1', kind: 'Service', metadata: { namespace, name }, spec };
}
