// One of several replicas of an agent. They are one agent to everybody else: the one that holds the
// Lease has the session, changes the cluster and reports; the others answer pods, keep a copy of its
// record, and go on from there when it ends.
//
//   election -> leads:     Secret -> record -> session -> the acting part of the agent
//            -> stands by: the leading replica's rows -> own disk -> resolver

import type { AgentSession, Leadership, Welcome } from './agent-ports.ts';
import type { Topology } from '../common/model/topology.ts';
import { MeshError } from '../common/pure/errors.ts';
import type { Chance } from '../common/runtime/chance.ts';
import type { Clock } from '../common/runtime/clock.ts';
import type { KubeClient } from '../common/runtime/kube-client.ts';
import { describeError, type Log } from '../common/runtime/log.ts';
import { createLoop } from '../common/runtime/loop.ts';
import type { Metrics } from '../common/runtime/metrics.ts';
import { createRecordFeed } from './leader/feed.ts';
import { fenceKube } from './leader/fenced-kube.ts';
import { followLeader, type Follower } from './leader/follow.ts';
import { createFactsKeeper, type SecretName } from './leader/kept-facts.ts';
import type { LeaseName } from './leader/lease.ts';
import { createElection } from './leader/loop.ts';
import type { ReplicaLink, Row, RowTables } from './leader/replica-port.ts';
import type { HolderName } from './leader/step.ts';
import { createRoleSession } from './role-session.ts';
import { openAgentRecord } from './session/agent-record.ts';
import { PeerRows } from './session/peer-rows.ts';
import type { StreamEnd } from './session/mesh-port.ts';
import type { AgentRecord, Identity, RecordTables, RemovalNote } from './session/record.ts';

export interface ReplicaPorts {
  readonly kube: KubeClient;
  readonly tables: RecordTables;
  /** Made anew each time, because a link shows the key of its moment. */
  readonly link: (identity: () => Identity | undefined) => ReplicaLink;
  /** The session of a leading replica; it tells how its streams end. */
  readonly openSession: (record: AgentRecord, onEnd: (end: StreamEnd) => void) => AgentSession;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly log: Log;
  readonly metrics: Metrics;
}

export interface ReplicaOptions {
  readonly lease: LeaseName;
  readonly secret: SecretName;
  readonly self: HolderName;
  /** host:port at which other replicas reach ours; the port is the one that was bound. */
  readonly address: (port: number) => string;
}

export interface Replica {
  readonly session: AgentSession;
  readonly leadership: Leadership;
  /** Refuses writes that another replica might make too. */
  readonly kube: KubeClient;
  identity(): Identity | undefined;
  topology(): Topology | undefined;
  writeTopology(topology: Topology): Promise<void>;
  /** Why pods should not be sent here yet. */
  notReady(): string | undefined;
  /** Takes part in the election; before the agent starts. */
  start(): void;
  /** Gives the lease back; after the agent has stopped. */
  stop(): Promise<void>;
}

// A holder that ended without a word may have removed as many as its guard lets through.
const asManyAsMayGo = 1_000_000;
// A minute after the longest call (common/runtime/kube-http.ts).
const removalsEndMs = 70_000;
// A record of 20,000 shards opens in a second.
const leadMs = 10_000;

/** Rejects with the system's error when the port for other replicas cannot be had. */
export async function openReplica(ports: ReplicaPorts, options: ReplicaOptions): Promise<Replica> {
  const replica = new RunningReplica(ports, options);
  await replica.open();
  return replica;
}

class RunningReplica implements Replica {
  readonly session;
  readonly leadership: Leadership;
  readonly kube: KubeClient;
  readonly #ports: ReplicaPorts;
  readonly #tables: RowTables;
  readonly #pod: string;
  readonly #election;
  readonly #feed;
  readonly #keeper;
  readonly #roles;
  readonly #link: ReplicaLink;
  readonly #listeners = new Set<(isLeading: boolean) => void | Promise<void>>();
  #facts: Map<string, unknown>;
  #peers: PeerRows;
  #record: AgentRecord | undefined;
  #follower: Follower | undefined;
  #hasRecord: boolean;
  #removalsNotedMs = -Infinity;
  #listening: { readonly port: number; close(): Promise<void> } | undefined;

