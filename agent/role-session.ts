// The session as the rest of the agent sees it, whichever role this replica has: that of the leading
// one, or what a replica that stands by is told by the leading one. Nothing is reported from there.

import { MeshError } from '../common/pure/errors.ts';
import type { PeerService } from '../common/model/peer-table.ts';
import { toRevision, type ServiceKey } from '../common/model/ids.ts';
import type { AgentSession, PeerUpdate, Welcome } from './agent-ports.ts';
import type { AnswerDns } from './session/dns-questions.ts';
import type { RemovalNote } from './shard/assignment.ts';
import type { Recovered } from './shard/plan-recovery.ts';

export interface StandbyView {
  welcome(): Welcome | undefined;
  peers(): readonly PeerService[];
  /** The leading replica is heard and has its session. */
  isOpen(): boolean;
}

export interface RoleSession extends AgentSession {
  lead(inner: AgentSession): void;
  /** Ends the session that was led, and goes on from the view. */
  standBy(view: StandbyView): Promise<void>;
  tellWelcome(welcome: Welcome): void;
  tellPeers(update: PeerUpdate): void;
}

export function createRoleSession(view: StandbyView): RoleSession {
  return new Roles(view);
}

const nothing = (): void => undefined;
const noLife = { session: 0, boot: 0 };

class Roles implements RoleSession {
  readonly #welcomeListeners = new Set<(welcome: Welcome) => void>();
  readonly #peerListeners = new Set<(update: PeerUpdate) => void>();
  readonly #keyListeners = new Set<(key: ServiceKey) => void>();
  readonly #dnsAnswerers = new Set<AnswerDns>();
  #view: StandbyView;
  #inner: AgentSession | undefined;
  #unsubscribes: (() => void)[] = [];
  #isStarted = false;

  readonly assignment = {
    shard: (key: ServiceKey) => this.#inner?.assignment.shard(key),
    order: (key: ServiceKey) => this.#inner?.assignment.order(key),
    keys: (): Iterable<ServiceKey> => this.#inner?.assignment.keys() ?? [],
    recover: (found: Recovered): Promise<void> =>
      this.#inner?.assignment.recover(found) ?? Promise.resolve(),
    removals: () => this.#inner?.assignment.removals(),
    noteRemovals: (note: RemovalNote): Promise<void> =>
      this.#inner?.assignment.noteRemovals(note) ?? Promise.reject(standingBy()),
    subscribe: (listener: (key: ServiceKey) => void) => subscribeTo(this.#keyListeners, listener),
  };

  constructor(view: StandbyView) {
    this.#view = view;
  }

  lead(inner: AgentSession): void {
    this.#inner = inner;
    this.#unsubscribes = [
      inner.onWelcome((welcome) => this.tellWelcome(welcome)),
      inner.onPeers((update) => this.tellPeers(update)),
      inner.onDnsQuestion?.((request) => {
        const [answer] = this.#dnsAnswerers;
        return answer?.(request);
      }) ?? nothing,
      inner.assignment.subscribe((key) => {
        for (const listener of this.#keyListeners) listener(key);
      }),
    ];
    if (this.#isStarted) inner.start();
  }

  async standBy(view: StandbyView): Promise<void> {
    const inner = this.#inner;
    this.#view = view;
    this.#inner = undefined;
    for (const unsubscribe of this.#unsubscribes.splice(0)) unsubscribe();
    await inner?.stop();
  }

  tellWelcome(welcome: Welcome): void {
    for (const listener of this.#welcomeListeners) listener(welcome);
  }

  tellPeers(update: PeerUpdate): void {
    for (const listener of this.#peerListeners) listener(update);
  }

  welcome(): Welcome | undefined {
    return this.#inner === undefined ? this.#view.welcome() : this.#inner.welcome();
  }

  onWelcome(listener: (welcome: Welcome) => void): () => void {
    return subscribeTo(this.#welcomeListeners, listener);
  }

  peers(): readonly PeerService[] {
    return this.#inner === undefined ? this.#view.peers() : this.#inner.peers();
  }

  onPeers(listener: (update: PeerUpdate) => void): () => void {
    return subscribeTo(this.#peerListeners, listener);
  }

  isOpen = (): boolean => (this.#inner === undefined ? this.#view.isOpen() : this.#inner.isOpen());

  incarnation = () => this.#inner?.incarnation() ?? noLife;

  viewRevision = () => this.#inner?.viewRevision() ?? toRevision(0);

  report: AgentSession['report'] = (result) => this.#inner?.report(result);

  announceTopology = (): void => this.#inner?.announceTopology();

  onDnsQuestion = (answer: AnswerDns): (() => void) => subscribeTo(this.#dnsAnswerers, answer);

  tellForeign: AgentSession['tellForeign'] = (change) => this.#inner?.tellForeign(change);

  start(): void {
    this.#isStarted = true;
    this.#inner?.start();
  }

  async stop(): Promise<void> {
    this.#isStarted = false;
    await this.#inner?.stop();
  }
}

function standingBy(): MeshError {
  return new MeshError('retryable', 'RECORD_UNAVAILABLE', 'this replica stands by');
}

function subscribeTo<L>(listeners: Set<L>, listener: L): () => void {
  listeners.add(listener);
  return () => void listeners.delete(listener);
}
