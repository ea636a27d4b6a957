// The agent's session: joins once, dials for ever, keeps the assignment on disk, and tells the
// coordinator what became of each shard.
//
//   L1. A view older than the one applied is refused (I2); the stream ends and begins anew.
//   L2. A batch is on disk before anybody is woken by it.
//   L3. One result per key waits to be sent: the latest. After a reconnect all are sent again,
//       because a coordinator that restarted knows none.
//   L4. Messages are worked off in order; the next one waits for the disk.

import {
  toRevision,
  type ClusterName,
  type Revision,
  type ServiceKey,
} from '../../common/model/ids.ts';
import type { ForeignChange } from '../../common/model/foreign.ts';
import type { PeerService } from '../../common/model/peer-table.ts';
import type {
  AgentMessage,
  CoordinatorMessage,
  Incarnation,
  NatsKey,
} from '../../common/model/session.ts';
import type { RemovalOrder, Shard, ShardResult } from '../../common/model/shard.ts';
import type { Topology } from '../../common/model/topology.ts';
import { assertNever, MeshError } from '../../common/pure/errors.ts';
import type { Chance } from '../../common/runtime/chance.ts';
import type { Clock, Timer } from '../../common/runtime/clock.ts';
import { describeError, type Log } from '../../common/runtime/log.ts';
import type { Metrics } from '../../common/runtime/metrics.ts';
import { systemPki, type AgentPki } from './agent-pki.ts';
import { CredentialKeeper } from './credentials.ts';
import type { AgentStream, Credentials, MeshDialer, StreamEnd } from './mesh-port.ts';
import { CoordinatorBusy } from './mesh-port.ts';
import { answerQuestion, type AnswerDns } from './dns-questions.ts';
import { createNatsLoginKeeper, type NatsLoginKeeper } from './nats-login.ts';
import { openingMs, Patience } from './patience.ts';
import type { AgentRecord, Batch, PeerUpdate, Recovered, RemovalNote, Welcome } from './record.ts';
import { ResultBook, type Telling } from './result-book.ts';
import { planRetry, toInventory, type RetryInput } from './step.ts';
import { tellWelcome } from './welcome-warnings.ts';

export interface AgentSessionOptions {
  readonly dialer: MeshDialer;
  readonly record: AgentRecord;
  readonly cluster: ClusterName;
  /** Read at each try, so that a new token file helps without a restart. */
  readonly token: () => string | undefined;
  readonly agentVersion: string;
  readonly topology: () => Topology;
  readonly kubernetesVersion: () => string;
  /** Keys and certificates. Default: real ones. */
  readonly pki?: AgentPki;
  /** What the bus logs in with. Default: one that nobody asks. */
  readonly natsLogin?: NatsLoginKeeper;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly log: Log;
  readonly metrics: Metrics;
}

export interface AgentSession {
  welcome(): Welcome | undefined;
  onWelcome(listener: (welcome: Welcome) => void): () => void;
  peers(): readonly PeerService[];
  onPeers(listener: (update: PeerUpdate) => void): () => void;
  isOpen(): boolean;
  incarnation(): Incarnation;
  viewRevision(): Revision;
  readonly assignment: {
    shard(key: ServiceKey): Shard | undefined;
    order(key: ServiceKey): RemovalOrder | undefined;
    keys(): Iterable<ServiceKey>;
    recover(found: Recovered): Promise<void>;
    removals(): RemovalNote | undefined;
    noteRemovals(note: RemovalNote): Promise<void>;
    subscribe(listener: (key: ServiceKey) => void): () => void;
  };
  report(result: ShardResult): void;
  announceTopology(): void;
  tellForeign(change: ForeignChange): void;
  onDnsQuestion(answer: AnswerDns): () => void;
  start(): void;
  stop(): Promise<void>;
}

const renewalSpreadMs = 10_000;
// As good as a UUID for telling two processes apart, and half as long in each Hello.
const instanceBytes = 12;