  constructor(ports: ReplicaPorts, options: ReplicaOptions) {
    this.#ports = ports;
    this.#pod = options.self.pod;
    this.#tables = toRowTables(ports.tables);
    this.#facts = new Map(this.#tables.load('facts'));
    this.#peers = new PeerRows(this.#tables.load('peers'));
    this.#hasRecord = this.#facts.has('viewRevision');
    this.session = createRoleSession(this.#view());
    this.#link = ports.link(() => this.identity());
    this.#feed = createRecordFeed({ ...ports, isSessionOpen: () => this.session.isOpen() });
    this.#election = createElection(ports, {
      lease: options.lease,
      self: options.self,
      address: () => options.address(this.#listening?.port ?? 0),
      viewRevision: () => this.#viewRevision(),
      removals: () => this.#recentRemovals(),
      isCurrent: () => this.#record !== undefined || this.#follower?.isCurrent() === true,
    });
    this.kube = fenceKube(ports.kube, () => this.#election.mayWrite());
    this.#keeper = createFactsKeeper({ ...ports, kube: this.kube }, options.secret);
    this.leadership = {
      isLeading: () => this.#record !== undefined,
      subscribe: (listener) => {
        this.#listeners.add(listener);
        return () => void this.#listeners.delete(listener);
      },
    };
    this.#roles = createLoop<'role'>({ ...ports, name: 'role', run: () => this.#takeRole() });
    this.#election.subscribe(() => this.#roles.mark('role'));
  }

  async open(): Promise<void> {
    this.#listening = await this.#link.listen((connection) => this.#feed.accept(connection));
    await this.#adopt();
  }

  start(): void {
    this.#election.start();
    this.#roles.mark('role');
  }

  async stop(): Promise<void> {
    await this.#roles.stop();
    await this.#keeper.stop();
    await this.#election.stop();
    this.#feed.stop();
    await this.#follower?.stop();
    await this.#listening?.close();
    await this.#ports.tables.close();
  }

  identity(): Identity | undefined {
    return this.#record === undefined
      ? (this.#facts.get('identity') as Identity | undefined) // written by the session's record
      : this.#record.identity();
  }

  topology(): Topology | undefined {
    return this.#facts.get('topology') as Topology | undefined; // likewise
  }

  /** Of the leading replica; another one sees the same Nodes. */
  async writeTopology(topology: Topology): Promise<void> {
    await this.#record?.writeTopology(topology);
  }

  /** A new replica takes the place of another one only when it holds what that one held. */
  notReady(): string | undefined {
    this.#hasRecord ||= this.#record !== undefined || this.#follower?.isCurrent() === true;
    if (this.#hasRecord) return undefined;
    return this.#election.trouble() ?? 'the leading replica’s record has not been read yet';
  }

  async #takeRole(): Promise<undefined> {
    const isLeading = this.#record !== undefined;
    if (this.#election.isLeading()) {
      if (!isLeading) await this.#tryToLead();
    } else {
      if (isLeading) await this.#yield();
      this.#follower ??= this.#follow();
    }
    return undefined;
  }

  /** A replica whose disk fails, or hangs, must not keep the others from it. */
  async #tryToLead(): Promise<void> {
    const attempt = { isOver: false };
    try {
      await within(this.#ports.clock, leadMs, this.#lead(attempt));
    } catch (error) {
      attempt.isOver = true;
      this.#ports.log.error('this replica cannot lead', { error: describeError(error) });
      await this.#election.resign();
    }
  }

  async #lead(attempt: { readonly isOver: boolean }): Promise<void> {
    const follower = this.#follower;
    this.#follower = undefined;
    await follower?.stop();
    await this.#adopt();
    await this.#forgetIfOlder();
    await this.#noteTerm();
    const shared = this.#keeper.keep(this.#feed.share(this.#tables));
    const record = await openAgentRecord(toRecordTables(shared));
    if (attempt.isOver) throw new MeshError('retryable', 'RECORD_UNAVAILABLE', 'opened too late');
    this.#record = record;
    this.session.lead(this.#ports.openSession(this.#noting(record), (end) => this.#noteEnd(end)));
    await this.#tellRole(true);
  }

  /**
   * I2: it missed what the former leader applied last. What it holds is not the newest wish, so it
   * holds nothing: the coordinator tells all again, and until then the shards speak for themselves.
   */
  async #forgetIfOlder(): Promise<void> {
    const [own, known] = [this.#viewRevision(), this.#election.knownView()];
    if (own === 0 || own >= known) return;
    this.#ports.log.warn('an older view is forgotten', { own, known });
    const rows = ['shards', 'orders'].flatMap((table) =>
      [...this.#tables.load(table)].map(([key]) => ({ table, key, value: undefined })),
    );
    const facts = ['viewRevision', 'receipt'].map((key) => ({
      table: 'facts',
      key,
      value: undefined,
    }));
    await this.#tables.commit([...rows, ...facts]);
    this.#noteRows(facts);
  }

  /** I13: how many shards may have gone in the last minute, whoever led until now. */
  async #noteTerm(): Promise<void> {
    const [pod, term] = [this.#pod, this.#election.transitions()];
    const ledAs = this.#facts.get('ledAs');
    const isOurs = [term, term - 1].some((one) => ledAs === `${pod} ${one}`);
    const rows: Row[] = [{ table: 'facts', key: 'ledAs', value: `${pod} ${term}` }];
    // Where nobody led before, the shards themselves say whether there was anything to remove.
    if (!isOurs && term > 1) {
      const count = this.#election.removalsTold() ?? asManyAsMayGo;
      const value: RemovalNote = { count, atMs: this.#ports.clock.now() };
      rows.push({ table: 'facts', key: 'removals', value });
    }
    await this.#tables.commit(rows);
    this.#noteRows(rows);
    this.#removalsNotedMs = this.#ports.clock.monotonicMs();
  }

  /** The record, which tells when removals were noted. */
  #noting(record: AgentRecord): AgentRecord {
    const writeRemovals = (note: RemovalNote): Promise<void> => {
      this.#removalsNotedMs = this.#ports.clock.monotonicMs();
      return record.writeRemovals(note);
    };
    return { ...record, writeRemovals };
  }

  #recentRemovals(): number | undefined {
    const note = this.#record?.removals();
    const agoMs = this.#ports.clock.monotonicMs() - this.#removalsNotedMs;
    return note === undefined || agoMs < removalsEndMs ? note?.count : 0;
  }

  #viewRevision(): number {
    const own = this.#record?.viewRevision() ?? this.#facts.get('viewRevision');
    return typeof own === 'number' ? own : 0;
  }

  async #yield(): Promise<void> {
    this.#record = undefined;
    await this.#tellRole(false);
    this.#facts = new Map(this.#tables.load('facts'));
    this.#peers = new PeerRows(this.#tables.load('peers'));
    await this.session.standBy(this.#view());
    this.#feed.stop();
  }

  async #tellRole(isLeading: boolean): Promise<void> {
    for (const listener of this.#listeners) await listener(isLeading);
  }

  #noteEnd({ reason }: StreamEnd): void {
    if (reason === 'Superseded') this.#election.noteSuperseded();
  }

