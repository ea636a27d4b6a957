// One coordinator: its stages wired in walk order over ports, so that a process (main.ts) and the
// simulation run the same thing.
//
//   api -> desired -> placement -> session -> (agents) -> health -> dns -> status
//
// Stages see each other only through the read views of common/model/views.ts.

import { isthmusGroup, type ApprovalMode } from '../common/model/isthmus-kinds.ts';
import { toClusterName, toLogKey, toRevision } from '../common/model/ids.ts';
import type { KubeObject } from '../common/model/kube-object.ts';
import type { EventRecorder, PeerSource } from '../common/model/views.ts';
import type { AddressRules } from '../common/pure/address-rules.ts';
import { invariant } from '../common/pure/errors.ts';
import type { Chance } from '../common/runtime/chance.ts';
import { toTimestamp, type Clock } from '../common/runtime/clock.ts';
import type { Log } from '../common/runtime/log.ts';
import type { Metrics } from '../common/runtime/metrics.ts';
import type { Prober } from '../common/runtime/prober.ts';
import type { TelemetryBus } from '../common/runtime/telemetry-bus.ts';
import { createAdmission } from './admission/admission.ts';
import { parsePoolRanges } from './api/allocation/pool-ranges.ts';
import {
  createServicePools,
  type PoolRanges,
  type ServicePools,
} from './api/allocation/service-pools.ts';
import {
  keepKubernetesService,
  type ApiAddress,
  type KubernetesService,
} from './api/kubernetes-service.ts';
import { federationKinds, type FederationKindsOptions } from './api/kinds/all.ts';
import type { Admit, Api, DeleteProjected } from './api/machinery/api.ts';
import { startAccess } from './api/access/stage.ts';
import type { Access } from './api/machinery/access/access.ts';
import type { AuditOptions } from './api/machinery/access/request-audit.ts';
import type { KindDefinition } from './api/machinery/kind.ts';
import type { ReadYaml } from './api/machinery/schema/parse-ahead.ts';
import { createApi } from './api/machinery/server.ts';
import { createProjection, type Projection } from './desired/projection.ts';
import type { Desired } from './desired/store.ts';
import { acquireTerm, type Term } from './desired/term.ts';
import { createDnsStage, type DnsStage } from './dns-stage.ts';
import type { DnsLookout } from './dns/check/loop.ts';
import type { OpenDnsProvider } from './dns/zones/options.ts';
import { createHealth } from './health/loop.ts';
import type { HealthConfig } from './health/options.ts';
import { createPlacement } from './placement/loop.ts';
import { createPrivateViews } from './private-views.ts';
import type { CertificateAuthority } from './session/certificate-authority.ts';
import { createSessions, type Sessions } from './session/loop.ts';
import type { TelemetryUsers } from './session/stage.ts';
import type { MeshListener } from './session/mesh-port.ts';
import { createEventRecorder } from './status/events.ts';
import { createStatus } from './status/loop.ts';
import { createShardDeletion } from './admission/unclaimed-shards.ts';

export interface CoordinatorPorts {
  readonly desired: Desired;
  readonly bus: TelemetryBus;
  readonly prober: Prober;
  readonly listener: MeshListener;
  readonly authority: CertificateAuthority;
  readonly telemetryUsers: TelemetryUsers;
  /** Without it (the simulation) no zone but the embedded one is served. */
  readonly openDnsProvider?: OpenDnsProvider;
  /** Without it (the simulation) nobody looks at the delegation of zones. */
  readonly dnsLookout?: DnsLookout;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly log: Log;
  readonly metrics: Metrics;
  /** Without it YAML is read on this thread (the simulation). */
  readonly readYaml?: ReadYaml;
}

