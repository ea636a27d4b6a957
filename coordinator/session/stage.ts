// What the session stage is given, and what its functions share: one record per cluster.

import type { ClusterName, Revision, ServiceKey } from '../../common/model/ids.ts';
import type { ApprovalMode } from '../../common/model/isthmus-kinds.ts';
import type {
  HeldNatsLogin,
  NatsKey,
  NatsLogin,
  NatsLoginAnswer,
  NatsTrust,
} from '../../common/model/session.ts';
import type { ShardResult } from '../../common/model/shard.ts';
import type {
  EventRecorder,
  PeerSource,
  PlacementView,
  SessionState,
} from '../../common/model/views.ts';
import type { ForeignSet } from '../../common/pure/foreign-services.ts';
import type { Chance } from '../../common/runtime/chance.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import type { Log } from '../../common/runtime/log.ts';
import type { Loop } from '../../common/runtime/loop.ts';
import type { Metrics } from '../../common/runtime/metrics.ts';
import type { Quota } from '../../common/runtime/quota.ts';
import type { Desired } from '../desired/store.ts';
import type { Admission } from './admission.ts';
import type { CertificateAuthority } from './certificate-authority.ts';
import type { AgentLink } from './link.ts';
import type { MeshListener, PeerIdentity } from './mesh-port.ts';
import type { PeerDigest } from './peer-digest.ts';
import type { PeerJournal } from './peer-journal.ts';
import type { Questions } from './questions.ts';
import type { ReceiptKey } from './receipts.ts';
import type { SharedMessages } from './shared-messages.ts';

/** Who may report over NATS. A Cluster that goes loses its user by itself. See ./nats-users.ts. */
export interface TelemetryUsers {
  /** A JWT for the agent's key, or why there is none. Throws MeshError when the store is away. */
  login(peer: PeerIdentity, key: NatsKey | undefined): Promise<NatsLogin>;
  /** As login, for an agent that says which one it holds: `stands` when it would be given the same. */
  loginUnlessHeld(
    peer: PeerIdentity,
    key: NatsKey | undefined,
    held: HeldNatsLogin | undefined,
  ): Promise<NatsLoginAnswer>;
  /** Where agents report to. */
  urls(): readonly string[];
  /** What those servers are known by; undefined: the federation's CA. */
  trust(): NatsTrust | undefined;
  /** Why a removed cluster can report until its login ends; undefined when it cannot. */
  lateRevocation(): string | undefined;
}

export interface SessionsOptions {
  readonly desired: Desired;
  readonly placement: PlacementView;
  readonly peers: PeerSource;
  readonly acknowledgeRemoval: (order: {
    readonly cluster: ClusterName;
    readonly key: ServiceKey;
    readonly revision: Revision;
  }) => Promise<void>;
  readonly listener: MeshListener;
  readonly authority: CertificateAuthority;
  readonly receiptKey: ReceiptKey;
  readonly telemetryUsers: TelemetryUsers;
  readonly recorder: EventRecorder;
  readonly config: {
    readonly federation: string;
    readonly domain: string;
    readonly ttlSeconds: number;
    /** Told to agents, and compared with theirs; undefined: neither. */
    readonly coordinatorVersion?: string | undefined;
  };
  /** Of join tokens that do not say. Default: Automatic. */
  readonly joinApproval?: ApprovalMode | undefined;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly log: Log;
  readonly metrics: Metrics;
}

export interface ClusterRecord {
  link: AgentLink | undefined;
  state: SessionState | undefined;
  readonly results: Map<ServiceKey, ShardResult>;
  /** Services there that are nobody's shards. */
  readonly foreign: ForeignSet;
}

export interface Stage extends SessionsOptions {
  readonly clusters: Map<ClusterName, ClusterRecord>;
  /** Each writes to the log, and may have everything sent. */
  readonly hellos: Quota<ClusterName>;
  readonly greetings: Admission;
  readonly joins: Admission;
  readonly shared: SharedMessages;
  readonly journal: PeerJournal;
  readonly peerDigest: PeerDigest;
  readonly questions: Questions;
  /** Marked with each cluster whose agent says which CAs it trusts. */
  readonly trust: Loop<ClusterName>;
  readonly tell: (cluster: ClusterName, key?: ServiceKey) => void;
}
