// The whole mesh in one process under virtual time: a coordinator, three member clusters with an
// agent each, the bus, the network between them, people at work, and the checkers that watch.
//
// Next file to read: simulation.ts (the two phases), then checkers/.

import type { Cluster } from '../../common/model/isthmus-kinds.ts';
import { silentLog, type Log } from '../../common/runtime/log.ts';
import { createVirtualClock, type VirtualClock } from '../support/virtual-clock.ts';
import type { Checker } from './checkers/checker.ts';
import { createWritesChecker } from './checkers/i1-writes.ts';
import { createOrdersChecker } from './checkers/i2-orders.ts';
import { createSilenceChecker } from './checkers/i3-silence.ts';
import { createForeignChecker } from './checkers/i4-foreign.ts';
import { createAliasChecker } from './checkers/i5-aliases.ts';
import { createStrangersChecker } from './checkers/i4-provider.ts';
import { createProviderChecker } from './checkers/i5-provider.ts';
import { createLagChecker, type LagOptions } from './checkers/i7-provider.ts';
import { createFenceChecker } from './checkers/i12-provider.ts';
import { createMovesChecker } from './checkers/i5-moves.ts';
import { createWeightsChecker } from './checkers/i5-weights.ts';
import { createLeftoverChecker } from './checkers/i7-leftovers.ts';
import { createUnjoinChecker } from './checkers/i7-unjoin.ts';
import { createSpeakersChecker, type SpeakersOptions } from './checkers/i8-speakers.ts';
import { createFightsChecker } from './checkers/i11-fights.ts';
import { createLeadersChecker } from './checkers/i12-leaders.ts';
import { createTermsChecker } from './checkers/i12-terms.ts';
import { createGuardChecker } from './checkers/i13-guard.ts';
import type { PeerIdentity } from '../../coordinator/session/mesh-port.ts';
import { Network, sites } from './network.ts';
import {
  plantHastyMoves,
  plantLeakingDrains,
  plantUnheardPolicies,
  plantUnseenRevocations,
} from './plants.ts';
import type { ProviderBug } from './provider-plants.ts';
import { Registrar } from './registrar.ts';
import { createSeededChance, type SeededChance } from './seeded-chance.ts';
import { addCluster } from './joined.ts';
import { Operator } from './operator.ts';
import { Placer } from './placer.ts';
import { makeAgent } from './agents.ts';
import type { AgentHost } from './sim-agent.ts';
import { SimBus } from './sim-bus.ts';
import { addPublicZone, SimProvider } from './sim-provider.ts';
import { createSimCluster, type SimCluster, type SimClusterPlace } from './sim-cluster.ts';
import { SimCoordinator } from './sim-coordinator.ts';
import { SimMesh } from './sim-mesh.ts';
import { lifetimeMs, SimCas } from './sim-pki.ts';
import { Balancers, type ProberOptions } from './sim-prober.ts';
import { SimDisk } from './sim-store.ts';
import { createTrace, type Trace } from './trace.ts';
import { User, type Seen } from './user.ts';
import { Watcher } from './watcher.ts';
import { Weigher } from './weigher.ts';

/** Planted bugs; a run with one must be caught. */
export type Bug =
  | 'absence-deletes'
  | 'silence-withdraws'
  | 'guards-ignored'
  | 'writes-lost'
  | 'removals-unbounded'
  | 'removals-forgotten'
  | 'fights-unbounded'
  | 'unjoin-hasty'
  | 'replicas-unfenced'
  | 'revocations-unseen'
  | 'moves-hasty'
  | 'drains-leak'
  | 'policies-unheard'
  | ProviderBug;

export interface WorldOptions {
  readonly seed: number;
  readonly bug?: Bug | undefined;
  readonly onLine?: ((line: string) => void) | undefined;
  readonly log?: Log | undefined;
  readonly isEdited?: boolean | undefined;
}

export interface World {
  readonly clock: VirtualClock;
  readonly chance: SeededChance;
  readonly trace: Trace;
  readonly network: Network;
  readonly disk: SimDisk;
  readonly bus: SimBus;
  readonly balancers: Balancers;
  readonly coordinator: SimCoordinator;
  readonly clusters: ReadonlyMap<string, SimCluster>;
  readonly agents: ReadonlyMap<string, AgentHost>;
  readonly user: User;
  readonly operator: Operator;
  readonly cas: SimCas;
  readonly provider: SimProvider;
  readonly placer: Placer;
  readonly weigher: Weigher;
  readonly registrar: Registrar;
  readonly checkers: readonly Checker[];
  readonly onWrittenBack: (cluster: string, name: string) => void;
  /** What the checkers found, oldest first. */
  readonly violations: readonly string[];
}