export interface CoordinatorOptions {
  readonly federation: string;
  readonly domain: string;
  readonly ttlSeconds: number;
  readonly addressRules: AddressRules;
  /** Of our marks at DNS providers. Default: the store's identity. */
  readonly dnsOwnerId?: string | undefined;
  /** 32 bytes; signs batch receipts. */
  readonly receiptKey: Uint8Array;
  /** Lower-case hex SHA-256 over the CA's DER, pinned by join tokens. */
  readonly caHash: string | (() => string);
  /** Of join tokens that do not say. Default: Automatic. */
  readonly joinApproval?: ApprovalMode;
  /** Of this program: told to agents, and compared with theirs. */
  readonly version?: string;
  /** Names this replica's life in the term record. */
  readonly holder: string;
  /** Of /version, e.g. `v1.34.0+isthmus.0.1.0`. */
  readonly apiVersion: string;
  /** Virtual addresses and ports of Services. Default: of pool-ranges.ts. */
  readonly serviceRanges?: PoolRanges;
  readonly health?: Pick<HealthConfig, 'silenceMs' | 'warmStartMs' | 'silenceGraceMs'>;
  /** Why the API is not ready, by check; beside the coordinator's own checks. */
  readonly readiness?: () => Readonly<Record<string, string | undefined>>;
  /** For TokenReviews: whose token it is. */
  readonly reviewToken?: Access['reviewToken'];
  /** Without it nothing is audited. */
  readonly audit?: AuditOptions;
  /** Commands that kubeconfigs of hosted clusters may run here. Default: none. */
  readonly hostedExecCommands?: readonly string[];
  /** host:port that agents dial, told with join tokens; the argument is the port that is bound. */
  readonly meshAddress?: (port: number) => string;
}

export interface Coordinator {
  readonly api: Api;
  /** What whatever runs beside the stages writes with and tells events by. */
  readonly term: Term;
  readonly recorder: EventRecorder;
  /** Resolves with the port that agents dial. */
  start(): Promise<number>;
  /** Publishes where clients reach the API, as the Service default/kubernetes. After start(). */
  publishApi(at: ApiAddress): Promise<void>;
  /** Nothing is due anywhere; what waits for a time is not waited for. */
  idle(): Promise<void>;
  stop(): Promise<void>;
}

// A projection's revisions are epoch * 2^40 + counter, within 53 bits.
const epochsMax = 2 ** 13 - 1;

/** Takes the term, then builds the stages; nothing runs before start(). */
export async function createCoordinator(
  ports: CoordinatorPorts,
  options: CoordinatorOptions,
): Promise<Coordinator> {
  const { desired, log } = ports;
  const { federation, domain, ttlSeconds, addressRules, dnsOwnerId: ownerId } = options;
  const term = await acquireTerm({ desired, holder: options.holder });
  const mesh = rememberMeshPort(options);
  const asked = questionsTo({ dns: () => dns, sessions: () => sessions });
  const { kinds, pools } = await openKinds(ports, { ...options, ...mesh, ...asked }, term);
  const rights = await startAccess(ports, { kinds, reviewToken: options.reviewToken });
  const projections = createProjections(ports, 1 + (term.number % epochsMax));
  const recorder = createEventRecorder(ports);
  const privateViews = createPrivateViews(() => dns.zones);
  const common = { ...ports, term, recorder, privateViews };
  const placement = createPlacement({
    ...common,
    isReachable: (cluster) => sessions.session(cluster)?.isConnected === true,
  });
  // Sessions send what health knows, and health hears what sessions know: one has to come first.
  const peers = forwardPeers(() => health.peers);
  const identity = desired.identity();
  const sessions = createSessions({
    ...common,
    placement,
    peers,
    acknowledgeRemoval: (order) => placement.acknowledgeRemoval(order),
    receiptKey: { key: options.receiptKey, storeId: identity.id, epoch: identity.epoch },
    config: { federation, domain, ttlSeconds, coordinatorVersion: options.version },
    joinApproval: options.joinApproval,
  });
  const health = createHealth({
    ...common,
    placement,
    sessions,
    config: { federation, addressRules, ...options.health },
  });
  const dns = createDnsStage({
    ...common,
    placement,
    health: health.view,
    config: { federation, domain, ttlSeconds, addressRules, ownerId },
  });
  const status = createStatus({
    ...common,
    placement,
    sessions,
    health: health.view,
    dns,
    projections,
    config: { addressRules, coordinatorVersion: options.version },
  });
  const stages = inWalkOrder(recorder, [placement, health, dns, status]);
  const admit = createAdmission({ ...ports, placement, sessions, scope: { federation, domain } });
  const hooks = { admit, deleteShard: createShardDeletion({ placement }) };
  const { access } = rights;
  const api = openApi(ports, options, { projections, kinds, pools, access, ...hooks });
  const publisher = createPublisher(ports, options, projections, api);
  const unsubscribe = sessions.subscribe(({ cluster, key }) => {
    if (key === undefined) placement.markReachability(toClusterName(cluster));
  });

  return {
    api,
    term,
    recorder,
    start: async () => {
      await dns.prepare();
      await stages.start();
      const port = mesh.bind(await sessions.start());
      log.info('coordinator started', { federation, domain, term: term.number });
      return port;
    },
    publishApi: publisher.publish,
    idle: async () => {
      await rights.idle();
      await publisher.idle();
      await stages.idle();
    },
    stop: async () => {
      await publisher.stop();
      await api.close();
      await rights.stop();
      await sessions.stop();
      unsubscribe();
      await stages.stop();
    },
  };
}

