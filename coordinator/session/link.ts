// One agent's open stream: what it holds, what it still has to be told, and when it was last
// heard. Due keys are a set, so that a slow agent costs memory by key and not by change: the
// latest wish wins.

import type { ClusterName, ContentHash, Revision, ServiceKey } from '../../common/model/ids.ts';
import type { CoordinatorMessage } from '../../common/model/session.ts';
import type { PlacementView } from '../../common/model/views.ts';
import type { RemovalOrder, Shard } from '../../common/model/shard.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import { Quota } from '../../common/runtime/quota.ts';
import type { SessionStream } from './mesh-port.ts';
import type { PeerJournal } from './peer-journal.ts';
import { findUnclaimed, planBatches, type Wanted } from './plan.ts';
import { signReceipt, type ReceiptKey } from './receipts.ts';
import type { SharedMessages } from './shared-messages.ts';

export interface LinkOptions {
  readonly cluster: ClusterName;
  readonly stream: SessionStream;
  readonly placement: PlacementView;
  readonly journal: PeerJournal;
  readonly shared: SharedMessages;
  readonly receiptKey: ReceiptKey;
  readonly clock: Clock;
}

// Five times the most Services that one federation is made for.
const heldMax = 100_000;
// Each answer costs a signature and a write to the log; the shortest-lived certificates are renewed
// every second.
const asks = { max: 4, windowMs: 2_000 };

/** The last order sent for a key, and the view of the batch that carried it. */
interface Ordered {
  readonly order: Revision;
  readonly view: Revision;
}

export class AgentLink {
  /** Wall-clock end of the newest certificate that its agent has. */
  certificateEndMs: number | undefined;
  readonly #options: LinkOptions;
  readonly #held = new Map<ServiceKey, ContentHash>();
  /** Sent since Hello: what the agent said then says nothing of these. */
  readonly #sent = new Set<ServiceKey>();
  readonly #ordered = new Map<ServiceKey, Ordered>();
  readonly #due = new Set<ServiceKey>();
  readonly #waiting: CoordinatorMessage[] = [];
  readonly #asks: Quota<'certificate' | 'natsLogin'>;
  #isLive = false;
  #isClosed = false;
  #isBusy = false;
  #isFlushDue = false;
  #arePeersOwed = false;
  #toldPeers: number | undefined;

  constructor(options: LinkOptions) {
    this.#options = options;
    this.#asks = new Quota(options.clock, asks);
    this.certificateEndMs = options.stream.peer.certificateEndMs;
  }

  get cluster(): ClusterName {
    return this.#options.cluster;
  }

  get stream(): SessionStream {
    return this.#options.stream;
  }

  /** The stream is over. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** What it holds is known, and differences are sent. */
  get isLive(): boolean {
    return this.#isLive;
  }

  /**
   * False: the agent asks for this more often than any needs it, or does not read what it asked for.
   * It asks again by itself.
   */
  mayAsk(what: 'certificate' | 'natsLogin'): boolean {
    return !this.#isBusy && this.#asks.take(what);
  }

  /** How far it was told of peers (PeerJournal); undefined before the whole table. */
  get toldPeers(): number | undefined {
    return this.#toldPeers;
  }

  /** What it has of the table is the table as it is now. */
  hasPeers(): void {
    this.#toldPeers = this.#options.journal.head;
  }

  /** Adds a page of what the agent says it holds; false when that is more than can be true. */
  hold(entries: Iterable<{ readonly key: ServiceKey; readonly hash: ContentHash }>): boolean {
    for (const { key, hash } of entries) this.#held.set(key, hash);
    return this.#held.size <= heldMax;
  }

