// Read views that one coordinator stage offers to the others. main.ts wires them; a stage never
// imports another stage. Subscriptions are wake-ups: a listener learns what to look at again,
// never what it is now. Listeners are called synchronously and must only mark work as due.

import type { DnsZoneSpec } from './dns-zone.ts';
import type { ClusterName, LogKey, Revision, ServiceKey } from './ids.ts';
import type { RemovalOrder, Shard, ShardResult } from './shard.ts';
import type { ClusterVerdict, ShardVerdict } from './health.ts';
import type { Incarnation } from './session.ts';
import type { PeerService, PeerShard } from './peer-table.ts';
import type { Topology } from './topology.ts';
import type { AppliedState } from './dns-zone.ts';

export type Unsubscribe = () => void;

/** What DNS shall make of one shard. */
export interface ShardTraffic {
  /** Out of DNS at once: the cluster gives the shard up. */
  readonly isDrained: boolean;
  /** 0 to 100, its share beside the others; 0 only while no other shard is healthy. */
  readonly weight: number;
  /** Only while no shard that is no backup is healthy. */
  readonly isBackup?: true;
}

/** What a person is told of one Service's placement. */
export interface PlacementNotes {
  /** Why the placement stays as it was. */
  readonly refusal: { readonly reason: string; readonly message: string } | undefined;
  /** Clusters that give up their shards, sorted. */
  readonly moves: readonly ShardMove[];
  /** The policy that counts, and by name those that do not. */
  readonly policy: string | undefined;
  readonly overruled: readonly string[];
  readonly hasOverrides: boolean;
  /** Shards whose overrides cannot be done, sorted by cluster. */
  readonly failures: readonly {
    readonly cluster: ClusterName;
    /** Within the policy's spec, such as `overrides[0].patch[2]`. */
    readonly field: string;
    readonly message: string;
    /** False: the cluster has no shard yet, and gets none. */
    readonly isThere: boolean;
  }[];
}

export interface ShardMove {
  readonly cluster: ClusterName;
  /** Until these are healthy; empty: until any that is wanted is. */
  readonly awaits: readonly ClusterName[];
  readonly isDrained: boolean;
  /** Longer than the policy's time. */
  readonly isStalled: boolean;
}

/** From coordinator/placement: what each cluster shall have. */
export interface PlacementView {
  /** Log revision that this view has reached. */
  revision(): Revision;
  shard(cluster: ClusterName, key: ServiceKey): Shard | undefined;
  shardsOf(cluster: ClusterName): Iterable<Shard>;
  /** Clusters that shall have this Service, sorted. Empty when it is gone or placed nowhere. */
  clustersOf(key: ServiceKey): readonly ClusterName[];
  removalsOf(cluster: ClusterName): Iterable<RemovalOrder>;
  /** Of a shard in clustersOf(key). */
  traffic(cluster: ClusterName, key: ServiceKey): ShardTraffic;
  /** undefined when nothing is known of the Service (any more). */
  notes(key: ServiceKey): PlacementNotes | undefined;
  /** Also told of changes of traffic and notes. */
  subscribe(
    listener: (due: { readonly cluster: ClusterName; readonly key: ServiceKey }) => void,
  ): Unsubscribe;
}

export interface SessionState {
  readonly isConnected: boolean;
  readonly incarnation: Incarnation;
  readonly topology: Topology;
  readonly kubernetesVersion: string;
  readonly agentVersion: string;
  /** Clock.monotonicMs of the last message on the stream: proof of life. */
  readonly lastMessageMonotonicMs: number;
  /** Address that the stream came from; vantage points with one egress are one. */
  readonly remoteAddress: string;
  /** Of the agent's process, when it says. */
  readonly instance?: string | undefined;
  /** The agent's wall clock less ours, when it says; to some seconds. */
  readonly clockSkewMs?: number | undefined;
  /** Of the CAs that the agent trusts, when it says. */
  readonly trustDigest?: string | undefined;
  /** It can be asked what it answers its Pods. */
  readonly answersDns?: boolean | undefined;
  /** Of the agent's login to NATS; absent where nobody says. */
  readonly nats?:
    | {
        /** Why its reports cannot be heard. */
        readonly refusal: { readonly reason: string; readonly message: string } | undefined;
        /** Why it could report for a while after its Cluster is removed. */
        readonly lateRevocation: string | undefined;
      }
    | undefined;
}

