// Watch requests: from their options to a started stream, and the bound on how many there are.

import { toRevision, type Revision } from '../../../../common/model/ids.ts';
import type { ApiOptions, ApiRequest, ApiResponse, StreamBody } from '../api.ts';
import { commonHeaders, type AnswerOptions } from '../answer/answers.ts';
import {
  parseListOptions,
  parseSingleResourceVersion,
  type ListOptions,
} from '../request/options.ts';
import { isExemptUser } from '../flow/flow-request.ts';
import { canReach, toListPrefix, toSelection, type ReadSource } from '../verbs/read.ts';
import type { ResourceRoute } from '../request/routes.ts';
import {
  notAcceptable,
  tooLargeResourceVersion,
  tooManyRequests,
  type ApiError,
} from '../answer/status-error.ts';
import { Watch, type WatchPlan, type WatchPorts } from './watch.ts';
import { createFrameCache, createFrameEncoder } from './watch-frames.ts';
import { WatchHub } from './watch-hub.ts';
import { BookmarkWheel, Turns } from './watch-turns.ts';

export interface WatchHandler {
  handle(
    request: ApiRequest,
    route: ResourceRoute,
    source: ReadSource,
    answer: AnswerOptions,
  ): Promise<ApiResponse>;
  close(): void;
}

// Each costs some kilobytes at rest and what its transport holds at worst; informers use one per
// kind. Rather more than the 10,000 that must be held well.
const watchesDefaultMax = 12_000;
// Of these, whoever is no administrator holds half at most: the others find room.
const userShare = 0.5;

export function createWatchHandler(options: ApiOptions): WatchHandler {
  const { clock, log, metrics, chance } = options;
  const shared = { clock, log, metrics, turns: new Turns(clock), wheel: new BookmarkWheel(clock) };
  const cache = createFrameCache();
  const hubs = new Map<ReadSource, WatchHub>();
  const running = new Set<Watch>();
  const holders = new Map<string, number>();
  const watchesMax = options.watchesMax ?? watchesDefaultMax;
  const userMax = Math.ceil(watchesMax * userShare);
  return {
    handle: async (request, route, source, answer) => {
      const holder = isExemptUser(request.user) ? undefined : (request.user?.name ?? '');
      const isGreedy = holder !== undefined && (holders.get(holder) ?? 0) >= userMax;
      if (isGreedy || running.size >= watchesMax) throw tooManyRequests();
      if (answer.form.format !== 'json') {
        throw notAcceptable(
          'only the following media types are accepted: application/json;stream=watch',
        );
      }
      const list = parseListOptions(route.query, true);
      const { prefix, matches } = toSelection(source.kind, route, list);
      const plan = {
        view: source.view,
        hub: hubOf(source, hubs),
        prefix,
        matches,
        from: await chooseStart(source, list),
        encoder: createFrameEncoder(answer, matches, cache),
        allowBookmarks: list.allowBookmarks,
        timeoutMs: toTimeoutMs(list, chance.fraction()),
      };
      const body: StreamBody = {
        start: (sink) => {
          const leave = holder === undefined ? () => undefined : enter(holders, holder);
          run(plan, { ...shared, signal: request.signal, onEnd: leave }, sink, running);
        },
      };
      const headers = { ...commonHeaders, 'content-type': 'application/json' };
      return { status: 200, headers, body };
    },
    close: () => {
      for (const watch of running) watch.finish();
    },
  };
}

/** Counts one more watch of the user; the function takes it back. */
function enter(holders: Map<string, number>, user: string): () => void {
  holders.set(user, (holders.get(user) ?? 0) + 1);
  return () => {
    const left = (holders.get(user) ?? 1) - 1;
    if (left === 0) holders.delete(user);
    else holders.set(user, left);
  };
}

function hubOf(source: ReadSource, hubs: Map<ReadSource, WatchHub>): WatchHub {
  let hub = hubs.get(source);
  if (hub === undefined) {
    hub = new WatchHub(source.view, toListPrefix(source.kind, ''));
    hubs.set(source, hub);
  }
  return hub;
}

/** The watch stands in `running` until it has ended. */
function run(
  plan: WatchPlan,
  ports: WatchPorts,
  sink: Parameters<StreamBody['start']>[0],
  running: Set<Watch>,
): void {
  const tell = (): void => ports.metrics.gauge('mesh_api_watches', running.size);
  const onEnd = (): void => {
    running.delete(watch);
    ports.onEnd();
    tell();
  };
  const watch = new Watch(plan, { ...ports, onEnd }, sink);
  running.add(watch);
  tell();
  watch.start();
}

/** Where to start; an error that the stream tells, as kube-apiserver does. Throws for others. */
async function chooseStart(
  source: ReadSource,
  list: ListOptions,
): Promise<Revision | 'present' | ApiError> {
  const { view, barrier } = source;
  const text = list.resourceVersion;
  const asked = parseSingleResourceVersion(text);
  if (text === '') await barrier();
  // SetListOptionsDefaults: without a revision the present state comes first, unless refused.
  const isPresentFirst = list.sendInitialEvents ?? asked === 0;
  if (!isPresentFirst) return asked === 0 ? view.revision() : toRevision(asked);
  if (await canReach(view, asked)) return 'present';
  return tooLargeResourceVersion(asked, view.revision());
}

// kube-apiserver's --min-request-timeout, half an hour, spread so that not all return at once.
const timeoutMinMs = 1_800_000;

function toTimeoutMs(list: ListOptions, fraction: number): number {
  const seconds = list.timeoutSeconds ?? 0;
  return seconds > 0 ? seconds * 1000 : timeoutMinMs * (1 + fraction);
}
