// The DNS server of one cluster for its pods: reads what the cluster knows, plans, answers. Ready
// answers are kept by name and type and dropped with what they were made from, so that a repeated
// question costs a parse, a look-up and a copy. Needs no coordinator: its peer table stays, local
// health is live, and its own probes take the place of the coordinator's verdicts.

import type { ClusterName, ServiceKey } from '../../common/model/ids.ts';
import type { PeerService, PeerShard } from '../../common/model/peer-table.ts';
import type { ProbeResult, ProbeTarget } from '../../common/model/telemetry.ts';
import type { Topology } from '../../common/model/topology.ts';
import type { Unsubscribe } from '../../common/model/views.ts';
import { recordTypes, responseCodes, type DnsQuery } from '../../common/pure/dns-wire.ts';
import type { Tail } from '../../common/pure/dns-wire-encode.ts';
import {
  readRequest,
  refused,
  serverFailure,
  toReply,
  type Answer,
  type Transport,
} from '../../common/pure/dns-wire-reply.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import { listenDns, type DnsSockets } from '../../common/runtime/dns-sockets.ts';
import type { Log } from '../../common/runtime/log.ts';
import type { Metrics } from '../../common/runtime/metrics.ts';
import type { Prober } from '../../common/runtime/prober.ts';
import { HostCache, type HostLookup } from './host-lookup.ts';
import { toServedZones, whatIsAsked, type ServedZones } from './names.ts';
import { PeerBook, type PeerDelta } from './peer-book.ts';
import {
  nearestShards,
  placeOf,
  planAnswer,
  tierOf,
  type Knowledge,
  type LocalShard,
} from './plan.ts';
import { Reachability } from './reachability.ts';
import { toApex, toNegative, toTails, type Found } from './reply.ts';

export interface ResolverOptions {
  /** Own cluster. */
  readonly cluster: ClusterName;
  /** Own shards as they are now; a Map will do. */
  readonly local: () => { get(key: ServiceKey): LocalShard | undefined };
  readonly subscribeLocal: (listener: (key: ServiceKey) => void) => Unsubscribe;
  readonly topology: () => Topology;
  /** undefined before the coordinator (or the disk) told. */
  readonly federation: () => string | undefined;
  readonly domain: () => string | undefined;
  /** Default `cluster.local`. */
  readonly clusterDomain?: string;
  readonly isCoordinatorReachable: () => boolean;
  readonly prober: Prober;
  readonly hostLookup: HostLookup;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
}

type Reply = Uint8Array | undefined;

export interface Resolver {
  applyPeers(delta: PeerDelta): void;
  /** The table as the session keeps it on disk. */
  exportPeers(): readonly PeerService[];
  /** Fills an empty table from disk; a table that the coordinator has sent stays. */
  importPeers(services: readonly PeerService[]): void;
  /** Round trips that the agent's other probes measured. */
  noteProbe(result: ProbeResult): void;
  /** A promise only where a load balancer's name must be looked up first. */
  answer(request: Uint8Array, transport: Transport): Reply | Promise<Reply>;
  /** Throws MeshError fatal DNS_LISTEN. */
  listen(at: { readonly host: string; readonly port: number }): Promise<DnsSockets>;
  stop(): void;
}

// Ready answers: names times types that are being asked for. Beyond, all are made anew.
const readyMax = 20_000;
// Candidates behind the serving shard that are probed while the coordinator is away.
const candidatesProbed = 2;
// Shards of one Service whose round trip is measured.
const measuredMax = 16;

export function createResolver(options: ResolverOptions): Resolver {
  const running = new RunningResolver(options);
  const unsubscribe = options.subscribeLocal((key) => running.forget(key));
  return {
    applyPeers: (delta) => running.applyPeers(delta),
    exportPeers: () => running.book.list(),
    importPeers: (services) => {
      // An empty file is no table: better "not known yet" than "no such name".
      if (running.book.isFilled || services.length === 0) return;
      running.applyPeers({ upserts: services, removals: [], isFull: true });
    },
    noteProbe: (result) => running.reachability.note(result),
    answer: (request, transport) => running.answer(request, transport),
    listen: (at) =>
      listenDns({
        ...at,
        clock: options.clock,
        answer: (request, transport) => running.answer(request, transport),
        onIncident: (incident) =>
          options.metrics.count('mesh_resolver_incidents_total', { incident }),
      }),
    stop: () => {
      unsubscribe();
      running.reachability.stop();
    },
  };
}