/** What an agent answers its Pods. */
export type AgentAnswer =
  /** A DNS message. */
  | { readonly kind: 'answer'; readonly message: Uint8Array }
  /** No agent is connected; an agent of before that cannot be asked; too many are asked; no word. */
  | { readonly kind: 'away' | 'tooOld' | 'busy' | 'silent' | 'unable' };

/** From coordinator/session: who is connected and what each agent did with its shards. */
export interface SessionView {
  session(cluster: ClusterName): SessionState | undefined;
  result(cluster: ClusterName, key: ServiceKey): ShardResult | undefined;
  /** Held by the agent, neither wanted nor ordered away. */
  unclaimed(cluster: ClusterName): Iterable<ServiceKey>;
  /**
   * A Service of this name, which is nobody's shard, is there and would be adopted; false also when
   * its agent has told nothing yet.
   */
  hasForeignService(cluster: ClusterName, key: ServiceKey): boolean;
  subscribe(
    listener: (due: {
      readonly cluster: ClusterName;
      readonly key: ServiceKey | undefined;
    }) => void,
  ): Unsubscribe;
}

/** From coordinator/health: verdicts with their reasons. */
export interface HealthView {
  cluster(cluster: ClusterName): ClusterVerdict | undefined;
  shard(cluster: ClusterName, key: ServiceKey): ShardVerdict | undefined;
  subscribe(
    listener: (due: {
      readonly cluster: ClusterName;
      readonly key: ServiceKey | undefined;
    }) => void,
  ): Unsubscribe;
}

/** Records a Kubernetes Event about an object of the federation. From coordinator/status. */
export interface EventRecorder {
  record(event: {
    readonly regarding: {
      readonly apiVersion: string;
      readonly kind: string;
      readonly namespace?: string | undefined;
      readonly name: string;
      readonly uid?: string | undefined;
    };
    readonly type: 'Normal' | 'Warning';
    readonly reason: string;
    readonly message: string;
  }): void;
}

/** The lease holder's fence: every status, publication and removal write names it as its guard. */
export interface TermGuard {
  guard(): { readonly key: LogKey; readonly revision: Revision };
}

/** From coordinator/health: what agents' resolvers shall know of each Service's shards. */
export interface PeerSource {
  services(): Iterable<ServiceKey>;
  /** undefined when the Service has no shard any more. */
  peers(key: ServiceKey): PeerService | undefined;
  /** One shard of it; undefined when this cluster has none (any more). */
  peer(cluster: ClusterName, key: ServiceKey): PeerShard | undefined;
  /** Told of each shard that came, changed or went: what is sent is made of nothing else. */
  subscribe(
    listener: (due: { readonly cluster: ClusterName; readonly key: ServiceKey }) => void,
  ): Unsubscribe;
}

/** One DNSZone as the log has it, and what its provider says of the zone. */
export interface DnsZoneState {
  /** Of the object. */
  readonly name: string;
  readonly uid: string;
  readonly generation: number;
  readonly spec: DnsZoneSpec;
  /** Its names go; it is held until they are gone. */
  readonly isDeleting: boolean;
  /** False: it is being deleted, or an older DNSZone of the same names is in its way. */
  readonly isPublishing: boolean;
  /** Why nothing can be written here until somebody acts: no credentials, another DNSZone. */
  readonly refusal?: { readonly reason: string; readonly message: string };
  /** From the zone's quota, once its provider has been asked: how many may be ours. */
  readonly recordSetsMax?: number;
}

/** From coordinator/dns/zones: which DNSZones there are, and which publish what. */
export interface DnsZoneView {
  /** Those being deleted too; sorted by name. */
  zones(): readonly DnsZoneState[];
  zone(name: string): DnsZoneState | undefined;
  /**
   * Names of the DNSZones that shall publish this Service, sorted; none that is being deleted.
   * undefined: its policy has just changed, and placement has not seen that yet.
   */
  zonesOf(key: ServiceKey): readonly string[] | undefined;
  /** `key`: zonesOf(key) may be different. Else the zone itself: spec, refusal, limits. */
  subscribe(
    listener: (due: { readonly dnsZone: string; readonly key: ServiceKey | undefined }) => void,
  ): Unsubscribe;
}