const places: readonly (SimClusterPlace & { readonly declared?: Cluster['spec'] })[] = [
  { name: 'alpha', octet: 1, zone: 'alpha-a', region: 'west', provider: 'gce' },
  { name: 'beta', octet: 2, zone: 'beta-a', region: 'west', provider: 'gce' },
  {
    name: 'gamma',
    octet: 3,
    zone: undefined,
    region: undefined,
    provider: 'openstack',
    declared: { zone: 'hall-1', region: 'home' },
  },
];

// Of the certificates that the agents have at the start: just made to just ended.
const certificateAges = [0, 0.3, 0.6, 0.65, 0.9, 1.01] as const;

export async function createWorld(options: WorldOptions): Promise<World> {
  const ground = layGround(options);
  const { clock, chance, trace, disk, coordinator, agents, clusters, watching } = ground;
  for (const place of places) {
    const cluster = await makeNow(clock, raiseCluster(ground, place));
    clusters.set(place.name, cluster);
    const endMs = clock.now() + lifetimeMs * (1 - chance.pick(certificateAges));
    const uid = await makeNow(clock, addCluster(disk, clock, { place, endMs }));
    const of = { cluster, uid, endMs, bug: options.bug };
    agents.set(place.name, await makeNow(clock, makeAgent(ground, of)));
  }
  const onSeen = (seen: Seen): void => watching.tell((checker) => checker.onSeen?.(seen));
  const user = new User({
    coordinator,
    clusters: [...clusters.values()],
    clock,
    chance: chance.fork('user'),
    trace,
    onAcknowledged: (write) => watching.tell((checker) => checker.onAcknowledged?.(write)),
    onSeen,
    onHandDelete: watching.noteHandDelete,
  });
  await makeNow(clock, user.prepare());
  await makeNow(clock, addPublicZone(disk, clock, ground.provider));
  ground.provider.start();
  coordinator.start();
  for (const agent of agents.values()) agent.start();
  const people = bringPeople(ground, options.bug);
  new Watcher({ coordinator, clock, onSeen }).start();
  const { checkers, violations } = watching;
  const onWrittenBack: World['onWrittenBack'] = (...fought) =>
    watching.tell((checker) => checker.onWrittenBack?.(...fought));
  return {
    ...ground,
    ...people,
    user,
    checkers,
    violations,
    onWrittenBack,
  };
}

/** Beside the user: who runs the federation, places and weighs Services, lets clusters go. */
function bringPeople(ground: Ground, bug: Bug | undefined) {
  const { coordinator, clock, trace, cas, chance, agents, clusters } = ground;
  const operator = new Operator({
    coordinator,
    clock,
    trace,
    cas,
    chance: chance.fork('operator'),
  });
  operator.start();
  const placer = new Placer({
    coordinator,
    clusters: [...clusters.keys()],
    clock,
    trace,
    chance: chance.fork('placer'),
  });
  placer.start();
  const weigher = new Weigher({
    coordinator,
    clusters: [...clusters.keys()],
    clock,
    trace,
    chance: chance.fork('weigher'),
    isAlwaysThere: bug === 'drains-leak' || bug === 'policies-unheard',
  });
  weigher.start();
  const registrar = new Registrar({
    coordinator,
    agents,
    clock,
    trace,
    chance: chance.fork('registrar'),
    declaredOf: (cluster) => places.find(({ name }) => name === cluster)?.declared ?? {},
    isHasty: bug === 'unjoin-hasty',
  });
  registrar.start();
  return { operator, placer, weigher, registrar };
}

export type Ground = ReturnType<typeof layGround>;

