// Telemetry off the bus: the bus callback only puts bytes into a bounded, coalescing map; they
// are decoded and folded in turns of bounded length.
// Input: the subjects of all clusters. Output: decoded messages, in order for each cluster.
//
//   N1. Nothing is decoded in a bus callback (messaging.md 10.2).
//   N2. Bounded per cluster in messages and bytes: of heartbeats only the newest is kept, of
//       reports the newest; what falls out is told again (gap or digest).
//   N3. A message whose cluster is not the one in its subject is dropped and counted (I8).
//   N4. One turn lasts at most `turnMs` and gives each cluster its share (I10, I11).

import { parseClusterName, type ClusterName } from '../../common/model/ids.ts';
import type { TelemetryMessage } from '../../common/model/telemetry.ts';
import { describeError, type Log } from '../../common/runtime/log.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import type { Metrics } from '../../common/runtime/metrics.ts';
import type { BusMessage } from '../../common/runtime/telemetry-bus.ts';

const messagesMax = 512;
const bytesMax = 16 * 1024 * 1024;
/** A cluster of this many names is garbage on the subjects. */
const clustersMax = 20_000;
const turnMs = 8;
const shareMax = 16;

interface Queue {
  heartbeat: Uint8Array | undefined;
  readonly reports: Uint8Array[];
  bytes: number;
}

export interface Intake {
  receive(message: BusMessage): void;
  /** Something of this cluster is waiting to be folded. */
  isWaiting(cluster: ClusterName): boolean;
  stop(): void;
}

export function createIntake(options: {
  readonly decode: (payload: Uint8Array) => TelemetryMessage;
  readonly onMessage: (message: TelemetryMessage) => void;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
}): Intake {
  const { decode, onMessage, clock, log, metrics } = options;
  const queues = new Map<ClusterName, Queue>();
  let isScheduled = false;
  let isStopped = false;

  const schedule = (): void => {
    if (isScheduled || isStopped) return;
    isScheduled = true;
    clock.soon(() => {
      isScheduled = false;
      turn();
    });
  };

  const receive = ({ subject, payload }: BusMessage): void => {
    const [, , kind = '', , name = ''] = subject.split('.', 5);
    const cluster = parseClusterName(name);
    if (cluster === undefined || (!queues.has(cluster) && queues.size >= clustersMax)) {
      metrics.count('mesh_health_messages_dropped_total', { why: 'subject' });
      return;
    }
    const queue = queues.get(cluster) ?? { heartbeat: undefined, reports: [], bytes: 0 };
    queues.set(cluster, queue);
    if (kind === 'heartbeat') queue.heartbeat = payload;
    else enqueue(queue, payload);
    schedule();
  };

  const enqueue = (queue: Queue, payload: Uint8Array): void => {
    queue.reports.push(payload);
    queue.bytes += payload.length;
    while (queue.reports.length > messagesMax || queue.bytes > bytesMax) {
      queue.bytes -= queue.reports.shift()?.length ?? queue.bytes;
      metrics.count('mesh_health_messages_dropped_total', { why: 'overflow' }); // N2
    }
  };

  const turn = (): void => {
    const startedMs = clock.monotonicMs();
    for (const [cluster, queue] of queues) {
      queues.delete(cluster);
      if (!takeShare(cluster, queue)) queues.set(cluster, queue); // N4: behind the others
      if (isStopped || clock.monotonicMs() - startedMs >= turnMs) break;
    }
    if (queues.size > 0) schedule();
  };

  /** True when the queue is empty. */
  const takeShare = (cluster: ClusterName, queue: Queue): boolean => {
    for (const payload of queue.reports.splice(0, shareMax)) {
      queue.bytes -= payload.length;
      fold(cluster, payload);
    }
    if (queue.reports.length > 0) return false;
    // Behind the reports that it speaks of.
    if (queue.heartbeat !== undefined) fold(cluster, queue.heartbeat);
    queue.heartbeat = undefined;
    return true;
  };

  const fold = (cluster: ClusterName, payload: Uint8Array): void => {
    const message = decodeOrDrop(cluster, payload);
    if (message === undefined) return;
    if (message.cluster === cluster) onMessage(message);
    else metrics.count('mesh_health_messages_dropped_total', { why: 'cluster' }); // N3
  };

  const decodeOrDrop = (
    cluster: ClusterName,
    payload: Uint8Array,
  ): TelemetryMessage | undefined => {
    try {
      return decode(payload);
    } catch (error) {
      metrics.count('mesh_health_messages_dropped_total', { why: 'malformed' });
      log.debug('telemetry message is malformed', { cluster, error: describeError(error) });
      return undefined;
    }
  };

  return {
    receive,
    isWaiting: (cluster) => queues.has(cluster),
    stop: () => {
      isStopped = true;
      queues.clear();
    },
  };
}
