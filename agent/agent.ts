// One agent: its stages wired in walk order over ports, so that a process (main.ts) and the
// simulation run the same thing.
//
//   session -> assignment -> shard -> the cluster -> health -> bus
//   session -> peers -> resolver <- local health
//
// Starts with what is on disk and goes on without coordinator, bus or API server: each part waits
// for its own source only. The federation's name comes from the session (or from disk); applier,
// reports and probes begin when it is known.

import type { AgentPorts, AgentSettings, ClusterCaches } from './agent-ports.ts';
import type { ServiceKey } from '../common/model/ids.ts';
import type { KubeObject, Service } from '../common/model/kube-object.ts';
import type { Topology } from '../common/model/topology.ts';
import { createInformer } from '../common/runtime/informer.ts';
import { createEmptyInformer, createScopedInformer } from '../common/runtime/scoped-informer.ts';
import { createApiFreshness, type ApiFreshness } from './health/api-freshness.ts';
import { pickSlice } from './health/pick-slice.ts';
import {
  detectTopology,
  isSameTopology,
  pickNode,
  type DeclaredTopology,
} from './health/topology.ts';
import { watchKube } from './health/watchful-kube.ts';
import { findFederation } from './shard/plan-recovery.ts';
import { startFederatedPart, type FederatedPart } from './federated-part.ts';
import { createResolver, type Resolver } from './resolver/resolver.ts';

export interface AgentStatus {
  readonly federation: string | undefined;
  readonly isSessionOpen: boolean;
  readonly isBusConnected: boolean;
  readonly isApiFresh: boolean;
  readonly isCacheFilled: boolean;
}

export interface Agent {
  readonly resolver: Resolver;
  /** For Hello. */
  topology(): Topology;
  /** Empty while the API server has not answered. */
  kubernetesVersion(): string;
  /** Resolves when the session has been told to dial; needs neither coordinator nor API server. */
  start(): Promise<void>;
  stop(): Promise<void>;
  status(): AgentStatus;
}

// A cluster whose Nodes are not known yet must not be announced as one without zones: wait this
// long for them, then go by the record of the last run or by what is declared.
const nodesWaitMs = 5_000;

export function createAgent(given: AgentPorts, settings: AgentSettings): Agent {
  const { session, log } = given;
  const freshness = createApiFreshness(given, settings.apiCheckMs);
  const ports = { ...given, kube: watchKube(given.kube, freshness) };
  const caches = openCaches(ports, settings, freshness);
  const topology = watchTopology(ports, caches, settings.declared);
  const localListeners = new Set<(key: ServiceKey) => void>();
  let part: FederatedPart | undefined;
  const resolver = createResolver({
    ...ports,
    cluster: settings.cluster,
    local: () => ({ get: (key) => part?.localShard(key) }),
    subscribeLocal: (listener) => {
      localListeners.add(listener);
      return () => void localListeners.delete(listener);
    },
    topology: topology.current,
    federation: () => session.welcome()?.federation ?? part?.federation,
    domain: () => session.welcome()?.domain,
    isCoordinatorReachable: session.isOpen,
  });

  const join = (federation: string): void => {
    if (part?.federation === federation) return part.renew();
    // A cluster that moves to another federation: the old one's shards stay (I2).
    void part?.stop();
    part = startFederatedPart(ports, {
      federation,
      settings,
      caches,
      onLocalChange: (key) => {
        for (const listener of localListeners) listener(key);
      },
      onProbeResult: resolver.noteProbe,
    });
  };
  // A data folder that knows nothing: the shards in the cluster say whose they are.
  const recognize = (): void => {
    const federation = part === undefined ? findFederation(caches.services.values()) : undefined;
    if (federation === undefined) return;
    log.info('the federation is known by its shards in the cluster', { federation });
    join(federation);
  };
  const unsubscribes = [
    caches.services.subscribe({ onChange: () => undefined, onSynced: recognize }),
    session.onWelcome(({ federation }) => join(federation)),
    session.onPeers((update) => resolver.applyPeers({ ...update, isFull: false })),
    session.onDnsQuestion?.((request) => resolver.answer(request, 'tcp')),
    ports.leadership?.subscribe((isLeading) => part?.setActing(isLeading)),
  ];

  return {
    resolver,
    topology: topology.current,
    kubernetesVersion: caches.freshness.version,
    start: async () => {
      resolver.importPeers(session.peers());
      const known = session.welcome();
      if (known !== undefined) join(known.federation);
      await topology.known();
      session.start();
    },
    stop: async () => {
      for (const unsubscribe of unsubscribes) unsubscribe?.();
      await session.stop();
      await part?.stop();
      resolver.stop();
      topology.stop();
      closeCaches(caches);
    },
    status: () => ({
      federation: part?.federation,
      isSessionOpen: session.isOpen(),
      isBusConnected: part?.isBusConnected() ?? false,
      isApiFresh: caches.freshness.isFresh(),
      isCacheFilled: caches.services.hasSynced() && caches.slices.hasSynced(),
    }),
  };
}