interface Ready {
  readonly tails: readonly Tail[];
  readonly from: Found['from'];
  readonly key: ServiceKey;
}

class RunningResolver {
  readonly book = new PeerBook();
  readonly reachability: Reachability;
  readonly #options: ResolverOptions;
  readonly #hosts: HostCache;
  readonly #ready = new Map<string, Ready>();
  readonly #readyOf = new Map<ServiceKey, Set<string>>();
  #zones: ServedZones | undefined;
  #zonesDomain: string | undefined;
  #topology: Topology | undefined;
  #wasAway = false;
  #serial = 1;
  #turn = 0;

  constructor(options: ResolverOptions) {
    this.#options = options;
    this.#hosts = new HostCache(options.hostLookup, options.clock);
    this.reachability = new Reachability({
      clock: options.clock,
      prober: options.prober,
      isAway: () => !options.isCoordinatorReachable(),
      targetsOf: (key) => this.#probeTargets(key),
      onChange: () => this.#forgetAll(),
    });
  }

  applyPeers(delta: PeerDelta): void {
    for (const key of this.book.apply(delta)) this.forget(key);
    this.#serial = (this.#serial + 1) % 2 ** 32;
  }

  /** Answers about this Service are made anew. */
  forget(key: ServiceKey): void {
    for (const id of this.#readyOf.get(key) ?? []) this.#ready.delete(id);
    this.#readyOf.delete(key);
  }

  answer(request: Uint8Array, transport: Transport): Reply | Promise<Reply> {
    const reading = readRequest(request, transport);
    if (reading.kind === 'drop') return undefined;
    if (reading.kind === 'reply') {
      this.#count('rejected');
      return reading.bytes;
    }
    const { query } = reading;
    this.#noticeChanges();
    const ready = this.#ready.get(readyId(query));
    if (ready !== undefined) return this.#useReady(query, transport, ready);
    return this.#answerAnew(query, transport);
  }

  #useReady(query: DnsQuery, transport: Transport, ready: Ready): Uint8Array {
    if (this.#wasAway && ready.from !== 'local') this.reachability.noteAsked(ready.key);
    this.#count(ready.from);
    this.#turn = (this.#turn + 1) >>> 0;
    const tail = ready.tails[this.#turn % ready.tails.length];
    const answer = tail === undefined ? serverFailure : { code: responseCodes.noError, tail };
    return toReply(query, answer, transport);
  }

  #answerAnew(query: DnsQuery, transport: Transport): Reply | Promise<Reply> {
    const zones = this.#servedZones();
    if (zones === undefined) return this.#send(query, transport, serverFailure, 'unready');
    const { name, type } = query;
    const isTransfer = type >= recordTypes.IXFR && type <= recordTypes.MAILA;
    const planned = isTransfer
      ? ({ kind: 'refused' } as const)
      : planAnswer(whatIsAsked(name, zones), this.#knowledge());
    const serial = this.#serial;
    switch (planned.kind) {
      case 'refused':
        return this.#send(query, transport, refused, 'refused');
      case 'unready':
        return this.#send(query, transport, serverFailure, 'unready');
      case 'apex':
        return this.#send(query, transport, toApex(planned.zone, type, serial), 'apex');
      case 'absent':
      case 'empty': {
        const answer = toNegative(name, planned.zone, { exists: planned.kind === 'empty', serial });
        return this.#send(query, transport, answer, planned.kind);
      }
      case 'found':
        return this.#answerFound(query, transport, planned);
    }
  }

  #answerFound(
    query: DnsQuery,
    transport: Transport,
    found: Found,
  ): Uint8Array | Promise<Uint8Array> {
    const federation = this.#options.federation() ?? '';
    const toReady = (resolved: readonly string[]): Ready => ({
      tails: toTails(query, found, { federation, resolved, serial: this.#serial }),
      from: found.from,
      key: found.key,
    });
    if (found.target.kind === 'addresses') {
      const ready = toReady([]);
      this.#keep(readyId(query), ready);
      if (found.from === 'peer') this.#measureNearest(found.key);
      return this.#useReady(query, transport, ready);
    }
    const { hostname } = found.target;
    const fresh = this.#hosts.fresh(hostname);
    if (fresh !== undefined) return this.#useReady(query, transport, toReady(fresh));
    return this.#hosts
      .addresses(hostname)
      .then((resolved) =>
        resolved.length === 0
          ? this.#send(query, transport, serverFailure, 'lookupFailed')
          : this.#useReady(query, transport, toReady(resolved)),
      );
  }

  #send(query: DnsQuery, transport: Transport, answer: Answer, outcome: string): Uint8Array {
    this.#count(outcome);
    return toReply(query, answer, transport);
  }

  #count(outcome: string): void {
    this.#options.metrics.count('mesh_resolver_answers_total', { outcome });
  }

  #keep(id: string, ready: Ready): void {
    if (this.#ready.size >= readyMax) this.#forgetAll();
    this.#ready.set(id, ready);
    const ids = this.#readyOf.get(ready.key);
    if (ids === undefined) this.#readyOf.set(ready.key, new Set([id]));
    else ids.add(id);
  }

  #forgetAll(): void {
    this.#ready.clear();
    this.#readyOf.clear();
  }