interface RunningStage {
  start(): void;
  idle(): Promise<void>;
  stop(): Promise<void>;
}

/** Each stage starts when what it reads is there, and stops before what it writes to does. */
function inWalkOrder(
  recorder: Pick<RunningStage, 'start' | 'stop'>,
  [placement, ...others]: readonly [RunningStage, ...RunningStage[]],
) {
  return {
    start: async (): Promise<void> => {
      recorder.start();
      placement.start();
      await placement.idle();
      for (const stage of others) stage.start();
    },
    idle: async (): Promise<void> => {
      for (const stage of [placement, ...others]) await stage.idle();
    },
    stop: async (): Promise<void> => {
      for (const stage of [placement, ...others].reverse()) await stage.stop();
      await recorder.stop();
    },
  };
}

type Questions = Pick<FederationKindsOptions, 'appliedDns' | 'dnsImports' | 'askAgent'>;

/** Who answers the kinds that are questions: stages that are made after the kinds. */
function questionsTo(of: {
  readonly dns: () => DnsStage;
  readonly sessions: () => Sessions;
}): Questions {
  return {
    appliedDns: () => of.dns().applied,
    dnsImports: () => of.dns().imports,
    askAgent: (cluster, message) => of.sessions().askAgent(cluster, message),
  };
}

/** The kinds, and the pools that their Services take from: folded from the log. */
async function openKinds(
  ports: CoordinatorPorts,
  options: Omit<CoordinatorOptions, 'meshAddress'> &
    Questions & { readonly meshAddress: () => string | undefined },
  term: Term,
): Promise<{ readonly kinds: readonly KindDefinition[]; readonly pools: ServicePools }> {
  await ensureNamespaces(ports);
  const ranges = rangesOf(options);
  const pools = createServicePools({ ...ports, ranges, term });
  const { caHash, joinApproval, hostedExecCommands = [], meshAddress: coordinator } = options;
  const own = { ...options, caHash, joinApproval, hostedExecCommands, coordinator };
  return { kinds: federationKinds({ ...own, pools }), pools };
}

/** Join tokens tell where agents dial, which is known once somebody listens there. */
function rememberMeshPort({ meshAddress }: CoordinatorOptions) {
  let bound: number | undefined;
  return {
    meshAddress: () => (bound === undefined ? undefined : meshAddress?.(bound)),
    bind: (port: number) => (bound = port),
  };
}

function rangesOf({ serviceRanges }: Pick<CoordinatorOptions, 'serviceRanges'>): PoolRanges {
  const ranges = serviceRanges ?? parsePoolRanges({});
  invariant(typeof ranges !== 'string', 'the default ranges of Services cannot be read');
  return ranges;
}

