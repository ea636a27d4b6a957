// Kubernetes Events about the federation's objects, written into the desired state.
// Input: EventRecorder.record from any stage. Output: core/v1 Events in the object's namespace
// (`default` for cluster-scoped ones).
//
//   E1. A repeat within ten minutes raises the count of the Event that is there.
//   E2. Every Event, a client's too, goes away an hour after it was last written; after a restart,
//       an hour after the newest time that it carries.
//   E3. Bounded: pending series and remembered series, where what is over is counted, and live
//       Events, of which the oldest go first.
//   E4. Recording never throws and never waits.

import {
  splitLogKey,
  toLogKey,
  toLogPrefix,
  toRevision,
  type LogKey,
} from '../../common/model/ids.ts';
import type { KubeObject } from '../../common/model/kube-object.ts';
import type { EventRecorder } from '../../common/model/views.ts';
import { contentHash } from '../../common/pure/digest.ts';
import { MeshError } from '../../common/pure/errors.ts';
import type { Chance } from '../../common/runtime/chance.ts';
import { parseTimestamp, toTimestamp, type Clock, type Timer } from '../../common/runtime/clock.ts';
import type { Log } from '../../common/runtime/log.ts';
import { createLoop } from '../../common/runtime/loop.ts';
import type { Metrics } from '../../common/runtime/metrics.ts';
import {
  followNew,
  type Desired,
  type DesiredWrite,
  type StoredObject,
  type WatchHandle,
} from '../desired/store.ts';

const seriesMs = 600_000;
const expiryMs = 3_600_000;
/** Expiries are collected for this long, so that an old log costs few timers. */
const expirySpacingMs = 1000;
const pendingMax = 1000;
const seriesMax = 4096;
const eventsMax = 10_000;
const messageMax = 1024;
const component = 'isthmus';

type Recorded = Parameters<EventRecorder['record']>[0];

interface Series {
  readonly recorded: Recorded;
  readonly key: LogKey;
  readonly firstMs: number;
  readonly lastMs: number;
  readonly count: number;
}

export interface Events extends EventRecorder {
  start(): void;
  /** Everything recorded so far is written. */
  idle(): Promise<void>;
  stop(): Promise<void>;
}

export function createEventRecorder(options: {
  readonly desired: Desired;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly log: Log;
  readonly metrics: Metrics;
}): Events {
  const { desired, clock, chance, log, metrics } = options;
  const known = new Map<string, Series>();
  /** When each Event is due (monotonic), the earliest first. */
  const expiries = new Map<LogKey, number>();
  let watch: WatchHandle | undefined;
  let wake: { readonly atMs: number; readonly timer: Timer } | undefined;

  const record = (recorded: Recorded): void => {
    const id = seriesId(recorded);
    const nowMs = clock.now();
    const before = known.get(id);
    if (before === undefined && loop.depth() >= pendingMax) {
      metrics.count('mesh_status_events_dropped_total'); // E3
      return;
    }
    const isRepeat = before !== undefined && nowMs - before.lastMs <= seriesMs; // E1
    known.delete(id);
    known.set(id, {
      recorded,
      key: isRepeat ? before.key : toEventKey(recorded, id, nowMs),
      firstMs: isRepeat ? before.firstMs : nowMs,
      lastMs: nowMs,
      count: isRepeat ? before.count + 1 : 1,
    });
    if (known.size > seriesMax) known.delete(known.keys().next().value ?? id);
    loop.mark(id);
  };

  const write = async (id: string): Promise<undefined> => {
    const series = known.get(id);
    if (series === undefined) return undefined;
    const guard = guardOf(desired, series.key);
    if (guard === undefined) return undefined; // its namespace goes, and everything in it
    const stored = desired.get(series.key);
    const object = toEvent(series, stored?.object.metadata.uid ?? chance.uuid());
    const expected = stored?.revision ?? toRevision(0);
    const outcome = await desired.write({ key: series.key, object, expected, guard });
    if (outcome.kind === 'written') return undefined;
    throw new MeshError('conflict', 'EVENT_CONFLICT', `event ${series.key} was changed meanwhile`);
  };

  const expire = async (key: LogKey): Promise<void> => {
    const stored = desired.get(key);
    if (stored === undefined) return;
    await desired.write({ key, object: undefined, expected: stored.revision });
  };

  const loop = createLoop<string>({
    name: 'status-events',
    run: write,
    clock,
    chance,
    log,
    concurrency: 4,
  });
  const expiryLoop = createLoop<LogKey>({
    name: 'status-event-expiry',
    run: async (key) => {
      await expire(key);
      return undefined;
    },
    clock,
    chance,
    log,
    concurrency: 2,
  });

  /** What is written now is due last, so that the order stands without sorting. */
  const note = ({ key }: StoredObject, isDeleted: boolean): void => {
    expiries.delete(key);
    if (isDeleted) return;
    const atMs = clock.monotonicMs() + expiryMs;
    expiries.set(key, atMs);
    wakeAt(atMs);
    evictOldest();
  };

  const evictOldest = (): void => {
    for (const key of expiries.keys()) {
      if (expiries.size <= eventsMax) return;
      expiries.delete(key); // E3
      expiryLoop.mark(key);
      metrics.count('mesh_status_events_evicted_total');
    }
  };

  /** E2, of what is there at the start. */
  const noteAll = (): void => {
    const nowMs = clock.now();
    const found = [...desired.list(toLogPrefix('', 'events'))].map(({ key, object }) => {
      const ageMs = Math.max(0, nowMs - (lastWrittenMs(object) ?? nowMs));
      return { key, atMs: clock.monotonicMs() + Math.max(0, expiryMs - ageMs) };
    });
    for (const { key, atMs } of found.sort((a, b) => a.atMs - b.atMs)) expiries.set(key, atMs);
    const [first] = expiries.values();
    if (first !== undefined) wakeAt(first);
    evictOldest();
  };

  /** Sets the timer to the next expiry; an earlier one wins. */
  const wakeAt = (atMs: number): void => {
    if (wake !== undefined && wake.atMs <= atMs) return;
    wake?.timer.cancel();
    const timer = clock.after(Math.max(expirySpacingMs, atMs - clock.monotonicMs()), expireDue);
    wake = { atMs, timer };
  };

  const expireDue = (): void => {
    wake = undefined;
    for (const [key, atMs] of expiries) {
      if (atMs > clock.monotonicMs()) return wakeAt(atMs);
      expiries.delete(key);
      expiryLoop.mark(key);
    }
  };

  return {
    record,
    start: () => {
      noteAll();
      watch = followNew(desired, toLogPrefix('', 'events'), ({ current, kind }) =>
        note(current, kind === 'deleted'),
      );
    },
    idle: () => loop.idle(),
    stop: async () => {
      watch?.cancel();
      wake?.timer.cancel();
      await Promise.all([loop.stop(), expiryLoop.stop()]);
    },
  };
}

