// One member cluster in this process: the API machinery over a store in memory, the demo's
// controllers, and the agent's own Kubernetes client over an exchange that needs no socket. Its
// load balancers have addresses but no listeners.

import type { ServiceKey } from '../common/model/ids.ts';
import { splitLogKey, toLogPrefix, toServiceKey } from '../common/model/ids.ts';
import type { Chance } from '../common/runtime/chance.ts';
import type { Clock } from '../common/runtime/clock.ts';
import {
  toDeadlineError,
  toNetworkError,
  toStatusError,
} from '../common/runtime/kube-http-errors.ts';
import type {
  Exchange,
  KubeRequest,
  KubeStream,
  StreamSink,
} from '../common/runtime/kube-http-exchange.ts';
import { createKubeClient } from '../common/runtime/kube-http.ts';
import type { KubeClient } from '../common/runtime/kube-client.ts';
import { silentLog } from '../common/runtime/log.ts';
import { silentMetrics } from '../common/runtime/metrics.ts';
import { memberKinds } from '../coordinator/api/kinds/member/member.ts';
import type { Api, ApiRequest, ApiResponse } from '../coordinator/api/machinery/api.ts';
import { authorizeMasters } from '../coordinator/api/machinery/access/authorizer.ts';
import { createApi } from '../coordinator/api/machinery/server.ts';
import { readWholeBody } from '../coordinator/api/machinery/answer/whole-body.ts';
import { createDesired } from '../coordinator/desired/desired-log.ts';
import type { Desired } from '../coordinator/desired/store.ts';
import { createMemoryDisk, createMemoryStore } from '../coordinator/desired/memory-store.ts';
import { createAllocator } from '../demo/cluster/allocator.ts';
import { startControllers } from '../demo/cluster/controllers.ts';
import type { LoadBalancers } from '../demo/cluster/load-balancers.ts';

export interface SimulatedCluster {
  readonly kube: KubeClient;
  close(): Promise<void>;
}

const regions = 10;
// No cloud gives a load balancer its address sooner. Without a delay the controllers of a hundred
// clusters, all on this one machine, would compete with what is measured.
const controllersDelayMs = 500;
const silent = { log: silentLog, metrics: silentMetrics };

export async function createSimulatedCluster(options: {
  readonly name: string;
  /** From 0. Gives the cluster its addresses, its zone and its region. */
  readonly index: number;
  /** Called when the cluster's store has a new Service. */
  readonly onService: (key: ServiceKey) => void;
  readonly clock: Clock;
  readonly chance: Chance;
}): Promise<SimulatedCluster> {
  const { name, index, onService, clock, chance } = options;
  const octet = index + 1;
  const store = createMemoryStore({ disk: createMemoryDisk(chance.uuid()) });
  const desired = await createDesired({ store, clock, ...silent });
  const watch = desired.watch(toLogPrefix('', 'services'), desired.revision(), (events) => {
    for (const { kind, current } of events) {
      if (kind === 'added') onService(toServiceKey(splitLogKey(current.key)));
    }
  });
  if (watch === 'expired') throw new Error('cannot watch from the newest revision');
  const controllers = await startControllers({
    desired: tellLater(desired, clock),
    place: {
      name,
      octet,
      zone: `zone-${index}`,
      region: `region-${index % regions}`,
      provider: 'gce',
    },
    ranges: { octet, loadBalancers: `127.${11 + index}.0`, hasPrivateAddresses: false },
    loadBalancers: noListeners,
    clock,
    chance,
    log: silentLog,
  });
  const api = createApi({
    kinds: memberKinds({ allocate: createAllocator({ desired, octet }) }),
    desired,
    projections: new Map(),
    authorize: authorizeMasters,
    version: { gitVersion: 'v1.33.0' },
    clock,
    chance,
    ...silent,
  });
  const kube = createKubeClient({ exchange: toExchange(api, clock), clock, chance });
  return {
    kube,
    close: async () => {
      kube.close();
      await api.close();
      watch.cancel();
      await controllers.stop();
      await desired.close();
    },
  };
}

/** As a log whose watchers hear of changes later; reads and writes are at once. */
function tellLater(desired: Desired, clock: Clock): Desired {
  return {
    ...desired,
    watch: (prefix, from, onEvents) =>
      desired.watch(prefix, from, (events) => {
        clock.after(controllersDelayMs, () => onEvents(events));
      }),
  };
}

const noListeners: LoadBalancers = {
  settle: () => Promise.resolve(undefined),
  close: () => Promise.resolve(),
};

function toExchange(api: Api, clock: Clock): Exchange {
  const closing = new AbortController();
  return {
    send: (call) => sendOnce(api, call, clock),
    stream: (path, sink) => openStream(api, path, sink, closing.signal),
    close: () => closing.abort(),
  };
}

function toApiRequest(call: Omit<KubeRequest, 'deadlineMs'>, signal: AbortSignal): ApiRequest {
  const type = call.body === undefined ? {} : { 'content-type': call.contentType };
  return {
    method: call.method,
    target: call.path,
    headers: { accept: 'application/json', 'user-agent': 'isthmus-agent', ...type },
    body: Buffer.from(call.body ?? ''),
    user: { name: 'isthmus-agent', groups: ['system:masters'] },
    signal,
  };
}

async function sendOnce(api: Api, call: KubeRequest, clock: Clock): Promise<string> {
  const what = `${call.method} ${call.path.split('?', 1)[0] ?? ''}`;
  const abort = new AbortController();
  const late = new Promise<never>((_, reject) => {
    abort.signal.addEventListener('abort', () => reject(toDeadlineError(what, call.deadlineMs)));
  });
  const timer = clock.after(call.deadlineMs, () => abort.abort());
  try {
    const answered = await Promise.race([api.handle(toApiRequest(call, abort.signal)), late]);
    return await readBody(what, answered);
  } finally {
    timer.cancel();
  }
}

async function readBody(what: string, { status, body }: ApiResponse): Promise<string> {
  const text = Buffer.from(await readWholeBody({ body })).toString('utf8');
  if (status < 200 || status >= 300) throw toStatusError(what, status, text);
  return text;
}

function openStream(api: Api, path: string, sink: StreamSink, closing: AbortSignal): KubeStream {
  const what = `WATCH ${path.split('?', 1)[0] ?? ''}`;
  const abort = new AbortController();
  closing.addEventListener('abort', () => abort.abort(), { once: true });
  const onLine = (line: string): void => {
    if (line !== '' && !abort.signal.aborted) sink.onLine(line);
  };
  const run = async (): Promise<void> => {
    const answered = await api.handle(toApiRequest({ method: 'GET', path }, abort.signal));
    const { body } = answered;
    if (body instanceof Uint8Array) {
      sink.onEnd(toStatusError(what, answered.status, Buffer.from(body).toString('utf8')));
      return;
    }
    let rest = '';
    body.start({
      write: (chunk) => {
        if (!abort.signal.aborted) sink.onBytes();
        const lines = `${rest}${Buffer.from(chunk).toString('utf8')}`.split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines) onLine(line);
      },
      bufferedBytes: () => 0,
      drained: () => Promise.resolve(),
      end: () => {
        if (!abort.signal.aborted) sink.onEnd(undefined);
      },
    });
  };
  run().catch((error: unknown) => sink.onEnd(toNetworkError(what, error)));
  return { cancel: () => abort.abort() };
}
