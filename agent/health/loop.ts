// Reports over the bus: heartbeats every second, changes at once and then at most every 100 ms,
// everything when the bus (re)connects, when a new life begins and when a coordinator asks.
// Nothing here is retried: a lost message shows as a gap or a digest, and is asked for again.

import type { ClusterName, Revision, ServiceKey } from '../../common/model/ids.ts';
import type { Incarnation } from '../../common/model/session.ts';
import { compareIncarnations } from '../../common/model/session.ts';
import type {
  AgentEvent,
  ReportKind,
  ReportDelta,
  ReportFull,
  TelemetryMessage,
} from '../../common/model/telemetry.ts';
import { reportSubject, requestSubject, type SubjectKind } from '../../common/pure/partition.ts';
import type { Chance } from '../../common/runtime/chance.ts';
import type { Clock, Timer } from '../../common/runtime/clock.ts';
import type { Metrics } from '../../common/runtime/metrics.ts';
import type { TelemetryBus } from '../../common/runtime/telemetry-bus.ts';
import type { ApiFreshness } from './api-freshness.ts';
import type { TelemetryCodec } from './codec.ts';
import type { ShardObservations } from './shard-observations.ts';
import { ReportStream, type DeltaBody, type FullBody } from './step.ts';

export interface ReporterPorts {
  readonly bus: TelemetryBus;
  readonly codec: TelemetryCodec;
  readonly observations: ShardObservations;
  readonly freshness: ApiFreshness;
  /** The agent's life as the coordinator knows it; changes with each session. */
  readonly incarnation: () => Incarnation;
  readonly viewRevision: () => Revision;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly metrics: Metrics;
}

export interface Reporter {
  /** Sends an event for people; dropped while the bus is away. */
  record(event: Pick<AgentEvent, 'key' | 'type' | 'reason' | 'message'>): void;
  /** A session began: its incarnation makes everything to be told again. */
  renew(): void;
  stop(): void;
}

const heartbeatEveryMs = 1_000;
// Digests are a third of a heartbeat: they come with those after a change, so that a lost message
// shows at once, and then with every tenth, in case that all of those were lost.
const digestsAfterChange = 3;
const digestEvery = 10;
const coalesceMs = 100;
// A coordinator that asks in a loop gets a full state at this rate.
const fullEveryMs = 1_000;

