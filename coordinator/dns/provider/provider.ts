// What the applier needs of a DNS provider: read names, list pages, change whole groups by
// compare-and-set, follow a change until it is served. Adapters are named by their technology and
// pass one contract suite (test/contract/dns-provider.ts).
//
//   - An adapter decides nothing: no retries, no scheduling, no knowledge of Services.
//   - Every call ends by its deadline, whatever the SDK does.
//   - `apply` is one request of the provider, all or nothing. What is not certain is `unknown`.

/** A record set as it stands at a provider, in one canonical form whatever the provider's is. */
export interface ZoneRecordSet {
  /** Lower-case FQDN without the trailing dot; bytes that are not printable as \DDD (RFC 1035). */
  readonly name: string;
  /** Upper case, e.g. `A`; foreign types too. */
  readonly type: string;
  /** 0 for an alias, which has none. */
  readonly ttlSeconds: number;
  /**
   * Sorted. Addresses in canonical text (RFC 5952), names lower-case without the trailing dot,
   * SRV as `priority weight port target`, TXT as one unquoted string. Empty with alias or items.
   */
  readonly values: readonly string[];
  readonly alias?: RecordAlias;
  /** Route 53: one of several sets of this name and type. */
  readonly member?: RecordMember;
  /** Cloud DNS: a weighted round robin, in the order it is kept in. */
  readonly items?: readonly WeightedItem[];
  /** Settings that we never write, such as a latency region or health check, as canonical text. */
  readonly foreign?: string;
}

/** Answered with the addresses of another name (Route 53). */
export interface RecordAlias {
  readonly target: string;
  /** Hosted zone of the target at AWS. */
  readonly hostedZoneId: string;
  readonly evaluateTargetHealth: boolean;
}

export interface RecordMember {
  /** SetIdentifier: unique within name and type. */
  readonly id: string;
  /** 0 to 255. */
  readonly weight: number;
}

export interface WeightedItem {
  readonly weight: number;
  readonly values: readonly string[];
}

/** Changed together or not at all: all names of one Service in one zone, with its mark. */
export interface RecordGroup {
  readonly id: string;
  /** Exactly as they stand; the change fails where they do not. */
  readonly deletes: readonly ZoneRecordSet[];
  /** Where nothing of the name and type (and member) stands once the deletes are done. */
  readonly creates: readonly ZoneRecordSet[];
}

export interface RecordBatch {
  readonly groups: readonly RecordGroup[];
  /**
   * The zone's fence record (I12): its exact former value is deleted and its next one created in
   * the same request. Ignored by a provider without compare-and-set.
   */
  readonly fence?: RecordGroup;
}

export type GroupOutcome =
  /** `change` names it to `observe`, where the provider has such a thing. */
  | { readonly kind: 'applied'; readonly change?: string }
  /** Something else stands there than the group says. Nothing was changed. */
  | { readonly kind: 'conflict'; readonly message: string }
  /** Never acceptable as it is. Nothing was changed. */
  | { readonly kind: 'rejected'; readonly message: string }
  /** Another group of the batch was at fault. Nothing was changed. */
  | { readonly kind: 'notTried' }
  /** The fence has another value than the batch names. Nothing was changed. */
  | { readonly kind: 'fenced'; readonly message: string }
  /** Nothing was changed; ask again later, by the provider's word where it gives one. */
  | { readonly kind: 'throttled'; readonly retryAfterMs?: number; readonly message: string }
  /** Credentials are missing, wrong or too weak, or the zone is not there. Nothing was changed. */
  | { readonly kind: 'denied'; readonly message: string }
  /** Not reachable, and certain that nothing was changed. */
  | { readonly kind: 'unavailable'; readonly message: string }
  /** No answer, or none to be trusted: it may have been applied. Settle by reading. */
  | { readonly kind: 'unknown'; readonly message: string };

export interface RecordPage {
  readonly sets: readonly ZoneRecordSet[];
  /** Absent: the last page. */
  readonly next?: string;
}

export interface ZoneDescription {
  /** Lower-case, without the trailing dot; where the provider knows it better than the settings. */
  readonly apex?: string;
  /** As the provider or the zone's NS records name them; sorted. */
  readonly nameServers: readonly string[];
  /** Answered within networks of the provider alone, where it tells. */
  readonly isPrivate?: boolean;
  /** Record sets that the zone may hold, and holds, where the provider tells. */
  readonly recordSetsMax?: number;
  readonly recordSets?: number;
  /** SOA MINIMUM: how long resolvers keep that a name is not there. */
  readonly negativeTtlSeconds?: number;
}

export interface ProviderCapabilities {
  /** False: two writers cannot be told apart; the applier reads before each change. */
  readonly hasCompareAndSet: boolean;
  /** How shards are weighed: several sets of one name, items of one set, or not at all. */
  readonly weights: 'members' | 'items' | 'none';
  /** A load balancer's name may stand at any name, beside other types. */
  readonly hasAlias: boolean;
  /** `observe` says when a change is served everywhere. */
  readonly hasChangeStatus: boolean;
  readonly ttlSecondsMin: number;
  readonly valuesPerSetMax: number;
  /** Of one request. */
  readonly limits: BatchLimits;
  /** Requests that the provider takes: shared by all zones of `account`. */
  readonly rate: { readonly account: string; readonly perSecond: number; readonly burst: number };
}

/** What one request may hold, in the provider's own measure (see `measure`). */
export interface BatchLimits {
  /** Changes, or record elements, as the provider counts them. */
  readonly changes: number;
  /** Characters or bytes, as the provider counts them. */
  readonly bytes: number;
}

export interface CallOptions {
  /** The call ends by then: epoch-free, milliseconds from now. */
  readonly timeoutMs: number;
}

/**
 * Reading calls throw MeshError: `DNS_DENIED` (fatal), `DNS_NO_ZONE` (fatal), `DNS_THROTTLED`,
 * `DNS_UNAVAILABLE`, `DNS_TIMEOUT` (retryable), with a message that names the way out.
 */
export interface DnsProvider {
  readonly capabilities: ProviderCapabilities;
  /** What `group` costs of `capabilities.limits`. */
  measure(group: RecordGroup): BatchLimits;
  describe(options: CallOptions): Promise<ZoneDescription>;
  /** Every record set at these names, of whatever type; names without any are absent. */
  read(names: readonly string[], options: CallOptions): Promise<readonly ZoneRecordSet[]>;
  /** In the provider's order. `after` is a former page's `next`. */
  list(options: CallOptions & { readonly after?: string }): Promise<RecordPage>;
  /** One request. Every group and nothing else has an outcome, by its id. */
  apply(batch: RecordBatch, options: CallOptions): Promise<ReadonlyMap<string, GroupOutcome>>;
  /** Of an `applied` change. Providers without change status answer `live`. */
  observe(change: string, options: CallOptions): Promise<'pending' | 'live'>;
  /** Ends connections; calls in flight end. */
  close(): Promise<void>;
}