/** Everything but the member clusters and the people. */
function layGround({ seed, bug, onLine, isEdited, log = silentLog }: WorldOptions) {
  const clock = createVirtualClock();
  const chance = createSeededChance(`isthmus ${seed}`);
  const trace = createTrace(clock, onLine);
  const network = new Network(clock, chance.fork('network'));
  const disk = new SimDisk(clock, chance.fork('disk'), {
    ignoresGuards: bug === 'guards-ignored',
    losesOnCrash: bug === 'writes-lost',
  });
  const paths = { network, clock, trace };
  const cas = new SimCas();
  const speakers: { tell?: (peer: PeerIdentity, kind: string) => void } = {};
  const mesh = new SimMesh({
    ...paths,
    cas,
    onSpokenTo: (peer, kind) => speakers.tell?.(peer, kind),
    chance: chance.fork('mesh'),
  });
  const bus = new SimBus({ ...paths, chance: chance.fork('bus') });
  const balancers = new Balancers(clock);
  const agents = new Map<string, AgentHost>();
  const clusters = new Map<string, SimCluster>();
  const isSilent = (cluster: string): boolean =>
    agents.get(cluster)?.isRunning() === false || network.isBroken(cluster, sites.coordinator);
  const prober: ProberOptions = {
    balancers,
    network,
    trace,
    ...(bug === 'silence-withdraws' ? { lies: isSilent } : {}),
  };
  const provider = new SimProvider({
    ...paths,
    disk,
    bug,
    isEdited,
    chance: chance.fork('provider'),
  });
  const common = { clock, trace, mesh, bus, prober, cas, provider, log };
  const coordinator = new SimCoordinator({
    ...common,
    disk,
    chance: chance.fork('coordinator'),
    ...(bug === 'revocations-unseen' ? { plant: plantUnseenRevocations } : {}),
    ...(bug === 'moves-hasty' ? { plant: plantHastyMoves } : {}),
    ...(bug === 'drains-leak' ? { plant: plantLeakingDrains } : {}),
    ...(bug === 'policies-unheard' ? { plant: plantUnheardPolicies } : {}),
  });
  const ground = { ...common, chance, network, disk, balancers, coordinator, clusters, agents };
  const watching = watch(ground);
  speakers.tell = (peer, kind) => watching.tell((checker) => checker.onSpokenTo?.(peer, kind));
  return { ...ground, watching };
}

function raiseCluster(ground: Ground, place: (typeof places)[number]): Promise<SimCluster> {
  const { clock, chance, trace, balancers, watching } = ground;
  return createSimCluster({
    place,
    clock,
    chance: chance.fork(place.name),
    trace,
    balancers,
    onEvent: (event) => watching.tell((checker) => checker.onMember?.(place.name, event)),
    onWrite: (user, target) =>
      watching.tell((checker) => checker.onMemberWrite?.(place.name, user, target)),
  });
}

type Watched = Parameters<typeof createSilenceChecker>[0] &
  LagOptions &
  SpeakersOptions & { readonly trace: Trace };

function watch(options: Watched) {
  const { trace, disk, clock } = options;
  const violations: string[] = [];
  const blameFor =
    (invariant: string) =>
    (message: string): void => {
      trace.note(`VIOLATION ${invariant}: ${message}`);
      violations.push(`${invariant}: ${message}`);
    };
  const orders = createOrdersChecker(clock, blameFor('I2'));
  const guard = createGuardChecker(options, blameFor('I13'));
  const checkers: readonly Checker[] = [
    createWritesChecker(disk, blameFor('I1')),
    orders,
    createSilenceChecker(options, blameFor('I3/I6')),
    createForeignChecker(blameFor('I4')),
    createAliasChecker(options, blameFor('I5')),
    createStrangersChecker(options, blameFor('I4')),
    createProviderChecker(options, blameFor('I5')),
    createLagChecker(options, { lacks: blameFor('I5'), keeps: blameFor('I7') }),
    createFenceChecker(options, blameFor('I12')),
    createMovesChecker(options, blameFor('I5')),
    createWeightsChecker(options, blameFor('I5')),
    createLeftoverChecker(options, blameFor('I7')),
    createUnjoinChecker(options, blameFor('I7')),
    createSpeakersChecker(options, blameFor('I8')),
    createFightsChecker(options, blameFor('I11')),
    createTermsChecker(blameFor('I12')),
    createLeadersChecker(options, blameFor('I12')),
    guard,
  ];
  const tell = (act: (checker: Checker) => void): void => checkers.forEach(act);
  disk.onWritten((written) => {
    trace.note(
      `log ${written.revision} ${written.isDelete ? '-' : '+'}${written.key} ${written.by}`,
    );
    tell((checker) => checker.onWritten?.(written));
  });
  const noteHandDelete = (cluster: string, uid: string): void => {
    orders.noteHandDelete(cluster, uid);
    guard.noteHandDelete(cluster, uid);
  };
  return { violations, checkers, tell, noteHandDelete };
}

/** Lets time pass until it is made. */
async function makeNow<T>(clock: VirtualClock, making: Promise<T>): Promise<T> {
  let isMade = false;
  const made = making.finally(() => {
    isMade = true;
  });
  await clock.advanceUntil(() => isMade, 60_000);
  return made;
}