function openApi(
  ports: CoordinatorPorts,
  options: CoordinatorOptions,
  parts: {
    readonly projections: ReturnType<typeof createProjections>;
    readonly kinds: readonly KindDefinition[];
    readonly pools: ServicePools;
    readonly access: Access;
    readonly admit: Admit;
    readonly deleteShard: DeleteProjected;
  },
): Api {
  const { projections, kinds, pools, access } = parts;
  const api = createApi({
    ...ports,
    kinds,
    projections: new Map<string, Projection>([
      [`${isthmusGroup}/serviceshards`, projections.serviceShards],
      [`${isthmusGroup}/dnsrecordsets`, projections.dnsRecordSets],
      ['/endpoints', projections.endpoints],
      ['discovery.k8s.io/endpointslices', projections.endpointSlices],
      ['apiextensions.k8s.io/customresourcedefinitions', projections.customResourceDefinitions],
    ]),
    authorize: access.authorize,
    access,
    version: { gitVersion: options.apiVersion },
    admit: parts.admit,
    deletions: new Map([[`${isthmusGroup}/serviceshards`, parts.deleteShard]]),
    ...(options.audit === undefined ? {} : { audit: options.audit }),
    ...(options.readiness === undefined ? {} : { readiness: options.readiness }),
  });
  return {
    ...api,
    close: async () => {
      await api.close();
      pools.close();
    },
  };
}

function forwardPeers(peers: () => PeerSource): PeerSource {
  return {
    services: () => peers().services(),
    peers: (key) => peers().peers(key),
    peer: (cluster, key) => peers().peer(cluster, key),
    subscribe: (listener) => peers().subscribe(listener),
  };
}

interface Publisher extends KubernetesService {
  readonly publish: (at: ApiAddress) => Promise<void>;
}

/** Knows where the API is only once somebody listens for it. */
function createPublisher(
  ports: CoordinatorPorts,
  options: CoordinatorOptions,
  projections: ReturnType<typeof createProjections>,
  api: Api,
): Publisher {
  let service: KubernetesService | undefined;
  return {
    publish: async (at) => {
      const clusterIP = rangesOf(options).addresses[0]?.addressAt(0);
      await service?.stop();
      service = keepKubernetesService({ ...ports, ...projections, at, clusterIP, api });
      await service.idle();
    },
    idle: () => service?.idle() ?? Promise.resolve(),
    stop: () => service?.stop() ?? Promise.resolve(),
  };
}

function createProjections({ clock, log }: CoordinatorPorts, epoch: number) {
  const of = (group: string, resource: string): Projection =>
    createProjection({ epoch, group, resource, clock, log });
  return {
    serviceShards: of(isthmusGroup, 'serviceshards'),
    dnsRecordSets: of(isthmusGroup, 'dnsrecordsets'),
    endpoints: of('', 'endpoints'),
    endpointSlices: of('discovery.k8s.io', 'endpointslices'),
    // Stays empty: see kinds/custom-resource-definition.ts.
    customResourceDefinitions: of('apiextensions.k8s.io', 'customresourcedefinitions'),
  };
}

/** A fresh federation has the namespaces that kubectl expects of any cluster. */
async function ensureNamespaces({ desired, clock, chance }: CoordinatorPorts): Promise<void> {
  for (const name of ['default', 'kube-system']) {
    const key = toLogKey({ group: '', resource: 'namespaces', name });
    if (desired.get(key) !== undefined) continue;
    const object: KubeObject = {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: {
        name,
        uid: chance.uuid(),
        creationTimestamp: toTimestamp(clock.now()),
        labels: { 'kubernetes.io/metadata.name': name },
      },
      spec: { finalizers: ['kubernetes'] },
      status: { phase: 'Active' },
    };
    await desired.write({ key, object, expected: toRevision(0) });
  }
}