export function startReporter(
  ports: ReporterPorts,
  names: { readonly federation: string; readonly cluster: ClusterName },
): Reporter {
  const { bus, codec, observations, freshness, clock, chance, metrics } = ports;
  const { federation, cluster } = names;
  const health = new ReportStream('health');
  const ingress = new ReportStream('ingress');
  const timers = new Set<Timer>();
  const fullDue = new Map<ReportKind, 'due' | 'waiting'>();
  const lastFullMs = new Map<ReportKind, number>();
  let life = ports.incarnation();
  let heartbeats = 0;
  let lastFlushMs = -Infinity;
  let isFlushDue = false;
  let isStopped = false;

  const send = (kind: SubjectKind, message: TelemetryMessage): void => {
    metrics.count('mesh_health_messages_total', { kind: message.kind });
    bus.publish(reportSubject(federation, kind, cluster), codec.encodeReport(message));
  };
  const later = (delayMs: number, run: () => void): void => {
    const timer = clock.after(delayMs, () => {
      timers.delete(timer);
      if (!isStopped) run();
    });
    timers.add(timer);
  };

  const pending = new Set<ServiceKey>(); // bounded by the shards of the cluster
  /** A burst about one shard is looked at once. */
  const look = (): void => {
    for (const key of pending) {
      health.set(key, observations.readiness(key));
      ingress.set(key, observations.ingress(key));
    }
    pending.clear();
  };
  const flush = (): void => {
    isFlushDue = false;
    lastFlushMs = clock.monotonicMs();
    look();
    if (!bus.isConnected()) return; // the full state at the reconnect covers it
    for (const body of health.flush()) send('health.delta', toDelta('health', body));
    for (const body of ingress.flush()) send('ingress.delta', toDelta('ingress', body));
  };
  const scheduleFlush = (): void => {
    if (isFlushDue || isStopped) return;
    isFlushDue = true;
    later(Math.max(0, lastFlushMs + coalesceMs - clock.monotonicMs()), flush);
  };

  const toDelta = <K extends ReportKind>(report: K, body: DeltaBody<K>): ReportDelta<K> => ({
    kind: 'delta',
    report,
    cluster,
    incarnation: life,
    ...body,
  });
  const toFull = <K extends ReportKind>(report: K, body: FullBody<K>): ReportFull<K> => ({
    kind: 'full',
    report,
    cluster,
    incarnation: life,
    ...body,
  });

  const sendFull = (report: ReportKind): void => {
    fullDue.delete(report);
    if (!bus.isConnected() || !observations.isComplete()) return;
    lastFullMs.set(report, clock.monotonicMs());
    look();
    if (report === 'health')
      for (const body of health.full()) send('health.full', toFull('health', body));
    else for (const body of ingress.full()) send('ingress.full', toFull('ingress', body));
  };
  const scheduleFull = (report: ReportKind): void => {
    if (fullDue.has(report) || isStopped) return;
    fullDue.set(report, 'waiting');
    const since = clock.monotonicMs() - (lastFullMs.get(report) ?? -Infinity);
    later(Math.max(0, fullEveryMs - since), () => sendFull(report));
  };
  const tellAll = (): void => {
    scheduleFull('health');
    scheduleFull('ingress');
  };

  let digestsDue = digestsAfterChange;
  let digestsOf = '';
  const isDigestDue = (): boolean => {
    const now = JSON.stringify([life, health.sequence(), ingress.sequence()]);
    if (now !== digestsOf) digestsDue = digestsAfterChange;
    digestsOf = now;
    digestsDue -= 1;
    return digestsDue >= 0 || heartbeats % digestEvery === 0;
  };

  const heartbeat = (): void => {
    if (bus.isConnected()) {
      heartbeats += 1;
      // Before the caches are complete there is nothing to compare with: no digest.
      const isDigested = observations.isComplete() && isDigestDue();
      send('heartbeat', {
        kind: 'heartbeat',
        cluster,
        incarnation: life,
        sequence: heartbeats,
        viewRevision: ports.viewRevision(),
        healthDigest: isDigested ? health.digest() : '',
        ingressDigest: isDigested ? ingress.digest() : '',
        healthSequence: health.sequence(),
        ingressSequence: ingress.sequence(),
        apiFresh: freshness.isFresh(),
        apiAgeMs: Math.round(freshness.ageMs()),
      });
    }
    later(heartbeatEveryMs, heartbeat);
  };

  const renew = (): void => {
    const next = ports.incarnation();
    if (compareIncarnations(next, life) === 0) return;
    life = next;
    heartbeats = 0;
    health.restart();
    ingress.restart();
    lastFullMs.clear(); // at once: the coordinator knows nothing of this life
    tellAll();
  };

  const observe = (key: ServiceKey): void => {
    pending.add(key);
    scheduleFlush();
  };

  if (observations.isComplete()) for (const key of observations.keys()) observe(key);
  const unsubscribes = [
    observations.subscribe({ onShard: observe, onComplete: tellAll }),
    bus.onConnection((isConnected) => {
      if (isConnected) tellAll();
    }),
  ];
  const server = bus.serve(requestSubject(federation, 'sync', cluster), async (message) => {
    scheduleFull(codec.decodeSyncRequest(message.payload).report);
    return new Uint8Array(); // acceptance; the full state follows
  });
  tellAll();
  later(Math.round(chance.fraction() * heartbeatEveryMs), heartbeat);

  return {
    record: (event) => send('event', { kind: 'event', cluster, incarnation: life, ...event }),
    renew,
    stop: () => {
      isStopped = true;
      server.cancel();
      for (const unsubscribe of unsubscribes) unsubscribe();
      for (const timer of timers) timer.cancel();
      timers.clear();
    },
  };
}
