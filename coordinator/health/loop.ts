// Health of each cluster and shard, with its evidence. Observed state in, verdicts out.
// Input: telemetry, Sessions, placement, probes, what the log recorded. Output: HealthView for
// dns and status, PeerSource for session.
//
//   I3. Silence is not death: a cluster is dead only when probes prove it (step-cluster.ts).
//   I6. On suspicion, verdicts freeze; only proof or a policy withdraws.
//   I10. A cluster that floods or hangs costs its own share (intake.ts, suspicions.ts).
// Read on: fold.ts, step-cluster.ts, step-suspicion.ts, step-shard.ts.

import type { HealthOptions } from './options.ts';
import {
  splitLogKey,
  toClusterName,
  toLogPrefix,
  type ServiceKey,
} from '../../common/model/ids.ts';
import { isthmusGroup, type Cluster } from '../../common/model/isthmus-kinds.ts';
import type { HealthView, PeerSource } from '../../common/model/views.ts';
import { toCanonicalJson } from '../../common/pure/canonical-json.ts';
import { topologyOf } from '../../common/pure/cluster-topology.ts';
import { reportPatterns } from '../../common/pure/partition.ts';
import type { Timer } from '../../common/runtime/clock.ts';
import { follow, type StoredObject } from '../desired/store.ts';
import { tickMs } from './lag.ts';
import { buildParts } from './parts.ts';
import { recordedShards } from './recorded.ts';

export interface Health {
  readonly view: HealthView;
  readonly peers: PeerSource;
  /** Placement must have reached the log's end before. */
  start(): void;
  /** Nothing that was marked is still to be judged. */
  idle(): Promise<void>;
  stop(): Promise<void>;
}

export function createHealth(options: HealthOptions): Health {
  const parts = buildParts(options);
  const { table, shards, suspicions, intake, policies, peers, topologies } = parts;
  const { desired, placement, sessions, bus, config, clock, metrics } = options;
  const cancels: (() => void)[] = [];
  let ticker: Timer | undefined;
  let isStopped = false;

  const tick = (): void => {
    const lagMs = parts.lag.tick(clock.monotonicMs());
    metrics.gauge('mesh_health_event_loop_lag_seconds', lagMs / 1000);
    // Twice round the event loop: what the sockets hold is read before silence is judged.
    clock.soon(() => clock.soon(judgeOverdue));
    ticker = clock.after(tickMs, tick);
  };

  const judgeOverdue = (): void => {
    if (isStopped) return;
    table.judgeOverdue(intake.isWaiting);
    suspicions.tick();
    parts.graces.tick();
    parts.takeVantageChange();
  };

  const onCluster = ({ key, object }: StoredObject, isDeleted: boolean): void => {
    const cluster = toClusterName(splitLogKey(key).name);
    if (isDeleted) {
      parts.forget(cluster);
      return;
    }
    const topology = topologyOf(object as Cluster);
    const isMoved = toCanonicalJson(topologies.get(cluster)) !== toCanonicalJson(topology);
    topologies.set(cluster, topology);
    table.put(cluster, object as Cluster);
    if (!isMoved) return;
    for (const { key: service } of placement.shardsOf(cluster)) peers.changed(cluster, service);
  };

  /** One cluster a turn, where it may be any Service. */
  const onPrivateViews = (key: ServiceKey | undefined): void => {
    if (key !== undefined) {
      for (const cluster of placement.clustersOf(key)) shards.mark(cluster, key);
      return;
    }
    const names = [...table.entries()].map(({ name }) => name);
    const next = (at: number): void => {
      const name = names[at];
      if (name === undefined || isStopped) return;
      shards.markCluster(name);
      clock.soon(() => next(at + 1));
    };
    next(0);
  };

  const start = (): void => {
    const clusters = follow(desired, toLogPrefix(isthmusGroup, 'clusters'), ({ current, kind }) =>
      onCluster(current, kind === 'deleted'),
    );
    cancels.push(() => clusters.cancel());
    for (const { verdict, damping } of recordedShards(desired, clock.monotonicMs())) {
      if (table.entry(verdict.cluster) !== undefined) shards.restore(verdict, damping);
    }
    policies.start();
    if (options.privateViews !== undefined)
      cancels.push(options.privateViews.subscribe(onPrivateViews));
    cancels.push(
      placement.subscribe(({ cluster, key }) => {
        shards.mark(cluster, key);
        peers.changed(cluster, key);
      }),
      sessions.subscribe(({ cluster, key }) => {
        if (key === undefined) parts.onSession(cluster);
      }),
      ...reportPatterns(config.federation).map((pattern) => {
        const subscription = bus.subscribe(pattern, intake.receive);
        return () => subscription.cancel();
      }),
    );
    for (const { name, verdict } of table.entries()) {
      shards.markCluster(name);
      // Recorded as silent or dead: its recovery may be seen by a probe before it reports.
      if (verdict.life === 'silent' || verdict.life === 'dead') suspicions.suspect(name);
    }
    ticker = clock.after(tickMs, tick);
  };

  const stop = async (): Promise<void> => {
    isStopped = true;
    ticker?.cancel();
    for (const cancel of cancels.splice(0)) cancel();
    policies.stop();
    intake.stop();
    suspicions.stop();
    await Promise.all([shards.stop(), parts.baseline.stop(), parts.syncing.stop()]);
  };

  return { view: parts.view, peers, start, stop, idle: () => shards.idle() };
}
