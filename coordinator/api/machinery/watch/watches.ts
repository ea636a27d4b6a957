// Watch requests: from their options to a started stream, and the bound on how many there are.

import { toRevision, type Revision } from '../../../../common/model/ids.ts';
import type { ApiOptions, ApiRequest, ApiResponse, StreamBody } from '../api.ts';
import { commonHeaders, type AnswerOptions } from '../answer/answers.ts';
import { parseListOptions, type ListOptions } from '../request/options.ts';
import { reachRevision, toListPrefix, toMatcher, type ReadSource } from '../verbs/read.ts';
import type { ResourceRoute } from '../request/routes.ts';
import { internal, notAcceptable, tooManyRequests } from '../answer/status-error.ts';
import { startWatch, type EndWatch } from './watch.ts';
import { createFrameCache, createFrameEncoder } from './watch-frames.ts';

export interface WatchHandler {
  handle(
    request: ApiRequest,
    route: ResourceRoute,
    source: ReadSource,
    answer: AnswerOptions,
  ): Promise<ApiResponse>;
  close(): void;
}

// Each costs a few kilobytes at rest and its queue's bound at worst; informers use one per kind.
const watchesMax = 10_000;

export function createWatchHandler(options: ApiOptions): WatchHandler {
  const { clock, log, metrics, chance } = options;
  const cache = createFrameCache();
  const running = new Set<EndWatch>();
  return {
    handle: async (request, route, source, answer) => {
      if (running.size >= watchesMax) throw tooManyRequests();
      if (answer.form.format !== 'json') {
        throw notAcceptable(
          'only the following media types are accepted: application/json;stream=watch',
        );
      }
      const list = parseListOptions(route.query, true);
      const matches = toMatcher(source.kind, list) ?? (() => true);
      const plan = {
        view: source.view,
        prefix: toListPrefix(source.kind, route.namespace),
        from: await chooseStart(source, list),
        matches,
        encoder: createFrameEncoder(answer, matches, cache),
        allowBookmarks: list.allowBookmarks,
        marksInitialEnd: list.sendInitialEvents && list.allowBookmarks,
        timeoutMs: toTimeoutMs(list, chance.fraction()),
      };
      const { signal } = request;
      const body: StreamBody = {
        start: (sink) => {
          startWatch(plan, { clock, log, metrics, signal }, sink, running);
        },
      };
      const headers = { ...commonHeaders, 'content-type': 'application/json' };
      return { status: 200, headers, body };
    },
    close: () => {
      for (const end of running) end();
    },
  };
}

/** Undefined starts with the present state. */
async function chooseStart(source: ReadSource, list: ListOptions): Promise<Revision | undefined> {
  const text = list.resourceVersion;
  if (text !== '' && !/^\d{1,16}$/.test(text)) {
    throw internal(`invalid resource version "${text}"`); // 500, as kube-apiserver answers here
  }
  if (text === '') {
    await source.barrier();
    return undefined;
  }
  if (list.sendInitialEvents) {
    await reachRevision(source.view, Number(text));
    return undefined;
  }
  return text === '0' ? undefined : toRevision(Number(text));
}

// kube-apiserver's --min-request-timeout, half an hour, spread so that not all return at once.
const timeoutMinMs = 1_800_000;

function toTimeoutMs(list: ListOptions, fraction: number): number {
  const seconds = list.timeoutSeconds ?? 0;
  return seconds > 0 ? seconds * 1000 : timeoutMinMs * (1 + fraction);
}