function openCaches(
  { kube, log }: AgentPorts,
  { readNamespaces, readNodes }: AgentSettings,
  freshness: ApiFreshness,
): ClusterCaches {
  const common = { kube, log, namespaces: readNamespaces };
  return {
    services: createScopedInformer({
      ...common,
      path: { apiVersion: 'v1', plural: 'services' },
      pick: pickService,
    }),
    slices: createScopedInformer({
      ...common,
      path: { apiVersion: 'discovery.k8s.io/v1', plural: 'endpointslices' },
      pick: pickSlice,
    }),
    nodes:
      readNodes === false
        ? createEmptyInformer()
        : createInformer({
            kube,
            log,
            path: { apiVersion: 'v1', plural: 'nodes' },
            pick: pickNode,
          }),
    freshness,
  };
}

function closeCaches({ services, slices, nodes, freshness }: ClusterCaches): void {
  for (const cache of [services, slices, nodes, freshness]) cache.stop();
}

// Managed fields are half of an object's size, and are read afresh where they matter.
function pickService(object: KubeObject): Service {
  const { managedFields: _dropped, ...metadata } = object.metadata;
  return { ...(object as Service), metadata }; // watched under the path of Services
}

interface TopologyWatch {
  current(): Topology;
  /** Resolves when it is worth announcing. */
  known(): Promise<void>;
  stop(): void;
}

function watchTopology(
  { session, clock, log, recordedTopology }: AgentPorts,
  { nodes, freshness }: ClusterCaches,
  declared: DeclaredTopology,
): TopologyWatch {
  const recorded = recordedTopology.read();
  let current =
    recorded === undefined ? detectTopology([], declared) : withDeclared(recorded, declared);
  let version = '';
  const look = (): void => {
    if (!nodes.hasSynced()) return; // I3: no Nodes seen yet does not mean no Nodes
    const next = detectTopology(nodes.values(), declared);
    const isSame = isSameTopology(current, next);
    if (isSame && version === freshness.version()) return;
    version = freshness.version();
    if (!isSame) {
      log.info('topology detected', { ...next });
      recordedTopology.write(next);
    }
    current = next;
    session.announceTopology();
  };
  const unsubscribes = [
    nodes.subscribe({ onChange: look, onSynced: look }),
    freshness.subscribe(look),
  ];
  return {
    current: () => current,
    known: () =>
      new Promise((resolve) => {
        if (nodes.hasSynced()) return resolve();
        const timer = clock.after(nodesWaitMs, () => resolve());
        nodes.subscribe({
          onChange: () => undefined,
          onSynced: () => {
            timer.cancel();
            resolve();
          },
        });
      }),
    stop: () => {
      for (const unsubscribe of unsubscribes) unsubscribe();
    },
  };
}

function withDeclared(recorded: Topology, { zone, region, provider }: DeclaredTopology): Topology {
  const own = detectTopology([], { zone, region, provider });
  return {
    zones: own.zones.length > 0 ? own.zones : recorded.zones,
    region: own.region ?? recorded.region,
    provider: own.provider ?? recorded.provider,
  };
}