/** Services that a private DNSZone publishes: private addresses are outside ones for them. */
export interface PrivateViews {
  has(key: ServiceKey): boolean;
  /** `key` undefined: it may be otherwise for any Service. */
  subscribe(listener: (key: ServiceKey | undefined) => void): Unsubscribe;
}

/** From coordinator/dns/apply: what became of publications at the providers. */
export interface AppliedView {
  /** undefined: nothing of this Service is or shall be in this zone, as far as we know. */
  state(dnsZone: string, key: ServiceKey): AppliedState | undefined;
  /** undefined: an embedded zone, one that is not known, or we do not hold the lease. */
  zone(dnsZone: string): AppliedZone | undefined;
  /** What is recorded as ours there, the mark included; sorted by name. */
  recorded(dnsZone: string, key: ServiceKey): readonly AppliedRecord[];
  /**
   * What the next writes would do, without doing them: sorted by Service, at most `limit` Services.
   * Also of a zone that is frozen or held.
   */
  planned(dnsZone: string, limit: number): readonly PlannedChange[];
  /** `key` undefined: something of the zone itself. */
  subscribe(
    listener: (due: { readonly dnsZone: string; readonly key: ServiceKey | undefined }) => void,
  ): Unsubscribe;
}

export interface AppliedZone {
  /** Record sets that we own there: names and marks, without the fence. */
  readonly recordSets: number;
  /** Services whose names are not yet as wanted, for whatever reason. */
  readonly pending: number;
  /** True: nothing of ours is left there, not even the fence; a deleted DNSZone may go. */
  readonly isEmpty: boolean;
  /** A mass change that waits for a person (spec.confirmedPlan: hash). */
  readonly heldPlan?: {
    readonly hash: string;
    readonly sinceMs: number;
    /** Services, record sets that go or change type, and how many may at once. */
    readonly services: number;
    readonly recordSets: number;
    readonly recordSetsMax: number;
    readonly message: string;
  };
  /** Another writer is there: nothing is written until that is decided. */
  readonly fence?: {
    readonly reason: 'Deposed' | 'OtherOwner' | 'TwinOwner' | 'ForeignFence';
    readonly message: string;
    readonly sinceMs: number;
  };
  /** Why the last call was no success; gone with the next success. */
  readonly lastError?: {
    readonly reason: 'Denied' | 'Unavailable' | 'NotAnswering';
    readonly message: string;
    readonly sinceMs: number;
  };
  /** Requests a second that the provider has been found to take, of all zones of its account. */
  readonly requestsPerSecond: number;
}

/** One record set as text, in the form of a zone file's line without TTL and class. */
export interface AppliedRecord {
  readonly name: string;
  readonly type: string;
  readonly ttlSeconds: number;
  /** Values, or what an alias or a weighted set says in their place. */
  readonly data: string;
}

export interface PlannedChange {
  readonly key: ServiceKey;
  readonly deletes: readonly AppliedRecord[];
  readonly creates: readonly AppliedRecord[];
  /** Why it is not written at once; absent: it is. */
  readonly waits?: { readonly reason: string; readonly message: string };
}

/** What stands in a zone at its provider, for who wants to take records over. */
export interface ImportSource {
  /**
   * One page, in the provider's order; `after` is a former page's `next`. undefined: no such zone,
   * or nothing to read. Throws MeshError as DnsProvider's `list`.
   */
  page(dnsZone: string, after: string | undefined): Promise<ImportPage | undefined>;
}

export interface ImportPage {
  /** Record sets of the zone that were looked at. */
  readonly read: number;
  /** As our own marks there have it. */
  readonly ownerId: string;
  /** Those at names of the federation's form, and marks of external-dns for them. */
  readonly records: readonly {
    readonly name: string;
    readonly type: string;
    readonly ttlSeconds: number;
    readonly data: readonly string[];
  }[];
  readonly next?: string;
}