  /** Those wanted shards that the agent held, as they are wanted, at its Hello. */
  *heldAtHello(): Iterable<Shard> {
    const { placement, cluster } = this.#options;
    for (const shard of placement.shardsOf(cluster)) {
      if (this.#held.get(shard.key) === shard.hash && !this.#sent.has(shard.key)) yield shard;
    }
  }

  unclaimed(): readonly ServiceKey[] {
    return this.#isLive ? findUnclaimed(this.#held, this.#wanted()) : [];
  }

  /**
   * True when an agent that has applied `view` speaks of this very order. The order may be newer
   * than the view of its batch: a view says from when on it is whole, not what it lacks.
   */
  isAnswerTo({ key, revision }: RemovalOrder, view: Revision): boolean {
    const sent = this.#ordered.get(key);
    return sent !== undefined && sent.order === revision && sent.view <= view;
  }

  /** The order is over and done with. */
  forget({ key, revision }: RemovalOrder): void {
    if (this.#ordered.get(key)?.order === revision) this.#ordered.delete(key);
  }

  /** What it holds is known: sends every difference, the marker, and the whole peer table. */
  open(): void {
    const { placement, cluster } = this.#options;
    this.#isLive = true;
    for (const { key } of placement.shardsOf(cluster)) this.#due.add(key);
    for (const { key } of placement.removalsOf(cluster)) this.#due.add(key);
    const batches = this.#takeBatches();
    const last = batches.pop() ?? this.#toBatch({ upserts: [], removals: [] });
    for (const batch of batches) this.#queue(batch);
    this.#queue({ ...last, isComplete: true });
    this.#queuePeers();
  }

  mark(key: ServiceKey): void {
    this.#due.add(key);
    if (!this.#isLive || this.#isFlushDue) return;
    this.#isFlushDue = true;
    this.#options.clock.soon(() => {
      this.#isFlushDue = false;
      this.#flush();
    });
  }

  /** What changed since it was told last. */
  tellPeers(): void {
    if (!this.#isLive) return; // open tells all
    this.#arePeersOwed = this.#isBusy; // onDrain tells: later is less
    if (!this.#isBusy) this.#queuePeers();
  }

  /** An agent that takes no messages needs no pings on top. */
  ping(nonce: number): void {
    if (!this.#isBusy) this.sendNow({ kind: 'ping', nonce });
  }

  /** Small and out of order with batches: certificate, drain, welcome. */
  sendNow(message: CoordinatorMessage): void {
    this.#isBusy = !this.#options.stream.send(message) || this.#isBusy;
  }

  onDrain(): void {
    this.#isBusy = false;
    while (!this.#isBusy) {
      const next = this.#waiting.shift();
      if (next === undefined) break;
      this.#isBusy = !this.#options.stream.send(next);
    }
    if (this.#isBusy || !this.#isLive) return;
    if (this.#due.size > 0) this.#flush();
    if (this.#arePeersOwed) this.tellPeers();
  }

  close(): void {
    this.#isLive = false;
    this.#isClosed = true;
    this.#due.clear();
    this.#waiting.length = 0;
  }

  #flush(): void {
    if (!this.#isLive || this.#isBusy) return; // due keys wait for onDrain
    for (const batch of this.#takeBatches()) this.#queue(batch);
  }

  #queuePeers(): void {
    const { journal } = this.#options;
    for (const message of journal.messagesSince(this.#toldPeers)) this.#queue(message);
    this.#toldPeers = journal.head;
  }

  #takeBatches() {
    const plans = planBatches(this.#due, this.#held, this.#wanted());
    this.#due.clear();
    const view = this.#options.placement.revision();
    return plans.map((plan) => {
      for (const { key, hash } of plan.upserts) {
        this.#held.set(key, hash);
        this.#sent.add(key);
        this.#ordered.delete(key);
      }
      for (const { key, revision } of plan.removals) {
        // As good as gone: if it is wanted again before the agent obeys, it must be sent again.
        this.#held.delete(key);
        this.#ordered.set(key, { order: revision, view });
      }
      return this.#toBatch(plan);
    });
  }

  #toBatch({ upserts, removals }: ReturnType<typeof planBatches>[number]) {
    const revision = this.#options.placement.revision();
    const [only] = upserts;
    if (only !== undefined && upserts.length === 1 && removals.length === 0) {
      return this.#options.shared.batchOf(only, revision);
    }
    const receipt = signReceipt(this.#options.receiptKey, revision);
    return { kind: 'batch' as const, revision, receipt, upserts, removals, isComplete: false };
  }

  #queue(message: CoordinatorMessage): void {
    if (this.#isBusy) this.#waiting.push(message);
    else this.#isBusy = !this.#options.stream.send(message);
  }

  #wanted(): Wanted {
    const { placement, cluster } = this.#options;
    let orders: Map<ServiceKey, RemovalOrder> | undefined;
    return {
      shard: (key) => placement.shard(cluster, key),
      order: (key) => {
        orders ??= new Map([...placement.removalsOf(cluster)].map((order) => [order.key, order]));
        return orders.get(key);
      },
    };
  }
}