export function createAgentSession(options: AgentSessionOptions): AgentSession {
  const session = new Session(options);
  return {
    welcome: () => options.record.welcome(),
    onWelcome: (listener) => subscribeTo(session.welcomeListeners, listener),
    peers: () => options.record.peers(),
    onPeers: (listener) => subscribeTo(session.peerListeners, listener),
    isOpen: () => session.isLive(),
    incarnation: () => session.incarnation(),
    viewRevision: () => options.record.viewRevision(),
    assignment: {
      shard: (key) => options.record.shard(key),
      order: (key) => options.record.order(key),
      keys: () => options.record.keys(),
      recover: (found) => session.recover(found),
      removals: () => options.record.removals(),
      noteRemovals: (note) => options.record.writeRemovals(note),
      subscribe: (listener) => subscribeTo(session.keyListeners, listener),
    },
    report: (result) => session.report(result),
    announceTopology: () => session.announceTopology(),
    tellForeign: (change) => session.tellForeign(change),
    onDnsQuestion: (answer) => subscribeTo(session.dnsAnswerers, answer),
    start: () => session.start(),
    stop: () => session.stop(),
  };
}

function subscribeTo<L>(listeners: Set<L>, listener: L): () => void {
  listeners.add(listener);
  return () => void listeners.delete(listener);
}

class Session {
  readonly welcomeListeners = new Set<(welcome: Welcome) => void>();
  readonly peerListeners = new Set<(update: PeerUpdate) => void>();
  readonly keyListeners = new Set<(key: ServiceKey) => void>();
  readonly dnsAnswerers = new Set<AnswerDns>();
  readonly #natsLogin: NatsLoginKeeper;
  #leaveNats: (() => void) | undefined;
  readonly #options: AgentSessionOptions;
  readonly #results = new ResultBook();
  readonly #credentials: CredentialKeeper;
  readonly #instance: string;
  #stream: AgentStream | undefined;
  #isGreeted = false;
  #isStopped = false;
  #isFlushDue = false;
  #failures = 0;
  #session: number;
  #retry: Timer | undefined;
  readonly #patience: Patience;
  #work: Promise<void> = Promise.resolve();

