// Messages of Mesh.Session, as the stages see them. common/wire maps them to proto/mesh.proto.

import type { ClusterName, ContentHash, Revision, ServiceKey } from './ids.ts';
import type { RemovalOrder, Shard, ShardResult } from './shard.ts';
import type { ForeignChange } from './foreign.ts';
import type { Topology } from './topology.ts';
import type { PeerChange } from './peer-table.ts';

/** One life of an agent: session number issued by the store, then a persisted boot counter. */
export interface Incarnation {
  readonly session: number;
  readonly boot: number;
}

/** Orders two lives: negative when `a` is older. */
export function compareIncarnations(a: Incarnation, b: Incarnation): number {
  return a.session - b.session || a.boot - b.boot;
}

/** Proof that a coordinator whose store stood at `revision` sent a batch. */
export interface Receipt {
  readonly storeId: string;
  readonly epoch: number;
  readonly revision: Revision;
  /** HMAC-SHA-256, 32 bytes. Only the coordinator can check it. */
  readonly mac: Uint8Array;
}

export type AgentMessage =
  | {
      readonly kind: 'hello';
      readonly cluster: ClusterName;
      readonly incarnation: Incarnation;
      /** Highest view revision applied; 0 for none. */
      readonly viewRevision: Revision;
      readonly receipt: Receipt | undefined;
      /** inventoryDigest over what the agent holds. */
      readonly digest: string;
      /** Of its peer table (common/pure/peer-digest.ts); absent: a whole one is owed. */
      readonly peersDigest?: string;
      readonly topology: Topology;
      readonly agentVersion: string;
      readonly kubernetesVersion: string;
      /** Absent in agents that are older than NATS' operator mode here. */
      readonly natsKey?: NatsKey | undefined;
      /** Absent: none that is good, or an agent before 0.2. */
      readonly heldNatsLogin?: HeldNatsLogin | undefined;
      /** Of this process: tells a reconnect from a second agent. Absent before 0.2, as below. */
      readonly instance?: string;
      /** trustDigest of the CAs that the agent trusts; one that says it understands `trust`. */
      readonly trustDigest?: string;
      /** The agent's wall clock. */
      readonly clockUnixMs?: number;
      /** It answers `dnsQuestion`; those before 0.2 do not. */
      readonly answersDns?: boolean;
    }
  | {
      readonly kind: 'inventory';
      readonly entries: readonly InventoryEntry[];
      readonly isLast: boolean;
    }
  | {
      readonly kind: 'ack';
      readonly revision: Revision;
      readonly results: readonly ShardResult[];
      /** Every shard held at Hello that `results` does not name is applied as it is held. */
      readonly isRestApplied?: boolean;
    }
  /** Services that are nobody's shards; only to a coordinator whose Welcome has a foreignDigest. */
  | ({ readonly kind: 'foreign' } & ForeignChange)
  | { readonly kind: 'topology'; readonly topology: Topology; readonly kubernetesVersion: string }
  | { readonly kind: 'renew'; readonly csrDer: Uint8Array }
  /** Answers `trust`: from now on these CAs are trusted, also after a restart. */
  | { readonly kind: 'trusted'; readonly digest: string }
  /** What its resolver answers Pods, as a DNS message; empty: none can be given. */
  | { readonly kind: 'dnsAnswer'; readonly id: number; readonly message: Uint8Array }
  /** Asks for a new NatsLogin. */
  | { readonly kind: 'natsRenewal'; readonly natsKey: NatsKey }
  /** Answers a ping; also proof of life. */
  | { readonly kind: 'pong'; readonly nonce: number; readonly clockUnixMs?: number };

/** An agent's NATS user key, with a proof that it has the seed: see natsKeyText. */
export interface NatsKey {
  readonly publicKey: string;
  /** Ed25519 signature of natsKeyText(cluster). */
  readonly proof: Uint8Array;
}

/** What the proof signs: nobody announces another's key and has it revoked with his own cluster. */
export function natsKeyText(cluster: string): string {
  return `isthmus.v1 NATS key of cluster ${cluster}`;
}

export type NatsLogin =
  | {
      readonly kind: 'granted';
      readonly userJwt: string;
      /** From now; clocks of agent and coordinator need not agree. */
      readonly lifeSeconds: number;
    }
  | { readonly kind: 'refused'; readonly reason: string; readonly message: string };

/** What tells two logins apart (common/pure/held-login.ts). */
export interface HeldNatsLogin {
  /** 16 bytes. */
  readonly digest: Uint8Array;
  readonly issuedAtSeconds: number;
  readonly expiresAtSeconds: number;
}

/** `stands`: what the agent holds is what it would be given. */
export type NatsLoginAnswer = NatsLogin | { readonly kind: 'stands' };

export type NatsTrust =
  | { readonly kind: 'publicCas' }
  | { readonly kind: 'cas'; readonly caPem: string };

export interface InventoryEntry {
  readonly key: ServiceKey;
  readonly hash: ContentHash;
}

export type CoordinatorMessage =
  | {
      readonly kind: 'welcome';
      /** The agent's incarnation from now on is {session, its own boot counter}. */
      readonly session: number;
      readonly federation: string;
      readonly domain: string;
      readonly natsUrls: readonly string[];
      /** Whether the coordinator already holds what the digest says; else it asks for inventory. */
      readonly wantsInventory: boolean;
      readonly ttlSeconds: number;
      /** Absent in coordinators that are older than NATS' operator mode here. */
      readonly natsLogin?: NatsLogin | undefined;
      /** The login that Hello told of stays good, and `natsLogin` is absent. */
      readonly natsLoginStands?: boolean;
      /** What the NATS servers are known by. Default: the federation's CA. */
      readonly natsTrust?: NatsTrust | undefined;
      /** Absent in coordinators before 0.2, as the clock is. */
      readonly coordinatorVersion?: string;
      readonly clockUnixMs?: number;
      /** It understands an Ack's isRestApplied; those before 0.2 do not. */
      readonly takesRestApplied?: boolean;
      /** Of the foreign Services that it knows of this cluster; those before 0.2 know of none. */
      readonly foreignDigest?: string;
    }
  | {
      readonly kind: 'batch';
      /** Revision of the view that this was computed from; the agent refuses a lower one. */
      readonly revision: Revision;
      readonly receipt: Receipt;
      readonly upserts: readonly Shard[];
      readonly removals: readonly RemovalOrder[];
      /** True on the last batch of a reconnect: everything differing has been sent. */
      readonly isComplete: boolean;
    }
  | {
      readonly kind: 'peers';
      readonly upserts: readonly PeerChange[];
      readonly removals: readonly ServiceKey[];
      /** True: a whole table begins; Services that it does not name are gone when it ends. */
      readonly isFull: boolean;
      /** True: more messages of this whole table follow. */
      readonly hasMore: boolean;
    }
  | { readonly kind: 'certificate'; readonly chainPem: string }
  /** All CAs to trust from now on, PEM; sent when the Hello's digest differs and on changes. */
  | { readonly kind: 'trust'; readonly caPem: string }
  | { readonly kind: 'natsLogin'; readonly login: NatsLogin }
  | { readonly kind: 'ping'; readonly nonce: number }
  /** A DNS message with one question; only to agents that answer it. */
  | { readonly kind: 'dnsQuestion'; readonly id: number; readonly message: Uint8Array }
  | { readonly kind: 'drain'; readonly reconnectAfterMs: number };