  /** Cheap on each question: the names served, the own topology, and whether we are alone. */
  #noticeChanges(): void {
    const isAway = !this.#options.isCoordinatorReachable();
    if (isAway !== this.#wasAway) {
      this.#wasAway = isAway;
      if (!isAway) this.reachability.forgetSuspicion();
      this.#forgetAll();
    }
    const topology = this.#options.topology();
    if (topology !== this.#topology) {
      const isSame = JSON.stringify(topology) === JSON.stringify(this.#topology);
      this.#topology = topology;
      if (!isSame) this.#forgetAll();
    }
    this.#servedZones();
  }

  #servedZones(): ServedZones | undefined {
    const federation = this.#options.federation();
    if (federation === undefined) return undefined;
    const domain = this.#options.domain();
    if (
      this.#zones === undefined ||
      this.#zones.federation !== federation ||
      this.#zonesDomain !== domain
    ) {
      const clusterDomain = this.#options.clusterDomain ?? 'cluster.local';
      this.#zones = toServedZones({ federation, clusterDomain, domain });
      this.#zonesDomain = domain;
      this.#forgetAll();
    }
    return this.#zones;
  }

  #knowledge(): Knowledge {
    const local = this.#options.local();
    return {
      cluster: this.#options.cluster,
      topology: this.#options.topology(),
      hasPeerTable: this.book.isFilled,
      local: (key) => local.get(key),
      peers: (key) => this.book.get(key),
      hasNamespace: (namespace) => this.book.hasNamespace(namespace),
      hasLevel: (place) => this.book.hasLevel(place),
      isSuspect: (address) => this.#wasAway && this.reachability.isSuspect(address),
      roundTripMs: (address) => this.reachability.roundTripMs(address),
    };
  }

  /** Round trips matter where the next shard is as near as the first. */
  #measureNearest(key: ServiceKey): void {
    const known = this.#knowledge();
    const shards = this.book.get(key)?.shards ?? [];
    const ranked = nearestShards(shards, known);
    const here = placeOf(shards, known);
    const nearest = ranked.filter(
      (shard) => ranked[0] !== undefined && tierOf(shard, here) === tierOf(ranked[0], here),
    );
    if (nearest.length > 1)
      this.reachability.measure(nearest.slice(0, measuredMax).flatMap(toTargets));
  }

  /** The shard that serves and the next ones, suspects included: they may have come back. */
  #probeTargets(key: ServiceKey): readonly ProbeTarget[] {
    const shards = this.book.get(key)?.shards ?? [];
    const knowledge = { ...this.#knowledge(), isSuspect: () => false };
    const ranked = nearestShards(shards, knowledge);
    const serving = nearestShards(shards, this.#knowledge())[0];
    const wanted = new Set([
      ...(serving === undefined ? [] : [serving]),
      ...ranked.slice(0, candidatesProbed + 1),
    ]);
    return [...wanted].flatMap(toTargets);
  }
}

function toTargets({ addresses, tcpPorts: [port] }: PeerShard): readonly ProbeTarget[] {
  if (port === undefined) return [];
  return addresses.map((address) => ({ address, port, method: 'tcp' }));
}

function readyId({ name, type }: DnsQuery): string {
  return `${type} ${name}`;
}