  constructor(options: AgentSessionOptions) {
    this.#options = options;
    this.#credentials = new CredentialKeeper({ ...options, pki: options.pki ?? systemPki });
    this.#instance = Buffer.from(options.chance.bytes(instanceBytes)).toString('base64url');
    this.#patience = new Patience(options.clock, (ms) =>
      this.#end({ reason: 'Silent', message: `nothing heard for ${ms} ms`, retry: true }),
    );
    this.#natsLogin = options.natsLogin ?? createNatsLoginKeeper(options);
    this.#session = options.record.welcome()?.session ?? 0;
  }

  isLive(): boolean {
    return this.#isGreeted;
  }

  incarnation(): Incarnation {
    return { session: this.#session, boot: this.#options.record.boot() };
  }

  start(): void {
    void this.#dial();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#retry?.cancel();
    this.#patience.cancel();
    this.#credentials.cancelRenewal();
    this.#leaveNats?.();
    this.#stream?.end();
    this.#stream = undefined;
    this.#isGreeted = false;
    await this.#work;
  }

  report(result: ShardResult): void {
    const { record, log } = this.#options;
    const isGone = result.outcome === 'removed' || result.outcome === 'released';
    this.#results.note(result);
    this.#flushSoon();
    if (!isGone) return;
    record.dropOrder(result.key).catch((error: unknown) => {
      log.warn('an obeyed order stays on disk and is obeyed again', {
        error: describeError(error),
      });
    });
  }

  tellForeign(change: ForeignChange): void {
    if (this.#isGreeted) this.send({ kind: 'foreign', ...change });
  }

  async recover(found: Recovered): Promise<void> {
    const keys = await this.#options.record.recover(found);
    for (const key of keys) for (const listener of this.keyListeners) listener(key);
  }

  announceTopology(): void {
    const { topology, kubernetesVersion } = this.#options;
    const said = { topology: topology(), kubernetesVersion: kubernetesVersion() };
    if (this.#isGreeted) this.send({ kind: 'topology', ...said }); // Hello says it, too
  }

  async #dial(): Promise<void> {
    const { record, log } = this.#options;
    if (this.#isStopped) return;
    try {
      const credentials = await this.#credentials.get(openingMs(this.#failures));
      const natsKey = await this.#natsLogin.key(record);
      if (!this.#isStopped) this.#connect(credentials, natsKey);
    } catch (error) {
      const known = error instanceof MeshError ? error : undefined;
      if (known?.code === 'JOIN_WAITING') return this.#again({ retry: 'waiting' });
      if (known instanceof CoordinatorBusy) {
        log.info('the coordinator is busy: this agent joins later', { detail: known.message });
        return this.#again({ retry: true, afterMs: known.retryAfterMs });
      }
      const isFatal = known?.class === 'fatal';
      const fields = { error: describeError(error), hasIdentity: record.identity() !== undefined };
      if (isFatal) log.error('cannot join the federation', fields);
      else log.warn('cannot reach the coordinator', fields);
      this.#again({ retry: !isFatal });
    }
  }

  #connect(credentials: Credentials, natsKey: NatsKey): void {
    const { dialer, log } = this.#options;
    const stream: { current: AgentStream | undefined } = { current: undefined };
    this.#stream = dialer.connect(credentials, {
      onMessage: (message) => {
        if (this.#stream !== stream.current) return;
        this.#patience.heard();
        this.#work = this.#work
          .then(() => (this.#stream === stream.current ? this.#onMessage(message) : undefined))
          .catch((error: unknown) => {
            log.warn('a message was not worked off; the session begins anew', {
              error: describeError(error),
            });
            this.#end({ reason: 'Failed', message: describeError(error), retry: true });
          });
      },
      onEnd: (end) => {
        if (this.#stream === stream.current) this.#end(end);
      },
    });
    stream.current = this.#stream;
    this.#patience.begin(this.#failures);
    this.#stream.send(this.#hello(natsKey));
  }

  #hello(natsKey: NatsKey): AgentMessage {
    const { record, cluster, topology, kubernetesVersion, agentVersion, clock } = this.#options;
    const trustDigest = this.#credentials.trustDigest();
    const peersDigest = record.peersDigest();
    return {
      kind: 'hello',
      cluster,
      incarnation: this.incarnation(),
      viewRevision: record.viewRevision(),
      receipt: record.receipt(),
      digest: record.digest(),
      topology: topology(),
      agentVersion,
      kubernetesVersion: kubernetesVersion(),
      instance: this.#instance,
      clockUnixMs: clock.now(),
      answersDns: true,
      ...(trustDigest === undefined ? {} : { trustDigest }),
      ...(peersDigest === undefined ? {} : { peersDigest }),
      natsKey,
      heldNatsLogin: this.#natsLogin.held(),
    };
  }

  #end({ reason, message, retry, retryAfterMs: afterMs }: StreamEnd): void {
    const { log, metrics } = this.#options;
    const stream = this.#stream;
    if (stream === undefined) return;
    this.#stream = undefined;
    this.#isGreeted = false;
    this.#leaveNats?.();
    stream.end();
    this.#patience.cancel();
    this.#credentials.cancelRenewal();
    this.#credentials.noteRefusal(retry ? undefined : reason);
    metrics.count('mesh_session_ends_total', { retry: String(retry) });
    if (retry) log.info('session ended', { reason, detail: message });
    else log.error('session refused', { reason, detail: message });
    this.#again({ retry, afterMs });
  }

  #again(why: Pick<RetryInput, 'retry' | 'afterMs'>): void {
    if (this.#isStopped) return;
    this.#failures += why.afterMs === undefined ? 1 : 0; // who is told when has not failed
    const { chance, clock } = this.#options;
    const delayMs = planRetry({ ...why, failures: this.#failures, fraction: chance.fraction() });
    this.#retry?.cancel();
    this.#retry = clock.after(delayMs, () => void this.#dial());
  }

  async #onMessage(message: CoordinatorMessage): Promise<void> {
    switch (message.kind) {
      case 'welcome':
        return this.#onWelcome(message);
      case 'batch':
        return this.#onBatch(message);
      case 'peers': {
        const update = await this.#options.record.applyPeers(message);
        for (const listener of this.peerListeners) listener(update);
        return;
      }
      case 'certificate':
        return this.#credentials.renewed(message.chainPem, this.send);
      case 'trust':
        this.send(await this.#credentials.trust(message.caPem));
        return this.#credentials.renewSoon(this.send, this.#spreadMs());
      case 'natsLogin':
        return this.#natsLogin.accept(message.login);
      case 'dnsQuestion': // L4: the next message does not wait for it
        return void answerQuestion(message, this.dnsAnswerers, this);
      case 'ping':
        return this.send({
          kind: 'pong',
          nonce: message.nonce,
          clockUnixMs: this.#options.clock.now(),
        });
      case 'drain':
        return this.#end({
          reason: 'Drained',
          message: 'the coordinator is stopping',
          retry: true,
        });
      default:
        return assertNever(message);
    }
  }

  async #onWelcome({ natsLogin, natsLoginStands, ...welcome }: Welcome): Promise<void> {
    const { record, log } = this.#options;
    await record.writeWelcome(welcome);
    this.#session = welcome.session;
    this.#isGreeted = true;
    this.#failures = 0;
    this.#credentials.noteRefusal(undefined);
    tellWelcome(this.#options, welcome);
    log.info('session open', { session: welcome.session, federation: welcome.federation });
    this.#leaveNats = this.#natsLogin.attach((natsKey) =>
      this.send({ kind: 'natsRenewal', natsKey }),
    );
    if (natsLoginStands === true) this.#natsLogin.stands();
    else this.#natsLogin.accept(natsLogin); // good for minutes: of no use on disk
    if (welcome.wantsInventory) for (const page of toInventory(record.inventory())) this.send(page);
    for (const listener of this.welcomeListeners) listener(welcome);
    const canSummarize = welcome.takesRestApplied === true;
    this.#ack(this.#results.tellAll(record.inventory(), canSummarize)); // L3
    this.#credentials.scheduleRenewal(this.send);
  }

  readonly send = (message: AgentMessage): void => this.#stream?.send(message);

  /** A thousand agents that learn of a new CA at once do not ask for a certificate at once. */
  #spreadMs(): number {
    return renewalSpreadMs * this.#options.chance.fraction();
  }

  async #onBatch(batch: Batch): Promise<void> {
    const { record } = this.#options;
    const known = record.viewRevision();
    if (batch.revision < known) {
      const message = `a batch of view ${batch.revision} came after view ${known} was applied`;
      return this.#end({ reason: 'StaleView', message, retry: true }); // L1
    }
    await record.applyBatch(batch); // L2
    for (const { key } of [...batch.upserts, ...batch.removals]) {
      this.#results.forget(key);
      for (const listener of this.keyListeners) listener(key);
    }
  }

  #flushSoon(): void {
    if (this.#isFlushDue || !this.#isGreeted) return;
    this.#isFlushDue = true;
    this.#options.clock.soon(() => {
      this.#isFlushDue = false;
      if (this.#isGreeted) this.#ack({ results: this.#results.takeUnsent(), isRestApplied: false });
    });
  }

  #ack({ results, isRestApplied }: Telling): void {
    if (results.length === 0 && !isRestApplied) return;
    const revision = toRevision(this.#options.record.viewRevision());
    this.send({ kind: 'ack', revision, results, ...(isRestApplied ? { isRestApplied } : {}) });
  }
}
