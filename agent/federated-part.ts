// The part of an agent that needs to know its federation: applier, observations, and, as long as
// the bus can be had, reporter and probe responder. Begins at the first welcome (or from disk).

import type { ClusterName, ServiceKey } from '../common/model/ids.ts';
import type { ProbeResult } from '../common/model/telemetry.ts';
import { countUsable } from '../common/pure/usable-endpoints.ts';
import { createLoop } from '../common/runtime/loop.ts';
import type { TelemetryBus } from '../common/runtime/telemetry-bus.ts';
import {
  decodeProbeRequest,
  decodeSyncRequest,
  encodeProbeReply,
  encodeReport,
} from '../common/wire/telemetry-codec.ts';
import type { AgentPorts, AgentSettings, ClusterCaches } from './agent-ports.ts';
import { startReporter, type Reporter } from './health/loop.ts';
import { serveProbes } from './health/probe-responder.ts';
import { ReachedTargets } from './health/reached.ts';
import type { ProbeRules } from './health/plan-probe.ts';
import { observeShards } from './health/shard-observations.ts';
import { startForeignTeller } from './shard/foreign-teller.ts';
import { createShardApplier, type ShardApplier } from './shard/loop.ts';

export interface FederatedPart {
  readonly federation: string;
  localShard(
    key: ServiceKey,
  ): { readonly clusterIps: readonly string[]; readonly ready: number } | undefined;
  isBusConnected(): boolean;
  /** A session began: other NATS servers perhaps, and a new life in any case. */
  renew(): void;
  /** This replica changes the cluster and reports, or stands by and only looks. */
  setActing(isActing: boolean): Promise<void>;
  stop(): Promise<void>;
}

const codec = { encodeReport, decodeSyncRequest, decodeProbeRequest, encodeProbeReply };

interface OpenBus {
  readonly bus: TelemetryBus;
  readonly identity: string;
  readonly reporter: Reporter;
  readonly probes: { stop(): void };
}

export function startFederatedPart(
  ports: AgentPorts,
  options: {
    readonly federation: string;
    readonly settings: AgentSettings;
    readonly caches: ClusterCaches;
    readonly onLocalChange: (key: ServiceKey) => void;
    readonly onProbeResult: (result: ProbeResult) => void;
  },
): FederatedPart {
  const { session, clock, chance, log } = ports;
  const { federation, settings, caches } = options;
  const names: { federation: string; cluster: ClusterName } = {
    federation,
    cluster: settings.cluster,
  };
  const observations = observeShards({
    ...caches,
    federation,
    preferredAddresses: settings.addressPreference ?? [],
    clock,
  });
  observations.subscribe({ onShard: options.onLocalChange });
  let open: OpenBus | undefined;
  let isActing = false;
  let applier: ShardApplier | undefined;
  let foreign: { stop(): void } | undefined;
  const openApplier = (): ShardApplier =>
    createShardApplier(
      {
        ...ports,
        services: caches.services,
        assignment: session.assignment,
        gate: { isFresh: () => !caches.freshness.isStale(), subscribe: caches.freshness.subscribe },
        report: (result) => session.report(result),
        record: (event) => open?.reporter.record(event),
      },
      { federation, guard: settings.guard },
    );

  // Outlives each bus: coordinators and connections change, and what was reached stays true.
  const reached = new ReachedTargets();
  const rules = (): ProbeRules => ({
    allowLoopback: settings.allowLoopback,
    ownRanges: [
      ...(settings.neverProbe ?? []),
      ...[...caches.nodes.values()].flatMap(({ podRanges }) => podRanges),
    ],
    isOwnAddress: (address) => isClusterIp(caches, address),
  });
  const close = async (): Promise<void> => {
    const closing = open;
    open = undefined;
    closing?.reporter.stop();
    closing?.probes.stop();
    await closing?.bus.close();
  };
  // The bus is not needed to live: it is opened beside everything else, and again when it moves.
  const opener = createLoop<'bus'>({
    name: 'telemetry-bus',
    clock,
    chance,
    log,
    run: async () => {
      const urls = session.welcome()?.natsUrls ?? [];
      if (!isActing) {
        await close();
        return undefined;
      }
      const identity = ports.busConnector.identity(urls);
      if (urls.length === 0 || identity === undefined) return undefined; // a welcome brings them
      if (open?.identity === identity) return undefined;
      await close();
      const bus = ports.busConnector.connect(urls);
      log.info('telemetry bus opened', { urls });
      const reporter = startReporter(
        {
          ...ports,
          bus,
          codec,
          observations,
          freshness: caches.freshness,
          incarnation: session.incarnation,
          viewRevision: session.viewRevision,
        },
        names,
      );
      const probes = serveProbes(
        { ...ports, bus, codec, rules, reached, onResult: options.onProbeResult },
        names,
      );
      open = { bus, identity, reporter, probes };
      return undefined;
    },
  });
  const setActing = async (isWanted: boolean): Promise<void> => {
    isActing = isWanted;
    opener.mark('bus');
    if (isActing) {
      applier ??= openApplier();
      foreign ??= startForeignTeller({ services: caches.services, session, clock }, settings.guard);
      return;
    }
    foreign?.stop();
    foreign = undefined;
    await applier?.stop();
    applier = undefined;
    await opener.idle();
  };
  void setActing(ports.leadership?.isLeading() ?? true);
  const unsubscribe = ports.busConnector.onChange(() => opener.mark('bus'));

  return {
    federation,
    setActing,
    localShard: (key) => {
      const ingress = observations.isComplete() ? observations.ingress(key) : undefined;
      if (ingress === undefined) return undefined;
      const readiness = observations.readiness(key);
      const ready = readiness === undefined ? 0 : countUsable(readiness);
      return { clusterIps: ingress.clusterIps, ready };
    },
    isBusConnected: () => open?.bus.isConnected() ?? false,
    renew: () => {
      open?.reporter.renew();
      opener.mark('bus');
    },
    stop: async () => {
      unsubscribe();
      foreign?.stop();
      await applier?.stop();
      await opener.stop();
      observations.stop();
      await close();
    },
  };
}

// Probes are rare and at most 64 addresses: a scan of the cache is cheaper than an index.
function isClusterIp({ services }: ClusterCaches, address: string): boolean {
  for (const { spec } of services.values()) {
    if (spec.clusterIP === address || spec.clusterIPs?.includes(address) === true) return true;
  }
  return false;
}