function seriesId({ regarding, type, reason, message }: Recorded): string {
  const { kind, namespace = '', name, uid = '' } = regarding;
  return [kind, namespace, name, uid, type, reason, message].join('\u0000');
}

function toEventKey({ regarding }: Recorded, id: string, nowMs: number): LogKey {
  const hash = contentHash(Buffer.from(`${id}/${nowMs}`)).slice(0, 16);
  // Object names hold at most 253 characters.
  const name = `${regarding.name.slice(0, 236)}.${hash}`;
  const namespace = regarding.namespace ?? 'default';
  return toLogKey({ group: '', resource: 'events', namespace, name });
}

function toEvent(series: Series, uid: string): KubeObject {
  const { recorded, firstMs, lastMs, count, key } = series;
  const { regarding, type, reason, message } = recorded;
  const { namespace, name } = splitLogKey(key);
  const event = {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name, namespace, uid, creationTimestamp: toTimestamp(firstMs) },
    involvedObject: {
      apiVersion: regarding.apiVersion,
      kind: regarding.kind,
      name: regarding.name,
      ...(regarding.namespace === undefined ? {} : { namespace: regarding.namespace }),
      ...(regarding.uid === undefined ? {} : { uid: regarding.uid }),
    },
    reason,
    message: message.slice(0, messageMax),
    source: { component },
    firstTimestamp: toTimestamp(firstMs),
    lastTimestamp: toTimestamp(lastMs),
    count,
    type,
    eventTime: null,
    reportingComponent: component,
    reportingInstance: '',
  };
  return event;
}

/** The namespace of the Event, which must stand while it is written; undefined when it goes. */
function guardOf(desired: Desired, key: LogKey): DesiredWrite['guard'] {
  const { namespace } = splitLogKey(key);
  const stored = desired.get(toLogKey({ group: '', resource: 'namespaces', name: namespace }));
  if (stored === undefined || stored.object.metadata.deletionTimestamp !== undefined) {
    return undefined;
  }
  return { key: stored.key, revision: stored.revision };
}

/** The newest of the times that say when the Event was written. */
function lastWrittenMs(object: KubeObject): number | undefined {
  const series = 'series' in object ? object.series : undefined;
  const observed =
    typeof series === 'object' && series !== null && 'lastObservedTime' in series
      ? series.lastObservedTime
      : undefined;
  const times = [
    'lastTimestamp' in object ? object.lastTimestamp : undefined,
    observed,
    object.metadata.creationTimestamp,
    ...(object.metadata.managedFields ?? []).map((entry) => entry['time']),
  ].flatMap((text) => parseTimestamp(typeof text === 'string' ? text : undefined) ?? []);
  return times.length === 0 ? undefined : Math.max(...times);
}