  #follow(): Follower {
    return followLeader({
      ...this.#ports,
      link: this.#link,
      address: () => this.#election.leaderAddress(),
      tables: this.#tables,
      onRows: (rows) => this.#noteRows(rows),
      onRefused: () => this.#adopt(),
    });
  }

  async #adopt(): Promise<void> {
    this.#noteRows(await this.#keeper.adopt(this.#tables));
  }

  #noteRows(rows: readonly Row[]): void {
    for (const { table, key, value } of rows) {
      if (table === 'facts') this.#facts.set(key, value);
    }
    const peers = rows.filter(({ table }) => table === 'peers');
    if (peers.length > 0) {
      this.session.tellPeers(this.#peers.apply(peers.map(({ key, value }) => [key, value])));
    }
    const hasWelcome = rows.some(({ table, key }) => table === 'facts' && key === 'welcome');
    const welcome = this.#welcome();
    if (hasWelcome && welcome !== undefined) this.session.tellWelcome(welcome);
  }

  #welcome(): Welcome | undefined {
    return this.#facts.get('welcome') as Welcome | undefined; // written by the session's record
  }

  #view() {
    return {
      welcome: () => this.#welcome(),
      peers: () => this.#peers.services(),
      isOpen: () => this.#follower?.isSessionOpen() === true,
    };
  }
}

function within<T>(clock: Clock, ms: number, asked: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const late = new MeshError('retryable', 'RECORD_UNAVAILABLE', `no record within ${ms} ms`);
    const timer = clock.after(ms, () => reject(late));
    asked.then(resolve, reject).finally(() => timer.cancel());
  });
}

// The record's tables are a closed set of names; replicas exchange rows of any.
function toRowTables(tables: RecordTables): RowTables {
  return {
    load: (table) => tables.load(table as Parameters<RecordTables['load']>[0]),
    commit: (rows) => tables.commit(rows as Parameters<RecordTables['commit']>[0]),
  };
}

function toRecordTables(tables: RowTables): RecordTables {
  return {
    load: (table) => tables.load(table),
    commit: (changes) => tables.commit(changes),
    close: () => Promise.resolve(), // the replica's, not the record's
  };
}
