// I3 and I6. A shard that is truly well and can be reached is not withdrawn from DNS because
// telemetry, sessions or agents are gone; and a name does not go without a target that has been
// well and seen for longer than detection and damping take.

import { splitServiceKey, toLogKey, type ServiceKey } from '../../../common/model/ids.ts';
import type { Service } from '../../../common/model/kube-object.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import { readPublication } from '../../../common/pure/publication-object.ts';
import type { Publication, PublishedShard } from '../../../common/model/publication.ts';
import { holdMaxMs } from '../../../coordinator/health/step-shard.ts';
import { sites, type Network } from '../network.ts';
import { recordOf } from '../placed.ts';
import type { AgentHost } from '../sim-agent.ts';
import type { SimBus } from '../sim-bus.ts';
import type { SimCluster } from '../sim-cluster.ts';
import type { SimCoordinator } from '../sim-coordinator.ts';
import type { Balancers } from '../sim-prober.ts';
import type { SimDisk, Written } from '../sim-store.ts';
import type { Blame, Checker } from './checker.ts';

/** A round of probes and its settling take at most this long, a store's hiccup included. */
const evidenceMs = 12_000;
/** From a pod's change to a verdict: watch, report, sync after a gap, retry of a write. */
const detectionMs = 20_000;
/** Loops retry with backoff up to 30 s, an agent dials again within 10 s. */
const lastTargetMs = holdMaxMs + detectionMs + 40_000;

export interface SilenceOptions {
  readonly disk: SimDisk;
  readonly clock: Clock;
  readonly network: Network;
  readonly balancers: Balancers;
  readonly bus: SimBus;
  readonly coordinator: SimCoordinator;
  readonly clusters: ReadonlyMap<string, SimCluster>;
  readonly agents: ReadonlyMap<string, AgentHost>;
}

export function createSilenceChecker(options: SilenceOptions, blame: Blame): Checker {
  const { disk, clock, network, balancers, coordinator, clusters, agents } = options;
  const publications = new Map<ServiceKey, Publication>();

  const wantedPorts = (key: ServiceKey): readonly number[] => {
    const service = disk.get(
      toLogKey({ group: '', resource: 'services', ...splitServiceKey(key) }),
    );
    return ((service as Service | undefined)?.spec.ports ?? []).map(({ port }) => port);
  };

  const isGoodSince = (key: ServiceKey, shard: PublishedShard, ms: number): boolean =>
    shard.addresses.length > 0 &&
    shard.addresses.every((address) => balancers.steadyMs(address, wantedPorts(key)) > ms);

  /** Sites that could not always reach the cluster lately. */
  const troubledVantages = (cluster: string): number =>
    [sites.coordinator, ...clusters.keys()].filter(
      (site) =>
        site !== cluster && clock.monotonicMs() - network.lastBrokenMs(site, cluster) <= evidenceMs,
    ).length;

  const isAgentFine = (cluster: string, ms: number): boolean => {
    const nowMs = clock.monotonicMs();
    const troubles = [
      clusters.get(cluster)?.lastApiTroubleMs() ?? nowMs,
      agents.get(cluster)?.lastTroubleMs() ?? nowMs,
    ];
    return troubles.every((atMs) => nowMs - atMs > ms);
  };

  const onWritten = ({ resource, object, isDelete }: Written): void => {
    const publication = resource === 'publications' ? readPublication(object) : undefined;
    if (publication === undefined) return;
    const before = publications.get(publication.key);
    if (isDelete) return void publications.delete(publication.key);
    publications.set(publication.key, publication);
    if (before === undefined || before.serviceUid !== publication.serviceUid) return;
    for (const shard of before.shards) {
      if (shard.state !== 'healthy') continue;
      const after = publication.shards.find(({ cluster }) => cluster === shard.cluster);
      const { clusters: placed } = recordOf(disk, splitServiceKey(publication.key).name);
      // Given up as a wish: i5-moves.ts looks at how.
      if (after === undefined && !placed.includes(shard.cluster)) continue;
      if (after?.state !== 'healthy') checkLeave(publication.key, shard, after?.state ?? 'gone');
    }
  };

  const checkLeave = (key: ServiceKey, shard: PublishedShard, state: string): void => {
    const { cluster } = shard;
    const what = `${key} in ${cluster} went from healthy to ${state}`;
    if (state === 'dead') {
      if (isGoodSince(key, shard, evidenceMs) && troubledVantages(cluster) < 2) {
        blame(`${what}, though it answers wherever it is asked from`);
      }
      return;
    }
    const damping = state === 'heldDown' ? holdMaxMs : 0;
    const boundMs = damping + detectionMs;
    if (isGoodSince(key, shard, boundMs) && isAgentFine(cluster, boundMs)) {
      blame(`${what}, though it has been well for ${boundMs} ms`);
    }
  };

  /** When anything was last in the way between this cluster's health and DNS. */
  const isObservedSince = (cluster: string, ms: number): boolean => {
    const nowMs = clock.monotonicMs();
    const paths: readonly (readonly [string, string])[] = [
      [cluster, sites.bus],
      [cluster, sites.coordinator],
      [sites.bus, sites.coordinator],
    ];
    return (
      isAgentFine(cluster, ms) &&
      nowMs - coordinator.lastTroubleMs() > ms &&
      nowMs - options.bus.lastDownMs() > ms &&
      nowMs - disk.lastTroubleMs() > ms &&
      paths.every(([a, b]) => nowMs - network.lastBrokenMs(a, b) > ms)
    );
  };

  /** Who stands aside takes the place of one that was thought better once that one is found out. */
  const nowhere = new Map<ServiceKey, number>();
  const isLongNowhere = ({ key, shards }: Publication): boolean => {
    const nowMs = clock.monotonicMs();
    const answering = shards.filter(({ inDns }) => inDns);
    const isSeen = answering.every(({ cluster }) => isObservedSince(cluster, lastTargetMs));
    const sinceMs = isSeen ? (nowhere.get(key) ?? nowMs) : nowMs;
    nowhere.set(key, sinceMs);
    return nowMs - sinceMs > detectionMs;
  };

  const onStep = (): void => {
    for (const publication of publications.values()) {
      const good = publication.shards.filter(
        (shard) =>
          shard.isDrained !== true && // out of DNS as a wish, for as long as a provider is away
          isGoodSince(publication.key, shard, lastTargetMs) &&
          isObservedSince(shard.cluster, lastTargetMs),
      );
      if (good.length === 0) {
        nowhere.delete(publication.key);
        continue;
      }
      const published = publication.recordSets
        .filter(({ level }) => level === 'global')
        .flatMap(({ values }) => values);
      if (published.some((address) => balancers.answers(address))) {
        nowhere.delete(publication.key);
        continue;
      }
      if (!good.some(({ inDns }) => inDns) && !isLongNowhere(publication)) continue;
      const names = good.map(({ cluster }) => cluster).join(', ');
      blame(`${publication.key} leads nowhere that answers, though ${names} has long been well`);
    }
  };

  return { invariant: 'I3/I6', onWritten, onStep };
}
